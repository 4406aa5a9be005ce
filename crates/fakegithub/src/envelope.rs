//! Encryption of message bodies (protocol §4.8): a server may ask for it, the live broker does not.

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::rsa::RsaKey;

/// Whether and how message bodies are encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encryption {
    /// Bodies are plain text, sessions have no key.
    #[default]
    Off,
    /// The session answer carries the key itself.
    PlainKey,
    /// The key is wrapped with RSA-OAEP and SHA-1.
    RsaSha1,
    /// The key is wrapped with RSA-OAEP and SHA-256, as `useFipsEncryption` asks for.
    RsaSha256,
}

/// The crypto library refused to encrypt.
#[derive(Debug, thiserror::Error)]
#[error("the crypto library could not encrypt")]
pub(crate) struct Error;

/// A session's `encryptionKey`, or nothing when encryption is off.
pub(crate) fn session_key(mode: Encryption, key: &[u8; 32], runner: &RsaKey) -> Result<Option<Value>, Error> {
    let algorithm = match mode {
        Encryption::Off => return Ok(None),
        Encryption::PlainKey => {
            return Ok(Some(json!({"encrypted": false, "value": STANDARD.encode(key)})));
        }
        Encryption::RsaSha1 => &OAEP_SHA1_MGF1SHA1,
        Encryption::RsaSha256 => &OAEP_SHA256_MGF1SHA256,
    };
    let public: PublicEncryptingKey = runner.public().try_into().map_err(|_| Error)?;
    let wrapping = OaepPublicEncryptingKey::new(public).map_err(|_| Error)?;
    let mut wrapped = vec![0; wrapping.ciphertext_size()];
    let wrapped = wrapping.encrypt(algorithm, key, &mut wrapped, None).map_err(|_| Error)?;
    Ok(Some(json!({"encrypted": true, "value": STANDARD.encode(wrapped)})))
}

/// AES-256-CBC with PKCS#7 padding, in base64.
pub(crate) fn encrypt(key: &[u8; 32], iv: &[u8; 16], plain: &str) -> Result<String, Error> {
    let key = UnboundCipherKey::new(&AES_256, key).map_err(|_| Error)?;
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).map_err(|_| Error)?;
    let mut body = plain.as_bytes().to_vec();
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    key.less_safe_encrypt(&mut body, context).map_err(|_| Error)?;
    Ok(STANDARD.encode(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_encrypted_as_the_published_vector_says() {
        let key: [u8; 32] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let iv: [u8; 16] = std::array::from_fn(|i| 0x20 + u8::try_from(i).unwrap());
        let plain = r#"{"jobId":"10b00000-0000-4000-8000-00000000fa4e","timeout":"00:05:00"}"#;
        let body = encrypt(&key, &iv, plain).unwrap();
        assert_eq!(
            body,
            "TxDgIEusUcfA5bTC56rEuALUM2cERW0vWIEEnXOsT9JYc/lEYfPOvpsjDDPXgfmsa7mXW4NrAKWXT6dQBIEZetTDhxybaqJd/TFj5MBDYwk="
        );
    }
}
