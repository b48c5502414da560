//! The assistant's conversation, and what it cost: against a sum by hand.

use serde_json::Value as Json;
use spandrel_integration_tests::process::{self, Folder};
use spandrel_integration_tests::trace_file::TraceFile;

/// Billionths of a dollar for a token, of the vendors' lists: dollars for a million, times a thousand.
struct Rates {
    model: &'static str,
    input: u64,
    cache_read: u64,
    cache_write: u64,
    output: u64,
}

/// 0.02 dollars for a million tokens.
const EMBEDDING: Rates = Rates { model: "text-embedding-3-small", input: 20, cache_read: 0, cache_write: 0, output: 0 };
/// 0.15, cached 0.075, out 0.60.
const GPT_4O_MINI: Rates = Rates { model: "gpt-4o-mini", input: 150, cache_read: 75, cache_write: 0, output: 600 };
/// 0.80, from the cache 0.08, into it 1.00, out 4.00.
const HAIKU: Rates =
    Rates { model: "claude-3-5-haiku-latest", input: 800, cache_read: 80, cache_write: 1000, output: 4000 };

/// What a call used: all that goes in, of which so much is from the cache and so much goes into it; out.
type Call = (&'static Rates, [u64; 4]);

/// The conversation: for each question the tokens of its embedding, and of its chats all that goes in and out. A token is a word.
const TURNS: [(u64, &[[u64; 2]]); 5] = [
    (8, &[[141, 13]]),
    (8, &[[190, 3], [197, 11]]),
    (6, &[[232, 2], [236, 8]]),
    (14, &[[287, 2], [293, 2], [300, 16]]),
    (8, &[[347, 13]]),
];

/// The handbook, which is embedded before the first question.
const HANDBOOK: u64 = 76;

/// System prompt and tools, which Anthropic's cache has.
const RULES: u64 = 105;

/// What was sent before the last answer of the model, in steps of 64: what OpenAI's cache has, in the order of the chats.
const CACHED: [u64; 9] = [0, 128, 128, 192, 192, 192, 256, 256, 256];

fn calls(turn: usize, chat: &'static Rates) -> Vec<Call> {
    let before: usize = TURNS[..turn].iter().map(|(_, chats)| chats.len()).sum();
    let (question, chats) = TURNS[turn];
    let mut all: Vec<Call> = Vec::new();
    if turn == 0 {
        all.push((&EMBEDDING, [HANDBOOK, 0, 0, 0]));
    }
    all.push((&EMBEDDING, [question, 0, 0, 0]));
    for (at, [input, output]) in chats.iter().enumerate() {
        let is_first = turn == 0 && at == 0;
        let (cached, written) = match (chat.model, is_first) {
            ("gpt-4o-mini", _) => (CACHED[before + at], 0),
            (_, true) => (0, RULES),
            (_, false) => (RULES, 0),
        };
        all.push((chat, [*input, cached, written, *output]));
    }
    all
}

fn nano_usd(calls: &[Call]) -> u64 {
    let one = |(rates, [input, cached, written, output]): &Call| {
        (input - cached - written) * rates.input
            + cached * rates.cache_read
            + written * rates.cache_write
            + output * rates.output
    };
    calls.iter().map(one).sum()
}

fn attribute<'a>(span: &'a Json, key: &str) -> &'a Json {
    let found = span["attributes"].as_array().unwrap().iter().find(|attribute| attribute["key"] == key);
    found.map_or(&Json::Null, |attribute| &attribute["value"])
}

fn count(span: &Json, key: &str) -> u64 {
    attribute(span, key)["intValue"].as_str().map_or(0, |count| count.parse().unwrap())
}

fn billionths(span: &Json, key: &str) -> u64 {
    let usd = attribute(span, key)["doubleValue"].as_f64().unwrap_or_else(|| panic!("{key} is missing in {span:#}"));
    (usd * 1e9).round() as u64
}

fn is_model_call(span: &&Json) -> bool {
    let name = span["name"].as_str().unwrap();
    name.starts_with("chat ") || name.starts_with("embeddings ")
}

fn started(span: &Json) -> u64 {
    span["startTimeUnixNano"].as_str().unwrap().parse().unwrap()
}

/// Dollars as they are printed.
fn dollars(billionths: u64) -> String {
    format!("0.{billionths:09}").trim_end_matches('0').to_owned()
}

