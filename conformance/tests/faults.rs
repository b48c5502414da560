//! The promises hold for a provider that is as simple as the contract allows,
//! and each notices a provider that breaks it.

#[path = "faults/context.rs"]
mod context;
#[path = "faults/reference.rs"]
mod reference;
#[path = "faults/spoil.rs"]
mod spoil;
#[path = "faults/template.rs"]
mod template;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use spandrel_conformance::{Started, Subject};

use crate::reference::{Delivered, Reference};

spandrel_conformance::suite!(reference_provider, crate::subject(None));

/// One thing that a provider may get wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    AddsDeadlines,
    AlwaysSampled,
    ArraysOfOneAreScalars,
    CountsStarts,
    DeafOnceRetired,
    DeliversAfterShutdown,
    DeliversTwice,
    DropDeliversRunningSpans,
    DropHangs,
    DropsSilently,
    EmptyArraysAreTexts,
    EndsChildren,
    FlushDoesNothing,
    FlushHangs,
    FlushesItsOwnThreadOnly,
    ForgetsAfterShutdown,
    ForgetsRemote,
    IntegersAsDoubles,
    KeepsFirstName,
    KeepsFirstValue,
    KeysTwice,
    LeavesStatusBehind,
    LosesFlags,
    LosesKind,
    LosesOneInThousand,
    LosesResource,
    LosesScopeVersion,
    LosesStartAttributes,
    LosesTraceState,
    NegativeDuration,
    OkIsNotFinal,
    OutermostIsCurrent,
    PanicsOnForeignStates,
    PanicsOnOddBrackets,
    RoundsTimes,
    SharesItsSpans,
    ShutdownForgets,
    SortsEvents,
    SwapsNames,
    TextsAreCleaned,
    TextsAreCut,
    UnsetCounts,
    WaitsOnceRetired,
    ZeroWithoutSign,
}

fn subject(fault: Option<Fault>) -> Subject {
    static SHARED: LazyLock<Delivered> = LazyLock::new(Delivered::default);
    Subject::new("reference", move |resource| {
        let shared = fault.filter(|fault| *fault == Fault::SharesItsSpans).map(|_| Arc::clone(&SHARED));
        let delivered = shared.unwrap_or_default();
        let provider = Reference::new(resource, Arc::clone(&delivered), fault);
        Started::new(Box::new(provider)).read_by(move || delivered.lock().unwrap().clone())
    })
}

/// Fails unless the promise is broken by a provider with this fault, and the
/// message says whose it is and what it says.
fn check_notices(fault: Fault, promise: fn(&Subject), words: &str) {
    // What shows by waiting alone is to be noticed soon; all others take no time. A quarter of the
    // patience is waiting, and the rest must do for the work on a busy machine.
    let is_hanging = matches!(fault, Fault::FlushHangs | Fault::DropHangs);
    let patience = match fault {
        _ if is_hanging => 1,
        Fault::DeafOnceRetired | Fault::WaitsOnceRetired => 20,
        _ => 60,
    };
    let subject = subject(Some(fault)).with_patience(Duration::from_secs(patience));
    let reason = catch_unwind(AssertUnwindSafe(|| promise(&subject))).expect_err(&format!("{fault:?} was not noticed"));
    let reason = reason.downcast_ref::<String>().expect("a sentence");
    let beginning = format!("provider reference promises that {words}, but");
    assert!(reason.starts_with(&beginning), "{fault:?} is reported as: {reason}");
    let is_hang = reason.starts_with(&format!("{beginning} hangs"));
    assert_eq!(is_hang, is_hanging, "{fault:?} is reported as: {reason}");
}

macro_rules! notice {
    ($($promise:ident, $words:literal: $($fault:ident)+;)+) => {
        $(
            #[test]
            fn $promise() {
                for fault in [$(Fault::$fault),+] {
                    check_notices(fault, spandrel_conformance::$promise, $words);
                }
            }
        )+
    };
}

