//! JSON Web Tokens: those that clients sign are taken apart and judged here, those that we hand out are made here.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::rsa::{RsaKey, Scheme};

/// How far two clocks may differ before a time claim counts.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);

/// Why an assertion is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("not a JSON web token")]
    Malformed,
    #[error("'alg' must be {0}")]
    Algorithm(&'static str),
    #[error("the signature does not verify")]
    Signature,
    #[error("'{0}' is missing or of the wrong type")]
    Missing(&'static str),
    #[error("'{0}' must be absent")]
    Unwanted(&'static str),
    #[error("'{0}' is not what it must be")]
    Wrong(&'static str),
    #[error("'{0}' is out of bounds")]
    Time(&'static str),
    #[error("'jti' was used before")]
    Replayed,
}

impl Error {
    /// Whether the token could never be right, whatever the key, the clock and the ids.
    pub(crate) fn is_of_form(&self) -> bool {
        matches!(self, Error::Malformed | Error::Algorithm(_) | Error::Missing(_) | Error::Unwanted(_))
    }
}

/// A signed token, split and decoded, its signature not yet looked at.
#[derive(Debug)]
pub(crate) struct Parsed<'a> {
    header: Value,
    claims: Value,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Parsed<'a> {
    pub(crate) fn new(token: &'a str) -> Result<Self, Error> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Error::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Error::Malformed)?;
        let object = |part: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Error::Malformed)?;
            serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object).ok_or(Error::Malformed)
        };
        Ok(Self {
            header: object(header)?,
            claims: object(claims)?,
            signed,
            signature: URL_SAFE_NO_PAD.decode(signature).map_err(|_| Error::Malformed)?,
        })
    }

    pub(crate) fn text(&self, claim: &'static str) -> Result<&str, Error> {
        self.claims.get(claim).and_then(Value::as_str).ok_or(Error::Missing(claim))
    }

    fn time(&self, claim: &'static str) -> Result<Timestamp, Error> {
        let seconds = self.claims.get(claim).and_then(Value::as_i64).ok_or(Error::Missing(claim))?;
        Timestamp::from_second(seconds).map_err(|_| Error::Time(claim))
    }

    fn verify(&self, key: &RsaKey, scheme: Scheme) -> Result<(), Error> {
        if self.header.get("alg").and_then(Value::as_str) != Some(scheme.alg()) {
            return Err(Error::Algorithm(scheme.alg()));
        }
        match key.verifies(scheme, self.signed.as_bytes(), &self.signature) {
            true => Ok(()),
            false => Err(Error::Signature),
        }
    }

    /// Judges an App's token (protocol §1.1).
    pub(crate) fn judge_app(&self, key: &RsaKey, now: Timestamp) -> Result<(), Error> {
        self.verify(key, Scheme::Pkcs1)?;
        let issued = self.time("iat")?;
        let expires = self.time("exp")?;
        if issued > now {
            return Err(Error::Time("iat"));
        }
        if expires <= now || expires > now + SignedDuration::from_mins(10) {
            return Err(Error::Time("exp"));
        }
        Ok(())
    }

    /// Judges a runner's client assertion (protocol §3.1), but for its `jti`, which is returned with its expiry.
    pub(crate) fn judge_runner(
        &self,
        key: &RsaKey,
        scheme: Scheme,
        client_id: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<(String, Timestamp), Error> {
        self.verify(key, scheme)?;
        if self.header.get("kid").is_some() {
            return Err(Error::Unwanted("kid"));
        }
        for claim in ["iss", "sub"] {
            if self.text(claim)? != client_id {
                return Err(Error::Wrong(claim));
            }
        }
        if self.text("aud")? != audience {
            return Err(Error::Wrong("aud"));
        }
        if self.claims.get("iat").is_some() {
            return Err(Error::Unwanted("iat"));
        }
        let jti = self.text("jti")?;
        if uuid::Uuid::parse_str(jti).is_err() {
            return Err(Error::Wrong("jti"));
        }
        if self.time("nbf")? > now + LEEWAY {
            return Err(Error::Time("nbf"));
        }
        let expires = self.time("exp")?;
        if expires + LEEWAY <= now || expires > now + SignedDuration::from_mins(5) + LEEWAY {
            return Err(Error::Time("exp"));
        }
        Ok((jti.to_owned(), expires + LEEWAY))
    }
}

/// A token that nobody vouches for (RFC 7519 §6): it ends with the dot before a signature.
pub(crate) fn unsigned(claims: &Value) -> String {
    format!("{}.{}.", part(&json!({"typ": "JWT", "alg": "none"})), part(claims))
}

/// A token of ours. Clients treat it as opaque; it has the form of a JWT because GitHub's has.
pub(crate) fn sign(secret: &[u8], claims: &Value) -> String {
    let signed = format!("{}.{}", part(&json!({"typ": "JWT", "alg": "HS256"})), part(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
