//! B1 to B4.

use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fakegithub::{Encryption, Lever, TokenKind};
use serde_json::{Value, json};

use crate::support::{Github, ONE_JOB};

#[tokio::test]
async fn a_runner_has_one_session_and_its_token_finds_it() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let conflict = runner.create_session(&token).expect(409).await.json();
    assert_eq!(
        (&conflict["source"], &conflict["statusCode"]),
        (&json!("actions-broker-listener"), &json!(409))
    );
    github.delete(&format!("{}session", runner.broker)).bearer(&token).expect(204).await;
    let gone = runner.poll(&token, &session, "Online").expect(404).await.json();
    assert_eq!(gone["errorKind"], "RunnerSessionInvalid");
    github.delete(&format!("{}session", runner.broker)).bearer(&token).expect(404).await;
    let again = runner.create_session(&token).expect(200).await.json();
    assert!(again["sessionId"] != json!(session) && again.get("encryptionKey").is_none());
    github.assert_no_violation();
}

#[tokio::test]
async fn a_session_is_created_only_as_the_protocol_says() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let token = runner.token().await;
    let good = runner.session_body();
    let mut cases: Vec<(Value, &str)> = Vec::new();
    let mut case = |edit: &dyn Fn(&mut Value), part| {
        let mut body = good.clone();
        edit(&mut body);
        cases.push((body, part));
    };
    case(&|body| body["agent"]["id"] = json!(0), "agent.id");
    case(&|body| body["agent"]["id"] = json!(runner.id.to_string()), "agent.id");
    case(&|body| body["agent"]["name"] = json!("two"), "agent.name");
    case(&|body| body["agent"]["version"] = json!("latest"), "version");
    case(&|body| body["agent"]["labels"] = json!([]), "agent.labels");
    case(&|body| body["ownerName"] = json!(""), "ownerName");
    case(&|body| body["useFipsEncryption"] = Value::Null, "useFipsEncryption");
    case(&|body| body["capacity"] = json!(1), "\"capacity\"");
    for (body, part) in cases {
        runner.create_session(&token).json(&body).expect(400).await;
        github.assert_violation(part);
    }
    runner
        .create_session(&token)
        .header("content-type", "application/x-www-form-urlencoded")
        .expect(415)
        .await;
    github.assert_violation("content type");
    let installation = github.installation_token().await;
    runner.create_session(&installation).expect(401).await;
    github.assert_violation("'installation' where one of kind 'runner'");
    github.assert_no_violation();
}

#[tokio::test]
async fn an_old_version_gets_a_session_and_is_refused_by_its_first_poll() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let token = runner.token().await;
    let mut body = runner.session_body();
    body["agent"]["version"] = json!("2.328.9");
    let session = runner.create_session(&token).json(&body).expect(200).await.json();
    github.control().pull(Lever::MinimumVersion { version: "3.0.0".into() }).unwrap();
    github.pull(json!({"lever": "served-versions", "versions": {"2.337.0": "2020-01-01T00:00:00Z"}}));
    let session = session["sessionId"].as_str().unwrap();
    let refused = runner.poll(&token, session, "Online").expect(403).await.json();
    assert_eq!(refused["errorKind"], "RunnerVersionTooOld");
    github.assert_no_violation();
}

#[tokio::test]
async fn a_poll_without_news_is_held_and_then_202() {
    let github = Github::start().await;
    github.control().pull(Lever::PollHold { seconds: 0.2 }).unwrap();
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    for status in ["Online", "busy", "Offline"] {
        let started = std::time::Instant::now();
        let reply = runner.poll(&token, &session, status).expect(202).await;
        assert!(reply.body.is_empty() && reply.header("content-length") == "0");
        assert!(started.elapsed().as_millis() >= 200, "a hold that does not hold makes clients spin");
    }
    github.assert_no_violation();
}

#[tokio::test]
async fn a_poll_is_checked_word_for_word() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let url = format!(
        "{}message?sessionId={session}&status=Online&runnerVersion=2.337.0&os=Linux&architecture=X64&disableUpdate=true",
        runner.broker
    );
    let cases = [
        (url.clone() + "&lastMessageId=0", "lastMessageId"),
        (url.replace("status=Online", "status=Idle"), "status"),
        (url.replace("os=Linux", "os=linux-gnu"), "os"),
        (url.replace("architecture=X64", "architecture=amd64"), "architecture"),
        (url.replace("&disableUpdate=true", ""), "disableUpdate"),
        (url.replace("runnerVersion=2.337.0", "runnerVersion=v2"), "version"),
        (url.replace(&session, "me"), "sessionId"),
    ];
    for (url, part) in cases {
        github.get(&url).bearer(&token).expect(400).await;
        github.assert_violation(part);
    }
    let other = github.runner("two").await;
    let (other_token, _) = other.session().await;
    let stranger = github.get(&url).bearer(&other_token).expect(404).await.json();
    assert_eq!(stranger["errorKind"], "RunnerSessionInvalid");
    github.assert_no_violation();
}

