#![doc = include_str!("clients/docs.md")]

// What services call.
mod answer;
mod call;
mod client;
mod error;
mod options;
mod request;
mod stream;
mod traced_model;

// What requests and answers say.
mod content;
mod parameters;

pub use answer::{ModelAnswer, ToolCall};
pub use call::ModelCall;
pub use client::{TracedAnthropic, TracedOpenAi};
pub use options::ClientOptions;
pub use request::ChatRequest;
pub use stream::{ModelChunk, ModelStream, Texts};
pub use traced_model::{BoxedModel, TracedModel};

// Of the options.
pub use spandrel_api_client::{ApiClient, Retry};
