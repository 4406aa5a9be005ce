//! The classic tier from the App's key to a renewed lock, against the fake GitHub over real TLS.
//! After each test the fake has nothing to object to.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests may end the test"
)]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use fakegithub::{AppRequest, Config, Encryption, Fault, Handle, Keys, Lever, Repeat, Server, TokenKind};
use github::app::{App, Registration};
use github::run_service::{AcquireError, RenewError, acquire, renew};
use github::session::{Command, Event, PollError, Session, SessionConfig};
use github::token::{AppCredentials, CredentialError, CredentialSource, TokenConfig};
use github::{Ambient, Client, ClientConfig, InstallationTokens, RunnerAuth, Timers};
use github_proto::broker::{Architecture, RunnerStatus};
use github_proto::job_message::JobMessage;
use github_proto::message::RunnerJobRequest;
use github_proto::rest::{Deletion, JitRequest, JitRunner, Meta, Rerun, RestErrorKind};
use github_proto::url::Target;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// The fake's and our timers, this much faster than life.
const FACTOR: u32 = 50;

const PATIENCE: Duration = Duration::from_secs(20);

struct Rig {
    fake: Handle,
    client: Client,
    app: App,
    credentials: Given,
    timers: Timers,
    _stop: tokio_util::sync::DropGuard,
}

#[derive(Clone)]
struct Given(Arc<std::sync::Mutex<AppCredentials>>);

impl CredentialSource for Given {
    fn read(&self) -> Result<AppCredentials, CredentialError> {
        Ok(self.0.lock().unwrap().clone())
    }
}

/// Faster, but patient with answers: the machine is not faster.
fn timers() -> Timers {
    let life = Timers::default();
    Timers {
        call_headers: life.call_headers,
        call_total: life.call_total,
        poll_headers: life.call_headers,
        hollow_within: life.hollow_within,
        close: life.close,
        acquire: life.acquire,
        renew: life.renew,
        installation_margin: life.installation_margin,
        installation_wait: life.installation_wait,
        token_margin: life.token_margin,
        ..life.faster(FACTOR)
    }
}

/// Keys for the fakes of all tests: a store for each would make most of its keys for nobody.
static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::distinct(0));

impl Rig {
    async fn start() -> Self {
        let config = Config { time_factor: FACTOR.into(), keys: Some(KEYS.clone()), ..Config::default() };
        let fake = Server::start(config).await.unwrap();
        let created = fake.control().create_app(AppRequest::on("synthetic-org")).await.unwrap();
        let credentials = Given(Arc::new(std::sync::Mutex::new(AppCredentials {
            app_id: created.client_id,
            installation_id: created.installation_id.to_string(),
            private_key: Zeroizing::new(created.private_key.into_bytes()),
        })));
        let client = Client::new(ClientConfig {
            tls: runtime::tls::client_config_only(&[fake.ca_pem().as_bytes()]).unwrap(),
            proxy: None,
            no_proxy: String::new(),
            user_agent: "actions-gateway-test/1".into(),
        })
        .unwrap();
        let target = Target::parse(&format!("{}/synthetic-org", fake.base_url()), false).unwrap();
        let stop = CancellationToken::new();
        let (tokens, _) = InstallationTokens::start(
            TokenConfig {
                client: client.clone(),
                api: target.api.clone(),
                source: Box::new(credentials.clone()),
                ambient: Ambient::system(),
                timers: timers(),
                observer: Arc::new(|_| {}),
            },
            stop.clone(),
        );
        let app = App::new(client.clone(), target, tokens, timers());
        Self { fake, client, app, credentials, timers: timers(), _stop: stop.drop_guard() }
    }

    async fn register(&self, name: &str) -> JitRunner {
        let labels = ["linux".to_owned()];
        let wanted = JitRequest { name, runner_group_id: 1, labels: &labels, work_folder: "_work" };
        match self.app.register(&wanted).await.unwrap() {
            Registration::Registered(runner) => runner,
            Registration::NameTaken => panic!("{name} is taken"),
        }
    }

    async fn auth(&self, name: &str) -> RunnerAuth {
        let runner = self.register(name).await;
        let jit = runner.config().unwrap();
        assert_eq!(jit.runner.id, runner.runner.id);
        RunnerAuth::new(Arc::new(jit), self.client.clone(), Ambient::system(), self.timers.clone())
    }

