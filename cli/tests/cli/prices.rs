use std::fs;

use serde_json::{Value, json};
use spandrel_integration_tests::process::Folder;

use crate::support::{ok, run, run_with};

/// Two models, of which one has prices for long input and batches.
const TABLE: &str = r#"{"schema_version": 1, "as_of": "2026-11-21", "currency": "USD", "source": {"name": "ours", "version": "7"}, "providers": [
  {"id": "acme", "otel_provider_names": ["acme.ai"], "models": [
    {"id": "big", "match": {"prefix": ["big"]}, "context_window": 1000, "prices": [{"usd": {"output": 10, "input": 2.5, "cache_read": 0.25},
      "tiers": [{"input_tokens_over": 500, "usd": {"input": 5}}]}], "variants": [{"when": {"processing": "batch"}, "from": "2026-10-14", "usd": {"input": 1}}]},
    {"id": "small", "match": {"eq": ["small"]}, "prices": [], "free": true, "deprecated": true}]}]}"#;

fn table(folder: &Folder) -> String {
    let path = folder.file("prices.json");
    fs::write(&path, TABLE).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_model_is_shown_with_what_a_call_costs() {
    let folder = Folder::new();
    let file = table(&folder);
    let shown = ok(&folder, &["prices", "show", "big-1", "--file", &file, "--usage", "600,100,400"]);
    let expected = "acme/big  1000 tokens of context
  input 2.5  output 10  cache_read 0.25
  over 500: input 5
  batch, from 2026-10-14: input 1
  600 in, 100 out, 400 of them from the cache: 0.0021 USD (input 0.0011, output 0.001)  by acme/big, over 500
ours 7, 2026-11-21: US dollars per million tokens, not a bill
";
    assert_eq!(shown, expected);
    let listed = run_with(&folder, &["prices", "show", "--provider", "acme.ai"], &[("TRACING_PRICES_FILE", &file)]);
    let expected = "     input     output cache_read  model
       2.5         10       0.25  acme/big
      free       free       free  acme/small  deprecated
2 models, ours 7, 2026-11-21 (set by TRACING_PRICES_FILE): US dollars per million tokens, not a bill
";
    assert_eq!((listed.code, listed.out.as_str()), (0, expected));
}

#[test]
fn the_prices_of_the_program_are_there() {
    let folder = Folder::new();
    let text = ok(&folder, &["prices", "show", "gpt-4o", "--provider", "openai", "--usage", "1000,500", "--json"]);
    let document: Value = serde_json::from_str(&text).unwrap();
    let model = &document["models"][0];
    assert_eq!((&document["source"], &model["model"]), (&json!("genai-prices 0.2.3"), &json!("gpt-4o")));
    assert_eq!(model["cost"]["total"], "0.0075");
    assert_eq!(model["cost"]["rule"], "openai/gpt-4o");
    assert_eq!(model["prices"][0]["usd"]["input"], "2.5");
    // By everybody who lists it.
    let text = ok(&folder, &["prices", "show", "gpt-4o"]);
    assert!(text.lines().any(|line| line.starts_with("openai/gpt-4o")), "{text}");
    assert_eq!(ok(&folder, &["prices", "show"]).lines().count(), 524 + 2);
}

#[test]
fn what_is_not_there_is_told() {
    let folder = Folder::new();
    let run = run(&folder, &["prices", "show", "my-own", "--provider", "openai"]);
    assert_eq!(run.code, 1);
    assert!(
        run.err.starts_with("error: no price for \"my-own\" of \"openai\"; there are models of openai, anthropic, "),
        "{}",
        run.err
    );
    let run = crate::support::run(&folder, &["prices", "show", "gpt-4o", "--usage", "many"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("write tokens in and out, such as 1000,500"), "{}", run.err);
}

#[test]
fn a_file_is_checked() {
    let folder = Folder::new();
    let file = table(&folder);
    assert_eq!(ok(&folder, &["prices", "check", &file]), format!("ok  {file}: 2 models, ours 7, 2026-11-21\n"));
    fs::write(&file, TABLE.replace("2.5", "-2.5")).unwrap();
    let wrong = run(&folder, &["prices", "check", &file]);
    assert_eq!(wrong.code, 1);
    let expected = format!(
        "error: {file}: provider \"acme\": model \"big\": prices[0]: the rate input is \"-2.5\"; write US dollars as a decimal"
    );
    assert!(wrong.err.starts_with(&expected), "{}", wrong.err);
    assert_eq!(run(&folder, &["prices", "check", "missing.json"]).code, 3);
}

#[test]
fn an_update_says_what_changes_and_leaves_nothing_half() {
    let folder = Folder::new();
    let file = table(&folder);
    let to = folder.file("in-force.json").to_str().unwrap().to_owned();
    let first = ok(&folder, &["prices", "update", "--from", &file, "--to", &to]);
    let (head, last) = (first.lines().next().unwrap(), first.lines().last().unwrap());
    assert_eq!(head, format!("wrote {to}: ours 7, 2026-11-21 (before genai-prices 0.2.3, 2026-11-21)"));
    assert_eq!(last, "2 added, 524 removed, 0 changed");
    assert_eq!(fs::read_to_string(&to).unwrap(), TABLE);

    let newer = TABLE
        .replace("\"small\"", "\"tiny\"")
        .replace("2.5", "2.25")
        .replace("\"input\": 5", "\"cache_read\": 0.5")
        .replace("as_of\": \"2026-11-21", "as_of\": \"2026-11-20");
    fs::write(&file, &newer).unwrap();
    let expected = format!(
        "wrote {to}: ours 7, 2026-11-20 (before ours 7, 2026-11-21)
these prices are older than those before\n+ acme/tiny\n- acme/small\n~ acme/big
    input 2.5 -> 2.25\n    over 500: cache_read none -> 0.5\n    over 500: input 5 -> none\n1 added, 1 removed, 1 changed\n"
    );
    // Looked at first, and with nothing written.
    let variables = [("TRACING_PRICES_FILE", to.as_str())];
    let dry = run_with(&folder, &["prices", "update", "--from", &file, "--dry-run"], &variables);
    assert_eq!((dry.code, dry.out), (0, expected.replace("wrote ", "would write ")));
    assert_eq!(fs::read_to_string(&to).unwrap(), TABLE);
    let dry = run_with(&folder, &["prices", "update", "--from", &file, "--dry-run", "--json"], &variables);
    let document: Value = serde_json::from_str(&dry.out).unwrap();
    assert_eq!(document["written"], false);
    let changed = json!([{"model": "acme/big", "rates": [
        {"condition": "", "rate": "input", "before": "2.5", "after": "2.25"},
        {"condition": "over 500", "rate": "cache_read", "before": null, "after": "0.5"},
        {"condition": "over 500", "rate": "input", "before": "5", "after": null},
    ]}]);
    assert_eq!(document["changed"], changed);
    let second = run_with(&folder, &["prices", "update", "--from", &file], &variables);
    assert_eq!((second.code, second.out), (0, expected));

    // What is not well changes nothing.
    fs::write(&file, "{}").unwrap();
    assert_eq!(run(&folder, &["prices", "update", "--from", &file, "--to", &to]).code, 1);
    assert_eq!(fs::read_to_string(&to).unwrap(), newer);
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["in-force.json", "prices.json"]);
    let nowhere = run(&folder, &["prices", "update", "--from", &file]);
    assert_eq!(
        (nowhere.code, nowhere.err.as_str()),
        (2, "error: where to? give --to FILE, or set TRACING_PRICES_FILE, which services read as well\n")
    );
    let document: Value =
        serde_json::from_str(&ok(&folder, &["prices", "update", "--from", &to, "--to", &to, "--json"])).unwrap();
    assert_eq!(
        document,
        json!({"file": to, "written": true, "source": "ours 7", "as_of": "2026-11-20", "as_of_before": "2026-11-20", "added": [], "removed": [], "changed": []})
    );
}

#[test]
fn a_call_is_told_by_name() {
    let folder = Folder::new();
    let usage = "input=1300,output=50,cache_read=1000,cache_write=200";
    let show = ["prices", "show", "claude-3-5-haiku-20241022", "--provider", "anthropic", "--usage"];
    let shown = ok(&folder, &[&show[..], &[usage]].concat());
    // 100 at 0.8, 1000 at 0.08, 200 at 1, and 50 at 4 US dollars per million.
    let line = "  1300 in, 50 out, 1000 of them from the cache, 200 of them written to the cache: 0.00056 USD \
                (input 0.00036, output 0.0002)  by anthropic/claude-3-5-haiku";
    assert!(shown.lines().any(|shown| shown.starts_with(line)), "{shown}");
    let wrong = run(&folder, &[&show[..], &["input=1,cache_rite=2"]].concat());
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.err.contains("there is no count `cache_rite`; did you mean `cache_write`? (known here: "),
        "{}",
        wrong.err
    );
}

