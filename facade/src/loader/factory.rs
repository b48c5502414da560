use std::path::Path;
use std::sync::Arc;

use spandrel_plugin_api::abi::{CreateArguments, Text, lend_attributes};
use spandrel_plugin_api::{Attribute, Error, Host, Provider, ProviderFactory};

use super::library::Library;
use super::metadata::{Kind, Metadata};
use super::settings::{LoaderSettings, is_path};
use super::{exporter, live, search};

/// A provider in a dynamic library, opened: it makes instances as a linked factory
/// makes providers.
///
/// Programs need it only to name a library themselves; the configuration finds
/// plugins without it.
///
/// ```no_run
/// use spandrel::provider::Plugin;
///
/// let plugin = Plugin::load("/opt/shop/libspandrel_audit.so".as_ref())?;
/// println!("{} {}", plugin.name(), plugin.version());
/// let _guard = spandrel::builder().provider_type(plugin.name()).register(plugin).install()?;
/// # Ok::<(), spandrel::Error>(())
/// ```
#[derive(Clone)]
pub struct Plugin {
    library: &'static Library,
    /// The name under which instances are configured.
    name: String,
}

impl Plugin {
    /// Opens the library at this absolute path, after the checks that every plugin
    /// passes: that it is one, made for this boundary and machine, whole, and that nobody
    /// else can write to it.
    ///
    /// It stays open until the process ends, and so does the code in it.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and the remedy.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let library = Library::open(search::at(path, &LoaderSettings::default(), None)?)?;
        Ok(Self { library, name: library.metadata().name.clone() })
    }

    /// All plugins that this process has opened.
    #[must_use]
    pub fn opened() -> Vec<Self> {
        let opened = Library::opened().into_iter();
        opened.map(|library| Self { library, name: library.metadata().name.clone() }).collect()
    }

    /// The word that names the provider.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.metadata().version
    }

    /// The version of the plugin boundary that it was built for, major and minor.
    #[must_use]
    pub fn abi(&self) -> (u16, u16) {
        self.metadata().abi
    }

    /// The file, without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.library.path()
    }

    fn metadata(&self) -> &Metadata {
        self.library.metadata()
    }
}

/// Opens the plugin that is configured under this name, or has this path.
///
/// # Errors
///
/// Those of [`search::find`], and what keeps the system from loading it.
pub(crate) fn open(name: &str, settings: &LoaderSettings) -> Result<Arc<dyn ProviderFactory>, Error> {
    let library = Library::open(search::find(settings.provider_of(name), settings)?)?;
    let name = if is_path(name) { library.metadata().name.clone() } else { name.to_owned() };
    Ok(Arc::new(Plugin { library, name }))
}

impl ProviderFactory for Plugin {
    fn name(&self) -> &str {
        &self.name
    }

    fn create(&self, config: &str, host: &Host<'_>) -> Result<Provider, Error> {
        let made = self.with_arguments(config, host, |arguments| self.library.create(arguments))?;
        match self.metadata().kind {
            Kind::Exporter => exporter::provider(self.library, &self.name, &made),
            Kind::Provider => live::provider(self.library, &self.name, &made).map(Provider::Live),
        }
    }

    fn validate(&self, config: &str) -> Result<(), Error> {
        let host = Host::new(const { &spandrel_plugin_api::Resource::new() });
        self.with_arguments(config, &host, |arguments| self.library.validate_config(arguments))
    }
}

impl Plugin {
    fn with_arguments<R>(&self, config: &str, host: &Host<'_>, call: impl FnOnce(&CreateArguments) -> R) -> R {
        let resource: Vec<Attribute<'_>> = host.resource.attributes().collect();
        lend_attributes(&resource, |resource| {
            call(&CreateArguments {
                size: size_of::<CreateArguments>(),
                name: Text::new(&self.name),
                config: Text::new(config),
                resource: resource.as_ptr(),
                resource_len: resource.len(),
            })
        })
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plugin({} {}, {})", self.name, self.version(), self.path().display())
    }
}
