//! The current spans of each thread, as backends with a context of their own have them.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use spandrel_plugin_api::SpanContext;

thread_local! {
    /// Of all instances, the innermost last.
    static STACK: RefCell<Vec<(u64, SpanContext)>> = const { RefCell::new(Vec::new()) };
}

/// What one instance has put on the stacks.
pub(crate) struct Current {
    owner: u64,
}

impl Current {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { owner: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    pub(crate) fn enter(&self, context: &SpanContext) {
        STACK.with_borrow_mut(|stack| stack.push((self.owner, context.clone())));
    }

    /// Takes away the innermost entry of the span; brackets may come in any order.
    pub(crate) fn exit(&self, context: &SpanContext) {
        STACK.with_borrow_mut(|stack| {
            if let Some(at) = stack.iter().rposition(|(owner, entered)| *owner == self.owner && entered == context) {
                stack.remove(at);
            }
        });
    }

    pub(crate) fn innermost(&self) -> Option<SpanContext> {
        STACK.with_borrow(|stack| {
            stack.iter().rev().find(|(owner, _)| *owner == self.owner).map(|(_, context)| context.clone())
        })
    }
}
