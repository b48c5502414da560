//! Every form of function without a future.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

use spandrel::testing::capture;
use spandrel::{self as tracing, assert_trace};

use crate::keys;

#[tracing::traced]
fn plain() {
    inner();
}

#[tracing::traced]
pub(crate) fn inner() -> u32 {
    7
}

#[tracing::traced("GET /orders/{id}", kind = Client)]
fn renamed() {}

#[tracing::traced(name = "consume", kind = Consumer)]
fn named(_: &str) {}

#[tracing::traced]
fn r#match() {}

#[test]
fn names_kinds_and_nothing_else() {
    let trace = capture(|| {
        plain();
        renamed();
        named("x");
        r#match();
    });
    assert_trace!(trace,
        "plain" (kind: internal, status: unset) { "inner" {} }
        "GET /orders/{id}" (kind: client) {}
        "consume" (kind: consumer) {}
        "match" {}
    );
    for span in trace.spans() {
        assert!(span.attributes.is_empty() && span.events.is_empty(), "nothing is recorded unless asked: {span:?}");
    }
}

struct Cart {
    items: Vec<u32>,
}

trait Priced {
    #[tracing::traced]
    fn price(&self) -> u32 {
        0
    }
    fn discounted(&self) -> u32;
}

impl Cart {
    #[tracing::traced]
    fn new(items: &[u32]) -> Self {
        Self { items: items.to_vec() }
    }

    #[tracing::traced(record(self.items.len(), item))]
    fn add(&mut self, item: u32) -> &mut u32 {
        self.items.push(item);
        self.items.last_mut().expect("one was pushed")
    }

    #[tracing::traced(err)]
    fn try_first(&mut self) -> Result<&mut u32, String> {
        let first = self.items.first_mut().ok_or("empty")?;
        Ok(first)
    }

    #[tracing::traced(capture(result))]
    fn as_slice(&self) -> &[u32] {
        &self.items
    }

    #[tracing::traced]
    fn pinned(self: Pin<&mut Self>) -> usize {
        self.items.len()
    }

    #[tracing::traced(capture(result))]
    fn boxed(self: Box<Self>) -> Vec<u32> {
        self.items
    }

    #[tracing::traced]
    fn consume(self) -> Vec<u32> {
        self.items
    }
}

impl Priced for Cart {
    #[tracing::traced(record(total = self.items.iter().sum::<u32>()))]
    fn discounted(&self) -> u32 {
        self.price() + 1
    }
}

#[test]
fn methods() {
    let trace = capture(|| {
        let mut cart = Cart::new(&[1]);
        *cart.add(2) += 1;
        *cart.try_first().expect("there is one") += 5;
        assert_eq!(cart.as_slice(), [6, 3]);
        assert_eq!(cart.discounted(), 1);
        assert_eq!(Pin::new(&mut cart).pinned(), 2);
        assert!(Box::new(Cart::new(&[])).boxed().is_empty());
        assert_eq!(cart.consume(), [6, 3]);
    });
    assert_trace!(trace,
        "new" {} "add" ("items.len" = 1, "item" = 2) {} "try_first" (status: unset) {} "as_slice" ("return" = "[6, 3]") {}
        "discounted" ("total" = 9) { "price" {} } "pinned" {} "new" {} "boxed" ("return" = "[]") {} "consume" {}
    );
}

#[tracing::traced(capture(args, result))]
fn generic<'a, T: Debug + Clone, const N: usize>(first: &'a T, rest: [T; N]) -> Vec<T>
where
    [T; N]: PartialEq<[T; N]>,
{
    rest.iter().chain([first]).cloned().collect()
}

#[tracing::traced]
fn takes_impl(values: impl Iterator<Item = u32>, map: impl Fn(u32) -> u32) -> impl Iterator<Item = u32> {
    values.map(map)
}

#[tracing::traced(err)]
fn gives_impl(values: &[u32]) -> Result<impl Iterator<Item = (u32, u32)> + '_, std::num::TryFromIntError> {
    let len: u32 = values.len().try_into()?;
    Ok(values.iter().map(move |value| (*value, len)))
}

#[tracing::traced(capture(result))]
fn gives_impl_debug() -> impl Debug + Clone {
    inner()
}

#[tracing::traced]
fn unsized_coercion(wide: bool) -> Box<dyn Fn(u32) -> u32> {
    if wide {
        return Box::new(|a| a);
    }
    Box::new(move |a| a + 1)
}

