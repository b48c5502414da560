use super::*;

const TABLE: &str = r#"{"schema_version": 1, "as_of": "2026-11-21", "currency": "USD", "source": {"name": "test"}, "providers": [
  {"id": "a-b", "otel_provider_names": ["gcp.a"], "openinference_providers": ["aa"], "api_url_regex": "https://(.*\\.)?a\\.com", "fallback_providers": ["second"],
   "models": [{"id": "one", "match": {"prefix": ["one"]}, "prices": [{"usd": {"input": 1, "output": 1}}]},
              {"id": "one-pro", "match": {"eq": ["one-pro"]}, "prices": [{"usd": {"input": 9, "output": 9}}]},
              {"id": "dated", "match": {"eq": ["dated-2025-12-11"]}, "prices": [{"usd": {"input": 2, "output": 2}}]}]},
  {"id": "second", "fallback_providers": ["third"], "models": [{"id": "two", "match": {"eq": ["two"]}, "prices": [{"usd": {"input": 3, "output": 3}}]}]},
  {"id": "third", "models": [{"id": "three", "match": {"eq": ["three"]}, "prices": [{"usd": {"input": 4, "output": 4}}]}]}]}"#;

fn table() -> PriceTable {
    PriceTable::from_json(TABLE).unwrap()
}

fn id<'a>(table: &'a PriceTable, provider: &str, model: &str) -> Option<&'a str> {
    table.find(provider, model).map(Model::id)
}

#[test]
fn a_provider_has_many_names_and_an_url() {
    let table = table();
    for provider in ["gcp.a", "GCP.A", "aa", "a-b", "a_b", "A B", "gcp.a.chat", " aa "] {
        assert_eq!(id(&table, provider, "one"), Some("one"), "{provider}");
    }
    for provider in ["", "a", "gcp", "other"] {
        assert_eq!(id(&table, provider, "one"), None, "{provider}");
    }
    let by_url = |provider: &str, url| table.sold(provider, "one", Some(url)).map(|sold| sold.model.id());
    for url in ["https://a.com/v1", "https://eu.a.com", "a.com"] {
        assert_eq!(by_url("other", url), Some("one"), "{url}");
    }
    assert_eq!(by_url("other", "https://b.com/https://a.com"), None);
    // A name that is known goes before an URL that says something else.
    assert_eq!(by_url("third", "https://a.com"), None);
}

#[cfg(feature = "embedded")]
#[test]
fn names_of_libraries_are_known() {
    let table = PriceTable::embedded();
    for (provider, model, expected) in [
        ("openai.chat", "gpt-4o", "openai"),
        ("vertex_ai", "gemini-2.5-pro", "google"),
        ("gemini", "models/gemini-2.5-pro", "google"),
        ("google.generative-ai", "gemini-2.5-pro", "google"),
        (
            "amazon-bedrock",
            "arn:aws:bedrock:us-east-1:1:inference-profile/global.anthropic.claude-haiku-4-5-20251001-v1:0",
            "aws",
        ),
        ("Azure OpenAI", "gpt-4o", "openai"),
        ("xai", "grok-4.5", "x-ai"),
        ("MistralAI", "mistral-small-latest", "mistral"),
        ("moonshot", "kimi-k3", "moonshotai"),
        ("voyage", "voyage-3.5", "voyageai"),
    ] {
        assert_eq!(table.find(provider, model).map(Model::provider), Some(expected), "{provider} {model}");
    }
    assert_eq!(table.models().count(), 524);
    assert_eq!((table.as_of(), table.source()), ("2026-11-21", "genai-prices 0.2.3"));
}

#[test]
fn the_first_match_wins_and_fallbacks_go_one_step() {
    let table = table();
    assert_eq!(id(&table, "aa", "one-pro"), Some("one"));
    assert_eq!(id(&table, "aa", "ONE"), Some("one"));
    let sold = table.sold("aa", "two", None).unwrap();
    assert_eq!((sold.model.id(), sold.model.provider(), sold.seller), ("two", "second", Some("a-b")));
    assert_eq!(id(&table, "aa", "three"), None);
    assert_eq!(id(&table, "second", "three"), Some("three"));
}

#[test]
fn a_name_is_found_in_other_spellings() {
    let table = table();
    for model in ["dated-2025-12-11", "dated-20251211", "Dated-20251211", "org/dated-2025-12-11"] {
        assert_eq!(id(&table, "aa", model), Some("dated"), "{model}");
    }
    for model in ["dated-20251311", "dated-202512110", "dated", "dated-19251211"] {
        assert_eq!(id(&table, "aa", model), None, "{model}");
    }
    assert_eq!(with_dashed_date("x-20251211-v1").as_deref(), Some("x-2025-12-11-v1"));
    assert_eq!(with_dashed_date("ä-2025ä211"), None);
}

