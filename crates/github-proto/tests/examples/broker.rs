//! The runner's token and the broker (protocol §3, §4).

use std::path::Path;
use std::time::Duration;

use github_proto::broker::{
    Agent, Architecture, BrokerErrorKind, Poll, PollQuery, RunnerStatus, acknowledge, create_session,
    decode_acknowledgement, decode_poll, decode_session, decode_session_end, delete_session, poll,
};
use github_proto::message::{JobCancellation, Message, RunnerJobRequest};
use github_proto::oauth::{self, OAuthErrorKind, TokenAddress, token_request};
use github_proto::request::{BuildError, Request};
use github_proto::rsa::RsaKey;
use github_proto::secret::Assertion;
use github_proto::{JobId, RequestId, RunnerId, RunnerToken, SessionId};
use url::Url;

use crate::example::examples;

fn token_url() -> Result<Request, BuildError> {
    let audience = "https://token.actions.test/tenant-1/_apis/oauth2/token/0f0e0d0c";
    let address = TokenAddress { audience: audience.into(), endpoint: audience.parse().unwrap() };
    token_request(&address, &Assertion::new("FAKE.ASSERTION.JWT"))
}

fn broker() -> Url {
    "https://broker.actions.test/".parse().unwrap()
}

fn token() -> RunnerToken {
    RunnerToken::new("FAKE.RUNNER.TOKEN")
}

fn session() -> SessionId {
    SessionId::parse("5e551011-0000-4000-8000-00000000fa4e").unwrap()
}

fn request() -> RequestId {
    RequestId::parse("a1a1a1a1-0000-4000-8000-00000000fa4e").unwrap()
}

fn query(session: &SessionId) -> PollQuery<'_> {
    PollQuery { session, status: RunnerStatus::Online, version: "2.335.1", architecture: Architecture::X64 }
}

fn open() -> Result<Request, BuildError> {
    let agent =
        Agent { id: RunnerId(31007), name: "gw-blue-0007", version: "2.335.1", os_description: "Linux 6.8" };
    create_session(&broker(), &token(), "gw-pod-0 (PID: 1)", agent)
}

fn ask() -> Result<Request, BuildError> {
    poll(&broker(), &token(), query(&session()))
}

fn key() -> RsaKey {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/FAKE_key_pkcs1.pem");
    RsaKey::from_pem(&std::fs::read(path).unwrap()).unwrap()
}

examples! {
    o1_token(it) {
        it.asks(token_url());
        let grant = oauth::decode(&it.answer()).unwrap();
        assert_eq!(grant.token, token());
        assert_eq!(grant.expires_in, Some(Duration::from_secs(3000)));
    }
    o1_rejected(it) {
        it.asks(token_url());
        let error = oauth::decode(&it.answer()).unwrap_err();
        assert_eq!(error.kind, OAuthErrorKind::NotRegistered);
        assert_eq!(error.message, "synthetic: registration 0f0e0d0c was not found");
    }
    b1_session(it) {
        it.asks(open());
        let opened = decode_session(&it.answer(), &key()).unwrap();
        assert_eq!(opened.id, session());
        assert!(opened.key.is_none());
    }
    b1_conflict(it) {
        it.asks(open());
        let error = decode_session(&it.answer(), &key()).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (BrokerErrorKind::Conflict, "session exists"));
    }
    b2_job(it) {
        it.asks(ask());
        let offer = RunnerJobRequest {
            request_id: request(),
            should_acknowledge: true,
            run_service_url: "https://run-0.actions.test/38/".parse().unwrap(),
            billing_owner_id: Some("U_FAKEOWNER".into()),
        };
        assert_eq!(decode_poll(&it.answer(), None), Ok(Poll::Message(Message::JobRequest(offer))));
    }
    b2_cancellation(it) {
        it.asks(ask());
        let cancellation = JobCancellation {
            job_id: JobId::parse("10b00000-0000-4000-8000-00000000fa4e").unwrap(),
            timeout: Duration::from_secs(300),
        };
        let message = Message::JobCancellation(cancellation);
        assert_eq!(decode_poll(&it.answer(), None), Ok(Poll::Message(message)));
    }
    b2_nothing(it) {
        it.asks(ask());
        assert_eq!(decode_poll(&it.answer(), None), Ok(Poll::Nothing));
    }
    b2_runner_gone(it) {
        it.asks(ask());
        assert_eq!(decode_poll(&it.answer(), None).unwrap_err().kind, BrokerErrorKind::RunnerNotFound);
    }
    b3_acknowledge(it) {
        it.asks(acknowledge(&broker(), &token(), query(&session()), &request()));
        assert_eq!(decode_acknowledgement(&it.answer()), Ok(()));
    }
    b4_close(it) {
        it.asks(delete_session(&broker(), &token()));
        assert_eq!(decode_session_end(&it.answer()), Ok(()));
    }
}
