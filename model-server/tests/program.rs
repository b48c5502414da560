//! The program `model-server`, as it is called.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_model-server");

/// Ends with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_says_where_it_is_and_answers_there() {
    let mut program = Running(Command::new(PROGRAM).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(program.0.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let address = first.strip_prefix("model server at http://").unwrap().strip_suffix(", until Ctrl-C").unwrap();
    let told: Vec<String> = lines.by_ref().take(8).map(Result::unwrap).collect();
    assert!(told.contains(&format!("OpenAI's own clients            OPENAI_BASE_URL=http://{address}/v1")), "{told:?}");

    let body = r#"{"model":"m","messages":[{"role":"user","content":"Hi #out=2"}]}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer k\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("word word"), "{answer}");

    let port = address.rsplit_once(':').unwrap().1;
    let second = run(&["--port", port]);
    assert_eq!(second.status.code(), Some(1));
    let error = String::from_utf8(second.stderr).unwrap();
    assert!(error.starts_with(&format!("error: {address} cannot be served: ")), "{error}");
}

#[test]
fn what_it_does_not_know_it_says() {
    for (arguments, expected) in [
        (&["--prot", "1"][..], "there is no option `--prot`; write `--port 4010`, or nothing for a free port"),
        (&["--port", "http"], "`--port` takes a number from 0 to 65535, not `http`"),
        (&["--port"], "`--port` takes a number from 0 to 65535, not ``"),
        (&["--port=1", "2"], "`2` is one too many; write `--port 4010`, or nothing for a free port"),
    ] {
        let output = run(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), error), (Some(2), format!("error: {expected}\n")));
    }
    let help = run(&["--help"]);
    assert!(help.status.success() && String::from_utf8(help.stdout).unwrap().contains("--port <PORT>"));
}

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}
