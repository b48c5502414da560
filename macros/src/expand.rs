use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, Expr, Lifetime, Result, Type};

use crate::function::{Function, FutureBody};
use crate::options::Options;

/// The function with its span, or as it was with a message.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    traced(options, item.clone()).unwrap_or_else(|error| {
        let error = error.into_compile_error();
        quote! { #error #item }
    })
}

fn traced(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let function: Function = syn::parse2(item)?;
    let options: Options = syn::parse2(options)?;
    refuse_what_is_not_returned(&options, &function)?;
    let facade = match &options.facade {
        Some(path) => quote!(#path::__private),
        None => quote!(::spandrel::__private),
    };
    let body = Expansion { facade, options: &options, function: &function }.body();
    let Function { attributes, visibility, signature, inner_attributes, .. } = &function;
    Ok(quote! {
        #(#attributes)*
        #visibility #signature {
            #(#inner_attributes)*
            #body
        }
    })
}

fn refuse_what_is_not_returned(options: &Options, function: &Function) -> Result<()> {
    let returns = match function.output() {
        None => "returns nothing",
        Some(Type::Never(_)) => "never returns",
        Some(_) => return Ok(()),
    };
    if let (Some(preset), Some(Type::Never(_))) = (&options.preset, function.output()) {
        let message = format!("an operation ends, and this function never returns; remove `{}`", preset.word);
        return Err(Error::new(preset.word.span(), message));
    }
    if let Some(span) = options.err {
        let message = format!("`err` looks at a `Result`, and this function {returns}; remove `err`");
        return Err(Error::new(span, message));
    }
    if let Some(span) = options.capture.result {
        return Err(Error::new(span, format!("this function {returns}; remove `result`")));
    }
    Ok(())
}

pub(crate) struct Expansion<'a> {
    /// The path of what the facade keeps for this macro.
    pub(crate) facade: TokenStream,
    pub(crate) options: &'a Options,
    pub(crate) function: &'a Function,
}

