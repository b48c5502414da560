use spandrel_plugin_api::Error;
use spandrel_plugin_api::wire::{Field, Fields};

/// What became of the spans of a request that a server of OTLP took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by the providers of this workspace alone")]
pub struct Taken {
    /// How many were refused all the same.
    pub rejected: u64,
    /// Why, or a hint although none was.
    pub message: String,
}

impl Taken {
    /// Reads an `ExportTraceServiceResponse`.
    ///
    /// Source: opentelemetry-proto, `trace_service.proto`.
    ///
    /// # Errors
    ///
    /// [`Malformed`](spandrel_plugin_api::ErrorKind::Malformed) if it is none. Not all servers answer as they
    /// should, so that is no objection.
    pub fn from_protobuf(message: &[u8]) -> Result<Self, Error> {
        let mut taken = Self::default();
        for field in Fields::new(message) {
            let (1, Field::Len(partial)) = field? else { continue };
            for field in Fields::new(partial) {
                match field? {
                    // A negative number is nonsense.
                    (1, Field::Varint(rejected)) => taken.rejected = u64::try_from(rejected as i64).unwrap_or(0),
                    (2, Field::Len(text)) => taken.message = String::from_utf8_lossy(text).into_owned(),
                    _ => {}
                }
            }
        }
        Ok(taken)
    }
}