fn a_conversation_costs_what_a_sum_by_hand_says(form: &str, chat: &'static Rates) {
    let folder = Folder::new();
    let temp = folder.path().to_str().unwrap();
    let variables = [("TMPDIR", temp), ("TMP", temp)];
    let mut command = process::command(env!("CARGO_BIN_EXE_assistant"), &folder, &["--demo", form], &variables);
    for name in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ASSISTANT_MODEL"] {
        command.env_remove(name);
    }
    let output = process::run(command);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));

    let path = said.lines().find_map(|line| line.strip_prefix("from ")).unwrap_or_else(|| panic!("{said}"));
    let file = TraceFile::read(std::path::Path::new(path));
    assert!(file.unreadable == 0 && !file.is_torn);
    let mut spans: Vec<&Json> = file.spans.iter().collect();
    spans.sort_by_key(|span| started(span));

    // Each call by itself.
    let all: Vec<Call> = (0..TURNS.len()).flat_map(|turn| calls(turn, chat)).collect();
    let model_calls: Vec<&Json> = spans.iter().copied().filter(is_model_call).collect();
    assert_eq!(model_calls.len(), all.len());
    for (span, (rates, [input, cached, written, output])) in model_calls.iter().zip(&all) {
        assert_eq!(attribute(span, "gen_ai.request.model")["stringValue"], rates.model);
        let used = ["input_tokens", "cache_read.input_tokens", "cache_creation.input_tokens", "output_tokens"];
        let used = used.map(|key| count(span, &format!("gen_ai.usage.{key}")));
        assert_eq!(used, [*input, *cached, *written, *output], "{span:#}");
        assert_eq!(
            billionths(span, "spandrel.cost.total"),
            nano_usd(&[(rates, [*input, *cached, *written, *output])]),
            "{span:#}"
        );
    }

    // Each question: its request, the turn and the agent say what all within cost.
    let roots: Vec<&Json> = spans.iter().copied().filter(|span| span["name"] == "POST /chat").collect();
    assert_eq!(roots.len(), TURNS.len());
    for (turn, root) in roots.iter().enumerate() {
        let within = calls(turn, chat);
        let around = ["POST /chat", "chat_turn ask", "invoke_agent workshop"].map(|name| {
            let is_it = |span: &&&Json| span["name"] == name && span["traceId"] == root["traceId"];
            *spans.iter().find(is_it).unwrap_or_else(|| panic!("no {name} in turn {turn}"))
        });
        for span in around {
            assert_eq!(billionths(span, "spandrel.sum.cost"), nano_usd(&within), "{span:#}");
            assert_eq!(count(span, "spandrel.sum.model_calls"), within.len() as u64);
            assert_eq!(count(span, "spandrel.sum.input_tokens"), within.iter().map(|call| call.1[0]).sum::<u64>());
            assert_eq!(count(span, "spandrel.sum.output_tokens"), within.iter().map(|call| call.1[3]).sum::<u64>());
        }
        let told = format!("{} USD]", dollars(nano_usd(&within)));
        assert!(said.contains(&told), "{told} is not in {said}");
    }

    // All of it, as the program prints it.
    let total = said.lines().find(|line| line.starts_with("total of ")).unwrap_or_else(|| panic!("{said}"));
    let total: Vec<&str> = total.split_whitespace().collect();
    let sum = |at: usize| all.iter().map(|call| call.1[at]).sum::<u64>().to_string();
    let expected = [all.len().to_string(), sum(0), sum(1), sum(3), dollars(nano_usd(&all))];
    assert_eq!([total[2], total[5], total[6], total[7], total[8]], expected.each_ref().map(String::as_str), "{said}");

    // Whose it was, and that nothing failed.
    for span in &spans {
        assert_eq!(attribute(span, "session.id")["stringValue"], "session-1", "{span:#}");
        assert_ne!(span["status"]["code"], 2, "{span:#}");
        if span["name"] != "POST /chat" {
            assert_eq!(attribute(span, "user.id")["stringValue"], "ann", "{span:#}");
            assert_eq!(attribute(span, "llm.prompt_template.version")["stringValue"], "3", "{span:#}");
        }
        if span["name"].as_str().unwrap().starts_with("chat ") {
            assert_eq!(attribute(span, "spandrel.stream.outcome")["stringValue"], "completed", "{span:#}");
            assert!(attribute(span, "gen_ai.output.messages")["stringValue"].is_string(), "{span:#}");
        }
    }
    let tools: Vec<&str> =
        spans.iter().filter_map(|span| span["name"].as_str()?.strip_prefix("execute_tool ")).collect();
    assert_eq!(tools, ["price_of_part", "free_times", "price_of_part", "free_times"]);
    assert_eq!(file.count("retrieval handbook"), TURNS.len());
}

#[test]
fn a_conversation_with_the_form_of_openai() {
    a_conversation_costs_what_a_sum_by_hand_says("openai", &GPT_4O_MINI);
}

#[test]
fn a_conversation_with_the_form_of_anthropic() {
    a_conversation_costs_what_a_sum_by_hand_says("anthropic", &HAIKU);
}
