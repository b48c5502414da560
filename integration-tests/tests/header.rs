//! The C header of the plugin boundary: generated from the Rust types, valid C and C++,
//! and laid out the same.
//!
//! `UPDATE=1 cargo test -p spandrel-integration-tests --test header` rewrites it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use spandrel_integration_tests::compiler::Compiler;
use spandrel_integration_tests::process::Folder;
use spandrel_plugin_api::abi;

const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];
/// The sources, of which the first holds the constants.
const SOURCES: [&str; 3] = ["abi.rs", "abi/types.rs", "abi/tables.rs"];

#[test]
fn the_header_is_generated_from_the_types() {
    let (path, generated) = (plugin_api("include/spandrel.h"), generate());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, generated).unwrap();
        return;
    }
    let committed = fs::read_to_string(path).unwrap();
    let mut lines = generated.lines().zip(committed.lines());
    if let Some((now, before)) = lines.find(|(now, before)| now != before) {
        panic!("spandrel.h is not that of the types: `{now}`, not `{before}`; see the head of this file");
    }
    assert_eq!(generated.lines().count(), committed.lines().count(), "spandrel.h is not that of the types");
}

#[test]
fn what_the_generator_does_not_know_is_there() {
    let header = generate();
    assert!(header.contains(&format!("#define SPANDREL_ENTRY \"{}\"\n", abi::ENTRY)));
    assert!(header.contains(&format!("*{}(void);", abi::ENTRY)));
    let magic: Vec<String> = abi::MAGIC.iter().map(|byte| format!("'{}'", char::from(*byte))).collect();
    assert!(header.contains(&format!("#define SPANDREL_MAGIC {{ {} }}\n", magic.join(", "))));
    for line in fs::read_to_string(plugin_api("src/abi.rs")).unwrap().lines() {
        if let Some((name, _)) = line.strip_prefix("pub const ").and_then(|line| line.split_once(':')) {
            assert!(header.contains(&format!("#define SPANDREL_{name} ")), "{name} is not in the header");
        }
    }
}

#[test]
fn the_headers_are_c_and_cpp() {
    for (compiler, standard, file) in
        [(Compiler::c(), "-std=c99", "alone.c"), (Compiler::cpp(), "-std=c++11", "alone.cpp")]
    {
        if !compiler.works() {
            println!("skipped: {compiler:?} does not work here");
            continue;
        }
        for header in ["spandrel.h", "spandrel_otlp.h"] {
            let folder = Folder::new();
            fs::write(folder.file(file), format!("#include <{header}>\n#include <{header}>\n")).unwrap();
            compile(&compiler, &folder, &[standard, "-fsyntax-only", "-Wconversion", file]).unwrap();
        }
    }
}

