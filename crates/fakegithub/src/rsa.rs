//! RSA keys in the forms GitHub hands out: PKCS#1 PEM for an App, `.credentials_rsaparams` for a runner.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// How a signature was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// `RS256`.
    Pkcs1,
    /// `PS256`.
    Pss,
}

impl Scheme {
    /// The `alg` of a JWT header.
    pub(crate) fn alg(self) -> &'static str {
        match self {
            Scheme::Pkcs1 => "RS256",
            Scheme::Pss => "PS256",
        }
    }

    fn parameters(self) -> &'static RsaParameters {
        match self {
            Scheme::Pkcs1 => &RSA_PKCS1_2048_8192_SHA256,
            Scheme::Pss => &RSA_PSS_2048_8192_SHA256,
        }
    }
}

/// Why a key could not be made. It does not happen with a working crypto library.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the crypto library could not generate an RSA key")]
    Generate,
    #[error("the crypto library wrote a key in a form that is not PKCS#8")]
    Encoding,
}

/// A 2048-bit key pair, taken apart.
#[derive(Clone)]
pub(crate) struct RsaKey {
    /// The DER of `RSAPrivateKey` (PKCS#1).
    pkcs1: Vec<u8>,
    /// n, e, d, p, q, dp, dq, qInv: big endian, without leading zeros.
    numbers: [Vec<u8>; 8],
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaKey(..)")
    }
}

impl RsaKey {
    /// Generates a key. It takes a fraction of a second of CPU time.
    pub(crate) fn generate() -> Result<Self, Error> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| Error::Generate)?;
        let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| Error::Encoding)?;
        Self::from_pkcs8(pkcs8.as_ref()).ok_or(Error::Encoding)
    }

    fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let mut outer = Der(Der(der).take(SEQUENCE)?);
        outer.take(INTEGER)?; // version
        outer.take(SEQUENCE)?; // algorithm
        let pkcs1 = outer.take(OCTET_STRING)?;
        let mut inner = Der(Der(pkcs1).take(SEQUENCE)?);
        inner.take(INTEGER)?; // version
        let mut numbers: [Vec<u8>; 8] = Default::default();
        for number in &mut numbers {
            let bytes = inner.take(INTEGER)?;
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            *number = bytes.get(zeros..)?.to_vec();
        }
        Some(Self { pkcs1: pkcs1.to_vec(), numbers })
    }

    /// The private key as GitHub lets an App's owner download it.
    pub(crate) fn pkcs1_pem(&self) -> String {
        let base64 = STANDARD.encode(&self.pkcs1);
        let mut pem = String::from("-----BEGIN RSA PRIVATE KEY-----\n");
        for line in base64.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END RSA PRIVATE KEY-----\n");
        pem
    }

    /// The content of `.credentials_rsaparams` (protocol §2.5); the official reader wants this very casing.
    pub(crate) fn runner_parameters(&self) -> Value {
        let [n, e, d, p, q, dp, dq, qi] = &self.numbers;
        let text = |number: &[u8], width: usize| {
            let mut padded = vec![0; width.saturating_sub(number.len())];
            padded.extend_from_slice(number);
            STANDARD.encode(padded)
        };
        // .NET wants each number at the width of its modulus or of half of it.
        let (full, half) = (n.len(), n.len() / 2);
        json!({
            "d": text(d, full), "dp": text(dp, half), "dq": text(dq, half), "exponent": text(e, 0),
            "inverseQ": text(qi, half), "modulus": text(n, full), "p": text(p, half), "q": text(q, half),
        })
    }

    /// The numbers of [`RsaKey::runner_parameters`] that nobody else may know, as they stand there.
    pub(crate) fn private_numbers(&self) -> Vec<String> {
        let parameters = self.runner_parameters();
        let private = ["d", "dp", "dq", "inverseQ", "p", "q"];
        private.into_iter().filter_map(|name| parameters.get(name)?.as_str().map(str::to_owned)).collect()
    }

    /// Whether `signature` over `message` was made with this key.
    pub(crate) fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        self.public().verify(scheme.parameters(), message, signature).is_ok()
    }

    /// The public half.
    pub(crate) fn public(&self) -> PublicKeyComponents<&[u8]> {
        let [n, e, ..] = &self.numbers;
        PublicKeyComponents { n, e }
    }
}

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// What is left to read of a DER encoding.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next element, if it has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&[found, first], rest) = self.0.split_first_chunk::<2>()?;
        if found != tag {
            return None;
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            _ => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0usize, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }
}