impl Expansion<'_> {
    fn body(&self) -> TokenStream {
        let body = &self.function.body;
        if self.function.signature.asyncness.is_some() {
            return self.awaited(&quote!(async move), &self.with_expected_output(body));
        }
        match (self.function.future_body(), &self.options.preset) {
            (Some(future), _) => self.future(&future),
            (None, Some(preset)) => self.called_operation(preset, body),
            (None, None) if self.looks_at_result() => self.watched(body),
            (None, None) => self.guarded(body),
        }
    }

    fn looks_at_result(&self) -> bool {
        self.options.err.is_some() || self.options.capture.result.is_some()
    }

    /// A guard, and the body as it was: nothing in it changes its meaning.
    fn guarded(&self, body: &Group) -> TokenStream {
        let (start, block) = (self.start_call(&local("call")), inner_block(body));
        quote! {
            #start
            #block
        }
    }

    /// The body in a closure, so that `return` and `?` end there.
    fn watched(&self, body: &Group) -> TokenStream {
        let (facade, call, result, span) = (&self.facade, local("call"), local("result"), local("span"));
        let start = self.start_call(&call);
        let output = self.function.named_output().map(|output| quote!(-> #output));
        let observed = self.observed(&span, &result);
        quote! {
            #start
            let #result = #facade::call(move || #output #body);
            if let ::core::option::Option::Some(#span) = #call.recording() {
                #observed
            }
            #result
        }
    }

    /// A future in the span, awaited: the body of an `async fn` or block.
    fn awaited(&self, head: &TokenStream, body: &TokenStream) -> TokenStream {
        if let Some(preset) = &self.options.preset {
            return self.awaited_operation(preset, head, body);
        }
        let (facade, result, span) = (&self.facade, local("result"), local("span"));
        let start = self.start_span(&span);
        if !self.looks_at_result() {
            return quote! { #facade::in_span({ #start #span }, #head #body).await };
        }
        let observed = self.observed(&span, &result);
        quote! {
            #start
            let #result = #facade::in_span_mut(&mut #span, #head #body).await;
            #facade::record(&mut #span, |#span| { #observed });
            #result
        }
    }

    /// The async block at the end of a function that is not `async` itself.
    fn future(&self, future: &FutureBody) -> TokenStream {
        let FutureBody { before, head, block, boxed } = future;
        let awaited = self.awaited(head, &self.named_block(block));
        let block = quote! { #head { #awaited } };
        let block = match boxed {
            Some(parentheses) => group_like(parentheses, block).to_token_stream(),
            None => block,
        };
        quote! { #(#before)* #block }
    }

    /// Tells the compiler what an async block gives, so that mistakes are
    /// reported where they are, as in the function that was written.
    fn with_expected_output(&self, body: &Group) -> TokenStream {
        let Some(output) = self.function.named_output() else { return body.to_token_stream() };
        let (facade, block, at_output) = (&self.facade, inner_block(body), self.at_output());
        let value = Ident::new("value", at_output);
        let told = quote_spanned! { at_output =>
            if let ::core::option::Option::Some(#value) = #facade::expected::<#output>() {
                return #value;
            }
        };
        quote! {{ #told #block }}
    }

    /// Where messages about what the function returns point to.
    pub(crate) fn at_output(&self) -> Span {
        let signature = &self.function.signature;
        generated_at(self.function.output().map_or_else(|| signature.ident.span(), Spanned::span))
    }

    /// Starts the span of a call, and records what is asked for.
    fn start_call(&self, call: &Ident) -> TokenStream {
        let (facade, span, start) = (&self.facade, local("span"), self.start());
        let records = self.records(&span).map(|records| {
            quote! {
                if let ::core::option::Option::Some(#span) = #call.recording() {
                    #records
                }
            }
        });
        quote! {
            let #call = #facade::Call::#start;
            #records
        }
    }

    /// Starts the span of a future, and records what is asked for.
    fn start_span(&self, span: &Ident) -> TokenStream {
        let (facade, start) = (&self.facade, self.start());
        let records = self.records(span).map(|records| quote! { #facade::record(&mut #span, |#span| { #records }); });
        let mutability = (records.is_some() || self.looks_at_result()).then(|| quote!(mut));
        quote! {
            let #mutability #span = #facade::#start;
            #records
        }
    }

    fn start(&self) -> TokenStream {
        let facade = &self.facade;
        let name = self.name();
        match &self.options.kind {
            Some(kind) => quote!(start_as(#name, #facade::SpanKind::#kind)),
            None => quote!(start(#name)),
        }
    }

    pub(crate) fn name(&self) -> TokenStream {
        match &self.options.name {
            Some(name) => name.to_token_stream(),
            None => self.function.signature.ident.unraw().to_string().to_token_stream(),
        }
    }

    fn records(&self, span: &Ident) -> Option<TokenStream> {
        let (captured, recorded) = (self.captured(span), self.recorded(span));
        (!captured.is_empty() || !recorded.is_empty()).then(|| quote! { #captured #recorded })
    }

    fn captured(&self, span: &Ident) -> TokenStream {
        if self.options.capture.args.is_none() {
            return TokenStream::new();
        }
        let (facade, max_bytes) = (&self.facade, self.max_bytes());
        let is_recorded = |key: &str| self.options.records.iter().any(|record| record.key == key);
        let mut captured = TokenStream::new();
        for binding in self.function.bindings() {
            let (name, conditions) = (binding.name, &binding.conditions);
            let key = name.unraw().to_string();
            if !is_recorded(&key) {
                captured.extend(quote_spanned! { generated_at(name.span()) =>
                    #(#conditions)*
                    #facade::capture(#span, #key, &#name, #max_bytes);
                });
            }
        }
        captured
    }

    pub(crate) fn recorded(&self, span: &Ident) -> TokenStream {
        if self.options.records.is_empty() {
            return TokenStream::new();
        }
        let facade = &self.facade;
        let attributes = self.options.records.iter().map(|record| {
            let key = &record.key;
            let value = by_reference(&record.value);
            quote_spanned! { generated_at(record.value.span()) =>
                #facade::Attribute { key: #key, value: #facade::ToValue::to_value(#value) }
            }
        });
        quote! { #span.set_attributes(&[#(#attributes),*]); }
    }

    /// Looks at the result.
    fn observed(&self, span: &Ident, result: &Ident) -> TokenStream {
        let (facade, at_output) = (&self.facade, self.at_output());
        let looked_at = Ident::new(&result.to_string(), at_output);
        let captured = self.options.capture.result.map(|_| {
            let max_bytes = self.max_bytes();
            quote_spanned! { at_output => #facade::capture(#span, #facade::RETURN, &#looked_at, #max_bytes); }
        });
        let failed = self.options.err.map(|_| {
            quote_spanned! { at_output => #facade::Outcome::record_in(&#looked_at, #span); }
        });
        quote! { #captured #failed }
    }

    fn max_bytes(&self) -> TokenStream {
        let facade = &self.facade;
        self.options.capture.max_bytes.as_ref().map_or_else(|| quote!(#facade::MAX_BYTES), ToTokens::to_token_stream)
    }
}

/// A variable that the code of the user cannot see.
pub(crate) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// Points to the code of the user, without the lints for it.
pub(crate) fn generated_at(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// The body as a block in another one.
///
/// The label keeps the lint for unnecessary braces away. It and the braces count as
/// code of the user, because the edition of a block says when its temporaries are dropped.
pub(crate) fn inner_block(body: &Group) -> TokenStream {
    let label = Lifetime::new("'_traced_body", body.span_open());
    quote! { #label: #body }
}

pub(crate) fn by_reference(value: &Expr) -> TokenStream {
    let span = generated_at(value.span());
    match value {
        Expr::Path(_) | Expr::Field(_) | Expr::MethodCall(_) | Expr::Call(_) | Expr::Macro(_) | Expr::Lit(_) => {
            quote_spanned!(span=> &#value)
        }
        _ => quote_spanned!(span=> &(#value)),
    }
}

fn group_like(group: &Group, content: TokenStream) -> TokenTree {
    let mut new = Group::new(group.delimiter(), content);
    new.set_span(group.span());
    TokenTree::Group(new)
}
