//! Plugins that panic, in each of their functions: the service goes on, what is lost is
//! counted, and after three the plugin is left alone.

#![cfg(unix)]

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use spandrel::ErrorKind;
use spandrel::provider::{Plugin, ProviderFactory};
use spandrel_integration_tests::plugins::foreign_plugin;
use spandrel_integration_tests::process::{Folder, command, run};
use spandrel_plugin_api::{Host, Resource};

const SERVING: &str = env!("CARGO_BIN_EXE_serving");
/// More than enough for the hundredth call of everything.
const ROUNDS: u64 = 110;
const SPANS: u64 = 2 * ROUNDS;

fn exporter() -> PathBuf {
    foreign_plugin("integration-tests/plugins/panicking/exporter/Cargo.toml", "dev", "panicking")
}

fn live() -> PathBuf {
    foreign_plugin("integration-tests/plugins/panicking/live/Cargo.toml", "dev", "panicking_live")
}

/// What is left of a service.
struct Served {
    said: String,
    log: String,
    code: Option<i32>,
    signal: Option<i32>,
    /// The calls that reached the plugin.
    calls: Vec<String>,
}

/// What became of the spans of one provider.
#[derive(Debug, PartialEq)]
struct Counts {
    recorded: u64,
    exported: u64,
    dropped: u64,
    panicked: u64,
    pending: u64,
    panics: u64,
}

fn serve(plugin: &Path, delay_ms: u64, config: &str, mode: &[&str]) -> Served {
    let folder = Folder::new();
    let file = plugin.file_stem().unwrap().to_string_lossy();
    let name = file.strip_prefix("libspandrel_").unwrap();
    let config = format!("[batch]\ndelay_ms = {delay_ms}\n[provider.{name}]\npath = 'calls'\n{config}\n");
    std::fs::write(folder.file("spandrel.toml"), config).unwrap();
    let rounds = ROUNDS.to_string();
    let arguments = [&[rounds.as_str()], mode].concat();
    let output = run(command(SERVING, &folder, &arguments, &[("TRACING_TYPE", plugin.to_str().unwrap())]));
    let calls = std::fs::read_to_string(folder.file("calls")).unwrap_or_default();
    Served {
        said: String::from_utf8(output.stdout).unwrap(),
        log: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code(),
        signal: output.status.signal(),
        calls: calls.lines().map(str::to_owned).collect(),
    }
}

/// Serves with the plugin only called when the service is waiting for it.
fn serve_in_turn(plugin: &Path, config: &str) -> Served {
    serve(plugin, 600_000, config, &[])
}

impl Served {
    /// What a line of the report says; they are all balanced.
    fn counts(&self, line: &str) -> Counts {
        let counts = self.said.lines().find_map(|said| said.strip_prefix(line)?.strip_prefix(": "));
        let counts = counts.unwrap_or_else(|| panic!("no report of {line}: {}{}", self.said, self.log));
        assert!(counts.ends_with(", balanced"), "{counts}: {}", self.log);
        let number = |what| {
            let count = counts.split(", ").find_map(|count| count.strip_prefix(what)?.strip_prefix(' '));
            count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no {what}: {counts}"))
        };
        Counts {
            recorded: number("recorded"),
            exported: number("exported"),
            dropped: number("dropped"),
            panicked: number("panicked"),
            pending: number("pending"),
            panics: number("panics"),
        }
    }

    fn assert_went_on(&self, what: &str) {
        assert_eq!(self.code, Some(0), "{what}: {}{}", self.said, self.log);
        assert!(self.said.starts_with(&format!("served {ROUNDS}, tracing on\n")), "{what}: {}", self.said);
    }

    /// Each panic is in the log with its place, and that there were too many is, once.
    fn assert_told(&self, name: &str, entry: &str, panics: u64) {
        let is_panic = |line: &&str| {
            let place = line.strip_prefix(&format!("spandrel: warning: plugin {name}: panicked at src/trap.rs:"));
            place.is_some_and(|place| place.ends_with(&format!(": {entry}, by the test")))
        };
        assert_eq!(self.log.lines().filter(is_panic).count() as u64, panics, "{entry}: {}", self.log);
        let out_of_service = format!("provider {name} panicked 3 times and is out of service now");
        assert_eq!(self.log.matches(&out_of_service).count() as u64, u64::from(panics == 3), "{entry}: {}", self.log);
    }

    /// After the third panic the plugin was asked for its counts at most.
    fn assert_left_alone(&self, entry: &str) {
        let panic = format!("{entry} panics");
        let third = self.calls.iter().enumerate().filter(|(_, call)| **call == panic).nth(2);
        let later = &self.calls[third.unwrap_or_else(|| panic!("{entry} did not panic thrice")).0 + 1..];
        assert!(later.iter().all(|call| call == "stats") && later.len() <= 1, "after {entry}: {later:?}");
    }
}

