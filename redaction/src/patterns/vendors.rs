//! Keys of vendors, by their prefix, alphabet and length.
//!
//! Source: the documentation of the vendors, and what their secret scanning partners publish.

use std::ops::Range;

use super::{after, before, run};
use crate::text::{ends_escape, is_alnum, is_mixed};

/// A key: its prefix and what follows.
pub(super) struct Vendor {
    pub(super) prefix: &'static str,
    parts: &'static [Part],
    check: Check,
}

enum Part {
    /// From so many to so many letters of an alphabet.
    Run(Set, usize, usize),
    Text(&'static str),
}

#[derive(Clone, Copy)]
enum Check {
    None,
    /// A letter and a digit, or long with both cases.
    Mixed,
    /// Not words with dashes between.
    Random,
}

#[derive(Clone, Copy)]
enum Set {
    Alnum,
    /// And `_`, `-`.
    Url,
    /// And `+`, `/`.
    Base64,
    /// Base64, and `=`, `_`, `-`.
    AnyBase64,
    /// And `_`.
    Word,
    /// And `-`.
    Dashed,
    /// And `_`, `-`, `.`.
    Dotted,
    /// And `_`, `=`, `-`.
    Padded,
    Hex,
    AnyHex,
    Lower,
    LowerAlnum,
    UpperAlnum,
    Digit,
    Equals,
}

impl Set {
    const fn has(self, b: u8) -> bool {
        let url = b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        match self {
            Self::Alnum => b.is_ascii_alphanumeric(),
            Self::Url => url,
            Self::Base64 => b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'),
            Self::AnyBase64 => url || matches!(b, b'+' | b'/' | b'='),
            Self::Word => b.is_ascii_alphanumeric() || b == b'_',
            Self::Dashed => b.is_ascii_alphanumeric() || b == b'-',
            Self::Dotted => url || b == b'.',
            Self::Padded => url || b == b'=',
            Self::Hex => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
            Self::AnyHex => b.is_ascii_hexdigit(),
            Self::Lower => b.is_ascii_lowercase(),
            Self::LowerAlnum => b.is_ascii_lowercase() || b.is_ascii_digit(),
            Self::UpperAlnum => b.is_ascii_uppercase() || b.is_ascii_digit(),
            Self::Digit => b.is_ascii_digit(),
            Self::Equals => b == b'=',
        }
    }
}

const MANY: usize = usize::MAX;

const fn key(prefix: &'static str, parts: &'static [Part]) -> Vendor {
    Vendor { prefix, parts, check: Check::None }
}

const fn mixed(prefix: &'static str, parts: &'static [Part]) -> Vendor {
    Vendor { prefix, parts, check: Check::Mixed }
}

use Part::{Run, Text};
use Set::{
    Alnum, AnyBase64, AnyHex, Base64, Dashed, Digit, Dotted, Equals, Hex, Lower, LowerAlnum, Padded, UpperAlnum, Url,
    Word,
};

pub(super) static VENDORS: &[Vendor] = &[
    // Models.
    key("sk-proj-", &[Run(Url, 20, MANY)]),
    key("sk-svcacct-", &[Run(Url, 20, MANY)]),
    key("sk-admin-", &[Run(Url, 20, MANY)]),
    key("sk-None-", &[Run(Url, 20, MANY)]),
    key("sk-ant-", &[Run(Lower, 2, 8), Run(Digit, 2, 2), Text("-"), Run(Url, 20, MANY)]),
    key("sk-or-v1-", &[Run(Alnum, 32, MANY)]),
    key("sk-lf-", &[Run(Dashed, 16, MANY)]),
    Vendor { prefix: "sk-", parts: &[Run(Url, 20, MANY)], check: Check::Random },
    key("AIza", &[Run(Url, 35, 35)]),
    key("hf_", &[Run(Alnum, 30, MANY)]),
    key("api_org_", &[Run(Alnum, 30, MANY)]),
    key("gsk_", &[Run(Alnum, 32, MANY)]),
    key("xai-", &[Run(Url, 40, MANY)]),
    key("pplx-", &[Run(Alnum, 32, MANY)]),
    key("r8_", &[Run(Url, 37, MANY)]),
    mixed("fw_", &[Run(Alnum, 22, MANY)]),
    key("csk-", &[Run(LowerAlnum, 40, MANY)]),
    key("nvapi-", &[Run(Url, 40, MANY)]),
    key("sk_", &[Run(Hex, 48, 48)]),
    key("tgp_v1_", &[Run(Url, 30, MANY)]),
    key("tvly-dev-", &[Run(Alnum, 20, MANY)]),
    key("tvly-prod-", &[Run(Alnum, 20, MANY)]),
    key("tvly-", &[Run(Alnum, 20, MANY)]),
    key("pcsk_", &[Run(Word, 40, MANY)]),
    key("jina_", &[Run(Hex, 32, 32), Run(Url, 20, MANY)]),
    key("fc-", &[Run(Hex, 32, 32)]),
    key("lsv2_pt_", &[Run(Hex, 32, 32), Text("_"), Run(Hex, 10, 10)]),
    key("lsv2_sk_", &[Run(Hex, 32, 32), Text("_"), Run(Hex, 10, 10)]),
    key("ls__", &[Run(LowerAlnum, 32, 32)]),
    // Clouds.
    key("ya29.", &[Run(Url, 20, MANY)]),
    key("GOCSPX-", &[Run(Url, 20, MANY)]),
    key("1//0", &[Run(Url, 30, MANY)]),
    key("AKIA", &[Run(UpperAlnum, 16, 16)]),
    key("ASIA", &[Run(UpperAlnum, 16, 16)]),
    key("ABIA", &[Run(UpperAlnum, 16, 16)]),
    key("ACCA", &[Run(UpperAlnum, 16, 16)]),
    key("ABSK", &[Run(Base64, 60, MANY), Run(Equals, 0, 2)]),
    key("bedrock-api-key-", &[Run(AnyBase64, 20, MANY)]),
    key("dop_v1_", &[Run(Hex, 64, 64)]),
    key("doo_v1_", &[Run(Hex, 64, 64)]),
    key("dor_v1_", &[Run(Hex, 64, 64)]),
    key("dapi", &[Run(Hex, 32, 32)]),
    key("hvs.", &[Run(Url, 24, MANY)]),
    key("hvb.", &[Run(Url, 24, MANY)]),
    key("hvr.", &[Run(Url, 24, MANY)]),
    key("HRKU-", &[Run(Url, 60, 60)]),
    key("fm1r_", &[Run(Base64, 60, MANY), Run(Equals, 0, 3)]),
    key("fm1a_", &[Run(Base64, 60, MANY), Run(Equals, 0, 3)]),
    key("fm1_", &[Run(Base64, 60, MANY), Run(Equals, 0, 3)]),
    key("fm2_", &[Run(Base64, 60, MANY), Run(Equals, 0, 3)]),
    key("fm2r_", &[Run(Base64, 60, MANY), Run(Equals, 0, 3)]),
    key("fm2a_", &[Run(Base64, 60, MANY), Run(Equals, 0, 3)]),
    key("pul-", &[Run(Hex, 40, 40)]),
    key("pscale_tkn_", &[Run(Dotted, 32, MANY)]),
    key("pscale_pw_", &[Run(Dotted, 32, MANY)]),
    key("pscale_oauth_", &[Run(Dotted, 32, MANY)]),
    key("sbp_", &[Run(LowerAlnum, 40, 40)]),
    key("sb_secret_", &[Run(Url, 20, MANY)]),
    key("tskey-", &[Run(Lower, 1, MANY), Text("-"), Run(Url, 12, MANY)]),
    key("mdb_sa_sk_", &[Run(Url, 40, 40)]),
    key("dp.pt.", &[Run(Alnum, 40, MANY)]),
    key("dp.st.", &[Run(Alnum, 40, MANY)]),
    key("dp.st.", &[Run(Url, 1, MANY), Text("."), Run(Alnum, 40, MANY)]),
    key("dp.sa.", &[Run(Alnum, 40, MANY)]),
    key("dp.ct.", &[Run(Alnum, 40, MANY)]),
    key("dp.scim.", &[Run(Alnum, 40, MANY)]),
    key("dp.audit.", &[Run(Alnum, 40, MANY)]),
    key("ops_eyJ", &[Run(Url, 60, MANY)]),
    // Code and packages.
    key("ghp_", &[Run(Alnum, 36, 251)]),
    key("gho_", &[Run(Alnum, 36, 251)]),
    key("ghu_", &[Run(Alnum, 36, 251)]),
    key("ghs_", &[Run(Alnum, 36, 251)]),
    key("ghr_", &[Run(Alnum, 36, 251)]),
    key("github_pat_", &[Run(Word, 22, 255)]),
    key("glpat-", &[Run(Dotted, 20, MANY)]),
    key("gldt-", &[Run(Dotted, 20, MANY)]),
    key("glrt-", &[Run(Dotted, 20, MANY)]),
    key("glcbt-", &[Run(Dotted, 20, MANY)]),
    key("glptt-", &[Run(Dotted, 20, MANY)]),
    key("glft-", &[Run(Dotted, 20, MANY)]),
    key("glimt-", &[Run(Dotted, 20, MANY)]),
    key("glagent-", &[Run(Dotted, 20, MANY)]),
    key("gloas-", &[Run(Dotted, 20, MANY)]),
    key("glsoat-", &[Run(Dotted, 20, MANY)]),
    key("glffct-", &[Run(Dotted, 20, MANY)]),
    key("npm_", &[Run(Alnum, 36, 36)]),
    key("pypi-", &[Run(Url, 50, MANY)]),
    mixed("rubygems_", &[Run(Hex, 48, 48)]),
    mixed("cio", &[Run(Alnum, 32, 32)]),
    mixed("dckr_pat_", &[Run(Url, 20, MANY)]),
    mixed("dckr_oat_", &[Run(Url, 20, MANY)]),
    key("ATATT3", &[Run(Padded, 60, MANY)]),
    key("figd_", &[Run(Url, 40, 40)]),
    key("lin_api_", &[Run(Alnum, 40, MANY)]),
    key("lin_oauth_", &[Run(Alnum, 40, MANY)]),
    key("secret_", &[Run(Alnum, 43, 43)]),
    key("ntn_", &[Run(Alnum, 40, MANY)]),
    key("PMAK-", &[Run(Hex, 24, 24), Text("-"), Run(Hex, 34, 34)]),
    // Messages and money.
    key("xoxa-", &[Run(Dashed, 10, MANY)]),
    key("xoxb-", &[Run(Dashed, 10, MANY)]),
    key("xoxe-", &[Run(Dashed, 10, MANY)]),
    key("xoxo-", &[Run(Dashed, 10, MANY)]),
    key("xoxp-", &[Run(Dashed, 10, MANY)]),
    key("xoxr-", &[Run(Dashed, 10, MANY)]),
    key("xoxs-", &[Run(Dashed, 10, MANY)]),
    key("xapp-", &[Run(Digit, 1, 1), Text("-"), Run(Dashed, 10, MANY)]),
    key("sk_live_", &[Run(Alnum, 10, MANY)]),
    key("sk_test_", &[Run(Alnum, 10, MANY)]),
    key("rk_live_", &[Run(Alnum, 10, MANY)]),
    key("rk_test_", &[Run(Alnum, 10, MANY)]),
    key("whsec_", &[Run(AnyBase64, 20, MANY)]),
    key("SK", &[Run(Hex, 32, 32)]),
    key("AC", &[Run(Hex, 32, 32)]),
    key("SG.", &[Run(Url, 16, 32), Text("."), Run(Url, 32, 64)]),
    key("key-", &[Run(Hex, 32, 32)]),
    key("sq0atp-", &[Run(Url, 22, MANY)]),
    key("sq0csp-", &[Run(Url, 22, MANY)]),
    key("sq0idp-", &[Run(Url, 22, MANY)]),
    key("EAAA", &[Run(AnyBase64, 60, MANY)]),
    key("shpat_", &[Run(AnyHex, 32, 32)]),
    key("shpca_", &[Run(AnyHex, 32, 32)]),
    key("shppa_", &[Run(AnyHex, 32, 32)]),
    key("shpss_", &[Run(AnyHex, 32, 32)]),
    key("pat", &[Run(Alnum, 14, 14), Text("."), Run(Hex, 64, 64)]),
    key("re_", &[Run(Alnum, 8, 8), Text("_"), Run(Alnum, 24, 24)]),
    // What watches.
    key("glsa_", &[Run(Alnum, 32, 32), Text("_"), Run(AnyHex, 8, 8)]),
    key("glc_", &[Run(Base64, 32, MANY), Run(Equals, 0, 2)]),
    key("eyJrIjoi", &[Run(Base64, 60, MANY), Run(Equals, 0, 2)]),
    key("NRAK-", &[Run(UpperAlnum, 27, 27)]),
    key("sntrys_", &[Run(AnyBase64, 40, MANY)]),
    key("sntryu_", &[Run(Alnum, 40, MANY)]),
    key("dt0c01.", &[Run(UpperAlnum, 24, 24), Text("."), Run(UpperAlnum, 64, 64)]),
    key("phx_", &[Run(Alnum, 40, MANY)]),
];

/// The places in the list by their first letter, and where those of each letter begin.
static BY_LETTER: ([u8; VENDORS.len()], [u8; 257]) = {
    let (mut places, mut begins) = ([0; VENDORS.len()], [0; 257]);
    let (mut letter, mut count) = (0, 0);
    while letter < 256 {
        begins[letter] = count as u8;
        let mut i = 0;
        while i < VENDORS.len() {
            if VENDORS[i].prefix.as_bytes()[0] as usize == letter {
                places[count] = i as u8;
                count += 1;
            }
            i += 1;
        }
        letter += 1;
    }
    begins[256] = count as u8;
    (places, begins)
};

impl Vendor {
    fn end(&self, text: &str, at: usize) -> Option<usize> {
        let bytes = text.as_bytes();
        let mut end = at + self.prefix.len();
        for part in self.parts {
            end += match part {
                Part::Run(set, least, most) => {
                    let len = run(bytes, end, |byte| set.has(byte)).min(*most);
                    (len >= *least).then_some(len)?
                }
                Part::Text(part) => bytes.get(end..)?.starts_with(part.as_bytes()).then_some(part.len())?,
            };
        }
        let key = &text[at..end];
        let passes = match self.check {
            Check::None => true,
            Check::Mixed => looks_mixed(key),
            Check::Random => looks_random(key),
        };
        (passes && is_apart(text, at..end)).then_some(end)
    }
}

/// The end of the key that begins here.
pub(super) fn end_of(text: &str, at: usize) -> Option<usize> {
    let rest = text.as_bytes().get(at..)?;
    let first = usize::from(*rest.first()?);
    let candidates = &BY_LETTER.0[usize::from(BY_LETTER.1[first])..usize::from(BY_LETTER.1[first + 1])];
    let known = candidates.iter().map(|i| &VENDORS[usize::from(*i)]);
    let known = known.filter(|vendor| rest.starts_with(vendor.prefix.as_bytes()));
    known.filter_map(|vendor| vendor.end(text, at)).max().or_else(|| discord(text, at))
}

pub(super) fn end_of_age(text: &str, at: usize) -> Option<usize> {
    const ALPHABET: &[u8] = b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";
    let prefix = "AGE-SECRET-KEY-1";
    let end = at + prefix.len() + 58;
    let is_key =
        text.get(at..)?.starts_with(prefix) && run(text.as_bytes(), at + prefix.len(), |b| ALPHABET.contains(&b)) >= 58;
    is_key.then_some(end)
}

/// Three parts with dots between, of which the first is a number in base64.
fn discord(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut end = at;
    for (i, (least, most)) in [(24, 28), (6, 6), (27, 38)].into_iter().enumerate() {
        if i > 0 {
            end += usize::from(bytes.get(end) == Some(&b'.'));
        }
        let len = run(bytes, end, |b| Set::Url.has(b));
        if len < least || len > most {
            return None;
        }
        end += len;
    }
    let dots = text[at..end].bytes().filter(|b| *b == b'.').count();
    let is_key = matches!(bytes[at], b'M' | b'N' | b'O') && dots == 2 && looks_mixed(&text[at..end]);
    (is_key && is_apart(text, at..end)).then_some(end)
}

/// Keys that begin with nothing of their own.
pub(super) fn odd(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let back = |end: usize, is: &dyn Fn(u8) -> bool| bytes[..end].iter().rev().take_while(|b| is(**b)).count();
    let mut found = Vec::new();
    // Azure: three letters, a digit, `Q~`.
    for (at, _) in text.match_indices("Q~") {
        let is = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'~' | b'.');
        let len = run(bytes, at + 2, |b| is(b) || b == b'-');
        if back(at, &is) >= 4 && bytes[at - 1].is_ascii_digit() && (31..=34).contains(&len) {
            found.push(at - 4..at + 2 + len);
        }
    }
    // Mailchimp: the data centre behind a hash.
    for (at, _) in text.match_indices("-us") {
        let digits = run(bytes, at + 3, |b| b.is_ascii_digit());
        let hex = back(at, &|b| Set::Hex.has(b));
        if hex == 32 && (1..=2).contains(&digits) {
            found.push(at - 32..at + 3 + digits);
        }
    }
    // Telegram: the number of a bot before a colon.
    for (at, _) in text.match_indices(':') {
        let digits = back(at, &|b| b.is_ascii_digit());
        let (start, end) = (at - digits, at + 36);
        if !(8..=10).contains(&digits) || run(bytes, at + 1, |b| Set::Url.has(b)) < 35 {
            continue;
        }
        let stands_alone = !is_alnum(before(text, start)) || text[..start].ends_with("bot");
        if stands_alone && !is_alnum(after(text, end)) && looks_random(&text[start..end]) {
            found.push(start..end);
        }
    }
    // What follows the address of a hook.
    for (host, least) in [("hooks.slack.com/", 20), ("/api/webhooks/", 77)] {
        for (at, _) in text.match_indices(host) {
            let path = at + host.len();
            let skip = if least == 20 { text[path..].find('/').map_or(0, |slash| slash + 1) } else { 0 };
            let len = run(bytes, path + skip, |b| Set::Base64.has(b) || matches!(b, b'_' | b'-'));
            if len >= least && text[..path].contains(if least == 20 { "slack" } else { "discord" }) {
                found.push(path + skip..path + skip + len);
            }
        }
    }
    found
}

