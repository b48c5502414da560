//! A service for the W3C harness of Trace Context (github.com/w3c/trace-context, folder `test`): it calls back
//! whom it is told to, with its own headers.
//!
//! ```sh
//! cargo run --release --bin trace-context-service -- --listen 127.0.0.1:8080
//! SPEC_LEVEL=2 python test.py http://127.0.0.1:8080/test
//! ```

#![forbid(unsafe_code)]

mod arguments;
mod service;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use tokio::net::TcpListener;

use arguments::Arguments;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(text) => {
            eprintln!("trace-context-service: {text}");
            return ExitCode::from(2);
        }
    };
    let done = match arguments {
        Arguments::Help => print(arguments::HELP).map_err(Into::into),
        Arguments::Listen(address) => serve(address).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trace-context-service: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(address: SocketAddr) -> Result<(), Box<dyn std::error::Error>> {
    let _guard = spandrel::init()?; // delivers the last spans when it is dropped
    let listener = TcpListener::bind(address).await?;
    let stop = asked_to_stop()?;
    print(&format!("listening on http://{}/test\n", listener.local_addr()?))?;
    axum::serve(listener, service::routes()?).with_graceful_shutdown(stop).await?;
    Ok(())
}

/// Whoever started it may wait for the line, or not read it at all.
fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Waits for ctrl-c or SIGTERM, from now on: who has read the address may send one.
#[cfg(unix)]
fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without it, the service is stopped as any process is.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
