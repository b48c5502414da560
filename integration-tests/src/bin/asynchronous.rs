//! A service with an async runtime of the kind that its first argument names, over the
//! provider of its configuration. Prints how many spans it has ended.

use std::time::Duration;

use spandrel::{self as tracing, Guard, ShutdownError};
use tokio::runtime::{Builder, Runtime};

const DEADLINE: Duration = Duration::from_secs(60);
const TASKS: usize = 8;
const ROUNDS: usize = 25;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let guard = tracing::init()?;
    let ended = match mode.as_str() {
        "none" => {
            (0..ROUNDS).for_each(|_| tracing::with_span("plain", |_| ()));
            guard.shutdown(DEADLINE)?;
            ROUNDS
        }
        // The only thread of the runtime waits for the plugin.
        "current-thread" => inside(&Builder::new_current_thread().enable_all().build()?, guard)?,
        "multi-thread" => inside(&Builder::new_multi_thread().worker_threads(2).enable_all().build()?, guard)?,
        "gone" => {
            let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            let handle = runtime.handle().clone();
            runtime.block_on(tasks());
            // It never ends by itself, and its span ends with the runtime.
            let (started, has_started) = std::sync::mpsc::channel();
            runtime.spawn(tracing::with_span_async("dropped with the runtime", async move {
                let _ = started.send(());
                std::future::pending::<()>().await;
            }));
            has_started.recv()?;
            runtime.shutdown_timeout(DEADLINE);
            {
                let _in_what_is_gone = handle.enter();
                (0..ROUNDS).for_each(|_| tracing::with_span("afterwards", |_| ()));
                tracing::flush(DEADLINE)?;
            }
            guard.shutdown(DEADLINE)?;
            2 * TASKS * ROUNDS + 1 + ROUNDS
        }
        other => return Err(format!("unknown mode {other:?}").into()),
    };
    println!("{ended}");
    Ok(())
}

fn inside(runtime: &Runtime, guard: Guard) -> Result<usize, ShutdownError> {
    runtime.block_on(async {
        tasks().await;
        // It blocks, which a service would do elsewhere; it must not wait for this runtime.
        guard.shutdown(DEADLINE)?;
        Ok(2 * TASKS * ROUNDS)
    })
}

/// Two spans in each round of each task.
async fn tasks() {
    let task = || async {
        for _ in 0..ROUNDS {
            tracing::with_span_async("outer", async {
                tokio::time::sleep(Duration::ZERO).await;
                tracing::with_span_async("inner", tokio::task::yield_now()).await;
            })
            .await;
        }
    };
    let tasks: Vec<_> = (0..TASKS).map(|_| tracing::spawn(task())).collect();
    for task in tasks {
        task.await.expect("the task does not panic");
    }
}
