//! Under another path: as a library that hands the facade on would have it.

use spandrel::assert_trace;
use spandrel::testing::capture;

/// What a library may have: the facade below a path of its own.
mod toolkit {
    pub(crate) mod tracing {
        pub(crate) use spandrel::__private;
        pub(crate) use spandrel::*;
    }
}

use toolkit::tracing;

#[tracing::traced(crate = crate::outside::toolkit::tracing, record(a), err)]
fn by_path(a: u32) -> Result<u32, String> {
    Ok(a)
}

/// Names that the expansion might stumble over.
mod shadowed {
    #![allow(dead_code, non_camel_case_types, reason = "they are only in the way")]

    pub(crate) struct Option;
    pub(crate) struct Some;
    pub(crate) mod core {}
    pub(crate) mod std {}

    #[spandrel::traced(record(call, span), capture(result))]
    pub(crate) fn function(call: u32, span: u32, result: u32) -> u32 {
        call + span + result
    }

    #[spandrel::traced(record(call, span), capture(args, result))]
    pub(crate) async fn future(call: u32, span: u32, result: u32, value: u32) -> u32 {
        call + span + result + value
    }
}

#[test]
fn names_of_the_user_are_not_taken() {
    let trace = capture(|| {
        by_path(1).unwrap();
        shadowed::function(1, 2, 3);
        drop(shadowed::future(1, 2, 3, 4));
    });
    assert_trace!(trace, "by_path" ("a" = 1) {} "function" ("call" = 1, "span" = 2, "return" = "6") {});
}
