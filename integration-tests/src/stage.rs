//! Programs that start in a folder with plugins, and what they say.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::compiler::Compiler;
use crate::plugins::root;
use crate::process::{self, Folder};

/// A folder in which programs start. In all texts `{here}` stands for its path.
#[derive(Debug)]
pub struct Stage {
    folder: Folder,
    here: String,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote to standard output.
    pub said: String,
    /// What it wrote to standard error.
    pub log: String,
}

/// What the constructor of `plugins/telltale.c` prints.
const RAN: &str = "code of the plugin has run\n";

impl Stage {
    /// An empty folder.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let folder = Folder::new();
        let here = folder.path().canonicalize().expect("the folder is there").display().to_string();
        Self { folder, here }
    }

    /// The path of a file in it, in folders that are made.
    ///
    /// # Panics
    ///
    /// If they cannot be made.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        let path = PathBuf::from(&self.here).join(file);
        std::fs::create_dir_all(path.parent().unwrap_or(&path)).expect("folders can be made");
        path
    }

    /// Writes a file; `{here}` is replaced in it.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), self.filled(text)).expect("a file can be written");
    }

    /// Copies a program into it, to be run from there.
    ///
    /// By a process of its own: a file that this one had open for writing would be open in each
    /// child that another test starts at that moment, until it runs its program, and what is open
    /// for writing cannot be run (`ETXTBSY`).
    ///
    /// # Panics
    ///
    /// If it cannot be copied.
    pub fn install(&self, program: &Path, file: &str) -> PathBuf {
        let copy = self.path(file);
        let output = Command::new("cp").arg(program).arg(&copy).output().expect("cp runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        copy
    }

    /// The text with the path of the folder in it.
    #[must_use]
    pub fn filled(&self, text: &str) -> String {
        text.replace("{here}", &self.here)
    }

    /// Compiles `plugins/telltale.c` into a file in it; `arguments` are for the compiler.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn telltale(&self, file: &str, arguments: &[&str]) -> PathBuf {
        let (library, include) = (self.path(file), root().join("plugin-api/include"));
        let source = root().join("integration-tests/plugins/telltale.c");
        let include = format!("-I{}", include.display());
        let [source, output] = [&source, &library].map(|path| path.to_str().expect("UTF-8"));
        let fixed = ["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", &include, "-o", output, source];
        let compiled = Compiler::c().run(&self.folder, &[&fixed[..], arguments].concat());
        compiled.unwrap_or_else(|error| panic!("{error}; set CC to a compiler that works"));
        library
    }

    /// The program, with nothing but `variables` to say what it traces and where it finds plugins.
    #[must_use]
    pub fn command(&self, program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
        let variables: Vec<(&str, String)> =
            variables.iter().map(|(name, value)| (*name, self.filled(value))).collect();
        let mut command = process::command(program, &self.folder, arguments, &[]);
        command.env_remove("XDG_DATA_HOME").env("HOME", format!("{}/home", self.here)).envs(variables);
        command
    }

    /// Runs a program to its end.
    #[must_use]
    pub fn run(&self, command: Command) -> Ended {
        let Output { status, stdout, stderr } = process::run(command);
        let text = |bytes| String::from_utf8_lossy(bytes).replace(&self.here, "{here}");
        Ended { code: status.code(), signal: status.signal(), said: text(&stdout), log: text(&stderr) }
    }
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

impl Ended {
    /// The one sentence with which a program ended that could not set tracing up, no code of a
    /// plugin having run.
    #[must_use]
    #[track_caller]
    pub fn refusal(&self) -> &str {
        assert_eq!(self.said, "", "nothing has run: {}", self.log);
        self.sentence()
    }

    /// As [`refusal`](Self::refusal), after the plugin has run.
    #[must_use]
    #[track_caller]
    pub fn late_refusal(&self) -> &str {
        assert_eq!(self.said, RAN, "{}", self.log);
        self.sentence()
    }

    #[track_caller]
    fn sentence(&self) -> &str {
        assert_eq!((self.code, self.signal), (Some(1), None), "{}", self.log);
        let line = self.log.strip_suffix('\n').unwrap_or(&self.log);
        assert!(!line.contains('\n'), "one line: {line}");
        line.strip_prefix("Error: ").unwrap_or_else(|| panic!("no error: {line}"))
    }

    /// What plugins told the log of a program that ended well.
    #[must_use]
    #[track_caller]
    pub fn told(&self) -> Vec<&str> {
        assert_eq!((self.code, self.signal), (Some(0), None), "{}", self.log);
        let told = |line| str::strip_prefix(line, "spandrel: info: plugin ").unwrap_or(line);
        self.log.lines().map(told).collect()
    }

    /// How many libraries were opened, of those that tell.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.said.matches(RAN).count()
    }
}

/// The SHA-256 of a file, as `sha256sum` prints it.
///
/// # Panics
///
/// If it cannot be read.
#[must_use]
pub fn sha256(file: &Path) -> String {
    let bytes = std::fs::read(file).expect("the file can be read");
    hmac_sha256::Hash::hash(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
