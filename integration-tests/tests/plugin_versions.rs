//! Plugins and hosts of other versions of the boundary work together: old and new in both
//! directions, other compilers, other profiles.
//!
//! The sources in `plugins/versions` are frozen: they have declarations of their own.

#![cfg(unix)]

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use spandrel::provider::{Plugin, ProviderFactory};
use spandrel::{self as tracing, Error, ErrorKind, Status, Tracer, diagnostics};
use spandrel_integration_tests::compiler::Compiler;
use spandrel_integration_tests::otlp_json;
use spandrel_integration_tests::plugins::{built_in, c_plugin, foreign_plugin, plugin, root, shipped_plugin};
use spandrel_integration_tests::process::{self, Folder, command};
use spandrel_plugin_api::{Attribute, Host, Resource, SpanContext, SpanData, SpanReader, TraceFlags};

const SERVING: &str = env!("CARGO_BIN_EXE_serving");
const DEADLINE: Duration = Duration::from_secs(60);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn source(name: &str) -> PathBuf {
    root().join("integration-tests/plugins/versions").join(name)
}

fn library(name: &str) -> String {
    format!("{DLL_PREFIX}spandrel_{name}{DLL_SUFFIX}")
}

fn load(name: &str, folder: &Folder) -> Result<Plugin, Error> {
    Plugin::load(&c_plugin(&source(&format!("{name}.c")), name, folder.path()))
}

/// The same source with a macro that makes it another plugin.
fn load_with(name: &str, defined: &str, folder: &Folder) -> Result<Plugin, Error> {
    let path = folder.file("defined.c");
    let included = source(&format!("{name}.c"));
    std::fs::write(&path, format!("#define {defined}\n#include \"{}\"\n", included.display())).unwrap();
    Plugin::load(&c_plugin(&path, name, folder.path()))
}

/// A tracer over the plugin, which writes what it is called with to `calls`.
fn tracer(plugin: &Plugin, folder: &Folder, config: &str) -> Tracer {
    let (name, path) = (plugin.name().to_owned(), folder.file("calls"));
    let builder = tracing::builder().service("shop").provider_type(&name).register(plugin.clone());
    builder.default_config(format!("[provider.{name}]\npath = \"{}\"\n{config}\n", path.display())).build().unwrap()
}

fn calls(folder: &Folder) -> Vec<String> {
    let text = std::fs::read_to_string(folder.file("calls")).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn headers() -> Vec<(&'static str, String)> {
    vec![("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01")), ("x-new", "1".to_owned())]
}

fn linked() -> SpanContext {
    SpanContext::new(TRACE.parse().unwrap(), "00f067aa0ba902b9".parse().unwrap(), TraceFlags::SAMPLED)
}

/// Uses all that a span has; what was injected is returned.
fn serve(tracer: Tracer) -> Vec<(String, String)> {
    tracer.context().within(|| {
        let parent = tracing::extract(&headers());
        let mut injected = Vec::new();
        tracing::span("serve").parent(&parent).attribute("step", 7).run(|span| {
            span.set_attribute("parts", ["a", "b"].as_slice());
            span.set_name("served");
            span.add_event("half", &[]);
            span.add_link(&linked(), &[Attribute::new("why", "retried")]);
            span.set_status(Status::Error("bad"));
            tracing::inject(&mut injected);
        });
        injected
    })
}

/// The spans of an exported batch, which the plugin has written in hexadecimal.
fn spans(hex: &str) -> Vec<SpanData> {
    let digits: Vec<u8> = hex.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    SpanReader::new(&[&bytes[..]]).map(|span| SpanData::from(&span.unwrap())).collect()
}

/// The calls, with what an exporter was given put aside.
fn without_batches(calls: &[String]) -> (Vec<String>, Vec<SpanData>) {
    let mut exported = Vec::new();
    let calls = calls.iter().map(|call| match call.strip_prefix("export ") {
        Some(batch) => {
            let (hex, rest) = batch.split_once(' ').unwrap_or((batch, ""));
            exported.extend(spans(hex));
            format!("export {rest}").trim_end().to_owned()
        }
        None => call.clone(),
    });
    (calls.collect(), exported)
}

