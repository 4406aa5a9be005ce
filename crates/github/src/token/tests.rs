use std::sync::{Arc, Mutex};
use std::time::Duration;

use github_proto::rest::JitRequest;
use github_proto::url::{ApiBase, Target};
use runtime::backoff::Backoff;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::{
    AppCredentials, CredentialError, CredentialFiles, CredentialSource, InstallationTokens, TokenConfig,
    TokenFailure,
};
use crate::scripted::{Answer, Scripted, answer, client, clock, fake_key, timeouts};
use crate::{App, Timeouts};

/// Longer than any test.
const SLOW: Backoff =
    Backoff::Doubling { first: Duration::from_secs(120), longest: Duration::from_secs(120) };

const MINT: &str = "POST /app/installations/7/access_tokens";

fn token(name: &str, minutes: i64) -> Answer {
    let expires = clock().now() + jiff::SignedDuration::from_mins(minutes);
    answer(201, format!(r#"{{"token":"{name}","expires_at":"{expires}"}}"#))
}

/// Credentials a test can change.
#[derive(Clone)]
struct Given(Arc<Mutex<Result<AppCredentials, CredentialError>>>);

impl Given {
    fn good() -> Self {
        let credentials = AppCredentials {
            app_id: "Iv23FAKE".into(),
            installation_id: "7".into(),
            private_key: Zeroizing::new(fake_key().into_bytes()),
        };
        Self(Arc::new(Mutex::new(Ok(credentials))))
    }

    fn set(&self, credentials: Result<AppCredentials, CredentialError>) {
        *self.0.lock().unwrap() = credentials;
    }

    fn get(&self) -> Result<AppCredentials, CredentialError> {
        self.0.lock().unwrap().clone()
    }
}

impl CredentialSource for Given {
    fn read(&self) -> Result<AppCredentials, CredentialError> {
        self.get()
    }
}

/// The token task with its surroundings.
struct Rig {
    server: Scripted,
    source: Given,
    tokens: InstallationTokens,
    attempts: Arc<Mutex<Vec<Result<(), TokenFailure>>>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

async fn rig(answers: Vec<Answer>, source: Given, timeouts: Timeouts) -> Rig {
    let server = Scripted::start([(MINT, answers)]).await;
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&attempts);
    let stop = CancellationToken::new();
    let (tokens, task) = InstallationTokens::start(
        TokenConfig {
            client: client(),
            api: ApiBase::parse(&server.url("/")).unwrap(),
            source: Box::new(source.clone()),
            clock: clock(),
            timeouts,
            observer: Arc::new(move |outcome| seen.lock().unwrap().push(outcome)),
        },
        stop.clone(),
    );
    Rig { server, source, tokens, attempts, stop, task }
}

fn lasting() -> Timeouts {
    Timeouts { installation_margin: Duration::from_secs(300), ..timeouts() }
}

#[tokio::test]
async fn one_token_serves_all_calls_until_it_is_refused() {
    let rig = rig(vec![token("one", 60), token("two", 60)], Given::good(), lasting()).await;
    let first = rig.tokens.get().await.unwrap();
    assert_eq!(first, rig.tokens.get().await.unwrap());
    assert_eq!(rig.server.count(MINT), 1);

    let (a, b) = tokio::join!(rig.tokens.replace(&first), rig.tokens.replace(&first));
    assert_eq!(a.unwrap(), b.unwrap());
    assert_eq!(rig.server.count(MINT), 2, "two callers that saw one refusal ask for one token");
    assert_eq!(*rig.attempts.lock().unwrap(), [Ok(()), Ok(())]);
}

#[tokio::test]
async fn a_replacement_that_is_refused_as_well_waits_its_turn() {
    let patient = Timeouts { installation_floor: Duration::from_secs(60), ..lasting() };
    let rig = rig(vec![token("one", 60), token("two", 60), token("three", 60)], Given::good(), patient).await;
    let first = rig.tokens.get().await.unwrap();
    let second = rig.tokens.replace(&first).await.unwrap();
    let error = rig.tokens.replace(&second).await.unwrap_err();
    assert_eq!(error.failure(), TokenFailure::TokenRefused);
    assert_eq!(rig.server.count(MINT), 2);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let rig = rig(vec![token("one", 4), token("two", 60)], Given::good(), lasting()).await;
    let first = rig.tokens.get().await.unwrap();
    rig.server.until(MINT, 2).await;
    let mut watch = rig.tokens.watch();
    watch.wait_for(|state| state.token().is_some_and(|token| *token != first)).await.unwrap();
}

#[tokio::test]
async fn an_old_token_is_served_while_a_new_one_is_refused() {
    let rig = rig(vec![token("one", 4), answer(503, "")], Given::good(), lasting()).await;
    let first = rig.tokens.get().await.unwrap();
    rig.server.until(MINT, 3).await;
    assert_eq!(rig.tokens.get().await.unwrap(), first);
    let state = rig.tokens.watch().borrow().clone();
    assert_eq!(state.failure().map(|it| it.0), Some(TokenFailure::GitHubUnreachable));
}

async fn failure(answers: Vec<Answer>, source: Given) -> (TokenFailure, String) {
    let rig = rig(answers, source, lasting()).await;
    let error = rig.tokens.get().await.unwrap_err();
    (error.failure(), error.to_string())
}

#[tokio::test]
async fn each_failure_has_its_class() {
    let class = |answers| async { failure(answers, Given::good()).await.0 };
    assert_eq!(class(vec![answer(401, "")]).await, TokenFailure::TokenRefused);
    assert_eq!(class(vec![answer(403, "suspended")]).await, TokenFailure::TokenRefused);
    assert_eq!(class(vec![answer(404, "")]).await, TokenFailure::TokenRefused);
    assert_eq!(class(vec![answer(422, "")]).await, TokenFailure::TokenRefused);
    assert_eq!(class(vec![answer(502, "")]).await, TokenFailure::GitHubUnreachable);
    assert_eq!(class(vec![answer(403, "").with("retry-after", "60")]).await, TokenFailure::GitHubUnreachable);
    assert_eq!(class(vec![answer(201, "{\"token\"")]).await, TokenFailure::GitHubUnreachable);
}

#[tokio::test]
async fn credentials_that_cannot_be_used_say_which_part() {
    let with = |change: fn(&mut AppCredentials)| async move {
        let source = Given::good();
        let mut credentials = source.get().unwrap();
        change(&mut credentials);
        source.set(Ok(credentials));
        failure(vec![token("one", 60)], source).await
    };
    let (class, text) = with(|it| it.installation_id = "many".into()).await;
    assert_eq!((class, text.contains("installationId")), (TokenFailure::SecretMalformed, true), "{text}");
    let (class, text) = with(|it| it.private_key = Zeroizing::new(b"no key".to_vec())).await;
    assert_eq!((class, text.contains("privateKey")), (TokenFailure::SecretMalformed, true), "{text}");

    let source = Given::good();
    source.set(Err(CredentialError::Missing("appId")));
    assert_eq!(failure(vec![], source).await.0, TokenFailure::SecretNotFound);
}

#[tokio::test]
async fn a_bad_signature_is_tried_once_more_and_no_further() {
    let patient = Timeouts { installation_backoff: SLOW, ..lasting() };
    let rig = rig(vec![answer(401, "")], Given::good(), patient).await;
    assert!(rig.tokens.get().await.is_err());
    assert_eq!(rig.server.count(MINT), 2);
}

#[tokio::test]
async fn changed_files_are_used_at_once() {
    let patient = Timeouts { installation_backoff: SLOW, ..lasting() };
    let source = Given::good();
    let good = source.get();
    source.set(Err(CredentialError::Missing("privateKey")));
    let rig = rig(vec![token("one", 60), token("two", 60)], source, patient).await;
    assert!(rig.tokens.get().await.is_err());
    rig.source.set(good.clone());
    let mut watch = rig.tokens.watch();
    let token = watch.wait_for(|state| state.token().is_some()).await.unwrap().token().cloned();
    assert_eq!(rig.tokens.get().await.unwrap(), token.unwrap());

    let mut other = good.unwrap();
    other.app_id = "Iv23OTHER".into();
    rig.source.set(Ok(other));
    rig.server.until(MINT, 2).await;
}

#[tokio::test]
async fn the_task_ends_when_told() {
    let rig = rig(vec![Answer::Hang], Given::good(), lasting()).await;
    rig.server.until(MINT, 1).await;
    rig.stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), rig.task).await.unwrap().unwrap();
    assert!(rig.tokens.get().await.is_err());
}