    fn session(&self, auth: &RunnerAuth) -> Session {
        Session::start(SessionConfig {
            client: self.client.clone(),
            auth: auth.clone(),
            owner: "pod-0".into(),
            version: "2.335.1".into(),
            architecture: Architecture::X64,
            fresh: true,
            status: RunnerStatus::Online,
            ambient: Ambient::system(),
            timers: self.timers.clone(),
        })
    }

    async fn acquire(&self, auth: &RunnerAuth, offer: &RunnerJobRequest) -> Result<JobMessage, AcquireError> {
        let acquired = acquire(&self.client, auth, offer, &Ambient::system(), &self.timers).await?;
        Ok(JobMessage::decode(&acquired).unwrap())
    }

    async fn renew(&self, job: &JobMessage, offer: &RunnerJobRequest) -> Result<(), RenewError> {
        let base = job.connection.url.as_ref().unwrap_or(&offer.run_service_url);
        let token = &job.connection.token;
        let locked = renew(&self.client, base, &job.plan_id, &job.job_id, token, &self.timers).await?;
        assert!(locked.is_some());
        Ok(())
    }

    fn start_run(&self) -> u64 {
        let workflow = "repository: synthetic-org/demo-repo\njobs: {build: {runs-on: linux}}";
        self.fake.control().start_run(workflow).unwrap().run_id
    }

    fn pull(&self, lever: Lever) {
        self.fake.control().pull(lever).unwrap();
    }

    /// How often an endpoint was asked.
    fn count(&self, endpoint: &str) -> usize {
        let requests = self.fake.control().requests(0);
        requests.iter().filter(|it| it.endpoint == Some(endpoint)).count()
    }

    /// Nothing that we sent was against the protocol.
    async fn blameless(self) {
        let violations = self.fake.control().violations();
        assert!(violations.is_empty(), "{violations:#?}");
        self.fake.shutdown().await;
    }
}

/// The next event that is no empty poll.
async fn next(session: &mut Session) -> Event {
    let said = async {
        loop {
            match session.next().await.expect("not over yet") {
                Event::EmptyPoll => {}
                event => return event,
            }
        }
    };
    timeout(PATIENCE, said).await.expect("an event in time")
}

