use proptest::prelude::*;

use super::{
    Completion, RunServiceErrorKind, acquire, complete, decode_acquired, decode_completed, decode_renewed,
};
use crate::fixture::{answer, reply};
use crate::id::{JobId, PlanId, RequestId};
use crate::message::RunnerJobRequest;
use crate::rate_limit::RateLimit;
use crate::secret::{JobToken, RunnerToken};

fn offer() -> RunnerJobRequest {
    RunnerJobRequest {
        request_id: RequestId::parse("a1a1a1a1-0000-4000-8000-00000000fa4e").unwrap(),
        should_acknowledge: false,
        run_service_url: "https://run-0.actions.test/38/".parse().unwrap(),
        billing_owner_id: Some("U_FAKEOWNER".into()),
    }
}

#[test]
fn a_claim_does_not_show_the_message() {
    let acquired = decode_acquired(&answer("x1_acquire")).unwrap();
    assert!(!format!("{acquired:?}").contains("FAKE"), "{acquired:?}");
}

#[test]
fn an_empty_billing_owner_is_left_out() {
    let offer = RunnerJobRequest { billing_owner_id: None, ..offer() };
    let request = acquire(&offer, &RunnerToken::new("t")).unwrap();
    assert!(!String::from_utf8_lossy(request.body().as_bytes()).contains("billing"));
}

#[test]
fn a_lock_may_have_no_end() {
    for body in ["", "{}", r#"{"lockedUntil":"0001-01-01T00:00:00"}"#, r#"{"LOCKEDUNTIL":null}"#] {
        assert_eq!(decode_renewed(&reply(200, &[], body)), Ok(None), "{body}");
    }
    let error = decode_renewed(&reply(200, &[], "{")).unwrap_err();
    assert_eq!(error.kind, RunServiceErrorKind::Malformed);
}

#[test]
fn a_report_without_a_message_has_no_annotation() {
    let (plan_id, job_id) = (PlanId::parse("p").unwrap(), JobId::parse("j").unwrap());
    for nothing in [None, Some("")] {
        let report =
            Completion { plan_id: &plan_id, job_id: &job_id, message: nothing, billing_owner_id: nothing };
        let base = "https://run-0.actions.test/38".parse().unwrap();
        let request = complete(&base, &report, &JobToken::new("t")).unwrap();
        assert_eq!(
            String::from_utf8_lossy(request.body().as_bytes()),
            r#"{"planId":"p","jobId":"j","conclusion":"failed","annotations":[]}"#
        );
    }
}

#[test]
fn a_report_is_taken_with_any_success_and_may_come_late() {
    for status in [200, 201, 204] {
        assert_eq!(decode_completed(&reply(status, &[], "")), Ok(()));
    }
    let late = decode_completed(&reply(400, &[], &said("actions-run-service", 404))).unwrap_err();
    assert_eq!(late.kind, RunServiceErrorKind::NotFound);
}

#[track_caller]
fn refused(status: u16, body: &str, kind: RunServiceErrorKind) {
    assert_eq!(decode_acquired(&reply(status, &[], body)).unwrap_err().kind, kind);
}

fn said(source: &str, code: u16) -> String {
    format!(r#"{{"source":"{source}","statusCode":{code},"errorMessage":"x"}}"#)
}

#[test]
fn the_code_in_the_body_goes_before_the_status() {
    refused(400, &said("actions-run-service", 409), RunServiceErrorKind::Conflict);
    refused(500, &said("actions-run-service", 404), RunServiceErrorKind::NotFound);
    refused(404, &said("actions-run-service", 503), RunServiceErrorKind::Transient);
    refused(429, &said("actions-run-service", 422), RunServiceErrorKind::Unprocessable);
    refused(404, &said("someone-else", 503), RunServiceErrorKind::NotFound);
}

#[test]
fn without_it_the_status_decides() {
    refused(404, "404 page not found", RunServiceErrorKind::NotFound);
    refused(410, "", RunServiceErrorKind::NotFound);
    refused(409, "", RunServiceErrorKind::Conflict);
    refused(422, "", RunServiceErrorKind::Unprocessable);
    refused(401, "", RunServiceErrorKind::Unauthorized);
    refused(403, "", RunServiceErrorKind::Unauthorized);
    refused(429, "", RunServiceErrorKind::RateLimited(RateLimit::Unspecified));
    refused(503, "", RunServiceErrorKind::Transient);
    refused(204, "", RunServiceErrorKind::Transient);
}

#[test]
fn the_lost_race_of_the_fixture() {
    let error = decode_acquired(&answer("x1_lost")).unwrap_err();
    assert_eq!((error.kind, error.code), (RunServiceErrorKind::Conflict, 409));
    assert_eq!(
        error.to_string(),
        "the run service answered 409 (HTTP 409 Conflict): synthetic: already acquired"
    );
}

proptest! {
    #[test]
    fn no_answer_makes_a_decoder_panic(status in 100u16..600, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut reply = reply(status, &[("x-plan-id", "?")], "");
        *reply.body_mut() = body.into();
        let _ = decode_acquired(&reply);
        let _ = decode_renewed(&reply);
        let _ = decode_completed(&reply);
    }
}
