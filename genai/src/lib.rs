#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

// What services call.
mod builder;
#[cfg(feature = "clients")]
pub mod clients;
mod document;
mod functions;
mod message;
mod operation;
mod record;
mod running;
mod scope;
mod stream;
mod traced;

// What is written, and under which names.
mod assembly;
mod content;
mod dialect;
mod inputs;
mod names;
mod outputs;
mod tools;

// What is counted.
mod answer_error;
mod budget;
mod metrics;
mod prices;
mod sum;

mod error;
mod mistakes;
mod settings;

pub use budget::{BudgetCrossed, Budgets, on_budget};
pub use builder::Builder;
pub use dialect::Dialect;
pub use document::Document;
pub use error::{Error, ErrorKind};
pub use functions::{
    agent, chat_turn, embeddings, guardrail, llm_call, operation, rerank, retrieval, step, tool, workflow,
};
pub use message::{Message, Part};
pub use metrics::prometheus;
pub use operation::Operation;
pub use record::{Record, record_message};
pub use running::Running;
pub use scope::{Scope, context_from_baggage, scope, with_metadata, with_prompt_template, with_session, with_user};
pub use settings::{Hide, Settings, check, check_tables, price_table};
pub use spandrel_prices::{Answer, NanoUsd, Usage};
pub use stream::OperationStream;
pub use sum::Totals;

#[doc(hidden)]
pub mod __private {
    pub use crate::traced::{Arguments, Outcome, max_bytes, output, parts, span, text};
}
