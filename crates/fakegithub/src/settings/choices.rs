//! What the protocol leaves open, or what GitHub was seen to change: each can be turned for one account.

use serde::{Deserialize, Serialize};

use super::scoped::Scoped;

/// How the files of a JIT configuration are written (protocol §2.5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JitDialect {
    /// As live ones are: every value a string or null.
    #[default]
    Strings,
    /// Strings; keys and flags in other cases.
    MixedCase,
    /// Numbers and booleans.
    Typed,
    /// As a runner rewrites them: camelCase keys, numbers and booleans.
    CamelCase,
    /// Only what no runner can do without.
    MissingKeys,
    /// Each file begins with a byte order mark.
    ByteOrderMark,
    /// No configuration at all.
    Garbage,
}

/// The choices, as they are now.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Choices {
    pub(crate) jit_dialect: Scoped<JitDialect>,
    /// Whether only `authorizationUrlV2` issues tokens (protocol §3.3).
    pub(crate) token_service_migrated: Scoped<bool>,
    /// Whether B1 refuses old versions too (protocol §4.10).
    pub(crate) session_refuses_versions: Scoped<bool>,
}
