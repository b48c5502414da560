use std::sync::OnceLock;

use spandrel_plugin_api::InstrumentationScope;
use spandrel_plugin_api::wire::{self, field};

/// The instrumentation scopes seen so far, each with a number.
///
/// A list that only grows, so that nobody waits who looks one up.
pub(crate) struct Scopes {
    /// Number 0, which nearly all spans have.
    usual: InstrumentationScope<'static>,
    first: Scope,
}

struct Scope {
    name: String,
    version: String,
    encoded: Vec<u8>,
    next: OnceLock<Box<Scope>>,
}

impl Scopes {
    pub(crate) fn new(usual: InstrumentationScope<'static>) -> Self {
        Self { usual, first: Scope::new(&usual) }
    }

    /// The number of a scope; equal scopes have the same.
    #[inline]
    pub(crate) fn number(&self, scope: &InstrumentationScope<'_>) -> u32 {
        // What is static keeps its text, so that the place tells which one it is.
        if std::ptr::eq(scope.name, self.usual.name) && std::ptr::eq(scope.version, self.usual.version) {
            return 0;
        }
        self.find(scope)
    }

    fn find(&self, scope: &InstrumentationScope<'_>) -> u32 {
        let mut number = 0;
        let mut known = &self.first;
        while known.name != scope.name || known.version != scope.version {
            known = known.next.get_or_init(|| Box::new(Scope::new(scope)));
            number += 1;
        }
        number
    }

    /// The encoded message of the scope with this number.
    pub(crate) fn encoded(&self, number: u32) -> &[u8] {
        let mut scopes = std::iter::successors(Some(&self.first), |scope| scope.next.get().map(AsRef::as_ref));
        scopes.nth(number as usize).map_or(&[], |scope| &scope.encoded)
    }
}

impl Scope {
    fn new(scope: &InstrumentationScope<'_>) -> Self {
        let mut encoded = Vec::new();
        for (field, text) in [(field::SCOPE_NAME, scope.name), (field::SCOPE_VERSION, scope.version)] {
            if !text.is_empty() {
                wire::put_bytes(&mut encoded, field, text.as_bytes());
            }
        }
        Self { name: scope.name.to_owned(), version: scope.version.to_owned(), encoded, next: OnceLock::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::Scopes;
    use spandrel_plugin_api::InstrumentationScope;

    #[test]
    fn equal_scopes_have_one_number() {
        let usual = InstrumentationScope { name: "shop", version: "1" };
        let scopes = Scopes::new(usual);
        let copy = (String::from("shop"), String::from("1"));
        assert_eq!(scopes.number(&usual), 0);
        assert_eq!(scopes.number(&InstrumentationScope { name: &copy.0, version: &copy.1 }), 0);
        let others = ["2", "3", "2"].map(|version| scopes.number(&InstrumentationScope { name: "shop", version }));
        assert_eq!(others, [1, 2, 1]);
        assert_eq!(scopes.encoded(0), b"\x0a\x04shop\x12\x011");
        assert_eq!(scopes.encoded(2), b"\x0a\x04shop\x12\x013");
        assert_eq!(scopes.encoded(3), b"");
    }

    #[test]
    fn threads_that_bring_the_same_scope_agree() {
        let scopes = Scopes::new(InstrumentationScope::default());
        let names: Vec<String> = (0..20).map(|i| format!("crate {i}")).collect();
        let number = |name: &String| scopes.number(&InstrumentationScope { name, version: "" });
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| names.iter().map(number).collect::<Vec<_>>());
            }
        });
        let mut numbers: Vec<u32> = names.iter().map(number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    }
}
