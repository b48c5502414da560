//! The types of the plugin are copies by hand with a change; what they lead to is
//! the real thing.

use std::collections::BTreeSet;
use std::ffi::{c_char, c_void};

use abi_stable::StableAbi;

use super::{Shape, Type, differences, grows, types_of};
use crate::abi;

type Text = abi::Text;

fn compare<Their: StableAbi, Our: StableAbi>() -> Vec<String> {
    differences(Their::LAYOUT, Our::LAYOUT)
}

/// Compares a structure of the plugin with the one of that name here.
macro_rules! check {
    ($name:ident { $($fields:tt)* }) => {{
        #[repr(C)]
        #[derive(StableAbi)]
        struct $name { $($fields)* }
        compare::<$name, abi::$name>()
    }};
}

#[test]
fn more_or_fewer_fields_at_the_end_of_a_growing_type_pass() {
    let longer = check!(Event {
        size: usize,
        time_ns: u64,
        name: Text,
        attributes: *const abi::Attribute,
        attributes_len: usize,
        color: *const Text,
    });
    let shorter = check!(Event { size: usize, time_ns: u64, name: Text });
    assert_eq!([longer, shorter], [Vec::<String>::new(), Vec::new()]);
}

#[test]
fn more_or_fewer_functions_at_the_end_of_a_table_pass() {
    let longer = check!(CarrierMut {
        size: usize,
        data: *mut c_void,
        set: Option<unsafe extern "C" fn(data: *mut c_void, name: Text, value: Text)>,
        remove: Option<unsafe extern "C" fn(data: *mut c_void, name: Text)>,
        clear: Option<unsafe extern "C" fn(data: *mut c_void)>,
    });
    let shorter = check!(Host {
        size: usize,
        abi_major: u16,
        abi_minor: u16,
        reserved: u32,
        data: *mut c_void,
        version: Text,
        log: Option<unsafe extern "C" fn(data: *mut c_void, level: u32, message: Text)>,
    });
    assert_eq!([longer, shorter], [Vec::<String>::new(), Vec::new()]);
}

#[test]
fn a_field_of_another_type_is_refused() {
    let found = check!(SpanStart {
        size: usize,
        context: *const abi::Context,
        parent: *const abi::Context,
        name: Text,
        kind: u64,
        time_ns: u64,
    });
    assert_eq!(found, ["SpanStart.kind is u64 at offset 40, u32 at offset 40 expected"]);
    let found = check!(Bytes { ptr: *const u32, len: usize });
    assert_eq!(found, ["Bytes.ptr is *const u32 at offset 0, *const u8 at offset 0 expected"]);
}

#[test]
fn fields_that_changed_places_are_refused() {
    let found = check!(Event { size: usize, name: Text, time_ns: u64 });
    assert_eq!(found, ["Event has name: Text at offset 8, time_ns: u64 expected"]);
    // Of the same type, so that sizes and offsets say nothing.
    let found = check!(Context { trace_id: [u8; 16], span_id: [u8; 8], is_remote: u32, flags: u32, trace_state: Text });
    assert_eq!(found, ["Context has is_remote: u32 at offset 24, flags: u32 expected"]);
}

#[test]
fn a_type_that_may_not_grow_is_refused_if_it_does() {
    let found = check!(Attribute { key: Text, value: abi::Value, unit: u64 });
    assert_eq!(found, ["Attribute has 48 bytes, 40 expected"]);
    let found = check!(Attribute { key: Text });
    assert_eq!(found, ["Attribute has 16 bytes, 40 expected"]);
}

