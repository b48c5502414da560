//! Any program of nested, moved, leaked, forgotten and cross-thread spans gives
//! the tree that it describes.
//!
//! Programs are made up, run on the facade and compared with a model of what the
//! documentation says. `SPANDREL_PROGRAMS` is how many, `SPANDREL_SEED` begins
//! elsewhere.

mod compare;
mod model;
mod paths;
mod program;
mod run;

use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use crate::model::Rules;
use crate::paths::{bracketed, live, recorder, unsampled, with_builder, with_limits};
use crate::run::Path;

#[test]
fn programs_give_the_trees_that_they_describe() {
    check(&recorder());
}

#[test]
fn a_live_provider_gets_the_same_trees() {
    check(&live());
}

#[test]
fn a_provider_with_brackets_sees_them_in_pairs() {
    check(&bracketed());
    assert_eq!(paths::bracket_faults(), [""; 0]);
}

#[test]
fn builders_give_the_same_trees() {
    check(&with_builder());
}

#[test]
fn limits_change_no_tree_and_count_what_they_cost() {
    check(&with_limits());
}

#[test]
fn ids_are_consistent_where_nothing_is_sampled() {
    check(&unsampled());
}

fn check((path, rules): &(Path, Rules)) {
    let cases = number("SPANDREL_PROGRAMS").unwrap_or(250);
    let seed = number("SPANDREL_SEED").unwrap_or(0);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let result = runner.run(&program::programs(), |program| {
        let expected = model::expect(&program, *rules);
        let ran = run::run(&program, path);
        compare::compare(&expected, &ran).map_err(proptest::test_runner::TestCaseError::fail)
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, program)) => panic!("{reason}\nin the program\n{program:#?}"),
        Err(other) => panic!("{other}"),
    }
}

fn number(variable: &str) -> Option<u32> {
    std::env::var(variable).ok()?.parse().ok()
}
