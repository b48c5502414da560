use crate::Subject;

/// Makes a module with one test for each promise, over one provider.
///
/// The second argument is an expression of type [`Subject`](crate::Subject); it
/// stands within the module, so paths in it begin with `crate::` or `super::`.
///
/// ```text
/// spandrel_conformance::suite!(memory, crate::memory());
/// ```
#[macro_export]
macro_rules! suite {
    ($module:ident, $subject:expr) => {
        $crate::suite! { @each [@tests $module, $subject] }
    };
    (@each [$($then:tt)*]) => {
        $crate::suite! {
            $($then)*;
            a_dropped_provider_does_not_hang
            a_flush_delivers_what_ended_before
            a_flush_reaches_the_spans_of_other_threads
            a_kept_context_follows_the_brackets
            a_key_set_again_has_the_new_value
            a_retired_provider_delivers_late_spans
            a_retired_provider_needs_no_flush
            a_span_dropped_without_an_end_counts_nowhere
            a_span_may_move_between_threads
            an_end_before_the_start_is_no_negative_duration
            arrays_arrive_unchanged
            attributes_arrive_wherever_they_are_given
            attributes_of_every_type_arrive_unchanged
            brackets_in_any_order_are_harmless
            deadlines_are_kept
            deadlines_may_be_of_any_length
            empty_arrays_arrive_as_empty_arrays
            events_arrive_in_their_order
            every_kind_arrives
            flushing_while_spans_end_loses_none
            foreign_span_states_are_harmless
            huge_spans_arrive_or_are_counted
            ids_and_flags_arrive
            instances_are_independent
            links_arrive
            nothing_of_a_span_is_left_in_the_next
            odd_texts_arrive_unchanged
            shutdown_delivers_and_stops
            shutdown_while_spans_end_counts_each
            spans_may_end_in_any_order
            spans_of_eight_threads_arrive_once
            start_attributes_can_be_set_again
            statistics_account_for_every_span
            the_instrumentation_scope_arrives
            the_name_set_last_arrives
            the_parent_arrives_and_whether_it_is_remote
            the_resource_arrives
            the_status_follows_the_rules
            the_trace_state_arrives
            timestamps_are_exact
            what_a_limit_keeps_out_is_counted_in_the_span
            what_ends_after_shutdown_is_counted_not_delivered
            what_is_injected_can_be_extracted
        }
    };
    (@list; $($promise:ident)*) => {
        &[$((stringify!($promise), $crate::$promise)),*]
    };
    (@tests $module:ident, $subject:expr; $($promise:ident)*) => {
        mod $module {
            fn subject() -> $crate::Subject {
                $subject
            }

            $(
                #[test]
                fn $promise() {
                    $crate::$promise(&subject());
                }
            )*
        }
    };
}

/// The name of a promise, and the check that it is kept.
pub type Promise = (&'static str, fn(&Subject));

/// All promises, for those who run them without [`suite!`]: a provider that writes to
/// standard output needs a process of its own.
pub const PROMISES: &[Promise] = suite!(@each [@list]);

#[cfg(test)]
mod tests {
    #[test]
    fn the_suite_has_every_promise() {
        let (suite, _) = include_str!("suite.rs").split_once("(@list").unwrap();
        let tests: Vec<&str> = suite.lines().map(str::trim).collect();
        let (_, exported) = include_str!("lib.rs").split_once("pub use promises").unwrap();
        let words = exported.split(|c: char| !c.is_alphanumeric() && c != '_');
        let promises: Vec<&str> = words.filter(|word| word.contains('_')).collect();
        for promise in &promises {
            assert!(tests.contains(promise), "{promise} is missing in `suite!`");
        }
        assert!(promises.len() > 30, "{promises:?}");
    }
}
