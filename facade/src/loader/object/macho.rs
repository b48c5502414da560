//! Libraries of macOS.
//!
//! Source: Apple, `mach-o/loader.h`, `mach-o/fat.h`.

use super::{Bytes, Library, Refusal, Target, entry_in, padded};

const MACHINES: [(u32, &str); 5] =
    [(0x7, "x86"), (0x0100_0007, "x86_64"), (0xc, "arm"), (0x0100_000c, "aarch64"), (0x0200_000c, "aarch64 (32-bit)")];

const MH_OBJECT: u32 = 1;
const MH_EXECUTE: u32 = 2;
const MH_DYLIB: u32 = 6;
const MH_BUNDLE: u32 = 8;
const LC_SYMTAB: u32 = 2;
const LC_SEGMENT_64: u32 = 0x19;
/// More than any universal file has; Java's class files have the same first bytes.
const MOST_PARTS: u32 = 32;

/// Checks the file, or the part of a universal one for this machine.
pub(super) fn read<'a>(all: &'a [u8], target: &Target) -> Result<Library<'a>, Refusal> {
    if !all.starts_with(b"\xca\xfe\xba\xbe") {
        return read_one(all, target);
    }
    let bytes = Bytes { all, big_endian: true };
    let number = bytes.u32(4).filter(|number| *number <= MOST_PARTS);
    let number = number.ok_or_else(|| Refusal::not_a_library("is a Java class file, not a shared library"))?;
    let mut others = Vec::new();
    for i in 0..u64::from(number) {
        let field = |field| bytes.u32(8 + i * 20 + field);
        let Some([machine, offset, length]) = field(0).zip(field(8)).zip(field(12)).map(|((a, b), c)| [a, b, c]) else {
            return Err(Refusal::truncated("its header", 8 + u64::from(number) * 20, all));
        };
        let name = name(machine);
        if name == Some(target.arch) {
            let (offset, length) = (u64::from(offset), u64::from(length));
            let part = bytes.range(offset, length);
            return read_one(part.ok_or_else(|| Refusal::truncated("a part", offset + length, all))?, target);
        }
        others.push(name.map_or_else(|| format!("machine {machine:#x}"), str::to_owned));
    }
    Err(Refusal::elsewhere(format!("is built for {}, and this process is {}", others.join(", "), target.arch)))
}

fn name(machine: u32) -> Option<&'static str> {
    MACHINES.iter().find(|(number, _)| *number == machine).map(|(_, name)| *name)
}

fn read_one<'a>(all: &'a [u8], target: &Target) -> Result<Library<'a>, Refusal> {
    let bytes = Bytes { all, big_endian: false };
    let bits = match all.get(..4) {
        Some(b"\xcf\xfa\xed\xfe") => 64,
        Some(b"\xce\xfa\xed\xfe") => 32,
        Some(b"\xfe\xed\xfa\xce" | b"\xfe\xed\xfa\xcf") => {
            let message = "is big-endian, and this process is little-endian";
            return Err(Refusal::elsewhere(message.to_owned()));
        }
        _ => return Err(Refusal::damaged("its part for this machine is no library")),
    };
    target.check_bits(bits)?;
    let field = |at| bytes.u32(at).ok_or_else(|| Refusal::truncated("its header", 32, all));
    let machine = field(4)?;
    target.check_machine(name(machine), machine, &MACHINES.map(|(_, name)| name))?;
    match field(12)? {
        MH_DYLIB | MH_BUNDLE => {}
        MH_EXECUTE => return Err(Refusal::not_a_library("is a program, not a shared library")),
        MH_OBJECT => return Err(Refusal::object_file()),
        _ => return Err(Refusal::damaged("it is of no known type")),
    }
    let (number, mut at) = (field(16)?, 32_u64);
    let mut library = Library { metadata: None, entry: None };
    for _ in 0..number {
        let cut_off = || Refusal::truncated("its load commands", at.saturating_add(8), all);
        let (command, length) = bytes.u32(at).zip(bytes.u32(at + 4)).ok_or_else(cut_off)?;
        if length < 8 {
            return Err(Refusal::damaged("its load commands lead nowhere"));
        }
        match command {
            LC_SEGMENT_64 => library.metadata = segment(bytes, at)?.or(library.metadata),
            LC_SYMTAB => library.entry = names(bytes, at)?,
            _ => {}
        }
        at += u64::from(length);
    }
    Ok(library)
}

/// The metadata, if it is in this segment; the segment lies within the file.
fn segment<'a>(bytes: Bytes<'a>, at: u64) -> Result<Option<&'a [u8]>, Refusal> {
    let cut_off = |end| Refusal::truncated("a segment", end, bytes.all);
    let numbers = || Some((bytes.u64(at + 40)?, bytes.u64(at + 48)?, bytes.u32(at + 64)?));
    let (offset, length, sections) = numbers().ok_or_else(|| cut_off(at + 72))?;
    bytes.range(offset, length).ok_or_else(|| cut_off(offset.saturating_add(length)))?;
    for i in 0..u64::from(sections) {
        let section = at + 72 + i * 80;
        let header = bytes.range(section, 80).ok_or_else(|| cut_off(section + 80))?;
        let (name, segment) = (padded(&header[..16]), padded(&header[16..32]));
        if name == b"__spandrel" && segment.starts_with(b"__DATA") {
            let numbers = bytes.u32(section + 48).zip(bytes.u64(section + 40));
            let (offset, length) = numbers.ok_or_else(|| cut_off(section + 80))?;
            let end = u64::from(offset).saturating_add(length);
            return bytes.range(offset.into(), length).ok_or_else(|| cut_off(end)).map(Some);
        }
    }
    Ok(None)
}

fn names(bytes: Bytes<'_>, at: u64) -> Result<Option<String>, Refusal> {
    let (offset, length) = bytes.u32(at + 16).zip(bytes.u32(at + 20)).unwrap_or_default();
    let (offset, length) = (u64::from(offset), u64::from(length));
    let cut_off = || Refusal::truncated("its table of names", offset + length, bytes.all);
    Ok(entry_in(bytes.range(offset, length).ok_or_else(cut_off)?))
}
