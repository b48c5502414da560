use proc_macro2::{Delimiter, Group, Ident, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, FnArg, Pat, Result, ReturnType, Signature, Token, Type, Visibility};

/// A function, its body as it was written: what is not taken apart keeps its
/// place in error messages, and costs nothing.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    /// `#![..]` at the start of the body.
    pub(crate) inner_attributes: Vec<Attribute>,
    pub(crate) body: Group,
}

/// A variable that an argument binds, with the `#[cfg]` of the argument.
pub(crate) struct Binding<'a> {
    pub(crate) name: &'a Ident,
    pub(crate) conditions: Vec<&'a Attribute>,
}

/// A body that makes a future: `.. async move { .. }` or `.. Box::pin(async move { .. })`.
pub(crate) struct FutureBody {
    pub(crate) before: Vec<TokenTree>,
    /// `async` or `async move`.
    pub(crate) head: TokenStream,
    pub(crate) block: Group,
    /// The parentheses around it, if there are any.
    pub(crate) boxed: Option<Group>,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        const WANTED: &str = "`#[traced]` is for functions and methods; put it on each that should be traced";
        const NO_BODY: &str = "there is nothing to trace without a body; put `#[traced]` on the implementations";
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility: Visibility = input.parse()?;
        let is_item = input.peek(Token![struct])
            || input.peek(Token![enum])
            || input.peek(Token![impl])
            || input.peek(Token![mod])
            || input.peek(Token![trait])
            || input.peek(Token![static])
            || input.peek(Token![type])
            || input.peek(Token![use])
            || input.peek(Token![let])
            || input.peek(Token![unsafe]) && input.peek2(Token![impl])
            || input.peek(Token![const]) && !is_const_fn(input);
        if is_item {
            return Err(input.error(WANTED));
        }
        let signature: Signature = input.parse()?;
        if let Some(constness) = signature.constness {
            let message = "a `const fn` cannot be traced, because the compiler runs it, too; trace its callers, or \
                           remove `const`";
            return Err(Error::new(constness.span, message));
        }
        if input.peek(Token![;]) {
            return Err(Error::new_spanned(&signature, NO_BODY));
        }
        let content;
        let brace = syn::braced!(content in input);
        let inner_attributes = content.call(Attribute::parse_inner)?;
        let mut body = Group::new(Delimiter::Brace, content.parse()?);
        body.set_span(brace.span.join());
        Ok(Self { attributes, visibility, signature, inner_attributes, body })
    }
}

fn is_const_fn(input: ParseStream<'_>) -> bool {
    let words = [input.peek2(Token![fn]), input.peek2(Token![async]), input.peek2(Token![unsafe])];
    words.contains(&true) || input.peek2(Token![extern])
}

impl Function {
    /// The type that it returns; `None` for `()`.
    pub(crate) fn output(&self) -> Option<&Type> {
        match &self.signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, output) => match &**output {
                Type::Tuple(tuple) if tuple.elems.is_empty() => None,
                output => Some(output),
            },
        }
    }

    /// The type that it returns as it may stand in its body, if it can be named there.
    pub(crate) fn named_output(&self) -> Option<TokenStream> {
        match self.output() {
            None => Some(quote::quote!(())),
            Some(Type::ImplTrait(_) | Type::Never(_)) => None,
            Some(output) => Some(without_impl(output.to_token_stream())),
        }
    }

    /// The variables that the arguments bind, except `self` and those that say
    /// with an underscore that they are not used.
    pub(crate) fn bindings(&self) -> Vec<Binding<'_>> {
        let mut bindings = Vec::new();
        for argument in &self.signature.inputs {
            let FnArg::Typed(argument) = argument else { continue };
            let mut names = Vec::new();
            bound_by(&argument.pat, &mut names);
            bindings.extend(names.into_iter().filter(|name| !name.to_string().starts_with('_')).map(|name| Binding {
                name,
                conditions: argument.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).collect(),
            }));
        }
        bindings
    }

    /// Takes the body apart if it is not `async` itself, but makes a future at its end.
    pub(crate) fn future_body(&self) -> Option<FutureBody> {
        if self.signature.asyncness.is_some() {
            return None;
        }
        let mut before: Vec<TokenTree> = self.body.stream().into_iter().collect();
        let boxed = match before.last() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => Some(group.clone()),
            _ => None,
        };
        let Some(boxed) = boxed else {
            let (head, block) = take_async_block(&mut before)?;
            return is_start_of_statement(&before).then_some(FutureBody { before, head, block, boxed: None });
        };
        before.pop();
        let mut inner: Vec<TokenTree> = boxed.stream().into_iter().collect();
        if matches!(inner.last(), Some(TokenTree::Punct(comma)) if comma.as_char() == ',') {
            inner.pop();
        }
        let (head, block) = take_async_block(&mut inner)?;
        let is_whole = inner.is_empty() && ends_with_box_pin(&before);
        is_whole.then_some(FutureBody { before, head, block, boxed: Some(boxed) })
    }
}

