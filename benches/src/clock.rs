//! CPU time and memory, as the kernel counts them.
#![expect(unsafe_code, reason = "the clocks of C; rustix finds them in a way that valgrind does not survive")]

use libc::{CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, clockid_t, timespec};

use crate::Failure;

/// Nanoseconds of CPU time of this thread.
pub(crate) fn thread_nanos() -> u64 {
    nanos(CLOCK_THREAD_CPUTIME_ID)
}

/// Nanoseconds of CPU time of all threads of this process.
pub(crate) fn process_nanos() -> u64 {
    nanos(CLOCK_PROCESS_CPUTIME_ID)
}

fn nanos(clock: clockid_t) -> u64 {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is written to during the call. These two clocks cannot fail.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// Bytes of memory that this process has now, and the most that it ever had.
pub(crate) fn memory() -> Result<(u64, u64), Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kibibytes = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let both = kibibytes("VmRSS:").zip(kibibytes("VmHWM:"));
    both.map(|(now, most)| (now << 10, most << 10))
        .ok_or_else(|| "the kernel does not say how much memory is used".into())
}
