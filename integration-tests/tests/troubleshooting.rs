//! Each error about plugins has a heading in `docs/plugins/troubleshooting.md`.

use std::path::{Path, PathBuf};

use spandrel_integration_tests::plugins::root;

/// What a message is passed to, right before it.
const CALLS: [&str; 9] =
    ["format!(", "broken(", "wrong(", "malformed(", "not_a_library(", "damaged(", "refused(", "message =", "message:"];
/// Near a text that is no message but a remedy, a note of the loader, a reason in a list.
const OTHERS: [&str; 4] = ["remedy", "note(", "pins(", "nothing("];
/// How remedies begin that stand beside their message.
const REMEDIES: [&str; 2] = ["chown root", "install a build"];

#[test]
fn every_error_about_plugins_has_a_heading() {
    let page = std::fs::read_to_string(root().join("docs/plugins/troubleshooting.md")).unwrap();
    let headings: Vec<_> = page.lines().filter(|line| line.starts_with("### ")).map(words).collect();
    let (mut checked, mut missing) = (0, Vec::new());
    for file in sources(&root().join("facade/src")) {
        for message in messages(&std::fs::read_to_string(&file).unwrap()) {
            checked += 1;
            let wanted = words(&message);
            let has_all = |heading: &Vec<String>| {
                let mut rest = heading.iter();
                wanted.iter().all(|word| rest.any(|found| found == word))
            };
            if !headings.iter().any(has_all) {
                missing.push(format!("{}: {message}", file.display()));
            }
        }
    }
    assert!(missing.is_empty(), "no heading in docs/plugins/troubleshooting.md for\n{}", missing.join("\n"));
    assert!(checked > 80, "only {checked} messages were found");
}

/// The files whose errors are about plugins, without those of tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let all = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    let is_meant = |path: &PathBuf| {
        let text = path.to_string_lossy();
        ["/loader/", "/plugins", "/registry.rs"].iter().any(|part| text.contains(part))
            && !["tests.rs", "samples.rs", "testing.rs"].iter().any(|end| text.ends_with(end))
    };
    all.filter(is_meant).collect()
}

/// The texts of at least four words that make errors.
fn messages(source: &str) -> Vec<String> {
    let code = source.split("mod tests").next().unwrap_or_default();
    let code: Vec<&str> = code.lines().map(str::trim).filter(|line| !line.starts_with("//")).collect();
    let code = code.join(" ").replace("\\\"", "'");
    let (mut found, mut before) = (Vec::new(), String::new());
    for (i, part) in code.split('"').enumerate() {
        if i % 2 == 1 {
            let statement = before.rsplit(';').next().unwrap_or_default().trim_end();
            let near: String = statement.chars().skip(statement.chars().count().saturating_sub(110)).collect();
            let kind = statement.rsplit_once("ErrorKind::").or(statement.rsplit_once(".error(")).map(|(_, end)| end);
            let is_passed = CALLS.iter().any(|call| statement.ends_with(call))
                || kind.is_some_and(|end| end.ends_with(',') && !end.contains(['(', ')']));
            let text = part.replace("\\ ", "");
            let is_other = OTHERS.iter().any(|other| near.contains(other)) && statement.ends_with("format!(");
            if is_passed && !is_other && words(&text).len() > 3 && !REMEDIES.iter().any(|r| text.starts_with(r)) {
                found.push(text);
            }
        }
        before.push_str(part);
    }
    found
}

/// The words in lower case, without what is filled in.
fn words(text: &str) -> Vec<String> {
    let fixed = text.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest)).collect::<Vec<_>>();
    let fixed = fixed.join(" ").to_lowercase();
    let is_word = |word: &&str| word.chars().any(char::is_alphabetic);
    fixed.split(|c: char| !c.is_alphanumeric() && c != '_').filter(is_word).map(str::to_owned).collect()
}
