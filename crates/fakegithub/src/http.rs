//! GitHub's face: one entry for every request, which is recorded, perhaps struck by a fault, checked and answered.

mod actions;
mod answer;
mod auth;
mod blobs;
mod broker;
mod call;
mod jit;
mod oauth;
mod rest;
mod results;
mod route;
mod run_service;
mod runners;
mod runs;

use std::sync::Arc;
use std::time::Duration;

use http::{Request as HttpRequest, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use jiff::Timestamp;

use crate::fault::{Caller, Effect, Fault};
use crate::journal::Request;
use crate::shared::Shared;

use answer::{Answer, AnswerBody, Refusal};
use call::Call;
use route::{Dialect, Route, route};

/// The largest request body: a log, in one piece.
const BODY_LIMIT: usize = 64 << 20;
/// How long a client may take to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// The request is not answered: its connection is to be closed.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed without an answer")]
pub(crate) struct Reset;

/// Answers one request.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    request: HttpRequest<Incoming>,
) -> Result<Response<AnswerBody>, Reset> {
    let (parts, body) = request.into_parts();
    let limited = Limited::new(body, BODY_LIMIT).collect();
    let body = match tokio::time::timeout(BODY_TIMEOUT, limited).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => {
            return Ok(Answer::text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large").into_response());
        }
        Err(_) => return Err(Reset),
    };
    let call = Call::new(parts, body);
    let route = route(&call.method, &call.segments());
    let (seq, caller) = open(&shared, &call, route.as_ref());
    let fault = route.as_ref().and_then(|route| shared.faults(|it| it.strike(route.id(), &caller)));
    let (mut answer, truncate) = match fault {
        None => (answer(&shared, &call, route, seq).await, false),
        Some(fault) => struck(&shared, &call, route, seq, fault).await?,
    };
    let (now, chunked) = shared.with(|state, now| {
        if state.settings.byte_order_mark {
            answer.mark_byte_order();
        }
        (now, state.settings.chunked)
    });
    answer.stamp(seq, now);
    tracing::debug!(seq, method = %call.method, path = call.path, status = answer.status.as_u16(), "request");
    shared.journal(|journal| journal.close(seq, answer.status.as_u16(), now));
    Ok(match (truncate, chunked) {
        (true, _) => answer.into_truncated(),
        (false, true) => answer.into_chunked(),
        (false, false) => answer.into_response(),
    })
}

/// Records a request. Returns its number and whose it is.
fn open(shared: &Shared, call: &Call, route: Option<&Route>) -> (u64, Caller) {
    let (token, caller, time) = shared.with(|state, now| {
        let (kind, caller) = auth::caller(state, call, route, now);
        if let Some(Route::Acquire(_)) = route {
            run_service::note_claim(state, call, now);
        }
        (kind, caller, now)
    });
    let request = Request {
        seq: 0,
        time,
        method: call.method.to_string(),
        path: call.path.clone(),
        query: call.query.iter().map(|(name, _)| name.clone()).collect(),
        endpoint: route.map(Route::id),
        token,
        agent: caller.agent.clone(),
        account: caller.account.clone(),
        headers: call.headers.keys().map(ToString::to_string).collect(),
        body_sha256: call.body_sha256(),
        body_bytes: call.body.len(),
        status: None,
        answered: None,
    };
    (shared.journal(|journal| journal.open(request)), caller)
}

/// The ordinary answer.
async fn answer(shared: &Arc<Shared>, call: &Call, route: Option<Route>, seq: u64) -> Answer {
    let Some(route) = route else {
        let refusal = Dialect::of_path(&call.segments())
            .refuse(StatusCode::NOT_FOUND, "Not Found")
            .violating(format!("unknown route {} {}", call.method, call.path));
        return settle(shared, seq, Err(refusal));
    };
    if route == Route::Unserved {
        return settle(shared, seq, handle(shared, call, route, seq).await);
    }
    let dialect = route.dialect();
    let outcome = match call.check(dialect).and_then(|()| call.check_parameters(&route)) {
        Ok(()) => handle(shared, call, route, seq).await,
        Err(refusal) => Err(refusal),
    };
    settle(shared, seq, outcome)
}

/// Records what a refusal found wrong.
fn settle(shared: &Shared, seq: u64, outcome: Result<Answer, Refusal>) -> Answer {
    match outcome {
        Ok(answer) => answer,
        Err(Refusal { answer, violation }) => {
            if let Some(rule) = violation {
                violate(shared, seq, rule);
            }
            *answer
        }
    }
}

/// Records a violation by a request that is answered all the same.
fn violate(shared: &Shared, seq: u64, rule: String) {
    tracing::warn!(seq, rule, "protocol violation");
    let now: Timestamp = shared.with(|_, now| now);
    shared.journal(|journal| journal.violate(seq, now, rule));
}

async fn handle(shared: &Arc<Shared>, call: &Call, route: Route, seq: u64) -> Result<Answer, Refusal> {
    match route {
        Route::Token { service, client } => oauth::token(shared, call, service, &client),
        Route::CreateSession => broker::create_session(shared, call),
        Route::Message => broker::message(shared, call).await,
        Route::Acknowledge => broker::acknowledge(shared, call),
        Route::DeleteSession => broker::delete_session(shared, call),
        Route::Acquire(service) => run_service::acquire(shared, call, service),
        Route::Renew(service) => run_service::renew(shared, call, service),
        Route::Complete(service) => run_service::complete(shared, call, service, seq),
        Route::ResolveActions { plan, job } => actions::resolve(shared, call, &plan, &job),
        Route::IdToken(service) => run_service::id_token(shared, call, service),
        Route::Results(method) => results::call(shared, call, method),
        Route::Blob(name) => blobs::put(shared, call, &name),
        Route::Unserved => Err(Dialect::of_path(&call.segments()).refuse(StatusCode::NOT_FOUND, "Not Found")),
        rest => rest::answer(shared, call, rest).await,
    }
}

/// The answer of a request that a fault strikes, and whether it is cut short.
async fn struck(
    shared: &Arc<Shared>,
    call: &Call,
    route: Option<Route>,
    seq: u64,
    fault: Fault,
) -> Result<(Answer, bool), Reset> {
    let of_real = matches!(fault.effect, Effect::Truncate | Effect::ByteOrderMark);
    let real = match fault.after_commit || of_real {
        true => Some(answer(shared, call, route.clone(), seq).await),
        false => None,
    };
    tokio::select! {
        () = tokio::time::sleep(fault.delay()) => {}
        () = shared.stop.cancelled() => return Err(Reset),
    }
    match (fault.effect, real) {
        (Effect::Reset, _) => Err(Reset),
        (Effect::Withhold, _) => {
            shared.stop.cancelled().await;
            Err(Reset)
        }
        (Effect::Truncate, Some(real)) => Ok((real, true)),
        (Effect::ByteOrderMark, Some(mut real)) => {
            real.mark_byte_order();
            Ok((real, false))
        }
        (Effect::Answer | Effect::Truncate | Effect::ByteOrderMark, real) => match Answer::of_fault(&fault) {
            Some(replaced) => Ok((replaced, false)),
            None => match real {
                Some(real) => Ok((real, false)),
                None => Ok((answer(shared, call, route, seq).await, false)),
            },
        },
    }
}
