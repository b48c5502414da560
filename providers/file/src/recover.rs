use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

/// What was found behind the last line end of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing.
    Whole,
    /// So many bytes of a line whose writer was interrupted; they are gone now.
    Cut(u64),
    /// So many bytes that no exporter wrote; they are a line of their own now.
    Foreign(u64),
}

/// Makes the file end with a line end.
///
/// The caller makes sure that nobody is in the middle of writing a line.
pub(crate) fn mend_tail(mut file: &File) -> io::Result<Tail> {
    let len = file.metadata()?.len();
    let whole = end_of_last_line(file, len)?;
    if whole == len {
        return Ok(Tail::Whole);
    }
    let mut first = [0];
    file.read_exact_at(&mut first, whole)?;
    // Every line begins with a brace; after a power loss its bytes may be zero.
    // Anything else is a file that was meant for something else: cutting it
    // would destroy what it holds.
    if matches!(first, [b'{' | 0]) {
        file.set_len(whole)?;
        Ok(Tail::Cut(len - whole))
    } else {
        file.write_all(b"\n")?;
        Ok(Tail::Foreign(len - whole))
    }
}

/// Where the last line of a file ends, found from behind.
fn end_of_last_line(file: &File, len: u64) -> io::Result<u64> {
    const CHUNK: u64 = 8192;
    let mut chunk = [0; CHUNK as usize];
    let mut end = len;
    while end > 0 {
        let start = end.saturating_sub(CHUNK);
        let bytes = &mut chunk[..(end - start) as usize];
        file.read_exact_at(bytes, start)?;
        if let Some(index) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + index as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};

    use super::{Tail, mend_tail};

    fn mended(name: &str, content: &[u8]) -> (Tail, Vec<u8>) {
        let path = std::env::temp_dir().join(format!("spandrel-file-mend-{name}-{}", std::process::id()));
        fs::write(&path, content).unwrap();
        let file = OpenOptions::new().read(true).append(true).open(&path).unwrap();
        let tail = mend_tail(&file).unwrap();
        let content = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        (tail, content)
    }

    #[test]
    fn a_torn_line_is_cut_off() {
        assert_eq!(mended("empty", b""), (Tail::Whole, vec![]));
        assert_eq!(mended("whole", b"{}\n"), (Tail::Whole, b"{}\n".to_vec()));
        assert_eq!(mended("torn", b"{}\n{\"res"), (Tail::Cut(5), b"{}\n".to_vec()));
        assert_eq!(mended("only", b"{\"res"), (Tail::Cut(5), vec![]));
        assert_eq!(mended("zeros", b"{}\n\0\0\0"), (Tail::Cut(3), b"{}\n".to_vec()));
    }

    #[test]
    fn the_search_goes_back_over_many_chunks() {
        let mut content = b"{}\n{".to_vec();
        content.resize(3 + 8192 * 3, b'x');
        assert_eq!(mended("chunks", &content), (Tail::Cut(8192 * 3), b"{}\n".to_vec()));
    }

    #[test]
    fn what_no_exporter_wrote_is_left_alone() {
        assert_eq!(mended("foreign", b"a\nb"), (Tail::Foreign(1), b"a\nb\n".to_vec()));
    }
}
