//! The model server as a program: says where it is and what to set, and serves until it is ended.

use std::process::ExitCode;

use spandrel_model_server::ModelServer;

const HELP: &str = "\
answers as OpenAI and Anthropic do, without a model

usage: model-server [--port <PORT>]

  --port <PORT>  where on 127.0.0.1; a free port unless set";

fn main() -> ExitCode {
    let port = match port(std::env::args().skip(1)) {
        Ok(Some(port)) => port,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let server = ModelServer::start_at(port).await?;
            println!("{}", greeting(server.url()));
            // Ctrl-C ends the process; there is nothing to keep.
            std::future::pending().await
        })
    });
    let Err::<(), _>(error) = ended else { return ExitCode::SUCCESS };
    eprintln!("error: 127.0.0.1:{port} cannot be served: {error}; `--port 0` takes a free one");
    ExitCode::FAILURE
}

/// `None`: help is wanted.
fn port(mut arguments: impl Iterator<Item = String>) -> Result<Option<u16>, String> {
    let Some(option) = arguments.next() else { return Ok(Some(0)) };
    let text = match option.split_once('=') {
        _ if matches!(option.as_str(), "--help" | "-h") => return Ok(None),
        Some(("--port", text)) => text.to_owned(),
        None if option == "--port" => arguments.next().unwrap_or_default(),
        _ => return Err(format!("there is no option `{option}`; write `--port 4010`, or nothing for a free port")),
    };
    if let Some(more) = arguments.next() {
        return Err(format!("`{more}` is one too many; write `--port 4010`, or nothing for a free port"));
    }
    let port = text.parse().map_err(|_| format!("`--port` takes a number from 0 to 65535, not `{text}`"));
    port.map(Some)
}

fn greeting(url: &str) -> String {
    format!(
        "\
model server at {url}, until Ctrl-C

TracedOpenAi, TracedAnthropic   .base_url(\"{url}/v1\")
OpenAI's own clients            OPENAI_BASE_URL={url}/v1
Anthropic's own clients         ANTHROPIC_BASE_URL={url}
key                             any, unless it begins with `wrong`

Words in the last text of the user, which are not repeated:
  #status=429 #times=2 #retry-after=1        fails twice, then answers
  #in=1000 #out=500 #cached=200 #think=3     counts of tokens; words of reasoning
  #stall=3 #break=3 #error=3 #end=3          what becomes of a stream after three events"
    )
}
