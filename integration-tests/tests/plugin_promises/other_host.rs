//! A plugin of ours under a host that is not: older, newer, and with nulls wherever the
//! boundary allows them.

use std::ffi::{CString, c_void};
use std::mem::{offset_of, size_of, zeroed};
use std::path::Path;
use std::ptr::{null, null_mut};

use spandrel_integration_tests::otlp_json;
use spandrel_integration_tests::plugins::foreign_plugin;
use spandrel_integration_tests::process::Folder;
use spandrel_plugin_api::abi::{
    self, Array, Attribute, Context, CreateArguments, Descriptor, Entry, Event, Host, Instance, Link, ProviderTable,
    SpanStart, Stats, Text, Value, ValueData,
};
use spandrel_plugin_api::{OwnedAttribute, SpanData, SpanKind, StatusData};

const NOTHING: Text = Text { ptr: null(), len: 0 };

fn raw(bytes: &'static [u8]) -> Text {
    Text { ptr: bytes.as_ptr().cast(), len: bytes.len() }
}

/// A copy of the plugin, so that no other test has given it a host.
fn descriptor(folder: &Folder) -> Descriptor {
    let library = foreign_plugin("integration-tests/plugins/live-memory/Cargo.toml", "dev", "live_memory");
    let copy = folder.file("copy.so");
    std::fs::copy(library, &copy).unwrap();
    let path = CString::new(copy.to_str().unwrap()).unwrap();
    let symbol = CString::new(abi::ENTRY).unwrap();
    // SAFETY: a plugin of ours; its entry has this type, by its name.
    unsafe {
        let handle = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
        assert!(!handle.is_null(), "the library can be opened");
        let entry = libc::dlsym(handle, symbol.as_ptr());
        assert!(!entry.is_null(), "it has an entry");
        *std::mem::transmute::<*mut c_void, Entry>(entry)()
    }
}

/// An instance that writes to this file, for a host with this table.
fn create(descriptor: &Descriptor, path: &Path, host: *const Host) -> (*mut c_void, ProviderTable) {
    let config = format!("path = '{}'", path.display());
    let arguments = CreateArguments {
        // Of an older host, which says nothing of the service.
        size: offset_of!(CreateArguments, resource),
        name: NOTHING,
        config: Text::new(&config),
        resource: std::ptr::without_provenance(1),
        resource_len: 1000,
    };
    // SAFETY: all zero is an instance in which everything is absent; the rest is as the boundary says.
    unsafe {
        let mut instance: Instance = zeroed();
        instance.size = offset_of!(Instance, flags);
        instance.flags = 4711;
        assert_eq!(descriptor.create.unwrap()(&arguments, host, &raw mut instance, null_mut()), abi::OK);
        assert_eq!(instance.flags, 4711, "an older host has no room for them");
        assert!(instance.exporter.is_null());
        (instance.data, *instance.provider)
    }
}

