//! Functions as `abi_stable` can read them. Its derive needs every function written
//! out in its field, and knows no function that takes another; so these stand for the
//! fields of the tables in their descriptions. The foot holds them to the fields' types.

use std::ffi::c_void;

use abi_stable::StableAbi;

use crate::abi::{
    Carrier, Context, CreateArguments, Descriptor, Error, ExporterTable, Found, Host, Instance, ProviderTable, Text,
};

/// [`Descriptor::create`].
#[repr(transparent)]
#[derive(StableAbi)]
pub(in crate::abi) struct Create(
    Option<
        unsafe extern "C" fn(
            arguments: *const CreateArguments,
            host: *const Host,
            instance: *mut Instance,
            error: *mut Error,
        ) -> i32,
    >,
);

/// [`ExporterTable::extract`] and [`ProviderTable::extract`].
#[repr(transparent)]
#[derive(StableAbi)]
pub(in crate::abi) struct Extract(
    Option<
        unsafe extern "C" fn(data: *mut c_void, carrier: *const Carrier, user: *mut c_void, found: TakeContext) -> i32,
    >,
);

/// [`ProviderTable::current_context`].
#[repr(transparent)]
#[derive(StableAbi)]
pub(in crate::abi) struct CurrentContext(
    Option<unsafe extern "C" fn(data: *mut c_void, user: *mut c_void, found: TakeContext) -> i32>,
);

/// [`Carrier::for_each_value`].
#[repr(transparent)]
#[derive(StableAbi)]
pub(in crate::abi) struct ForEachValue(
    Option<unsafe extern "C" fn(data: *mut c_void, name: Text, user: *mut c_void, each: TakeText)>,
);

#[repr(transparent)]
#[derive(StableAbi)]
struct TakeContext(Option<unsafe extern "C" fn(user: *mut c_void, context: *const Context)>);

#[repr(transparent)]
#[derive(StableAbi)]
struct TakeText(Option<unsafe extern "C" fn(user: *mut c_void, value: Text)>);

/// What the last parameter is in truth.
trait StandsFor {
    type Function;
}

impl StandsFor for TakeContext {
    type Function = Option<Found>;
}

impl StandsFor for TakeText {
    type Function = Option<unsafe extern "C" fn(user: *mut c_void, value: Text)>;
}

type Three<A, B, C, R> = Option<unsafe extern "C" fn(A, B, C) -> R>;
type Four<A, B, C, D, R> = Option<unsafe extern "C" fn(A, B, C, D) -> R>;

#[allow(dead_code, reason = "rustc 1.88 does not see the uses below")]
const fn three<A, B, C: StandsFor, R>(_: Three<A, B, C::Function, R>, _: Three<A, B, C, R>) {}
#[allow(dead_code, reason = "rustc 1.88 does not see the uses below")]
const fn four<A, B, C, D: StandsFor, R>(_: Four<A, B, C, D::Function, R>, _: Four<A, B, C, D, R>) {}

const _: fn(Descriptor, Create) -> [Option<crate::abi::Create>; 2] = |table, it| [table.create, it.0];
const _: fn(ExporterTable, Extract) = |table, it| four(table.extract, it.0);
const _: fn(ProviderTable, Extract) = |table, it| four(table.extract, it.0);
const _: fn(ProviderTable, CurrentContext) = |table, it| three(table.current_context, it.0);
const _: fn(Carrier, ForEachValue) = |table, it| four(table.for_each_value, it.0);
const _: fn(TakeContext) -> <TakeContext as StandsFor>::Function = |it| it.0;
const _: fn(TakeText) -> <TakeText as StandsFor>::Function = |it| it.0;
