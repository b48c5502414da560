//! Starts both services, sends a request, and shows what came of it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use spandrel_api_client::{ApiClient, reqwest};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::{Error, tree};

pub(crate) async fn both() -> Result<(), Error> {
    let folder = std::env::temp_dir().join(format!("two-services-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let orders = Service::start("orders", &[], &folder).await?;
    let gateway = Service::start("gateway", &[&orders.url], &folder).await?;

    let customer = ApiClient::builder().reqwest(reqwest::Client::builder().no_proxy()).build()?;
    let request = customer.get(&format!("{}/checkout/7", gateway.url)).header("x-session-id", "s-1");
    let cents: u32 = request.send().await?.error_for_status()?.json().await?;
    println!("checked out for {cents} cents\n");

    let files = [gateway.stop().await?, orders.stop().await?];
    let texts = files.iter().map(std::fs::read_to_string).collect::<Result<Vec<_>, _>>()?;
    print!("{}", tree::render(&tree::read(&texts.concat())?));
    println!("\nfrom {}", files.map(|file| file.display().to_string()).join("\n and "));
    Ok(())
}

/// One of the services, in a process of its own.
struct Service {
    process: Child,
    url: String,
    traces: PathBuf,
}

impl Service {
    async fn start(name: &str, arguments: &[&str], folder: &Path) -> Result<Self, Error> {
        let traces = folder.join(format!("{name}.jsonl"));
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(name).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        command.env("TRACING_TYPE", "file").env("TRACING_SERVICE_NAME", name);
        let mut process = command.env("TRACING_PROVIDER__FILE__PATH", &traces).spawn()?;
        let output = process.stdout.take().ok_or("a pipe is missing")?;
        let first = BufReader::new(output).lines().next_line().await?;
        let url = first.ok_or_else(|| format!("{name} did not start"))?;
        Ok(Self { process, url, traces })
    }

    /// Lets the service end, and says where its traces are.
    async fn stop(mut self) -> Result<PathBuf, Error> {
        drop(self.process.stdin.take());
        let status = self.process.wait().await?;
        if status.success() { Ok(self.traces) } else { Err(format!("a service has ended with {status}").into()) }
    }
}