#[test]
fn an_exporter_that_knows_less_works_in_this_host() {
    let folder = Folder::new();
    let plugin = load("exporter_old", &folder).unwrap();
    let tracer = tracer(&plugin, &folder, "");
    assert_eq!(serve(tracer).len(), 1, "the configured propagators are asked");
    tracer.flush(DEADLINE).unwrap();
    tracer.health().unwrap();
    tracer.shutdown(DEADLINE).unwrap();
    let stats = tracer.stats();
    assert_eq!((stats.recorded, stats.exported(), stats.panics), (1, 1, 0), "{stats}");
    let (calls, exported) = without_batches(&calls(&folder));
    assert_eq!(calls, ["create name=exporter_old", "export", "flush in time", "shutdown", "destroy"]);
    assert_eq!((exported.len(), exported[0].name.as_str()), (1, "served"));
    assert_eq!(exported[0].trace_id.to_string(), TRACE);
}

#[test]
fn the_errors_of_an_exporter_that_knows_less_are_sentences() {
    let folder = Folder::new();
    let plugin = load("exporter_old", &folder).unwrap();
    let resource = Resource::new();
    let error = plugin.create("", &Host::new(&resource)).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::ConfigInvalid, "the old plugin needs a `path`".into()));
    let error = plugin.validate("").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");

    let tracer = tracer(&plugin, &folder, "refuses = true");
    serve(tracer);
    let error = tracer.flush(DEADLINE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.to_string(), "the old backend is away (provider: exporter_old)");
}

#[test]
fn an_exporter_that_knows_more_works_in_this_host() {
    let folder = Folder::new();
    let plugin = load("exporter_new", &folder).unwrap();
    assert_eq!((plugin.abi(), plugin.version()), ((1, 9), "9.0.0"));
    let tracer = tracer(&plugin, &folder, "");
    let injected = serve(tracer);
    let names: Vec<&str> = injected.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["x-new", "traceparent"], "only what it declares, and what the others write");
    tracer.flush(DEADLINE).unwrap();
    tracer.health().unwrap();
    tracer.shutdown(DEADLINE).unwrap();
    let stats = tracer.stats();
    assert_eq!((stats.recorded, stats.exported(), stats.panics), (1, 1, 2), "two in threads of its own: {stats}");
    assert!(diagnostics::counters()["exporter_new.made"] >= 1);

    let (calls, exported) = without_batches(&calls(&folder));
    let without = |calls: &[String], what: &str| calls.iter().filter(|call| *call != what).cloned().collect::<Vec<_>>();
    let create = calls[0].clone();
    assert!(create.starts_with("create name=exporter_new host=1.0 "), "{create}");
    assert!(create.contains(" service.name:shop "), "{create}");
    assert!(create.ends_with(" tenant=absent spawn=absent metric_names=absent"), "{create}");
    let id = exported[0].span_id;
    assert_eq!(
        without(&calls[1..], "extract value=1 names=absent"),
        [
            "sample name=serve scope=spandrel links=0 step:7 session=absent".to_owned(),
            "on_start name=serve scope=spandrel links=0 step:7 session=absent".to_owned(),
            format!("inject context={TRACE}/{id} append=absent"),
            "export spans=1 checksum=absent retry_after_ns=absent".to_owned(),
            "flush".to_owned(),
            "shutdown".to_owned(),
        ]
    );
    assert_eq!((exported.len(), exported[0].name.as_str()), (1, "served"));
}

#[test]
fn the_errors_of_an_exporter_that_knows_more_are_read_and_released() {
    let folder = Folder::new();
    let plugin = load("exporter_new", &folder).unwrap();
    let resource = Resource::new();
    let error = plugin.create("", &Host::new(&resource)).unwrap_err();
    let text = "the new plugin needs a `path` (backend: the new one): the new cause";
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::ConfigInvalid, text));

    let tracer = tracer(&plugin, &folder, "refuses = true");
    serve(tracer);
    // A status that this version does not know.
    assert!(tracer.flush(DEADLINE).is_err());
    let stats = tracer.stats();
    assert_eq!((stats.recorded, stats.exported(), stats.dropped()), (1, 0, 1), "{stats}");
    let error = tracer.health().unwrap_err();
    let text = "the new backend is away (backend: the new one): the new cause";
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Unavailable, text));
    let releases = calls(&folder).iter().filter(|call| *call == "release").count();
    assert_eq!(releases, 2, "once for each error");
}

