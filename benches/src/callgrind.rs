//! Instructions, counted by callgrind: they do not move with what else the machine does.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;
use crate::subjects::Subject;
use crate::workloads::Workload;

/// Whether it can be used.
pub(crate) fn check() -> Result<(), Failure> {
    let found = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    match found {
        Ok(status) if status.success() => Ok(()),
        _ => {
            Err("counting instructions needs `valgrind`, which is not installed (Debian: apt-get install valgrind)"
                .into())
        }
    }
}

/// Instructions of all threads for one operation: the difference between a process with
/// three times as many operations and one with one time.
pub(crate) fn instructions(workload: Workload, subject: Subject, plugin: Option<&Path>) -> Result<f64, Failure> {
    let operations = subject.operations(workload);
    let more = count(workload, subject, plugin, 3 * operations)?;
    let less = count(workload, subject, plugin, operations)?;
    Ok((more - less) / (2 * operations * workload.threads()) as f64)
}

fn count(workload: Workload, subject: Subject, plugin: Option<&Path>, operations: u64) -> Result<f64, Failure> {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--zero-before=*begin_counting*"])
        .arg(std::env::current_exe()?);
    command.args(["cell", workload.name(), subject.name(), "--operations", &operations.to_string()]);
    if let Some(plugin) = plugin {
        command.arg("--plugin").arg(plugin);
    }
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(collected).filter(|_| output.status.success());
    collected.ok_or_else(|| {
        let (workload, subject) = (workload.name(), subject.name());
        format!("callgrind could not run `{workload}` of `{subject}`: {said}").into()
    })
}

/// `==123== Collected : 4567`
fn collected(line: &str) -> Option<f64> {
    line.split_once("Collected :")?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn its_report_is_read() {
        assert_eq!(super::collected("==17== Collected : 1207650"), Some(1_207_650.0));
        assert_eq!(super::collected("==17== Events    : Ir"), None);
    }
}
