//! Async functions, and functions that make a future at their end.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use spandrel::testing::{capture, capture_async};
use spandrel::{self as tracing, assert_trace};
use tokio::task::yield_now;

#[tracing::traced]
fn step() {}

#[tracing::traced(record(name, name.len()), kind = Server)]
async fn handle(name: String, rest: &mut Vec<u32>) -> usize {
    step();
    yield_now().await;
    step();
    rest.push(1);
    name.len()
}

#[tokio::test]
async fn a_span_for_all_polls() {
    let trace = capture_async(async {
        let mut rest = vec![];
        assert_eq!(handle("ada".to_owned(), &mut rest).await, 3);
        assert_eq!(rest, [1]);
    })
    .await;
    assert_trace!(trace, "handle" (kind: server, "name" = "ada", "name.len" = 3) { "step" {} "step" {} });
}

#[tokio::test]
async fn a_span_starts_with_the_first_poll() {
    let trace = capture_async(async {
        let mut rest = vec![];
        drop(handle("never".to_owned(), &mut rest));
        let later = handle("later".to_owned(), &mut rest);
        tracing::with_span_async("parent", later).await;
    })
    .await;
    assert_trace!(trace, "parent" { "handle" ("name" = "later") { "step" {} "step" {} } });
}

struct OnDrop;

impl Drop for OnDrop {
    fn drop(&mut self) {
        tracing::with_span("dropped", |_| ());
    }
}

#[tracing::traced(capture(result))]
async fn waits_forever(held: OnDrop) -> u32 {
    let _held = held;
    std::future::pending().await
}

#[tracing::traced]
async fn panics() {
    yield_now().await;
    panic!("by intention")
}

#[tracing::traced(capture(result))]
async fn panics_watched() -> u32 {
    panics().await;
    1
}

#[tokio::test]
async fn cancelled_and_panicked() {
    let trace = capture_async(async {
        tokio::select! {
            biased;
            _ = waits_forever(OnDrop) => {}
            () = std::future::ready(()) => {}
        }
        assert!(
            tokio::task::spawn(tracing::InSpanExt::in_context(panics_watched(), tracing::Context::current()))
                .await
                .is_err()
        );
    })
    .await;
    assert_trace!(trace,
        "waits_forever" (status: unset) { "dropped" {} } "panics_watched" (status: error) { "panics" (status: error) {} }
    );
    assert!(trace.span("waits_forever").attributes.is_empty(), "there was no result");
}

#[derive(Clone)]
struct Service(Arc<str>);

impl Service {
    #[tracing::traced(record(name = &*self.0))]
    async fn by_ref(&self, a: &str) -> String {
        yield_now().await;
        format!("{}{a}", self.0)
    }

    #[tracing::traced(capture(args, result), err)]
    async fn by_mut(&mut self, (a, b): (&str, u8)) -> Result<&mut Arc<str>, std::num::ParseIntError> {
        yield_now().await;
        let _: u8 = a.parse()?;
        assert!(b > 0);
        Ok(&mut self.0)
    }

    #[tracing::traced]
    async fn by_value<T: Into<u64>, const N: usize>(
        self,
        values: [T; N],
        map: impl Fn(u64) -> u64,
    ) -> impl Iterator<Item = u64> {
        yield_now().await;
        values.into_iter().map(move |value| map(value.into()))
    }

    #[tracing::traced(err)]
    async fn some(&self) -> Result<impl Iterator<Item = char> + '_, std::fmt::Error> {
        Ok(self.0.chars())
    }
}

