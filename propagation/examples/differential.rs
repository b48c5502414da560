//! The Rust side of `differential/compare.py`.
//!
//! Reads a header set a line: the name of a propagator, then name and value of each header in
//! hexadecimal digits, tabs between. Answers with what was understood and what is passed on:
//! trace id, span id, flags and trace state, then baggage as keys and values, then the headers.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufWriter, Write};

use spandrel_propagation::{Extracted, Outgoing, by_name};

fn main() -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        writeln!(out, "{}", answer(&line?))?;
    }
    out.flush()
}

fn answer(line: &str) -> String {
    let mut fields = line.split('\t');
    let propagator = by_name(fields.next().unwrap_or_default()).expect("is a propagator");
    let headers: Vec<(String, String)> =
        std::iter::from_fn(|| Some((text(fields.next()?), text(fields.next()?)))).collect();
    let mut extracted = Extracted::default();
    propagator.extract(&headers, &mut extracted);
    let mut carrier: Vec<(String, String)> = Vec::new();
    let context = extracted.span_context.as_ref();
    propagator.inject(&Outgoing::new(context, &extracted.baggage), &mut carrier);

    let context = context.map_or_else(String::new, |context| {
        let flags = context.flags().bits();
        format!("{} {} {flags:02x} {}", context.trace_id(), context.span_id(), context.trace_state().as_str())
    });
    let baggage: Vec<(&str, &str)> = extracted.baggage.iter().map(|entry| (entry.key(), entry.value())).collect();
    let headers = carrier.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    [digits(&context), pairs(baggage.into_iter()), pairs(headers)].join("\t")
}

fn pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    pairs.map(|(key, value)| format!("{}={}", digits(key), digits(value))).collect::<Vec<_>>().join(",")
}

fn digits(text: &str) -> String {
    text.bytes().fold(String::new(), |mut digits, byte| {
        // Writing into memory does not fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

fn text(digits: &str) -> String {
    let digit = |at: usize| char::from(digits.as_bytes()[at]).to_digit(16).expect("is a digit");
    let bytes = (0..digits.len() / 2).map(|at| u8::try_from(digit(2 * at) << 4 | digit(2 * at + 1)).unwrap_or(0));
    String::from_utf8(bytes.collect()).expect("is text")
}
