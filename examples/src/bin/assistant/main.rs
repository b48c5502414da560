//! An assistant that answers over HTTP while the model still speaks: an agent with two tools and a handbook.
//!
//! ```sh
//! cargo run --release --bin assistant -- --demo                 # a conversation, its traces, and what it cost
//! cargo run --release --bin assistant                           # serves at http://127.0.0.1:8080
//! curl -N localhost:8080/chat -H 'content-type: application/json' -H 'x-session-id: s-1' \
//!     -d '{"user": "ann", "text": "What is the price of a \"brake cable\"?"}'
//! ```
//!
//! Without a key it starts a model server of its own. With `OPENAI_API_KEY` or `ANTHROPIC_API_KEY`, and `OPENAI_BASE_URL` or
//! `ANTHROPIC_BASE_URL` where it is not the vendor's, it asks the real thing; `https` needs `--features https`. `ASSISTANT_MODEL` names the model.

#![forbid(unsafe_code)]

mod agent;
mod demo;
mod handbook;
mod models;
mod service;
mod tools;
mod tree;

use std::process::ExitCode;

use models::{Form, Models};

type Error = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage: assistant [--demo [openai|anthropic]]";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match *arguments {
        [] => serve().await,
        ["--demo"] | ["--demo", "openai"] => demo::run(Form::OpenAi).await,
        ["--demo", "anthropic"] => demo::run(Form::Anthropic).await,
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("assistant: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Error> {
    let _guard = spandrel::init()?;
    let models = Models::find(Form::OpenAi).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("{} at http://{}", models.description(), listener.local_addr()?);
    axum::serve(listener, service::routes(models)).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

/// Ctrl-C, or what a supervisor stops services with: then the last answers and the last spans go out.
async fn stopped() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        return tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        };
    }
    _ = tokio::signal::ctrl_c().await;
}