#[test]
fn prices_of_the_configuration_are_shown_with_what_set_them() {
    let folder = Folder::new();
    let text = "[prices]\nfile = 'prices.json'\n\"small\" = { input = 0.5, output = 2 }\n\"acme/bi*\" = { input = 7, output = 8 }\n";
    fs::write(folder.file("spandrel.toml"), text).unwrap();
    table(&folder);
    let shown = ok(&folder, &["prices", "show", "small", "--usage", "1000,100"]);
    let expected = "configured/small  set by spandrel.toml:3:1
  input 0.5  output 2
  1000 in, 100 out: 0.0007 USD (input 0.0005, output 0.0002)  by configured/small
[prices] of the configuration (set by spandrel.toml:2:1): US dollars per million tokens, not a bill
";
    assert_eq!(shown, expected);
    // For one provider only.
    let shown = ok(&folder, &["prices", "show", "big", "--usage", "1000,100"]);
    assert!(shown.starts_with("configured/acme/bi*  set by spandrel.toml:4:1\n  input 7  output 8\n"), "{shown}");
    assert!(shown.contains(": 0.0078 USD "), "{shown}");
    let text = ok(&folder, &["prices", "show", "small", "--json"]);
    let document: Value = serde_json::from_str(&text).unwrap();
    let told = (&document["source"], &document["origin"], &document["models"][0]["origin"]);
    assert_eq!(told, (&json!("ours 7"), &json!("spandrel.toml:2:1"), &json!("spandrel.toml:3:1")));
    // A file of the command line is all there is.
    let shown = ok(&folder, &["prices", "show", "small", "--file", "prices.json"]);
    assert!(shown.starts_with("acme/small  deprecated\n  free\nours 7, 2026-11-21: US dollars"), "{shown}");
    // Another configuration, and one that is wrong.
    fs::write(folder.file("other.toml"), "[prices]\nsmall = { inptu = 1 }\n").unwrap();
    let wrong = run(&folder, &["prices", "show", "small", "--config", "other.toml"]);
    assert_eq!(wrong.code, 1);
    assert!(
        wrong.err.starts_with(
            "error: other.toml:2:11: [prices.\"small\"]: there is no rate \"inptu\"; did you mean `input`?"
        ),
        "{}",
        wrong.err
    );
}
