use serde_json::json;

use super::*;

#[test]
fn facts_beside_the_usage_are_read() {
    let chat = json!({"id": "c-1", "model": "m", "choices": [{"index": 1, "finish_reason": "length"}, {"index": 0, "finish_reason": "stop"}]});
    let answer = Answer::of("openai", &chat);
    assert_eq!((answer.id.as_deref(), answer.model.as_deref(), answer.usage), (Some("c-1"), Some("m"), None));
    for (body, reasons) in [
        (json!({"type": "message", "stop_reason": "end_turn"}), &["end_turn"][..]),
        (json!({"stopReason": "max_tokens"}), &["max_tokens"]),
        (json!({"candidates": [{"finishReason": "STOP"}, {"finishReason": "SAFETY"}]}), &["STOP", "SAFETY"]),
        (json!({"object": "response", "status": "completed"}), &["completed"]),
        (
            json!({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}),
            &["max_output_tokens"],
        ),
        (json!({"object": "response", "status": "queued"}), &[]),
        (json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}), &["COMPLETE"]),
        (json!({"done": true, "done_reason": "stop"}), &["stop"]),
        (json!({"results": [{"completionReason": "FINISH"}]}), &["FINISH"]),
        (json!({"messageStop": {"stopReason": "tool_use"}}), &["tool_use"]),
    ] {
        assert_eq!(Answer::of("", &body).finish_reasons, reasons, "{body}");
    }
}

#[test]
fn the_reason_of_a_choice_is_told_once() {
    let mut answer = Answer::default();
    for _ in 0..3 {
        answer.add_chunk("google", &json!({"candidates": [{"index": 0, "finishReason": "STOP"}], "modelVersion": ""}));
    }
    assert_eq!((answer.finish_reasons, answer.model), (vec!["STOP".to_owned()], None));
}

#[test]
fn a_list_of_parts_is_read_part_by_part() {
    let usage = |tokens: u64| json!({"usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": tokens, "totalTokenCount": 5 + tokens}});
    let answer = Answer::of("google", &json!([usage(1), usage(7), {"modelVersion": "g"}]));
    assert_eq!(answer.usage, Some(Usage::new(5, 7)));
    assert_eq!(answer.model.as_deref(), Some("g"));
}

#[test]
fn a_stream_may_leave_out_what_it_told_of_the_cache() {
    let mut answer = Answer::default();
    let start = json!({"input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20, "output_tokens": 1});
    answer.add_chunk("anthropic", &json!({"type": "message_start", "message": {"id": "msg", "usage": start}}));
    answer.add_chunk(
        "anthropic",
        &json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
        "usage": {"input_tokens": 12, "output_tokens": 50, "server_tool_use": {"web_search_requests": 2}}}),
    );
    let usage = answer.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.web_searches), (Some(132), Some(50), Some(2)));
}

#[test]
fn a_service_tier_that_was_asked_for_is_not_one_that_served() {
    let mut answer = Answer::default();
    answer.add_chunk(
        "openai",
        &json!({"type": "response.created", "response": {"status": "in_progress", "service_tier": "auto"}}),
    );
    assert_eq!((answer.service_tier.as_deref(), answer.finish_reasons.len()), (None, 0));
    answer.add_chunk(
        "openai",
        &json!({"type": "response.completed", "response": {"status": "completed", "service_tier": "flex"}}),
    );
    assert_eq!((answer.service_tier.as_deref(), answer.finish_reasons), (Some("flex"), vec!["completed".to_owned()]));
}

#[test]
fn an_answer_nested_without_end_is_left_alone() {
    let mut body = json!({"usage": {"prompt_tokens": 1, "completion_tokens": 1}});
    for _ in 0..100 {
        body = json!({"response": body});
    }
    assert_eq!(Answer::of("openai", &body), Answer::default());
    assert_eq!(Answer::of("openai", &json!("text")), Answer::default());
    assert_eq!(
        Answer::of("openai", &json!({"metadata": {"usage": {"prompt_tokens": 1}}, "object": "response"})),
        Answer::default()
    );
}