#[test]
fn c_has_the_layout_of_rust() {
    let small = Compiler::c().with("-m32");
    let native = if cfg!(target_pointer_width = "64") { "64.txt" } else { "32-align4.txt" };
    for (compiler, file) in
        [(small.clone(), "32-align4.txt"), (small.with("-malign-double"), "32.txt"), (Compiler::c(), native)]
    {
        if !compiler.works() {
            println!("skipped: {compiler:?} does not work here");
            continue;
        }
        let folder = Folder::new();
        fs::write(folder.file("layout.c"), assertions(file)).unwrap();
        // `_Static_assert` is C11.
        compile(&compiler, &folder, &["-std=c11", "-fsyntax-only", "layout.c"]).unwrap();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn metadata_stays_in_the_file() {
    let facts = "spandrel_abi = \"1.0\"\nname = \"empty\"\nversion = \"2.3.4\"\nkind = \"exporter\"\n";
    let more = "vendor = \"Someone\"\nlicense = \"MIT\"\ndescription = \"does nothing\"\n";
    let short = r#"SPANDREL_METADATA("empty", "2.3.4", "exporter");"#;
    let long = r#"SPANDREL_METADATA_MORE("empty", "2.3.4", "exporter", "Someone", "MIT", "does nothing");"#;
    for (compiler, standard, file) in
        [(Compiler::c(), "-std=c99", "empty.c"), (Compiler::cpp(), "-std=c++11", "empty.cpp")]
    {
        if !compiler.works() {
            println!("skipped: {compiler:?} does not work here");
            continue;
        }
        for (metadata, expected) in [(short, facts.to_owned()), (long, format!("{facts}{more}"))] {
            let folder = Folder::new();
            let entry = "const spandrel_descriptor *spandrel_plugin_v1(void) { return NULL; }";
            fs::write(folder.file(file), format!("#include <spandrel.h>\n{metadata}\n{entry}\n")).unwrap();
            let flags = ["-shared", "-fPIC", "-O2", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections"];
            let linker = ["-Wl,--gc-sections,--strip-all", standard, "-o", "empty.so", file];
            compile(&compiler, &folder, &[&flags[..], &linker].concat()).unwrap();
            let library = fs::read(folder.file("empty.so")).unwrap();
            let text = format!("{expected}\0");
            assert!(library.windows(text.len()).any(|bytes| bytes == text.as_bytes()), "{file}: {metadata}");
            assert!(library.windows(10).any(|bytes| bytes == b"\0.spandrel"), "{file}: no section");
        }
    }
}

fn compile(compiler: &Compiler, folder: &Folder, arguments: &[&str]) -> Result<(), String> {
    let include = format!("-I{}", plugin_api("include").display());
    compiler.run(folder, &[&WARNINGS[..], &[include.as_str()], arguments].concat())
}

/// A C program that compiles if the types are as the golden file says.
fn assertions(golden: &str) -> String {
    let golden = fs::read_to_string(plugin_api("tests/layout").join(golden)).unwrap();
    assert!(golden.lines().count() > 100, "{golden}");
    let mut program = "#include <spandrel.h>\nint main(void) { return 0; }\n".to_owned();
    for line in golden.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            [name, "size", size, "align", align] => {
                let name = c_name(name);
                let _ = writeln!(program, "_Static_assert(sizeof({name}) == {size}, \"size of {name}\");");
                let _ = writeln!(program, "struct {name}_ {{ char c; {name} x; }};");
                let _ =
                    writeln!(program, "_Static_assert(offsetof(struct {name}_, x) == {align}, \"align of {name}\");");
            }
            [field, offset] => {
                let (name, field) = field.split_once('.').unwrap();
                let name = c_name(name);
                let _ = writeln!(program, "_Static_assert(offsetof({name}, {field}) == {offset}, \"{name}.{field}\");");
            }
            _ => panic!("not a line of a golden file: {line}"),
        }
    }
    program
}

fn generate() -> String {
    let folder = Folder::new();
    let (mut types, mut builder) = (Vec::new(), cbindgen::Builder::new());
    let mut config = cbindgen::Config::from_file(plugin_api("cbindgen.toml")).unwrap();
    for source in SOURCES {
        let text = fs::read_to_string(plugin_api("src").join(source)).unwrap();
        types.extend(text.lines().filter_map(type_name).map(str::to_owned));
        // The generator sees that an optional pointer to a function may be null, but
        // not behind these names.
        let text = text.replace("Option<Create>", "Create").replace("Option<Found>", "Found");
        let file = folder.file(&source.replace('/', "_"));
        fs::write(&file, text).unwrap();
        builder = builder.with_src(file);
    }
    config.export.rename = types.iter().map(|name| (name.clone(), c_name(name))).collect();
    config.export.include = types;
    let mut header = Vec::new();
    builder.with_config(config).generate().unwrap().write(&mut header);
    c_links(&String::from_utf8(header).unwrap())
}

fn type_name(line: &str) -> Option<&str> {
    let line = ["pub struct ", "pub union ", "pub type "].iter().find_map(|start| line.strip_prefix(start))?;
    line.split(|c: char| !c.is_alphanumeric()).next()
}

/// `SpanStart` is `spandrel_span_start`.
fn c_name(name: &str) -> String {
    name.chars().fold("spandrel".to_owned(), |mut c_name, letter| {
        if letter.is_uppercase() {
            c_name.push('_');
        }
        c_name.push(letter.to_ascii_lowercase());
        c_name
    })
}

/// Links of rustdoc as names of C.
fn c_links(text: &str) -> String {
    let mut parts = text.split("[`");
    let mut linked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("`]").expect("a link has an end");
        let rest = if rest.starts_with('(') { rest.split_once(')').expect("a link has an end").1 } else { rest };
        let is_constant = name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        let name = if is_constant { format!("SPANDREL_{name}") } else { c_name(name) };
        let _ = write!(linked, "`{name}`{rest}");
    }
    linked
}

fn plugin_api(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin-api").join(path)
}
