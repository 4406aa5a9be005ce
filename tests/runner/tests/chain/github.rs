//! The tenant's controller in miniature: from an App's key to a claimed job, with the gateway's own calls.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fakegithub::{AppRequest, Config, Handle, RunView, Server};
use github::app::Registration;
use github::session::{Command, Event, Session, SessionConfig};
use github::token::{CredentialFiles, TokenConfig};
use github::{App, Client, ClientConfig, InstallationTokens, RunnerAuth, Timeouts, run_service};
use github_proto::broker::{Architecture, RunnerStatus};
use github_proto::jit::JitConfig;
use github_proto::rest::JitRequest;
use github_proto::url::Target;
use runtime::clock::Clock;
use tokio_util::sync::CancellationToken;

/// Bounds every wait of these tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// GitHub, with an App that is installed.
pub struct GitHub {
    pub server: Handle,
    client: Client,
    app: App,
}

/// A claimed job.
pub struct Claimed {
    pub message: Vec<u8>,
    pub jit: String,
    /// Ends when it is dropped.
    _session: Session,
}

impl GitHub {
    pub async fn start(folder: &Path) -> GitHub {
        let server = Server::start(Config { distinct_keys: 1, ..Config::default() }).await.unwrap();
        let created = server.control().create_app(AppRequest::on("acme")).await.unwrap();
        fs::write(folder.join("appId"), created.app_id.to_string()).unwrap();
        fs::write(folder.join("installationId"), created.installation_id.to_string()).unwrap();
        fs::write(folder.join("privateKey"), created.private_key).unwrap();

        let client = Client::new(ClientConfig {
            tls: runtime::tls::client_config_only(&[server.ca_pem().as_bytes()]).unwrap(),
            proxy: None,
            no_proxy: String::new(),
            user_agent: "chain-test".into(),
        });
        let client = client.unwrap();
        let target = Target::parse(&format!("{}/acme", server.base_url()), true).unwrap();
        let (tokens, _task) = InstallationTokens::start(
            TokenConfig {
                client: client.clone(),
                api: target.api.clone(),
                source: Box::new(CredentialFiles::new(folder)),
                clock: Clock::system(),
                timeouts: Timeouts::default(),
                observer: Arc::new(|_| {}),
            },
            CancellationToken::new(),
        );
        let app = App::new(client.clone(), target, tokens, Timeouts::default());
        GitHub { server, client, app }
    }

    /// Starts a run and claims its only job.
    pub async fn claim(&self, workflow: &str) -> (RunView, Claimed) {
        let run = self.server.control().start_run(workflow).unwrap();
        let labels = ["self-hosted", "linux"].map(str::to_owned);
        let wanted =
            JitRequest { name: "runner-0", runner_group_id: 1, labels: &labels, work_folder: "_work" };
        let Registration::Registered(runner) = self.app.register(&wanted).await.unwrap() else {
            panic!("the name is taken");
        };
        let jit = runner.blob.expose().to_owned();
        let config = Arc::new(JitConfig::decode(&jit, None).unwrap());
        let auth = RunnerAuth::new(config, self.client.clone(), Clock::system(), Timeouts::default());
        let mut session = Session::start(SessionConfig {
            client: self.client.clone(),
            auth: auth.clone(),
            owner: "chain-test".into(),
            version: "2.337.0".into(),
            architecture: Architecture::X64,
            fresh: true,
            status: RunnerStatus::Online,
            clock: Clock::system(),
            timeouts: Timeouts::default(),
        });
        let offer = wait_for(&mut session, |event| match event {
            Event::JobOffered { offer, .. } => Some(offer),
            _ => None,
        });
        let offer = offer.await;
        let (clock, timeouts) = (Clock::system(), Timeouts::default());
        let claim = run_service::acquire(&self.client, &auth, &offer, &clock, &timeouts).await;
        let message = claim.unwrap().message.to_vec();
        session.tell(Command::Busy).await;
        (run, Claimed { message, jit, _session: session })
    }

    /// The run once it is over, and its job's log.
    pub async fn result(&self, run: u64) -> (RunView, String) {
        let control = self.server.control();
        let run = control.wait_for_run(run, PATIENCE, |it| it.status == "completed").await.unwrap();
        let log = control.job_log(run.run_id, run.jobs[0].id).unwrap();
        (run, log)
    }
}

/// The first event of a session that is looked for.
async fn wait_for<T>(session: &mut Session, wanted: impl Fn(Event) -> Option<T>) -> T {
    let search = async {
        loop {
            let event = session.next().await.unwrap();
            assert!(!event.is_last(), "the session is over: {event:?}");
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, search).await.unwrap()
}
