#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod subject;
mod suite;

mod promises;

mod fixture;
mod trial;

pub use promises::attributes::{
    a_key_set_again_has_the_new_value, arrays_arrive_unchanged, attributes_arrive_wherever_they_are_given,
    attributes_of_every_type_arrive_unchanged, empty_arrays_arrive_as_empty_arrays, start_attributes_can_be_set_again,
};
pub use promises::context::{a_kept_context_follows_the_brackets, what_is_injected_can_be_extracted};
pub use promises::delivery::{
    a_flush_delivers_what_ended_before, deadlines_are_kept, deadlines_may_be_of_any_length,
    shutdown_delivers_and_stops, statistics_account_for_every_span, what_ends_after_shutdown_is_counted_not_delivered,
};
pub use promises::identity::{
    every_kind_arrives, ids_and_flags_arrive, the_instrumentation_scope_arrives, the_name_set_last_arrives,
    the_parent_arrives_and_whether_it_is_remote, the_resource_arrives, the_trace_state_arrives,
};
pub use promises::lifetime::{
    a_dropped_provider_does_not_hang, a_retired_provider_delivers_late_spans, a_retired_provider_needs_no_flush,
    a_span_dropped_without_an_end_counts_nowhere, instances_are_independent, nothing_of_a_span_is_left_in_the_next,
    spans_may_end_in_any_order,
};
pub use promises::misuse::{brackets_in_any_order_are_harmless, foreign_span_states_are_harmless};
pub use promises::parts::{events_arrive_in_their_order, links_arrive, what_a_limit_keeps_out_is_counted_in_the_span};
pub use promises::status::the_status_follows_the_rules;
pub use promises::text::{huge_spans_arrive_or_are_counted, odd_texts_arrive_unchanged};
pub use promises::threads::{
    a_flush_reaches_the_spans_of_other_threads, a_span_may_move_between_threads, flushing_while_spans_end_loses_none,
    shutdown_while_spans_end_counts_each, spans_of_eight_threads_arrive_once,
};
pub use promises::time::{an_end_before_the_start_is_no_negative_duration, timestamps_are_exact};
pub use subject::{Started, Subject};
pub use suite::{PROMISES, Promise};
