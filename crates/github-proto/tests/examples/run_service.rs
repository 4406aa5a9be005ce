//! The run service and the job message (protocol §5).

use github_proto::job_message::JobMessage;
use github_proto::message::RunnerJobRequest;
use github_proto::request::{BuildError, Request};
use github_proto::run_service::{
    Completion, RunServiceErrorKind, acquire, complete, decode_acquired, decode_completed, decode_renewed,
    renew,
};
use github_proto::{JobId, JobToken, PlanId, RequestId, RunnerToken};

use crate::example::examples;

fn plan() -> PlanId {
    PlanId::parse("91a40000-0000-4000-8000-00000000fa4e").unwrap()
}

fn job() -> JobId {
    JobId::parse("10b00000-0000-4000-8000-00000000fa4e").unwrap()
}

fn claim() -> Result<Request, BuildError> {
    let offer = RunnerJobRequest {
        request_id: RequestId::parse("a1a1a1a1-0000-4000-8000-00000000fa4e").unwrap(),
        should_acknowledge: true,
        run_service_url: "https://run-0.actions.test/38/".parse().unwrap(),
        billing_owner_id: Some("U_FAKEOWNER".into()),
    };
    acquire(&offer, &RunnerToken::new("FAKE.RUNNER.TOKEN"))
}

examples! {
    x1_acquire(it) {
        it.asks(claim());
        let answer = it.answer();
        let acquired = decode_acquired(&answer).unwrap();
        assert_eq!(acquired.plan_id, Some(plan()));
        assert_eq!(acquired.message, answer.body(), "kept byte for byte");
        let message = JobMessage::decode(&acquired).unwrap();
        assert_eq!((message.plan_id, message.job_id), (plan(), job()));
        assert_eq!(message.connection.token, JobToken::new("FAKE.JOB.TOKEN"));
        assert_eq!(message.connection.url.unwrap().as_str(), "https://run-0.actions.test/38/");
    }
    x1_lost(it) {
        it.asks(claim());
        let error = decode_acquired(&it.answer()).unwrap_err();
        assert_eq!((error.kind, error.code), (RunServiceErrorKind::Conflict, 409));
    }
    x2_renew(it) {
        // The base has lost its slash: both forms are handed out (protocol §0.6).
        let base = "https://run-0.actions.test/38".parse().unwrap();
        it.asks(renew(&base, &plan(), &job(), &JobToken::new("FAKE.JOB.TOKEN")));
        assert_eq!(decode_renewed(&it.answer()), Ok(Some("2026-09-01T10:20:00Z".parse().unwrap())));
    }
    x3_complete(it) {
        let base = "https://run-0.actions.test/38/".parse().unwrap();
        let report = Completion {
            plan_id: &plan(),
            job_id: &job(),
            message: Some("worker crashed"),
            billing_owner_id: Some("U_FAKEOWNER"),
        };
        it.asks(complete(&base, &report, &JobToken::new("FAKE.JOB.TOKEN")));
        assert_eq!(decode_completed(&it.answer()), Ok(()));
    }
}
