//! A configuration that is changed under load loses no span, and none comes twice.

use spandrel_integration_tests::process::{Folder, command, run};

#[test]
fn reloading_from_a_file_to_otlp_and_back_loses_nothing() {
    let folder = Folder::new();
    let output = run(command(env!("CARGO_BIN_EXE_reloading"), &folder, &["20", "8"], &[]));
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // In both, or nothing was tested.
    assert!(said.contains(" 0 lost, 0 twice;") && !said.contains(" 0 in the file") && !said.contains(" 0 over OTLP"));
}