#[test]
fn a_live_provider_that_knows_less_works_in_this_host() {
    let folder = Folder::new();
    let plugin = load("live_old", &folder).unwrap();
    let tracer = tracer(&plugin, &folder, "");
    assert_eq!(serve(tracer).len(), 1);
    tracer.flush(DEADLINE).unwrap();
    tracer.health().unwrap();
    tracer.shutdown(DEADLINE).unwrap();
    let calls = calls(&folder);
    let parent = format!("parent={TRACE}/00f067aa0ba902b7");
    let (start, rest) = calls[1].split_once(" context=").unwrap();
    assert_eq!((calls[0].as_str(), start), ("create name=live_old", "start 1 name=serve"));
    assert!(rest.starts_with(TRACE) && rest.ends_with(&format!(" {parent} kind=1 step:7")), "{rest}");
    assert_eq!(
        calls[2..],
        [
            "attributes 1 parts:[a][b]".to_owned(),
            "name 1 name=served".to_owned(),
            "event 1 name=half".to_owned(),
            format!("link 1 context={TRACE}/00f067aa0ba902b9 why:retried"),
            "status 1 2 text=bad".to_owned(),
            "end 1 at its time".to_owned(),
            "flush".to_owned(),
            "shutdown".to_owned(),
        ]
    );
    assert_eq!((tracer.stats().recorded, tracer.stats().panics), (0, 0), "it does not count");
}

#[test]
fn a_live_provider_that_knows_more_works_in_this_host() {
    let folder = Folder::new();
    let plugin = load("live_new", &folder).unwrap();
    let tracer = tracer(&plugin, &folder, "");
    serve(tracer);
    tracer.flush(DEADLINE).unwrap();
    tracer.health().unwrap();
    tracer.shutdown(DEADLINE).unwrap();
    let stats = tracer.stats();
    assert_eq!((stats.recorded, stats.exported(), stats.panics), (1, 1, 0), "{stats}");
    let calls = calls(&folder);
    assert_eq!(calls[0], "create name=live_new spawn=absent");
    assert!(calls[1].starts_with("start 1 name=serve context="), "{}", calls[1]);
    assert!(calls[1].ends_with(" scope=spandrel step:7 cost_center=absent"), "{}", calls[1]);
    assert_eq!(
        calls[2..],
        [
            "enter 1",
            "attributes 1 parts:[a][b]",
            "name 1 name=served",
            "event 1 name=half stack=absent",
            &format!("link 1 context={TRACE}/00f067aa0ba902b9 why:retried"),
            "status 1 2 text=bad",
            "exit 1",
            "end 1",
            "flush manual=absent",
            "shutdown",
        ]
    );

    // Statuses of the future are failures of the call, and no panics.
    let folder = Folder::new();
    let plugin = load("live_new", &folder).unwrap();
    let overloaded = self::tracer(&plugin, &folder, "overloaded = true");
    (0..5).for_each(|_| drop(serve(overloaded)));
    let stats = overloaded.stats();
    assert_eq!((stats.recorded, stats.dropped(), stats.panics), (5, 5, 0), "{stats}");
}

#[test]
fn what_needs_more_than_this_host_has_is_refused_with_both_versions() {
    let folder = Folder::new();
    let shown = folder.path().canonicalize().unwrap().join(library("exporter_needs_newer"));
    let expected = format!(
        "provider \"exporter_needs_newer\" 9.0.0 ({}) needs plugin ABI 1.9 or later, and this program speaks 1.0 \
         (remedy: upgrade spandrel, or install an older build of the plugin)",
        shown.display()
    );
    let error = load("exporter_needs_newer", &folder).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Unsupported, expected.clone()));
    // Where the metadata does not say it, the code does.
    let error = load_with("exporter_needs_newer", "SILENT", &folder).unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Unsupported, expected));

    let shown = folder.path().canonicalize().unwrap().join(library("exporter_v2"));
    let error = load("exporter_v2", &folder).unwrap_err();
    let expected = format!(
        "provider \"exporter_v2\" 20.1.0 ({}) was built for plugin ABI 2.0, and this program speaks 1.0 (accepts 1.x) \
         (remedy: install a build of the plugin for ABI 1, or upgrade spandrel)",
        shown.display()
    );
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Unsupported, expected));
    let error = load_with("exporter_v2", "LIES", &folder).unwrap_err();
    let expected = format!(
        "the plugin does not export spandrel_plugin_v1 (path: {}; remedy: build it for this version of the boundary)",
        shown.display()
    );
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Malformed, expected));
}

