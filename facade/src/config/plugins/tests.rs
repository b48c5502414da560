use std::path::PathBuf;

use super::super::{Origin, environment, file};
use super::warning;
use crate::loader::NamedPlugin;
use crate::setup::Settings;

const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn file(text: &str, origin: Origin, settings: &mut Settings) -> Result<(), String> {
    file::apply(text, "x.toml", origin, &|_| None, settings).map_err(|error| error.to_string())
}

fn environment(variables: &[(&str, &str)], settings: &mut Settings) -> Result<(), String> {
    let variables: Vec<_> = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    environment::apply(&variables, settings).map_err(|error| error.to_string())
}

#[test]
fn file_and_environment_are_read() {
    let mut settings = Settings::default();
    let text = format!(
        "allow_plugins = false\nplugin_dirs = ['/a', '/b']\nplugin_allowed_dirs = ['/a']\n\
         plugin_trusted_owners = ['root', 1000, '7']\n[plugin.audit]\nprovider = 'file'\n\
         [plugin.x]\nfile = '/x.so'\nsha256 = '{HEX}'"
    );
    file(&text, Origin::Starter, &mut settings).unwrap();
    assert_eq!(settings.loader.switched_off.as_deref(), Some("x.toml:1:1"));
    environment(
        &[
            ("TRACING_ALLOW_PLUGINS", "yes"),
            ("SPANDREL_PLUGIN_PATH", ":/c:/d"),
            ("TRACING_PLUGIN__X__FILE", "/y.so"),
            ("TRACING_PLUGIN__MY_AUDIT__PROVIDER", "console"),
        ],
        &mut settings,
    )
    .unwrap();
    let loader = settings.loader;
    assert_eq!((loader.switched_off, loader.ignored), (None, vec![]));
    assert_eq!((loader.dirs, loader.path), (vec!["/a".into(), "/b".into()], vec!["/c".into(), PathBuf::from("/d")]));
    assert_eq!((loader.allowed_dirs, loader.trusted_owners), (vec![PathBuf::from("/a")], vec![0, 1000, 7]));
    let x = loader.named.get("x").unwrap();
    assert_eq!((x.file.clone(), x.sha256.is_some()), (Some("/y.so".into()), true), "the pin stays");
    assert_eq!(loader.named["my_audit"].provider.as_deref(), Some("console"));
    let audit = NamedPlugin { provider: Some("file".to_owned()), ..NamedPlugin::default() };
    assert_eq!(loader.named["audit"], audit);
}

#[test]
fn mistakes_in_a_file_are_answered_with_their_place() {
    let here = std::env::current_dir().unwrap();
    let here = here.display();
    for (text, message) in [
        (
            "plugin_dirs = ['a']",
            format!("1:1: each directory in `plugin_dirs` must be an absolute path, not `a`; write `{here}/a`"),
        ),
        ("allow_plugins = 1", "1:1: `allow_plugins` must be true or false, not 1".to_owned()),
        (
            "plugin_allowed_dirs = []",
            "1:1: `plugin_allowed_dirs` is empty, which would allow no plugin; write `allow_plugins = false`"
                .to_owned(),
        ),
        (
            "plugin_trusted_owners = ['nobody-has-this-name']",
            "1:1: `plugin_trusted_owners` names a user `nobody-has-this-name`, who is not in /etc/passwd; \
             write the number of the user instead"
                .to_owned(),
        ),
        ("plugin_trusted_owners = [-1]", "1:1: `plugin_trusted_owners` holds -1, which is no user number".to_owned()),
        (
            "plugin_trusted_owners = 0",
            "1:1: `plugin_trusted_owners` must be a list of user names or numbers".to_owned(),
        ),
        ("plugin = 3", "1:1: `plugin` must be a table with one table for each plugin".to_owned()),
        ("plugin.x = 3", "1:8: `plugin.x` must be a table".to_owned()),
        ("[plugin.X]", "1:9: the name of a plugin may have a-z, 0-9, `_` and `-` only, not `X`".to_owned()),
        (
            "[plugin.x]\nfile = './x.so'",
            format!("2:1: `file` must be an absolute path, not `./x.so`; write `{here}/x.so`"),
        ),
        (
            "[plugin.x]\nprovider = '/x.so'",
            "2:1: `provider` must be the name of a provider, not `/x.so`; for a path use `file`".to_owned(),
        ),
        (
            "[plugin.x]\nprovider = 'file'\nfile = '/x.so'",
            "3:1: either `provider` or `file` can be set, not both".to_owned(),
        ),
        (
            "[plugin.x]\nsha256 = 'abc'",
            "2:1: `sha256` must be a SHA-256 of 64 hexadecimal digits, not `abc`".to_owned(),
        ),
        (
            "[plugin.x]\nfiel = '/x.so'",
            "2:1: unknown configuration key `fiel`; did you mean `file`? (known here: linked, provider, file, sha256)"
                .to_owned(),
        ),
    ] {
        let error = file(text, Origin::Starter, &mut Settings::default()).unwrap_err();
        assert_eq!(error, format!("x.toml:{message}"), "{text}");
    }
    let text = format!("[plugin.x]\nprovider = 'file'\nsha256 = '{HEX}'");
    let error = file(&text, Origin::Starter, &mut Settings::default()).unwrap_err();
    assert_eq!(error, "x.toml:3:1: `sha256` belongs into `[plugin.file]`, beside its `file`");
}

