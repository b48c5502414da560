//! What `export_exporter!` and `export_provider!` expand to: a provider of Rust behind the
//! tables of the boundary.

mod exporter;
mod guard;
mod live;
mod metadata;
mod questions;
mod states;

use super::{
    ABI_MAJOR, ABI_MINOR, Create, CreateArguments, Descriptor, Error, FLAG_DEBUG_BUILD, FLAG_PANIC_ABORTS, Host,
    Instance, KIND_EXPORTER, MAGIC, Text, copy_prefix, read_attributes, read_text,
};
use crate::{ErrorKind, Provider, ProviderFactory, Resource, TracingProvider};
pub use guard::host;
use guard::{guard, install};
pub use metadata::{TARGET, join, length};

/// What the macros know at compile time.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "filled by the macros of this crate")]
pub struct Facts {
    pub kind: u16,
    pub panic_aborts: bool,
    pub is_debug_build: bool,
    pub name: &'static str,
    pub version: &'static str,
    pub vendor: &'static str,
    pub license: &'static str,
    pub description: &'static str,
    pub create: Create,
    pub validate_config: unsafe extern "C" fn(*const CreateArguments, *const Host, *mut Error) -> i32,
}

/// The descriptor of a plugin.
#[must_use]
pub const fn descriptor(facts: Facts) -> Descriptor {
    let panic = if facts.panic_aborts { FLAG_PANIC_ABORTS } else { 0 };
    let debug = if facts.is_debug_build { FLAG_DEBUG_BUILD } else { 0 };
    Descriptor {
        magic: MAGIC,
        size: size_of::<Descriptor>(),
        abi_major: ABI_MAJOR,
        abi_minor: ABI_MINOR,
        abi_minor_min: 0,
        kind: facts.kind,
        flags: panic | debug,
        name: Text::new(facts.name),
        version: Text::new(facts.version),
        vendor: Text::new(facts.vendor),
        license: Text::new(facts.license),
        description: Text::new(facts.description),
        target: Text::new(TARGET),
        create: Some(facts.create),
        validate_config: Some(facts.validate_config),
        layout: super::layout(),
        reserved: std::ptr::null(),
    }
}

/// The `create` of a plugin of this kind.
///
/// # Safety
///
/// The arguments are what the boundary says of them.
pub unsafe fn create(
    kind: u16,
    factory: &dyn ProviderFactory,
    arguments: *const CreateArguments,
    host: *const Host,
    instance: *mut Instance,
    error: *mut Error,
) -> i32 {
    guard(error, || {
        // SAFETY: as the caller promises.
        unsafe {
            install(host);
            let provider = make(factory, arguments)?;
            let made = match (kind, provider) {
                (KIND_EXPORTER, Provider::Exporter(exporter)) => exporter::instance(exporter, None),
                (KIND_EXPORTER, Provider::ExporterWith { exporter, companion }) => {
                    exporter::instance(exporter, Some(companion))
                }
                (kind, Provider::Live(provider)) if kind != KIND_EXPORTER => live::instance(provider),
                (_, other) => {
                    let message = format!("the plugin was exported as another kind than its factory makes: {other:?}");
                    return Err(crate::Error::new(ErrorKind::Internal, message).with_context(
                        "remedy",
                        "use export_exporter! for an exporter, export_provider! for a live one",
                    ));
                }
            };
            hand_out(instance, made);
        }
        Ok(())
    })
}

/// The `validate_config` of a plugin.
///
/// # Safety
///
/// As for [`create`].
pub unsafe fn validate_config(
    factory: &dyn ProviderFactory,
    arguments: *const CreateArguments,
    host: *const Host,
    error: *mut Error,
) -> i32 {
    guard(error, || {
        // SAFETY: as the caller promises.
        unsafe {
            install(host);
            let arguments = copy_prefix(arguments).ok_or_else(no_arguments)?;
            factory.validate(&read_text(arguments.config))
        }
    })
}

unsafe fn make(factory: &dyn ProviderFactory, arguments: *const CreateArguments) -> Result<Provider, crate::Error> {
    // SAFETY: as the caller promises.
    unsafe {
        let arguments = copy_prefix(arguments).ok_or_else(no_arguments)?;
        let resource = read_attributes(arguments.resource, arguments.resource_len, |attributes| {
            let mut resource = Resource::new();
            attributes.iter().for_each(|attribute| resource.set(attribute.key, attribute.value));
            resource
        });
        factory.create(&read_text(arguments.config), &crate::Host::new(&resource))
    }
}

fn no_arguments() -> crate::Error {
    crate::Error::new(ErrorKind::Internal, "the host passed no arguments")
}

