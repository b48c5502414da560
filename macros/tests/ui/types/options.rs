#![allow(unused)]

use spandrel::traced;

struct Secret;

#[traced(record(secret))]
fn no_value(secret: &Secret) {}

#[traced(record(missing))]
fn missing() {}

#[traced(record(len = secret.len))]
async fn no_field(secret: &Secret) {}

#[traced(capture(args))]
fn no_debug(number: u8, secret: Secret) {}

#[traced(capture(args))]
fn generic<T: Clone>(value: T) {}

#[traced(capture(result))]
fn result_without_debug() -> Secret {
    Secret
}

#[traced(err)]
fn no_result() -> Option<u32> {
    None
}

#[traced(err)]
async fn no_display() -> Result<u32, Secret> {
    Ok(1)
}

fn main() {}
