//! Keys of attributes, from the expressions that stand for them.

use syn::ext::IdentExt;
use syn::{Error, Expr, Lit, Member, Result};

/// The key on the left of `key = value`: a text, or words with dots between.
pub(crate) fn written(left: &Expr) -> Result<String> {
    const WANTED: &str = "a key is a word, words with dots between, or a text; write for example `cart.total = ..`";
    let key = match left {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) if !text.value().is_empty() => Some(text.value()),
            _ => None,
        },
        Expr::Path(_) | Expr::Field(_) => dotted(left),
        _ => None,
    };
    key.ok_or_else(|| Error::new_spanned(left, WANTED))
}

/// The key of a value without one: `user.id`, `b.len()` is `b.len`, `self.id` is `id`.
pub(crate) fn of_value(value: &Expr) -> Result<String> {
    const WANTED: &str = "this expression gives no key; write `key = expression`";
    dotted(value).ok_or_else(|| Error::new_spanned(value, WANTED))
}

fn dotted(expression: &Expr) -> Option<String> {
    let (base, last) = match expression {
        Expr::Path(path) => return Some(path.path.get_ident().filter(|_| path.qself.is_none())?.unraw().to_string()),
        Expr::Field(field) => match &field.member {
            Member::Named(name) => (&field.base, name.unraw().to_string()),
            Member::Unnamed(index) => (&field.base, index.index.to_string()),
        },
        Expr::MethodCall(call) => (&call.receiver, call.method.unraw().to_string()),
        Expr::Reference(reference) => return dotted(&reference.expr),
        Expr::Unary(unary) if matches!(unary.op, syn::UnOp::Deref(_)) => return dotted(&unary.expr),
        Expr::Paren(paren) => return dotted(&paren.expr),
        Expr::Group(group) => return dotted(&group.expr),
        Expr::Cast(cast) => return dotted(&cast.expr),
        _ => return None,
    };
    let base = dotted(base)?;
    if base != "self" {
        return Some(format!("{base}.{last}"));
    }
    // `self.0` says nothing.
    (!last.starts_with(|c: char| c.is_ascii_digit())).then_some(last)
}
