use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Error, Expr, Result, Token, parenthesized, token};

use crate::options::list;
use crate::suggest::remedy;

/// `llm(provider = "openai", model = "gpt-4o")`, `tool`: a function that is an operation of `spandrel-genai`.
pub(crate) struct Preset {
    /// Where it stands, for messages.
    pub(crate) word: Ident,
    pub(crate) known: &'static Known,
    /// What the operation cannot be without, in the order of the arguments.
    pub(crate) needed: Vec<Expr>,
    /// What else is said of it.
    pub(crate) settings: Vec<(Ident, Expr)>,
}

/// A kind of operation.
pub(crate) struct Known {
    word: &'static str,
    /// What makes one, in `spandrel_genai`.
    pub(crate) function: &'static str,
    /// What it cannot be without; nothing if its name says all.
    needs: &'static [&'static str],
    /// Methods of the builder.
    takes: &'static [&'static str],
}

const MODEL: &[&str] = &["provider", "model"];

const KNOWN: [Known; 10] = [
    known(
        "llm",
        "llm_call",
        MODEL,
        &["temperature", "top_p", "top_k", "max_tokens", "seed", "stream", "batch", "base_url"],
    ),
    known("embeddings", "embeddings", MODEL, &["batch", "base_url"]),
    known("rerank", "rerank", MODEL, &["base_url"]),
    known("tool", "tool", &[], &["id", "description"]),
    known("agent", "agent", &[], &["id", "description", "role"]),
    known("step", "step", &["number"], &[]),
    known("workflow", "workflow", &[], &[]),
    known("retrieval", "retrieval", &[], &[]),
    known("guardrail", "guardrail", &[], &[]),
    known("chat_turn", "chat_turn", &[], &["id"]),
];

const fn known(
    word: &'static str,
    function: &'static str,
    needs: &'static [&'static str],
    takes: &'static [&'static str],
) -> Known {
    Known { word, function, needs, takes }
}

impl Preset {
    /// Whether there is one with this name.
    pub(crate) fn is_one(word: &str) -> bool {
        KNOWN.iter().any(|known| known.word == word)
    }

    /// Whether the name of the function, or the one that is given, is its name.
    pub(crate) const fn is_named(&self) -> bool {
        self.known.needs.is_empty()
    }

    /// Reads what follows the word; `None` if it is no word for a preset.
    pub(crate) fn parse(word: Ident, input: ParseStream<'_>) -> Result<Option<Self>> {
        let Some(known) = KNOWN.iter().find(|known| word == known.word) else { return Ok(None) };
        let mut given = if input.peek(token::Paren) { known.settings(&word, input)? } else { Vec::new() };
        let mut needed = Vec::new();
        for name in known.needs {
            match given.iter().position(|(key, _)| key == name) {
                Some(at) => needed.push(given.remove(at).1),
                None => return Err(Error::new(word.span(), known.wanted())),
            }
        }
        Ok(Some(Self { word, known, needed, settings: given }))
    }
}

impl Known {
    fn settings_there_are(&self) -> impl Iterator<Item = &'static str> {
        self.needs.iter().chain(self.takes).copied()
    }

    fn settings(&self, word: &Ident, input: ParseStream<'_>) -> Result<Vec<(Ident, Expr)>> {
        let content;
        parenthesized!(content in input);
        let mut given: Vec<(Ident, Expr)> = Vec::new();
        while !content.is_empty() {
            let key = content.call(Ident::parse_any).map_err(|error| Error::new(error.span(), self.wanted()))?;
            if !self.settings_there_are().any(|known| key == known) {
                return Err(Error::new(key.span(), self.unknown(&key)));
            }
            if given.iter().any(|(known, _)| *known == key) {
                return Err(Error::new(key.span(), format!("`{key}` is given twice; remove one")));
            }
            content.parse::<Token![=]>().map_err(|error| Error::new(error.span(), self.wanted()))?;
            let value: Expr = content.parse()?;
            given.push((key, value));
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        if given.is_empty() { Err(Error::new(word.span(), self.wanted())) } else { Ok(given) }
    }

    /// The remedy for a setting that there is not.
    fn unknown(&self, key: &Ident) -> String {
        let (word, key) = (self.word, key.to_string());
        // Where there are few, a name is what is looked for.
        if self.needs.is_empty() && (key == "name" || self.takes.is_empty()) {
            return self.wanted();
        }
        let all: Vec<&str> = self.settings_there_are().collect();
        let takes = format!("it takes {}", list(&all));
        format!("`{word}` has no setting `{key}`; {}", remedy(&key, all, takes))
    }

    /// What may be written.
    fn wanted(&self) -> String {
        let word = self.word;
        let needed = match self.needs {
            [] if self.takes.is_empty() => {
                return format!("`{word}` takes nothing; its name is that of the function, or `name = \"..\"`");
            }
            [] => format!("`{word}` takes {}", list(self.takes)),
            ["number"] => {
                return "`step` says which one, counted from 1: write for example `step(number = round)`".to_owned();
            }
            _ => format!(
                "`{word}` says which model: write for example `{word}(provider = \"openai\", model = \"gpt-4o\")`"
            ),
        };
        match self.needs {
            [] => format!("{needed}; its name is that of the function, or `name = \"..\"`"),
            _ => format!("{needed}; besides, it takes {}", list(self.takes)),
        }
    }
}

/// The words, for messages.
pub(crate) fn words() -> [&'static str; KNOWN.len()] {
    KNOWN.map(|known| known.word)
}
