use std::io::{BufRead, BufReader};
use std::sync::mpsc::Receiver;

use serde_json::Value;
use spandrel_integration_tests::process::Folder;

use crate::support::{Made, command, run_on, shop, write_spans};

/// The lines of a running `tail`, which is killed in the end.
struct Tail {
    child: std::process::Child,
    lines: Receiver<String>,
}

impl Tail {
    fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let mut child = command(folder, &[&["tail"], arguments].concat(), &[]).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(std::time::Duration::from_secs(60)).expect("a line comes")
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn spans_are_shown_as_they_come() {
    let folder = Folder::new();
    let path = folder.file("traces.jsonl");
    shop(&folder);
    let tail = Tail::start(&folder, &["-n", "2"]);
    assert_eq!(tail.next(), "15:28:07.000     850µs  health  (shop)");
    assert_eq!(tail.next(), "15:28:08.001    1.70ms  health  (shop)");
    write_spans(&path, "shop", &[Made::new(3, 1, None, "third", 0, 7)]);
    assert_eq!(tail.next(), "15:27:07.000    7.00µs  third  (shop)");
    // Rotated, and there again under its name.
    std::fs::rename(&path, folder.file("old.jsonl")).unwrap();
    write_spans(&path, "shop", &[Made::new(3, 2, None, "after rotation", 0, 7)]);
    assert_eq!(tail.next(), "15:27:07.000    7.00µs  after rotation  (shop)");
    // Cut, and written anew.
    std::fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    write_spans(&path, "x", &[Made::new(3, 3, None, "y", 0, 7)]);
    assert_eq!(tail.next(), "15:27:07.000    7.00µs  y  (x)");
}

#[test]
fn a_file_that_is_not_there_yet_is_waited_for() {
    let folder = Folder::new();
    let tail = Tail::start(&folder, &["new.jsonl", "--json", "--errors"]);
    shop(&folder);
    std::fs::rename(folder.file("traces.jsonl"), folder.file("new.jsonl")).unwrap();
    let span: Value = serde_json::from_str(&tail.next()).unwrap();
    assert_eq!((&span["name"], &span["status_message"]), (&"POST /pay".into(), &"card declined".into()));
    assert_eq!(serde_json::from_str::<Value>(&tail.next()).unwrap()["name"], "POST /checkout");
}

#[test]
fn standard_input_is_read_to_its_end() {
    let folder = Folder::new();
    shop(&folder);
    let bytes = std::fs::read(folder.file("traces.jsonl")).unwrap();
    let run = run_on(&folder, &["tail", "-", "--service", "payments"], &bytes);
    assert_eq!((run.code, &*run.err), (0, ""));
    assert_eq!(run.out, "15:27:07.040    26.0ms  POST /pay  server  (payments)  ✗ card declined\n");
}
