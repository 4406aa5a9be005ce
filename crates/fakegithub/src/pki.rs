//! The server's own CA and the certificate that it serves with.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key or certificate could not be made or read.
    #[error("failed to make a certificate")]
    Certificate(#[source] rcgen::Error),
    /// The TLS library does not take it.
    #[error("failed to use the certificate")]
    Tls(#[source] rustls::Error),
    /// The CA cannot be kept or read again.
    #[error("failed to access the CA in {path}")]
    Store {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A CA that lives as long as the process, or as its files.
pub(crate) struct Ca {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    /// Makes a CA.
    pub(crate) fn generate() -> Result<Self, Error> {
        Self::sign(KeyPair::generate().map_err(Error::Certificate)?)
    }

    /// Takes the CA from a directory, or makes one and leaves it there.
    pub(crate) fn load_or_generate(directory: &Path) -> Result<Self, Error> {
        let (certificate, key) = (directory.join("ca.crt"), directory.join("ca.key"));
        let failed = |path: &Path| {
            let path = path.display().to_string();
            |source| Error::Store { path, source }
        };
        if certificate.exists() && key.exists() {
            let pem = fs::read_to_string(&certificate).map_err(failed(&certificate))?;
            let key_pem = fs::read_to_string(&key).map_err(failed(&key))?;
            let key = KeyPair::from_pem(&key_pem).map_err(Error::Certificate)?;
            let issuer = Issuer::new(ca_params(&key)?, key);
            return Ok(Self { pem, issuer });
        }
        let made = Self::generate()?;
        fs::create_dir_all(directory).map_err(failed(directory))?;
        write_private(&key, &made.issuer.key().serialize_pem()).map_err(failed(&key))?;
        fs::write(&certificate, &made.pem).map_err(failed(&certificate))?;
        Ok(made)
    }

    fn sign(key: KeyPair) -> Result<Self, Error> {
        let params = ca_params(&key)?;
        let pem = params.self_signed(&key).map_err(Error::Certificate)?.pem();
        Ok(Self { pem, issuer: Issuer::new(params, key) })
    }

    /// TLS for a server of these names and addresses.
    pub(crate) fn server_config(&self, names: Vec<String>) -> Result<Arc<ServerConfig>, Error> {
        let key = KeyPair::generate().map_err(Error::Certificate)?;
        let common_name = names.first().cloned().unwrap_or_default();
        let mut params = CertificateParams::new(names).map_err(Error::Certificate)?;
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        validity(&mut params, Duration::days(397));
        let leaf = params.signed_by(&key, &self.issuer).map_err(Error::Certificate)?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(Error::Tls)?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], private)
            .map_err(Error::Tls)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// A CA named after its key: clients that know another CA of the same name would report a bad signature, and a CA
/// that is read again must be called what it was.
fn ca_params(key: &KeyPair) -> Result<CertificateParams, Error> {
    let digest = Sha256::digest(key.public_key_raw());
    let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let mut params = CertificateParams::new(Vec::new()).map_err(Error::Certificate)?;
    params.distinguished_name.push(DnType::CommonName, format!("fakegithub CA {short}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    validity(&mut params, Duration::days(3650));
    Ok(params)
}

/// From yesterday on, so that a client's slow clock does not matter.
fn validity(params: &mut CertificateParams, length: Duration) {
    let yesterday = OffsetDateTime::now_utc() - Duration::days(1);
    params.not_before = yesterday;
    params.not_after = yesterday + length;
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_that_is_kept_is_found_again() {
        let directory = std::env::temp_dir().join(format!("fakegithub-{}", uuid::Uuid::new_v4()));
        let first = Ca::load_or_generate(&directory).unwrap();
        let second = Ca::load_or_generate(&directory).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(first.pem, second.pem);
        assert_eq!(first.issuer.key().serialize_pem(), second.issuer.key().serialize_pem());
        assert_ne!(first.pem, Ca::generate().unwrap().pem);
    }
}
