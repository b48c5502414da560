//! A service whose backend is away, over the provider `otlp`.
//!
//! - `outage run [--spans 2000] [--rate 65] [--outage-s 20] [--spool DIR] [--kill]` starts a backend that is away at
//!   first and a service that records so many spans in a second, kills and restarts it half way if asked, and says
//!   what arrived: for 20 s at 65 spans/s as it stands; for ten minutes `--spans 601000 --rate 1000 --outage-s 600 --spool DIR`.
//! - `outage record URL FIRST COUNT RATE` is that service. `outage written URL COUNT` says how many of its spans are
//!   on disk until it is killed, and `outage drain URL` exports what others left.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use spandrel::{self as tracing, Tracer};
use spandrel_integration_tests::backend::{Backend, Mood};
use spandrel_provider_otlp::OtlpFactory;

type Failure = Box<dyn Error>;

const LONG: Duration = Duration::from_secs(60);

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["run", ..] => run(&arguments[1..]),
        ["record", url, first, count, rate] => record(url, first.parse()?, count.parse()?, rate.parse()?),
        ["written", url, count] => written(url, count.parse()?),
        ["drain", url] => drain(url),
        _ => Err("say `run`, `record`, `written` or `drain`; see the head of the source".into()),
    }
}

/// A tracer over the provider `otlp`; the spool is that of `TRACING_SPOOL_DIR`.
fn tracer(url: &str) -> Result<Tracer, Failure> {
    let config = format!("type = 'otlp'\n[provider.otlp]\nendpoint = '{url}'\nproxy = 'none'\n");
    Ok(tracing::builder().register(OtlpFactory).default_config(config).read_configuration().build()?)
}

fn run(arguments: &[&str]) -> Result<(), Failure> {
    let option = |name: &str| arguments.iter().position(|a| *a == name).and_then(|at| arguments.get(at + 1)).copied();
    let spans: u64 = option("--spans").unwrap_or("2000").parse()?;
    let rate: u64 = option("--rate").unwrap_or("65").parse()?;
    let outage = Duration::from_secs_f64(option("--outage-s").unwrap_or("20").parse()?);
    let backend = Arc::new(Backend::start(Mood::Away));
    let url = backend.url();
    let back = Arc::clone(&backend);
    std::thread::spawn(move || {
        std::thread::sleep(outage);
        back.set_mood(Mood::Healthy);
        println!("the backend is back after {} s", outage.as_secs_f64());
    });
    let recorded = Arc::new(AtomicU64::new(0));
    if arguments.contains(&"--kill") {
        let mut service = start(&url, 0, spans, rate, option("--spool"))?;
        let counter = follow(&mut service, &recorded);
        while recorded.load(Ordering::Relaxed) < spans / 2 {
            std::thread::sleep(Duration::from_millis(1));
        }
        service.kill()?;
        service.wait()?;
        let _ = counter.join();
        println!("killed after {} spans", recorded.load(Ordering::Relaxed));
    }
    let killed_at = recorded.load(Ordering::Relaxed);
    let mut service = start(&url, killed_at, spans - killed_at, rate, option("--spool"))?;
    let counter = follow(&mut service, &recorded);
    let status = service.wait()?;
    let _ = counter.join();
    let arrived = backend.spans();
    let missing: Vec<u64> = (0..spans).filter(|n| !arrived.contains_key(&format!("op {n}"))).collect();
    let twice = arrived.values().filter(|times| **times > 1).count();
    println!(
        "{status}; {} of {spans} arrived, {twice} of them twice, {} requests refused",
        arrived.len(),
        backend.refused()
    );
    if let (Some(first), Some(last)) = (missing.first(), missing.last()) {
        println!("missing: {}, from {first} to {last}; killed after {killed_at}", missing.len());
    }
    Ok(())
}

fn start(url: &str, first: u64, count: u64, rate: u64, spool: Option<&str>) -> Result<Child, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["record", url]).args([first, count, rate].map(|n| n.to_string())).stdout(Stdio::piped());
    command.envs(spool.map(|dir| ("TRACING_SPOOL_DIR", dir)));
    Ok(command.spawn()?)
}

/// Counts the spans of a service, and prints what else it says.
fn follow(service: &mut Child, recorded: &Arc<AtomicU64>) -> std::thread::JoinHandle<()> {
    let (output, recorded) = (service.stdout.take(), Arc::clone(recorded));
    std::thread::spawn(move || {
        for line in output.into_iter().flat_map(|output| BufReader::new(output).lines()).map_while(Result::ok) {
            match line.parse::<u64>() {
                Ok(_) => drop(recorded.fetch_add(1, Ordering::Relaxed)),
                Err(_) => println!("service: {line}"),
            }
        }
    })
}

fn record(url: &str, first: u64, count: u64, rate: u64) -> Result<(), Failure> {
    let tracer = tracer(url)?;
    // Until the backend is reached or not, so that what that takes is in the first figure.
    let before = memory()?;
    let (began, mut most) = (Instant::now(), before);
    let mut out = std::io::stdout().lock();
    for n in 0..count {
        tracer.context().within(|| tracing::with_span(&format!("op {}", first + n), attributes));
        writeln!(out, "{}", first + n)?;
        if n % 1000 == 0 {
            most = most.max(memory()?);
        }
        let due = Duration::from_secs_f64((n + 1) as f64 / rate as f64);
        std::thread::sleep(due.saturating_sub(began.elapsed()));
    }
    most = most.max(memory()?);
    let shutdown = tracer.shutdown(LONG);
    writeln!(out, "{}", tracer.stats())?;
    writeln!(out, "memory: {before} kB at first, {most} kB at most; shutdown: {shutdown:?}")?;
    Ok(())
}

/// What a span of a service has.
fn attributes(span: tracing::SpanRef<'_>) {
    span.set_attribute("http.request.method", "GET");
    span.set_attribute("url.path", "/orders/4711/items");
    span.set_attribute("http.response.status_code", 200);
    span.set_attribute("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101");
}

fn memory() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no figure of memory")?;
    Ok(line.trim_end_matches("kB").trim().parse()?)
}

fn written(url: &str, count: u64) -> Result<(), Failure> {
    let tracer = tracer(url)?;
    let mut out = std::io::stdout().lock();
    for n in 0..count {
        tracer.context().within(|| tracing::with_span(&format!("op {n}"), |_| ()));
        if n % 16 == 0 {
            writeln!(out, "{}", tracer.stats().spooled())?;
        }
    }
    let mut last = 0;
    loop {
        let spooled = tracer.stats().spooled();
        if spooled != last {
            writeln!(out, "{spooled}")?;
            last = spooled;
        }
        std::thread::yield_now();
    }
}

fn drain(url: &str) -> Result<(), Failure> {
    let tracer = tracer(url)?;
    tracer.flush(LONG)?;
    println!("{}", tracer.stats());
    Ok(())
}
