//! What is printed, to the character.

use spandrel_plugin_api::{SpanKind, Status};

use super::batch::{TestConsole, TestSpan, span};
use crate::{Color, ConsoleConfig, Format};

/// A checkout in which the card is refused.
fn checkout() -> [TestSpan; 7] {
    let refused = [("exception.type", "CardDeclined"), ("exception.message", "insufficient funds")];
    [
        span("SELECT stock", 4, 3, 3_100..7_380)
            .of("inventory")
            .kind(SpanKind::Client)
            .attribute("db.system", "postgresql")
            .attribute("db.query.text", "SELECT count FROM stock WHERE sku = $1"),
        span("POST /reserve", 3, 2, 2_000..13_800)
            .of("inventory")
            .kind(SpanKind::Server)
            .remote_parent()
            .status(Status::Ok),
        span("reserve_stock", 2, 1, 1_500..14_000).kind(SpanKind::Client).attribute("items", ["book", "red pen"]),
        span("validate", 7, 1, 400..553).attribute("valid", true),
        span("POST /charge", 6, 5, 16_000..110_000)
            .of("payment")
            .kind(SpanKind::Server)
            .remote_parent()
            .status(Status::Error("card declined"))
            .event("retry", 17_204, &[])
            .event("exception", 109_000, &refused),
        span("charge_card", 5, 1, 15_000..111_100)
            .kind(SpanKind::Client)
            .status(Status::Error("payment failed"))
            .attribute("http.request.method", "POST")
            .attribute("url.full", "https://payment.example/charge")
            .event("connected", 15_800, &[("server.address", "10.0.0.7")]),
        span("checkout", 1, 0, 0..128_000)
            .kind(SpanKind::Server)
            .attribute("cart.items", 3)
            .attribute("cart.total", 59.9)
            .dropped_events(2)
            .link(9, 8),
    ]
}

/// One span with something in every place.
fn charge() -> TestSpan {
    span("POST /charge", 6, 5, 16_000..110_000)
        .of("payment")
        .kind(SpanKind::Server)
        .status(Status::Error("card declined"))
        .attribute("attempt", 2)
        .attribute("card.holder", "Zoë Frisch")
        .event("exception", 17_204, &[("exception.message", "insufficient funds")])
        .link(9, 8)
}

fn print<const N: usize>(format: Format, color: Color, spans: [TestSpan; N]) -> String {
    let mut console = TestConsole::new(&ConsoleConfig { format, color, ..ConsoleConfig::default() });
    console.export(spans) + &console.flush()
}

