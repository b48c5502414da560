//! The table of `docs/http-client.md`: what goes wrong, what a caller sees, what the
//! trace shows. Its rows are made here, from what happens.

use std::fmt::Write;
use std::time::Duration;

use spandrel::testing::Trace;
use spandrel::{OwnedValue, SpanData, StatusData};
use spandrel_api_client::{ClientError, Request, Response};

use crate::raw::{self, MEBIBYTE};
use crate::server::{self, Server, answer};
use crate::{client_of, quick, traced};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/http-client.md");

/// Sends the request and tells what came of it.
async fn row(case: &str, url: &str, call: impl Future<Output = Result<String, ClientError>>) -> String {
    let (trace, outcome) = traced(call).await;
    let seen = match outcome {
        Ok(text) => text,
        Err(error) => format!("{}: `{error}`", error.kind().as_str()),
    };
    let all = format!("{trace} {:?} {seen}", trace.spans());
    assert!(!all.contains("hush"), "{all}");
    let row = format!("| {case} | {seen} | {} |", shown(&trace));
    // Ports and numbers of errors are of this machine.
    let row = row
        .replace(url, "http://orders")
        .replace(&url.replace("//", "//REDACTED:REDACTED@"), "http://REDACTED:REDACTED@orders");
    match row.split_once(" (os error ") {
        Some((before, after)) => format!("{before}{}", after.split_once(')').unwrap().1),
        None => row,
    }
}

async fn whole(request: Request) -> Result<String, ClientError> {
    let response = request.send().await?;
    Ok(told(&response))
}

fn told(response: &Response) -> String {
    let attempts = response.attempts();
    format!("status {} after {attempts} attempt{}", response.status().as_u16(), if attempts == 1 { "" } else { "s" })
}

/// The spans below that of the test.
fn shown(trace: &Trace) -> String {
    let spans = trace.children(trace.span("call")).into_iter().map(|span| {
        let mut text = one(span);
        let children = trace.children(span);
        if !children.is_empty() {
            let children: Vec<String> = children.into_iter().map(one).collect();
            let _ = write!(text, " › {}", shortened(&children).join(" · "));
        }
        text
    });
    shortened(&spans.collect::<Vec<_>>()).join(" · ")
}

/// Of many, the first, the second and the last.
fn shortened(all: &[String]) -> Vec<&str> {
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    if all.len() > 4 { vec![all[0], all[1], "…", all[all.len() - 1]] } else { all }
}

fn one(span: &SpanData) -> String {
    let value = |key: &str| {
        span.attribute(key).map(|value| match value {
            OwnedValue::Str(text) => text.clone(),
            OwnedValue::I64(number) => number.to_string(),
            OwnedValue::F64(number) => format!("{}", number.floor()),
            other => panic!("{other:?}"),
        })
    };
    let mut parts = Vec::new();
    let mut add = |label: &str, value: Option<String>| parts.extend(value.map(|value| format!("{label}{value}")));
    add("", value("http.response.status_code"));
    add("error ", value("error.type").filter(|_| span.status != StatusData::Unset));
    add("resend ", value("http.request.resend_count"));
    add("attempts ", value("http.call.attempts"));
    add("waited ", value("http.call.wait").filter(|wait| wait != "0").map(|wait| format!("{wait} s")));
    add("read ", value("http.client.body.read_size").map(|size| format!("{size} bytes")));
    add("whole ", value("http.response.body.size").map(|size| format!("{size} bytes")));
    add("", value("url.full").filter(|url| url.contains("REDACTED")));
    let events: Vec<String> = span.events.iter().map(|event| event.name.clone()).collect();
    add("events ", (!events.is_empty()).then(|| shortened(&events).join(", ")));
    format!("`{}` {}", span.name, parts.join(", "))
}

