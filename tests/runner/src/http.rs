//! HTTPS as a runner in a worker pod speaks it: the roots of `SSL_CERT_FILE`, through `HTTPS_PROXY` where one is set.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::USER_AGENT;
use hyper::http::{HeaderMap, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::time::timeout;

/// Of one request, from the connection to the last byte of the answer: the official runner's.
const DEADLINE: Duration = Duration::from_secs(100);

/// No answer that we read is longer.
const MAX_ANSWER: usize = 1 << 20;

/// Where images keep their roots when no variable says so.
const SYSTEM_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

type Direct = HttpsConnector<HttpConnector>;
type Proxied = HttpsConnector<Tunnel<Direct>>;

/// A client.
pub struct Http {
    direct: Client<Direct, Full<Bytes>>,
    tls: ClientConfig,
    proxies: Matcher,
    agent: HeaderValue,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
}

impl Http {
    /// A client that trusts the bundle named by `SSL_CERT_FILE`, or the system's, and calls itself `agent`.
    pub fn from_env(agent: &str) -> anyhow::Result<Http> {
        let bundle = std::env::var_os("SSL_CERT_FILE").map_or_else(|| SYSTEM_BUNDLE.into(), PathBuf::from);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots(&bundle))
            .with_no_client_auth();
        let direct = Client::builder(TokioExecutor::new()).build(connector(tls.clone()));
        let agent = HeaderValue::from_str(agent).context("the user agent is no header")?;
        Ok(Http { direct, tls, proxies: Matcher::from_env(), agent })
    }

    /// Sends a request and reads the whole answer. A request with a user agent of its own keeps it.
    pub async fn send(&self, mut request: Request<Full<Bytes>>) -> anyhow::Result<Reply> {
        request.headers_mut().entry(USER_AGENT).or_insert_with(|| self.agent.clone());
        let place = format!("{} {}", request.method(), request.uri().path()); // a query may hold a signature
        timeout(DEADLINE, self.exchange(request)).await.unwrap_or_else(|it| Err(it.into())).context(place)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Reply> {
        let response = match self.proxies.intercept(request.uri()) {
            None => self.direct.request(request).await?,
            Some(proxy) => {
                let agent = HeaderMap::from_iter([(USER_AGENT, self.agent.clone())]);
                let mut tunnel =
                    Tunnel::new(proxy.uri().clone(), connector(self.tls.clone())).with_headers(agent);
                if let Some(credentials) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(credentials.clone());
                }
                let https = HttpsConnectorBuilder::new().with_tls_config(self.tls.clone());
                let connector: Proxied = https.https_or_http().enable_http1().wrap_connector(tunnel);
                Client::builder(TokioExecutor::new()).build(connector).request(request).await?
            }
        };
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|it| anyhow::anyhow!("the answer broke off: {it}"))?.to_bytes();
        Ok(Reply { status, body })
    }
}

impl Reply {
    /// The body, if the status is a success.
    pub fn success(self) -> anyhow::Result<Bytes> {
        ensure!(self.status.is_success(), "answer {}: {}", self.status, String::from_utf8_lossy(&self.body));
        Ok(self.body)
    }
}

fn connector(tls: ClientConfig) -> Direct {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(http)
}

/// The certificates of a PEM bundle; those that rustls cannot use are passed over, as OpenSSL does.
fn roots(bundle: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    if let Ok(certificates) = CertificateDer::pem_file_iter(bundle) {
        roots.add_parsable_certificates(certificates.filter_map(Result::ok));
    }
    roots
}
