//! The harness itself: `SPANDREL_W3C_HARNESS` names the folder with its `test.py`, `SPANDREL_PYTHON` a Python that
//! has `aiohttp`.

use std::net::TcpListener;
use std::process::Command;

use spandrel::testing::capture_async;
use spandrel::{Context, Sampler, SpanKind};
use spandrel_integration_tests::process;

use crate::{serve, service};

/// Somebody may take the port of the harness before it listens there.
const TRIES: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_records_passes_all_tests() {
    if let Some(folder) = harness() {
        let trace = capture_async(async { pass(folder, Context::current()).await }).await;
        let servers = trace.spans().iter().filter(|span| span.kind == SpanKind::Server).count();
        assert!(servers >= 41, "only {servers} requests came");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_samples_nothing_passes_all_tests() {
    if let Some(folder) = harness() {
        let tracer = spandrel::builder().provider_type("memory").sampler(Sampler::always_off()).build().unwrap();
        pass(folder, tracer.context()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_without_a_provider_passes_all_tests_with_ids_of_its_own() {
    if let Some(folder) = harness() {
        let config = "type = 'noop'\n[provider.noop]\nnew_ids = true";
        let noop = spandrel::builder().default_config(config).build().unwrap();
        pass(folder, noop.context()).await;
    }
}

fn harness() -> Option<String> {
    let folder = std::env::var("SPANDREL_W3C_HARNESS").ok();
    if folder.is_none() {
        println!("skipped: SPANDREL_W3C_HARNESS does not name the folder `test` of github.com/w3c/trace-context");
    }
    folder
}

async fn pass(folder: String, context: Context) {
    let service = serve(service::routes().unwrap(), context).await;
    let python = std::env::var("SPANDREL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    for attempt in 1.. {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let mut command = Command::new(&python);
        command.arg("test.py").arg(format!("http://{service}/test")).current_dir(&folder);
        command.envs([("STRICT_LEVEL", "2"), ("SPEC_LEVEL", "2"), ("HARNESS_PORT", &port), ("HARNESS_TIMEOUT", "60")]);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let output = tokio::task::spawn_blocking(|| process::run(command)).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("address already in use") && attempt < TRIES {
            continue;
        }
        assert!(output.status.success() && said.contains("Ran 41 tests") && !said.contains("skipped"), "{said}");
        return;
    }
}
