//! Libraries made by hand, as small as they can be.

/// An ELF library, or what is nearly one.
pub(in crate::loader) struct Elf {
    pub(in crate::loader) bits: u32,
    pub(in crate::loader) big_endian: bool,
    pub(in crate::loader) kind: u16,
    pub(in crate::loader) machine: u16,
    pub(in crate::loader) flags_1: u64,
    pub(in crate::loader) symbols: &'static str,
    pub(in crate::loader) metadata: Option<Vec<u8>>,
    pub(in crate::loader) section_kind: u32,
}

impl Elf {
    /// A plugin for Linux on x86-64.
    pub(in crate::loader) fn plugin(metadata: &str) -> Self {
        Self {
            bits: 64,
            big_endian: false,
            kind: 3,
            machine: 62,
            flags_1: 0,
            symbols: "\0malloc\0spandrel_plugin_v1\0",
            metadata: Some(metadata.as_bytes().to_vec()),
            section_kind: 1,
        }
    }

    /// A plugin for this process.
    #[cfg(target_os = "linux")]
    pub(in crate::loader) fn for_this_process(metadata: &str) -> Vec<u8> {
        // The machine is that of the test itself.
        let own = std::fs::read("/proc/self/exe").unwrap();
        let machine = if cfg!(target_endian = "big") { [own[18], own[19]] } else { [own[19], own[18]] };
        let this = Self {
            bits: usize::BITS,
            big_endian: cfg!(target_endian = "big"),
            machine: u16::from_be_bytes(machine),
            ..Self::plugin(metadata)
        };
        this.bytes()
    }

    /// Header, two program headers, dynamic section, names of symbols, metadata,
    /// names of sections, section headers.
    pub(in crate::loader) fn bytes(&self) -> Vec<u8> {
        let wide = self.bits == 64;
        let word = u64::from(self.bits / 8);
        let (header, segment, section) = if wide { (64, 56, 64) } else { (52, 32, 40) };
        let names = b"\0.dynstr\0.spandrel\0.shstrtab\0";
        let metadata = self.metadata.clone().unwrap_or_default();
        let dynamic_at = header + 2 * segment;
        let symbols_at = dynamic_at + 8 * word;
        let metadata_at = symbols_at + self.symbols.len() as u64;
        let names_at = metadata_at + metadata.len() as u64;
        let sections_at = names_at + names.len() as u64;
        let sections = if self.metadata.is_some() { 4 } else { 3 };

        let mut out = Out { bytes: Vec::new(), big_endian: self.big_endian, wide };
        out.bytes.extend([0x7f, b'E', b'L', b'F', if wide { 2 } else { 1 }, if self.big_endian { 2 } else { 1 }, 1]);
        out.bytes.resize(16, 0);
        out.u16s(&[self.kind, self.machine]);
        out.u32(1);
        out.words(&[0, header, sections_at]);
        out.u32(0);
        out.u16s(&[header as u16, segment as u16, 2, section as u16, sections, sections - 1]);
        for (kind, offset, length) in [(1, 0, sections_at), (2, dynamic_at, 8 * word)] {
            out.u32(kind);
            if wide {
                out.u32(4);
                out.words(&[offset, 0x1000 + offset, 0x1000 + offset, length, length, word]);
            } else {
                out.words(&[offset, 0x1000 + offset, 0x1000 + offset, length, length, 4, word]);
            }
        }
        out.words(&[5, 0x1000 + symbols_at, 10, self.symbols.len() as u64, 0x6fff_fffb, self.flags_1, 0, 0]);
        out.bytes.extend_from_slice(self.symbols.as_bytes());
        out.bytes.extend_from_slice(&metadata);
        out.bytes.extend_from_slice(names);
        out.section([0, 0, 0, 0]);
        out.section([1, 3, symbols_at, self.symbols.len() as u64]);
        if self.metadata.is_some() {
            out.section([9, self.section_kind.into(), metadata_at, metadata.len() as u64]);
        }
        out.section([19, 3, names_at, names.len() as u64]);
        out.bytes
    }
}

struct Out {
    bytes: Vec<u8>,
    big_endian: bool,
    wide: bool,
}

