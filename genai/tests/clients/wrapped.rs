//! Clients of others, wrapped.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use spandrel_genai::clients::{BoxedModel, TracedModel};
use spandrel_genai::{self as ai, Operation};

use crate::{cost, error, text, tokens, traced};

/// As a client has them that has types for all.
#[derive(Serialize)]
struct Question {
    temperature: f64,
    messages: Vec<Said>,
}

#[derive(Serialize)]
struct Said {
    role: &'static str,
    content: String,
}

#[derive(Serialize)]
struct Completion {
    model: &'static str,
    choices: Vec<Choice>,
    usage: Used,
}

#[derive(Serialize)]
struct Choice {
    message: Said,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Used {
    prompt_tokens: u64,
    completion_tokens: u64,
}

#[derive(Debug, PartialEq)]
struct Refused(&'static str);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

async fn complete(question: Question) -> Result<Completion, Refused> {
    spandrel::with_span("their own work", |_| ());
    if question.messages[0].content == "no" {
        return Err(Refused("no questions"));
    }
    let message = Said { role: "assistant", content: format!("You said {}", question.messages[0].content) };
    let usage = Used { prompt_tokens: 1000, completion_tokens: 500 };
    Ok(Completion { model: "gpt-4o-mini-2024-07-18", choices: vec![Choice { message, finish_reason: "stop" }], usage })
}

fn question(text: &str) -> Question {
    Question { temperature: 0.5, messages: vec![Said { role: "user", content: text.to_owned() }] }
}

#[tokio::test]
async fn a_function_becomes_an_operation() {
    let model = TracedModel::new("openai", "gpt-4o-mini", complete);
    let (answer, spans) = traced(model.call(question("hello"))).await;
    assert_eq!(answer.unwrap().choices[0].message.content, "You said hello");
    let span = spans.only("chat gpt-4o-mini");
    assert_eq!((tokens(span), cost(span)), ((Some(1000), Some(500)), Some(450_000)));
    assert!(text(span, "gen_ai.input.messages").unwrap().contains("hello"));
    assert!(text(span, "gen_ai.output.messages").unwrap().contains("You said hello"));
    assert_eq!(spans.only("their own work").parent_span_id, Some(span.span_id));
}

#[tokio::test]
async fn a_boxed_function_is_kept_in_a_struct_and_called_from_tasks() {
    struct Shop {
        model: BoxedModel<Question, Completion, Refused>,
    }

    let shop = Arc::new(Shop { model: TracedModel::new("openai", "gpt-4o-mini", complete).boxed() });
    let work = async {
        let tasks = ["a", "b"].map(|text| {
            let shop = Arc::clone(&shop);
            spandrel::spawn(async move { shop.model.call(question(text)).await })
        });
        for (task, expected) in tasks.into_iter().zip(["You said a", "You said b"]) {
            assert_eq!(task.await.unwrap().unwrap().choices[0].message.content, expected);
        }
    };
    let ((), spans) = traced(work).await;
    assert_eq!(spans.names().iter().filter(|name| **name == "chat gpt-4o-mini").count(), 2);
}

#[tokio::test]
async fn its_errors_are_those_of_the_span() {
    let model = TracedModel::new("openai", "gpt-4o-mini", complete);
    let (answer, spans) = traced(model.call(question("no"))).await;
    assert_eq!(answer.err(), Some(Refused("no questions")));
    let span = spans.only("chat gpt-4o-mini");
    assert_eq!(error(span), Some("no questions"));
    assert!(text(span, "error.type").unwrap().ends_with("Refused"));
}

#[tokio::test]
async fn a_single_call_may_be_other_than_the_rest() {
    let model = TracedModel::new("openai", "text-embedding-3-small", async |_: serde_json::Value| {
        Ok::<_, Refused>(json!({ "usage": { "prompt_tokens": 6, "total_tokens": 6 } }))
    });
    let model = model.operation(Operation::Embeddings);
    assert_eq!(format!("{model:?}"), "TracedModel(embeddings openai text-embedding-3-small)");
    let work = async {
        let mut turn = ai::chat_turn("ask").start();
        turn.run_async(async |_| {
            model.call_with(json!({ "input": "x" }), |call| call.trace(false)).await.unwrap();
            model
                .call_with(json!({ "input": "x", "model": "text-embedding-3-large" }), |call| call.attribute("try", 2))
                .await
                .unwrap();
        })
        .await;
        turn.end()
    };
    let (totals, spans) = traced(work).await;
    assert_eq!((totals.calls, totals.input_tokens), (2, 12));
    let span = spans.only("embeddings text-embedding-3-large");
    assert_eq!(crate::count(span, "try"), Some(2));
    assert_eq!(spans.names().len(), 2);
}
