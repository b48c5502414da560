//! SHA-256 in hexadecimal digits.

/// A SHA-256.
pub(crate) type Digest = [u8; 32];

/// The SHA-256 of these bytes.
pub(super) fn of(bytes: &[u8]) -> Digest {
    hmac_sha256::Hash::hash(bytes)
}

/// As `sha256sum` prints it.
pub(super) fn to_hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads 64 hexadecimal digits.
///
/// # Errors
///
/// What it must be, for behind the name of a setting.
pub(crate) fn parse(text: &str) -> Result<Digest, String> {
    let mut digest = Digest::default();
    let digits = text.as_bytes();
    let pairs = digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?));
    let valid = digits.len() == 64
        && digest.iter_mut().zip(pairs).all(|(byte, value)| value.map(|value| *byte = value).is_some());
    if valid { Ok(digest) } else { Err(format!("must be a SHA-256 of 64 hexadecimal digits, not `{text}`")) }
}

fn digit(character: u8) -> Option<u8> {
    // A hexadecimal digit is below 16.
    char::from(character).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::{of, parse, to_hex};

    #[test]
    fn it_is_the_sha_256_of_the_standard() {
        // Source: NIST, FIPS 180-4 example values.
        for (bytes, hex) in [
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
        ] {
            assert_eq!(to_hex(&of(bytes.as_bytes())), hex);
            assert_eq!(parse(&hex.to_uppercase()), Ok(of(bytes.as_bytes())));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let long = "0".repeat(65);
        for text in ["", "abc", &long[..63], &long, &"g".repeat(64), &"é".repeat(32)] {
            let expected = format!("must be a SHA-256 of 64 hexadecimal digits, not `{text}`");
            assert_eq!(parse(text), Err(expected));
        }
    }
}