#[test]
fn prices_of_the_program_go_first_and_the_nearest_of_them() {
    let rates = |usd: &str| Rates::from_texts([("input", usd), ("output", usd)]).unwrap();
    let table = table().with_price("*", rates("5")).with_price("one*", rates("6")).with_price("One-Pro", rates("7"));
    let table = table.with_price("third/three", rates("8")).with_price("one*", rates("10"));
    let input =
        |provider: &str, model: &str| table.find(provider, model)?.rates(std::time::SystemTime::now())?.get("input");
    for (provider, model, usd) in [
        ("aa", "one-pro", "7"),
        ("aa", "one-x", "10"),
        ("aa", "two", "5"),
        ("third", "three", "8"),
        ("unknown", "x", "5"),
    ] {
        assert_eq!(input(provider, model).as_deref(), Some(usd), "{provider} {model}");
    }
    let usage = crate::Usage::new(1_000_000, 0);
    let cost = table.cost(&crate::Call::new("aa", "one-x", &usage)).unwrap();
    assert_eq!((cost.rule.as_str(), cost.price_table()), ("configured/one*", "configuration"));
    assert_eq!(table.models().count(), 5 - 1 + 5);
}

#[test]
fn what_is_wrong_in_a_table_is_told_with_its_place() {
    let replaced = |from: &str, to: &str| {
        assert!(TABLE.contains(from), "{from}");
        PriceTable::from_json(&TABLE.replacen(from, to, 1)).unwrap_err()
    };
    for (from, to, kind, text) in [
        (
            r#""schema_version": 1, "#,
            "",
            ErrorKind::Syntax,
            "not a price table: it has no schema_version; a table begins with {\"schema_version\": 1, …",
        ),
        (
            "1, \"as_of\"",
            "2, \"as_of\"",
            ErrorKind::Syntax,
            "schema_version is 2, and this program reads 1; take a file of that version, or a newer program",
        ),
        ("USD", "EUR", ErrorKind::Invalid, "currency is \"EUR\"; amounts can be in \"USD\" alone"),
        ("2026-11-21", "soon", ErrorKind::Invalid, "as_of is \"soon\"; write a date such as 2026-11-21"),
        (
            "\"input\": 9",
            "\"inptu\": 9",
            ErrorKind::Invalid,
            "provider \"a-b\": model \"one-pro\": prices[0]: there is no rate \"inptu\"; there are input, output, cache_read",
        ),
        (
            "\"input\": 9",
            "\"input\": -9",
            ErrorKind::Invalid,
            "provider \"a-b\": model \"one-pro\": prices[0]: the rate input is \"-9\"; write US dollars",
        ),
        ("{\"prefix\": [\"one\"]}", "{}", ErrorKind::Invalid, "provider \"a-b\": model \"one\": match is empty"),
        (
            "{\"prefix\": [\"one\"]}",
            "{\"regex\": [\"(\"]}",
            ErrorKind::Invalid,
            "provider \"a-b\": model \"one\": match: \"(\" is no regular expression",
        ),
        (
            "{\"usd\": {\"input\": 9",
            "{\"from\": \"2026-02-30\", \"usd\": {\"input\": 9",
            ErrorKind::Invalid,
            "provider \"a-b\": model \"one-pro\": prices[0]: from is \"2026-02-30\"; write a date",
        ),
        (
            "[{\"usd\": {\"input\": 9, \"output\": 9}}]",
            "[]",
            ErrorKind::Invalid,
            "provider \"a-b\": model \"one-pro\": prices is empty; give a price, or say \"free\": true",
        ),
        (
            "[\"third\"]",
            "[\"fourth\"]",
            ErrorKind::Invalid,
            "provider \"second\": fallback_providers names \"fourth\", and there are a-b, second, third",
        ),
        (
            "\"id\": \"third\"",
            "\"id\": \"second\"",
            ErrorKind::Invalid,
            "provider \"second\": there are two of this id",
        ),
        ("\"prefix\"", "\"perfix\"", ErrorKind::Syntax, "not a price table: unknown field `perfix`"),
    ] {
        let error = replaced(from, to);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().starts_with(text), "{error}");
    }
    for text in ["", "[]", "nonsense"] {
        let error = PriceTable::from_json(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Syntax);
        assert!(error.to_string().starts_with("not a price table: "), "{error}");
    }
}

#[test]
fn many_threads_may_ask_at_once() {
    let table = table();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let table = &table;
            scope.spawn(move || {
                for call in 0..500 {
                    assert_eq!(id(table, "aa", "one"), Some("one"));
                    assert_eq!(id(table, "aa", &format!("unknown-{thread}-{call}")), None);
                }
            });
        }
    });
}
