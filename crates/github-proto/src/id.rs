//! Names GitHub gives to things. One type each: they look alike and are easily swapped.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

/// A GUID has 36 characters; this leaves room for another form of id, and none for a payload.
const MAX_LEN: usize = 128;

/// The text is not an id: empty, too long, or with characters ids do not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id: 1 to {MAX_LEN} letters, digits, '-', '_', '.' or '='")]
pub struct InvalidId;

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub struct $name(String);

        impl $name {
            /// Takes the id in lower case, so that one id is one value whoever wrote it.
            ///
            /// # Errors
            /// [`InvalidId`] when the text cannot be an id.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=".contains(&byte);
                if text.is_empty() || text.len() > MAX_LEN || !text.bytes().all(legal) {
                    return Err(InvalidId);
                }
                Ok(Self(text.to_ascii_lowercase()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(de::Error::custom)
            }
        }
    )*};
}

text_id! {
    /// A run *attempt*: the jobs of one attempt share it, so it never stands alone as a key.
    PlanId
    /// A job within its plan.
    JobId
    /// A broker session.
    SessionId
}

/// One offer of a job to one session (`runner_request_id`). It is echoed in `acquirejob`, hence kept
/// exactly as it came.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RequestId(String);

impl RequestId {
    /// Takes the id as it is.
    ///
    /// # Errors
    /// [`InvalidId`] when the text cannot be an id.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        JobId::parse(text)?;
        Ok(Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl SessionId {
    /// The all-zero GUID, by which the broker says that there is no session (protocol §4.2).
    pub fn is_nil(&self) -> bool {
        self.0.bytes().all(|byte| byte == b'0' || byte == b'-')
    }
}

/// A runner record at GitHub, the same number in REST (`runner.id`) and at the broker (`agent.id`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunnerId(pub u64);

impl fmt::Display for RunnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
