//! What the agent can do.

use serde_json::{Value as Json, json};
use spandrel_genai::clients::{ChatRequest, ToolCall};
use spandrel_genai::{self as ai, Message};

/// The request with the tools that the model may call.
pub(crate) fn offered(request: ChatRequest) -> ChatRequest {
    let part = json!({ "type": "object", "required": ["part"], "properties": { "part": { "type": "string" } } });
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday"];
    let day =
        json!({ "type": "object", "required": ["day"], "properties": { "day": { "type": "string", "enum": days } } });
    request.tool("price_of_part", "What a part costs, in euros.", part).tool(
        "free_times",
        "When there is time for a repair on a day of this week.",
        day,
    )
}

/// Does what the model wants. What goes wrong is told to the model, which may know better then.
pub(crate) fn run(call: &ToolCall) -> Message {
    let result = ai::tool(&call.name).id(call.id.as_str()).arguments(|| &call.arguments).try_run(|record| {
        let arguments: Json =
            serde_json::from_str(&call.arguments).map_err(|_| "the arguments are no JSON".to_owned())?;
        let result = match call.name.as_str() {
            "price_of_part" => price(&arguments),
            "free_times" => free_times(&arguments),
            name => Err(format!("there is no tool {name}")),
        }?;
        record.set_tool_result(|| &result);
        Ok::<_, String>(result)
    });
    Message::tool_result(call.id.as_str(), result.unwrap_or_else(|error| format!("This failed: {error}")))
}

fn price(arguments: &Json) -> Result<String, String> {
    let part = arguments["part"].as_str().ok_or("`part` is missing")?;
    let euros = match part {
        "brake cable" => 9,
        "chain" => 24,
        "inner tube" => 6,
        _ => return Err(format!("there is no {part} in stock")),
    };
    Ok(format!("a {part} costs {euros} euros"))
}

fn free_times(arguments: &Json) -> Result<String, String> {
    match arguments["day"].as_str() {
        Some("monday") => Ok("monday at nine and at three".to_owned()),
        Some("friday") => Ok("friday at ten".to_owned()),
        Some(day) => Ok(format!("nothing on {day}")),
        None => Err("`day` is missing".to_owned()),
    }
}
