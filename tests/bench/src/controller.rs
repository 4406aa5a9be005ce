//! Programs under measurement, as a pod would run them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::github::{ACCOUNT, GitHub, free_port};
use crate::process::Process;
use crate::world::{NAMESPACE, World};

/// A start that takes longer has failed.
const START: Duration = Duration::from_secs(60);
/// The probe is asked this often; it is as exact as that.
const PROBE: Duration = Duration::from_millis(2);
/// A pod's grace.
const STOP: Duration = Duration::from_secs(30);

/// Arguments that name the ports of metrics and probes.
type Ports = fn(u16, u16) -> Vec<String>;

/// How to start a controller.
pub struct Installation {
    program: PathBuf,
    kubeconfig: PathBuf,
    env: BTreeMap<String, String>,
    log: PathBuf,
    ports: Ports,
}

/// A running controller.
pub struct Controller {
    /// The process.
    pub process: Process,
    /// Just before it was started.
    pub started: Timestamp,
    probes: u16,
}

impl Installation {
    /// A tenant's controller; writes what the manager would mount into `dir`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(program: &Path, world: &World, github: &GitHub, dir: &Path, log: &Path) -> Result<Self> {
        let credentials = dir.join(format!("{}-app", world.name));
        fs::create_dir_all(&credentials)?;
        fs::write(credentials.join("appId"), &github.app.client_id)?;
        fs::write(credentials.join("installationId"), github.app.installation_id.to_string())?;
        fs::write(credentials.join("privateKey"), &github.app.private_key)?;
        let ca = dir.join(format!("{}-github-ca.pem", world.name));
        fs::write(&ca, &github.ca_pem)?;
        let url = format!("{}/{ACCOUNT}", github.base);
        let (credentials, ca) = (credentials.display().to_string(), ca.display().to_string());
        let env = [
            ("POD_NAME", "controller-0"),
            ("POD_NAMESPACE", NAMESPACE),
            ("POD_UID", "0"),
            ("GATEWAY_NAME", "bench"),
            ("GITHUB_URL", &url),
            ("GITHUB_CREDENTIALS_DIR", &credentials),
            ("GITHUB_APP_SECRET_NAME", "github-app"),
            ("GITHUB_CA_FILE", &ca),
            ("WORKER_SERVICE_ACCOUNT", "actions-gateway-worker"),
            ("WORKER_IMAGE", "localhost/runner:bench"),
            ("WRAPPER_IMAGE", "localhost/worker:bench"),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let ports: Ports =
            |metrics, probes| vec![format!("--metrics-port={metrics}"), format!("--health-port={probes}")];
        Ok(Self::of(program, world, env, log, ports))
    }

    /// Any program with probes that takes a kubeconfig.
    pub fn of(
        program: &Path,
        world: &World,
        env: BTreeMap<String, String>,
        log: &Path,
        ports: Ports,
    ) -> Self {
        Self {
            program: program.to_owned(),
            kubeconfig: world.kubeconfig.clone(),
            env,
            log: log.to_owned(),
            ports,
        }
    }

    /// Starts a controller.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(&self) -> Result<Controller> {
        let (metrics, probes) = (free_port()?, free_port()?);
        let mut args = vec![format!("--kubeconfig={}", self.kubeconfig.display())];
        args.extend((self.ports)(metrics, probes));
        let started = Timestamp::now();
        Ok(Controller {
            process: Process::start(&self.program, &args, &self.env, &self.log)?,
            started,
            probes,
        })
    }
}

impl Controller {
    /// Waits until the probe says ready; returns when that was.
    ///
    /// # Errors
    /// It ends, or is not ready in time.
    pub async fn ready(&mut self) -> Result<Timestamp> {
        let waiting = async {
            while !probe(self.probes).await.unwrap_or(false) {
                self.process.check()?;
                sleep(PROBE).await;
            }
            Ok(Timestamp::now())
        };
        timeout(START, waiting).await.context("the controller was not ready in time")?
    }

    /// SIGTERM, and the time until it has ended, in milliseconds.
    ///
    /// # Errors
    /// It does not end well.
    pub async fn stop(self) -> Result<f64> {
        let asked = Timestamp::now();
        self.process.stop(STOP).await?;
        Ok(crate::figures::millis(asked, Timestamp::now()))
    }
}

async fn probe(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /readyz HTTP/1.0\r\nHost: bench\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.0 200") || answer.starts_with(b"HTTP/1.1 200"))
}
