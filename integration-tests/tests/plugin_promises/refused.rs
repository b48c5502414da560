//! Libraries that are no plugins after all: each is refused with a sentence.

use crate::misbehaving::Misbehaving;

#[test]
fn a_descriptor_that_is_none_is_refused() {
    for (macros, message) in [
        (&[("DESCRIPTOR", "NULL")][..], "the plugin returns no descriptor from spandrel_plugin_v1"),
        (&[("MAGIC", "{'S', 'P'}")], "the plugin returns from spandrel_plugin_v1 what is not a descriptor"),
        (&[("SIZE", "0")], "the plugin returns from spandrel_plugin_v1 what is not a descriptor"),
        (&[("SIZE", "8")], "the plugin says 1.0 in its metadata and 0.0 in its descriptor for its plugin ABI"),
        (&[("ABI_MAJOR", "2")], "the plugin says 1.0 in its metadata and 2.0 in its descriptor for its plugin ABI"),
        (&[("ABI_MINOR", "7")], "the plugin says 1.0 in its metadata and 1.7 in its descriptor for its plugin ABI"),
        (
            &[("KIND", "0")],
            "is `refused`, an exporter, in its metadata, and `refused`, of an unknown kind, in its descriptor",
        ),
        (
            &[("KIND", "2")],
            "is `refused`, an exporter, in its metadata, and `refused`, a live provider, in its descriptor",
        ),
        (
            &[("LIVE", ""), ("KIND", "1")],
            "is `refused`, a live provider, in its metadata, and `refused`, an exporter, in its",
        ),
        (
            &[("KIND", "0xffff")],
            "is `refused`, an exporter, in its metadata, and `refused`, of an unknown kind, in its descriptor",
        ),
        (&[("OWN_NAME", "SPANDREL_TEXT(\"other\")")], "and `other`, an exporter, in its descriptor"),
        (&[("OWN_NAME", "{NULL, 0}")], "and ``, an exporter, in its descriptor"),
        (&[("OWN_NAME", "{NULL, 7}")], "and ``, an exporter, in its descriptor"),
        (&[("OWN_NAME", "SPANDREL_TEXT(\"\\xff\")")], "and `\u{fffd}`, an exporter, in its descriptor"),
        (&[("CREATE", "NULL")], "the plugin has no function `create`"),
        // All before `create` is there.
        (&[("SIZE", "offsetof(spandrel_descriptor, create)")], "the plugin has no function `create`"),
    ] {
        let plugin = Misbehaving::with_macros("refused", macros);
        let text = plugin.load().unwrap_err().to_string();
        assert!(text.contains(message), "{macros:?}: {text}");
        let path = plugin.library.canonicalize().unwrap();
        assert!(text.contains(&format!("(path: {}; remedy: ", path.display())), "{macros:?}: {text}");
        assert_eq!(plugin.calls(), [""; 0], "{macros:?}");
    }
}

#[test]
fn a_library_without_the_entry_is_refused() {
    let plugin = Misbehaving::with_macros("refused", &[("spandrel_plugin_v1", "another_function")]);
    let text = plugin.load().unwrap_err().to_string();
    assert!(text.starts_with("the plugin does not export spandrel_plugin_v1 (path: "), "{text}");
}

#[test]
fn what_a_descriptor_has_beyond_what_we_know_does_not_matter() {
    let small = ("SIZE", "offsetof(spandrel_descriptor, validate_config)");
    for size in [small, ("SIZE", "sizeof(spandrel_descriptor) + 1000")] {
        let plugin = Misbehaving::with_macros("other_sizes", &[size]);
        let loaded = plugin.load().unwrap();
        assert_eq!((loaded.name(), loaded.version(), loaded.abi()), ("other_sizes", "1.0.0", (1, 0)));
        assert!(plugin.create("").is_ok());
    }
}

#[test]
fn an_instance_that_cannot_be_used_is_refused_and_destroyed() {
    let [exporter, live] = Misbehaving::both("half");
    for (plugin, behaviour, message, destroyed) in [
        (&exporter, "instance=empty", "the plugin is an exporter, but hands out no table of one", 0),
        (&live, "instance=empty", "the plugin is a live provider, but hands out no table of one", 0),
        (&exporter, "no_table=yes", "the plugin is an exporter, but hands out no table of one", 0),
        (&live, "no_table=yes", "the plugin is a live provider, but hands out no table of one", 0),
        (&exporter, "no_export_batch=yes", "the plugin has no function `export_batch`", 1),
        (&live, "no_start_span=yes", "the plugin has no functions `start_span` and `end_span`", 1),
        (&live, "no_end_span=yes", "the plugin has no functions `start_span` and `end_span`", 1),
    ] {
        let before = plugin.count("destroy");
        let text = plugin.create(behaviour).unwrap_err().to_string();
        assert!(text.starts_with(message), "{behaviour}: {text}");
        assert_eq!(plugin.count("destroy") - before, destroyed, "{behaviour}");
    }
}
