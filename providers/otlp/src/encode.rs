use std::io::{self, Write};

use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE, USER_AGENT};
use spandrel_plugin_api::{Error, SpanBatch, json};

use crate::config::{Compression, OtlpConfig, Protocol};

/// A request is below this many bytes before it is compressed: servers of gRPC refuse
/// more unless they are told otherwise.
pub(crate) const LIMIT: usize = 4 << 20;

/// Makes the body of a request; `None` if it would be too large.
pub(crate) fn body(config: &OtlpConfig, batch: &SpanBatch<'_>) -> Result<Option<Vec<u8>>, Error> {
    if config.protocol == Protocol::HttpJson {
        let mut text = Vec::new();
        json::write_batch(&mut text, batch)?;
        return match config.compression {
            _ if text.len() >= LIMIT => Ok(None),
            Compression::None => Ok(Some(text)),
            compression => compressed(Vec::new(), compression, &[&text]).map(Some),
        };
    }
    if batch.byte_count() >= LIMIT {
        return Ok(None);
    }
    let compression = config.compression;
    if config.protocol == Protocol::HttpProtobuf {
        return compressed(Vec::new(), compression, batch.parts()).map(Some);
    }
    let mut frame = vec![u8::from(compression != Compression::None), 0, 0, 0, 0];
    frame = compressed(frame, compression, batch.parts())?;
    let len = u32::try_from(frame.len() - FRAME_HEAD).unwrap_or(u32::MAX);
    frame[1..FRAME_HEAD].copy_from_slice(&len.to_be_bytes());
    Ok(Some(frame))
}

/// The bytes before a message of gRPC: whether it is compressed, and its length.
pub(crate) const FRAME_HEAD: usize = 5;

/// The headers of each request, those of the user among them.
pub(crate) fn headers(config: &OtlpConfig) -> HeaderMap {
    let mut headers = config.headers.clone();
    let mut set = |name: HeaderName, value| drop(headers.insert(name, HeaderValue::from_static(value)));
    let encoding = match config.compression {
        Compression::None => None,
        Compression::Gzip => Some("gzip"),
        Compression::Zstd => Some("zstd"),
    };
    let (content, encoding_header) = match config.protocol {
        Protocol::HttpProtobuf => ("application/x-protobuf", CONTENT_ENCODING),
        Protocol::HttpJson => ("application/json", CONTENT_ENCODING),
        Protocol::Grpc => ("application/grpc", HeaderName::from_static("grpc-encoding")),
    };
    set(CONTENT_TYPE, content);
    if let Some(encoding) = encoding {
        set(encoding_header, encoding);
    }
    if config.protocol == Protocol::Grpc {
        set(TE, "trailers");
        // At most 8 digits are allowed.
        let timeout = format!("{}m", config.timeout_ms.min(99_999_999));
        if let Ok(value) = HeaderValue::try_from(timeout) {
            headers.insert("grpc-timeout", value);
        }
    } else {
        set(ACCEPT, content);
    }
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("spandrel-otlp/", env!("CARGO_PKG_VERSION"))));
    headers
}

/// Appends the parts, compressed.
fn compressed(out: Vec<u8>, compression: Compression, parts: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let out = match compression {
        Compression::None => write_all(out, parts)?,
        Compression::Gzip => {
            let encoder = flate2::write::GzEncoder::new(out, flate2::Compression::default());
            write_all(encoder, parts)?.finish()?
        }
        Compression::Zstd => zstd(out, parts)?,
    };
    Ok(out)
}

fn write_all<W: Write>(mut out: W, parts: &[&[u8]]) -> io::Result<W> {
    parts.iter().try_for_each(|part| out.write_all(part))?;
    Ok(out)
}

#[cfg(feature = "zstd")]
fn zstd(out: Vec<u8>, parts: &[&[u8]]) -> io::Result<Vec<u8>> {
    write_all(zstd::stream::Encoder::new(out, zstd::DEFAULT_COMPRESSION_LEVEL)?, parts)?.finish()
}

/// Never called: `OtlpConfig::check` refuses the setting.
#[cfg(not(feature = "zstd"))]
fn zstd(_: Vec<u8>, _: &[&[u8]]) -> io::Result<Vec<u8>> {
    Err(io::ErrorKind::Unsupported.into())
}
