use std::fmt::Display;

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, LitInt, LitStr, Path, Result, Token, parenthesized, token};

use crate::preset::{self, Preset};
use crate::record::Record;
use crate::suggest::remedy;

/// What stands in the parentheses of `#[traced(..)]`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) kind: Option<Ident>,
    pub(crate) records: Vec<Record>,
    pub(crate) capture: Capture,
    /// Where `err` stands.
    pub(crate) err: Option<Span>,
    /// The facade, where it is not `::spandrel`.
    pub(crate) facade: Option<Path>,
    /// The kind of operation, for functions that are one.
    pub(crate) preset: Option<Preset>,
    /// What the body calls the operation.
    pub(crate) handle: Option<Ident>,
    /// The crate of operations, where it is not `::spandrel_genai`.
    pub(crate) genai: Option<Path>,
}

/// What stands in the parentheses of `capture(..)`.
#[derive(Default)]
pub(crate) struct Capture {
    pub(crate) args: Option<Span>,
    pub(crate) result: Option<Span>,
    pub(crate) max_bytes: Option<LitInt>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self::default();
        let mut given: Vec<String> = Vec::new();
        while !input.is_empty() {
            options.parse_one(input, &mut given)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        options.refuse_what_does_not_go_together()?;
        Ok(options)
    }
}

impl Options {
    fn refuse_what_does_not_go_together(&self) -> Result<()> {
        let Some(preset) = &self.preset else {
            let genai = self.genai.as_ref().and_then(|path| path.segments.first()).map(|segment| &segment.ident);
            let Some(for_operations) = self.handle.as_ref().or(genai) else { return Ok(()) };
            let message = format!("`as` and `genai` are for operations; add one of {}", list(&preset::words()));
            return Err(Error::new(for_operations.span(), message));
        };
        let word = &preset.word;
        if let Some(kind) = &self.kind {
            return Err(Error::new(kind.span(), format!("`{word}` decides the kind of the span; remove `kind`")));
        }
        match &self.name {
            Some(name) if !preset.is_named() => {
                let named_by = if word == "step" { "number" } else { "model" };
                Err(Error::new(name.span(), format!("`{word}` is named by its {named_by}; remove the name")))
            }
            _ => Ok(()),
        }
    }

    fn parse_one(&mut self, input: ParseStream<'_>, given: &mut Vec<String>) -> Result<()> {
        if input.peek(LitStr) {
            once(given, "name", input.span())?;
            self.name = Some(name(input)?);
            return Ok(());
        }
        let option = input.call(Ident::parse_any)?;
        let word = option.to_string();
        match word.as_str() {
            "name" => {
                input.parse::<Token![=]>()?;
                self.name = Some(name(input)?);
            }
            "kind" => self.kind = Some(kind(input)?),
            "record" => self.records = Record::parse_list(&option, input)?,
            "capture" => self.capture = Capture::parse(&option, input)?,
            "err" if input.peek(token::Paren) || input.peek(Token![=]) => {
                return Err(Error::new(
                    option.span(),
                    "`err` takes the text of `Display` and no settings; write `err`",
                ));
            }
            "err" => self.err = Some(option.span()),
            "crate" => {
                input.parse::<Token![=]>()?;
                self.facade = Some(input.call(Path::parse_mod_style)?);
            }
            "genai" => {
                input.parse::<Token![=]>()?;
                self.genai = Some(input.call(Path::parse_mod_style)?);
            }
            "as" => {
                const WANTED: &str = "`as` takes the name that the body has for the operation: `as call`";
                self.handle = Some(input.parse().map_err(|error: Error| Error::new(error.span(), WANTED))?);
            }
            _ if Preset::is_one(&word) => {
                if let Some(preset) = &self.preset {
                    let message =
                        format!("a function is one operation, and this is `{}` already; remove one", preset.word);
                    return Err(Error::new(option.span(), message));
                }
                self.preset = Preset::parse(option, input)?;
                return Ok(());
            }
            _ => return Err(Error::new(option.span(), unknown(&word))),
        }
        once(given, &word, option.span())
    }
}

fn once(given: &mut Vec<String>, word: &str, span: Span) -> Result<()> {
    if given.iter().any(|known| known == word) {
        return Err(Error::new(span, format!("`{word}` is given twice; remove one")));
    }
    given.push(word.to_owned());
    Ok(())
}