impl Out {
    fn u16s(&mut self, numbers: &[u16]) {
        for number in numbers {
            let bytes = if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() };
            self.bytes.extend(bytes);
        }
    }

    fn u32(&mut self, number: u32) {
        self.bytes.extend(if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() });
    }

    fn words(&mut self, numbers: &[u64]) {
        for number in numbers {
            match (self.wide, self.big_endian) {
                (false, _) => self.u32(*number as u32),
                (true, true) => self.bytes.extend(number.to_be_bytes()),
                (true, false) => self.bytes.extend(number.to_le_bytes()),
            }
        }
    }

    fn section(&mut self, [name, kind, offset, length]: [u64; 4]) {
        self.u32(name as u32);
        self.u32(kind as u32);
        self.words(&[0, 0, offset, length]);
        self.u32(0);
        self.u32(0);
        self.words(&[1, 0]);
    }
}

/// A Mach-O library with one segment, one section and a table of names.
pub(in crate::loader) fn macho(machine: u32, kind: u32, metadata: Option<&[u8]>) -> Vec<u8> {
    let names = b"\0_malloc\0_spandrel_plugin_v1\0";
    let content_at = 32 + 72 + 80 + 24;
    let length = metadata.map_or(0, <[u8]>::len);
    let mut out = Out { bytes: Vec::new(), big_endian: false, wide: true };
    for number in [0xfeed_facf, machine, 0, kind, 2, 72 + 80 + 24, 0, 0, 0x19, 72 + 80] {
        out.u32(number);
    }
    out.bytes.extend(b"__DATA\0\0\0\0\0\0\0\0\0\0");
    out.words(&[0, 0, 0, (content_at + length + names.len()) as u64]);
    for number in [0, 0, 1, 0] {
        out.u32(number);
    }
    let name: &[u8; 16] = if metadata.is_some() { b"__spandrel\0\0\0\0\0\0" } else { b"__other\0\0\0\0\0\0\0\0\0" };
    out.bytes.extend(name);
    out.bytes.extend(b"__DATA\0\0\0\0\0\0\0\0\0\0");
    out.words(&[0, length as u64]);
    for number in [content_at as u32, 0, 0, 0, 0, 0, 0, 0] {
        out.u32(number);
    }
    for number in [2, 24, 0, 0, (content_at + length) as u32, names.len() as u32] {
        out.u32(number);
    }
    out.bytes.extend(metadata.unwrap_or_default());
    out.bytes.extend(names);
    out.bytes
}

/// A universal Mach-O file of these parts.
pub(in crate::loader) fn universal(parts: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut out = Out { bytes: Vec::new(), big_endian: true, wide: true };
    out.u32(0xcafe_babe);
    out.u32(parts.len() as u32);
    let mut at = 8 + 20 * parts.len();
    for (machine, part) in parts {
        for number in [*machine, 0, at as u32, part.len() as u32, 0] {
            out.u32(number);
        }
        at += part.len();
    }
    parts.iter().for_each(|(_, part)| out.bytes.extend(part));
    out.bytes
}

/// A PE library with one section.
pub(in crate::loader) fn pe(machine: u16, characteristics: u16, metadata: Option<&[u8]>) -> Vec<u8> {
    let content = metadata.unwrap_or(b"\0x.dll\0spandrel_plugin_v1\0");
    let mut out = Out { bytes: Vec::new(), big_endian: false, wide: true };
    out.bytes.extend(b"MZ");
    out.bytes.resize(0x3c, 0);
    out.u32(0x40);
    out.bytes.extend(b"PE\0\0");
    out.u16s(&[machine, 1]);
    out.bytes.resize(0x40 + 20, 0);
    out.u16s(&[8, characteristics]);
    out.bytes.resize(0x40 + 24 + 8, 0);
    out.bytes.extend(if metadata.is_some() { b".spndrl\0" } else { b".rdata\0\0" });
    for number in [content.len() as u32, 0, content.len() as u32 + 8, 0x40 + 24 + 8 + 40, 0, 0, 0, 0] {
        out.u32(number);
    }
    out.bytes.extend(content);
    out.bytes.extend([0; 8]);
    out.bytes
}
