use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::ParseStream;
use syn::{Error, Expr, Result, Token, parenthesized, token};

use crate::key;

/// One entry of `record(..)`: an attribute.
pub(crate) struct Record {
    pub(crate) key: String,
    pub(crate) value: Expr,
}

impl Record {
    pub(crate) fn parse_list(option: &Ident, input: ParseStream<'_>) -> Result<Vec<Self>> {
        let nothing = || Error::new(option.span(), "`record` says what: write for example `record(id, items.len())`");
        if !input.peek(token::Paren) {
            return Err(nothing());
        }
        let content;
        parenthesized!(content in input);
        let mut records: Vec<Self> = Vec::new();
        while !content.is_empty() {
            let (whole, record) = Self::parse_one(&content)?;
            if let Some(known) = records.iter().find(|known| known.key == record.key) {
                let message = format!("two attributes with the key `{}`; name one: `key = expression`", known.key);
                return Err(Error::new_spanned(whole, message));
            }
            records.push(record);
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        if records.is_empty() { Err(nothing()) } else { Ok(records) }
    }

    fn parse_one(input: ParseStream<'_>) -> Result<(TokenStream, Self)> {
        if input.peek(Token![?]) || input.peek(Token![%]) {
            let message = "`record` has no `?` and `%`; write `key = format!(\"{value:?}\")`, which is made only if the \
                           span is recorded";
            return Err(input.error(message));
        }
        let entry: Expr = input.parse()?;
        let whole = entry.to_token_stream();
        let (key, value) = match entry {
            Expr::Assign(assign) => (key::written(&assign.left)?, *assign.right),
            value => (key::of_value(&value)?, value),
        };
        refuse_escapes(value.to_token_stream())?;
        Ok((whole, Self { key, value }))
    }
}

/// Whether a function goes on must not depend on whether it is traced.
fn refuse_escapes(tokens: TokenStream) -> Result<()> {
    for token in tokens {
        let escape = match &token {
            TokenTree::Group(group) => {
                refuse_escapes(group.stream())?;
                continue;
            }
            TokenTree::Punct(punct) if punct.as_char() == '?' => "?",
            TokenTree::Ident(ident) if ident == "return" => "return",
            TokenTree::Ident(ident) if ident == "await" => "await",
            _ => continue,
        };
        let message = format!(
            "`{escape}` would happen only while the span is recorded; compute the value in the body and record it with \
             `spandrel::set_attribute`"
        );
        return Err(Error::new(token.span(), message));
    }
    Ok(())
}