async fn offered(session: &mut Session) -> RunnerJobRequest {
    loop {
        match next(session).await {
            Event::JobOffered { offer, .. } => return offer,
            Event::Listening | Event::PollError(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn last(session: &mut Session) -> String {
    loop {
        let event = next(session).await;
        if event.is_last() {
            return format!("{event:?}");
        }
    }
}

#[tokio::test]
async fn a_job_is_offered_claimed_renewed_and_cancelled() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-blue-0007").await;
    let mut session = rig.session(&auth);
    assert!(matches!(next(&mut session).await, Event::Listening));
    let run = rig.start_run();
    let offer = offered(&mut session).await;
    session.tell(Command::Busy).await;
    let job = rig.acquire(&auth, &offer).await.unwrap();
    assert_eq!(job.github.repository.as_ref().unwrap().to_string(), "synthetic-org/demo-repo");
    assert_eq!(job.github.run_id.map(|it| it.0), Some(run));
    rig.renew(&job, &offer).await.unwrap();

    rig.fake.control().cancel_run(run).unwrap();
    let Event::Cancelled(cancellation) = next(&mut session).await else { panic!() };
    assert_eq!(cancellation.job_id, job.job_id);

    // Nobody stops the job: the run is ended from outside, and the record is consumed with it.
    let repository = job.github.repository.clone().unwrap();
    rig.app.force_cancel(&repository, job.github.run_id.unwrap()).await.unwrap();
    assert!(last(&mut session).await.starts_with("Dead("));
    assert!(matches!(rig.renew(&job, &offer).await, Err(RenewError::Lost(_) | RenewError::Refused(_))));
    assert_eq!(rig.count("B4"), 0, "GitHub drops the session of a consumed record itself");
    rig.blameless().await;
}

#[tokio::test]
async fn messages_may_be_encrypted_in_each_way_signed_with_ps256_and_marked() {
    for mode in [Encryption::PlainKey, Encryption::RsaSha1, Encryption::RsaSha256] {
        let rig = Rig::start().await;
        rig.pull(Lever::EncryptMessages { mode });
        rig.pull(Lever::RequireFips { on: true });
        rig.pull(Lever::ByteOrderMark { on: true });
        let auth = rig.auth("gw-1").await;
        let mut session = rig.session(&auth);
        rig.start_run();
        let offer = offered(&mut session).await;
        rig.acquire(&auth, &offer).await.unwrap();
        rig.blameless().await;
    }
}

#[tokio::test]
async fn an_expired_runner_token_costs_one_more_and_no_session() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    assert!(matches!(next(&mut session).await, Event::Listening));
    rig.pull(Lever::ExpireTokens { kind: TokenKind::Runner });
    rig.start_run();
    offered(&mut session).await;
    assert_eq!((rig.count("B1"), rig.count("O1")), (1, 2));
    rig.blameless().await;
}

#[tokio::test]
async fn an_expired_installation_token_is_replaced_within_the_call() {
    let rig = Rig::start().await;
    rig.register("gw-1").await;
    rig.pull(Lever::ExpireTokens { kind: TokenKind::Installation });
    assert_eq!(rig.app.find_runner("gw-1").await.unwrap().unwrap().name, "gw-1");
    assert_eq!(rig.count("A2"), 2);
    rig.blameless().await;
}

#[tokio::test]
async fn a_rotated_app_key_is_used_without_a_restart() {
    let rig = Rig::start().await;
    rig.register("gw-1").await;
    let id = rig.fake.control().create_app(AppRequest::on("synthetic-org")).await.unwrap();
    let changed = AppCredentials {
        app_id: id.app_id.to_string(),
        installation_id: id.installation_id.to_string(),
        private_key: Zeroizing::new(id.private_key.into_bytes()),
    };
    *rig.credentials.0.lock().unwrap() = changed;
    let minted = async {
        while rig.count("A2") < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, minted).await.unwrap();
    rig.register("gw-2").await;
    rig.blameless().await;
}

#[tokio::test]
async fn a_fresh_registration_is_used_once_it_is_known() {
    let rig = Rig::start().await;
    rig.pull(Lever::OauthPropagation { calls: 3 });
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    assert!(matches!(next(&mut session).await, Event::Listening));
    assert_eq!(rig.count("O1"), 4);
    rig.blameless().await;
}

#[tokio::test]
async fn a_session_left_behind_by_a_crash_is_cleared() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    assert!(matches!(next(&mut session).await, Event::Listening));
    let (_commands, _events, task) = session.split();
    task.abort(); // as SIGKILL does

    let mut successor = rig.session(&auth);
    assert!(matches!(next(&mut successor).await, Event::Listening));
    assert_eq!((rig.count("B1"), rig.count("B4")), (3, 1));
    successor.tell(Command::Close).await;
    assert_eq!(last(&mut successor).await, "Closed");
    assert_eq!(rig.count("B4"), 2);
    assert!(rig.fake.control().state().sessions.is_empty());
    rig.blameless().await;
}

#[tokio::test]
async fn a_consumed_record_is_found_dead() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    assert!(matches!(next(&mut session).await, Event::Listening));
    rig.pull(Lever::ConsumeRecord { agent: "gw-1".into() });
    assert_eq!(last(&mut session).await, "Dead(Hollow)");

    let mut restarted = rig.session(&auth);
    assert!(last(&mut restarted).await.starts_with("Dead("));
    rig.blameless().await;
}

#[tokio::test]
async fn a_dropped_session_is_opened_again() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    assert!(matches!(next(&mut session).await, Event::Listening));
    rig.pull(Lever::DropSession { agent: "gw-1".into() });
    assert!(matches!(next(&mut session).await, Event::Listening));
    rig.start_run();
    offered(&mut session).await;
    rig.blameless().await;
}

