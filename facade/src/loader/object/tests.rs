use std::path::Path;

use super::samples::{Elf, macho, pe, universal};
use super::{Format, Target, metadata_section, section_for};

const LINUX: Target = Target { format: Format::Elf, arch: "x86_64", bits: 64, big_endian: false };
const MACOS: Target = Target { format: Format::MachO, arch: "aarch64", bits: 64, big_endian: false };
const WINDOWS: Target = Target { format: Format::Pe, arch: "x86_64", bits: 64, big_endian: false };

fn elf(change: impl FnOnce(&mut Elf)) -> Vec<u8> {
    let mut elf = Elf::plugin("x = 1");
    change(&mut elf);
    elf.bytes()
}

fn refusal(bytes: &[u8], target: &Target) -> (String, String) {
    let refusal = section_for(bytes, target).unwrap_err();
    (refusal.message, refusal.remedy)
}

#[test]
fn the_metadata_is_found() {
    assert_eq!(section_for(&elf(|_| ()), &LINUX).unwrap(), b"x = 1");
    for (bits, big_endian, machine, arch) in
        [(64, true, 22, "s390x"), (32, false, 40, "arm"), (32, true, 8, "mips"), (64, false, 0x7777, "unheard-of")]
    {
        let bytes = elf(|elf| (elf.bits, elf.big_endian, elf.machine) = (bits, big_endian, machine));
        let target = Target { format: Format::Elf, arch, bits, big_endian };
        assert_eq!(section_for(&bytes, &target).unwrap(), b"x = 1", "{arch}");
    }
    let library = macho(0x0100_000c, 6, Some(b"x = 1"));
    assert_eq!(section_for(&library, &MACOS).unwrap(), b"x = 1");
    let both = universal(&[(0x0100_0007, macho(0x0100_0007, 6, Some(b"y = 1"))), (0x0100_000c, library)]);
    assert_eq!(section_for(&both, &MACOS).unwrap(), b"x = 1");
    assert_eq!(section_for(&pe(0x8664, 0x2022, Some(b"x = 1")), &WINDOWS).unwrap(), b"x = 1");
}

