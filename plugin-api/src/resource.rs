use crate::{Attribute, OwnedAttribute, ToValue, Value};

/// What produces the spans: service name, version, host.
///
/// Source: OpenTelemetry specification, Resource SDK; semantic conventions,
/// `service.*`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resource {
    attributes: Vec<OwnedAttribute>,
}

impl Resource {
    /// A resource without attributes.
    #[must_use]
    pub const fn new() -> Self {
        Self { attributes: Vec::new() }
    }

    /// The same resource with `key` set to `value`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl ToValue) -> Self {
        self.set(key, value);
        self
    }

    /// Sets `key` to `value`, in place of an earlier value.
    pub fn set(&mut self, key: &str, value: impl ToValue) {
        let attribute = OwnedAttribute::new(key, value);
        match self.attributes.iter_mut().find(|a| a.key == key) {
            Some(known) => *known = attribute,
            None => self.attributes.push(attribute),
        }
    }

    /// The value of an attribute.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        self.attributes().find(|a| a.key == key).map(|a| a.value)
    }

    /// All attributes in the order in which they were set.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
        self.attributes.iter().map(OwnedAttribute::as_attribute)
    }

    /// `service.name`, or `unknown_service`.
    #[must_use]
    pub fn service_name(&self) -> &str {
        match self.get("service.name") {
            Some(Value::Str(name)) => name,
            _ => "unknown_service",
        }
    }
}
