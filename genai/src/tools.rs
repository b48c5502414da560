//! The tools that a model may call, in JSON that is not cut in the middle.

use serde_json::{Value as Json, json};
use spandrel::OwnedAttribute;

use crate::Dialect;
use crate::message::cut;
use crate::settings::Settings;

/// The definitions in the dialects in force.
///
/// Sources: OpenTelemetry semantic conventions 1.41, tool definitions schema, which wants no more than type and name;
/// OpenInference, spec/semantic_conventions.md of 2026-08: one attribute for each tool.
pub(crate) fn attributes(definitions: &str, settings: &Settings) -> Vec<OwnedAttribute> {
    let max_bytes = settings.max_content_bytes;
    let is_otel = settings.dialect.iter().any(|dialect| dialect.is_otel());
    let is_openinference = settings.dialect.contains(&Dialect::OpenInference);
    let is_short = definitions.len() <= max_bytes;
    let tools = match serde_json::from_str(definitions).ok().filter(|_| is_openinference || !is_short) {
        Some(Json::Array(tools)) => Some(tools),
        Some(tool @ Json::Object(_)) => Some(vec![tool]),
        _ => None,
    };
    let tools = tools.map(|tools| if is_short { tools } else { shortened(tools, max_bytes) });
    let mut list = Vec::new();
    if is_otel {
        let json = match &tools {
            Some(tools) if !is_short => Json::Array(tools.clone()).to_string(),
            _ => cut(definitions, max_bytes),
        };
        list.push(OwnedAttribute::new("gen_ai.tool.definitions", json));
    }
    let tools = tools.into_iter().flatten().filter(|_| is_openinference).enumerate();
    list.extend(
        tools.map(|(i, tool)| OwnedAttribute::new(format!("llm.tools.{i}.tool.json_schema"), tool.to_string())),
    );
    list
}

/// As many tools as fit: the last ones first lose all but their names, then they are left out.
fn shortened(mut tools: Vec<Json>, max_bytes: usize) -> Vec<Json> {
    // With the commas and brackets of the list.
    let bytes_of = |tool: &Json| tool.to_string().len() + 1;
    let mut bytes = 1 + tools.iter().map(bytes_of).sum::<usize>();
    for tool in tools.iter_mut().rev() {
        if bytes <= max_bytes {
            break;
        }
        bytes -= bytes_of(tool);
        *tool = named(tool);
        bytes += bytes_of(tool);
    }
    while bytes > max_bytes {
        let Some(tool) = tools.pop() else { break };
        bytes -= bytes_of(&tool);
    }
    tools
}

/// A tool with nothing but its type and name.
fn named(tool: &Json) -> Json {
    let mut short = json!({});
    for key in ["type", "name"] {
        if tool[key].is_string() {
            short[key] = tool[key].clone();
        }
    }
    if tool["function"]["name"].is_string() {
        short["function"] = json!({ "name": tool["function"]["name"] });
    }
    short
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::{attributes, shortened};
    use crate::settings::Settings;

    fn tool(name: &str) -> Json {
        json!({ "type": "function", "function": { "name": name, "description": "d".repeat(100), "parameters": { "type": "object" } } })
    }

    #[test]
    fn what_does_not_fit_is_left_out_by_whole_values() {
        let tools: Vec<Json> = ["a", "b", "c"].map(tool).to_vec();
        let whole = Json::Array(tools.clone()).to_string().len();
        assert_eq!(shortened(tools.clone(), whole), tools);
        let short = json!({ "type": "function", "function": { "name": "c" } });
        assert_eq!(shortened(tools.clone(), whole - 1), [tools[0].clone(), tools[1].clone(), short]);
        for max_bytes in 2..=whole {
            let kept = shortened(tools.clone(), max_bytes);
            let bytes = Json::Array(kept.clone()).to_string().len();
            assert!(bytes <= max_bytes, "{bytes} of {max_bytes}: {kept:?}");
            let names: Vec<&Json> = kept.iter().map(|tool| &tool["function"]["name"]).collect();
            assert_eq!(names, ["a", "b", "c"][..kept.len()]);
        }
        assert_eq!(shortened(tools, 2), Vec::<Json>::new());
    }

    #[test]
    fn each_dialect_has_all_tools() {
        let list = |text: &str, max_bytes: usize| {
            let toml = format!("content = true\ndialect = 'both'\nmax_content_bytes = {max_bytes}");
            let list = attributes(text, &Settings::from_toml(&toml).unwrap());
            list.into_iter().map(|a| (a.key, format!("{:?}", a.value))).collect::<Vec<_>>()
        };
        let text = r#"[{"type":"b","name":"x"}, {"name":"y"}]"#;
        let keys = |list: &[(String, String)]| list.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        let otel = "gen_ai.tool.definitions".to_owned();
        let tool = |i: usize| format!("llm.tools.{i}.tool.json_schema");
        let all = list(text, 1000);
        assert_eq!(keys(&all), [otel.clone(), tool(0), tool(1)]);
        assert_eq!(all[0].1, format!("Str({text:?})"), "as the program has it");
        assert_eq!(keys(&list(r#"{"name":"x"}"#, 1000)), [otel.clone(), tool(0)]);
        assert_eq!(keys(&list("search, lights", 1000)), std::slice::from_ref(&otel));
        assert_eq!(list("search, lights", 6), [(otel, r#"Str("search… [8 bytes more]")"#.to_owned())]);
    }
}