#[test]
fn mistakes_in_the_environment_are_answered_with_the_variable() {
    let here = std::env::current_dir().unwrap();
    for (name, value, message) in [
        ("TRACING_ALLOW_PLUGINS", "maybe", "TRACING_ALLOW_PLUGINS must be true or false, not `maybe`".to_owned()),
        (
            "SPANDREL_PLUGIN_PATH",
            "/a:b",
            format!("SPANDREL_PLUGIN_PATH must be an absolute path, not `b`; write `{}/b`", here.display()),
        ),
        (
            "TRACING_PLUGIN__X__SHA_256",
            HEX,
            "TRACING_PLUGIN__X__SHA_256 means nothing; it must be TRACING_PLUGIN__<NAME>__FILE, __PROVIDER, __LINKED or __SHA256"
                .to_owned(),
        ),
        (
            "TRACING_PLUGIN__X.Y__FILE",
            "/x.so",
            "TRACING_PLUGIN__X.Y__FILE: the name of a plugin may have a-z, 0-9, `_` and `-` only, not `x.y`".to_owned(),
        ),
        (
            "TRACING_PLUGIN__X__SHA256",
            "0",
            "TRACING_PLUGIN__X__SHA256 must be a SHA-256 of 64 hexadecimal digits, not `0`".to_owned(),
        ),
    ] {
        let error = environment(&[(name, value)], &mut Settings::default()).unwrap_err();
        let before = if name == "SPANDREL_PLUGIN_PATH" { "each directory in " } else { "" };
        assert_eq!(error, format!("{before}the environment variable {message}"));
    }
}

#[test]
fn who_starts_a_process_with_more_rights_does_not_say_what_it_loads() {
    let mut settings = Settings::default();
    settings.loader.elevated = true;
    file("type = 'file'\nplugin_dirs = ['/ours']", Origin::Program, &mut settings).unwrap();
    assert_eq!(warning(&settings.loader), None);
    let text = "type = ['/theirs/x.so', 'console']\nplugin_dirs = ['/theirs']\n[plugin.x]\nfile = '/theirs/x.so'";
    file(text, Origin::Starter, &mut settings).unwrap();
    let variables = [
        ("TRACING_TYPE", "/theirs/y.so"),
        ("SPANDREL_PLUGIN_PATH", "/theirs"),
        ("TRACING_PLUGIN__Y__FILE", "/theirs/y.so"),
        ("TRACING_ALLOW_PLUGINS", "false"),
    ];
    environment(&variables, &mut settings).unwrap();
    environment(&[("TRACING_ALLOW_PLUGINS", "true")], &mut settings).unwrap();
    assert_eq!(settings.types, ["console"]);
    let loader = settings.loader;
    assert_eq!((&loader.dirs, &loader.path, loader.named.len()), (&vec![PathBuf::from("/ours")], &vec![], 0));
    assert_eq!(loader.switched_off.as_deref(), Some("TRACING_ALLOW_PLUGINS"), "that takes rights away");
    assert_eq!(
        warning(&loader).unwrap(),
        "this process has more rights than the user who started it, so what the environment, and a file found \
         through it, say about plugins is ignored: /theirs/x.so (x.toml:1:1), plugin_dirs (x.toml:2:1), plugin.x \
         (x.toml:3:9), /theirs/y.so (TRACING_TYPE), SPANDREL_PLUGIN_PATH, TRACING_PLUGIN__Y__FILE, allow_plugins = \
         true (TRACING_ALLOW_PLUGINS); set it in the program, with `default_config`"
    );
}
