//! The layout of the types of the plugin boundary, compared with golden files: one for
//! 64-bit targets, one for 32-bit targets, and one for those of them where 64-bit numbers
//! are aligned to four bytes (x86 except on Windows).
//!
//! `UPDATE=1 cargo test -p spandrel-plugin-api --test layout` rewrites the file of the
//! target it runs on. The files of other targets are checked while compiling:
//! `cargo check -p spandrel-plugin-api --test layout --target armv7-unknown-linux-gnueabihf`.

#![cfg(feature = "abi")]

use std::mem::offset_of;

use spandrel_plugin_api::abi::{
    Array, Attribute, Batch, Bytes, Carrier, CarrierMut, Context, ContextEntry, CreateArguments, Descriptor, Error,
    Event, ExporterTable, Host, Instance, Link, ProviderTable, SpanStart, Stats, Text, Value, ValueData,
};

layouts! {
    struct Text { ptr len }
    struct Bytes { ptr len }
    struct Array { ptr len }
    struct Value { kind reserved data }
    union ValueData { boolean integer number text array }
    struct Attribute { key value }
    struct Context { trace_id span_id flags is_remote trace_state }
    struct Event { size time_ns name attributes attributes_len }
    struct Link { context attributes attributes_len }
    struct SpanStart {
        size context parent name kind reserved time_ns attributes attributes_len links links_len scope_name scope_version
    }
    struct Batch { size parts parts_len span_count }
    struct Stats {
        size recorded exported pending dropped_queue_full dropped_too_large dropped_export_failed dropped_panicked
        dropped_after_shutdown dropped_forked panics
    }
    struct Error { size message cause context context_len release private_data }
    struct ContextEntry { key value }
    struct Descriptor {
        magic size abi_major abi_minor abi_minor_min kind flags name version vendor license description target create
        validate_config layout reserved
    }
    struct CreateArguments { size name config resource resource_len }
    struct Instance { size data exporter provider propagation_fields propagation_fields_len flags }
    struct Host { size abi_major abi_minor reserved data version log now_ns count suppress_tracing }
    struct ExporterTable {
        size export_batch flush shutdown destroy on_idle after_fork_child on_start sample extract inject stats health
    }
    struct ProviderTable {
        size start_span end_span set_span_status set_span_name add_span_attributes add_span_event add_span_link flush
        shutdown destroy enter_span exit_span enter_unsampled exit_unsampled current_context retire after_fork_child
        sample extract inject stats health
    }
    struct Carrier { size data for_each_value }
    struct CarrierMut { size data set remove }
}

const GOLDEN: (&str, &str) = match (size_of::<usize>(), align_of::<u64>()) {
    (8, _) => ("tests/layout/64.txt", include_str!("layout/64.txt")),
    (_, 8) => ("tests/layout/32.txt", include_str!("layout/32.txt")),
    _ => ("tests/layout/32-align4.txt", include_str!("layout/32-align4.txt")),
};

#[test]
fn the_layout_is_that_of_the_golden_file() {
    let (file, golden) = GOLDEN;
    let mut now = String::new();
    for layout in LAYOUTS {
        now.push_str(&format!("{} size {} align {}\n", layout.name, layout.size, layout.align));
        for (field, offset) in layout.fields {
            now.push_str(&format!("{field} {offset}\n"));
        }
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, now).unwrap();
        return;
    }
    let mut lines = now.lines().zip(golden.lines());
    if let Some((now, golden)) = lines.find(|(now, golden)| now != golden) {
        panic!("the layout differs from {file}: `{now}`, not `{golden}`; within one major version that is not allowed");
    }
    assert_eq!(now.lines().count(), golden.lines().count(), "entries were added; see the head of this file");
}

/// On a machine that cannot run programs of the target.
#[cfg(not(target_pointer_width = "64"))]
const _: () = if option_env!("UPDATE").is_none() {
    let mut golden = Words(GOLDEN.1.as_bytes());
    let mut i = 0;
    while i < LAYOUTS.len() {
        let layout = &LAYOUTS[i];
        golden.expect(layout.name, layout.name);
        golden.expect_number("size", layout.size, layout.name);
        golden.expect_number("align", layout.align, layout.name);
        let mut j = 0;
        while j < layout.fields.len() {
            let (field, offset) = layout.fields[j];
            golden.expect_number(field, offset, field);
            j += 1;
        }
        i += 1;
    }
    assert!(golden.next().is_empty(), "the golden file has more types");
};

/// The words of a golden file, read while compiling.
#[cfg(not(target_pointer_width = "64"))]
struct Words(&'static [u8]);

#[cfg(not(target_pointer_width = "64"))]
impl Words {
    const fn next(&mut self) -> &'static [u8] {
        self.0 = self.0.trim_ascii_start();
        let mut end = 0;
        while end < self.0.len() && !self.0[end].is_ascii_whitespace() {
            end += 1;
        }
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        word
    }

    const fn expect(&mut self, expected: &str, place: &'static str) {
        let (word, expected) = (self.next(), expected.as_bytes());
        let mut same = word.len() == expected.len();
        let mut i = 0;
        while same && i < word.len() {
            same = word[i] == expected[i];
            i += 1;
        }
        if !same {
            panic!("{}", place);
        }
    }

    const fn expect_number(&mut self, name: &str, expected: usize, place: &'static str) {
        self.expect(name, place);
        let (digits, mut number, mut i) = (self.next(), 0, 0);
        while i < digits.len() {
            number = number * 10 + (digits[i] - b'0') as usize;
            i += 1;
        }
        if digits.is_empty() || number != expected {
            panic!("{}", place);
        }
    }
}

struct Layout {
    name: &'static str,
    size: usize,
    align: usize,
    fields: &'static [(&'static str, usize)],
}

macro_rules! layouts {
    ($($kind:ident $name:ident { $($field:ident)* })*) => {
        const LAYOUTS: &[Layout] = &[$(Layout {
            name: stringify!($name),
            size: size_of::<$name>(),
            align: align_of::<$name>(),
            fields: &[$((concat!(stringify!($name), ".", stringify!($field)), offset_of!($name, $field))),*],
        }),*];
        $(no_field_is_forgotten!($kind $name { $($field)* });)*
    };
}
use layouts;

macro_rules! no_field_is_forgotten {
    (struct $name:ident { $($field:ident)* }) => {
        const _: fn($name) = |$name { $($field: _),* }| ();
    };
    (union $name:ident $fields:tt) => {};
}
use no_field_is_forgotten;
