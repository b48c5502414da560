use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use spandrel_plugin_api::{Error, ErrorKind};
use spandrel_post::testing::{TestServer, answer};

use crate::{client, settings};

fn refused(status: &str, headers: &str, body: &str) -> Error {
    let server = TestServer::start(&[&answer(status, headers, body)]);
    let error = client(&server.url("/spans"), &settings()).unwrap().post("text/plain", b"x").unwrap_err();
    assert_eq!(error.context("endpoint"), Some(server.url("/spans").as_str()));
    assert_eq!(server.request().line, "POST /spans");
    assert_eq!(server.pending(), 0, "it is tried once");
    error
}

#[test]
fn what_may_pass_by_itself_is_to_be_tried_again() {
    for status in ["408 Request Timeout", "429 Too Many Requests", "502 Bad Gateway", "503 Busy", "504 Gateway Timeout"]
    {
        let error = refused(status, "", "");
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Unavailable, None), "{status}");
        let error = refused(status, "retry-after: 3\r\n", "");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(3)), "{status}");
    }
    let error = refused("503 Service Unavailable", "retry-after: 99999\r\n", "");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(300)));
}

#[test]
fn anything_else_is_final_and_says_what_to_do() {
    for (status, kind, remedy) in [
        ("400 Bad Request", ErrorKind::Internal, None),
        ("401 Unauthorized", ErrorKind::ConfigInvalid, Some("check the credentials in provider.test.headers")),
        (
            "404 Not Found",
            ErrorKind::ConfigInvalid,
            Some("check provider.test.endpoint; it is usually like http://localhost:1/spans"),
        ),
        ("413 Content Too Large", ErrorKind::Internal, Some("lower batch.max_bytes")),
        ("500 Internal Server Error", ErrorKind::Internal, None),
        (
            "501 Not Implemented",
            ErrorKind::ConfigInvalid,
            Some("check provider.test.endpoint; it is usually like http://localhost:1/spans"),
        ),
    ] {
        let error = refused(status, "retry-after: 3\r\n", "");
        assert_eq!((error.kind(), error.retry_after(), error.context("remedy")), (kind, None, remedy), "{status}");
        assert_eq!(error.message(), format!("the test answered {}", error_status(status)));
    }
    let error = refused("302 Found", "location: https://u:hush@b/c?d=hush\r\n", "");
    assert_eq!((error.kind(), error.context("location")), (ErrorKind::ConfigInvalid, Some("https://b/c")));
    assert_eq!(
        error.context("remedy"),
        Some("redirects are not followed; set provider.test.endpoint to where it leads")
    );
}

/// The usual words for a status: those of the server are not trusted.
fn error_status(status: &str) -> &str {
    if status.starts_with("413") { "413 Payload Too Large" } else { status }
}

#[test]
fn what_the_server_says_fits_one_line_and_repeats_no_secret() {
    let said = format!("<b>\x1b[31mno\r\nkey hush-hush\u{9b}</b>{}", "x".repeat(300_000));
    let server = TestServer::start(&[&answer("400 Bad Request", "", &said)]);
    let mut settings = settings();
    settings.headers.insert("api-key", "Bearer hush-hush".parse().unwrap());
    let error = client(&server.url("/"), &settings).unwrap().post("text/plain", b"x").unwrap_err();
    let said = error.context("said").unwrap();
    assert!(said.starts_with("<b> [31mno key *** </b>xxx"), "{said}");
    assert_eq!(said.chars().count(), 203);
}

#[test]
fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client(&url, &settings()).unwrap().post("text/plain", b"x").unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "cannot connect to the test"));
    let remedy = "start it there, or set provider.test.endpoint; it is usually like http://localhost:1/spans";
    assert_eq!((error.context("remedy"), error.context("endpoint")), (Some(remedy), Some(format!("{url}/").as_str())));
}

#[test]
fn no_answer_in_time() {
    // Connections wait in the queue of the listener for good.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = settings();
    settings.timeout_ms = 50;
    let client = client(&format!("http://{}", listener.local_addr().unwrap()), &settings).unwrap();
    let error = client.post("text/plain", b"x").unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "the test did not answer within 50 ms"));
}

#[test]
fn a_connection_that_breaks_and_a_server_that_speaks_no_http() {
    let server = TestServer::start(&["", "HTTP/1.1 2"]);
    let client_of = |url: &str| client(url, &settings()).unwrap();
    let error = client_of(&server.url("/")).post("text/plain", b"x").unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "no answer came from the test"), "{error}");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").unwrap();
        // Until the other side has read it and closes.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let error = client_of(&url).post("text/plain", b"x").unwrap_err();
    thread.join().unwrap();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Malformed, "no HTTP comes from the test"), "{error}");
}
