//! Libraries of Linux and the BSDs.
//!
//! Source: System V ABI, "Object Files" and "Program Loading and Dynamic Linking".

use super::{Bytes, Library, Refusal, Target, entry_in};

/// Numbers of machines; some depend on the number of bits.
const MACHINES: [(u16, u32, &str); 20] = [
    (2, 32, "sparc"),
    (3, 32, "x86"),
    (4, 32, "m68k"),
    (8, 32, "mips"),
    (8, 64, "mips64"),
    (20, 32, "powerpc"),
    (21, 64, "powerpc64"),
    (22, 64, "s390x"),
    (40, 32, "arm"),
    (43, 64, "sparc64"),
    (62, 32, "x86_64"),
    (62, 64, "x86_64"),
    (164, 32, "hexagon"),
    (183, 32, "aarch64"),
    (183, 64, "aarch64"),
    (243, 32, "riscv32"),
    (243, 64, "riscv64"),
    (252, 32, "csky"),
    (258, 32, "loongarch32"),
    (258, 64, "loongarch64"),
];

const ET_REL: u16 = 1;
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const ET_CORE: u16 = 4;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const SHT_STRTAB: u32 = 3;
const SHT_NOBITS: u32 = 8;
const SHN_XINDEX: u16 = 0xffff;
const DT_NULL: u64 = 0;
const DT_STRTAB: u64 = 5;
const DT_STRSZ: u64 = 10;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DF_1_PIE: u64 = 0x0800_0000;

/// Checks the file and finds what matters of it.
pub(super) fn read<'a>(all: &'a [u8], target: &Target) -> Result<Library<'a>, Refusal> {
    let header = Header::read(all, target)?;
    match header.kind {
        ET_DYN => {}
        ET_REL => return Err(Refusal::object_file()),
        ET_EXEC => return Err(Refusal::not_a_library(PROGRAM)),
        ET_CORE => return Err(Refusal::not_a_library("is a core dump, not a shared library")),
        _ => return Err(Refusal::damaged("it is of no known type")),
    }
    let segments = header.segments()?;
    let dynamic = header.dynamic(&segments)?;
    if dynamic.flags_1 & DF_1_PIE != 0 {
        return Err(Refusal::not_a_library(PROGRAM));
    }
    let metadata = header.section(b".spandrel")?;
    Ok(Library { metadata, entry: dynamic.names.and_then(entry_in) })
}

const PROGRAM: &str = "is a program, not a shared library";

/// The header of the file, and how to read the rest of it.
struct Header<'a> {
    bytes: Bytes<'a>,
    bits: u32,
    kind: u16,
    /// Offset and number of the program headers.
    segments: (u64, u16),
    /// Offset and number of the section headers, and which one has the names.
    sections: (u64, u16, u16),
}

struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    length: u64,
}

struct Dynamic<'a> {
    flags_1: u64,
    /// The names of all dynamic symbols.
    names: Option<&'a [u8]>,
}

struct Section {
    name: u64,
    kind: u32,
    offset: u64,
    length: u64,
}

impl<'a> Header<'a> {
    fn read(all: &'a [u8], target: &Target) -> Result<Self, Refusal> {
        let cut_off = || Refusal::truncated("its header", 64, all);
        let (class, order) = (all.get(4).ok_or_else(cut_off)?, all.get(5).ok_or_else(cut_off)?);
        let bits = match class {
            1 => 32,
            2 => 64,
            _ => return Err(Refusal::damaged("it is neither of 32 nor of 64 bits")),
        };
        let big_endian = match order {
            1 => false,
            2 => true,
            _ => return Err(Refusal::damaged("it has no byte order")),
        };
        target.check_bits(bits)?;
        let bytes = Bytes { all, big_endian };
        let machine = bytes.u16(18).ok_or_else(cut_off)?;
        let name = MACHINES.iter().find(|known| (known.0, known.1) == (machine, bits)).map(|known| known.2);
        target.check_machine(name, machine.into(), &MACHINES.map(|known| known.2))?;
        if big_endian != target.big_endian {
            let order = |big| if big { "big-endian" } else { "little-endian" };
            let message = format!("is {}, and this process is {}", order(big_endian), order(target.big_endian));
            return Err(Refusal::elsewhere(message));
        }
        let layout = if bits == 64 { [32, 40, 54, 56, 58, 60, 62] } else { [28, 32, 42, 44, 46, 48, 50] };
        let [phoff, shoff, phentsize, phnum, shentsize, shnum, shstrndx] = layout;
        let fields = || {
            let sizes = (bytes.u16(phentsize)?, bytes.u16(shentsize)?);
            let header = Self {
                bytes,
                bits,
                kind: bytes.u16(16)?,
                segments: (bytes.word(phoff, bits)?, bytes.u16(phnum)?),
                sections: (bytes.word(shoff, bits)?, bytes.u16(shnum)?, bytes.u16(shstrndx)?),
            };
            Some((sizes, header))
        };
        let ((segment_size, section_size), header) = fields().ok_or_else(cut_off)?;
        if header.segments.1 > 0 && u64::from(segment_size) != header.segment_size() {
            return Err(Refusal::damaged("its program headers have a wrong size"));
        }
        if header.sections.0 > 0 && u64::from(section_size) != header.section_size() {
            return Err(Refusal::damaged("its section headers have a wrong size"));
        }
        Ok(header)
    }