#[test]
fn each_function_of_an_exporter_may_panic() {
    let plugin = exporter();
    for entry in ["export_batch", "flush", "on_start", "sample", "extract", "inject", "stats", "health"] {
        for from in [1, 3, 100] {
            let served = serve_in_turn(&plugin, &format!("entry = '{entry}'\nfrom = {from}"));
            served.assert_went_on(entry);
            served.assert_told("panicking", entry, 3);
            served.assert_left_alone(entry);
            let counts = served.counts("panicking");
            assert_eq!((counts.recorded, counts.panics, counts.pending), (SPANS, 3, 0), "{entry}: {counts:?}");
            assert_eq!((counts.dropped, counts.exported), (counts.panicked, SPANS - counts.panicked), "{entry}");
            // Two spans in each batch.
            let exported = served.calls.iter().filter(|call| *call == "export_batch").count() as u64;
            assert_eq!(counts.exported, 2 * exported, "{entry} from call {from}");
        }
    }
}

#[test]
fn an_exporter_may_panic_while_it_is_idle() {
    let plugin = exporter();
    for from in [1, 3, 100] {
        let config = format!("entry = 'on_idle'\nfrom = {from}");
        let served = serve(&plugin, 1, &config, &["until", "3"]);
        served.assert_went_on("on_idle");
        served.assert_told("panicking", "on_idle", 3);
        let counts = served.counts("panicking");
        assert_eq!((counts.recorded, counts.panics, counts.pending), (SPANS, 3, 0), "{counts:?}");
        assert_eq!(counts.dropped, counts.panicked, "{counts:?}");
        assert_eq!(served.calls.iter().filter(|call| *call == "on_idle panics").count(), 3);
    }
}

#[test]
fn an_exporter_may_panic_at_its_end() {
    let plugin = exporter();
    // An instance with a companion lives as long as the tracer, which is for ever.
    for (entry, companion) in [("shutdown", true), ("shutdown", false), ("destroy", false)] {
        let served = serve_in_turn(&plugin, &format!("entry = '{entry}'\nhas_companion = {companion}"));
        served.assert_went_on(entry);
        served.assert_told("panicking", entry, 1);
        let counts = served.counts("panicking");
        let expected = Counts { recorded: SPANS, exported: SPANS, dropped: 0, panicked: 0, pending: 0, panics: 1 };
        assert_eq!(counts, expected, "{entry}");
    }
}

#[test]
fn each_function_of_a_live_provider_may_panic() {
    let plugin = live();
    for entry in [
        "start_span",
        "end_span",
        "set_span_status",
        "set_span_name",
        "add_span_attributes",
        "add_span_event",
        "add_span_link",
        "flush",
        "enter_span",
        "exit_span",
        "enter_unsampled",
        "exit_unsampled",
        "current_context",
        "sample",
        "extract",
        "inject",
        "stats",
        "health",
    ] {
        for from in [1, 3, 100] {
            let served = serve_in_turn(&plugin, &format!("entry = '{entry}'\nfrom = {from}"));
            served.assert_went_on(entry);
            served.assert_told("panicking_live", entry, 3);
            served.assert_left_alone(entry);
            let counts = served.counts("panicking_live");
            assert_eq!((counts.panics, counts.pending), (3, 0), "{entry} from call {from}: {counts:?}");
            assert_eq!(counts.dropped, counts.panicked, "{entry} from call {from}");
            if entry == "stats" {
                // Nobody knows what became of the spans before.
                assert!(counts.recorded < SPANS, "{counts:?}");
            } else {
                let ended = served.calls.iter().filter(|call| *call == "end_span").count() as u64;
                assert_eq!((counts.recorded, counts.exported), (SPANS, ended), "{entry} from call {from}");
            }
        }
    }
}

#[test]
fn a_live_provider_may_panic_at_its_end() {
    let plugin = live();
    for (entry, mode) in [("shutdown", None), ("retire", Some("swap"))] {
        let served = serve(&plugin, 600_000, &format!("entry = '{entry}'"), mode.as_slice());
        served.assert_went_on(entry);
        served.assert_told("panicking_live", entry, 1);
        let expected = Counts { recorded: SPANS, exported: SPANS, dropped: 0, panicked: 0, pending: 0, panics: 1 };
        assert_eq!(served.counts("panicking_live"), expected, "{entry}");
        assert_eq!(served.said.contains("swapped: served 110, tracing on"), mode.is_some(), "{}", served.said);
    }

    // No tracer destroys what spans may still end in.
    let plugin = Plugin::load(&plugin).unwrap();
    let resource = Resource::new();
    drop(plugin.create("entry = 'destroy'", &Host::new(&resource)).unwrap());
}

