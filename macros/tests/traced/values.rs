//! `record` and `capture`: keys, laziness, lengths, secrets.

use std::cell::Cell;
use std::fmt::{self, Debug};

use spandrel::testing::capture;
use spandrel::{self as tracing, REDACTED, assert_trace};

use crate::{keys, sampled_out, text};

struct User {
    id: u64,
    name: (String, u8),
}

#[tracing::traced(record(a, b.len(), user.id, user.name.1, &user.name.0, *c, total = price * 2.0, cart.items = b.len(), "http.route" = "/x"))]
fn keyed(a: i32, b: &[u8], user: &User, c: &mut bool, price: f64) -> usize {
    *c = false;
    b.len()
}

#[test]
fn keys_come_from_expressions() {
    let user = User { id: 17, name: ("Ada".to_owned(), 36) };
    let trace = capture(|| keyed(1, &[1, 2], &user, &mut true, 1.5));
    assert_trace!(trace, "keyed" (
        "a" = 1, "b.len" = 2, "user.id" = 17, "user.name.1" = 36, "user.name.0" = "Ada", "c" = true, "total" = 3.0,
        "cart.items" = 2, "http.route" = "/x"
    ) {});
    assert_eq!(trace.span("keyed").attributes.len(), 9);
}

/// Counts how often it is looked at.
struct Watched<'a>(&'a Cell<u32>);

impl Watched<'_> {
    fn look(&self) -> u32 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}

impl Debug for Watched<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.look())
    }
}

#[tracing::traced(record(looked = watched.look()), capture(args, result))]
fn lazy<'a>(watched: Watched<'a>) -> Watched<'a> {
    watched
}

#[tracing::traced(record(looked = watched.look()), capture(args, result))]
async fn lazy_async(watched: Watched<'_>) -> Watched<'_> {
    watched
}

#[test]
fn values_are_looked_at_only_if_the_span_is_recorded() {
    let looks = Cell::new(0);
    let run = || {
        lazy(Watched(&looks));
        futures_ready(lazy_async(Watched(&looks)));
    };
    run();
    assert_eq!(looks.get(), 0, "off");
    sampled_out(|| {
        run();
        lazy_under_a_sampled_out_parent(&looks);
    });
    assert_eq!(looks.get(), 0, "sampled out");
    let trace = capture(run);
    assert_eq!(looks.get(), 6);
    assert_trace!(trace,
        "lazy" ("watched" = "1", "looked" = 2, "return" = "3") {}
        "lazy_async" ("watched" = "4", "looked" = 5, "return" = "6") {}
    );
}

#[tracing::traced]
fn lazy_under_a_sampled_out_parent(looks: &Cell<u32>) {
    assert!(tracing::current().is_some_and(|context| !context.is_sampled()), "the context goes on");
    lazy(Watched(looks));
}

fn futures_ready<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

#[tracing::traced(record(name = name.to_uppercase(), count = { let n = name.len(); n + 1 }))]
fn moved(name: String, other: Vec<String>) -> (String, Vec<String>) {
    (name, other)
}

#[tracing::traced(record(a = 1), capture(args))]
fn recorded_wins(a: &str, b: &str) -> usize {
    a.len() + b.len()
}

#[test]
fn values_are_recorded_before_the_body_moves_them() {
    let trace = capture(|| {
        moved("ada".to_owned(), vec![]);
        recorded_wins("x", "y");
    });
    assert_trace!(trace, "moved" ("name" = "ADA", "count" = 4) {} "recorded_wins" ("a" = 1, "b" = "\"y\"") {});
    assert_eq!(trace.span("recorded_wins").attributes.len(), 2);
}

#[tracing::traced(capture(args, result, max_bytes = 8))]
fn long(long: &str, short: u8) -> [u64; 4] {
    let _ = (long, short);
    [u64::MAX; 4]
}

#[tracing::traced(capture(args))]
fn default_length(bytes: &[u8]) -> usize {
    bytes.len()
}

#[test]
fn captures_are_cut_between_characters() {
    let trace = capture(|| {
        long("äöüäöü", 1);
        default_length(&[0; 100_000]);
    });
    assert_trace!(trace, "long" ("long" = "\"äö…", "short" = "1", "return" = "[1844…") {} "default_length" {});
    let bytes = text(&trace, "default_length", "bytes");
    assert!(bytes.len() == 256 && bytes.starts_with("[0, 0") && bytes.ends_with('…'), "{bytes}");
}

#[derive(Debug)]
#[expect(dead_code, reason = "read by `Debug`")]
struct Login {
    user: &'static str,
    api_key: &'static str,
}

#[tracing::traced(capture(args, result), record(session_token = 17))]
fn login(password: &str, login: Login) -> Login {
    assert!(!password.is_empty());
    login
}

#[tracing::traced(capture(args, max_bytes = 24))]
fn cut_secret(text: &str) -> usize {
    text.len()
}

#[test]
fn secrets_do_not_get_out() {
    let trace = capture(|| {
        login("hunter2", Login { user: "ada", api_key: "sk-12345" });
        cut_secret("password=hunter2hunter2hunter2");
    });
    let shown = r#"Login { user: "ada", api_key: "[REDACTED]" }"#;
    assert_trace!(trace,
        "login" ("password" = REDACTED, "session_token" = REDACTED, "login" = shown, "return" = shown) {}
        "cut_secret" ("text" = "\"password=[REDACTED]") {}
    );
    assert_eq!(keys(&trace, "login"), ["login", "password", "return", "session_token"]);
    let everything = format!("{:?}", trace.spans());
    assert!(!everything.contains("hunter2") && !everything.contains("sk-12345"), "{everything}");
}

struct Broken;

impl Debug for Broken {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("by intention")
    }
}

#[tracing::traced(capture(args))]
fn debug_panics(broken: &Broken) {
    let _ = broken;
}

#[tracing::traced(record(first = list[0]))]
fn record_panics(list: &[u8]) {
    let _ = list;
}

#[test]
fn panics_while_recording() {
    let trace = capture(|| {
        debug_panics(&Broken);
        let panicked = std::panic::catch_unwind(|| record_panics(&[]));
        assert!(panicked.is_err(), "an expression of the user panics as it would elsewhere");
        assert!(tracing::current().is_none());
    });
    assert_trace!(trace, "debug_panics" (status: unset, "broken" = "…") {} "record_panics" (status: error) {});
}
