//! Programs under test, each in a folder of its own.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Longer than anything takes that does not hang, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(300);

/// A folder that is removed at the end.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// An empty folder.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        set_umask();
        loop {
            let name = format!("spandrel-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let path = std::env::temp_dir().join(name);
            match std::fs::create_dir(&path) {
                Ok(()) => return Self(path),
                // Left by a process that was killed and had the same id.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => panic!("a temporary folder cannot be made at {}: {error}", path.display()),
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What is made from now on, by programs started here as well, may be read by all and written by
/// its owner alone: plugins that others may write are refused, whatever the shell has set.
fn set_umask() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: a plain value.
        unsafe { libc::umask(0o022) };
    });
}

/// The program, in the folder, with nothing of tracing in its environment but `variables`.
#[must_use]
pub fn command(program: &str, folder: &Folder, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    // Not `vars`, which panics if one of them, of whomever, is not UTF-8.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["TRACING_", "OTEL_", "SPANDREL_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command.args(arguments).envs(variables.iter().copied()).current_dir(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a program to its end.
///
/// # Panics
///
/// If it does not start, or has not ended after five minutes.
#[must_use]
pub fn run(mut command: Command) -> Output {
    let child = command.spawn().expect("the program starts");
    wait(child)
}

/// Waits for the end of a program.
///
/// # Panics
///
/// If it has not ended after five minutes.
#[must_use]
pub fn wait(child: Child) -> Output {
    let pid = child.id();
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    match ended.recv_timeout(PATIENCE) {
        Ok(output) => output.expect("the program can be waited for"),
        Err(_) => {
            signal(pid, libc::SIGKILL);
            panic!("the program hangs");
        }
    }
}

/// Sends a signal to a program of ours.
pub fn signal(pid: u32, signal: i32) {
    let pid = libc::pid_t::try_from(pid).expect("a process id");
    // SAFETY: plain values; the process is a child that was not waited for yet.
    unsafe { libc::kill(pid, signal) };
}

/// Asks again and again until the answer is yes, at most for five minutes.
///
/// # Panics
///
/// If that is not enough.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "still waiting: {what}");
        std::thread::yield_now();
    }
}
