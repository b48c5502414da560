//! Files that are no library for this process, or not a whole one.

use std::fs;
use std::path::Path;

use spandrel_integration_tests::compiler::Compiler;
use spandrel_integration_tests::plugins::plugin;
use spandrel_integration_tests::process::Folder;
use spandrel_integration_tests::stage::Stage;

use crate::{TRACED, platform, start_with};

const NAME_A_PLUGIN: &str = "name the file of a plugin, or install it anew";
const INSTALL: &str = "install it anew: copy it under another name, then rename it";

#[track_caller]
fn assert_refused(stage: &Stage, file: &str, what: &str, remedy: &str) {
    let ended = start_with(stage, &stage.path(file));
    assert_eq!(ended.refusal(), format!("the plugin file {what} (path: {{here}}/{file}; remedy: {remedy})"));
}

#[test]
fn what_is_no_library_is_told_for_what_it_is() {
    let stage = Stage::new();
    for (file, bytes, what) in [
        ("text.so", &b"#!/bin/sh\nexit 0\n"[..], "is a text file, not a shared library"),
        ("archive.so", b"!<arch>\n", "is a static library (an archive), not a shared library"),
        ("lfs.so", b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS, not a shared library"),
        ("gzip.so", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "is a file compressed with gzip, not a shared library"),
        ("noise.so", b"\x00\x01\x02\x03\x04", "is not a shared library: it begins with 00 01 02 03"),
        ("short.so", b"\x7f", "is not a shared library: it begins with 7f"),
    ] {
        fs::write(stage.path(file), bytes).unwrap();
        assert_refused(&stage, file, what, NAME_A_PLUGIN);
    }
    stage.write("empty.so", "");
    assert_refused(&stage, "empty.so", "is empty", INSTALL);
}

#[test]
fn what_the_compiler_makes_besides_plugins_is_told_for_what_it_is() {
    let stage = Stage::new();
    stage.write("x.c", "int x;\n");
    let folder = Folder::new();
    let compile = |arguments: &[&str], file: &str| {
        let [source, output] = [stage.path("x.c"), stage.path(file)].map(|path| path.display().to_string());
        Compiler::c().run(&folder, &[arguments, &["-o", &output, &source]].concat()).unwrap();
    };
    compile(&["-c"], "object.so");
    assert_refused(&stage, "object.so", "is an object file (.o), not a shared library", "link it with -shared");
    compile(&["-shared", "-fPIC"], "x.so");
    let remedy = "name the file of a plugin, whose name usually begins with libspandrel_";
    assert_refused(&stage, "x.so", "is a library, but not a Spandrel plugin", remedy);

    // The program itself.
    let ended = start_with(&stage, Path::new(TRACED));
    let path = Path::new(TRACED).canonicalize().unwrap();
    let expected = format!("the plugin file is a program, not a shared library (path: {}; ", path.display());
    assert!(ended.refusal().starts_with(&expected), "{}", ended.log);

    stage.write("x.c", "int main(void) { return 0; }\n");
    for (arguments, file) in [(&["-static"], "static.so"), (&["-no-pie"], "no_pie.so")] {
        compile(arguments, file);
        assert_refused(&stage, file, "is a program, not a shared library", NAME_A_PLUGIN);
    }
}

#[test]
fn a_plugin_for_another_machine_is_told_with_both() {
    let stage = Stage::new();
    let good = fs::read(stage.telltale("libspandrel_telltale.so", &[])).unwrap();
    let remedy = format!("install the build of the plugin for {}", platform());
    let here = std::env::consts::ARCH;
    for (number, machine) in [(183_u16, "aarch64"), (62, "x86_64"), (0x1234, "machine 0x1234")] {
        if machine == here {
            continue;
        }
        let mut bytes = good.clone();
        bytes[18..20].copy_from_slice(&number.to_ne_bytes());
        fs::write(stage.path("machine.so"), bytes).unwrap();
        assert_refused(&stage, "machine.so", &format!("is built for {machine}, and this process is {here}"), &remedy);
    }
    let bits = usize::BITS;
    let (other, class) = if bits == 64 { (32, 1) } else { (64, 2) };
    let is_other = format!("is a {other}-bit library, and this process is {bits}-bit");
    let mut bytes = good;
    bytes[4] = class;
    fs::write(stage.path("class.so"), bytes).unwrap();
    assert_refused(&stage, "class.so", &is_other, &remedy);

    // A real one, where the compiler can make it.
    stage.write("x.c", "int x;\n");
    let [source, output] = ["x.c", "real.so"].map(|file| stage.path(file).display().to_string());
    let arguments = ["-shared", "-fPIC", "-nostdlib", "-o", &output, &source];
    match Compiler::c().with("-m32").run(&Folder::new(), &arguments) {
        Ok(()) if bits == 64 => assert_refused(&stage, "real.so", &is_other, &remedy),
        result => println!("skipped: no compiler for 32 bits here: {result:?}"),
    }
}

/// Opened as it is, each of them would end the process: SIGBUS in the C library.
#[test]
fn a_copy_that_was_cut_off_is_refused_whatever_its_length() {
    let stage = Stage::new();
    let small = fs::read(stage.telltale("libspandrel_telltale.so", &[])).unwrap();
    let large = fs::read(plugin("file")).unwrap();
    let mut cuts =
        vec![(&small, 4), (&small, 16), (&small, 63), (&small, 64), (&small, 120), (&small, small.len() - 1)];
    cuts.extend((1..16).map(|part| (&small, small.len() * part / 16)));
    cuts.extend([1, 4096, large.len() / 2, large.len() * 9 / 10, large.len() - 1].map(|length| (&large, length)));
    for (whole, length) in cuts {
        fs::write(stage.path("cut.so"), &whole[..length]).unwrap();
        let ended = start_with(&stage, &stage.path("cut.so"));
        let sentence = ended.refusal();
        if length == 1 {
            assert!(sentence.contains(" is not a shared library: it begins with 7f ("), "{sentence}");
            continue;
        }
        assert!(sentence.starts_with("the plugin file is cut off: "), "{length}: {sentence}");
        let tail = format!(", and the file has {length} (path: {{here}}/cut.so; remedy: {INSTALL})");
        assert!(sentence.ends_with(&tail), "{sentence}");
    }
}

/// As an interrupted download leaves it: the length is right, and zeros are where bytes were to come.
#[test]
fn a_copy_whose_end_is_missing_within_its_length_is_refused() {
    let stage = Stage::new();
    let whole = fs::read(stage.telltale("libspandrel_telltale.so", &[])).unwrap();
    for part in 1..16 {
        let mut bytes = whole.clone();
        bytes[whole.len() * part / 16..].fill(0);
        fs::write(stage.path("cut.so"), bytes).unwrap();
        let what = "is damaged: its table of sections leads nowhere; perhaps only a part was copied";
        assert_refused(&stage, "cut.so", what, INSTALL);
    }
}

/// The table at the end of the file is there, and what is loaded reaches beyond it all the same.
#[cfg(target_pointer_width = "64")]
#[test]
fn a_segment_beyond_the_end_is_refused() {
    let stage = Stage::new();
    let whole = fs::read(stage.telltale("libspandrel_telltale.so", &[])).unwrap();
    let number = |at: usize| u64::from_ne_bytes(whole[at..at + 8].try_into().unwrap());
    // Source: System V ABI, the header of a file and those of its segments.
    let (table, count) = (number(32) as usize, usize::from(whole[56]));
    let is_loaded = |at: &usize| whole[*at..*at + 4] == 1_u32.to_ne_bytes();
    for header in (0..count).map(|i| table + 56 * i).filter(is_loaded) {
        let mut bytes = whole.clone();
        let needed = number(header + 8) + number(header + 32) + (1 << 20);
        bytes[header + 32..header + 40].copy_from_slice(&(number(header + 32) + (1 << 20)).to_ne_bytes());
        fs::write(stage.path("cut.so"), bytes).unwrap();
        let what = format!("is cut off: a segment needs {needed} bytes, and the file has {}", whole.len());
        assert_refused(&stage, "cut.so", &what, INSTALL);
    }
}

#[test]
fn what_the_system_cannot_link_is_told_with_what_is_missing() {
    let stage = Stage::new();
    stage.telltale("symbol.so", &["-DNEEDS=nowhere_defined"]);
    let ended = start_with(&stage, &stage.path("symbol.so"));
    assert_eq!(
        ended.refusal(),
        "the system cannot load the plugin: {here}/symbol.so: undefined symbol: nowhere_defined (path: {here}/symbol.so; \
         remedy: link the library that has it into the plugin)"
    );
    stage.write("needed.c", "int needed(void) { return 0; }\n");
    let [source, needed, folder] = ["needed.c", "libneeded.so", ""].map(|file| stage.path(file).display().to_string());
    Compiler::c().run(&Folder::new(), &["-shared", "-fPIC", "-o", &needed, &source]).unwrap();
    stage.telltale("library.so", &["-DNEEDS=needed", "-L", &folder, "-lneeded"]);
    fs::remove_file(&needed).unwrap();
    let ended = start_with(&stage, &stage.path("library.so"));
    assert_eq!(
        ended.refusal(),
        "the system cannot load the plugin: libneeded.so: cannot open shared object file: No such file or directory \
         (path: {here}/library.so; remedy: install the library that the plugin depends on; `ldd` on the plugin shows \
         which)"
    );
}