#[tokio::test]
async fn a_call_with_a_refused_token_is_made_once_more() {
    let rig = rig(vec![token("one", 60), token("two", 60)], Given::good(), lasting()).await;
    let register = "POST /api/v3/orgs/synthetic-org/actions/runners/generate-jitconfig";
    rig.server.set(register, vec![answer(401, ""), answer(409, "")]);
    let target = Target::parse(&rig.server.url("/synthetic-org"), false).unwrap();
    let app = App::new(client(), target, rig.tokens.clone(), lasting());
    rig.tokens.get().await.unwrap();

    let wanted = JitRequest { name: "gw", runner_group_id: 1, labels: &[], work_folder: "_work" };
    let registered = app.register(&wanted).await.unwrap();
    assert!(matches!(registered, crate::app::Registration::NameTaken), "{registered:?}");
    let tokens: Vec<_> = rig
        .server
        .seen()
        .iter()
        .filter(|it| it.call == register)
        .map(|it| it.headers["authorization"].clone())
        .collect();
    assert_eq!(tokens, ["Bearer one", "Bearer two"]);
}

#[test]
fn files_are_read_with_or_without_a_newline() {
    let folder = tempfile::tempdir().unwrap();
    let files = CredentialFiles::new(folder.path());
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();

    assert_eq!(files.read(), Err(CredentialError::Missing("appId")));
    write("appId", "12345\n");
    write("installationId", " 7 ");
    write("privateKey", "");
    assert_eq!(files.read(), Err(CredentialError::Missing("privateKey")));
    write("privateKey", "-----BEGIN");
    let read = files.read().unwrap();
    assert_eq!((read.app_id.as_str(), read.installation_id.as_str()), ("12345", "7"));
    assert!(!format!("{read:?}").contains("BEGIN"));
    write("appId", "two words");
    assert_eq!(files.read(), Err(CredentialError::Malformed("appId")));
}
