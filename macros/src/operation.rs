//! A function that is an operation of `spandrel-genai`.

use proc_macro2::{Group, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Ident;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::expand::{Expansion, by_reference, generated_at, inner_block, local};
use crate::preset::Preset;

impl Expansion<'_> {
    /// The body in a closure within the operation.
    pub(crate) fn called_operation(&self, preset: &Preset, body: &Group) -> TokenStream {
        let (genai, running, result) = (self.genai(preset), local("running"), local("result"));
        let start = self.start_operation(preset, &running);
        let handle = self.options.handle.clone().unwrap_or_else(|| local("_call"));
        let output = self.function.named_output().map(|output| quote!(-> #output));
        let observed = self.observed_by_operation(preset, &running, &result);
        quote! {
            #start
            let #result = #running.within(move |#handle: &mut #genai::Record| #output #body);
            #observed
            #result
        }
    }

    /// A future within the operation, awaited.
    pub(crate) fn awaited_operation(&self, preset: &Preset, head: &TokenStream, body: &TokenStream) -> TokenStream {
        let genai = self.genai(preset);
        let (running, record, place, result) = (local("running"), local("_record"), local("place"), local("result"));
        let start = self.start_operation(preset, &running);
        let future = match &self.options.handle {
            Some(handle) => quote!(#head { let #handle = #record; #body }),
            None => quote!(#head #body),
        };
        let observed = self.observed_by_operation(preset, &running, &result);
        quote! {
            #start
            let (#record, #place) = #genai::__private::parts(&mut #running);
            let #result = #place.poll(#future).await;
            #observed
            #result
        }
    }

    /// The block of a function that makes a future, where the operation may get a name in it.
    pub(crate) fn named_block(&self, block: &Group) -> TokenStream {
        match self.options.handle {
            Some(_) => inner_block(block),
            None => block.to_token_stream(),
        }
    }

    /// Starts the operation, and records what is asked for.
    fn start_operation(&self, preset: &Preset, running: &Ident) -> TokenStream {
        let (facade, genai, span) = (&self.facade, self.genai(preset), local("span"));
        let function = Ident::new(preset.known.function, generated_at(preset.word.span()));
        let needed: Vec<TokenStream> = match &preset.needed[..] {
            [] => vec![self.name()],
            [number] => vec![number.to_token_stream()],
            texts => texts.iter().map(|text| as_text(&genai, text)).collect(),
        };
        let settings = preset.settings.iter().map(|(key, value)| quote!(.#key(#value)));
        let arguments = self.arguments(preset);
        let recorded = self.recorded(&span);
        let recorded = (!recorded.is_empty()).then(|| {
            quote! { #facade::record(#genai::__private::span(&mut #running), |#span| { #recorded }); }
        });
        quote! {
            let mut #running = #genai::#function(#(#needed),*) #(#settings)* #arguments.start();
            #recorded
        }
    }

    /// What the function is called with, as one JSON text.
    fn arguments(&self, preset: &Preset) -> Option<TokenStream> {
        self.options.capture.args?;
        let (facade, genai, all) = (&self.facade, self.genai(preset), local("all"));
        let max_bytes = self.max_bytes_of_operation(preset);
        let each = self.function.bindings().into_iter().map(|binding| {
            let (name, conditions) = (binding.name, &binding.conditions);
            let key = name.unraw().to_string();
            quote_spanned! { generated_at(name.span()) =>
                #(#conditions)*
                #all.add(#key, #facade::debug_text(&#name, #max_bytes));
            }
        });
        let each: TokenStream = each.collect();
        let method = if preset.word == "tool" { quote!(arguments) } else { quote!(input) };
        Some(quote! {
            .#method(|| {
                let mut #all = #genai::__private::Arguments::default();
                #each
                #all.into_json()
            })
        })
    }

    /// Looks at the result.
    fn observed_by_operation(&self, preset: &Preset, running: &Ident, result: &Ident) -> TokenStream {
        let (facade, genai, at_output) = (&self.facade, self.genai(preset), self.at_output());
        let looked_at = Ident::new(&result.to_string(), at_output);
        let running = Ident::new(&running.to_string(), at_output);
        let failed = self.options.err.map(|_| {
            quote_spanned! { at_output => #genai::__private::Outcome::record_in(&#looked_at, &mut #running); }
        });
        let captured = self.options.capture.result.map(|_| {
            let max_bytes = self.max_bytes_of_operation(preset);
            let value = Ident::new("value", at_output);
            let written = quote_spanned! { at_output =>
                #genai::__private::output(&mut #running, || #facade::debug_text(#value, #max_bytes));
            };
            match failed {
                // The error is told by the status.
                Some(_) => quote_spanned! { at_output =>
                    if let ::core::option::Option::Some(#value) = #genai::__private::Outcome::good(&#looked_at) { #written }
                },
                None => quote_spanned! { at_output => { let #value = &#looked_at; #written } },
            }
        });
        quote! { #failed #captured }
    }

    fn max_bytes_of_operation(&self, preset: &Preset) -> TokenStream {
        let genai = self.genai(preset);
        let max_bytes = &self.options.capture.max_bytes;
        max_bytes.as_ref().map_or_else(|| quote!(#genai::__private::max_bytes()), ToTokens::to_token_stream)
    }

    /// The crate of operations; that it is missing is reported at the word that asks for it.
    fn genai(&self, preset: &Preset) -> TokenStream {
        match &self.options.genai {
            Some(path) => path.to_token_stream(),
            None => quote_spanned!(generated_at(preset.word.span())=> ::spandrel_genai),
        }
    }
}

fn as_text(genai: &TokenStream, text: &syn::Expr) -> TokenStream {
    let text_by_reference = by_reference(text);
    quote_spanned!(generated_at(text.span())=> #genai::__private::text(#text_by_reference))
}
