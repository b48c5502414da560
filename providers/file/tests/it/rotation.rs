use std::fs;

use crate::support::{Directory, export, lines, open, span_names};

#[test]
fn rotates_by_size_and_keeps_the_newest() {
    let directory = Directory::new();
    let mut exporter = open(&directory.trace_file(), |config| {
        config.rotate.max_bytes = 1;
        config.rotate.keep = 2;
    });
    for name in ["one", "two", "three", "four", "five"] {
        export(&mut exporter, name).unwrap();
    }
    let mut names: Vec<String> = directory.rotated().iter().flat_map(|path| span_names(&lines(path))).collect();
    names.extend(span_names(&lines(&directory.trace_file())));
    assert_eq!(names, ["three", "four", "five"]);
}

#[test]
fn a_file_grows_up_to_the_limit() {
    let directory = Directory::new();
    export(&mut open(&directory.trace_file(), |_| {}), "measure").unwrap();
    let line = fs::metadata(directory.trace_file()).unwrap().len();

    let mut exporter = open(&directory.trace_file(), |config| config.rotate.max_bytes = 2 * line);
    export(&mut exporter, "fits in").unwrap();
    assert_eq!(directory.rotated().len(), 0);
    export(&mut exporter, "is more").unwrap();
    assert_eq!(directory.rotated().len(), 1);
    assert_eq!(span_names(&lines(&directory.rotated()[0])), ["measure", "fits in"]);
}

#[test]
fn a_rotated_file_stays_while_another_writer_has_it_open() {
    let directory = Directory::new();
    let mut slow = open(&directory.trace_file(), |_| {});
    let mut exporter = open(&directory.trace_file(), |config| {
        config.rotate.max_bytes = 1;
        config.rotate.keep = 1;
    });
    for name in ["one", "two", "three", "four"] {
        export(&mut exporter, name).unwrap();
    }
    let rotated = || -> Vec<String> { directory.rotated().iter().flat_map(|path| span_names(&lines(path))).collect() };
    assert_eq!(rotated(), ["one", "three"]);

    export(&mut slow, "moved over").unwrap();
    assert_eq!(span_names(&lines(&directory.trace_file())), ["four", "moved over"]);
    export(&mut exporter, "five").unwrap();
    assert_eq!(rotated(), ["four", "moved over"]);
}

#[cfg(feature = "zstd")]
#[test]
fn rotated_files_are_compressed() {
    use spandrel_provider_file::Compression;

    let directory = Directory::new();
    let mut exporter = open(&directory.trace_file(), |config| {
        config.rotate.max_bytes = 1;
        config.rotate.compress = Compression::Zstd;
    });
    export(&mut exporter, "one").unwrap();
    let plain = fs::read(directory.trace_file()).unwrap();
    export(&mut exporter, "two").unwrap();

    let [rotated] = &directory.rotated()[..] else { panic!("{:?}", directory.rotated()) };
    assert!(rotated.to_str().unwrap().ends_with(".jsonl.zst"), "{rotated:?}");
    assert_eq!(zstd::decode_all(fs::File::open(rotated).unwrap()).unwrap(), plain);
    assert_eq!(span_names(&lines(&directory.trace_file())), ["two"]);
}
