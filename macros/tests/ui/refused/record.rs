#![allow(unused)]

use spandrel::traced;

#[traced(record)]
fn what() {}

#[traced(record())]
fn nothing() {}

#[traced(record(a + b))]
fn no_key(a: u8, b: u8) {}

#[traced(record("text"))]
fn literal() {}

#[traced(record(len(a)))]
fn call(a: &str) {}

#[traced(record(f() = 1))]
fn no_word() {}

#[traced(record("" = 1))]
fn empty_key() {}

#[traced(record(id, self.id))]
fn same_key(id: u8) {}

#[traced(record(?user))]
fn sigil(user: u8) {}

#[traced(record(number = text.parse::<u8>()?))]
fn question_mark(text: &str) -> Result<(), std::num::ParseIntError> {
    Ok(())
}

#[traced(record(number = { return; }))]
fn returns() {}

#[traced(record(number = later().await))]
async fn awaits() {}

fn main() {}
