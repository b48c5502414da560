//! What a vector is; also for the test of whole systems that sends those of the W3C harness.

/// What comes in, and what is made of it.
pub(crate) struct Incoming {
    pub(crate) source: &'static str,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) expected: &'static str,
}

/// What is current, and what is written for it.
pub(crate) struct Written {
    pub(crate) source: &'static str,
    pub(crate) context: &'static str,
    pub(crate) headers: &'static [(&'static str, &'static str)],
}

pub(crate) const fn incoming(
    source: &'static str,
    headers: &'static [(&'static str, &'static str)],
    expected: &'static str,
) -> Incoming {
    Incoming { source, headers, expected }
}

pub(crate) const fn written(
    source: &'static str,
    context: &'static str,
    headers: &'static [(&'static str, &'static str)],
) -> Written {
    Written { source, context, headers }
}

/// Puts ids in the place of their names.
pub(crate) fn fill(text: &str) -> String {
    let long = [("{Z256}", "z", 256), ("{Z257}", "z", 257), ("{T241}", "t", 241), ("{T242}", "t", 242)];
    let text = long.iter().fold(text.to_owned(), |text, (name, c, len)| text.replace(name, &c.repeat(*len)));
    [
        ("{T}", "4bf92f3577b34da6a3ce929d0e0e4736"),
        // Its halves, the lower one alone as an id, and both as Datadog writes them.
        ("{UPPER}", "4bf92f3577b34da6"),
        ("{LOWER}", "a3ce929d0e0e4736"),
        ("{T64}", "0000000000000000a3ce929d0e0e4736"),
        ("{LOWER10}", "11803532876627986230"),
        // As X-Ray cuts it.
        ("{TX}", "1-4bf92f35-77b34da6a3ce929d0e0e4736"),
        ("{S}", "00f067aa0ba902b7"),
        ("{S10}", "67667974448284343"),
        // Of the W3C harness.
        ("{W}", "12345678901234567890123456789012"),
    ]
    .iter()
    .fold(text, |text, (name, value)| text.replace(name, value))
}
