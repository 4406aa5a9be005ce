//! Tokens, one type each, so that the wrong one cannot be sent (protocol §0.4). None shows itself in
//! `Debug`, and each is wiped when the last owner lets go of it.

use std::fmt;

use http::HeaderValue;
use zeroize::Zeroizing;

macro_rules! secret {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// Wraps the text of the secret.
            pub fn new(text: impl Into<String>) -> Self {
                Self(Zeroizing::new(text.into()))
            }

            /// The secret itself, for the one place that sends or stores it.
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    )*};
}

secret! {
    /// Signed by the App itself; opens `/app/**` only.
    AppJwt
    /// The App's token at one installation; opens the REST API.
    InstallationToken
    /// One runner's token; opens the broker and `acquirejob`.
    RunnerToken
    /// One job's token, found in the job message; opens `renewjob`.
    JobToken
    /// A JIT configuration as GitHub hands it out: holds a runner's private key.
    JitBlob
    /// A client assertion, sent once in exchange for a [`RunnerToken`].
    Assertion
}

/// A token that travels as `Authorization: Bearer`.
pub trait Bearer {
    /// The header value, marked sensitive; `None` when the token has characters no header can carry.
    fn header(&self) -> Option<HeaderValue>;
}

macro_rules! bearer {
    ($($name:ident)*) => {$(
        impl Bearer for $name {
            fn header(&self) -> Option<HeaderValue> {
                let text = Zeroizing::new(format!("Bearer {}", self.expose()));
                let mut value = HeaderValue::from_str(&text).ok()?;
                value.set_sensitive(true);
                Some(value)
            }
        }
    )*};
}

bearer! { AppJwt InstallationToken RunnerToken JobToken }
