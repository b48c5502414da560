//! Headers that are nearly well-formed, from a seed.

pub(crate) type Headers = Vec<(String, String)>;

/// The generator `splitmix64`: small, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// Well-formed headers, of which the others are made.
#[rustfmt::skip]
const SEEDS: &[(&str, &[&str])] = &[
    ("traceparent", &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-more"]),
    ("tracestate", &["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "dd=s:2;o:rum;t.dm:-4;t.usr.id:baz64~~,b3=d", "b3=d", "a@b=1, c/d=2 ,,e*f=3"]),
    ("baggage", &["userId=Am%C3%A9lie,serverNode=DF%2028,isProduction=false", "a=1;p=2;q,b=%ff,c=%0d%0a", "a=b=c;d=e=f"]),
    ("b3", &["4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1-05e3ac9a4f6e3b90", "a3ce929d0e0e4736-00f067aa0ba902b7-d", "0"]),
    ("x-b3-traceid", &["4bf92f3577b34da6a3ce929d0e0e4736", "a3ce929d0e0e4736"]),
    ("x-b3-spanid", &["00f067aa0ba902b7"]),
    ("x-b3-sampled", &["1", "0", "true", "d"]),
    ("x-b3-flags", &["1", "0"]),
    ("uber-trace-id", &["4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7:0:1", "12345%3A54321%3A0%3A3"]),
    ("x-amzn-trace-id", &["Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1", "Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678"]),
    ("x-datadog-trace-id", &["11803532876627986230", "1"]),
    ("x-datadog-parent-id", &["67667974448284343", "18446744073709551615"]),
    ("x-datadog-sampling-priority", &["2", "-1"]),
    ("x-datadog-origin", &["synthetics~;=web,z", "rum"]),
    ("x-datadog-tags", &["_dd.p.tid=4bf92f3577b34da6,_dd.p.dm=-4,_dd.p.usr.id=baz64==", "_dd.p.url=http://localhost"]),
];

/// Which headers make a context together.
const GROUPS: &[&[usize]] =
    &[&[0, 1], &[0], &[2], &[3], &[4, 5, 6, 7], &[4, 5], &[8], &[9], &[10, 11, 12, 13, 14], &[10, 11]];

#[rustfmt::skip]
const PIECES: &[&str] = &[
    "=", ",", ";", ":", "-", "~", "%", " ", "\t", "\r\n", "\0", "\u{7f}", "\u{85}", "\u{e9}", "\u{1f600}", "\"", "\\", "+", "_",
    "0", "1", "f", "F", "g", "00", "ff", "%0d%0a", "%ff", "%C3%A9", "%zz", "%3A", "a=1", "p;q", "s:1", "o:x", "t.a:b", "_dd.p.x=y",
    "00000000000000000000000000000000", "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "18446744073709551616", "b3=d", "dd=",
];

/// Replaces the headers by others.
pub(crate) fn fill(headers: &mut Headers, random: &mut Random) {
    headers.clear();
    for _ in 0..=random.below(3) {
        for at in GROUPS[random.below(GROUPS.len())] {
            let (name, values) = SEEDS[*at];
            let mut value = random.pick(values).to_owned();
            if random.one_in(3) {
                for _ in 0..=random.below(4) {
                    mutate(&mut value, random);
                }
            }
            let name = if random.one_in(8) { name.to_ascii_uppercase() } else { name.to_owned() };
            if random.one_in(32) {
                headers.push((name.clone(), value.clone()));
            }
            if !random.one_in(64) {
                headers.push((name, value));
            }
        }
    }
}

fn mutate(value: &mut String, random: &mut Random) {
    let at = boundary(value, random);
    match random.below(16) {
        0..=4 => value.insert_str(at, random.pick(PIECES)),
        5..=7 => {
            let end = value.len().min(at + 1 + random.below(4));
            if value.is_char_boundary(end) {
                value.replace_range(at..end, random.pick(PIECES));
            }
        }
        8..=9 => {
            let end = boundary(value, random).max(at);
            value.replace_range(at..end, "");
        }
        10 => value.truncate(at),
        11 => {
            let copy = value[at..].to_owned();
            value.push(',');
            value.push_str(&copy);
        }
        12..=13 => {
            let any = char::from_u32(u32::try_from(random.below(0x300)).unwrap_or(0)).unwrap_or(' ');
            value.insert(at, any);
        }
        14 => {
            let (_, values) = SEEDS[random.below(SEEDS.len())];
            value.insert_str(at, random.pick(values));
        }
        _ => lengthen(value, random),
    }
}

/// Up to and beyond all limits; seldom, as it takes its time.
fn lengthen(value: &mut String, random: &mut Random) {
    let max = match random.below(64) {
        0 => 40_000,
        1..=3 => 9_000,
        _ => 600,
    };
    let piece = if random.one_in(2) { value.clone() } else { random.pick(PIECES).to_owned() };
    let piece = if random.one_in(2) { format!("{piece},") } else { piece };
    let end = random.below(max);
    while !piece.is_empty() && value.len() < end {
        value.push_str(&piece);
    }
    if random.one_in(2) {
        number_keys(value);
    }
}

/// Makes equal keys different, so that there are many.
fn number_keys(value: &mut String) {
    let members: Vec<String> = value.split(',').enumerate().map(|(i, member)| format!("k{i}{member}")).collect();
    *value = members.join(",");
}

fn boundary(value: &str, random: &mut Random) -> usize {
    let mut at = random.below(value.len() + 1);
    while !value.is_char_boundary(at) {
        at -= 1;
    }
    at
}
