//! Reading answers: bounded, without byte order mark, and without trust in the content type.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::limits::ERROR_TEXT;

/// An answer as it came: whole body, at most as long as the reader allowed.
pub type Reply = http::Response<Bytes>;

/// The bytes without a leading UTF-8 byte order mark (protocol §0.5).
pub(crate) fn strip_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// Why a body is not what was expected. Never quotes the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Longer than the decoder reads.
    #[error("the body has {length} bytes, more than {limit}")]
    TooLong {
        /// Bytes that came.
        length: usize,
        /// Bytes that are read.
        limit: usize,
    },
    /// Not the JSON that was expected.
    #[error("the body is not the expected JSON ({category} error at line {line}, column {column})")]
    Json {
        /// `syntax`, `data`, `eof` or `io`.
        category: &'static str,
        /// Where it was noticed.
        line: usize,
        /// Where it was noticed.
        column: usize,
    },
    /// A key that must be there is absent, or its value makes no sense.
    #[error("{0} is missing or malformed")]
    Field(&'static str),
}

impl BodyError {
    /// Says where the JSON broke, not what stood there: that may be a secret.
    pub(crate) fn json(error: &serde_json::Error) -> Self {
        use serde_json::error::Category;
        let category = match error.classify() {
            Category::Io => "io",
            Category::Syntax => "syntax",
            Category::Data => "data",
            Category::Eof => "eof",
        };
        Self::Json { category, line: error.line(), column: error.column() }
    }
}

/// Parses JSON of at most `limit` bytes.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, BodyError> {
    if bytes.len() > limit {
        return Err(BodyError::TooLong { length: bytes.len(), limit });
    }
    serde_json::from_slice(strip_bom(bytes)).map_err(|error| BodyError::json(&error))
}

/// At most [`ERROR_TEXT`] bytes of a text that a person will read, control characters replaced.
pub(crate) fn clip(text: &str) -> String {
    let mut clipped = String::new();
    for character in text.trim().chars() {
        let character = if character.is_control() { ' ' } else { character };
        if clipped.len() + character.len_utf8() > ERROR_TEXT {
            break;
        }
        clipped.push(character);
    }
    clipped
}

/// The text of an error body that is not JSON, or nothing when it is a page of markup.
pub(crate) fn plain_text(body: &[u8]) -> String {
    let head = &body[..body.len().min(ERROR_TEXT)];
    let text = clip(&String::from_utf8_lossy(strip_bom(head)));
    if text.starts_with('<') { String::new() } else { text }
}

/// A header as text.
pub(crate) fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers().get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests;