#[test]
fn a_type_is_compared_wherever_it_is_reached() {
    #[repr(C)]
    #[derive(StableAbi)]
    struct Attribute {
        key: Text,
        value: abi::Value,
        unit: u64,
    }
    let found = check!(Event { size: usize, time_ns: u64, name: Text, attributes: *const Attribute });
    assert_eq!(found, ["Attribute has 48 bytes, 40 expected"]);
    let found = check!(ProviderTable {
        size: usize,
        start_span: Option<
            unsafe extern "C" fn(data: *mut c_void, start: *const abi::SpanStart, span: *mut u64) -> i32,
        >,
        end_span: Option<unsafe extern "C" fn(data: *mut c_void, span: u64, time_ns: u64) -> i32>,
        set_span_status:
            Option<unsafe extern "C" fn(data: *mut c_void, span: u64, status: u32, text: Text) -> i32>,
        set_span_name: Option<unsafe extern "C" fn(data: *mut c_void, span: u64, name: Text) -> i32>,
        add_span_attributes: Option<
            unsafe extern "C" fn(
                data: *mut c_void,
                span: u64,
                attributes: *const Attribute,
                attributes_len: usize,
            ) -> i32,
        >,
    });
    assert_eq!(found, ["Attribute has 48 bytes, 40 expected"]);
}

#[test]
fn a_change_inside_is_told_once_and_not_as_what_follows_from_it() {
    #[repr(C)]
    #[derive(StableAbi)]
    struct Text {
        ptr: *const c_char,
        len: usize,
        capacity: usize,
    }
    let found = check!(Error { size: usize, message: Text, cause: Text, context: *const abi::ContextEntry });
    assert_eq!(found, ["Text has 24 bytes, 16 expected"]);
}

#[test]
fn functions_are_compared_with_their_parameters() {
    let found = check!(Host {
        size: usize,
        abi_major: u16,
        abi_minor: u16,
        reserved: u32,
        data: *mut c_void,
        version: Text,
        log: Option<unsafe extern "C" fn(data: *mut c_void, message: Text) -> i32>,
    });
    assert_eq!(
        found,
        ["Host.log is fn(*mut c_void, Text) -> i32 at offset 40, fn(*mut c_void, u32, Text) at offset 40 expected"]
    );
    let found = check!(CarrierMut {
        size: usize,
        data: *mut c_void,
        set: unsafe extern "C" fn(data: *mut c_void, name: Text, value: Text),
    });
    assert_eq!(
        found,
        ["CarrierMut.set is fn(*mut c_void, Text, Text), never null at offset 16, \
          fn(*mut c_void, Text, Text) at offset 16 expected"]
    );
}

#[test]
fn functions_that_are_given_to_functions_are_compared() {
    #[repr(transparent)]
    #[derive(StableAbi)]
    struct TakeBytes(Option<unsafe extern "C" fn(user: *mut c_void, value: abi::Bytes)>);
    let found = check!(Carrier {
        size: usize,
        data: *mut c_void,
        for_each_value:
            Option<unsafe extern "C" fn(data: *mut c_void, name: Text, user: *mut c_void, each: TakeBytes)>,
    });
    assert_eq!(
        found,
        ["Carrier.for_each_value is fn(*mut c_void, Text, *mut c_void, fn(*mut c_void, Bytes)) at offset 16, \
          fn(*mut c_void, Text, *mut c_void, fn(*mut c_void, Text)) at offset 16 expected"]
    );
}

#[test]
fn what_is_reserved_may_get_a_name() {
    let found = check!(Value { kind: u32, unit: u32, data: abi::ValueData });
    assert_eq!(found, Vec::<String>::new());
    let found = check!(Value { kind: u32, unit: f32, data: abi::ValueData });
    assert_eq!(found, ["Value.reserved is f32 at offset 4, u32 at offset 4 expected"]);
}

#[test]
fn a_union_may_have_more_members_but_not_more_bytes() {
    macro_rules! with_member {
        ($type:ty) => {{
            #[repr(C)]
            #[derive(StableAbi)]
            union ValueData {
                boolean: u8,
                integer: i64,
                number: f64,
                text: Text,
                array: abi::Array,
                more: $type,
            }
            compare::<ValueData, abi::ValueData>()
        }};
    }
    assert_eq!(with_member!(abi::Bytes), Vec::<String>::new());
    assert_eq!(with_member!([u64; 3]), ["ValueData has 24 bytes, 16 expected"]);
}

