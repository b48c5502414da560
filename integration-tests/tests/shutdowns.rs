//! A shutdown returns whatever the backend does and wherever it is called, and the counts add up.

use spandrel_integration_tests::process::{Folder, command, run};

const SHUTDOWNS: &str = env!("CARGO_BIN_EXE_shutdowns");

#[test]
fn every_shutdown_returns_and_accounts_for_all_spans() {
    let folder = Folder::new();
    // Only against hanging; the program by itself measures how long they take.
    let arguments = ["--trials", "150", "--slack-ms", "60000"];
    let output = run(command(SHUTDOWNS, &folder, &arguments, &[]));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    // Four of each kind and way, one of each kind at the exit of a process.
    assert!(
        output.status.success() && text.contains("\n150 of 150 within 200 ms + 60000 ms; 0 complaint(s); "),
        "{text}"
    );
}