/// Writes as much of it as there is room for.
unsafe fn hand_out(out: *mut Instance, mut made: Instance) {
    // SAFETY: as the caller of `create` promises, `size` bytes may be written.
    unsafe {
        made.size = (*out).size.min(size_of::<Instance>());
        std::ptr::copy_nonoverlapping((&raw const made).cast::<u8>(), out.cast::<u8>(), made.size);
    }
}

/// The headers that a provider declares, as the boundary has them.
fn fields(provider: &dyn TracingProvider) -> Box<[Text]> {
    provider.propagation_fields().iter().map(|name| Text::new(name)).collect()
}

/// Exports a provider crate's exporter as a plugin; for the crate that makes the
/// dynamic library (`crate-type = ["cdylib"]`), once.
///
/// The name is the word that names the provider, and the second argument its
/// [`ProviderFactory`](crate::ProviderFactory). Version, authors, license and description are
/// those of the crate that calls it.
///
/// ```
/// # use spandrel_plugin_api::{Error, Host, Provider, ProviderFactory, SpanBatch, SpanExporter};
/// # struct Count;
/// # impl SpanExporter for Count {
/// #     fn export(&mut self, _: &SpanBatch<'_>) -> Result<(), Error> { Ok(()) }
/// # }
/// # struct CountFactory;
/// # impl ProviderFactory for CountFactory {
/// #     fn name(&self) -> &str { "count" }
/// #     fn create(&self, _: &str, _: &Host<'_>) -> Result<Provider, Error> {
/// #         Ok(Provider::Exporter(Box::new(Count)))
/// #     }
/// # }
/// spandrel_plugin_api::export_exporter!("count", CountFactory);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_exporter {
    ($name:literal, $factory:expr $(,)?) => {
        $crate::__export_plugin!("exporter", $crate::abi::KIND_EXPORTER, $name, $factory);
    };
}

/// Exports a provider crate's live provider as a plugin. See [`export_exporter!`](crate::export_exporter!).
#[macro_export]
macro_rules! export_provider {
    ($name:literal, $factory:expr $(,)?) => {
        $crate::__export_plugin!("provider", $crate::abi::KIND_PROVIDER, $name, $factory);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_plugin {
    ($kind_name:literal, $kind:expr, $name:literal, $factory:expr) => {
        const _: () = {
            use $crate::abi::{CreateArguments, Descriptor, Error, Host, Instance, sdk};

            const PARTS: &[&str] = &[
                "spandrel_abi = \"1.0\"\nname = \"",
                $name,
                "\"\nkind = \"",
                $kind_name,
                "\"\nversion = \"",
                env!("CARGO_PKG_VERSION"),
                "\"\nvendor = '''",
                env!("CARGO_PKG_AUTHORS"),
                "'''\nlicense = '''",
                env!("CARGO_PKG_LICENSE"),
                "'''\ndescription = '''",
                env!("CARGO_PKG_DESCRIPTION"),
                "'''\ntarget = \"",
                sdk::TARGET,
                "\"\npanic = \"",
                if cfg!(panic = "abort") { "abort" } else { "unwind" },
                "\"\nbuild = \"",
                if cfg!(debug_assertions) { "debug" } else { "release" },
                "\"\n",
            ];

            #[used]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__spandrel"))]
            #[cfg_attr(windows, unsafe(link_section = ".spndrl"))]
            #[cfg_attr(not(any(target_vendor = "apple", windows)), unsafe(link_section = ".spandrel"))]
            static METADATA: [u8; sdk::length(PARTS)] = sdk::join(PARTS);

            unsafe extern "C" fn create(
                arguments: *const CreateArguments,
                host: *const Host,
                instance: *mut Instance,
                error: *mut Error,
            ) -> i32 {
                // SAFETY: the host passes what the boundary says.
                unsafe { sdk::create($kind, &$factory, arguments, host, instance, error) }
            }

            unsafe extern "C" fn validate_config(
                arguments: *const CreateArguments,
                host: *const Host,
                error: *mut Error,
            ) -> i32 {
                // SAFETY: the host passes what the boundary says.
                unsafe { sdk::validate_config(&$factory, arguments, host, error) }
            }

            static DESCRIPTOR: Descriptor = sdk::descriptor(sdk::Facts {
                kind: $kind,
                panic_aborts: cfg!(panic = "abort"),
                is_debug_build: cfg!(debug_assertions),
                name: $name,
                version: env!("CARGO_PKG_VERSION"),
                vendor: env!("CARGO_PKG_AUTHORS"),
                license: env!("CARGO_PKG_LICENSE"),
                description: env!("CARGO_PKG_DESCRIPTION"),
                create,
                validate_config,
            });

            #[unsafe(no_mangle)]
            extern "C" fn spandrel_plugin_v1() -> *const Descriptor {
                // So that no linker takes the metadata for garbage.
                std::hint::black_box(&METADATA);
                &raw const DESCRIPTOR
            }
        };
    };
}
