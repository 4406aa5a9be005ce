use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

use super::*;

/// A CA of its own and a certificate for `localhost`, in PEM.
pub(super) struct Pair {
    pub(super) ca: String,
    pub(super) certificate: String,
    pub(super) key: String,
}

pub(super) fn pair(name: &str) -> Pair {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(vec![]).unwrap();
    ca.distinguished_name.push(DnType::CommonName, name);
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    Pair { ca: ca_pem, certificate: leaf.pem(), key: key.serialize_pem() }
}

fn write(files: &CertificateFiles, pair: &Pair) {
    std::fs::write(&files.certificate, &pair.certificate).unwrap();
    std::fs::write(&files.key, &pair.key).unwrap();
}

fn files(directory: &Path) -> CertificateFiles {
    CertificateFiles { certificate: directory.join("tls.crt"), key: directory.join("tls.key") }
}

/// Whether a client that trusts `ca` completes a handshake with a server that presents `certificate`.
async fn handshake(certificate: &Arc<HotCert>, ca: &Pair) -> bool {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(server_config(certificate.clone(), &[b"http/1.1"]).unwrap());
    let connector = TlsConnector::from(client_config_only(&[ca.ca.as_bytes()]).unwrap());
    let server = async { acceptor.accept(listener.accept().await.unwrap().0).await };
    let client = async {
        let socket = TcpStream::connect(address).await.unwrap();
        connector.connect(ServerName::try_from("localhost").unwrap(), socket).await
    };
    let (server, client) = tokio::join!(server, client);
    server.is_ok() && client.is_ok()
}

#[tokio::test]
async fn a_loaded_pair_serves_and_another_one_takes_its_place() {
    let (old, new) = (pair("old"), pair("new"));
    let hot = Arc::new(HotCert::default());
    assert!(hot.current().is_none());
    hot.set(old.certificate.as_bytes(), old.key.as_bytes()).unwrap();
    assert!(handshake(&hot, &old).await);
    assert!(!handshake(&hot, &new).await);
    hot.set(new.certificate.as_bytes(), new.key.as_bytes()).unwrap();
    assert!(handshake(&hot, &new).await);
}

#[tokio::test]
async fn a_half_written_rotation_leaves_the_old_pair_in_use() {
    let (old, new) = (pair("old"), pair("new"));
    let directory = tempfile::tempdir().unwrap();
    let files = files(directory.path());
    let hot = Arc::new(HotCert::default());
    write(&files, &old);
    hot.load(&files).unwrap();

    std::fs::write(&files.certificate, &new.certificate).unwrap();
    assert!(matches!(hot.load(&files), Err(LoadError::Pair(_))));
    assert!(handshake(&hot, &old).await);

    std::fs::remove_file(&files.key).unwrap();
    let error = hot.load(&files).unwrap_err();
    assert!(error.to_string().ends_with("tls.key"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn following_takes_up_a_pair_that_appears_and_one_that_changes() {
    let (old, new) = (pair("old"), pair("new"));
    let directory = tempfile::tempdir().unwrap();
    let files = files(directory.path());
    let (hot, stop) = (Arc::new(HotCert::default()), CancellationToken::new());
    let following = tokio::spawn(hot.clone().follow(files.clone(), stop.clone()));

    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(hot.current().is_none());
    write(&files, &old);
    tokio::time::sleep(Duration::from_secs(6)).await;
    let first = hot.current().unwrap();
    write(&files, &new);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_ne!(hot.current().unwrap().cert, first.cert);
    stop.cancel();
    following.await.unwrap();
}

#[test]
fn an_extra_ca_without_a_certificate_is_an_error() {
    assert!(matches!(client_config(&[b"not PEM"]), Err(Error::EmptyCa)));
    let nonsense = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(client_config(&[nonsense]), Err(Error::MalformedCa(_))));
    assert!(client_config(&[pair("extra").ca.as_bytes()]).is_ok());
}

#[test]
fn without_a_bundle_the_built_in_cas_are_trusted() {
    let directory = tempfile::tempdir().unwrap();
    assert!(read_bundle(&directory.path().join("absent.crt")).is_none());
    let empty = directory.path().join("empty.crt");
    std::fs::write(&empty, "").unwrap();
    assert!(read_bundle(&empty).is_none());
    assert!(built_in_roots().len() > 100);

    let bundle = directory.path().join("bundle.crt");
    std::fs::write(&bundle, pair("a").ca + &pair("b").ca).unwrap();
    assert_eq!(read_bundle(&bundle).unwrap().len(), 2);
}