#[tokio::test]
async fn a_later_poll_ends_an_earlier_one() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let first = runner.poll(&token, &session, "Online").send();
    let second = async {
        while github.control().state().sessions[0].parked == 0 {
            tokio::task::yield_now().await;
        }
        let poll = runner.poll(&token, &session, "Online").send();
        let submit = async {
            let polls = || github.control().requests(0).iter().filter(|it| it.endpoint == Some("B2")).count();
            while polls() < 2 {
                tokio::task::yield_now().await;
            }
            github.run(ONE_JOB);
        };
        tokio::join!(poll, submit).0
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.status, second.status), (202, 200));
}

#[tokio::test]
async fn a_held_poll_ends_with_its_token_and_with_its_session() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    for (lever, status) in [
        (Lever::DropSession { agent: "one".into() }, 404),
        (Lever::ExpireTokens { kind: TokenKind::Runner }, 401),
    ] {
        let (token, session) = runner.session().await;
        let poll = runner.poll(&token, &session, "Online").send();
        let pull = async {
            while github.control().state().sessions[0].parked == 0 {
                tokio::task::yield_now().await;
            }
            github.control().pull(lever).unwrap();
        };
        assert_eq!(tokio::join!(poll, pull).0.status, status);
    }
    github.assert_no_violation();
}

#[tokio::test]
async fn a_deleted_record_is_not_found_by_its_session() {
    let github = Github::start().await;
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let installation = github.installation_token().await;
    let path = format!("/orgs/acme/actions/runners/{}", runner.id);
    github.delete(&path).bearer(&installation).expect(204).await;
    let gone = runner.poll(&token, &session, "Online").expect(404).await.json();
    assert_eq!(gone["errorKind"], "RunnerNotFound");
}

#[tokio::test]
async fn an_idle_session_is_forgotten_and_a_held_one_is_not() {
    // Five minutes are three seconds; the hold is longer.
    let github = Github::start_fast(100.0).await;
    github.control().pull(Lever::PollHold { seconds: 500.0 }).unwrap();
    let (idle, held) = (github.runner("idle").await, github.runner("held").await);
    let (idle_token, idle_session) = idle.session().await;
    let (held_token, held_session) = held.session().await;
    held.poll(&held_token, &held_session, "Online").expect(202).await;
    assert_eq!(github.control().state().sessions.len(), 1, "only the held one is left");
    idle.poll(&idle_token, &idle_session, "Online").expect(404).await;
}

#[tokio::test]
async fn an_acknowledgement_names_a_request_of_the_runner() {
    let github = Github::start().await;
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let (token, session) = runner.session().await;
    let offer = runner.offer(&token, &session).await;
    let url = format!(
        "{}acknowledge?sessionId={session}&status=Online&runnerVersion=2.337.0&os=Linux&architecture=X64",
        runner.broker
    );
    github.post(&url).bearer(&token).json(&json!({"runnerRequestId": offer.request})).expect(200).await;
    let unknown = json!({"runnerRequestId": "a1a1a1a1-0000-4000-8000-00000000fa4e"});
    let refused = github.post(&url).bearer(&token).json(&unknown).expect(404).await.json();
    assert_eq!(refused["errorKind"], "AcknowledgeJobNotFound");
    github.assert_no_violation();
    github.post(&url).bearer(&token).json(&json!({"requestId": offer.request})).expect(400).await;
    github.assert_violation("requestId");
}

#[tokio::test]
async fn a_message_can_be_encrypted_with_a_key_of_the_session() {
    let github = Github::start().await;
    github.control().pull(Lever::EncryptMessages { mode: Encryption::PlainKey }).unwrap();
    github.run(ONE_JOB);
    let runner = github.runner("one").await;
    let token = runner.token().await;
    let session = runner.create_session(&token).expect(200).await.json();
    assert_eq!(session["encryptionKey"]["encrypted"], false);
    let key = STANDARD.decode(session["encryptionKey"]["value"].as_str().unwrap()).unwrap();
    let reply =
        runner.poll(&token, session["sessionId"].as_str().unwrap(), "Online").expect(200).await.json();
    let body = decrypt(&key, &reply);
    assert!(body["runner_request_id"].is_string(), "{body}");
}

#[tokio::test]
async fn a_session_key_can_be_wrapped_for_the_runner() {
    let github = Github::start().await;
    for (name, mode, fips) in [("a", Encryption::RsaSha1, false), ("b", Encryption::RsaSha256, true)] {
        github.control().pull(Lever::EncryptMessages { mode }).unwrap();
        let runner = github.runner(name).await;
        let token = runner.token().await;
        let session = runner.create_session(&token).expect(200).await.json();
        assert_eq!(session["encryptionKey"]["encrypted"], true);
        assert_eq!(session["useFipsEncryption"], fips);
        assert_eq!(STANDARD.decode(session["encryptionKey"]["value"].as_str().unwrap()).unwrap().len(), 256);
    }
}

fn decrypt(key: &[u8], message: &Value) -> Value {
    let iv: [u8; 16] = STANDARD.decode(message["iv"].as_str().unwrap()).unwrap().try_into().unwrap();
    let mut body = STANDARD.decode(message["body"].as_str().unwrap()).unwrap();
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, key).unwrap()).unwrap();
    let plain = key.decrypt(&mut body, DecryptionContext::Iv128(FixedLength::from(iv))).unwrap();
    serde_json::from_slice(plain).unwrap()
}