#[test]
fn a_host_may_be_older_and_have_no_functions() {
    let folder = Folder::new();
    let descriptor = descriptor(&folder);
    let old = Host { size: offset_of!(Host, log), ..host() };
    let empty = Host { log: None, now_ns: None, count: None, suppress_tracing: None, ..host() };
    for host in [null(), &raw const old, &raw const empty] {
        let path = folder.file("traces.jsonl");
        let (data, table) = create(&descriptor, &path, host);
        let context = context();
        let start = SpanStart { name: Text::new("op"), ..start(&context) };
        // SAFETY: as the boundary says.
        unsafe {
            let mut span = 0;
            assert_eq!(table.start_span.unwrap()(data, &raw const start, &raw mut span), abi::OK);
            assert_eq!(table.end_span.unwrap()(data, span, 1), abi::OK);
            assert_eq!(table.flush.unwrap()(data, u64::MAX, null_mut()), abi::OK);
            assert_eq!(table.destroy.unwrap()(data), abi::OK);
        }
        assert_eq!(otlp_json::read(&path).len(), 1);
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn what_a_plugin_does_not_know_is_left_out_and_the_rest_arrives() {
    let folder = Folder::new();
    let descriptor = descriptor(&folder);
    let path = folder.file("traces.jsonl");
    let (data, table) = create(&descriptor, &path, &raw const *Box::leak(Box::new(host())));
    let number = |integer| ValueData { integer };
    let none = ValueData { array: Array { ptr: null(), len: 0 } };
    let lying = ValueData { array: Array { ptr: null(), len: 3 } };
    let bytes: &[u8] = &[0, 1, 2, 255];
    let values = [
        (Text::new("known"), abi::VALUE_I64, number(7)),
        (Text::new("kind 0"), 0, number(7)),
        (Text::new("kind 9"), 9, number(7)),
        (Text::new("kind of the future"), u32::MAX, number(7)),
        (raw(b"k\xffy"), abi::VALUE_TEXT, ValueData { text: raw(b"v\xff\xc3(") }),
        (Text::new("no text"), abi::VALUE_TEXT, ValueData { text: NOTHING }),
        (Text::new("none"), abi::VALUE_TEXT_ARRAY, none),
        (Text::new("lying"), abi::VALUE_I64_ARRAY, lying),
        (Text::new("truth"), abi::VALUE_BOOL, ValueData { boolean: 2 }),
        (
            Text::new("truths"),
            abi::VALUE_BOOL_ARRAY,
            ValueData { array: Array { ptr: bytes.as_ptr().cast(), len: bytes.len() } },
        ),
    ];
    let attribute = |(key, kind, data)| Attribute { key, value: Value { kind, reserved: 0, data } };
    let attributes: Vec<Attribute> = values.into_iter().map(attribute).collect();
    let odd = Context { flags: u32::MAX, is_remote: 7, trace_state: raw(b"a=\xff"), ..context() };
    let link = Link { context: odd, attributes: attributes.as_ptr(), attributes_len: 2 };
    let event = Event {
        size: offset_of!(Event, attributes),
        time_ns: 5,
        name: NOTHING,
        attributes: std::ptr::without_provenance(1),
        attributes_len: 1000,
    };
    let start = SpanStart {
        name: raw(b"na\xffme"),
        kind: 77,
        attributes: attributes.as_ptr(),
        attributes_len: attributes.len(),
        ..start(&odd)
    };
    // SAFETY: as the boundary says; of pointers that point nowhere the sizes say that they are not there.
    unsafe {
        let mut span = 0;
        assert_eq!(table.start_span.unwrap()(data, &raw const start, &raw mut span), abi::OK);
        table.add_span_attributes.unwrap()(data, span, null(), 0);
        table.add_span_attributes.unwrap()(data, span, null(), 1000);
        table.add_span_event.unwrap()(data, span, null());
        table.add_span_event.unwrap()(data, span, &raw const event);
        table.add_span_link.unwrap()(data, span, null());
        table.add_span_link.unwrap()(data, span, &raw const link);
        table.set_span_status.unwrap()(data, span, abi::STATUS_ERROR, raw(b"\xff"));
        table.set_span_status.unwrap()(data, span, 77, Text::new("of the future"));
        assert_eq!(table.end_span.unwrap()(data, span, 9), abi::OK);
        // More attributes than fit on the stack are read in another way.
        let many: Vec<Attribute> = attributes.iter().copied().cycle().take(3 * attributes.len()).collect();
        let start = SpanStart { attributes: many.as_ptr(), attributes_len: many.len(), name: NOTHING, ..start };
        assert_eq!(table.start_span.unwrap()(data, &raw const start, &raw mut span), abi::OK);
        assert_eq!(table.end_span.unwrap()(data, span, 9), abi::OK);
        assert_eq!(table.shutdown.unwrap()(data, u64::MAX, null_mut()), abi::OK);
        assert_eq!(table.destroy.unwrap()(data), abi::OK);
    }
    let spans = otlp_json::read(&path);
    let [span, other] = &spans[..] else { panic!("{spans:#?}") };
    let expected = [
        OwnedAttribute::new("known", 7),
        OwnedAttribute::new("k\u{fffd}y", "v\u{fffd}\u{fffd}("),
        OwnedAttribute::new("no text", ""),
        OwnedAttribute::new("none", Vec::<String>::new()),
        // The type of an empty array is not known to OTLP.
        OwnedAttribute::new("lying", Vec::<String>::new()),
        OwnedAttribute::new("truth", true),
        OwnedAttribute::new("truths", vec![false, true, true, true]),
    ];
    let SpanData { name, kind, status, attributes, events, links, trace_state, flags, .. } = span;
    assert_eq!((name.as_str(), *kind, trace_state.as_str(), flags & 0xff), ("na\u{fffd}me", SpanKind::Internal, "", 3));
    assert_eq!((status, &attributes[..]), (&StatusData::Error("\u{fffd}".to_owned()), &expected[..]));
    assert_eq!((events.len(), events[0].name.as_str(), events[0].attributes.len()), (1, "", 0));
    assert_eq!((links.len(), &links[0].attributes[..]), (1, &expected[..1]));
    assert_eq!((other.name.as_str(), &other.attributes[..]), ("", &expected[..]));
}

#[test]
fn nulls_are_answered_and_nothing_is_written_beyond_its_size() {
    let folder = Folder::new();
    let descriptor = descriptor(&folder);
    let path = folder.file("traces.jsonl");
    // SAFETY: as the boundary says.
    unsafe {
        let mut instance: Instance = zeroed();
        instance.size = size_of::<Instance>();
        let create = descriptor.create.unwrap();
        assert_eq!(create(null(), null(), &raw mut instance, null_mut()), abi::INTERNAL);
        let mut small = abi::Error { size: offset_of!(abi::Error, context), ..abi::Error::EMPTY };
        assert_eq!(create(null(), null(), &raw mut instance, &raw mut small), abi::INTERNAL);
        assert!(small.message.ptr.is_null(), "an error that cannot be released is not filled");
        let mut error = abi::Error::EMPTY;
        let status = create(null(), null(), &raw mut instance, &raw mut error);
        let error = abi::take_error(status, error).unwrap_err();
        assert_eq!(error.message(), "the host passed no arguments");
        assert_eq!(descriptor.validate_config.unwrap()(null(), null(), null_mut()), abi::INTERNAL);
        assert!(instance.data.is_null() && instance.provider.is_null());
    }
    let (data, table) = self::create(&descriptor, &path, null());
    // SAFETY: as above.
    unsafe {
        let mut span = 0;
        assert_eq!(table.start_span.unwrap()(data, null(), &raw mut span), abi::OK);
        assert_eq!(table.end_span.unwrap()(data, span, 1), abi::OK);
        let nowhere = SpanStart { context: null(), ..start(null()) };
        assert_eq!(table.start_span.unwrap()(data, &raw const nowhere, &raw mut span), abi::OK);
        assert_eq!(table.end_span.unwrap()(data, span, 1), abi::OK);
        let mut decision = 77;
        assert_eq!(table.sample.unwrap()(data, null(), &raw mut decision), abi::OK);
        assert_eq!(decision, abi::SAMPLE_NO_OPINION);
        assert_eq!(table.extract.unwrap()(data, null(), null_mut(), None), abi::UNSUPPORTED);
        let carrier = abi::Carrier { size: size_of::<abi::Carrier>(), data: null_mut(), for_each_value: None };
        assert_eq!(table.extract.unwrap()(data, &raw const carrier, null_mut(), None), abi::UNSUPPORTED);
        assert_eq!(table.inject.unwrap()(data, null(), null()), abi::UNSUPPORTED);
        let context = context();
        assert_eq!(table.inject.unwrap()(data, &raw const context, null()), abi::UNSUPPORTED);
        assert_eq!(table.current_context.unwrap()(data, null_mut(), None), abi::OK);
        assert_eq!(table.enter_unsampled.unwrap()(data, null()), abi::OK);
        assert_eq!(table.health.unwrap()(data, null_mut()), abi::OK);
        let mut stats = Stats { size: offset_of!(Stats, exported), recorded: 77, exported: 77, ..Stats::default() };
        assert_eq!(table.stats.unwrap()(data, &raw mut stats), abi::OK);
        assert_eq!((stats.recorded, stats.exported), (0, 77), "no room for more");
        assert_eq!(table.destroy.unwrap()(data), abi::OK);
    }
    assert!(otlp_json::read(&path).is_empty(), "a span without a context is none");
}

fn context() -> Context {
    Context { trace_id: [1; 16], span_id: [2; 8], flags: 1, is_remote: 0, trace_state: NOTHING }
}

fn start(context: *const Context) -> SpanStart {
    SpanStart {
        size: size_of::<SpanStart>(),
        context,
        parent: null(),
        name: NOTHING,
        kind: abi::SPAN_INTERNAL,
        reserved: 0,
        time_ns: 1,
        attributes: null(),
        attributes_len: 0,
        links: null(),
        links_len: 0,
        scope_name: NOTHING,
        scope_version: NOTHING,
    }
}

/// A host of another language and a later version.
fn host() -> Host {
    unsafe extern "C" fn log(_: *mut c_void, _: u32, _: Text) {}
    unsafe extern "C" fn now_ns(_: *mut c_void) -> u64 {
        7
    }
    Host {
        size: size_of::<Host>(),
        abi_major: abi::ABI_MAJOR,
        abi_minor: 99,
        reserved: 0,
        data: null_mut(),
        version: NOTHING,
        log: Some(log),
        now_ns: Some(now_ns),
        count: None,
        suppress_tracing: None,
    }
}
