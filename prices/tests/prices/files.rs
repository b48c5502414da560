use std::path::PathBuf;

use spandrel_prices::{ErrorKind, PriceTable};

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_table_is_read_from_a_file() {
    let path = file("table.json", include_str!("../../model-prices.json"));
    let table = PriceTable::from_file(&path).unwrap();
    assert!(table.models().eq(PriceTable::embedded().models()));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn errors_begin_with_the_path() {
    let path = file("broken.json", "{\"schema_version\": 1");
    let error = PriceTable::from_file(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Syntax);
    assert!(error.to_string().starts_with(&format!("{}: not a price table: EOF", path.display())), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = PriceTable::from_file(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Read);
    assert!(error.to_string().starts_with(&format!("{}: the prices cannot be read: ", path.display())), "{error}");
}
