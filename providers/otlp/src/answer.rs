//! The messages that servers answer with.

use std::time::Duration;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Deserializer};
use spandrel_plugin_api::Error;
use spandrel_plugin_api::wire::{Field, Fields};
use spandrel_post::Taken;

/// Reads an `ExportTraceServiceResponse` as JSON.
pub(crate) fn taken_from_json(text: &[u8]) -> Result<Taken, serde_json::Error> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(default, rename = "partialSuccess", alias = "partial_success")]
        partial: Option<Partial>,
    }
    #[derive(Deserialize)]
    struct Partial {
        #[serde(default, rename = "rejectedSpans", alias = "rejected_spans", deserialize_with = "int64")]
        rejected: u64,
        #[serde(default, rename = "errorMessage", alias = "error_message")]
        message: Option<String>,
    }
    let response: Response = serde_json::from_slice(text)?;
    let taken = |partial: Partial| Taken { rejected: partial.rejected, message: partial.message.unwrap_or_default() };
    Ok(response.partial.map(taken).unwrap_or_default())
}

/// Protobuf writes 64-bit integers into JSON as texts, and reads both.
fn int64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Int64 {
        Number(i64),
        Text(String),
        Null(()),
    }
    let number = match Int64::deserialize(deserializer)? {
        Int64::Number(number) => number,
        Int64::Text(text) => text.parse().map_err(serde::de::Error::custom)?,
        Int64::Null(()) => 0,
    };
    Ok(u64::try_from(number).unwrap_or(0))
}

/// A `google.rpc.Status`, as far as it matters.
///
/// Source: googleapis, `google/rpc/status.proto` and `error_details.proto`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RpcStatus {
    pub(crate) message: String,
    /// The wait in `RetryInfo`, if there is one; it may be zero.
    pub(crate) retry: Option<Duration>,
}

impl RpcStatus {
    pub(crate) fn from_protobuf(message: &[u8]) -> Result<Self, Error> {
        let mut status = Self::default();
        for field in Fields::new(message) {
            match field? {
                (2, Field::Len(text)) => status.message = String::from_utf8_lossy(text).into_owned(),
                (3, Field::Len(detail)) => status.retry = status.retry.or(retry_info(detail)?),
                _ => {}
            }
        }
        Ok(status)
    }

    /// Reads the value of the header `grpc-status-details-bin`.
    pub(crate) fn from_base64(text: &[u8]) -> Option<Self> {
        // Both are in use: with padding, and without.
        const BASE64: GeneralPurpose = GeneralPurpose::new(
            &STANDARD,
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
        );
        Self::from_protobuf(&BASE64.decode(text).ok()?).ok()
    }

    /// Reads the message of one as JSON.
    pub(crate) fn message_from_json(text: &[u8]) -> Option<String> {
        #[derive(Deserialize)]
        struct Status {
            message: String,
        }
        serde_json::from_slice(text).ok().map(|status: Status| status.message)
    }
}

/// The wait in an `Any` that holds a `RetryInfo`.
fn retry_info(any: &[u8]) -> Result<Option<Duration>, Error> {
    let (mut url, mut value): (&[u8], &[u8]) = (&[], &[]);
    for field in Fields::new(any) {
        match field? {
            (1, Field::Len(bytes)) => url = bytes,
            (2, Field::Len(bytes)) => value = bytes,
            _ => {}
        }
    }
    if !url.ends_with(b"/google.rpc.RetryInfo") {
        return Ok(None);
    }
    let mut wait = Duration::ZERO;
    for field in Fields::new(value) {
        let (1, Field::Len(duration)) = field? else { continue };
        for field in Fields::new(duration) {
            // Negative ones are nonsense.
            match field? {
                (1, Field::Varint(seconds)) => wait += Duration::from_secs((seconds as i64).max(0) as u64),
                (2, Field::Varint(nanos)) => wait += Duration::from_nanos((nanos as i64).clamp(0, 999_999_999) as u64),
                _ => {}
            }
        }
    }
    Ok(Some(wait))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{RpcStatus, Taken, taken_from_json};

    #[test]
    fn json_is_read_in_all_its_forms() {
        let taken = |rejected, message: &str| Taken { rejected, message: message.to_owned() };
        for (text, expected) in [
            ("{}", taken(0, "")),
            (r#"{"partialSuccess":null}"#, taken(0, "")),
            (r#"{"partialSuccess":{}}"#, taken(0, "")),
            (r#"{"partialSuccess":{"rejectedSpans":"5","errorMessage":"x"},"more":[1]}"#, taken(5, "x")),
            (r#"{"partialSuccess":{"rejectedSpans":7,"errorMessage":null}}"#, taken(7, "")),
            (r#"{"partialSuccess":{"rejectedSpans":null}}"#, taken(0, "")),
            (r#"{"partialSuccess":{"rejectedSpans":-1}}"#, taken(0, "")),
            (r#"{"partial_success":{"rejected_spans":1,"error_message":"y"}}"#, taken(1, "y")),
        ] {
            assert_eq!(taken_from_json(text.as_bytes()).unwrap(), expected, "{text}");
        }
        for text in ["", "<html>", r#"{"partialSuccess":{"rejectedSpans":"x"}}"#, &"[".repeat(1 << 20)] {
            assert!(taken_from_json(text.as_bytes()).is_err());
        }
    }

    #[test]
    fn nonsense_in_durations_is_no_wait() {
        // RetryInfo { retry_delay { seconds: -1, nanos: -1 } }
        let minus_one = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let duration = [&[0x08][..], &minus_one, &[0x10], &minus_one].concat();
        let info = [&[0x0a, duration.len() as u8][..], &duration].concat();
        let url = b"type.googleapis.com/google.rpc.RetryInfo";
        let any = [&[0x0a, url.len() as u8][..], url, &[0x12, info.len() as u8], &info].concat();
        let status = [&[0x1a, any.len() as u8][..], &any].concat();
        assert_eq!(RpcStatus::from_protobuf(&status).unwrap().retry, Some(Duration::ZERO));
        assert_eq!(RpcStatus::from_base64(b"!"), None);
    }
}
