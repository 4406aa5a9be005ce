//! An API server that answers as a test says, over no socket.

use std::sync::{Arc, Mutex};

use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use kube::{Client, client::Body};
use serde_json::{Value, json};

/// One request as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: Value,
}

/// What is answered.
pub(crate) enum Answer {
    Object(Value),
    Fails(u16),
    /// The connection stays open and says nothing.
    Silence,
}

/// The requests so far.
#[derive(Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<Call>>>);

impl Calls {
    /// Takes what has arrived since the last time.
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// The same, as `METHOD path`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.take().iter().map(|it| format!("{} {}", it.method, it.path)).collect()
    }
}

/// A client of an API server that `answer` is.
pub(crate) fn client(answer: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> (Client, Calls) {
    let calls = Calls::default();
    let (record, answer) = (calls.clone(), Arc::new(answer));
    let service = tower::service_fn(move |request: Request<Body>| {
        let (record, answer) = (record.clone(), answer.clone());
        async move {
            let call = read(request).await;
            record.0.lock().unwrap().push(call.clone());
            let (status, body) = match answer(&call) {
                Answer::Object(value) => (200, value),
                Answer::Fails(code) => (code, failure(code)),
                Answer::Silence => std::future::pending().await,
            };
            let body = Full::from(serde_json::to_vec(&body).unwrap());
            Ok::<_, tower::BoxError>(Response::builder().status(status).body(body).unwrap())
        }
    });
    (Client::new(service, "default"), calls)
}

async fn read(request: Request<Body>) -> Call {
    let (head, body) = request.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Call {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    }
}

fn failure(code: u16) -> Value {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        422 => "Invalid",
        _ => "InternalError",
    };
    json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "", "reason": reason })
}
