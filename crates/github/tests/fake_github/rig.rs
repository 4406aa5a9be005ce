//! A fake GitHub, an App at it, and what the tests do with both.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use fakegithub::{AppRequest, Config, Handle, Keys, Lever, Server};
use github::app::{App, Registration};
use github::run_service::{AcquireError, RenewError, acquire, renew};
use github::session::{Event, Session, SessionConfig};
use github::token::{AppCredentials, CredentialError, CredentialSource, TokenConfig};
use github::{Client, ClientConfig, InstallationTokens, RunnerAuth, Timeouts};
use github_proto::broker::{Architecture, RunnerStatus};
use github_proto::job_message::JobMessage;
use github_proto::message::RunnerJobRequest;
use github_proto::rest::{JitRequest, JitRunner};
use github_proto::url::Target;
use runtime::clock::Clock;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// The fake's times and ours, this much faster than life.
const FACTOR: u32 = 50;

/// A version that the fake serves.
pub const VERSION: &str = "2.337.0";

pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Rig {
    pub fake: Handle,
    pub client: Client,
    pub app: App,
    pub credentials: Given,
    pub timeouts: Timeouts,
    _stop: tokio_util::sync::DropGuard,
}

#[derive(Clone)]
pub struct Given(pub Arc<std::sync::Mutex<AppCredentials>>);

impl CredentialSource for Given {
    fn read(&self) -> Result<AppCredentials, CredentialError> {
        Ok(self.0.lock().unwrap().clone())
    }
}

/// Faster, but patient with answers: the machine is not faster.
pub fn timeouts() -> Timeouts {
    let life = Timeouts::default();
    Timeouts {
        call_headers: life.call_headers,
        call_total: life.call_total,
        poll_headers: life.call_headers,
        hollow_within: life.hollow_within,
        close: life.close,
        acquire: life.acquire,
        renew: life.renew,
        complete: life.complete,
        acknowledge: life.acknowledge,
        installation_margin: life.installation_margin,
        installation_wait: life.installation_wait,
        token_margin: life.token_margin,
        ..life.faster(FACTOR)
    }
}

/// Keys for the fakes of all tests: a store for each would make most of its keys for nobody.
static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::distinct(0));

impl Rig {
    pub async fn start() -> Self {
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
                clock: Clock::system(),
                timeouts: timeouts(),
                observer: Arc::new(|_| {}),
            },
            stop.clone(),
        );
        let app = App::new(client.clone(), target, tokens, timeouts());
        Self { fake, client, app, credentials, timeouts: timeouts(), _stop: stop.drop_guard() }
    }

    pub async fn register(&self, name: &str) -> JitRunner {
        let labels = ["linux".to_owned()];
        let wanted = JitRequest { name, runner_group_id: 1, labels: &labels, work_folder: "_work" };
        match self.app.register(&wanted).await.unwrap() {
            Registration::Registered(runner) => runner,
            Registration::NameTaken => panic!("{name} is taken"),
        }
    }

    pub async fn auth(&self, name: &str) -> RunnerAuth {
        let runner = self.register(name).await;
        let jit = runner.config().unwrap();
        assert_eq!(jit.runner.id, runner.runner.id);
        RunnerAuth::new(Arc::new(jit), self.client.clone(), Clock::system(), self.timeouts.clone())
    }

    pub fn session(&self, auth: &RunnerAuth) -> Session {
        self.session_of(VERSION, RunnerStatus::Online, auth)
    }

    pub fn session_of(&self, version: &str, status: RunnerStatus, auth: &RunnerAuth) -> Session {
        Session::start(SessionConfig {
            client: self.client.clone(),
            auth: auth.clone(),
            owner: "pod-0".into(),
            version: version.into(),
            architecture: Architecture::X64,
            fresh: true,
            status,
            clock: Clock::system(),
            timeouts: self.timeouts.clone(),
        })
    }

    pub async fn acquire(
        &self,
        auth: &RunnerAuth,
        offer: &RunnerJobRequest,
    ) -> Result<JobMessage, AcquireError> {
        let acquired = acquire(&self.client, auth, offer, &Clock::system(), &self.timeouts).await?;
        Ok(JobMessage::decode(&acquired).unwrap())
    }

    pub async fn renew(&self, job: &JobMessage, offer: &RunnerJobRequest) -> Result<(), RenewError> {
        let base = job.connection.url.as_ref().unwrap_or(&offer.run_service_url);
        let token = &job.connection.token;
        let locked = renew(&self.client, base, &job.plan_id, &job.job_id, token, &self.timeouts).await?;
        assert!(locked.is_some());
        Ok(())
    }

    pub fn start_run(&self) -> u64 {
        let workflow = "repository: synthetic-org/demo-repo\njobs: {build: {runs-on: linux}}";
        self.fake.control().start_run(workflow).unwrap().run_id
    }

    pub fn pull(&self, lever: Lever) {
        self.fake.control().pull(lever).unwrap();
    }

    /// How often an endpoint was asked.
    pub fn count(&self, endpoint: &str) -> usize {
        let requests = self.fake.control().requests(0);
        requests.iter().filter(|it| it.endpoint == Some(endpoint)).count()
    }

    /// Nothing that we sent was against the protocol.
    pub async fn blameless(self) {
        let violations = self.fake.control().violations();
        assert!(violations.is_empty(), "{violations:#?}");
        self.fake.shutdown().await;
    }
}

/// The next event that is no empty poll.
pub async fn next(session: &mut Session) -> Event {
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

pub async fn offered(session: &mut Session) -> RunnerJobRequest {
    loop {
        match next(session).await {
            Event::JobOffered { offer, .. } => return offer,
            Event::Listening | Event::Answered | Event::PollError(..) => {}
            other => panic!("{other:?}"),
        }
    }
}

pub async fn last(session: &mut Session) -> String {
    loop {
        let event = next(session).await;
        if event.is_last() {
            return format!("{event:?}");
        }
    }
}
