//! Signing with keys in the forms that GitHub hands out.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeyPairComponents};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaSignatureEncoding};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alg {
    Rs256,
    Ps256,
}

impl Alg {
    pub fn name(self) -> &'static str {
        match self {
            Alg::Rs256 => "RS256",
            Alg::Ps256 => "PS256",
        }
    }
}

/// A private key.
pub struct Signer(KeyPair);

impl Signer {
    /// From `BEGIN RSA PRIVATE KEY`.
    pub fn from_pem(pem: &str) -> Self {
        assert!(pem.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"), "PKCS#1 is what GitHub hands out");
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        Self(KeyPair::from_der(&STANDARD.decode(base64).unwrap()).unwrap())
    }

    /// From `.credentials_rsaparams`; the library checks that the numbers belong together.
    pub fn from_parameters(parameters: &Value) -> Self {
        let number = |name: &str| {
            let bytes = STANDARD.decode(parameters[name].as_str().unwrap()).unwrap();
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            bytes[zeros..].to_vec()
        };
        let components = KeyPairComponents {
            public_key: aws_lc_rs::rsa::PublicKeyComponents { n: number("modulus"), e: number("exponent") },
            d: number("d"),
            p: number("p"),
            q: number("q"),
            dP: number("dp"),
            dQ: number("dq"),
            qInv: number("inverseQ"),
        };
        Self(KeyPair::from_components(&components).unwrap())
    }

    /// The public half, in DER.
    pub fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    pub fn jwt(&self, alg: Alg, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let encoding: &'static RsaSignatureEncoding = match alg {
            Alg::Rs256 => &RSA_PKCS1_SHA256,
            Alg::Ps256 => &RSA_PSS_SHA256,
        };
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(encoding, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