notice! {
    a_dropped_provider_does_not_hang, "a dropped provider does not hang": DropHangs DropDeliversRunningSpans DeliversTwice;
    a_flush_delivers_what_ended_before, "a flush delivers what ended before": FlushDoesNothing FlushHangs DeliversTwice;
    a_flush_reaches_the_spans_of_other_threads, "a flush reaches the spans of other threads": FlushesItsOwnThreadOnly;
    a_kept_context_follows_the_brackets, "a kept context follows the brackets": OutermostIsCurrent;
    a_key_set_again_has_the_new_value, "a key that is set again has the new value": KeysTwice KeepsFirstValue;
    a_retired_provider_delivers_late_spans, "a retired provider delivers late spans": DeafOnceRetired;
    a_retired_provider_needs_no_flush, "a retired provider needs no flush": DeafOnceRetired WaitsOnceRetired;
    a_span_dropped_without_an_end_counts_nowhere, "a span that is dropped without an end counts nowhere": CountsStarts;
    a_span_may_move_between_threads, "a span may move between threads": SwapsNames FlushesItsOwnThreadOnly;
    an_end_before_the_start_is_no_negative_duration, "an end before the start is no negative duration": NegativeDuration;
    arrays_arrive_unchanged, "arrays arrive unchanged": ArraysOfOneAreScalars;
    attributes_arrive_wherever_they_are_given, "attributes arrive wherever they are given": LosesStartAttributes;
    attributes_of_every_type_arrive_unchanged, "attributes of every type arrive unchanged":
        IntegersAsDoubles ZeroWithoutSign TextsAreCut;
    brackets_in_any_order_are_harmless, "brackets in any order are harmless": PanicsOnOddBrackets;
    deadlines_are_kept, "deadlines are kept": FlushHangs FlushDoesNothing DeliversTwice;
    deadlines_may_be_of_any_length, "deadlines may be of any length": AddsDeadlines;
    empty_arrays_arrive_as_empty_arrays, "empty arrays arrive as empty arrays": EmptyArraysAreTexts;
    events_arrive_in_their_order, "events arrive in their order": SortsEvents;
    every_kind_arrives, "every kind arrives": LosesKind;
    flushing_while_spans_end_loses_none, "flushing while spans end loses none": LosesOneInThousand DeliversTwice;
    foreign_span_states_are_harmless, "span states of others are harmless": PanicsOnForeignStates;
    huge_spans_arrive_or_are_counted, "huge spans arrive or are counted as dropped": TextsAreCut;
    ids_and_flags_arrive, "ids and flags arrive": LosesFlags;
    instances_are_independent, "instances are independent": SharesItsSpans;
    links_arrive, "links arrive": ForgetsRemote;
    nothing_of_a_span_is_left_in_the_next, "nothing of a span is left in the next": LeavesStatusBehind;
    odd_texts_arrive_unchanged, "odd texts arrive unchanged": TextsAreCleaned;
    shutdown_delivers_and_stops, "shutdown delivers and stops": ShutdownForgets;
    shutdown_while_spans_end_counts_each, "shutdown while spans end counts each":
        ForgetsAfterShutdown DeliversAfterShutdown DeliversTwice;
    spans_may_end_in_any_order, "spans may end in any order": EndsChildren;
    spans_of_eight_threads_arrive_once, "10,000 spans of 8 threads arrive once each":
        LosesOneInThousand SwapsNames DeliversTwice FlushesItsOwnThreadOnly;
    start_attributes_can_be_set_again, "attributes given at the start can be set again": LosesStartAttributes KeysTwice;
    statistics_account_for_every_span, "statistics account for every span": CountsStarts FlushDoesNothing;
    the_instrumentation_scope_arrives, "the instrumentation scope arrives": LosesScopeVersion;
    the_name_set_last_arrives, "the name set last arrives": KeepsFirstName;
    the_parent_arrives_and_whether_it_is_remote, "the parent arrives, and whether it is remote": ForgetsRemote;
    the_resource_arrives, "the resource arrives": LosesResource;
    the_status_follows_the_rules, "the status follows the rules": OkIsNotFinal UnsetCounts;
    the_trace_state_arrives, "the trace state arrives": LosesTraceState;
    timestamps_are_exact, "timestamps are exact": RoundsTimes;
    what_a_limit_keeps_out_is_counted_in_the_span, "what a limit keeps out is counted in the span": DropsSilently;
    what_ends_after_shutdown_is_counted_not_delivered, "what ends after shutdown is counted and not delivered":
        ForgetsAfterShutdown DeliversAfterShutdown;
    what_is_injected_can_be_extracted, "what is injected can be extracted": AlwaysSampled ForgetsRemote;
}
