//! The API server of `testkit` behind HTTPS on loopback, with the time of each request.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use testkit::api_server::{Answer, ApiServer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::calls::{Call, with_subresource};

/// What the program under measurement shows the stub, and nobody else does.
pub const TOKEN: &str = "the-one-under-measurement";

/// A served API server. It ends with the process.
pub struct Stub {
    /// `https://127.0.0.1:PORT`.
    pub url: String,
    /// Its own certificate.
    pub ca_pem: String,
    /// Requests that carried [`TOKEN`].
    pub calls: Arc<Mutex<Vec<Call>>>,
}

impl Stub {
    /// Serves an empty one.
    ///
    /// # Errors
    /// No port or no certificate can be had.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("a port for the stub")?;
        let url = format!("https://{}", listener.local_addr()?);
        let (ca_pem, tls) = certificate()?;
        let calls = Arc::default();
        tokio::spawn(accept(listener, TlsAcceptor::from(tls), ApiServer::default(), Arc::clone(&calls)));
        Ok(Self { url, ca_pem, calls })
    }
}

fn certificate() -> Result<(String, Arc<ServerConfig>)> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()])?.self_signed(&key)?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)?;
    Ok((certificate.pem(), Arc::new(config)))
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, api: ApiServer, calls: Arc<Mutex<Vec<Call>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, tls.clone(), api.clone(), Arc::clone(&calls)));
    }
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, api: ApiServer, calls: Arc<Mutex<Vec<Call>>>) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = tls.accept(stream).await else { return };
    let service = service_fn(move |request| serve(api.clone(), Arc::clone(&calls), request));
    let builder = auto::Builder::new(TokioExecutor::new());
    // How a client leaves is its own business.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

async fn serve(
    api: ApiServer,
    calls: Arc<Mutex<Vec<Call>>>,
    request: Request<Incoming>,
) -> Result<Answer, std::io::Error> {
    let received = Timestamp::now();
    let (head, body) = request.into_parts();
    let measured =
        head.headers.get("authorization").is_some_and(|it| it.as_bytes().ends_with(TOKEN.as_bytes()));
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let path = head.uri.path().to_owned();
    let verb = verb(&head.method, &path, head.uri.query().unwrap_or_default());
    let (resource, mut name) = resource(&path);
    if verb == "create" && measured {
        let object: Value = serde_json::from_slice(&body).unwrap_or_default();
        name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    }
    let answer = match path.as_str() {
        "/version" => version(),
        _ => api.serve(Request::from_parts(head, body.into())).await?,
    };
    if measured {
        let code = answer.status().as_u16();
        let call = Call { received, answered: Timestamp::now(), verb: verb.to_owned(), resource, name, code };
        calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
    Ok(answer)
}

fn version() -> Answer {
    let body = Full::from(r#"{"major":"1","minor":"36","gitVersion":"v1.36.0-stub"}"#);
    Response::new(body.map_err(|never: Infallible| match never {}).boxed())
}

fn verb(method: &Method, path: &str, query: &str) -> &'static str {
    let (_, name) = resource(path);
    match method.as_str() {
        "GET" if query.split('&').any(|it| it == "watch=true") => "watch",
        "GET" if name.is_empty() => "list",
        "GET" => "get",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "other",
    }
}

/// Resource with subresource, and the object's name, of `/api/v1/[namespaces/NS/]PLURAL[/NAME[/SUB]]` and the same
/// under `/apis/GROUP/VERSION`.
fn resource(path: &str) -> (String, String) {
    let words: Vec<&str> = path.trim_matches('/').split('/').collect();
    let group = if words.first() == Some(&"apis") { 3 } else { 2 };
    let scoped = words.get(group) == Some(&"namespaces") && words.len() > group + 2;
    let word = |index: usize| words.get(index).copied().unwrap_or_default();
    let plural = if scoped { group + 2 } else { group };
    (with_subresource(word(plural), word(plural + 2)), word(plural + 1).to_owned())
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::{resource, verb};

    #[test]
    fn paths_are_named_as_the_audit_log_names_them() {
        let status = "/apis/actions-gateway.github.com/v1alpha1/namespaces/bench/runnerjobs/blue-1/status";
        assert_eq!(resource(status), ("runnerjobs/status".into(), "blue-1".into()));
        assert_eq!(resource("/api/v1/namespaces/bench/pods"), ("pods".into(), String::new()));
        assert_eq!(resource("/api/v1/namespaces/bench"), ("namespaces".into(), "bench".into()));
    }

    #[test]
    fn a_get_is_one_of_three_verbs() {
        let pods = "/api/v1/namespaces/bench/pods";
        assert_eq!(verb(&Method::GET, pods, "watch=true&x=1"), "watch");
        assert_eq!(verb(&Method::GET, pods, ""), "list");
        assert_eq!(verb(&Method::GET, &format!("{pods}/one"), ""), "get");
    }
}
