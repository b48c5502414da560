use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use spandrel_plugin_api::{ErrorKind, Host, Provider, ProviderFactory, Resource, SpanExporter};
use spandrel_provider_file::{Durability, FileConfig, FileExporter, FileFactory};

use crate::support::{Directory, export, lines, open, span_names};

#[test]
fn a_torn_last_line_is_cut_off_at_the_start() {
    let directory = Directory::new();
    export(&mut open(&directory.trace_file(), |_| {}), "before").unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(directory.trace_file()).unwrap();
    file.write_all(b"{\"resourceSpans\":[{\"reso").unwrap();

    export(&mut open(&directory.trace_file(), |_| {}), "after").unwrap();
    assert_eq!(span_names(&lines(&directory.trace_file())), ["before", "after"]);
}

#[test]
fn a_renamed_or_removed_file_is_made_anew() {
    let directory = Directory::new();
    let path = directory.trace_file();
    let mut exporter = open(&path, |_| {});
    export(&mut exporter, "one").unwrap();

    fs::rename(&path, path.with_extension("old")).unwrap();
    export(&mut exporter, "two").unwrap();
    assert_eq!(span_names(&lines(&path)), ["two"]);
    assert_eq!(span_names(&lines(&path.with_extension("old"))), ["one"]);

    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    exporter.on_idle();
    assert!(!path.exists(), "there was nothing to write");
    export(&mut exporter, "three").unwrap();
    assert_eq!(span_names(&lines(&path)), ["three"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_no_end() {
    let mut exporter = open(Path::new("/dev/full"), |config| config.rotate.max_bytes = 1);
    for _ in 0..2 {
        let error = export(&mut exporter, "lost").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert_eq!(
            error.to_string(),
            "cannot write to the trace file (path: /dev/full; remedy: free some space, or lower \
             provider.file.rotate.max_bytes and rotate.keep): No space left on device (os error 28)"
        );
    }
}

#[test]
fn an_unusable_path_is_refused_at_the_start() {
    let directory = Directory::new();
    let file = directory.trace_file();
    fs::write(&file, "").unwrap();
    let path = file.join("traces.jsonl");
    let config = format!("path = '{}'", path.display());

    let error = FileFactory.create(&config, &Host::new(&Resource::new())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    let expected = format!(
        "cannot open the trace file (path: {}; remedy: set provider.file.path to a writable place): ",
        path.display()
    );
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn bad_settings_are_refused_at_the_start() {
    for (config, key) in [("path = ''", "path"), ("formt = 'log'", "formt"), ("rotate = { keep = -1 }", "rotate.keep")]
    {
        let error = FileFactory.create(config, &Host::new(&Resource::new())).unwrap_err();
        assert_eq!((error.kind(), error.context("key")), (ErrorKind::ConfigInvalid, Some(key)), "{error}");
    }
}

#[test]
fn the_factory_makes_an_exporter_and_directories() {
    let directory = Directory::new();
    let path = directory.trace_file().with_file_name("a").join("b").join("traces.jsonl");
    let config = format!("path = '{}'", path.display());
    let provider = FileFactory.create(&config, &Host::new(&Resource::new())).unwrap();
    assert!(matches!(provider, Provider::Exporter(_)));
    assert!(path.exists());
    assert_eq!(FileFactory.name(), "file");
}

#[test]
fn every_durability_writes_flushes_and_shuts_down() {
    for durability in [Durability::Process, Durability::Interval, Durability::Every] {
        let directory = Directory::new();
        let mut config = FileConfig::new(directory.trace_file());
        config.durability = durability;
        let mut exporter = FileExporter::open(config).unwrap();
        export(&mut exporter, "one").unwrap();
        exporter.on_idle();
        exporter.flush(Duration::from_secs(1)).unwrap();
        exporter.shutdown(Duration::from_secs(1)).unwrap();
        assert_eq!(span_names(&lines(exporter.path())), ["one"]);
    }
}
