/// What the last text of the user asks for, with words such as `#status=429`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Script {
    status: Option<u16>,
    /// How many requests get the status.
    times: Option<u32>,
    pub(crate) retry_after: Option<u64>,
    pub(crate) retry_after_ms: Option<u64>,
    pub(crate) should_retry: Option<bool>,
    /// How many words of reasoning come first.
    pub(crate) thought: u64,
    pub(crate) input: Option<u64>,
    pub(crate) output: Option<u64>,
    pub(crate) cached: Option<u64>,
    pub(crate) written: Option<u64>,
    pub(crate) reasoning: Option<u64>,
    pub(crate) has_no_usage: bool,
    /// What becomes of a stream, after so many events.
    pub(crate) fault: Option<(Fault, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Stall,
    Break,
    Error,
    End,
}

impl Script {
    /// The script of a text, and the text without it.
    pub(crate) fn read(text: &str) -> (Self, String) {
        let mut script = Self::default();
        let lines = text.lines().map(|line| {
            let words = line.split(' ').filter(|word| !script.take(word));
            words.collect::<Vec<_>>().join(" ").trim_end().to_owned()
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        (script, text)
    }

    /// The status that the request gets, which came for the `times`th time.
    pub(crate) fn status(&self, times: u32) -> Option<u16> {
        self.status.filter(|_| self.times.is_none_or(|most| times <= most))
    }

    /// Whether it was a word of the script.
    fn take(&mut self, word: &str) -> bool {
        let Some((key, value)) = word.strip_prefix('#').and_then(|word| word.split_once('=')) else { return false };
        let number = value.parse().ok();
        match key {
            "status" => self.status = value.parse().ok(),
            "times" => self.times = value.parse().ok(),
            "retry-after" => self.retry_after = number,
            "retry-after-ms" => self.retry_after_ms = number,
            "should-retry" => self.should_retry = value.parse().ok(),
            "think" => self.thought = number.unwrap_or(0),
            "in" => self.input = number,
            "out" => self.output = number,
            "cached" => self.cached = number,
            "written" => self.written = number,
            "reasoning" => self.reasoning = number,
            "usage" => self.has_no_usage = value == "none",
            "stall" => self.fault = value.parse().ok().map(|after| (Fault::Stall, after)),
            "break" => self.fault = value.parse().ok().map(|after| (Fault::Break, after)),
            "error" => self.fault = value.parse().ok().map(|after| (Fault::Error, after)),
            "end" => self.fault = value.parse().ok().map(|after| (Fault::End, after)),
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Script};

    #[test]
    fn a_script_is_read_and_taken_out() {
        let (script, text) = Script::read("Hello #status=429 there #times=2\n#break=3 you #not-ours");
        assert_eq!(text, "Hello there\nyou #not-ours");
        assert_eq!((script.status(1), script.status(2), script.status(3)), (Some(429), Some(429), None));
        assert_eq!(script.fault, Some((Fault::Break, 3)));
    }
}