    const fn segment_size(&self) -> u64 {
        if self.bits == 64 { 56 } else { 32 }
    }

    const fn section_size(&self) -> u64 {
        if self.bits == 64 { 64 } else { 40 }
    }

    /// The program headers; what is loaded lies within the file.
    fn segments(&self) -> Result<Vec<Segment>, Refusal> {
        let (start, number) = self.segments;
        let end = start.saturating_add(u64::from(number) * self.segment_size());
        let layout = if self.bits == 64 { [8, 16, 32] } else { [4, 8, 16] };
        let read = |i: u16| {
            let at = start.checked_add(u64::from(i) * self.segment_size())?;
            self.bytes.range(at, self.segment_size())?;
            let word = |field| self.bytes.word(at + field, self.bits);
            let [offset, address, length] = layout;
            let kind = self.bytes.u32(at)?;
            Some(Segment { kind, offset: word(offset)?, address: word(address)?, length: word(length)? })
        };
        let segments: Option<Vec<Segment>> = (0..number).map(read).collect();
        let segments =
            segments.ok_or_else(|| Refusal::truncated("its table of program headers", end, self.bytes.all))?;
        for segment in segments.iter().filter(|segment| matches!(segment.kind, PT_LOAD | PT_DYNAMIC)) {
            self.within("a segment", segment.offset, segment.length)?;
        }
        if !segments.iter().any(|segment| segment.kind == PT_LOAD) {
            return Err(Refusal::damaged("it has nothing to load"));
        }
        Ok(segments)
    }

    fn within(&self, what: &str, offset: u64, length: u64) -> Result<&'a [u8], Refusal> {
        let cut_off = || Refusal::truncated(what, offset.saturating_add(length), self.bytes.all);
        self.bytes.range(offset, length).ok_or_else(cut_off)
    }

    fn dynamic(&self, segments: &[Segment]) -> Result<Dynamic<'a>, Refusal> {
        let Some(dynamic) = segments.iter().find(|segment| segment.kind == PT_DYNAMIC) else {
            return Err(Refusal::not_a_library("has no dynamic section, so it is no shared library"));
        };
        let word = u64::from(self.bits / 8);
        let (mut flags_1, mut names, mut length) = (0, None, 0);
        for i in 0..dynamic.length / (2 * word) {
            let at = dynamic.offset + i * 2 * word;
            let (Some(tag), Some(value)) = (self.bytes.word(at, self.bits), self.bytes.word(at + word, self.bits))
            else {
                break;
            };
            match tag {
                DT_NULL => break,
                DT_STRTAB => names = Some(value),
                DT_STRSZ => length = value,
                DT_FLAGS_1 => flags_1 = value,
                _ => {}
            }
        }
        let offset = names.and_then(|address| {
            let mut loaded = segments.iter().filter(|segment| segment.kind == PT_LOAD);
            let inside = |s: &&Segment| address.checked_sub(s.address).is_some_and(|into| into < s.length);
            let segment = loaded.find(inside)?;
            segment.offset.checked_add(address - segment.address)
        });
        Ok(Dynamic { flags_1, names: offset.and_then(|offset| self.bytes.range(offset, length)) })
    }

    /// The bytes of a section; the whole table of sections lies within the file.
    fn section(&self, name: &[u8]) -> Result<Option<&'a [u8]>, Refusal> {
        let (start, number, names) = self.sections;
        if start == 0 {
            return Ok(None);
        }
        let damaged = || Refusal::damaged("its table of sections leads nowhere; perhaps only a part was copied");
        self.within("its table of sections", start, u64::from(number.max(1)) * self.section_size())?;
        // Large numbers stand in the first section.
        let first = |field| self.bytes.word(start + field, self.bits);
        let number = match number {
            0 => first(if self.bits == 64 { 32 } else { 20 }).ok_or_else(damaged)?,
            number => number.into(),
        };
        let names = match names {
            SHN_XINDEX => self.bytes.u32(start + if self.bits == 64 { 40 } else { 24 }).ok_or_else(damaged)?.into(),
            names => u64::from(names),
        };
        self.within("its table of sections", start, number.saturating_mul(self.section_size()))?;
        if names >= number {
            return Err(damaged());
        }
        let names = self.section_header(names).filter(|section| section.kind == SHT_STRTAB).ok_or_else(damaged)?;
        let names = self.within("a section", names.offset, names.length)?;
        for i in 0..number {
            let section = self.section_header(i).ok_or_else(damaged)?;
            let found = usize::try_from(section.name).ok().and_then(|at| names.get(at..)).map(super::padded);
            if found == Some(name) && section.kind == SHT_NOBITS {
                return Err(Refusal::not_a_library("holds only the debug information of a plugin"));
            }
            if found == Some(name) {
                return self.within("its metadata section", section.offset, section.length).map(Some);
            }
        }
        Ok(None)
    }

    fn section_header(&self, i: u64) -> Option<Section> {
        let at = self.sections.0.checked_add(i.checked_mul(self.section_size())?)?;
        self.bytes.range(at, self.section_size())?;
        let (offset, length) = if self.bits == 64 { (24, 32) } else { (16, 20) };
        Some(Section {
            name: self.bytes.u32(at)?.into(),
            kind: self.bytes.u32(at + 4)?,
            offset: self.bytes.word(at + offset, self.bits)?,
            length: self.bytes.word(at + length, self.bits)?,
        })
    }
}
