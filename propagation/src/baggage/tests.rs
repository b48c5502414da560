use spandrel_plugin_api::ErrorKind;

use super::{Baggage, BaggagePropagator};
use crate::{Extracted, Outgoing, Propagator};

fn extract(lines: &[&str]) -> Baggage {
    let headers: Vec<(&str, &str)> = lines.iter().map(|line| ("baggage", *line)).collect();
    let mut into = Extracted::default();
    BaggagePropagator.extract(&headers, &mut into);
    into.baggage
}

fn inject(baggage: &Baggage) -> Option<String> {
    let mut carrier: Vec<(String, String)> = Vec::new();
    BaggagePropagator.inject(&Outgoing::new(None, baggage), &mut carrier);
    carrier.pop().map(|(_, value)| value)
}

type Triple<'a> = (&'a str, &'a str, &'a str);

fn triples(baggage: &Baggage) -> Vec<Triple<'_>> {
    baggage.iter().map(|entry| (entry.key(), entry.value(), entry.properties())).collect()
}

// Source: w3c/baggage, test/test_baggage.py and the examples of the
// specification; OpenTelemetry's propagators; vectors of our own.
#[test]
fn reads_what_the_specification_allows() {
    let spaced = "k1 \t = \t v1 \t ; \t p1 \t , \t k2 \t = \t v2 \t ; \t p2 \t = \t v3";
    #[rustfmt::skip]
    let vectors: &[(&[&str], &[Triple<'_>])] = &[
        (&[], &[]),
        (&["", " ", ",,", " ,\t, "], &[]),
        (&["SomeKey=SomeValue"], &[("SomeKey", "SomeValue", "")]),
        (&["k1=v1;p1,k2=v2;p2=v3"], &[("k1", "v1", "p1"), ("k2", "v2", "p2=v3")]),
        (&[spaced], &[("k1", "v1", "p1"), ("k2", "v2", "p2=v3")]),
        (&["k1=v1;p1;p1=a;p1=b"], &[("k1", "v1", "p1;p1=a;p1=b")]),
        (&["key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue"],
         &[("key1", "value1", "property1;property2"), ("key2", "value2", ""), ("key3", "value3", "propertyKey=propertyValue")]),
        (&["userId=alice", "serverNode=DF%2028,isProduction=false"],
         &[("userId", "alice", ""), ("serverNode", "DF 28", ""), ("isProduction", "false", "")]),
        (&["userId =   alice", "serverNode = DF%2028, isProduction = false"],
         &[("userId", "alice", ""), ("serverNode", "DF 28", ""), ("isProduction", "false", "")]),
        (&["userId=Am%C3%A9lie"], &[("userId", "Amélie", "")]),
        (&["a=b=c"], &[("a", "b=c", "")]),
        (&["a=="], &[("a", "=", "")]),
        (&["a="], &[("a", "", "")]),
        (&["a=,b= ,c=;p"], &[("a", "", ""), ("b", "", ""), ("c", "", "p")]),
        (&["a=1;p=2;q"], &[("a", "1", "p=2;q")]),
        (&["a=1;p=x=y"], &[("a", "1", "p=x=y")]),
        (&["a=1;p="], &[("a", "1", "p=")]),
        (&["a=1;; ;"], &[("a", "1", "")]),
        (&["a=1;p%20%3D%20v"], &[("a", "1", "p%20%3D%20v")]),
        (&["a=1;p=%09%22%0d%0a"], &[("a", "1", "p=%09%22%0d%0a")]),
        (&["a=%09%20%22%27%3B%3Dasdf%21%40%23%24%25%5E%26%2A%28%29"], &[("a", "\t \"';=asdf!@#$%^&*()", "")]),
        (&["a=%c3%A9"], &[("a", "é", "")]),
        (&["a=%zz"], &[("a", "%zz", "")]),
        (&["a=%+1%"], &[("a", "%+1%", "")]),
        (&["a=%4"], &[("a", "%4", "")]),
        (&["a=%%41"], &[("a", "%A", "")]),
        (&["a=%ff"], &[("a", "\u{fffd}", "")]),
        (&["a=x%C3%28y"], &[("a", "x\u{fffd}(y", "")]),
        (&["a=%0d%0aSet-Cookie:x"], &[("a", "\r\nSet-Cookie:x", "")]),
        (&["a%20b=1"], &[("a%20b", "1", "")]),
        (&["!#$%&'*+-.^_`|~0aZ=1"], &[("!#$%&'*+-.^_`|~0aZ", "1", "")]),
        (&["a=1,A=2"], &[("a", "1", ""), ("A", "2", "")]),
        (&["a=1;p,b=2,a=3"], &[("a", "3", ""), ("b", "2", "")]),
        (&["a=1", "b=2", "a=3;q"], &[("a", "3", "q"), ("b", "2", "")]),
    ];
    for (lines, expected) in vectors {
        assert_eq!(triples(&extract(lines)), *expected, "{lines:?}");
    }
}

#[test]
fn skips_a_malformed_member_alone() {
    #[rustfmt::skip]
    let malformed = [
        "a", "=", "=1", " =1", "a b=1", "\"a\"=1", "a(=1", "é=1", "a:b=1", "a\u{0}=1",
        "a=1 2", "a=\"1\"", "a=1\\2", "a=é", "a=1\u{7f}", "a=1\r\nb", "a=\u{85}",
        "a=1;p q", "a=1;=2", "a=1;p=1 2", "a=1;p=\"q\"", "a=1;p=\r\n", "a=1;é", "a=1;ok;p=\u{1b}",
        ";p=1", "a;p=1",
    ];
    for member in malformed {
        let before_and_behind = format!("x=1,{member},y=2;p");
        assert_eq!(triples(&extract(&[&before_and_behind])), [("x", "1", ""), ("y", "2", "p")], "{member:?}");
        assert_eq!(triples(&extract(&["x=1", member, "y=2"])), [("x", "1", ""), ("y", "2", "")], "{member:?}");
    }
}

#[test]
fn writes_values_percent_encoded_and_properties_as_they_came() {
    #[rustfmt::skip]
    let vectors = [
        ("a=b=c", "a=b=c"),
        ("a=1;p=2;q", "a=1;p=2;q"),
        ("a = 1 ; p = 2 ; q , b = 2", "a=1;p=2;q,b=2"),
        ("a=%zz", "a=%25zz"),
        ("a=%ff", "a=%EF%BF%BD"),
        ("a=%0d%0a", "a=%0D%0A"),
        ("a=%41", "a=A"),
        ("userId=Am%C3%A9lie,serverNode=DF%2028,isProduction=false", "userId=Am%C3%A9lie,serverNode=DF%2028,isProduction=false"),
        ("a=%09%20%22%27%3B%3Dasdf%21%40%23%24%25%5E%26%2A%28%29", "a=%09%20%22'%3B=asdf!@#$%25^&*()"),
        ("a=%2C%5c", "a=%2C%5C"),
    ];
    for (incoming, outgoing) in vectors {
        assert_eq!(inject(&extract(&[incoming])).as_deref(), Some(outgoing), "{incoming}");
    }
    assert_eq!(inject(&Baggage::new()), None);
}

#[test]
fn all_of_64_members_and_8192_bytes_are_passed_on() {
    let many: Vec<String> = (0..64).map(|i| format!("key{i}=value")).collect();
    let lines: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(inject(&extract(&lines)), Some(many.join(",")));
    assert_eq!(inject(&extract(&[&many.join(" , ")])), Some(many.join(",")));

    let long = format!("a={}", "0123456789".repeat(819));
    assert_eq!(long.len(), 8_192);
    assert_eq!(inject(&extract(&[&long])), Some(long));

    let halves = [format!("a={}", "x".repeat(4_093)), format!("b={}", "y".repeat(4_094))];
    assert_eq!(halves.join(",").len(), 8_192);
    assert_eq!(inject(&extract(&[&halves[0], &halves[1]])), Some(halves.join(",")));
}

#[test]
fn members_beyond_the_limits_are_left_out_whole() {
    let many: Vec<String> = (0..65).map(|i| format!("key{i}=value")).collect();
    assert_eq!(inject(&extract(&[&many.join(",")])), Some(many[..64].join(",")));

    let halves = [format!("a={}", "x".repeat(4_093)), format!("b={}", "y".repeat(4_095)), "c=z".to_owned()];
    let expected = format!("{},c=z", halves[0]);
    assert_eq!(inject(&extract(&[&halves[0], &halves[1], &halves[2]])), Some(expected.clone()));
    assert_eq!(inject(&extract(&[&halves.join(",")])), Some(expected));
}

#[test]
fn not_much_more_than_the_limits_is_looked_at() {
    let blank = " ".repeat(Baggage::MAX_BYTES);
    assert_eq!(inject(&extract(&[&format!("a=1,{blank},b=2")])).as_deref(), Some("a=1,b=2"));
    assert_eq!(inject(&extract(&[&format!("a=1,{blank},{blank},b=2")])).as_deref(), Some("a=1"));
    assert_eq!(inject(&extract(&[&blank, &blank, "b=2"])), None);
    assert_eq!(inject(&extract(&[&blank, "b=2"])).as_deref(), Some("b=2"));
    assert_eq!(inject(&extract(&["a=1", &",".repeat(100_000), "b=2"])).as_deref(), Some("a=1"));
    assert_eq!(inject(&extract(&["a=1", &",".repeat(253), "b=2"])).as_deref(), Some("a=1,b=2"));
    assert_eq!(inject(&extract(&["a=1", &",".repeat(254), "b=2"])).as_deref(), Some("a=1"));
    // A member that is cut would be another one.
    let cut = format!("a=1,{}b={}", " ".repeat(2 * Baggage::MAX_BYTES - 10), "2".repeat(100));
    assert_eq!(inject(&extract(&[&cut])).as_deref(), Some("a=1"));
}

#[test]
fn what_grows_by_encoding_is_left_out_whole() {
    let grows = "%ff".repeat(2_000);
    let baggage = extract(&[&format!("a={grows},b=1")]);
    assert_eq!(baggage.get("a").map(|value| value.chars().count()), Some(2_000));
    assert_eq!(inject(&baggage).as_deref(), Some("b=1"));

    // The value alone would still fit.
    let baggage = extract(&[&format!("a={};p={},b=1", "%ff".repeat(900), "q".repeat(90))]);
    assert_eq!(inject(&baggage).as_deref(), Some("b=1"));
}

#[test]
fn what_the_application_adds_beyond_the_limits_is_not_sent() {
    let mut baggage = Baggage::new();
    for i in 0..70 {
        baggage = baggage.with(&format!("key{i}"), "value").expect("is a token");
    }
    assert_eq!(baggage.len(), 70);
    assert_eq!(inject(&baggage).map(|header| header.split(',').count()), Some(64));

    let huge = Baggage::new().with("a", &"\n".repeat(3_000)).and_then(|baggage| baggage.with("b", "1"));
    assert_eq!(inject(&huge.expect("are tokens")).as_deref(), Some("b=1"));
}

#[test]
fn keeps_what_was_known() {
    let mut into = Extracted { baggage: extract(&["a=1"]), ..Extracted::default() };
    BaggagePropagator.extract(&vec![("baggage", "nonsense")], &mut into);
    assert_eq!(into.baggage.get("a"), Some("1"));
    BaggagePropagator.extract(&vec![("Baggage", "b=2,a=3")], &mut into);
    assert_eq!(triples(&into.baggage), [("a", "1", "")]);
}

#[test]
fn entries_are_set_replaced_and_removed() {
    let baggage = extract(&["a=1;p,b=2"]);
    let changed = baggage.with("a", "x y").and_then(|baggage| baggage.with("c", "")).expect("are tokens");
    assert_eq!(triples(&changed), [("a", "x y", ""), ("b", "2", ""), ("c", "", "")]);
    assert_eq!(triples(&baggage), [("a", "1", "p"), ("b", "2", "")]);

    assert_eq!(changed.without("b").len(), 2);
    assert_eq!(changed.without("B"), changed);
    assert_eq!(baggage.without("a").without("b"), Baggage::new());
    assert!(baggage.without("a").without("b").is_empty());
    assert_eq!(baggage.get("c"), None);
    assert_eq!(format!("{:?}", Baggage::new()), "[]");
}

#[test]
fn a_key_that_is_not_a_token_is_refused_with_a_sentence() {
    for key in ["", " ", "a b", "a=b", "a,b", "a;b", "é", "\r\n", "\"a\""] {
        assert_eq!(Baggage::new().with(key, "1").unwrap_err().kind(), ErrorKind::Malformed, "{key:?}");
    }
    let error = Baggage::new().with("a\nb", "1").unwrap_err();
    let expected = r#"this cannot be a baggage key (key: "a\nb"; allowed: letters, digits and !#$%&'*+-.^_`|~)"#;
    assert_eq!(error.to_string(), expected);
}
