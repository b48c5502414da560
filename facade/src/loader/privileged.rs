//! As whom this process runs, and whether somebody else started it.
//!
//! A program that is set-user-ID, set-group-ID or has file capabilities does more
//! than the user who starts it may. That user sets the environment and the working
//! directory, so neither may say which code is loaded.
#![cfg_attr(unix, expect(unsafe_code, reason = "the identity of a process is asked for in C"))]

/// Whether this process may do more than the user who started it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn is_elevated() -> bool {
    // Miri has no such function.
    // SAFETY: it reads a number that the kernel gave to the process; any argument is allowed.
    !cfg!(miri) && unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Whether this process may do more than the user who started it.
#[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "dragonfly", target_os = "openbsd"))]
pub(crate) fn is_elevated() -> bool {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { libc::issetugid() != 0 }
}

/// Whether this process may do more than the user who started it.
#[cfg(all(
    unix,
    not(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "dragonfly",
        target_os = "openbsd"
    ))
))]
pub(crate) fn is_elevated() -> bool {
    // SAFETY: they take nothing and cannot fail.
    unsafe { libc::getuid() != libc::geteuid() || libc::getgid() != libc::getegid() }
}

/// Whether this process may do more than the user who started it.
#[cfg(not(unix))]
pub(crate) fn is_elevated() -> bool {
    false
}

/// The effective user and group of this process.
#[cfg(unix)]
pub(super) fn effective_ids() -> (u32, u32) {
    // SAFETY: they take nothing and cannot fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_test_is_started_by_its_own_user() {
        assert!(!super::is_elevated());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_effective_ids_are_those_of_the_kernel() {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let effective = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u32>().unwrap()
        };
        assert_eq!(super::effective_ids(), (effective("Uid:"), effective("Gid:")));
    }
}
