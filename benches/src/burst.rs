//! From the span to the other end of the wire: a burst of spans to a receiver in another process.

mod otlp_http;
mod senders;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::Failure;
use crate::arguments::Options;
use crate::results::rounded;

pub(crate) use senders::{BurstArguments, Sender, send};

/// The workload.
pub(crate) const NAME: &str = "burst";

/// The most processes for each subject: they are long, and do not differ as much.
const MOST_ROUNDS: usize = 3;

/// One run of one subject.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BurstResult {
    pub(crate) sender: Sender,
    pub(crate) sent: u64,
    pub(crate) delivered: u64,
    /// What the subject itself says of its loss, if it can say anything.
    pub(crate) told: Option<u64>,
    /// CPU time of the sending thread for each span, delivered or not.
    pub(crate) caller_ns: f64,
    /// CPU time of all threads, until everything was shut down.
    pub(crate) cpu_ns: f64,
    /// The most memory that was used, over that of the process before the first span.
    pub(crate) memory: u64,
    /// What the receiver got.
    pub(crate) bytes: u64,
    pub(crate) requests: u64,
}

impl BurstResult {
    pub(crate) fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.delivered)
    }

    pub(crate) fn delivered_share(&self) -> f64 {
        self.delivered as f64 / self.sent as f64
    }

    pub(crate) fn cpu_ns_per_delivered(&self) -> f64 {
        self.cpu_ns / self.delivered.max(1) as f64
    }

    pub(crate) fn delivered_per_cpu_second(&self) -> f64 {
        1e9 / self.cpu_ns_per_delivered()
    }

    pub(crate) fn bytes_per_span(&self) -> f64 {
        self.bytes as f64 / self.delivered.max(1) as f64
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "workload": NAME,
            "subject": self.sender.name(),
            "sent": self.sent,
            "delivered": self.delivered,
            "lost": self.lost(),
            "lost_as_told": self.told,
            "loss_told": self.sender.tells_loss(),
            "caller_ns": rounded(self.caller_ns),
            "cpu_ns_per_delivered": rounded(self.cpu_ns_per_delivered()),
            "delivered_per_cpu_second": self.delivered_per_cpu_second().round(),
            "memory_bytes": self.memory,
            "bytes_per_span": rounded(self.bytes_per_span()),
            "requests": self.requests,
        })
    }
}

/// Runs all senders that were asked for, round by round.
pub(crate) fn measure(options: &Options) -> Result<Vec<BurstResult>, Failure> {
    let mut results = Vec::new();
    let rounds = options.rounds.min(MOST_ROUNDS);
    for round in 1..=rounds {
        for sender in Sender::ALL.into_iter().filter(|sender| options.only.has(NAME, sender.name())) {
            let result = run(sender, options.spans)?;
            let (name, share) = (sender.name(), result.delivered_share() * 100.0);
            let cpu = result.cpu_ns_per_delivered();
            eprintln!("run {round}/{rounds}: burst {name} {share:.1} % delivered, {cpu:.0} ns of CPU for each");
            results.push(result);
        }
    }
    Ok(results)
}

fn run(sender: Sender, spans: u64) -> Result<BurstResult, Failure> {
    let receiver = Receiver::start()?;
    let output = Command::new(std::env::current_exe()?)
        .args([NAME, sender.name(), &receiver.address, &spans.to_string()])
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{NAME}` of `{}` failed: {said}", sender.name()).into());
    }
    let said: Value = serde_json::from_slice(&output.stdout)?;
    let got = receiver.counts()?;
    let number = |value: &Value, key: &str| value[key].as_u64().ok_or_else(|| format!("no number `{key}` in {value}"));
    let result = BurstResult {
        sender,
        sent: spans,
        delivered: number(&got, "spans")?,
        told: said["told"].as_u64(),
        caller_ns: number(&said, "caller_nanos")? as f64 / spans as f64,
        cpu_ns: number(&said, "cpu_nanos")? as f64,
        memory: number(&said, "memory")?,
        bytes: number(&got, "bytes")?,
        requests: number(&got, "requests")?,
    };
    sender.check(&result)?;
    Ok(result)
}

/// The process that receives; ends with this value.
pub(crate) struct Receiver {
    process: Child,
    address: String,
}

impl Receiver {
    pub(crate) fn start() -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("receive")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        let said = process.stdout.take().ok_or("the receiver says nothing")?;
        BufReader::new(said).read_line(&mut address)?;
        Ok(Self { process, address: address.trim().to_owned() })
    }

    /// Its host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What it has received so far.
    pub(crate) fn counts(&self) -> Result<Value, Failure> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.write_all(b"GET /counts HTTP/1.1\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("the receiver's answer is cut off")?;
        Ok(serde_json::from_str(body)?)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It ends when its standard input does, also if this process is killed.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_for_each_delivered_span() {
        let result = BurstResult {
            sender: Sender::Otel,
            sent: 1_000,
            delivered: 250,
            told: None,
            caller_ns: 600.0,
            cpu_ns: 1_000_000.0,
            memory: 1 << 20,
            bytes: 50_000,
            requests: 3,
        };
        assert_eq!(result.lost(), 750);
        assert_eq!(result.cpu_ns_per_delivered(), 4_000.0);
        assert_eq!(result.delivered_per_cpu_second(), 250_000.0);
        let json = result.to_json();
        assert_eq!(
            (&json["workload"], &json["lost"], &json["bytes_per_span"]),
            (&json!("burst"), &json!(750), &json!(200.0))
        );
    }
}
