//! Both sides of the plugin boundary in one process, so that Miri can watch.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::Mutex;
use std::time::Duration;

use spandrel_plugin_api::abi::{self, LendContext, Text, sdk};
use spandrel_plugin_api::{
    Attribute, Carrier, CarrierMut, Error, ErrorKind, Event, Extraction, Host, InstrumentationScope, Link,
    OwnedAttribute, Provider, ProviderFactory, SpanBatch, SpanContext, SpanExporter, SpanId, SpanKind, SpanStart,
    SpanState, Stats, Status, Timestamp, ToValue, TraceFlags, TraceId, TraceState, TracingProvider,
};

fn context(n: u8) -> SpanContext {
    SpanContext::new(TraceId::from_bytes([n; 16]), SpanId::from_bytes([n; 8]), TraceFlags::SAMPLED)
}

fn with_attributes<R>(f: impl FnOnce(&[Attribute<'_>]) -> R) -> R {
    let texts = ["a", ""];
    f(&[
        Attribute::new("bool", &true),
        Attribute::new("i64", &-7),
        Attribute::new("f64", &0.5),
        Attribute::new("text", "grün"),
        Attribute::new("bools", &[true, false]),
        Attribute::new("i64s", &[1_i64, 2]),
        Attribute::new("f64s", &[1.0, 2.0]),
        Attribute::new("texts", &texts),
        Attribute::new("none", &Vec::<i64>::new()),
    ])
}

fn shown(attributes: &[Attribute<'_>]) -> String {
    let shown: Vec<String> = attributes.iter().map(|a| format!("{}={:?}", a.key, a.value.to_owned())).collect();
    shown.join(" ")
}

#[test]
fn attributes_cross_unchanged() {
    for copies in [0, 1, 3] {
        with_attributes(|attributes| {
            let many: Vec<Attribute<'_>> = (0..copies).flat_map(|_| attributes.iter().copied()).collect();
            let read = abi::lend_attributes(&many, |lent| {
                // SAFETY: what was just lent.
                unsafe { abi::read_attributes(lent.as_ptr(), lent.len(), shown) }
            });
            assert_eq!(read, shown(&many));
        });
    }
}

#[test]
fn plain_attributes_cross_without_being_copied() {
    let attributes = [Attribute::new("a", "text"), Attribute::new("b", &1)];
    abi::lend_attributes(&attributes, |lent| {
        // SAFETY: what was just lent.
        unsafe {
            abi::read_attributes(lent.as_ptr(), lent.len(), |read| {
                assert_eq!(read[0].key.as_ptr(), attributes[0].key.as_ptr());
            });
        }
    });
}

#[test]
fn a_start_an_event_and_a_link_cross_unchanged() {
    let own = context(1).with_trace_state(TraceState::parse("a=1").unwrap());
    let parent = context(2).with_remote(true);
    with_attributes(|attributes| {
        let links = [Link { context: &parent, attributes }, Link { context: &own, attributes: &[] }];
        let start = SpanStart {
            name: "name",
            context: &own,
            parent: Some(&parent),
            kind: SpanKind::Consumer,
            time: Timestamp::from_unix_nanos(7),
            attributes,
            links: &links,
            scope: InstrumentationScope { name: "scope", version: "1" },
        };
        let read = abi::lend_span_start(&start, |lent| {
            // SAFETY: what was just lent.
            unsafe { abi::read_span_start(lent, |read| format!("{read:?}")) }
        });
        assert_eq!(read, Some(format!("{start:?}")));
        let event = Event { name: "event", time: Timestamp::from_unix_nanos(8), attributes };
        // SAFETY: what was just lent.
        let read = abi::lend_event(&event, |lent| unsafe { abi::read_event(lent, |read| format!("{read:?}")) });
        assert_eq!(read, Some(format!("{event:?}")));
        // SAFETY: what was just lent.
        let read = abi::lend_link(&links[0], |lent| unsafe { abi::read_link(lent, |read| format!("{read:?}")) });
        assert_eq!(read, Some(format!("{:?}", links[0])));
    });
}

#[test]
fn what_is_not_utf8_is_replaced_and_unknown_kinds_are_left_out() {
    let bad = [b'a', 0xff];
    let text = Text { ptr: bad.as_ptr().cast(), len: 2 };
    let value = |kind, data| abi::Value { kind, reserved: 0, data };
    let attributes = [
        abi::Attribute { key: text, value: value(abi::VALUE_TEXT, abi::ValueData { text }) },
        abi::Attribute { key: Text::new("new"), value: value(77, abi::ValueData { integer: 1 }) },
        abi::Attribute { key: Text::new("odd"), value: value(abi::VALUE_BOOL, abi::ValueData { boolean: 9 }) },
    ];
    // SAFETY: all that they point to is right above.
    let read = unsafe { abi::read_attributes(attributes.as_ptr(), attributes.len(), shown) };
    assert_eq!(read, "a\u{fffd}=Str(\"a\u{fffd}\") odd=Bool(true)");
    // SAFETY: nothing is read from a null pointer.
    let read =
        unsafe { (abi::read_attributes(std::ptr::null(), 3, shown), abi::read_text(Text { len: 3, ..Text::EMPTY })) };
    assert_eq!(read, (String::new(), "".into()));
}

#[test]
fn a_shorter_structure_lacks_its_last_fields_and_a_longer_one_is_cut() {
    let mut shorter = abi::Stats { recorded: 1, exported: 2, pending: 3, ..abi::Stats::default() };
    shorter.size = std::mem::offset_of!(abi::Stats, pending);
    // SAFETY: there are more bytes than the size says.
    let read = unsafe { abi::copy_prefix(&raw const shorter) }.unwrap();
    assert_eq!((read.recorded, read.exported, read.pending), (1, 2, 0));

    #[repr(C)]
    struct Longer(abi::Stats, u64);
    let longer = Longer(abi::Stats { size: size_of::<Longer>(), panics: 9, ..abi::Stats::default() }, 1);
    // SAFETY: as many bytes as the size says.
    let read = unsafe { abi::copy_prefix((&raw const longer).cast::<abi::Stats>()) }.unwrap();
    assert_eq!(read.panics, 9);
    // SAFETY: null is looked for.
    assert!(unsafe { abi::copy_prefix(std::ptr::null::<abi::Stats>()) }.is_none());
}

#[test]
fn an_error_crosses_with_its_facts_and_is_released() {
    let error = Error::new(ErrorKind::ConfigInvalid, "`path` must be a text")
        .with_context("key", "path")
        .with_context(String::from("remedy"), "write a text")
        .with_source(std::io::Error::other("cause"));
    let text = error.to_string();
    let mut slot = abi::Error::EMPTY;
    // SAFETY: an empty error, filled once and taken once.
    let taken = unsafe {
        abi::fill_error(&raw mut slot, error);
        abi::take_error(abi::CONFIG_INVALID, slot)
    };
    let taken = taken.unwrap_err();
    assert_eq!((taken.kind(), taken.to_string(), taken.context("key")), (ErrorKind::ConfigInvalid, text, Some("path")));
    // SAFETY: an empty error.
    let unknown = unsafe { abi::take_error(4711, abi::Error::EMPTY) }.unwrap_err();
    assert_eq!(unknown.to_string(), "the plugin answered with status 4711 and without a text");
    assert_eq!(unknown.kind(), ErrorKind::Internal);
}

/// An error as hosts of other versions have it: with less behind it, or with more.
#[repr(C)]
struct Room {
    error: abi::Error,
    more: [u64; 4],
}

#[test]
fn an_error_is_filled_as_far_as_there_is_room() {
    let failed = || Error::new(ErrorKind::Io, "failed").with_source(std::io::Error::other("cause"));
    for size in [0, std::mem::offset_of!(abi::Error, release), size_of::<abi::Error>() - 1] {
        let mut room = Room { error: abi::Error { size, ..abi::Error::EMPTY }, more: [7; 4] };
        // SAFETY: there is more room than the size says.
        unsafe { abi::fill_error((&raw mut room).cast(), failed()) };
        assert!(room.error.message.ptr.is_null() && room.error.release.is_none(), "nobody would free it: {size}");
    }
    let mut room = Room { error: abi::Error { size: size_of::<Room>(), ..abi::Error::EMPTY }, more: [7; 4] };
    // SAFETY: as above; the error was empty, and is taken once.
    let taken = unsafe {
        abi::fill_error((&raw mut room).cast(), failed());
        abi::take_error(abi::IO, room.error)
    };
    assert_eq!(taken.unwrap_err().to_string(), "failed: cause");
    assert_eq!(room.more, [7; 4]);
}

// A plugin, and the calls of a host.

#[derive(Default)]
struct Recording {
    calls: Mutex<Vec<String>>,
}

static RECORDED: Recording = Recording { calls: Mutex::new(Vec::new()) };

fn record(call: impl Into<String>) {
    RECORDED.calls.lock().unwrap().push(call.into());
}

struct Sample;

impl ProviderFactory for Sample {
    fn name(&self) -> &str {
        "sample"
    }

    fn create(&self, config: &str, host: &Host<'_>) -> Result<Provider, Error> {
        match config {
            "live" => Ok(Provider::Live(Box::new(Live))),
            "with" => Ok(Provider::ExporterWith { exporter: Box::new(Exporting), companion: Box::new(Live) }),
            "exporter" => {
                record(format!("for {}", host.resource.service_name()));
                Ok(Provider::Exporter(Box::new(Exporting)))
            }
            "panic" => panic!("no {config}"),
            other => Err(Error::new(ErrorKind::ConfigInvalid, "no").with_context("key", other)),
        }
    }

    fn validate(&self, config: &str) -> Result<(), Error> {
        if config.is_empty() { Ok(()) } else { Err(Error::new(ErrorKind::ConfigInvalid, "not empty")) }
    }
}

struct Exporting;

impl SpanExporter for Exporting {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        record(format!("export {:?} {}", batch.to_bytes(), batch.span_count()));
        match batch.span_count() {
            0 => panic!("nothing"),
            1 => Err(Error::new(ErrorKind::Unavailable, "away")),
            _ => Ok(()),
        }
    }
}

struct Live;

impl TracingProvider for Live {
    fn start_span(&self, start: &SpanStart<'_>) -> SpanState {
        record(format!("start {}", start.name));
        SpanState::boxed(Box::new(start.name.to_owned()))
    }

    fn end_span(&self, span: SpanState, end: Timestamp) {
        record(format!("end {} {}", span.downcast::<String>().unwrap(), end.unix_nanos()));
    }

    fn set_span_status(&self, span: &mut SpanState, status: Status<'_>) {
        record(format!("{} {status:?}", span.downcast_mut::<String>().unwrap()));
    }

    fn set_span_name(&self, span: &mut SpanState, name: &str) {
        *span.downcast_mut::<String>().unwrap() = name.to_owned();
    }

    fn add_span_attributes(&self, _: &mut SpanState, attributes: &[Attribute<'_>]) {
        record(shown(attributes));
    }

    fn add_span_event(&self, _: &mut SpanState, event: &Event<'_>) {
        record(event.name);
    }

    fn add_span_link(&self, _: &mut SpanState, link: &Link<'_>) {
        record(link.context.trace_id().to_string());
    }

    fn keeps_context(&self) -> bool {
        true
    }

    fn current_context(&self) -> Option<SpanContext> {
        Some(context(9))
    }

    fn samples(&self) -> bool {
        true
    }

    fn sample(&self, start: &SpanStart<'_>) -> bool {
        start.name != "health"
    }

    fn propagation_fields(&self) -> &[&str] {
        &["x-sample"]
    }

    fn extract_context(&self, carrier: &dyn Carrier) -> Extraction {
        let mut seen = Vec::new();
        carrier.for_each_value("x-sample", &mut |value| seen.push(value.to_owned()));
        record(seen.join("+"));
        Extraction::Context(context(5).with_remote(true))
    }

    fn inject_context(&self, context: &SpanContext, carrier: &mut dyn CarrierMut) -> bool {
        carrier.set("x-sample", &context.span_id().to_string());
        carrier.remove("x-other");
        true
    }

    fn force_flush(&self, _: Duration) -> Result<(), Error> {
        panic!("flush")
    }

    fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        record(format!("shutdown {deadline:?}"));
        Ok(())
    }

    fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        stats.recorded = 3;
        stats
    }
}

fn create(kind: u16, config: &str) -> Result<abi::Instance, Error> {
    let resource = [OwnedAttribute::new("service.name", "shop")];
    let resource: Vec<Attribute<'_>> = resource.iter().map(OwnedAttribute::as_attribute).collect();
    abi::lend_attributes(&resource, |resource| {
        let arguments = abi::CreateArguments {
            size: size_of::<abi::CreateArguments>(),
            name: Text::new("sample"),
            config: Text::new(config),
            resource: resource.as_ptr(),
            resource_len: resource.len(),
        };
        let mut error = abi::Error::EMPTY;
        // SAFETY: zeros are an instance in which everything is absent; everything passed
        // lives during the call.
        unsafe {
            let mut instance: abi::Instance = MaybeUninit::zeroed().assume_init();
            instance.size = size_of::<abi::Instance>();
            let (arguments, instance_slot) = (&raw const arguments, &raw mut instance);
            let status = sdk::create(kind, &Sample, arguments, std::ptr::null(), instance_slot, &raw mut error);
            abi::take_error(status, error).map(|()| instance)
        }
    })
}

/// One test, as the calls are recorded in one place.
#[test]
fn a_plugin_is_called_through_its_tables() {
    std::panic::set_hook(Box::new(|_| ()));
    let refused = create(abi::KIND_EXPORTER, "nonsense").unwrap_err();
    assert_eq!((refused.kind(), refused.context("key")), (ErrorKind::ConfigInvalid, Some("nonsense")));
    let panicked = create(abi::KIND_EXPORTER, "panic").unwrap_err();
    assert_eq!(panicked.to_string(), "the plugin panicked: no panic");
    assert_eq!(panicked.kind(), ErrorKind::Panicked);
    let other = create(abi::KIND_EXPORTER, "live").unwrap_err();
    assert!(other.to_string().contains("use export_exporter! for an exporter"), "{other}");

    // SAFETY: functions of an instance with its data; everything passed lives during the
    // calls, and nothing is called after `destroy`.
    unsafe {
        exporter();
        exporter_with_companion();
        live();
    }
}

unsafe fn exporter() {
    let made = create(abi::KIND_EXPORTER, "exporter").unwrap();
    // SAFETY: as for the caller.
    unsafe {
        let table = *made.exporter;
        assert!(made.provider.is_null() && table.on_start.is_none() && table.extract.is_none());
        let parts: [&[u8]; 2] = [b"ab", b"c"];
        let lent = parts.map(|part| abi::Bytes { ptr: part.as_ptr(), len: part.len() });
        let export = |span_count| {
            let batch =
                abi::Batch { size: size_of::<abi::Batch>(), parts: lent.as_ptr(), parts_len: lent.len(), span_count };
            let mut error = abi::Error::EMPTY;
            let status = table.export_batch.unwrap()(made.data, &raw const batch, &raw mut error);
            abi::take_error(status, error).map_err(|error| error.to_string())
        };
        assert_eq!(export(2), Ok(()));
        assert_eq!(export(1), Err("away".to_owned()));
        assert_eq!(export(0), Err("the plugin panicked: nothing".to_owned()));
        // A host that does not know the count, and two empty requests with one span each.
        let span: &[u8] = b"\x0a\x04\x12\x02\x12\x00";
        let lent = [abi::Bytes { ptr: span.as_ptr(), len: span.len() }; 2];
        let size = std::mem::offset_of!(abi::Batch, span_count);
        let batch = abi::Batch { size, parts: lent.as_ptr(), parts_len: lent.len(), span_count: 77 };
        assert_eq!(table.export_batch.unwrap()(made.data, &raw const batch, std::ptr::null_mut()), abi::OK);
        assert_eq!(table.flush.unwrap()(made.data, 1, std::ptr::null_mut()), abi::OK);
        assert_eq!(table.destroy.unwrap()(made.data), abi::OK);
    }
    let calls = std::mem::take(&mut *RECORDED.calls.lock().unwrap());
    assert_eq!(calls[..2], ["for shop", "export [97, 98, 99] 2"]);
    assert!(calls[4].ends_with("] 2"), "{calls:?}");
}

unsafe fn exporter_with_companion() {
    unsafe extern "C" fn values(
        _: *mut c_void,
        name: Text,
        user: *mut c_void,
        each: Option<unsafe extern "C" fn(*mut c_void, Text)>,
    ) {
        // SAFETY: the plugin's function with the plugin's data.
        unsafe {
            assert_eq!(abi::read_text(name), "x-sample");
            ["1", "2"].into_iter().for_each(|value| each.unwrap()(user, Text::new(value)));
        }
    }
    unsafe extern "C" fn set(_: *mut c_void, name: Text, value: Text) {
        // SAFETY: texts that live during the call.
        unsafe { record(format!("{}: {}", abi::read_text(name), abi::read_text(value))) };
    }
    unsafe extern "C" fn remove(_: *mut c_void, name: Text) {
        // SAFETY: as above.
        unsafe { record(format!("no {}", abi::read_text(name))) };
    }
    unsafe extern "C" fn found(user: *mut c_void, context: *const abi::Context) {
        // SAFETY: what the test passed, and a context that lives during the call.
        unsafe { *user.cast::<Option<SpanContext>>() = Some(abi::read_context(&*context)) };
    }
    let made = create(abi::KIND_EXPORTER, "with").unwrap();
    // SAFETY: as for the caller.
    unsafe {
        let table = *made.exporter;
        assert_eq!(abi::read_text(*made.propagation_fields), "x-sample");
        let own = context(1);
        let mut start = SpanStart {
            name: "health",
            context: &own,
            parent: None,
            kind: SpanKind::Internal,
            time: Timestamp::default(),
            attributes: &[],
            links: &[],
            scope: InstrumentationScope::default(),
        };
        let sample = |start: &SpanStart<'_>| {
            let mut decision = 99;
            abi::lend_span_start(start, |start| table.sample.unwrap()(made.data, start, &raw mut decision));
            decision
        };
        assert_eq!(sample(&start), abi::SAMPLE_DROP);
        start.name = "work";
        assert_eq!(sample(&start), abi::SAMPLE_NO_OPINION);
        abi::lend_span_start(&start, |start| table.on_start.unwrap()(made.data, start));

        let nobody = std::ptr::null_mut();
        let carrier = abi::Carrier { size: size_of::<abi::Carrier>(), data: nobody, for_each_value: Some(values) };
        let mut context_found: Option<SpanContext> = None;
        let user = (&raw mut context_found).cast();
        assert_eq!(table.extract.unwrap()(made.data, &raw const carrier, user, Some(found)), abi::OK);
        assert_eq!(context_found, Some(context(5).with_remote(true)));
        let carrier =
            abi::CarrierMut { size: size_of::<abi::CarrierMut>(), data: nobody, set: Some(set), remove: Some(remove) };
        let lent = own.lend();
        assert_eq!(table.inject.unwrap()(made.data, &raw const lent, &raw const carrier), abi::OK);
        assert_eq!(table.destroy.unwrap()(made.data), abi::OK);
    }
    let calls = std::mem::take(&mut *RECORDED.calls.lock().unwrap());
    assert_eq!(calls, ["start work", "1+2", "x-sample: 0101010101010101", "no x-other"]);
}

