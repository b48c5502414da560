use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use spandrel_integration_tests::process::Folder;

use crate::support::{ai_calls, command, ended, ok, run, run_on, run_with, shop};

const TREES: &str = "\
trace 4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b  2025-08-16T15:27:07Z  4 spans, 2 errors
  42.3ms  POST /checkout  server  (shop)  ✗  http.response.status_code=500  url…
  1.23ms  ├─ reserve_stock  cart.items=3  big=-9223372036854775808  ratio=0.1  …
  30.0ms  └─ charge_card  client
  26.0ms     └─ POST /pay  server  (payments)  ✗ card declined

trace 5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c  2025-08-16T15:28:07Z  2 spans
   850µs  health  (shop)  (parent not here)
  1.70ms  health  (shop)  (parent not here)
";

#[test]
fn traces_are_trees() {
    let folder = Folder::new();
    shop(&folder);
    assert_eq!(ok(&folder, &["show"]), TREES);
    assert!(TREES.lines().all(|line| line.chars().count() <= 80));
}

#[test]
fn a_file_is_read_however_it_comes() {
    let folder = Folder::new();
    shop(&folder);
    let lines = std::fs::read(folder.file("traces.jsonl")).unwrap();
    assert_eq!(run_on(&folder, &["show", "-"], &lines).out, TREES);
    if cfg!(feature = "zstd") {
        std::fs::write(folder.file("old.jsonl.zst"), zstd::encode_all(&lines[..], 1).unwrap()).unwrap();
        assert_eq!(ok(&folder, &["show", "old.jsonl.zst"]), TREES);
    }
    ok(&folder, &["convert", "--to", "otlp", "-o", "traces.pb"]);
    assert_eq!(ok(&folder, &["show", "traces.pb"]), TREES);
    assert_eq!(ok(&folder, &["show", "traces.pb", "--from", "otlp"]), TREES);
    // One document on many lines.
    let document: Value = serde_json::from_slice(lines.split(|byte| *byte == b'\n').nth(1).unwrap()).unwrap();
    std::fs::write(folder.file("pretty.json"), serde_json::to_string_pretty(&document).unwrap()).unwrap();
    assert_eq!(ok(&folder, &["show", "pretty.json"]).lines().filter(|line| line.contains("health")).count(), 2);
}

#[test]
fn filters_choose_traces() {
    let folder = Folder::new();
    shop(&folder);
    let (checkout, health) = TREES.split_once("\n\n").unwrap();
    let checkout = format!("{checkout}\n");
    for (arguments, expected) in [
        (&["--name", "POST *"][..], &*checkout),
        (&["--name", "health"], health),
        (&["--trace", "4B4b"], &checkout),
        (&["--service", "payments"], &checkout),
        (&["--errors"], &checkout),
        (&["--min-duration", "42.34ms"], &checkout),
        (&["--attribute", "cart.items=3"], &checkout),
        (&["--attribute", "vip"], &checkout),
        (&["--attribute", "region=eu-*", "--name", "health"], health),
        (&["--since", "2025-08-16T15:28:00Z"], health),
        (&["--last", "1"], health),
        (&["--name", "health", "--since", "2025-08-16"], health),
    ] {
        assert_eq!(ok(&folder, &[&["show"], arguments].concat()), expected, "{arguments:?}");
    }
    // All conditions are for one span.
    for arguments in [&["--name", "nothing"][..], &["--errors", "--name", "charge_card"], &["--since", "1m"]] {
        let run = run(&folder, &[&["show"], arguments].concat());
        assert_eq!((run.code, &*run.out, &*run.err), (1, "", "error: no trace fits the filters\n"), "{arguments:?}");
    }
}

