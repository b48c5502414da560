//! The last spans on `std::process::exit`, SIGTERM and SIGINT; the configuration anew on SIGHUP.
#![expect(unsafe_code, reason = "exit handlers and signal handlers are C functions")]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use spandrel_plugin_api::diagnostics::{Level, report};
use spandrel_plugin_api::{Error, ErrorKind};
use spandrel_recorder::fork;

use crate::runtime;

/// What is wanted of the hooks.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    /// At the end of the process, however it ends.
    pub(crate) flush: bool,
    /// How long that may take.
    pub(crate) timeout: Duration,
    pub(crate) reload: bool,
}

struct Hooks {
    wanted: Wanted,
    /// Of the process that installed them.
    generation: u64,
}

static HOOKS: OnceLock<Hooks> = OnceLock::new();

/// Where the signal handler writes the number of the signal; -1 before it is open.
static PIPE: AtomicI32 = AtomicI32::new(-1);

#[cfg(target_os = "linux")]
use libc::__errno_location as errno_location;
#[cfg(target_vendor = "apple")]
use libc::__error as errno_location;

/// Installs the hooks. Further calls do nothing.
pub(crate) fn install(wanted: Wanted) -> Result<(), Error> {
    let signals: &[(&str, libc::c_int)] = match (wanted.flush, wanted.reload) {
        (false, false) => return Ok(()),
        (true, false) => &[FLUSHES[0], FLUSHES[1]],
        (false, true) => &[RELOADS],
        (true, true) => &[FLUSHES[0], FLUSHES[1], RELOADS],
    };
    if HOOKS.set(Hooks { wanted, generation: fork::generation() }).is_err() {
        return Ok(());
    }
    // SAFETY: the handler is a plain function that lives as long as the process.
    if wanted.flush && unsafe { libc::atexit(on_exit) } != 0 {
        return Err(Error::new(ErrorKind::Io, "cannot install the exit hook of flush_on_signals"));
    }
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for the two descriptors.
    if unsafe { libc::pipe(ends.as_mut_ptr()) } != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    for end in ends {
        // SAFETY: the descriptor was opened right above. A program started by this one must not keep it.
        unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    let [reader, writer] = ends;
    PIPE.store(writer, Ordering::Release);
    let thread = std::thread::Builder::new().name("spandrel-signals".to_owned());
    thread.spawn(move || wait_for_signals(reader))?;
    for (setting, signal) in signals {
        // Who has a handler decides what the signal means, and so does who has it ignored.
        if let Err(why) = take_over(*signal) {
            report(Level::Info, &format!("signal {signal} {why} already; {setting} leaves it alone"));
        }
    }
    Ok(())
}

const FLUSHES: [(&str, libc::c_int); 2] = [("flush_on_signals", libc::SIGTERM), ("flush_on_signals", libc::SIGINT)];
const RELOADS: (&str, libc::c_int) = ("reload_on_sighup", libc::SIGHUP);

extern "C" fn on_exit() {
    deliver();
}

fn deliver() {
    let Some(hooks) = HOOKS.get() else { return };
    // A program that did it itself knows what became of its spans.
    if runtime::is_shut_down() {
        return;
    }
    // A panic must not leave a function that C calls.
    let result = std::panic::catch_unwind(|| runtime::shutdown(hooks.wanted.timeout));
    if let Ok(Err(error)) = result {
        report(Level::Warning, &error.to_string());
    }
}

/// Sets our handler unless somebody has set one, or has the signal ignored.
fn take_over(signal: libc::c_int) -> Result<(), &'static str> {
    // SAFETY: `sigaction` is plain data for which zeros are valid, and both
    // pointers are to live values.
    unsafe {
        let mut before: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut before);
        match before.sa_sigaction {
            libc::SIG_DFL => {}
            libc::SIG_IGN => return Err("is ignored"),
            _ => return Err("has a handler"),
        }
        let mut ours: libc::sigaction = std::mem::zeroed();
        ours.sa_sigaction = handler_address();
        ours.sa_flags = libc::SA_RESTART;
        match libc::sigaction(signal, &raw const ours, std::ptr::null_mut()) {
            0 => Ok(()),
            _ => Err("cannot be caught"),
        }
    }
}

fn handler_address() -> libc::sighandler_t {
    on_signal as extern "C" fn(libc::c_int) as *const () as libc::sighandler_t
}

/// Only what is async-signal-safe: atomics, `write`, `signal`, `raise`.
extern "C" fn on_signal(signal: libc::c_int) {
    let is_child = HOOKS.get().is_none_or(|hooks| hooks.generation != fork::generation());
    // SAFETY: the calls take plain values; the buffer is alive during `write`, and
    // `errno` is put back for whatever was interrupted.
    unsafe {
        if is_child {
            // The pipe leads to the parent, which did not get this signal.
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
            return;
        }
        let errno = *errno_location();
        let byte = signal as u8;
        libc::write(PIPE.load(Ordering::Acquire), (&raw const byte).cast(), 1);
        *errno_location() = errno;
    }
}

/// Does what a signal asks for. The last spans delivered, it does what it does by default.
fn wait_for_signals(reader: libc::c_int) {
    loop {
        let mut byte = 0_u8;
        // SAFETY: the buffer is one byte that lives during the call.
        let read = unsafe { libc::read(reader, (&raw mut byte).cast(), 1) };
        if read != 1 {
            if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted {
                continue;
            }
            return;
        }
        let signal = libc::c_int::from(byte);
        if signal == libc::SIGHUP {
            reload();
        } else if is_ours(signal) {
            deliver();
            // SAFETY: plain values; the default action of the signal ends the process.
            unsafe {
                libc::signal(signal, libc::SIG_DFL);
                libc::kill(libc::getpid(), signal);
            }
        } else if let Some(hooks) = HOOKS.get() {
            // Somebody put a handler over ours that calls it, too: the program
            // ends when it likes to, and until then tracing goes on.
            let _ = runtime::flush(hooks.wanted.timeout);
        }
    }
}

fn reload() {
    // A factory of the program may panic, and this thread has signals to wait for.
    match std::panic::catch_unwind(runtime::reload) {
        Ok(Ok(())) => {
            let name = runtime::tracer().map_or("none", crate::Tracer::name);
            report(Level::Info, &format!("SIGHUP: the configuration was read again; provider: {name}"));
        }
        Ok(Err(error)) => report(Level::Warning, &format!("SIGHUP: tracing stays as it is: {error}")),
        Err(_) => report(Level::Warning, "SIGHUP: tracing stays as it is: a provider panicked when it was made"),
    }
}

fn is_ours(signal: libc::c_int) -> bool {
    // SAFETY: as in `take_over`.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut now);
        now.sa_sigaction == handler_address()
    }
}
