//! The nearest known word to a misspelt one. As `spandrel_plugin_api::suggest`, which a crate of macros is better without.

/// What there is, and which of it the word is near enough to.
pub(crate) fn remedy<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>, all: String) -> String {
    // The words are short, and many short words are near each other.
    let limit = (word.chars().count() / 3).max(1);
    let distances = candidates.into_iter().map(|candidate| (distance(word, candidate), candidate));
    match distances.min_by_key(|(distance, _)| *distance) {
        Some((distance, candidate)) if distance <= limit => format!("did you mean `{candidate}`? ({all})"),
        _ => all,
    }
}

/// Optimal string alignment: edits and swaps of neighbours count one each.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
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

#[cfg(test)]
mod tests {
    use super::remedy;

    #[test]
    fn a_word_that_is_near_is_meant() {
        let remedy = |word, candidates: &[&'static str]| remedy(word, candidates.iter().copied(), "all".to_owned());
        assert_eq!(remedy("modle", &["provider", "model"]), "did you mean `model`? (all)");
        assert_eq!(remedy("tools", &["tool", "step"]), "did you mean `tool`? (all)");
        assert_eq!(remedy("tag", &["as", "llm"]), "all");
        assert_eq!(remedy("x", &[]), "all");
    }
}