#[test]
fn a_field_in_what_is_padding_elsewhere_is_refused() {
    mod old {
        #[repr(C)]
        #[derive(abi_stable::StableAbi)]
        pub(super) struct Table {
            size: usize,
            level: u32,
        }
        #[repr(C)]
        #[derive(abi_stable::StableAbi)]
        pub(super) struct Pair {
            key: u64,
            value: u32,
        }
    }
    mod new {
        #[repr(C)]
        #[derive(abi_stable::StableAbi)]
        pub(super) struct Table {
            size: usize,
            level: u32,
            more: u32,
        }
        #[repr(C)]
        #[derive(abi_stable::StableAbi)]
        pub(super) struct Pair {
            key: u64,
            value: u32,
            more: u32,
        }
    }
    let text = "Table has more: u32 at offset 12 on one side, padding on the other";
    assert_eq!(compare::<old::Table, new::Table>(), [text]);
    assert_eq!(compare::<new::Table, old::Table>(), [text]);
    assert_eq!(compare::<new::Pair, old::Pair>(), ["Pair has 3 fields, 2 expected"]);
}

#[test]
fn a_growing_type_inside_of_another_may_not_grow() {
    #[repr(C)]
    #[derive(StableAbi)]
    struct Batch {
        size: usize,
        parts: *const abi::Bytes,
    }
    #[repr(C)]
    #[derive(StableAbi)]
    struct Outer<Batch> {
        pointer: *const Batch,
        inside: Batch,
        last: u32,
    }
    assert_eq!(compare::<Batch, abi::Batch>(), Vec::<String>::new());
    assert_eq!(compare::<Outer<Batch>, Outer<abi::Batch>>(), ["Batch has 16 bytes, 32 expected"]);
}

/// A type of the boundary that nothing leads to would not be compared.
#[test]
fn a_descriptor_leads_to_all_types() {
    fn visit(of: Type, seen: &mut BTreeSet<&'static str>, growing: &mut BTreeSet<&'static str>) {
        match of.shape() {
            Shape::Function(function) => types_of(&function).for_each(|of| visit(of, seen, growing)),
            Shape::Pointer(of) | Shape::Array(of) => visit(of, seen, growing),
            Shape::Struct(fields) | Shape::Union(fields) if seen.insert(of.layout.name()) => {
                if grows(&fields) {
                    growing.insert(of.layout.name());
                }
                fields.iter().for_each(|field| visit(field.of, seen, growing));
            }
            _ => {}
        }
    }
    let (mut seen, mut growing) = (BTreeSet::new(), BTreeSet::new());
    visit(Type::of(<abi::Descriptor as StableAbi>::LAYOUT), &mut seen, &mut growing);
    let fixed = "Array Attribute Bytes Context ContextEntry Link Text Value ValueData c_void";
    let grow = "Batch Carrier CarrierMut CreateArguments Descriptor Error Event ExporterTable Host Instance \
                ProviderTable SpanStart Stats";
    assert_eq!(growing, grow.split_whitespace().collect());
    assert_eq!(seen, fixed.split_whitespace().chain(grow.split_whitespace()).collect());
}

#[test]
fn offsets_are_those_of_the_compiler() {
    let Shape::Struct(fields) = Type::of(<abi::SpanStart as StableAbi>::LAYOUT).shape() else {
        panic!("not a structure")
    };
    let offsets: Vec<usize> = fields.iter().map(|field| field.offset).collect();
    macro_rules! offsets {
        ($($field:ident)*) => { [$(std::mem::offset_of!(abi::SpanStart, $field)),*] };
    }
    assert_eq!(
        offsets,
        offsets!(size context parent name kind reserved time_ns attributes attributes_len links links_len
            scope_name scope_version)
    );
}