#[test]
fn a_tree_of_three_services() {
    let expected = r#"
trace 01010101010101010101010101010101  shop, inventory, payment  128 ms  7 spans  2 errors
└─ checkout  server  128 ms  cart.items=3 cart.total=59.9  (2 events dropped)
   │  link to span 0808080808080808 of trace 09090909090909090909090909090909  why="retry of"
   ├─ validate  153 µs  valid=true
   ├─ reserve_stock  client  12.5 ms  items=["book","red pen"]
   │  └─ POST /reserve  (inventory)  server  11.8 ms  ✓
   │     └─ SELECT stock  client  4.28 ms  db.system=postgresql
   │             db.query.text="SELECT count FROM stock WHERE sku = $1"
   └─ charge_card  client  96.1 ms  ✗ payment failed  http.request.method=POST
      │    url.full=https://payment.example/charge
      │  +800 µs connected  server.address=10.0.0.7
      └─ POST /charge  (payment)  server  94.0 ms  ✗ card declined
            +1.20 ms retry
            +93.0 ms exception  exception.type=CardDeclined exception.message="insufficient funds"

"#;
    let printed = print(Format::Tree, Color::Auto, checkout());
    assert_eq!(printed, expected.trim_start());
    assert!(printed.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn a_coloured_tree() {
    let spans = [
        span("reserve", 2, 1, 100..200).of("inventory").status(Status::Ok),
        span("checkout", 1, 0, 0..300).status(Status::Error("sold out")).attribute("items", 3),
    ];
    let expected = "\
        trace 01010101010101010101010101010101  <36>shop, inventory<0>  300 µs  2 spans  <31>1 error<0>\n\
        <2>└─ <0><1>checkout<0>  300 µs  <31>✗ sold out<0>  <2>items=3<0>\n\
        <2>   └─ <0><1>reserve<0>  <36>(inventory)<0>  100 µs  <32>✓<0>\n\n";
    let expected = expected.replace('<', "\x1b[").replace('>', "m");
    assert_eq!(print(Format::Tree, Color::Always, spans), expected);
}

#[test]
fn plain_lines() {
    let expected = concat!(
        r#"name="POST /charge" service=payment kind=server start=1767323045.016000000 duration=94.0ms status=error "#,
        "trace_id=01010101010101010101010101010101 span_id=0606060606060606 parent_span_id=0505050505050505 ",
        r#"status_message="card declined" attempt=2 card.holder="Zoë Frisch" "#,
        r#"event="+1.20ms exception exception.message=\"insufficient funds\"" "#,
        r#"link="09090909090909090909090909090909-0808080808080808 why=\"retry of\"""#,
        "\nname=idle service=shop kind=internal start=1767323045.000000000 duration=153us status=unset ",
        "trace_id=01010101010101010101010101010101 span_id=0101010101010101\n",
    );
    assert_eq!(print(Format::Plain, Color::Always, [charge(), span("idle", 1, 0, 0..153)]), expected);
}

#[test]
fn json_lines() {
    let expected = concat!(
        r#"{"name":"POST /charge","trace_id":"01010101010101010101010101010101","span_id":"0606060606060606","#,
        r#""parent_span_id":"0505050505050505","kind":"server","service":"payment","start":1767323045016000000,"#,
        r#""duration_ns":94000000,"status":"error","status_message":"card declined","#,
        r#""attributes":{"attempt":2,"card.holder":"Zoë Frisch"},"#,
        r#""events":[{"name":"exception","time":1767323045017204000,"#,
        r#""attributes":{"exception.message":"insufficient funds"}}],"#,
        r#""links":[{"trace_id":"09090909090909090909090909090909","span_id":"0808080808080808","#,
        r#""attributes":{"why":"retry of"}}]}"#,
        "\n",
        r#"{"name":"idle","trace_id":"01010101010101010101010101010101","span_id":"0101010101010101","#,
        r#""parent_span_id":null,"kind":"internal","service":"shop","start":1767323045000000000,"#,
        r#""duration_ns":153000,"status":"unset","status_message":null,"attributes":{},"events":[],"links":[]}"#,
        "\n",
    );
    assert_eq!(print(Format::Json, Color::Always, [charge(), span("idle", 1, 0, 0..153)]), expected);
}

#[test]
fn hostile_texts_reach_no_terminal() {
    const HOSTILE: &str = "\x1b]0;owned\x07\r\n\u{9b}2J\u{202e}\u{2028}\x7f";
    for format in [Format::Tree, Format::Plain, Format::Json] {
        let hostile = span(HOSTILE, 1, 0, 0..1)
            .of(HOSTILE)
            .status(Status::Error(HOSTILE))
            .attribute(HOSTILE, HOSTILE)
            .attribute("list", [HOSTILE])
            .event(HOSTILE, 0, &[(HOSTILE, HOSTILE)]);
        let printed = print(format, Color::Never, [hostile]);
        let is_safe = |c: char| c == '\n' || !(c.is_control() || matches!(c, '\u{202e}' | '\u{2028}'));
        assert!(printed.chars().all(is_safe), "{printed:?}");
        assert_eq!(printed.matches("owned").count(), 9, "{printed}");
        if format != Format::Tree {
            assert_eq!(printed.lines().count(), 1, "{printed}");
        }
    }
}

#[test]
fn a_tree_cuts_long_texts() {
    let prompt = "tell me ".repeat(100);
    let printed = print(Format::Tree, Color::Never, [span("chat", 1, 0, 0..1).attribute("prompt", &prompt)]);
    let line = printed.lines().find(|line| line.contains("prompt")).unwrap();
    assert_eq!(line.chars().count(), 8 + 200 + 1);
    assert!(line.ends_with('…'));
    assert!(
        print(Format::Plain, Color::Never, [span("chat", 1, 0, 0..1).attribute("prompt", &prompt)]).contains(&prompt)
    );
}
