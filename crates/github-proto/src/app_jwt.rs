//! The JWT by which a GitHub App identifies itself (protocol §1.1).

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::rsa::{Algorithm, KeyError, RsaKey};
use crate::secret::AppJwt;

/// Dates the token back, for servers whose clock is behind ours.
const BACKDATED: SignedDuration = SignedDuration::from_secs(60);

/// One minute less than GitHub's ceiling, for servers whose clock is ahead of ours.
const LIFETIME: SignedDuration = SignedDuration::from_mins(9);

#[derive(Serialize)]
struct Claims<'a> {
    iat: i64,
    exp: i64,
    iss: &'a str,
}

/// Signs a JWT for the App `issuer`: its client id, or its numeric id as text.
///
/// # Errors
/// [`KeyError::Sign`] when the crypto library refuses.
pub fn sign(key: &RsaKey, issuer: &str, now: Timestamp) -> Result<AppJwt, KeyError> {
    let issued = now.saturating_sub(BACKDATED).map_err(|_| KeyError::Sign)?;
    let expires = issued.saturating_add(LIFETIME).map_err(|_| KeyError::Sign)?;
    let claims = Claims { iat: issued.as_second(), exp: expires.as_second(), iss: issuer };
    key.jwt(Algorithm::Rs256, &claims).map(AppJwt::new)
}

#[cfg(test)]
mod tests;