/// Whether plugins can be loaded by a program of C: not those for a sanitizer, whose run-time
/// library our programs have.
fn can_load_in_c() -> bool {
    let is_sanitized = std::env::var_os("ASAN_OPTIONS").is_some();
    if is_sanitized {
        println!("skipped: the host has no sanitizer");
    }
    !is_sanitized
}

/// Runs the host that knows less.
fn old_host(folder: &Folder, plugin: &Path, config: &str) -> (Option<i32>, String) {
    let source = source("old_host.c");
    let arguments = ["-O1", "-Wall", "-Wextra", "-Werror", "-o", "old_host", source.to_str().unwrap(), "-ldl"];
    Compiler::c().run(folder, &arguments).unwrap();
    let host = folder.file("old_host");
    let output = process::run(command(host.to_str().unwrap(), folder, &[plugin.to_str().unwrap(), config], &[]));
    let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said)
}

const EXPORTED: &str = "create: 0\ntable has more\nexport: 0\nflush: 0\nshutdown: 0\ndestroy: 0\n";
const LIVED: &str = "create: 0\ntable has more\nstart_span: 0\nset_span_status: 0\nset_span_name: 0\n\
    add_span_attributes: 0\nadd_span_event: 0\nadd_span_link: 0\nend_span: 0\nflush: 0\nshutdown: 0\ndestroy: 0\n";

#[test]
fn exporters_of_this_version_work_in_a_host_that_knows_less() {
    if !can_load_in_c() {
        return;
    }
    let folder = Folder::new();
    for (word, config) in [("file", "path = 'traces.jsonl'"), ("memory", ""), ("console", "format = 'plain'")] {
        let (code, said) = old_host(&folder, &plugin(word), config);
        let (printed, said): (Vec<&str>, Vec<&str>) = said.lines().partition(|line| line.contains("span_id="));
        let expected = format!("plugin {word}, ABI 1, kind 1, has more\n{EXPORTED}");
        assert_eq!((code, said.join("\n") + "\n"), (Some(0), expected));
        assert_eq!(printed.len(), usize::from(word == "console"), "{printed:?}");
    }
    let spans = otlp_json::read(&folder.file("traces.jsonl"));
    assert_eq!((spans.len(), spans[0].name.as_str(), spans[0].end.unix_nanos()), (1, "work", 3));

    // An error has nowhere to be released, so there is none; the log says what the plugin panics of.
    let (code, said) = old_host(&folder, &plugin("file"), "paht = 'traces.jsonl'");
    assert_eq!((code, said), (Some(1), "plugin file, ABI 1, kind 1, has more\ncreate: 1\n".to_owned()));
    let panicking = foreign_plugin("integration-tests/plugins/panicking/exporter/Cargo.toml", "dev", "panicking");
    let (code, said) = old_host(&folder, &panicking, "entry = 'export_batch'");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("\nlog of old 1 panicked at src/trap.rs:"), "{said}");
    assert!(said.contains(": export_batch, by the test\nexport: 7\nflush: 0\nshutdown: 0\ndestroy: 0\n"), "{said}");
}