#[test]
fn full_has_everything() {
    let folder = Folder::new();
    shop(&folder);
    let text = ok(&folder, &["show", "--full", "--width", "0", "--name", "reserve_stock"]);
    for line in [
        "  1.23ms  ├─ reserve_stock\n",
        "          │     prices = [1.5, NaN, -0]\n",
        "          │     span 0202020202020202 at 2025-08-16T15:27:07.001000Z\n",
        "          │     text = käse \"🧀\"\\n\n",
        "          │     event paid after 1.00ms  amount=9.5\n",
        "          │     link to span 7878787878787878 of trace 77777777777777777777777777777777  why=retry\n",
        "             resource  service.name=shop  region=eu-1\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(text.matches("cart.items").count(), 1, "{text}");
    let cut = ok(&folder, &["show", "--width", "0", "--name", "reserve_stock"]);
    let line = "  1.23ms  ├─ reserve_stock  cart.items=3  big=-9223372036854775808  ratio=0.1  vip=true  prices=[1.5, NaN, -0]  text=käse \"🧀\"\\n\n";
    assert!(cut.contains(line), "{cut}");
}

#[test]
fn json_has_stable_keys() {
    let folder = Folder::new();
    shop(&folder);
    let document: Value = serde_json::from_str(&ok(&folder, &["show", "--json"])).unwrap();
    let traces = document["traces"].as_array().unwrap();
    assert_eq!(traces.len(), 2);
    assert_eq!((&traces[0]["errors"], &traces[0]["duration_ns"]), (&2.into(), &42_340_000.into()));
    let span = &traces[0]["spans"][1];
    let mut keys: Vec<&String> = span.as_object().unwrap().keys().collect();
    keys.sort();
    let expected = "attributes depth duration_ns end_unix_nano events kind links name parent_span_id resource service span_id \
                    start_unix_nano status status_message trace_id";
    assert_eq!(keys, expected.split_whitespace().collect::<Vec<_>>());
    assert_eq!(
        (&span["depth"], &span["name"], &span["attributes"]["cart.items"]),
        (&1.into(), &"reserve_stock".into(), &3.into())
    );
    assert_eq!(span["events"][0]["attributes"]["amount"], 9.5);
}

#[test]
fn what_cannot_be_read_is_told_and_left_out() {
    let folder = Folder::new();
    shop(&folder);
    let mut bytes = std::fs::read(folder.file("traces.jsonl")).unwrap();
    bytes.splice(0..0, *b"no json\n{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"1\"}]}]}]}\n\n");
    bytes.extend_from_slice(b"{\"resourceSpans\":[{\"scope");
    std::fs::write(folder.file("torn.jsonl"), &bytes).unwrap();
    let run_torn = run(&folder, &["show", "torn.jsonl"]);
    assert_eq!((run_torn.code, &*run_torn.out), (0, TREES));
    let lines: Vec<&str> = run_torn.err.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("torn.jsonl:1: left out: expected ident"), "{}", lines[0]);
    assert_eq!(
        lines[1],
        "torn.jsonl:2: left out: resourceSpans: scopeSpans: spans: traceId: must have 32 hexadecimal digits, not \"1\""
    );
    assert_eq!(lines[2], "torn.jsonl:6: left out: the last line is torn: its writer was killed, or is at work");

    std::fs::write(folder.file("log.jsonl"), "{\"timestamp\":\"x\",\"trace\":{}}\n").unwrap();
    let run_log = run(&folder, &["show", "log.jsonl"]);
    assert_eq!((run_log.code, &*run_log.out), (3, ""));
    assert!(run_log.err.contains("a line of the format `log`"), "{}", run_log.err);
    assert!(
        run_log.err.ends_with("error: nothing in log.jsonl could be read; --from names its format\n"),
        "{}",
        run_log.err
    );
}

