//! Providers have many names: those of the conventions stand in the table, those of libraries stand here.

use crate::file::Provider;

/// Names in use besides those in a table, in lower case and with `_` for `-` and blanks: of LiteLLM, LangChain, the Vercel
/// AI SDK, OpenLLMetry and older conventions.
const ALIASES: &[(&str, &[&str])] = &[
    ("openai", &["open_ai"]),
    ("anthropic", &["claude"]),
    (
        "google",
        &[
            "gemini",
            "vertex",
            "vertexai",
            "vertex_ai",
            "vertex_ai_beta",
            "google_genai",
            "google_gemini",
            "google_vertex",
            "google_vertexai",
            "google_vertex_ai",
            "google_generative_ai",
            "google_ai",
            "google_ai_studio",
            "google_anthropic_vertex",
        ],
    ),
    ("mistral", &["mistralai", "mistral_ai"]),
    ("cohere", &["cohere_chat"]),
    ("deepseek", &["deep_seek"]),
    ("x-ai", &["xai", "grok"]),
    ("aws", &["bedrock", "aws_bedrock", "amazon_bedrock", "bedrock_converse", "amazon"]),
    ("azure", &["azure_openai", "azure_ai", "az.ai.openai", "az.ai.inference", "azure_ai_foundry", "azureopenai"]),
    ("perplexity", &["perplexity_ai", "pplx"]),
    ("moonshotai", &["moonshot", "moonshot_ai", "kimi"]),
    ("voyageai", &["voyage", "voyage_ai"]),
];

/// The place of the provider of that name: by the names in the table, then by those above, then the same
/// without what libraries append (`openai.chat`).
pub(crate) fn find(providers: &[Provider], name: &str) -> Option<usize> {
    let name = normal(name);
    let mut name = name.as_str();
    loop {
        let named = |names: &[String]| names.iter().any(|known| normal(known) == name);
        let alias = ALIASES.iter().find(|(_, aliases)| aliases.contains(&name)).map(|(id, _)| *id);
        let found = None
            .or_else(|| providers.iter().position(|provider| named(&provider.otel_names)))
            .or_else(|| providers.iter().position(|provider| named(&provider.openinference_names)))
            .or_else(|| providers.iter().position(|provider| normal(&provider.id) == name))
            .or_else(|| providers.iter().position(|provider| alias == Some(&*provider.id)));
        if found.is_some() {
            return found;
        }
        name = name.rsplit_once('.')?.0;
    }
}

/// The place of the provider that answers at that URL.
pub(crate) fn find_by_url(providers: &[Provider], url: &str) -> Option<usize> {
    let url = if url.contains("://") { url.to_owned() } else { format!("https://{url}") };
    providers.iter().position(|provider| provider.url.as_ref().is_some_and(|pattern| pattern.hits(&url)))
}

fn normal(name: &str) -> String {
    name.trim().to_lowercase().replace(['-', ' '], "_")
}
