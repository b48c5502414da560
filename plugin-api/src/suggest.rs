//! The nearest known word to a misspelt one.

/// The candidate nearest to `word`, if it is near enough to be meant.
///
/// ```
/// use spandrel_plugin_api::suggest::nearest;
///
/// assert_eq!(nearest("fiel", ["noop", "file"]), Some("file"));
/// assert_eq!(nearest("delay", ["max_bytes", "delay_ms"]), Some("delay_ms"));
/// assert_eq!(nearest("datadog", ["noop", "file"]), None);
/// ```
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(2);
    // The unit is what is left out most often: of `delay_ms`, `delay` is as good as right.
    let is_begin = |c: &str| c.strip_prefix(word).is_some_and(|rest| rest.starts_with('_'));
    let distances = candidates.into_iter().map(|c| (if is_begin(c) { 1 } else { distance(word, c) }, c));
    let (distance, candidate) = distances.min_by_key(|(d, _)| *d)?;
    (distance <= limit && distance < word.chars().count()).then_some(candidate)
}

/// Optimal string alignment: edits and swaps of neighbours count one each.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let cost = usize::from(a[i - 1] != b[j - 1]);
                let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + cost);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}