#[tokio::test]
async fn async_methods() {
    let trace = capture_async(async {
        let mut service = Service("s".into());
        assert_eq!(service.by_ref("a").await, "sa");
        assert!(service.by_mut(("x", 1)).await.is_err());
        *service.by_mut(("1", 1)).await.unwrap() = "t".into();
        assert_eq!(service.some().await.unwrap().next(), Some('t'));
        assert_eq!(service.by_value([1_u32], |a| a + 1).await.sum::<u64>(), 2);
    })
    .await;
    assert_trace!(trace,
        "by_ref" ("name" = "s") {} "by_mut" (status: error, "a" = "\"x\"", "b" = "1") {} "by_mut" ("return" = "Ok(\"s\")") {}
        "some" {} "by_value" {}
    );
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[tracing::traced(record(name), capture(args, result), err)]
async fn is_watched_and_send(name: &str, count: &mut u32) -> Result<String, std::fmt::Error> {
    yield_now().await;
    *count += 1;
    Ok(name.to_owned())
}

#[tracing::traced(capture(args, result))]
async fn is_not_send(shared: Rc<u32>) -> Rc<u32> {
    yield_now().await;
    shared
}

#[tokio::test]
async fn futures_are_send_if_they_were() {
    let mut rest = vec![];
    is_send(handle(String::new(), &mut rest)).await;
    is_send(is_watched_and_send("a", &mut 1)).await.unwrap();
    is_send(Service("s".into()).by_ref("a")).await;
    is_send(boxed("a")).await.unwrap();
    is_not_send(Rc::new(1)).await;
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[tracing::traced(record(text.len()), err)]
fn boxed(text: &str) -> Boxed<'_, Result<usize, std::num::ParseIntError>> {
    let trimmed = text.trim();
    Box::pin(async move {
        step();
        yield_now().await;
        if trimmed == "a" {
            return Ok(0);
        }
        let len: usize = trimmed.parse()?;
        Ok(len)
    })
}

#[tracing::traced(record(count))]
fn makes_a_future(count: u32) -> impl Future<Output = u32> + Send {
    if count > 100 {
        step();
    }
    async move {
        step();
        yield_now().await;
        count
    }
}

#[tracing::traced]
fn borrows<'a>(count: &'a u32, list: &'a mut Vec<u32>) -> impl Future<Output = ()> + 'a {
    std::boxed::Box::pin(async move {
        yield_now().await;
        list.push(*count);
    })
}

#[tracing::traced]
fn only_the_call() -> impl Future<Output = ()> {
    step();
    let _unused = async {};
    std::future::ready(())
}

#[tokio::test]
async fn functions_that_make_a_future() {
    let trace = capture_async(async {
        drop(makes_a_future(101));
        assert_eq!(makes_a_future(2).await, 2);
        assert!(boxed("x").await.is_err());
        borrows(&1, &mut vec![]).await;
        only_the_call().await;
    })
    .await;
    assert_trace!(trace,
        "step" {} "makes_a_future" ("count" = 2) { "step" {} }
        "boxed" (status: error, "text.len" = 1) { "step" {} } "borrows" {} "only_the_call" { "step" {} }
    );
}

#[async_trait::async_trait]
trait Store: Sync {
    async fn get(&self, key: String) -> Result<u32, std::num::ParseIntError>;

    #[tracing::traced]
    async fn get_all(&self) -> u32 {
        self.get("1".to_owned()).await.unwrap_or(0)
    }
}

#[async_trait::async_trait]
impl Store for Service {
    #[tracing::traced(record(name = &*self.0, key), capture(args, result), err)]
    async fn get(&self, key: String) -> Result<u32, std::num::ParseIntError> {
        yield_now().await;
        key.parse()
    }
}

trait NativeStore {
    fn get(&self, key: u32) -> impl Future<Output = u32> + Send;
}

impl NativeStore for u32 {
    #[tracing::traced(record(key))]
    async fn get(&self, key: u32) -> u32 {
        yield_now().await;
        *self + key
    }
}

#[tokio::test]
async fn async_functions_of_traits() {
    let trace = capture_async(async {
        let service: &dyn Store = &Service("s".into());
        assert_eq!(service.get_all().await, 1);
        assert!(service.get("x".to_owned()).await.is_err());
        assert_eq!(NativeStore::get(&1, 2).await, 3);
    })
    .await;
    assert_trace!(trace,
        "get_all" { "get" ("name" = "s", "key" = "1", "return" = "Ok(1)") {} }
        "get" (status: error, "key" = "x") {} "get" ("key" = 2) {}
    );
}

#[tracing::traced]
#[tokio::main(flavor = "current_thread")]
async fn outer_macros() -> u32 {
    yield_now().await;
    1
}

#[tokio::main(flavor = "current_thread")]
#[tracing::traced]
async fn inner_macros() -> u32 {
    yield_now().await;
    1
}

#[test]
fn other_attributes_above_and_below() {
    let trace = capture(|| outer_macros() + inner_macros());
    assert_trace!(trace, "outer_macros" {} "inner_macros" {});
}