#[test]
fn a_plugin_may_panic_when_the_service_forks() {
    for (plugin, name) in [(exporter(), "panicking"), (live(), "panicking_live")] {
        let served = serve(&plugin, 600_000, "entry = 'after_fork_child'", &["fork"]);
        served.assert_went_on("the parent");
        assert!(served.said.contains(&format!("\nchild: served {ROUNDS}, tracing on\n")), "{}", served.said);
        assert!(served.said.contains("\nchild 0\n"), "{}", served.said);
        // In the child it is asked once whether it works there, and not called again.
        served.assert_told(name, "after_fork_child", 1);
        let asked = served.calls.iter().position(|call| call == "after_fork_child panics").unwrap();
        let later: Vec<&String> = served.calls[asked + 1..].iter().filter(|call| *call != "stats").collect();
        assert_eq!(later, ["shutdown"], "the parent's");
        let parent = served.counts(name);
        assert_eq!((parent.recorded, parent.exported, parent.panics), (SPANS, SPANS, 0), "{parent:?}");
        let child = served.counts(&format!("child: {name}"));
        assert_eq!((child.recorded, child.dropped, child.panics), (SPANS, SPANS, 1), "{child:?}");
    }
}

#[test]
fn what_panics_in_turn_when_it_is_dropped_or_shown_is_contained() {
    for (plugin, name, entry, how, panics) in [
        (exporter(), "panicking", "export_batch", "bomb", 3),
        (live(), "panicking_live", "end_span", "bomb", 3),
        (exporter(), "panicking", "export_batch", "when shown", 3),
        // The export has failed, in an orderly way; what follows is a matter of the log.
        (exporter(), "panicking", "export_batch", "when dropped", 0),
        (live(), "panicking_live", "flush", "when shown", 3),
        (live(), "panicking_live", "health", "when dropped", 0),
    ] {
        let what = format!("{entry} {how}");
        let served = serve_in_turn(&plugin, &format!("entry = '{entry}'\nhow = '{how}'"));
        served.assert_went_on(&what);
        let counts = served.counts(name);
        assert_eq!((counts.recorded, counts.panics, counts.pending), (SPANS, panics, 0), "{what}");
        let text = match how {
            "bomb" => ": payload dropped, by the test",
            "when shown" => ": cause shown, by the test",
            _ => ": cause dropped, by the test",
        };
        assert!(served.log.contains(&format!("plugin {name}: panicked at src/trap.rs:")), "{what}: {}", served.log);
        assert!(served.log.contains(text), "{what}: {}", served.log);
    }
}

#[test]
fn a_panic_does_not_leave_tracing_switched_off() {
    for (plugin, name, entry) in [(exporter(), "panicking", "on_start"), (live(), "panicking_live", "add_span_event")] {
        let served = serve_in_turn(&plugin, &format!("entry = '{entry}'\nsuppresses = true"));
        served.assert_went_on(entry);
        assert_eq!(served.counts(name).recorded, SPANS, "{entry}: {}", served.log);
    }
}

#[test]
fn a_plugin_that_cannot_be_created_is_one_sentence() {
    for plugin in [exporter(), live()] {
        for how in ["text", "when shown"] {
            let served = serve_in_turn(&plugin, &format!("entry = 'create'\nhow = '{how}'"));
            let said = served.log.lines().find(|line| line.starts_with("Error: "));
            let said = said.unwrap_or_else(|| panic!("{how}: no error: {}", served.log));
            assert_eq!((served.code, served.said.as_str()), (Some(1), ""), "{said}");
            match how {
                "text" => assert!(said.starts_with("Error: the plugin panicked: create, by the test ("), "{said}"),
                _ => assert!(said.starts_with("Error: the plugin answered with status 7 and without a text"), "{said}"),
            }
        }
        let error = Plugin::load(&plugin).unwrap().validate("entry = 'validate_config'").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert_eq!(error.message(), "the plugin panicked: validate_config, by the test");
    }
}

#[test]
fn a_plugin_whose_panics_abort_is_warned_of_when_it_is_loaded() {
    let plugin = foreign_plugin("integration-tests/plugins/panicking/exporter/Cargo.toml", "abort", "panicking");
    let warning = format!(
        "spandrel: warning: a panic in the plugin panicking ({}) will end this process, because it was built with \
         panic = \"abort\"; build it with panic = \"unwind\"\n",
        plugin.canonicalize().unwrap().display()
    );
    let served = serve_in_turn(&plugin, "");
    served.assert_went_on("no panic");
    assert_eq!(served.log.matches(&warning).count(), 1, "{}", served.log);
    assert_eq!(served.counts("panicking").exported, SPANS);

    let served = serve_in_turn(&plugin, "entry = 'export_batch'\nfrom = 3");
    assert_eq!(served.signal, Some(libc::SIGABRT), "{}", served.log);
    assert!(served.log.contains(&warning), "{}", served.log);
    assert!(served.log.contains("plugin panicking: panicked at src/trap.rs:"), "{}", served.log);
}
