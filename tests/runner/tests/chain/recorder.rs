//! GitHub's services as a job sees them, in miniature: everything is taken, answered as documented (protocol §5.4,
//! §5.7), and written down.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::tls;

/// One call, as it came.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    pub status: u16,
}

pub struct Recorder {
    pub url: String,
    pub certificate: String,
    shared: Arc<Shared>,
}

struct Shared {
    url: String,
    calls: Mutex<Vec<Call>>,
    blobs: Mutex<BTreeSet<String>>,
    count: watch::Sender<usize>,
}

impl Recorder {
    pub async fn start() -> Recorder {
        let (tls, certificate) = tls::self_signed();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            url: url.clone(),
            calls: Mutex::default(),
            blobs: Mutex::default(),
            count: watch::channel(0).0,
        });
        let serving = shared.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (tls, shared) = (tls.clone(), serving.clone());
                tokio::spawn(async move {
                    let Ok(connection) = tls.accept(connection).await else { return };
                    let service = service_fn(move |request| answer(shared.clone(), request));
                    let http = hyper::server::conn::http1::Builder::new();
                    let _ = http.serve_connection(TokioIo::new(connection), service).await; // the client may hang up
                });
            }
        });
        Recorder { url, certificate, shared }
    }

    /// All calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().unwrap().clone()
    }

    /// Waits for a call of this method.
    pub async fn wait_for(&self, method: &str) {
        let mut count = self.shared.count.subscribe();
        let seen = |_: &usize| self.calls().iter().any(|it| it.path.ends_with(method));
        count.wait_for(seen).await.unwrap();
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|it| it.to_bytes().to_vec()).unwrap_or_default();
    let path = head.uri.path_and_query().unwrap().to_string();
    let (status, text) = shared.judge(&head.method, &path, &head.headers, &body);
    let named = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    let headers = head.headers.iter().map(named).collect();
    let call = Call { method: head.method.to_string(), path, headers, body, status: status.as_u16() };
    shared.calls.lock().unwrap().push(call);
    shared.count.send_modify(|it| *it += 1);
    Ok(Response::builder().status(status).body(Full::new(text.into())).unwrap())
}

impl Shared {
    fn judge(
        &self,
        method: &Method,
        path: &str,
        headers: &hyper::HeaderMap,
        body: &[u8],
    ) -> (StatusCode, String) {
        if method == Method::PUT {
            return (self.store(path, headers), String::new());
        }
        if path.ends_with("completejob") {
            return (StatusCode::NO_CONTENT, String::new());
        }
        let body: serde_json::Value = serde_json::from_slice(body).unwrap();
        let step = body["step_backend_id"].as_str().unwrap_or("job");
        let url = |kind: &str| format!("{}/blobs/{kind}/{step}?sv=2024-11-04&sig=FAKE", self.url);
        let azure = "BLOB_STORAGE_TYPE_AZURE";
        let (_, name) = path.rsplit_once('/').unwrap();
        let text = match name {
            "GetStepLogsSignedBlobURL" | "GetJobLogsSignedBlobURL" => {
                json!({ "logs_url": url("logs"), "blob_storage_type": azure })
            }
            "GetStepSummarySignedBlobURL" => {
                json!({ "summary_url": url("summaries"), "soft_size_limit": 1 << 20, "blob_storage_type": azure })
            }
            "GetJobDiagLogsSignedBlobURL" => {
                json!({ "diag_logs_url": url("diagnostics"), "blob_storage_type": azure })
            }
            _ => json!({ "ok": true }),
        };
        (StatusCode::OK, text.to_string())
    }

    /// As Azure does: what is created must not be there when the client says so, what grows must.
    fn store(&self, path: &str, headers: &hyper::HeaderMap) -> StatusCode {
        let (name, query) = path.split_once('?').unwrap();
        let mut blobs = self.blobs.lock().unwrap();
        if !query.contains("comp=") {
            let taken = !blobs.insert(name.to_owned()) && headers.contains_key("if-none-match");
            return if taken { StatusCode::CONFLICT } else { StatusCode::CREATED };
        }
        match (blobs.contains(name), query.starts_with("comp=seal&")) {
            (false, _) => StatusCode::NOT_FOUND,
            (true, true) => StatusCode::OK,
            (true, false) => StatusCode::CREATED,
        }
    }
}
