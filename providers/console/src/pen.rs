//! Writes coloured lines that break at the width of a terminal.

use spandrel_plugin_api::wire::cut;

/// Columns that a line has; wider ones are broken between two parts.
const WIDTH: usize = 100;
/// Characters shown of one part.
const MAX_CHARS: usize = 200;
/// What lines after a break begin with, behind their guides.
const HANGING: &str = "  ";

/// Writes lines, part by part.
pub(crate) struct Pen {
    out: String,
    is_colored: bool,
    /// The guides of the lines after a break.
    rest: String,
    column: usize,
    is_line_new: bool,
}

/// How a part looks.
#[derive(Clone, Copy)]
pub(crate) enum Style {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Cyan,
}

impl Pen {
    pub(crate) fn new(is_colored: bool) -> Self {
        Self { out: String::new(), is_colored, rest: String::new(), column: 0, is_line_new: true }
    }

    /// Begins a line with the guides `first`, and `rest` after each break.
    pub(crate) fn start(&mut self, first: &str, rest: &str) {
        self.rest = [rest, HANGING].concat();
        self.column = 0;
        self.is_line_new = true;
        self.put(Style::Dim, first);
    }

    /// Adds a part, after a gap of so many columns.
    pub(crate) fn part(&mut self, gap: usize, style: Style, text: &str) {
        let shown = cut(text, MAX_CHARS);
        let mark = if shown.len() < text.len() { "…" } else { "" };
        let width = gap + shown.chars().count() + mark.chars().count();
        if !self.is_line_new && self.column + width > WIDTH {
            self.out.push('\n');
            self.column = 0;
            self.put(Style::Dim, &self.rest.clone());
        } else if !self.is_line_new {
            self.put(Style::Plain, &" ".repeat(gap));
        }
        self.is_line_new = false;
        self.put(style, &[shown, mark].concat());
    }

    pub(crate) fn end(&mut self) {
        self.out.push('\n');
    }

    /// Everything written.
    pub(crate) fn finish(self) -> String {
        self.out
    }

    fn put(&mut self, style: Style, text: &str) {
        self.column += text.chars().count();
        match style.code().filter(|_| self.is_colored && !text.is_empty()) {
            Some(code) => self.out.extend(["\x1b[", code, "m", text, "\x1b[0m"]),
            None => self.out.push_str(text),
        }
    }
}

impl Style {
    /// Source: ECMA-48, "select graphic rendition".
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Bold => Some("1"),
            Self::Dim => Some("2"),
            Self::Red => Some("31"),
            Self::Green => Some("32"),
            Self::Cyan => Some("36"),
        }
    }
}
