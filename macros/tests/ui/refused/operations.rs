#![allow(unused)]

use spandrel::traced;

#[traced(llm)]
fn no_model() {}

#[traced(llm(provider = "openai"))]
fn half_a_model() {}

#[traced(llm(provider = "openai", model = "gpt-4o", temprature = 0.5))]
fn no_such_setting() {}

#[traced(llm(provider = "openai", modle = "gpt-4o"))]
fn misspelt() {}

#[traced(agent(rol = "planner"))]
fn misspelt_of_few() {}

#[traced(workflow(id = "w"))]
fn setting_of_none() {}

#[traced(tools)]
fn misspelt_operation() {}

#[traced(llm(provider = "openai", provider = "openai"))]
fn twice() {}

#[traced("ask", llm(provider = "openai", model = "gpt-4o"))]
fn named() {}

#[traced(tool(name = "search"))]
fn name_inside() {}

#[traced(workflow())]
fn nothing_inside() {}

#[traced(step)]
fn no_number() {}

#[traced(tool, agent)]
fn both() {}

#[traced(tool, kind = Client)]
fn kind() {}

#[traced(as call)]
fn no_operation() {}

#[traced(tool, as)]
fn no_handle() {}

#[traced(agent)]
fn never() -> ! {
    loop {}
}

#[traced(chain)]
fn other_word() {}

fn main() {}
