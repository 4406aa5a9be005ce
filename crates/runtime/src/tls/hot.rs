//! A server certificate that follows its files.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_util::sync::CancellationToken;

/// A mounted Secret is swapped by a symlink, which file watchers miss; reading two small files is cheap.
const POLL: Duration = Duration::from_secs(5);

/// The pair in use. Without one, handshakes fail.
#[derive(Debug, Default)]
pub struct HotCert(ArcSwapOption<CertifiedKey>);

/// Where chain and key are, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// Leaf first.
    pub certificate: PathBuf,
    /// PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// A pair could not be put to use; the one before it, if any, stays.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file is absent or unreadable.
    #[error("failed to read {path}", path = path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The chain's file holds no PEM certificate.
    #[error("no usable certificate chain")]
    Certificate(#[source] rustls::pki_types::pem::Error),
    /// The key's file holds no PEM key.
    #[error("no usable private key")]
    Key(#[source] rustls::pki_types::pem::Error),
    /// Chain and key do not belong together, as in the middle of a rotation.
    #[error("certificate and private key do not match")]
    Pair(#[source] rustls::Error),
}

/// The bytes of both files. Holds a private key: no `Debug`.
#[derive(PartialEq, Eq)]
struct Content {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl HotCert {
    /// Puts the files' pair to use.
    ///
    /// # Errors
    /// [`LoadError`]; what was in use stays in use.
    pub fn load(&self, files: &CertificateFiles) -> Result<(), LoadError> {
        let content = read(files)?;
        self.set(&content.certificate, &content.key)
    }

    /// Puts a pair to use that is already in memory, in PEM.
    ///
    /// # Errors
    /// As [`HotCert::load`].
    pub fn set(&self, certificate: &[u8], key: &[u8]) -> Result<(), LoadError> {
        let chain = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(LoadError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(LoadError::Key)?;
        let pair =
            CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(LoadError::Pair)?;
        self.0.store(Some(Arc::new(pair)));
        Ok(())
    }

    /// The pair in use.
    pub fn current(&self) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }

    /// Follows the files until `stop`: a changed pair serves new connections within seconds. One that cannot
    /// be used is said once and tried again: a rotation may be half written.
    pub async fn follow(self: Arc<Self>, files: CertificateFiles, stop: CancellationToken) {
        let mut in_use = None;
        let mut complained = false;
        while !stop.is_cancelled() {
            match self.take_up(&files, &mut in_use) {
                Ok(changed) => {
                    if changed {
                        tracing::info!(path = %files.certificate.display(), "serving certificate loaded");
                    }
                    complained = false;
                }
                Err(error) if !complained => {
                    tracing::warn!(error = %crate::telemetry::chain(&error), "failed to reload the serving certificate: keeping the previous one");
                    complained = true;
                }
                Err(_) => {}
            }
            let _ = tokio::time::timeout(POLL, stop.cancelled()).await;
        }
    }

    /// True if the files held another pair than the one in use.
    fn take_up(&self, files: &CertificateFiles, in_use: &mut Option<Content>) -> Result<bool, LoadError> {
        let content = read(files)?;
        if in_use.as_ref() == Some(&content) {
            return Ok(false);
        }
        self.set(&content.certificate, &content.key)?;
        *in_use = Some(content);
        Ok(true)
    }
}

impl ResolvesServerCert for HotCert {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current()
    }
}

fn read(files: &CertificateFiles) -> Result<Content, LoadError> {
    let read =
        |path: &Path| std::fs::read(path).map_err(|source| LoadError::Read { path: path.to_owned(), source });
    Ok(Content { certificate: read(&files.certificate)?, key: read(&files.key)? })
}