#[tokio::test]
async fn a_black_holed_poll_does_not_cost_the_session() {
    let mut rig = Rig::start().await;
    // Longer than the fake's hold, shorter than anyone's patience.
    rig.timers.poll_headers = Duration::from_secs(3);
    let auth = rig.auth("gw-1").await;
    rig.pull(Lever::BlackHolePoll { count: 1, agent: None });
    let mut session = rig.session(&auth);
    assert!(matches!(next(&mut session).await, Event::Listening));
    assert!(matches!(next(&mut session).await, Event::PollError(PollError::Timeout)));
    rig.start_run();
    offered(&mut session).await;
    assert_eq!(rig.count("B1"), 1);
    rig.blameless().await;
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_can_be_made_again() {
    for (answer, ours) in [(Repeat::Same, true), (Repeat::Conflict, false)] {
        let rig = Rig::start().await;
        rig.pull(Lever::RepeatedAcquire { answer, account: None });
        let auth = rig.auth("gw-1").await;
        let mut session = rig.session(&auth);
        rig.start_run();
        let offer = offered(&mut session).await;
        rig.fake.control().fail(Fault {
            effect: fakegithub::Effect::Reset,
            after_commit: true,
            ..Fault::new("X1")
        });
        let lost = rig.acquire(&auth, &offer).await.unwrap_err();
        assert!(matches!(lost, AcquireError::Sent(_)) && lost.may_be_ours(), "{lost:?}");
        assert_eq!(rig.count("X1"), 1, "nothing is repeated that was sent");
        assert_eq!(rig.acquire(&auth, &offer).await.is_ok(), ours, "{answer:?}");
        let busy = rig.app.runner(auth.jit().runner.id).await.unwrap().unwrap().busy;
        assert!(busy, "what a successor asks to tell our lost claim from another's");
        rig.blameless().await;
    }
}

#[tokio::test]
async fn a_name_is_free_again_once_its_runner_is_deleted() {
    let rig = Rig::start().await;
    let first = rig.register("gw-1").await;
    let labels = ["linux".to_owned()];
    let wanted = JitRequest { name: "gw-1", runner_group_id: 1, labels: &labels, work_folder: "_work" };
    assert!(matches!(rig.app.register(&wanted).await.unwrap(), Registration::NameTaken));
    let found = rig.app.find_runner("gw-1").await.unwrap().unwrap();
    assert_eq!(found.id, first.runner.id);
    assert_eq!(rig.app.delete_runner(found.id).await.unwrap(), Deletion::Gone);
    assert_eq!(rig.app.delete_runner(found.id).await.unwrap(), Deletion::Gone);
    rig.register("gw-1").await;
    rig.blameless().await;
}

#[tokio::test]
async fn a_busy_runner_is_not_deleted_and_its_run_not_re_run() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    rig.start_run();
    let offer = offered(&mut session).await;
    let job = rig.acquire(&auth, &offer).await.unwrap();
    assert_eq!(rig.app.delete_runner(auth.jit().runner.id).await.unwrap(), Deletion::Busy);

    let (repository, run) = (job.github.repository.unwrap(), job.github.run_id.unwrap());
    assert_eq!(rig.app.rerun_failed_jobs(&repository, run).await.unwrap(), Rerun::StillRunning);
    rig.app.force_cancel(&repository, run).await.unwrap();
    assert_eq!(rig.app.rerun_failed_jobs(&repository, run).await.unwrap(), Rerun::Accepted);
    let attempt = rig.app.run(&repository, run, None).await.unwrap().unwrap().run_attempt.unwrap();
    assert_eq!(attempt.0, 2);
    assert_eq!(rig.app.run_jobs(&repository, run, attempt).await.unwrap().len(), 1);
    rig.blameless().await;
}

#[tokio::test]
async fn an_old_runner_version_is_refused_for_good() {
    let rig = Rig::start().await;
    rig.pull(Lever::MinimumVersion { version: "2.400.0".into() });
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    assert!(last(&mut session).await.starts_with("Refused(VersionTooOld("));
    rig.blameless().await;
}

#[tokio::test]
async fn a_rate_limit_is_no_reason_to_mint_a_token() {
    let rig = Rig::start().await;
    rig.register("gw-1").await;
    let form = fakegithub::RateForm::Primary403;
    rig.pull(Lever::RateLimit {
        endpoint: "R4".into(),
        account: None,
        form,
        count: 1,
        retry_after: None,
        reset_after: Some(7),
    });
    let error = rig.app.find_runner("gw-1").await.unwrap_err();
    assert!(matches!(error.kind(), Some(RestErrorKind::RateLimited(_))), "{error:?}");
    assert_eq!((rig.count("A2"), rig.count("R4")), (1, 1));
    rig.blameless().await;
}

#[tokio::test]
async fn unchanged_ranges_are_told_in_one_word() {
    let rig = Rig::start().await;
    let api = &rig.app.target().api;
    let first = github::app::meta(&rig.client, api, None, &rig.timers).await.unwrap();
    let Meta::Ranges { etag: Some(etag), ranges } = first else { panic!("{first:?}") };
    assert!(ranges.actions.is_some());
    let again = github::app::meta(&rig.client, api, Some(&etag), &rig.timers).await.unwrap();
    assert_eq!(again, Meta::NotModified);
    rig.blameless().await;
}
