//! TLS on aws-lc: one crypto provider, client trust that works in an image without a CA bundle, and servers
//! within bounds, whose certificates change without a restart.

mod hot;
mod server;

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, pem::PemObject},
    server::ResolvesServerCert,
};

pub use hot::{CertificateFiles, HotCert, LoadError};
pub use server::{Bounds, Serve, Server};

/// Where distributions keep their bundle of public CAs.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A TLS configuration could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An extra CA is no PEM.
    #[error("failed to read an additional CA certificate")]
    ReadCa(#[source] rustls::pki_types::pem::Error),
    /// An extra CA's text holds no certificate at all.
    #[error("an additional CA holds no certificate")]
    EmptyCa,
    /// An extra CA is PEM, and no certificate.
    #[error("an additional CA certificate is malformed")]
    MalformedCa(#[source] rustls::Error),
    /// The provider and the protocol versions do not go together.
    #[error("failed to choose TLS versions")]
    Versions(#[source] rustls::Error),
}

/// Makes aws-lc the provider of the process, for libraries that ask for the default. May be called again.
pub fn install_provider() {
    if CryptoProvider::get_default().is_none() {
        // Loses the race only against another call of the same function.
        let _ = aws_lc_rs::default_provider().install_default();
    }
}

/// The public CAs: of the system's bundle if there is one, else those built in.
pub fn default_roots() -> RootCertStore {
    BUNDLES.iter().find_map(|it| read_bundle(Path::new(it))).unwrap_or_else(built_in_roots)
}

fn built_in_roots() -> RootCertStore {
    RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned())
}

/// Nothing if the file is absent or holds no usable certificate.
fn read_bundle(path: &Path) -> Option<RootCertStore> {
    let certificates = CertificateDer::pem_file_iter(path).ok()?.flatten();
    let mut store = RootCertStore::empty();
    let (usable, _) = store.add_parsable_certificates(certificates);
    (usable > 0).then_some(store)
}

/// Trusts the public CAs and those in `extra_pems`; offers no ALPN, which the caller's HTTP stack sets.
///
/// # Errors
/// An extra CA that is not what it should be. It is never skipped: the connection that needs it would fail
/// later, and say less.
pub fn client_config(extra_pems: &[&[u8]]) -> Result<Arc<ClientConfig>, Error> {
    client_config_with(default_roots(), extra_pems)
}

/// Trusts the CAs in `pems` and nothing else: for a hop whose CA we made ourselves.
///
/// # Errors
/// As [`client_config`].
pub fn client_config_only(pems: &[&[u8]]) -> Result<Arc<ClientConfig>, Error> {
    client_config_with(RootCertStore::empty(), pems)
}

fn client_config_with(mut roots: RootCertStore, pems: &[&[u8]]) -> Result<Arc<ClientConfig>, Error> {
    install_provider();
    for pem in pems {
        add_pem(&mut roots, pem)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::Versions)?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

fn add_pem(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), Error> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.map_err(Error::ReadCa)?).map_err(Error::MalformedCa)?;
    }
    if roots.len() == before { Err(Error::EmptyCa) } else { Ok(()) }
}

/// Serves with whatever certificate the resolver has at the moment; `alpn` as in `&[b"h2", b"http/1.1"]`.
///
/// # Errors
/// [`Error::Versions`], in practice never.
pub fn server_config(
    certificate: Arc<dyn ResolvesServerCert>,
    alpn: &[&[u8]],
) -> Result<Arc<ServerConfig>, Error> {
    install_provider();
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::Versions)?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(certificate);
    config.alpn_protocols = alpn.iter().map(|it| it.to_vec()).collect();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests;