#[test]
fn exit_codes_are_those_of_the_help() {
    let folder = Folder::new();
    let help = ok(&folder, &["--help"]);
    assert!(help.contains("3  something could not be read or written"), "{help}");
    let missing = run(&folder, &["show"]);
    assert_eq!(missing.code, 3);
    let expected = "error: cannot read traces.jsonl: No such file or directory (os error 2); name the trace file, or `-` for standard input\n";
    assert_eq!(missing.err, expected);
    assert_eq!(run(&folder, &["shwo"]).code, 2);
    let wrong = run(&folder, &["show", "--min-duration", "5"]);
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.err.contains("a duration is a number and ns, us, ms, s, m, h or d, such as 250ms, not `5`"),
        "{}",
        wrong.err
    );
    std::fs::write(folder.file("empty.jsonl"), "").unwrap();
    assert_eq!(run(&folder, &["show", "empty.jsonl"]).err, "error: there is no trace\n");
    std::fs::write(folder.file("photo.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let photo = run(&folder, &["show", "photo.png"]);
    assert_eq!((photo.code, &*photo.err), (3, "error: cannot tell the format of photo.png; name it with --from\n"));
}

#[test]
fn colours_are_for_terminals_or_on_demand() {
    let folder = Folder::new();
    shop(&folder);
    let coloured = ok(&folder, &["show", "--color", "always"]);
    assert!(coloured.contains("\u{1b}[31mPOST /checkout\u{1b}[0m"), "{coloured}");
    let plain = run_with(&folder, &["show"], &[("NO_COLOR", "1"), ("TERM", "xterm")]);
    assert_eq!(plain.out, TREES);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = Folder::new();
    shop(&folder);
    for arguments in [&["show"][..], &["stats"], &["convert", "--to", "zipkin"], &["show", "--json"]] {
        let mut child = command(&folder, arguments, &[]).stdin(Stdio::null()).spawn().unwrap();
        drop(child.stdout.take());
        let run = ended(child);
        assert_eq!((run.code, &*run.err), (0, ""), "{arguments:?}");
    }
}

#[test]
fn what_a_trace_says_cannot_reach_the_terminal() {
    use crate::support::{Made, write_spans};
    let folder = Folder::new();
    write_spans(&folder.file("traces.jsonl"), "s\u{1b}]0;x\u{7}", &[Made::new(1, 1, None, "a\u{1b}[2Jb", 0, 1)]);
    for arguments in [&["show"][..], &["show", "--full"], &["stats"]] {
        let text = ok(&folder, arguments);
        assert!(!text.contains('\u{1b}') && text.contains("a\\u{1b}[2Jb"), "{text}");
    }
}

#[test]
fn odd_trees_are_shown() {
    use crate::support::{Made, write_spans};
    let folder = Folder::new();
    // Each is the other's parent, and one is its own.
    let names = ["one", "two", "own"];
    let made =
        [(1, 2), (2, 1), (3, 3)].map(|(id, parent)| Made::new(7, id, Some(parent), names[usize::from(id) - 1], 0, 1));
    write_spans(&folder.file("cycle.jsonl"), "s", &made);
    let text = ok(&folder, &["show", "cycle.jsonl"]);
    assert!(names.iter().all(|name| text.matches(name).count() == 1), "{text}");
    // A chain that is deeper than any screen is wide.
    let chain: Vec<Made<'_>> =
        (1..=250).map(|id| Made::new(8, id, Some(id - 1).filter(|id| *id > 0), "link", 0, 1)).collect();
    write_spans(&folder.file("chain.jsonl"), "s", &chain);
    let text = ok(&folder, &["show", "chain.jsonl"]);
    assert_eq!(text.lines().count(), 251);
    assert!(text.lines().all(|line| line.chars().count() <= 80) && text.contains("(249) link"), "{text}");
}

/// Unlike what is read, what is in memory has a limit. The order of the file is none here:
/// each batch has one span of each of many traces, as that of a busy service may.
#[cfg(target_os = "linux")]
#[test]
fn a_large_file_does_not_fill_the_memory() {
    use std::fmt::Write;

    const TRACES: usize = 5_000;
    const SPANS: usize = 10;
    // Long, so that all spans are more than the memory that is allowed.
    let pad = "x".repeat(2_000);
    let folder = Folder::new();
    let mut lines = String::new();
    for span in 0..SPANS {
        let mut spans = String::new();
        for trace in 0..TRACES {
            let comma = if trace == 0 { "" } else { "," };
            let parent = if span == 0 { String::new() } else { format!("\"parentSpanId\":\"{:016x}\",", 1) };
            write!(
                spans,
                "{comma}{{\"traceId\":\"{:032x}\",\"spanId\":\"{:016x}\",{parent}\"name\":\"n{span}\",\
                 \"startTimeUnixNano\":\"{}\",\"endTimeUnixNano\":\"{}\",\
                 \"attributes\":[{{\"key\":\"pad\",\"value\":{{\"stringValue\":\"{pad}\"}}}}]}}",
                trace + 1,
                span + 1,
                1_000_000 + trace * 100 + span,
                2_000_000
            )
            .unwrap();
            if trace % 500 == 499 {
                writeln!(
                    lines,
                    "{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{}]}}]}}]}}",
                    spans.trim_start_matches(',')
                )
                .unwrap();
                spans.clear();
            }
        }
    }
    assert!(lines.len() > 100_000_000);
    std::fs::write(folder.file("traces.jsonl"), lines).unwrap();
    let temp = folder.path().to_str().unwrap();
    for arguments in [&["show"][..], &["show", "--json"], &["stats"]] {
        let mut child = command(&folder, arguments, &[("TMPDIR", temp)]).spawn().unwrap();
        let pid = child.id();
        // Until it has ended: then there is no figure any more.
        let peak = std::thread::spawn(move || {
            let figures = std::iter::repeat_with(|| high_water(pid)).take_while(|kilobytes| *kilobytes > 0);
            figures.inspect(|_| std::thread::sleep(Duration::from_millis(1))).max().unwrap_or(0)
        });
        let mut out = child.stdout.take().unwrap();
        let mut text = vec![0; 1 << 16];
        let mut spans = 0;
        let is_span: &[u8] = if arguments.contains(&"--json") { b"\"name\":" } else { b" n" };
        let mut left: Vec<u8> = Vec::new();
        loop {
            let read = std::io::Read::read(&mut out, &mut text).unwrap();
            if read == 0 {
                break;
            }
            left.extend_from_slice(&text[..read]);
            spans += left.windows(is_span.len()).filter(|bytes| *bytes == is_span).count();
            left.drain(..left.len().saturating_sub(is_span.len() - 1));
        }
        let peak = peak.join().unwrap();
        assert!(peak > 0 && peak < 80_000, "{arguments:?}: {peak} kB");
        let run = ended(child);
        assert_eq!((run.code, &*run.err), (0, ""), "{arguments:?}");
        let expected = match arguments {
            // And the head of its column.
            ["stats"] => SPANS + 1,
            _ => TRACES * SPANS,
        };
        assert_eq!(spans, expected, "{arguments:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    }
}

/// The most memory that the process has had so far, in kB; 0 if it is gone.
#[cfg(target_os = "linux")]
fn high_water(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

#[test]
fn tokens_and_cost_come_first_and_what_is_inherited_does_not_come_again() {
    let folder = Folder::new();
    ai_calls(&folder);
    let shown = ok(&folder, &["show", "--width", "0"]);
    let lines: Vec<&str> = shown.lines().skip(1).collect();
    let expected = [
        "   500µs  invoke_agent helper  (assistant)  2310 tokens  tag.tags=a  metadata={\"team\":\"search\"}  gen_ai.operation.name=invoke_agent",
        "   100µs  ├─ chat gpt-4o  client  1500→60 tokens  0.00312 USD  gen_ai.operation.name=chat  openinference.span.kind=LLM  \
         gen_ai.provider.name=openai  llm.system=openai  gen_ai.usage.cache_read.input_tokens=1000  llm.token_count.prompt_details.cache_read=1000",
        "   100µs  ├─ chat gpt-4o  client  ✗ timeout  error.type=timeout  gen_ai.operation.name=chat  gen_ai.provider.name=openai",
        "   100µs  ├─ embed  client  800 tokens  0.0000016 USD  mistral-embed  openinference.span.kind=EMBEDDING",
        "   100µs  ├─ ask  client  10→5 tokens  own  gen_ai.provider.name=acme",
        "  1.00µs  └─ tool",
    ];
    assert_eq!(lines, expected);
    // All of it is there on demand.
    let full = ok(&folder, &["show", "--full"]);
    assert_eq!(full.matches("tag.tags = a").count(), 4, "{full}");
    assert_eq!(full.matches("gen_ai.usage.input_tokens = 1500").count(), 1, "{full}");
    let spans = std::fs::read(folder.file("traces.jsonl")).unwrap();
    let last = run_on(&folder, &["tail", "-", "--width", "0"], &spans).out;
    assert!(last.contains("chat gpt-4o  client  (assistant)  1500→60 tokens  0.00312 USD  tag.tags=a"), "{last}");
}