pub(super) fn is_aws_id(key: &str) -> bool {
    key.len() == 20 && key.bytes().all(|b| Set::UpperAlnum.has(b))
}

/// The secret that stands near behind the id of an AWS key.
pub(super) fn aws_secret(text: &str, end: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = end;
    while at < bytes.len().min(end + 300) {
        let len = run(bytes, at, |b| Set::Base64.has(b));
        let is_secret = |key: &str| {
            is_mixed(key)
                && key.contains(|c: char| c.is_ascii_lowercase())
                && key.contains(|c: char| c.is_ascii_uppercase())
        };
        if len == 40 && is_secret(&text[at..at + len]) {
            return Some(at..at + len);
        }
        at += len.max(1);
    }
    None
}

/// Whether it is not part of a longer word.
pub(super) fn is_apart(text: &str, range: Range<usize>) -> bool {
    let begins = !is_alnum(before(text, range.start)) || ends_escape(text, range.start);
    begins && !is_alnum(after(text, range.end))
}

pub(super) fn looks_mixed(key: &str) -> bool {
    let has_upper = key.chars().skip(1).any(char::is_uppercase);
    is_mixed(key) || key.len() >= 20 && has_upper && key.contains(char::is_lowercase)
}

/// Not words with dashes between: there is a run of letters and digits, or all of it is mixed.
fn looks_random(key: &str) -> bool {
    let has_run = key.split(['-', '_']).any(|run| run.len() >= 12 && is_mixed(run));
    let is_dense =
        key.len() >= 22 && is_mixed(key) && key.contains(char::is_uppercase) && key.contains(char::is_lowercase);
    let different = key.bytes().collect::<std::collections::BTreeSet<_>>().len();
    (has_run || is_dense) && different >= 8
}
