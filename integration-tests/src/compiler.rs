//! The compilers of C and C++ on this machine.

use crate::process::{self, Folder};

/// A compiler, and the arguments that it always gets.
#[derive(Debug, Clone)]
pub struct Compiler(Vec<String>);

impl Compiler {
    /// `$CC`, or `cc`.
    #[must_use]
    pub fn c() -> Self {
        Self::from_variable("CC", "cc")
    }

    /// `$CXX`, or `c++`.
    #[must_use]
    pub fn cpp() -> Self {
        Self::from_variable("CXX", "c++")
    }

    fn from_variable(variable: &str, default: &str) -> Self {
        let words = std::env::var(variable).unwrap_or_default();
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        Self(if words.is_empty() { vec![default.to_owned()] } else { words })
    }

    /// The same with one more argument.
    #[must_use]
    pub fn with(mut self, argument: &str) -> Self {
        self.0.push(argument.to_owned());
        self
    }

    /// Whether it is there and compiles and links a program, with its arguments.
    #[must_use]
    pub fn works(&self) -> bool {
        let folder = Folder::new();
        let program = "#include <stdint.h>\n#include <string.h>\nint main(void) { return 0; }\n";
        let written = std::fs::write(folder.file("empty.c"), program);
        written.is_ok() && self.run(&folder, &["empty.c", "-o", "empty"]).is_ok()
    }

    /// Runs it in the folder.
    ///
    /// # Errors
    ///
    /// What it says, warnings included, if it fails or cannot be started.
    pub fn run(&self, folder: &Folder, arguments: &[&str]) -> Result<(), String> {
        let fixed = self.0[1..].iter().map(String::as_str);
        let arguments: Vec<&str> = fixed.chain(arguments.iter().copied()).collect();
        let command = process::command(&self.0[0], folder, &arguments, &[]);
        let child = { command }.spawn().map_err(|error| format!("{}: {error}", self.0[0]))?;
        let output = process::wait(child);
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("{} {arguments:?}\n{}", self.0[0], String::from_utf8_lossy(&output.stderr))),
        }
    }
}
