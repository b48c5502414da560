#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod expand;
mod function;
mod key;
mod operation;
mod options;
mod preset;
mod record;
mod suggest;

use proc_macro::TokenStream;

#[doc = include_str!("traced.md")]
#[proc_macro_attribute]
pub fn traced(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(options.into(), item.into()).into()
}
