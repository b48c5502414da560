//! Libraries of Windows.
//!
//! Source: Microsoft, "PE Format".

use super::{Bytes, Library, Refusal, Target, entry_in, padded};

const MACHINES: [(u16, &str); 4] = [(0x014c, "x86"), (0x8664, "x86_64"), (0x01c4, "arm"), (0xaa64, "aarch64")];

/// Of the characteristics.
const IS_DLL: u16 = 0x2000;

/// Checks the file and finds what matters of it.
pub(super) fn read<'a>(all: &'a [u8], target: &Target) -> Result<Library<'a>, Refusal> {
    let bytes = Bytes { all, big_endian: false };
    let start = u64::from(bytes.u32(0x3c).ok_or_else(|| Refusal::truncated("its header", 64, all))?);
    match bytes.range(start, 4) {
        Some(b"PE\0\0") => {}
        Some(_) => return Err(Refusal::not_a_library("is a DOS program, not a shared library")),
        None => return Err(Refusal::truncated("its header", start + 24, all)),
    }
    let field = |at| bytes.u16(start + at).ok_or_else(|| Refusal::truncated("its header", start + 24, all));
    let machine = field(4)?;
    let name = MACHINES.iter().find(|(number, _)| *number == machine).map(|(_, name)| *name);
    target.check_machine(name, machine.into(), &MACHINES.map(|(_, name)| name))?;
    let (sections, optional) = (u64::from(field(6)?), u64::from(field(20)?));
    if field(22)? & IS_DLL == 0 {
        return Err(Refusal::not_a_library("is a program, not a shared library"));
    }
    let mut metadata = None;
    for i in 0..sections {
        let at = start + 24 + optional + i * 40;
        let header = bytes.range(at, 40).ok_or_else(|| Refusal::truncated("its table of sections", at + 40, all))?;
        let number = |field| u64::from(bytes.u32(at + field).unwrap_or_default());
        let (used, length, offset) = (number(8), number(16), number(20));
        let content =
            bytes.range(offset, length).ok_or_else(|| Refusal::truncated("a section", offset + length, all))?;
        if padded(&header[..8]) == b".spndrl" {
            metadata = bytes.range(offset, length.min(used)).or(Some(content));
        }
    }
    Ok(Library { metadata, entry: entry_in(all) })
}
