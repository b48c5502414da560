//! No lint complains about what `#[traced]` adds.
#![deny(warnings, unused, missing_docs, rust_2018_idioms, unused_qualifications, unreachable_pub)]
#![deny(clippy::all, clippy::pedantic)]
#![allow(unreachable_pub, clippy::unused_async, reason = "about the functions as they were written")]

use std::sync::Arc;

use spandrel::testing::capture_async;
use spandrel::traced;

/// Documented.
#[derive(Debug)]
pub struct Item {
    /// Documented.
    pub price: u32,
}

/// Documented.
///
/// # Errors
///
/// Never.
#[traced(kind = Client, record(item.price, double = item.price * 2), capture(args, result), err)]
pub fn everything(item: &Item, _unused: u8, list: &[u32]) -> Result<u32, String> {
    const NONE: u32 = 0;
    let first = list.first().ok_or("none")?;
    Ok(first + item.price + NONE)
}

/// Documented.
///
/// # Errors
///
/// Never.
#[traced(kind = Client, record(item.price, double = item.price * 2), capture(args, result), err)]
pub async fn everything_async(item: &Item, _unused: u8, list: &[u32]) -> Result<u32, String> {
    tokio::task::yield_now().await;
    let first = list.first().ok_or("none")?;
    Ok(first + item.price)
}

/// Documented.
#[traced(record(text), capture(args))]
pub fn borrowed(text: &str, shared: &Arc<str>) {
    assert!(text.len() > shared.len());
}

/// Documented.
#[traced]
pub async fn unit(items: Vec<Item>) {
    drop(items);
    tokio::task::yield_now().await;
}

/// Documented.
#[traced]
#[rustfmt::skip]
pub fn one_line() -> u32 { 7 }

/// Documented.
#[traced]
#[rustfmt::skip]
pub async fn one_line_async() -> u32 { 7 }

/// Documented.
///
/// # Errors
///
/// Never.
#[traced(err)]
#[rustfmt::skip]
pub fn one_line_watched() -> Result<u32, String> { Ok(7) }

/// Documented.
#[traced]
pub fn empty() {}

/// Documented.
#[traced]
pub async fn empty_async() {}

/// Documented.
#[traced]
#[must_use]
pub fn moves(items: Vec<Item>) -> Vec<Item> {
    if items.is_empty() {
        return items;
    }
    let mut items = items;
    items.pop();
    items
}

/// Documented.
#[traced(err)]
pub fn future(fine: bool) -> impl Future<Output = Result<(), String>> {
    async move { if fine { Ok(()) } else { Err("not fine".to_owned()) } }
}

/// Documented.
#[traced]
pub async fn never() -> ! {
    panic!("by intention")
}

/// Documented.
///
/// # Errors
///
/// Never.
#[traced(tool(id = id), record(item.price), capture(args, result), err, as tool)]
pub fn operation(id: &str, item: &Item) -> Result<u32, String> {
    tool.set_attribute("twice", item.price * 2);
    Ok(item.price)
}

/// Documented.
///
/// # Errors
///
/// Never.
#[traced(llm(provider = "openai", model = model), capture(args, result), err)]
pub async fn operation_async(model: &str, item: &Item) -> Result<u32, String> {
    tokio::task::yield_now().await;
    Ok(item.price)
}

/// Documented.
#[traced(agent)]
#[rustfmt::skip]
pub async fn operation_in_one_line() -> u32 { 7 }

/// Documented.
#[traced(agent, as agent)]
pub fn operation_that_makes_a_future() -> impl Future<Output = ()> {
    async move { agent.set_attribute("a", 1) }
}

#[tokio::test]
async fn they_run() {
    let item = Item { price: 1 };
    let trace = capture_async(async {
        everything(&item, 0, &[1]).unwrap();
        everything_async(&item, 0, &[1]).await.unwrap();
        borrowed("abc", &"a".into());
        empty();
        unit(moves(vec![])).await;
        empty_async().await;
        future(true).await.unwrap();
        operation("id", &item).unwrap();
        operation_async("gpt-4o", &item).await.unwrap();
        operation_in_one_line().await;
        operation_that_makes_a_future().await;
    })
    .await;
    assert_eq!(trace.spans().len(), 12);
}