fn bound_by<'a>(pattern: &'a Pat, names: &mut Vec<&'a Ident>) {
    match pattern {
        Pat::Ident(ident) => {
            names.push(&ident.ident);
            if let Some((_, inner)) = &ident.subpat {
                bound_by(inner, names);
            }
        }
        Pat::Struct(pattern) => pattern.fields.iter().for_each(|field| bound_by(&field.pat, names)),
        Pat::Tuple(pattern) => pattern.elems.iter().for_each(|inner| bound_by(inner, names)),
        Pat::TupleStruct(pattern) => pattern.elems.iter().for_each(|inner| bound_by(inner, names)),
        Pat::Slice(pattern) => pattern.elems.iter().for_each(|inner| bound_by(inner, names)),
        Pat::Reference(pattern) => bound_by(&pattern.pat, names),
        Pat::Paren(pattern) => bound_by(&pattern.pat, names),
        Pat::Type(pattern) => bound_by(&pattern.pat, names),
        // All alternatives bind the same variables.
        Pat::Or(pattern) => pattern.cases.iter().take(1).for_each(|inner| bound_by(inner, names)),
        _ => {}
    }
}

/// `async move { .. }` at the end of the tokens.
fn take_async_block(tokens: &mut Vec<TokenTree>) -> Option<(TokenStream, Group)> {
    let is_word = |token: Option<&TokenTree>, word| matches!(token, Some(TokenTree::Ident(ident)) if ident == word);
    let TokenTree::Group(block) = tokens.last()?.clone() else { return None };
    if block.delimiter() != Delimiter::Brace {
        return None;
    }
    let mut head = tokens.len() - 1;
    if is_word(tokens[..head].last(), "move") {
        head -= 1;
    }
    if !is_word(tokens[..head].last(), "async") {
        return None;
    }
    tokens.pop();
    Some((tokens.drain(head - 1..).collect(), block))
}

fn is_start_of_statement(before: &[TokenTree]) -> bool {
    match before.last() {
        None => true,
        Some(TokenTree::Punct(punct)) => punct.as_char() == ';',
        Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Brace,
        Some(TokenTree::Ident(ident)) => ident == "return",
        Some(TokenTree::Literal(_)) => false,
    }
}

/// `Box::pin`, whatever path of `Box` that is.
fn ends_with_box_pin(tokens: &[TokenTree]) -> bool {
    let is_colon = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':');
    let is_word = |token: &TokenTree, word| matches!(token, TokenTree::Ident(ident) if ident == word);
    let [.., path, first, second, pin] = tokens else { return false };
    is_word(path, "Box") && is_colon(first) && is_colon(second) && is_word(pin, "pin")
}

/// A type with `_` in place of each `impl Trait`, which cannot be written in a body.
fn without_impl(tokens: TokenStream) -> TokenStream {
    let mut named = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if ident == "impl" => {
                named.extend(quote::quote!(_));
                skip_bounds(&mut tokens);
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), without_impl(group.stream()));
                inner.set_span(group.span());
                named.extend([TokenTree::Group(inner)]);
            }
            token => named.extend([token]),
        }
    }
    named
}

/// Goes up to the comma or the angle bracket behind `impl Trait`.
fn skip_bounds(tokens: &mut std::iter::Peekable<impl Iterator<Item = TokenTree>>) {
    let mut depth = 0;
    let mut is_arrow = false;
    while let Some(token) = tokens.peek() {
        let TokenTree::Punct(punct) = token else {
            is_arrow = false;
            tokens.next();
            continue;
        };
        match punct.as_char() {
            '<' => depth += 1,
            '>' if is_arrow => {}
            '>' if depth == 0 => return,
            '>' => depth -= 1,
            ',' if depth == 0 => return,
            _ => {}
        }
        is_arrow = punct.as_char() == '-' && punct.spacing() == Spacing::Joint;
        tokens.next();
    }
}