#[test]
fn what_cannot_be_loaded_is_told_apart() {
    let platform = super::platform();
    let build = format!("install the build of the plugin for {platform}");
    let name = "name the file of a plugin, or install it anew";
    let again = "install it anew: copy it under another name, then rename it";
    let macro_ = "build it with the macro SPANDREL_METADATA of spandrel.h, or with export_exporter! or \
                  export_provider! of the Rust SDK";
    let spandrel = "name the file of a plugin, whose name usually begins with libspandrel_";
    let whole = elf(|_| ());
    let length = whole.len();
    let mut misaligned = whole.clone();
    misaligned[54] = 32;
    let mut blank = whole.clone();
    let end = blank.len() - 256;
    blank[end..].fill(0);
    let cases: &[(&str, &Target, Vec<u8>, String, &str)] = &[
        ("empty", &LINUX, vec![], "is empty".into(), again),
        ("text", &LINUX, b"#!/bin/sh\nexit 0\n".to_vec(), "is a text file, not a shared library".into(), name),
        ("umlauts", &LINUX, "ä".repeat(300).into_bytes(), "is a text file, not a shared library".into(), name),
        ("noise", &LINUX, vec![0, 1, 0xfe, 3, 4], "is not a shared library: it begins with 00 01 fe 03".into(), name),
        (
            "archive",
            &LINUX,
            b"!<arch>\nx".to_vec(),
            "is a static library (an archive), not a shared library".into(),
            name,
        ),
        (
            "LFS",
            &LINUX,
            b"version https://git-lfs.github.com/spec/v1\n".to_vec(),
            "is a pointer of Git LFS, not a shared library".into(),
            name,
        ),
        (
            "PE",
            &LINUX,
            pe(0x8664, 0x2022, None),
            "is a Windows library (PE), and this process needs a Linux or BSD library (ELF)".into(),
            &build,
        ),
        (
            "Mach-O",
            &WINDOWS,
            macho(0x0100_000c, 6, None),
            "is a macOS library (Mach-O), and this process needs a Windows library (PE)".into(),
            &build,
        ),
        (
            "32 bits",
            &LINUX,
            elf(|elf| (elf.bits, elf.machine) = (32, 3)),
            "is a 32-bit library, and this process is 64-bit".into(),
            &build,
        ),
        (
            "machine",
            &LINUX,
            elf(|elf| elf.machine = 183),
            "is built for aarch64, and this process is x86_64".into(),
            &build,
        ),
        (
            "unknown machine",
            &LINUX,
            elf(|elf| elf.machine = 0x7777),
            "is built for machine 0x7777, and this process is x86_64".into(),
            &build,
        ),
        (
            "byte order",
            &Target { arch: "aarch64", ..LINUX },
            elf(|elf| (elf.machine, elf.big_endian) = (183, true)),
            "is big-endian, and this process is little-endian".into(),
            &build,
        ),
        (
            "object",
            &LINUX,
            elf(|elf| elf.kind = 1),
            "is an object file (.o), not a shared library".into(),
            "link it with -shared",
        ),
        ("program", &LINUX, elf(|elf| elf.kind = 2), "is a program, not a shared library".into(), name),
        (
            "position-independent program",
            &LINUX,
            elf(|elf| elf.flags_1 = 0x0800_0001),
            "is a program, not a shared library".into(),
            name,
        ),
        ("core", &LINUX, elf(|elf| elf.kind = 4), "is a core dump, not a shared library".into(), name),
        ("type", &LINUX, elf(|elf| elf.kind = 77), "is damaged: it is of no known type".into(), again),
        (
            "header",
            &LINUX,
            whole[..20].to_vec(),
            "is cut off: its header needs 64 bytes, and the file has 20".into(),
            again,
        ),
        (
            "program headers",
            &LINUX,
            whole[..100].to_vec(),
            "is cut off: its table of program headers needs 176 bytes, and the file has 100".into(),
            again,
        ),
        (
            "segment",
            &LINUX,
            whole[..length - 257].to_vec(),
            format!("is cut off: a segment needs {} bytes, and the file has {}", length - 256, length - 257),
            again,
        ),
        (
            "sections",
            &LINUX,
            whole[..length - 1].to_vec(),
            format!("is cut off: its table of sections needs {length} bytes, and the file has {}", length - 1),
            again,
        ),
        ("sizes", &LINUX, misaligned, "is damaged: its program headers have a wrong size".into(), again),
        (
            "half copied",
            &LINUX,
            blank,
            "is damaged: its table of sections leads nowhere; perhaps only a part was copied".into(),
            again,
        ),
        (
            "without metadata",
            &LINUX,
            elf(|elf| elf.metadata = None),
            "exports spandrel_plugin_v1, but has no metadata section".into(),
            macro_,
        ),
        (
            "debug information",
            &LINUX,
            elf(|elf| elf.section_kind = 8),
            "holds only the debug information of a plugin".into(),
            name,
        ),
        (
            "another library",
            &LINUX,
            elf(|elf| (elf.metadata, elf.symbols) = (None, "\0malloc\0")),
            "is a library, but not a Spandrel plugin".into(),
            spandrel,
        ),
        (
            "Mach-O machine",
            &MACOS,
            macho(0x0100_0007, 6, None),
            "is built for x86_64, and this process is aarch64".into(),
            &build,
        ),
        (
            "universal",
            &MACOS,
            universal(&[(7, vec![]), (0x0100_0007, vec![])]),
            "is built for x86, x86_64, and this process is aarch64".into(),
            &build,
        ),
        (
            "Java",
            &MACOS,
            b"\xca\xfe\xba\xbe\0\0\0\x34".to_vec(),
            "is a Java class file, not a shared library".into(),
            name,
        ),
        ("Mach-O program", &MACOS, macho(0x0100_000c, 2, None), "is a program, not a shared library".into(), name),
        (
            "Mach-O without metadata",
            &MACOS,
            macho(0x0100_000c, 6, None),
            "exports spandrel_plugin_v1, but has no metadata section".into(),
            macro_,
        ),
        ("Windows program", &WINDOWS, pe(0x8664, 0x0022, None), "is a program, not a shared library".into(), name),
        (
            "Windows machine",
            &WINDOWS,
            pe(0xaa64, 0x2022, None),
            "is built for aarch64, and this process is x86_64".into(),
            &build,
        ),
        (
            "Windows without metadata",
            &WINDOWS,
            pe(0x8664, 0x2022, None),
            "exports spandrel_plugin_v1, but has no metadata section".into(),
            macro_,
        ),
    ];
    for (what, target, bytes, message, remedy) in cases {
        assert_eq!(refusal(bytes, target), (message.clone(), (*remedy).to_owned()), "{what}");
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let samples = [
        (&LINUX, elf(|_| ())),
        (&Target { arch: "arm", bits: 32, ..LINUX }, elf(|elf| (elf.bits, elf.machine) = (32, 40))),
        (&MACOS, macho(0x0100_000c, 6, Some(b"x = 1"))),
        (&MACOS, universal(&[(0x0100_000c, macho(0x0100_000c, 6, Some(b"x = 1")))])),
        (&WINDOWS, pe(0x8664, 0x2022, Some(b"x = 1"))),
    ];
    for (target, sample) in &samples {
        assert!(section_for(sample, target).is_ok());
        for length in 0..sample.len() {
            let _ = section_for(&sample[..length], target);
        }
        for at in 0..sample.len() {
            for value in [0, 1, 7, 0x7f, 0x80, 0xff] {
                let mut bytes = sample.clone();
                bytes[at] = value;
                let _ = section_for(&bytes, target);
                // Larger numbers, and those near the end of what a number can hold.
                let end = (at + 8).min(bytes.len());
                bytes[at..end].fill(value);
                let _ = section_for(&bytes, target);
            }
        }
    }
}

/// Every mistake that several bytes make together, with a fixed seed.
#[test]
fn no_noise_makes_it_panic() {
    let sample = elf(|_| ());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..20_000 {
        let mut bytes = sample.clone();
        for _ in 0..=random(12) {
            let at = 4 + random(bytes.len() - 4);
            bytes[at] = random(256) as u8;
        }
        bytes.truncate(bytes.len() - random(3) * random(200));
        let _ = section_for(&bytes, &LINUX);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn real_files_are_told_apart() {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let libc = maps.split_whitespace().find(|word| word.contains("libc.so") || word.contains("ld-musl"));
    let libc = std::fs::read(libc.unwrap()).unwrap();
    let path = Path::new("/x/libx.so");
    let error = metadata_section(&libc, path).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plugin file is a library, but not a Spandrel plugin (path: /x/libx.so; remedy: name the file of a \
         plugin, whose name usually begins with libspandrel_)"
    );
    let half = libc.len() / 2;
    let error = metadata_section(&libc[..half], path).unwrap_err();
    assert!(error.message().starts_with("the plugin file is cut off: a segment needs "), "{error}");
    let own = std::fs::read("/proc/self/exe").unwrap();
    let error = metadata_section(&own, path).unwrap_err();
    assert_eq!(error.message(), "the plugin file is a program, not a shared library");
}
