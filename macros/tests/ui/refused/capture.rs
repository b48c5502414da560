#![allow(unused)]

use spandrel::traced;

#[traced(capture)]
fn what() {}

#[traced(capture(max_bytes = 10))]
fn only_a_length() {}

#[traced(capture(user))]
fn single(user: u8) {}

#[traced(capture(args, max_bytes = 0))]
fn no_bytes(user: u8) {}

#[traced(capture(args, max_bytes = "10"))]
fn text(user: u8) {}

#[traced(capture(result))]
fn nothing_to_capture(user: u8) {}

#[traced(err)]
fn nothing_to_look_at(user: u8) {}

#[traced(err)]
async fn never(user: u8) -> ! {
    loop {}
}

fn main() {}
