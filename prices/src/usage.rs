/// What a call of a model used.
///
/// Counts are inclusive, as in the OpenTelemetry conventions for generative AI (v1.41.1): input contains cache reads and
/// cache writes, output contains reasoning. `None` is unknown, which is not 0.
///
/// ```
/// use spandrel_prices::Usage;
///
/// let usage = Usage::new(1_200, 300).with_cache_read(1_000).with_reasoning(120);
/// assert_eq!(usage.total_tokens(), Some(1_500));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// All input, cached or not.
    pub input_tokens: Option<u64>,
    /// All output, reasoning included.
    pub output_tokens: Option<u64>,
    /// Part of the input: read from the provider's cache.
    pub cache_read_tokens: Option<u64>,
    /// Part of the input: written to the provider's cache, for however long.
    pub cache_write_tokens: Option<u64>,
    /// Part of the cache writes: kept for an hour.
    pub cache_write_1h_tokens: Option<u64>,
    /// Part of the output: reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Part of the input: audio.
    pub input_audio_tokens: Option<u64>,
    /// Part of the output: audio.
    pub output_audio_tokens: Option<u64>,
    /// Part of the cache reads and of the audio of the input.
    pub cache_read_audio_tokens: Option<u64>,
    /// Part of the input: images.
    pub input_image_tokens: Option<u64>,
    /// Part of the output: images.
    pub output_image_tokens: Option<u64>,
    /// Part of the cache reads and of the images of the input.
    pub cache_read_image_tokens: Option<u64>,
    /// What was read for citations, beside input and output (Perplexity).
    pub citation_tokens: Option<u64>,
    /// Searches of the web that the provider made for the call.
    pub web_searches: Option<u64>,
}

impl Usage {
    /// Tokens in and out.
    #[must_use]
    pub const fn new(input_tokens: u64, output_tokens: u64) -> Self {
        let mut usage = Self::input(input_tokens);
        usage.output_tokens = Some(output_tokens);
        usage
    }

    /// Tokens in, of a call without output: embeddings, ranking.
    #[must_use]
    pub const fn input(input_tokens: u64) -> Self {
        Self {
            input_tokens: Some(input_tokens),
            output_tokens: None,
            cache_read_tokens: None,
            cache_write_tokens: None,
            cache_write_1h_tokens: None,
            reasoning_tokens: None,
            input_audio_tokens: None,
            output_audio_tokens: None,
            cache_read_audio_tokens: None,
            input_image_tokens: None,
            output_image_tokens: None,
            cache_read_image_tokens: None,
            citation_tokens: None,
            web_searches: None,
        }
    }

    /// How much of the input was read from the cache.
    #[must_use]
    pub const fn with_cache_read(mut self, tokens: u64) -> Self {
        self.cache_read_tokens = Some(tokens);
        self
    }

    /// How much of the input was written to the cache.
    #[must_use]
    pub const fn with_cache_write(mut self, tokens: u64) -> Self {
        self.cache_write_tokens = Some(tokens);
        self
    }

    /// How much of the cache writes is kept for an hour.
    #[must_use]
    pub const fn with_cache_write_1h(mut self, tokens: u64) -> Self {
        self.cache_write_1h_tokens = Some(tokens);
        self
    }

    /// How much of the output was reasoning.
    #[must_use]
    pub const fn with_reasoning(mut self, tokens: u64) -> Self {
        self.reasoning_tokens = Some(tokens);
        self
    }

    /// How much of input and output was audio.
    #[must_use]
    pub const fn with_audio(mut self, input: u64, output: u64) -> Self {
        self.input_audio_tokens = Some(input);
        self.output_audio_tokens = Some(output);
        self
    }

    /// How much of the cache reads was audio.
    #[must_use]
    pub const fn with_cache_read_audio(mut self, tokens: u64) -> Self {
        self.cache_read_audio_tokens = Some(tokens);
        self
    }

    /// How much of input and output was images.
    #[must_use]
    pub const fn with_images(mut self, input: u64, output: u64) -> Self {
        self.input_image_tokens = Some(input);
        self.output_image_tokens = Some(output);
        self
    }

    /// How often the provider searched the web.
    #[must_use]
    pub const fn with_web_searches(mut self, searches: u64) -> Self {
        self.web_searches = Some(searches);
        self
    }

    /// Input and output together. `None` if one is unknown.
    #[must_use]
    pub fn total_tokens(&self) -> Option<u64> {
        self.input_tokens?.checked_add(self.output_tokens?)
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes over whatever `newer` knows.
    pub(crate) fn update(&mut self, newer: &Self) {
        self.input_tokens = newer.input_tokens.or(self.input_tokens);
        self.output_tokens = newer.output_tokens.or(self.output_tokens);
        self.cache_read_tokens = newer.cache_read_tokens.or(self.cache_read_tokens);
        self.cache_write_tokens = newer.cache_write_tokens.or(self.cache_write_tokens);
        self.cache_write_1h_tokens = newer.cache_write_1h_tokens.or(self.cache_write_1h_tokens);
        self.reasoning_tokens = newer.reasoning_tokens.or(self.reasoning_tokens);
        self.input_audio_tokens = newer.input_audio_tokens.or(self.input_audio_tokens);
        self.output_audio_tokens = newer.output_audio_tokens.or(self.output_audio_tokens);
        self.cache_read_audio_tokens = newer.cache_read_audio_tokens.or(self.cache_read_audio_tokens);
        self.input_image_tokens = newer.input_image_tokens.or(self.input_image_tokens);
        self.output_image_tokens = newer.output_image_tokens.or(self.output_image_tokens);
        self.cache_read_image_tokens = newer.cache_read_image_tokens.or(self.cache_read_image_tokens);
        self.citation_tokens = newer.citation_tokens.or(self.citation_tokens);
        self.web_searches = newer.web_searches.or(self.web_searches);
    }
}
