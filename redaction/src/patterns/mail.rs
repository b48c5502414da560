//! Mail addresses.

use std::ops::Range;

use super::starts_with_ignoring_case;

/// Ends of file names and units, of which none is a top level domain that has mail.
const NO_DOMAINS: &[&str] = &[
    "png",
    "jpg",
    "jpeg",
    "gif",
    "svg",
    "webp",
    "bmp",
    "ico",
    "js",
    "jsx",
    "ts",
    "tsx",
    "css",
    "scss",
    "html",
    "htm",
    "json",
    "xml",
    "yml",
    "yaml",
    "toml",
    "lock",
    "tgz",
    "gz",
    "txt",
    "log",
    "exe",
    "dll",
    "service",
    "socket",
    "timer",
    "mount",
    "slice",
    "scope",
    "path",
    "device",
    "swap",
    "automount",
    "jar",
    "war",
    "rb",
    "go",
    "java",
    "kt",
    "cs",
    "cpp",
    "hpp",
    "proto",
];

pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let signs = text.match_indices('@').chain(text.match_indices("%40"));
    for (at, sign) in signs {
        let is_local = |c: char| c.is_alphanumeric() || "_%+.'-".contains(c);
        let local = text[..at].chars().rev().take_while(|c| is_local(*c)).map(char::len_utf8).sum::<usize>();
        let start = at - local;
        let Some(len) = domain_len(&text[at + sign.len()..]) else { continue };
        let end = at + sign.len() + len;
        if local > 0 && is_mail(text, &text[start..at], &text[at + sign.len()..end], start, end) {
            found.push(start..end);
        }
    }
    found
}

/// Labels with dots between, up to the last one that may be a top level domain.
fn domain_len(text: &str) -> Option<usize> {
    let mut end = None;
    let mut at = 0;
    loop {
        let rest = &text[at..];
        if at > 0 {
            let letters: usize = rest.chars().take_while(|c| c.is_alphabetic()).take(24).map(char::len_utf8).sum();
            let count = rest[..letters].chars().count();
            if count >= 2 {
                end = Some(at + letters);
            }
        }
        let label = rest.find(|c: char| !(c.is_alphanumeric() || c == '-')).unwrap_or(rest.len());
        let inner = &rest[..label];
        if inner.is_empty()
            || inner.starts_with('-')
            || inner.ends_with('-')
            || inner.len() > 63
            || !rest[label..].starts_with('.')
        {
            return end;
        }
        at += label + 1;
    }
}

fn is_mail(text: &str, local: &str, domain: &str, start: usize, end: usize) -> bool {
    let last = domain.rsplit('.').next().unwrap_or_default();
    if NO_DOMAINS.iter().any(|known| known.eq_ignore_ascii_case(last))
        || matches!(local, "this" | "super" | "return" | "break" | "continue")
    {
        return false;
    }
    // `icon@2x.example`, `package@1.2.3-rc.one`
    let first = domain.split('.').next().unwrap_or_default();
    let is_scale = first.len() == 2 && first.ends_with('x') && first.starts_with(|c: char| c.is_ascii_digit());
    let number = domain.strip_prefix('v').unwrap_or(domain).trim_start_matches(|c: char| c.is_ascii_digit());
    let is_version = number.len() < domain.strip_prefix('v').unwrap_or(domain).len()
        && number.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let next = text[end..].chars().next();
    let is_repository =
        ["git", "hg"].iter().any(|user| starts_with_ignoring_case(local, user) && local.len() == user.len())
            && matches!(next, Some(':' | '/'));
    !is_scale && !is_version && !is_repository && next != Some('(') && !text[..start].ends_with('@')
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn addresses_are_told_from_what_has_an_at() {
        for (text, found) in [
            ("to a.b+c@mail.example.co.uk, please", Some("a.b+c@mail.example.co.uk")),
            ("j\u{f6}rg@b\u{fc}cher.example.", Some("j\u{f6}rg@b\u{fc}cher.example")),
            ("q=bob%40example.com&x", Some("q=bob%40example.com").map(|text| &text[2..])),
            ("logo@2x.png", None),
            ("react@18.2.0", None),
            ("mod@v1.2.3-beta.rc", None),
            ("git@github.com:a/b.git", None),
            ("this@MainActivity.finish()", None),
            ("@scope/pkg", None),
            ("a@b", None),
        ] {
            assert_eq!(find(text).first().map(|range| &text[range.clone()]), found, "{text}");
        }
    }
}
