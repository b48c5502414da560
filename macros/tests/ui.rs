//! What the compiler says where `#[traced]` is used wrongly, and where it is used rightly.
//!
//! After a change: `TRYBUILD=overwrite cargo test -p spandrel-macros --test ui`, and read the difference.

#[test]
fn our_own_messages() {
    trybuild::TestCases::new().compile_fail("tests/ui/refused/*.rs");
}

/// Mistakes in a traced function are reported where they are, as in one that is not traced.
#[test]
fn messages_about_the_function() {
    trybuild::TestCases::new().compile_fail("tests/ui/types/*.rs");
}
