#![allow(unused)]

use spandrel::traced;

struct Secret;

#[traced(llm(provider = "openai", model = 4))]
fn no_text() {}

#[traced(step(number = "first"))]
fn no_number() {}

#[traced(tool, capture(args))]
fn no_debug(number: u8, secret: Secret) {}

#[traced(tool, capture(result), err)]
fn good_without_debug() -> Result<Secret, String> {
    Ok(Secret)
}

#[traced(agent, err)]
async fn no_result() -> Option<u32> {
    None
}

#[traced(agent, as agent)]
fn mistake_in_the_body() {
    agent.set_usgae(());
}

fn main() {}