#[tracing::traced(capture(result))]
fn watched_coercion() -> Box<dyn Debug> {
    Box::new(1)
}

#[test]
fn generics() {
    let trace = capture(|| {
        assert_eq!(generic(&1, [2, 3]), [2, 3, 1]);
        assert_eq!(takes_impl([1, 2].into_iter(), |a| a * 2).sum::<u32>(), 6);
        assert_eq!(gives_impl(&[5]).expect("a short slice").next(), Some((5, 1)));
        let _ = gives_impl_debug().clone();
        assert_eq!(unsized_coercion(true)(1) + unsized_coercion(false)(1), 3);
        let _ = watched_coercion();
    });
    assert_trace!(trace,
        "generic" ("first" = "1", "rest" = "[2, 3]", "return" = "[2, 3, 1]") {}
        "takes_impl" {} "gives_impl" {} "gives_impl_debug" ("return" = "7") { "inner" {} }
        "unsized_coercion" {} "unsized_coercion" {} "watched_coercion" ("return" = "1") {}
    );
}

struct Point {
    x: i64,
    y: i64,
}

#[tracing::traced(record(x, y), capture(args))]
fn patterns(Point { x, ref y }: Point, (a, [b, ..]): (u8, [u8; 3]), &c: &bool, mut d: i64, _: Point, _e: Point) -> i64 {
    d += x;
    d + *y + i64::from(a + b) + i64::from(c)
}

/// Attributes on functions and arguments stay where they are.
#[tracing::traced(capture(args))]
#[allow(clippy::mixed_attributes_style, unused_variables)]
#[must_use]
fn attributes(#[allow(unused)] here: u8, #[cfg(any())] gone: NoSuchType, #[cfg(not(any()))] there: String) -> usize {
    #![allow(non_snake_case)]
    let Unusual = there.len();
    Unusual + 1
}

#[tracing::traced]
extern "C" fn called_from_c(value: i32) -> i32 {
    value
}

macro_rules! make {
    ($visibility:vis $name:ident($argument:ident: $type:ty) -> $output:ty $body:block) => {
        #[tracing::traced(record($argument), capture(args))]
        $visibility fn $name($argument: $type, local: u8) -> $output $body
    };
}

make!(pub(crate) from_macro(value: u8) -> u8 { value });

#[test]
fn patterns_attributes_and_macros() {
    let trace = capture(|| {
        let point = || Point { x: 1, y: 2 };
        assert_eq!(patterns(point(), (3, [4, 0, 0]), &true, 5, point(), point()), 16);
        assert_eq!(attributes(1, "abc".to_owned()), 4);
        assert_eq!(called_from_c(1), 1);
        assert_eq!(from_macro(3, 4), 3);
    });
    assert_trace!(trace,
        "patterns" ("x" = 1, "y" = 2, "a" = "3", "b" = "4", "c" = "true", "d" = "5") {}
        "attributes" ("here" = "1", "there" = "\"abc\"") {} "called_from_c" {} "from_macro" ("value" = 3, "local" = "4") {}
    );
    assert_eq!(keys(&trace, "patterns"), ["a", "b", "c", "d", "x", "y"]);
    assert_eq!(keys(&trace, "attributes"), ["here", "there"]);
}

#[tracing::traced]
fn never() -> ! {
    inner();
    panic!("by intention")
}

#[tracing::traced(capture(result))]
fn panics(how: &str) -> u32 {
    assert!(how.is_empty(), "by intention");
    1
}

struct TracedDrop;

impl Drop for TracedDrop {
    #[tracing::traced]
    fn drop(&mut self) {
        inner();
    }
}

#[tracing::traced]
fn unwinds_through_a_destructor() {
    let _guard = TracedDrop;
    panic!("by intention");
}

#[test]
fn panics_are_errors_of_the_spans_that_they_leave() {
    let trace = capture(|| {
        for f in [(|| never()) as fn(), || assert_eq!(panics("x"), 1), unwinds_through_a_destructor] {
            assert!(catch_unwind(AssertUnwindSafe(f)).is_err());
        }
        assert_eq!(panics(""), 1);
    });
    assert_trace!(trace,
        "never" (status: error) { "inner" (status: unset) {} } "panics" (status: error) {}
        "unwinds_through_a_destructor" (status: error) { "drop" (status: unset) { "inner" (status: unset) {} } }
        "panics" (status: unset, "return" = "1") {}
    );
}
