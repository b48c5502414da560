//! A conversation over the service, then its traces as they were written.

use std::time::Duration;

use serde_json::{Value as Json, json};
use spandrel_api_client::{ApiClient, reqwest};
use tokio::net::TcpListener;

use crate::models::{Form, Models};
use crate::{Error, service, tree};

const SESSION: &str = "session-1";
const USER: &str = "ann";

const QUESTIONS: [&str; 5] = [
    "Which oil does my chain need in winter?",
    "What is the price of a \"brake cable\"?",
    "When are you free on Friday?",
    "What is the price of a \"chain\", and what times are there on Monday?",
    "How long does a repair of brakes take?",
];

/// A page of text is enough to see what a span shows.
const CONFIG: &str = "
type = 'file'
[ai]
content = true
max_content_bytes = 2000
";

pub(crate) async fn run(form: Form) -> Result<(), Error> {
    let folder = std::env::temp_dir().join(format!("assistant-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let traces = folder.join("traces.jsonl");
    let config = format!("{CONFIG}[provider.file]\npath = {}\n", json!(traces));
    let guard = spandrel::builder().default_config(config).service("assistant").install()?;

    let models = Models::find(form).await?;
    println!("{SESSION} of {USER}, {}\n", models.description());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = axum::serve(listener, service::routes(models)).with_graceful_shutdown(async { _ = stopped.await });
    let serving = tokio::spawn(async { serving.await });

    converse(&url).await?;
    let _ = stop.send(());
    serving.await??;
    guard.shutdown(Duration::from_secs(30))?;

    let spans = tree::read(&std::fs::read_to_string(&traces)?)?;
    print!("\n{}\nfrom {}\n", tree::render(&spans), traces.display());
    Ok(())
}

async fn converse(url: &str) -> Result<(), Error> {
    // A customer, who traces nothing.
    let customer =
        ApiClient::builder().reqwest(reqwest::Client::builder().no_proxy()).base_url(url).tracing(false).build()?;
    for question in QUESTIONS {
        println!("{USER}: {question}");
        let request =
            customer.post("/chat").header("x-session-id", SESSION).json(&json!({ "user": USER, "text": question }));
        let mut events = request.send().await?.error_for_status()?.events();
        print!("  ");
        while let Some(event) = events.next().await? {
            let data: Json = serde_json::from_str(&event.data)?;
            match event.event.as_str() {
                "message" => print!("{}", data["text"].as_str().unwrap_or_default()),
                "done" => println!(
                    "\n  [{} tokens in, {} out, {} USD]",
                    data["input_tokens"],
                    data["output_tokens"],
                    data["usd"].as_str().unwrap_or("?")
                ),
                _ => return Err(format!("the service failed: {data}").into()),
            }
        }
    }
    Ok(())
}