#[tokio::test]
async fn the_document_shows_what_happens() {
    let mut rows = Vec::new();

    let server = Server::answering(|number, _| answer([503, 503, 200][number.min(2)], ("retry-after", "1"), "")).await;
    let client = client_of(&server.url).retry(quick(2)).build().unwrap();
    let call = whole(client.get("/7").url_template("/{id}"));
    rows.push(row("503, 503, 200, each with `Retry-After: 1`; two retries", &server.url, call).await);
    let at = server.requests(|request| request.at);
    let waits: Vec<Duration> = at.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(waits.len() == 2 && waits.iter().all(|wait| *wait >= Duration::from_secs(1)), "{waits:?}");
    // The same without retries, which is what a client does by default.
    let server = Server::answering(|_, _| answer(503, ("retry-after", "1"), "")).await;
    let client = client_of(&server.url).build().unwrap();
    rows.push(row("503; retries off, as they are by default", &server.url, whole(client.get("/7"))).await);
    assert_eq!(server.methods(), ["GET"]);

    for status in [500, 503] {
        let server = Server::start(&[status]).await;
        let client = client_of(&server.url).retry(quick(2)).build().unwrap();
        let case = format!("`POST` answered {status}; two retries");
        rows.push(row(&case, &server.url, whole(client.post("/").json(&7))).await);
        assert_eq!(server.methods(), ["POST"], "it is not replayed");
    }

    let server = Server::start(&[404]).await;
    let secret = format!("{}/x?sig=hush&page=2", server.url.replace("//", "//hush:hush@"));
    let client = client_of(&server.url).build().unwrap();
    let call = async { client.get(&secret).send().await?.error_for_status().map(|_| String::new()) };
    rows.push(row("`user:password@` and `?sig=` in the URL; 404", &server.url, call).await);
    assert!(server.received("authorization")[0].is_some(), "the server gets what nobody else sees");

    let (_socket, deserted) = server::deserted();
    let client = client_of(&deserted).retry(quick(1)).build().unwrap();
    let secret = format!("{}/x?sig=hush", deserted.replace("//", "//hush:hush@"));
    rows.push(row("connection refused, with the same URL; one retry", &deserted, whole(client.get(&secret))).await);

    let server = Server::start(&[Server::NO_ANSWER]).await;
    let client = client_of(&server.url).timeout(Duration::from_millis(50)).build().unwrap();
    rows.push(row("no answer within the timeout", &server.url, whole(client.get("/"))).await);

    let url = raw::cut_off().await;
    let client = client_of(&url).retry(quick(2)).build().unwrap();
    let call = async { client.get("/").send().await?.text().await };
    rows.push(row("body cut off after 10 of 100 bytes; two retries", &url, call).await);

    let server = Server::answering(|_, _| answer(302, ("location", "/x?sig=hush"), "")).await;
    let client = client_of(&server.url).build().unwrap();
    rows.push(row("redirect to itself", &server.url, whole(client.get("/x"))).await);
    assert_eq!(server.methods().len(), 11);

    let url = raw::large(1024).await;
    let client = client_of(&url).build().unwrap();
    rows.push(row("1 GiB, read in parts", &url, async { read_flat(client.get("/").send().await?).await }).await);
    let call = async {
        let mut response = client.get("/").send().await?;
        let first = response.chunk().await?.map_or(0, |chunk| chunk.len());
        assert!(first > 0);
        Ok(told(&response))
    };
    let dropped = row("1 GiB, dropped after the first part", &url, call).await;
    // How large the first part is, is up to the socket.
    let (before, after) = dropped.split_once("read ").unwrap();
    rows.push(format!("{before}read some {}", after.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start()));

    let table = rows.join("\n");
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    assert!(document.contains(&table), "{DOCUMENT} should have these rows:\n{table}");
}

/// Reads it without keeping it.
async fn read_flat(mut response: Response) -> Result<String, ClientError> {
    let before = peak_memory();
    let (mut size, mut largest) = (0, 0);
    while let Some(chunk) = response.chunk().await? {
        size += chunk.len() as u64;
        largest = largest.max(chunk.len() as u64);
    }
    assert_eq!(size, 1024 * MEBIBYTE);
    assert!(largest <= 8 * MEBIBYTE, "{largest} bytes at once");
    // Other tests run at the same time; a body that is kept would be four times this.
    let grown = peak_memory().saturating_sub(before);
    assert!(grown <= 256 * MEBIBYTE, "{grown} bytes more");
    Ok(format!("{size} bytes, at most {} MiB of memory more", 256))
}

/// What this process had in memory at most, where the system tells.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    peak.unwrap_or(0) * 1024
}
