/// What this is built for: `linux-x86_64`, `linux-x86_64-musl`, `macos-aarch64`.
pub const TARGET: &str = {
    const PARTS: &[&str] =
        &[std::env::consts::OS, "-", std::env::consts::ARCH, if cfg!(target_env = "musl") { "-musl" } else { "" }];
    const BYTES: [u8; length(PARTS)] = join(PARTS);
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => panic!("texts joined are a text"),
    }
};

/// How long the parts are together.
#[must_use]
pub const fn length(parts: &[&str]) -> usize {
    let mut length = 0;
    let mut i = 0;
    while i < parts.len() {
        length += parts[i].len();
        i += 1;
    }
    length
}

/// The parts as one text.
#[must_use]
pub const fn join<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut joined = [0; N];
    let (mut i, mut at) = (0, 0);
    while i < parts.len() {
        let part = parts[i].as_bytes();
        let mut j = 0;
        while j < part.len() {
            joined[at] = part[j];
            at += 1;
            j += 1;
        }
        i += 1;
    }
    joined
}
