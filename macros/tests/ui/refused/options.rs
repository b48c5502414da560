#![allow(unused)]

use spandrel::traced;

#[traced(fields(a = 1))]
fn of_another_crate() {}

#[traced(skip_all)]
fn skip() {}

#[traced(ret)]
fn ret() {}

#[traced(level = "debug")]
fn level() {}

#[traced(max_bytes = 10)]
fn max_bytes() {}

#[traced("a", name = "b")]
fn two_names() {}

#[traced("")]
fn no_name() {}

#[traced(name = concat!("a", "b"))]
fn made_name() {}

#[traced(kind = "client")]
fn quoted_kind() {}

#[traced(kind = SpanKind::Server)]
fn path_of_kind() {}

#[traced(kind = Remote)]
fn no_kind() {}

#[traced(err(Debug))]
fn settings_of_err() -> Result<(), ()> {
    Ok(())
}

#[traced(err, err)]
fn err_twice() -> Result<(), String> {
    Ok(())
}

fn main() {}
