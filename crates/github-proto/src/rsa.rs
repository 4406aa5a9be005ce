//! RSA keys: the App's, which signs, and a runner's, which also unwraps session keys.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{
    KeyPair, KeyPairComponents, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey,
    PrivateDecryptingKey, PublicKeyComponents,
};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use num_bigint::BigUint;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::any_case::any_case;

/// Key or signature trouble. Says what, never shows the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No PEM block with an RSA private key.
    #[error("malformed key: no RSA private key in PEM (PKCS#1 or PKCS#8)")]
    Pem,
    /// A number of the key is missing or not base64.
    #[error("malformed key: {0} is missing or not base64")]
    Parameter(&'static str),
    /// The numbers do not make an RSA key of at least 2048 bits.
    #[error("malformed key: not a consistent RSA key of at least 2048 bits")]
    Inconsistent,
    /// The crypto library refused to sign.
    #[error("signing failed")]
    Sign,
    /// The wrapped key was not made for this key.
    #[error("the session key cannot be unwrapped")]
    Unwrap,
}

/// How a JWT is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256, asked for by `requireFipsCryptography`.
    Ps256,
}

/// A private RSA key. The crypto library wipes it when the last copy goes.
pub struct RsaKey(KeyPair);

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaKey(redacted)")
    }
}

any_case! {
    /// The eight numbers of `.credentials_rsaparams`; the three CRT numbers are not read, but computed.
    pub(crate) struct RsaParameters {
        modulus: Zeroizing<String> = "modulus",
        exponent: Zeroizing<String> = "exponent",
        d: Zeroizing<String> = "d",
        p: Zeroizing<String> = "p",
        q: Zeroizing<String> = "q",
    }
}

impl RsaKey {
    /// Reads a PEM file, PKCS#1 or PKCS#8.
    ///
    /// # Errors
    /// [`KeyError`] says whether it is no PEM or no usable key.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let pair = match PrivateKeyDer::from_pem_slice(pem).map_err(|_| KeyError::Pem)? {
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(KeyError::Pem),
        };
        let key = Self(pair.map_err(|_| KeyError::Inconsistent)?);
        if key.0.public_modulus_len() < 256 {
            return Err(KeyError::Inconsistent);
        }
        Ok(key)
    }

    /// Makes a key of `.credentials_rsaparams` (protocol §2.5).
    pub(crate) fn from_parameters(parameters: &RsaParameters) -> Result<Self, KeyError> {
        let n = unsigned(parameters.modulus.as_ref(), "modulus")?;
        let e = unsigned(parameters.exponent.as_ref(), "exponent")?;
        let d = unsigned(parameters.d.as_ref(), "d")?;
        let p = unsigned(parameters.p.as_ref(), "p")?;
        let q = unsigned(parameters.q.as_ref(), "q")?;
        let crt = Crt::of(&d, &p, &q).ok_or(KeyError::Inconsistent)?;
        KeyPair::from_components(&KeyPairComponents {
            public_key: PublicKeyComponents { n, e },
            d,
            p,
            q,
            dP: crt.d_p,
            dQ: crt.d_q,
            qInv: crt.q_inverse,
        })
        .map(Self)
        .map_err(|_| KeyError::Inconsistent)
    }

    /// Signs claims as a JWT: `{"alg":…,"typ":"JWT"}`, no `kid`.
    pub(crate) fn jwt(&self, algorithm: Algorithm, claims: &impl Serialize) -> Result<String, KeyError> {
        let (header, encoding): (_, &'static dyn RsaEncoding) = match algorithm {
            Algorithm::Rs256 => (r#"{"alg":"RS256","typ":"JWT"}"#, &RSA_PKCS1_SHA256),
            Algorithm::Ps256 => (r#"{"alg":"PS256","typ":"JWT"}"#, &RSA_PSS_SHA256),
        };
        let claims = serde_json::to_vec(claims).map_err(|_| KeyError::Sign)?;
        let mut jwt = URL_SAFE_NO_PAD.encode(header);
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut jwt);

        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(encoding, &SystemRandom::new(), jwt.as_bytes(), &mut signature)
            .map_err(|_| KeyError::Sign)?;
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut jwt);
        Ok(jwt)
    }

    /// Undoes RSA-OAEP with SHA-1, or SHA-256 when `fips` (protocol §4.8).
    pub(crate) fn unwrap_key(&self, wrapped: &[u8], fips: bool) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let der: Pkcs8V1Der<'static> = self.0.as_der().map_err(|_| KeyError::Unwrap)?;
        let key = PrivateDecryptingKey::from_pkcs8(der.as_ref())
            .and_then(|key| Ok(OaepPrivateDecryptingKey::new(key)?))
            .map_err(|_| KeyError::Unwrap)?;
        if wrapped.len() != key.key_size_bytes() {
            return Err(KeyError::Unwrap);
        }
        let padding = if fips { &OAEP_SHA256_MGF1SHA256 } else { &OAEP_SHA1_MGF1SHA1 };
        let mut plain = Zeroizing::new(vec![0; key.min_output_size()]);
        let length = key.decrypt(padding, wrapped, &mut plain, None).map_err(|_| KeyError::Unwrap)?.len();
        plain.truncate(length);
        Ok(plain)
    }

    #[cfg(test)]
    pub(crate) fn pair(&self) -> &KeyPair {
        &self.0
    }
}

/// A big-endian number without leading zeros, from base64 in any of its forms.
fn unsigned(text: Option<&Zeroizing<String>>, name: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let text = text.ok_or(KeyError::Parameter(name))?;
    let bytes = Zeroizing::new(crate::jit::base64(text).ok_or(KeyError::Parameter(name))?);
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    if zeros == bytes.len() || bytes.len() > 1024 {
        return Err(KeyError::Parameter(name));
    }
    Ok(Zeroizing::new(bytes[zeros..].to_vec()))
}

/// What speeds up private operations, computed from the primes instead of trusted.
struct Crt {
    d_p: Zeroizing<Vec<u8>>,
    d_q: Zeroizing<Vec<u8>>,
    q_inverse: Zeroizing<Vec<u8>>,
}

impl Crt {
    /// The key comes from GitHub and the result stays here, so variable-time arithmetic tells nobody
    /// anything. `None` when the numbers are no primes of one key.
    fn of(d: &[u8], p: &[u8], q: &[u8]) -> Option<Self> {
        let [d, p, q] = [d, p, q].map(BigUint::from_bytes_be);
        let two = BigUint::from(2u8);
        if p <= two || q <= two {
            return None;
        }
        let bytes = |number: BigUint| Zeroizing::new(number.to_bytes_be());
        Some(Self {
            d_p: bytes(&d % (&p - 1u8)),
            d_q: bytes(&d % (&q - 1u8)),
            q_inverse: bytes(q.modinv(&p)?),
        })
    }
}

#[cfg(test)]
mod tests;
