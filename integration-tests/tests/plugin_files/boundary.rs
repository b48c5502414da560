//! Libraries that say of themselves that they are plugins, and are none for this program.

use spandrel_integration_tests::stage::Stage;

use crate::start_with;

/// A library, before any of its code runs.
#[test]
fn what_the_file_says_is_enough_to_refuse_it() {
    let stage = Stage::new();
    let toml = |toml: &str| format!("-DTOML=\"{}\"", toml.replace('"', "\\\"").replace('\n', "\\n"));
    let least = toml("name = \"telltale\"\nversion = \"1\"\nkind = \"exporter\"\nspandrel_abi_min = \"1.7\"\n");
    let build_it = "build it with the macro SPANDREL_METADATA of spandrel.h, or with export_exporter! or \
                    export_provider! of the Rust SDK";
    let without = |entry| {
        format!(
            "the plugin file exports {entry}, but has no metadata section (path: {{here}}/x.so; remedy: {build_it})"
        )
    };
    let unusable = |what| {
        format!(
            "the metadata of the plugin cannot be used: {what} (path: {{here}}/x.so; remedy: build the plugin with \
             SPANDREL_METADATA of spandrel.h or with the Rust SDK)"
        )
    };
    for (arguments, sentence) in [
        (vec!["-DNO_METADATA"], without("spandrel_plugin_v1")),
        (vec!["-DNO_METADATA", "-DENTRY=spandrel_plugin_v2"], without("spandrel_plugin_v2")),
        (
            vec!["-DOTHER_ABI_MAJOR=2", "-DENTRY=spandrel_plugin_v2"],
            "provider \"telltale\" 1 ({here}/x.so) was built for plugin ABI 2.0, and this program speaks 1.0 (accepts 1.x) \
             (remedy: install a build of the plugin for ABI 1, or upgrade spandrel)"
                .to_owned(),
        ),
        (
            vec!["-DOTHER_ABI_MAJOR=0", "-DENTRY=spandrel_plugin_v0"],
            "provider \"telltale\" 1 ({here}/x.so) was built for plugin ABI 0.0, and this program speaks 1.0 (accepts 1.x) \
             (remedy: install a build of the plugin for ABI 1)"
                .to_owned(),
        ),
        (
            vec!["-DOTHER_ABI_MINOR=9", &least],
            "provider \"telltale\" 1 ({here}/x.so) needs plugin ABI 1.7 or later, and this program speaks 1.0 (remedy: \
             upgrade spandrel, or install an older build of the plugin)"
                .to_owned(),
        ),
        (vec!["-DKIND=\"sink\""], unusable("`kind` must be \"exporter\" or \"provider\", not \"sink\"")),
        (
            vec!["-DNAME=\"Tell Tale\""],
            unusable("`name` may have a-z, 0-9, `_` and `-` only, not \"Tell Tale\""),
        ),
        (vec!["-DBUILD=\"\""], unusable("`version` is missing")),
        (vec!["-DTOML=\"\""], unusable("`name` is missing")),
    ] {
        let library = stage.telltale("x.so", &arguments);
        assert_eq!(start_with(&stage, &library).refusal(), sentence, "{arguments:?}");
    }
}

/// What code and file say of the same library.
#[test]
fn a_descriptor_that_contradicts_the_metadata_is_refused() {
    let stage = Stage::new();
    let author = "tell its author, or install another version";
    for (argument, sentence, remedy) in [
        ("-DENTRY=other", "the plugin does not export spandrel_plugin_v1", "build it for this version of the boundary"),
        ("-DMAGIC={'S', 'P'}", "the plugin returns from spandrel_plugin_v1 what is not a descriptor", author),
        (
            "-DOWN_NAME=\"other\"",
            "the plugin is `telltale`, an exporter, in its metadata, and `other`, an exporter, in its descriptor",
            author,
        ),
        (
            "-DOWN_KIND=SPANDREL_KIND_PROVIDER",
            "the plugin is `telltale`, an exporter, in its metadata, and `telltale`, a live provider, in its descriptor",
            author,
        ),
        (
            "-DOWN_ABI_MAJOR=2",
            "the plugin says 1.0 in its metadata and 2.0 in its descriptor for its plugin ABI",
            author,
        ),
    ] {
        let library = stage.telltale("x.so", &[argument]);
        let expected = format!("{sentence} (path: {{here}}/x.so; remedy: {remedy})");
        assert_eq!(start_with(&stage, &library).late_refusal(), expected);
    }
    // The metadata need not say what the plugin needs at least; the descriptor does.
    let library = stage.telltale("x.so", &["-DOTHER_ABI_MINOR=9", "-DABI_MINOR_MIN=7"]);
    assert_eq!(
        start_with(&stage, &library).late_refusal(),
        "provider \"telltale\" 1 ({here}/x.so) needs plugin ABI 1.7 or later, and this program speaks 1.0 (remedy: upgrade \
         spandrel, or install an older build of the plugin)"
    );
    // A newer one that needs nothing new works.
    let library = stage.telltale("x.so", &["-DOTHER_ABI_MINOR=9"]);
    assert_eq!(start_with(&stage, &library).told().last(), Some(&"telltale: telltale: build 1 got 100 spans"));
}