#[test]
fn live_providers_of_this_version_work_in_a_host_that_knows_less() {
    if !can_load_in_c() {
        return;
    }
    let folder = Folder::new();
    let (code, said) = old_host(&folder, &plugin("noop"), "");
    assert_eq!((code, said), (Some(0), format!("plugin noop, ABI 1, kind 2, has more\n{LIVED}")));
    let live = foreign_plugin("integration-tests/plugins/live-memory/Cargo.toml", "dev", "live_memory");
    let (code, said) = old_host(&folder, &live, "path = 'live.jsonl'");
    assert_eq!((code, said), (Some(0), format!("plugin live_memory, ABI 1, kind 2, has more\n{LIVED}")));
    // What the host does not know is absent: links and scope at the start, attributes of the event.
    let spans = otlp_json::read(&folder.file("live.jsonl"));
    let [span] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((span.name.as_str(), span.end.unix_nanos(), span.attributes.len()), ("rework", 3, 2));
    assert_eq!((span.events.len(), span.events[0].name.as_str(), span.links.len()), (1, "half", 1));
    assert!(span.events[0].attributes.is_empty() && span.links[0].attributes.len() == 1, "{span:?}");
}

/// A program of this crate, built otherwise than this test is.
fn other_host(profile: &str) -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--profile", profile, "-p", "spandrel-integration-tests", "--bin", "serving"])
        .arg("--target-dir")
        .arg(root().join("target/plugins"))
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    built_in(&root().join("target/plugins"), profile).join("serving")
}

/// The plugins `file` and `live_memory` as the nightly compiler makes them, if there is one.
fn nightly_plugins() -> Option<Vec<PathBuf>> {
    let nightly =
        |arguments: &[&str]| Command::new("cargo").arg("+nightly").args(arguments).current_dir(root()).output();
    let version = nightly(&["--version"]).ok().filter(|output| output.status.success())?;
    println!("{}", String::from_utf8_lossy(&version.stdout).trim());
    let target = root().join("target/plugins-nightly");
    let ours = [("plugin-api", "plugin-api"), ("recorder", "recorder"), ("provider-file", "providers/file")];
    let patches = ours.map(|(name, path)| {
        format!("--config=patch.crates-io.spandrel-{name}.path=\"{}\"", root().join(path).display())
    });
    let plugins = [
        ("file", "providers/file/plugin/Cargo.toml", &[][..]),
        ("live_memory", "integration-tests/plugins/live-memory/Cargo.toml", &patches),
    ];
    let built = plugins.iter().map(|(word, manifest, patches)| {
        let (manifest, target) = (root().join(manifest), target.to_str().unwrap());
        let mut arguments = vec!["build", "--quiet", "--lib", "--target-dir", target];
        arguments.extend(["--manifest-path", manifest.to_str().unwrap()]);
        arguments.extend(patches.iter().map(String::as_str));
        let output = nightly(&arguments).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        built_in(target.as_ref(), "dev").join(library(word))
    });
    Some(built.collect())
}

/// All spans of a service arrive through the plugin.
fn assert_serves(host: &Path, plugin: &Path) {
    let folder = Folder::new();
    let what = format!("{} in {}", plugin.display(), host.display());
    std::fs::write(
        folder.file("spandrel.toml"),
        "[provider.file]\npath = 'traces.jsonl'\n[provider.live_memory]\npath = 'traces.jsonl'\n",
    )
    .unwrap();
    let variables = [("TRACING_TYPE", plugin.to_str().unwrap())];
    let output = process::run(command(host.to_str().unwrap(), &folder, &["20"], &variables));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{what}: {said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("recorded 40, exported 40, dropped 0, panicked 0, pending 0, panics 0, balanced"), "{said}");
    assert_eq!(otlp_json::read(&folder.file("traces.jsonl")).len(), 40, "{what}");
}

#[test]
fn plugins_and_hosts_of_all_profiles_and_compilers_work_together() {
    let other = other_host(if cfg!(debug_assertions) { "release" } else { "dev" });
    let live = foreign_plugin("integration-tests/plugins/live-memory/Cargo.toml", "dev", "live_memory");
    let live_release = foreign_plugin("integration-tests/plugins/live-memory/Cargo.toml", "release", "live_memory");
    let mut plugins = vec![plugin("file"), shipped_plugin("file"), live, live_release];
    match nightly_plugins() {
        Some(built) => plugins.extend(built),
        None => println!("skipped: plugins of the nightly compiler, as `cargo +nightly` does not work here"),
    }
    for host in [Path::new(SERVING), &other] {
        plugins.iter().for_each(|plugin| assert_serves(host, plugin));
    }
}