fn name(input: ParseStream<'_>) -> Result<LitStr> {
    const WANTED: &str = "the name of the span is a text; for one that is known at run time only, \
                          call `spandrel::set_name` in the function";
    let name: LitStr = input.parse().map_err(|error| Error::new(error.span(), WANTED))?;
    if name.value().is_empty() {
        return Err(Error::new(name.span(), "the name of the span is empty; remove it to use that of the function"));
    }
    Ok(name)
}

const KINDS: [&str; 5] = ["Internal", "Server", "Client", "Producer", "Consumer"];

fn kind(input: ParseStream<'_>) -> Result<Ident> {
    input.parse::<Token![=]>()?;
    let is_kind = |text: &str| KINDS.contains(&text);
    let (span, text) = if input.peek(LitStr) {
        let text: LitStr = input.parse()?;
        (text.span(), text.value())
    } else {
        let ident = input.call(Ident::parse_any)?;
        if is_kind(&ident.to_string()) && !input.peek(Token![::]) {
            return Ok(ident);
        }
        let mut last = ident;
        while input.peek(Token![::]) {
            input.parse::<Token![::]>()?;
            last = input.call(Ident::parse_any)?;
        }
        (last.span(), last.to_string())
    };
    let meant = KINDS.iter().find(|kind| kind.eq_ignore_ascii_case(&text));
    Err(Error::new(
        span,
        match meant {
            Some(kind) => format!("a kind is one word without quotes; write `kind = {kind}`"),
            None => format!("there is no kind `{text}`; the kinds are {}", list(&KINDS)),
        },
    ))
}

impl Capture {
    fn parse(option: &Ident, input: ParseStream<'_>) -> Result<Self> {
        const WANTED: &str = "`capture` takes `args`, `result` and `max_bytes = n`; single values go into `record(..)`";
        let at_option =
            || Error::new(option.span(), "`capture` says what: write `capture(args)`, `capture(result)` or both");
        if !input.peek(token::Paren) {
            return Err(at_option());
        }
        let content;
        parenthesized!(content in input);
        let mut capture = Self::default();
        while !content.is_empty() {
            let word: Ident = content.call(Ident::parse_any).map_err(|error| Error::new(error.span(), WANTED))?;
            match word.to_string().as_str() {
                "args" => capture.args = Some(word.span()),
                "result" => capture.result = Some(word.span()),
                "max_bytes" => {
                    content.parse::<Token![=]>()?;
                    capture.max_bytes = Some(max_bytes(&content)?);
                }
                _ => return Err(Error::new(word.span(), WANTED)),
            }
            if !content.is_empty() {
                content.parse::<Token![,]>().map_err(|error| Error::new(error.span(), WANTED))?;
            }
        }
        if capture.args.is_none() && capture.result.is_none() {
            return Err(at_option());
        }
        Ok(capture)
    }
}

fn max_bytes(input: ParseStream<'_>) -> Result<LitInt> {
    const WANTED: &str = "`max_bytes` is a number of bytes from 1; write for example `max_bytes = 1024`";
    let number: LitInt = input.parse().map_err(|error| Error::new(error.span(), WANTED))?;
    match number.base10_parse::<u32>() {
        Ok(1..) if number.suffix().is_empty() => Ok(number),
        _ => Err(Error::new(number.span(), WANTED)),
    }
}

/// The remedy for an option that there is not; other crates have some of them.
fn unknown(word: &str) -> String {
    let instead = match word {
        "fields" | "properties" => "values are recorded with `record(key = value)`",
        "skip" | "skip_all" => "nothing is recorded unless asked, so there is nothing to skip",
        "ret" => "the result is recorded with `capture(result)`",
        "args" | "result" | "max_bytes" => {
            return format!("`{word}` belongs into `capture(..)`; write for example `capture(args, max_bytes = 1024)`");
        }
        "chain" => "work in an order that code has fixed is a `workflow`",
        "turn" => "a question with all that answers it is a `chat_turn`",
        _ => {
            let operations = preset::words();
            let words =
                ["name", "kind", "record", "capture", "err", "crate", "as", "genai"].into_iter().chain(operations);
            let all = format!(
                "the options are `name`, `kind`, `record(..)`, `capture(..)`, `err` and `crate`; \
                 operations of `spandrel-genai` are {}, with `as` and `genai`",
                list(&operations),
            );
            &remedy(word, words, all)
        }
    };
    format!("there is no option `{word}`; {instead}")
}

pub(crate) fn list(words: &[impl Display]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
