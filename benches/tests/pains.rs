//! Spandrel loses nothing where others do, or says so; what others do is only shown.

use std::process::Command;

#[test]
fn nothing_is_lost_in_silence() {
    let output = Command::new(env!("CARGO_BIN_EXE_spandrel-bench")).arg("pains").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
    let (_, error) = said.split_once("nobody listens at the endpoint; shutdown").unwrap();
    for part in ["`Err(100 spans could not be exported ", "remedy: start a collector there", "dropped 100"] {
        assert!(error.contains(part), "{part}");
    }
}