unsafe fn live() {
    let made = create(abi::KIND_PROVIDER, "live").unwrap();
    // SAFETY: as for the caller.
    unsafe {
        let (table, data) = (*made.provider, made.data);
        let own = context(1);
        let start = SpanStart {
            name: "first",
            context: &own,
            parent: None,
            kind: SpanKind::Server,
            time: Timestamp::default(),
            attributes: &[],
            links: &[],
            scope: InstrumentationScope::default(),
        };
        let mut span = 0;
        let started = abi::lend_span_start(&start, |start| table.start_span.unwrap()(data, start, &raw mut span));
        assert_eq!(started, abi::OK);
        assert_eq!(table.set_span_name.unwrap()(data, span, Text::new("second")), abi::OK);
        table.set_span_status.unwrap()(data, span, abi::STATUS_ERROR, Text::new("bad"));
        table.set_span_status.unwrap()(data, span, 99, Text::EMPTY);
        let attributes = [Attribute { key: "k", value: 1_i64.to_value() }];
        abi::lend_attributes(&attributes, |lent| {
            table.add_span_attributes.unwrap()(data, span, lent.as_ptr(), lent.len())
        });
        assert_eq!(table.end_span.unwrap()(data, span, 5), abi::OK);
        assert_eq!(table.flush.unwrap()(data, 1, std::ptr::null_mut()), abi::PANICKED);
        assert_eq!(table.after_fork_child.unwrap()(data), abi::UNSUPPORTED);
        let mut stats = abi::Stats { size: size_of::<abi::Stats>(), ..abi::Stats::default() };
        assert_eq!((table.stats.unwrap()(data, &raw mut stats), stats.recorded), (abi::OK, 3));
        assert_eq!(table.shutdown.unwrap()(data, 1_000, std::ptr::null_mut()), abi::OK);
        assert_eq!(table.destroy.unwrap()(data), abi::OK);
    }
    let calls = std::mem::take(&mut *RECORDED.calls.lock().unwrap());
    assert_eq!(
        calls,
        ["start first", "second Error(\"bad\")", "second Unset", "k=I64(1)", "end second 5", "shutdown 1µs"]
    );
}
