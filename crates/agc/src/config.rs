//! What was decided from arguments and environment.

use api::actions_gateway::{NeverStarted, SecurityProfile};
use api::names;
use api::priority::PriorityClasses;
use std::collections::BTreeMap;
use std::sync::Arc;

use ::github::{ClientConfig, Proxy};
use github_proto::broker::Architecture;
use github_proto::url::{Target, UrlError};
use handoff::EnvError;
use handoff::agc::AgcEnv;
use handoff::proxy::ClientEnv;

use crate::pod::build::Platform;

/// Everything that `main` needs to build the controller.
#[derive(Debug, Clone)]
pub struct Config {
    /// What the manager wrote.
    pub env: AgcEnv,
    /// What `env.github_url` names.
    pub target: Target,
    /// What is the same for all workers.
    pub platform: Platform,
    /// How traffic is led through the egress proxy.
    pub proxy: ClientEnv,
    /// What is done at GitHub about a claimed job that can never start.
    pub never_started: NeverStarted,
    /// The processor of the workers: ours, since a gateway's pods share their node pool.
    pub architecture: Architecture,
}

/// The environment makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A variable is missing or malformed.
    #[error("the environment cannot be used")]
    Env(#[source] EnvError),
    /// The GitHub address is none.
    #[error("GITHUB_URL cannot be used")]
    GitHubUrl(#[source] UrlError),
    /// The profile is none.
    #[error("SECURITY_PROFILE: {0:?} is not restricted, baseline or privileged")]
    Profile(String),
    /// What is to be done about jobs that never start is neither.
    #[error("NEVER_STARTED: {0:?} is not CompleteJob or ForceCancel")]
    NeverStarted(String),
    /// The group's number is none.
    #[error("GITHUB_RUNNER_GROUP_ID: {0} is not a runner group")]
    RunnerGroup(i64),
    /// A CA file cannot be read.
    #[error("failed to read {file}")]
    CaFile {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A CA file is none.
    #[error("failed to set up TLS")]
    Tls(#[source] runtime::tls::Error),
}

impl Config {
    /// Decides.
    ///
    /// # Errors
    /// [`Error`] names the variable.
    pub fn from_env(variables: &BTreeMap<String, String>) -> Result<Self, Error> {
        let env = AgcEnv::from_env(variables).map_err(Error::Env)?;
        let force_ghes = variables.contains_key("GITHUB_ACTIONS_FORCE_GHES");
        let proxy = ClientEnv::from_env(variables);
        let profile: SecurityProfile =
            env.security_profile.parse().map_err(|_| Error::Profile(env.security_profile.clone()))?;
        let never_started =
            env.never_started.parse().map_err(|_| Error::NeverStarted(env.never_started.clone()))?;
        if env.runner_group_id < 1 {
            return Err(Error::RunnerGroup(env.runner_group_id));
        }
        Ok(Self {
            target: Target::parse(&env.github_url, force_ghes).map_err(Error::GitHubUrl)?,
            platform: Platform {
                namespace: env.pod_namespace.clone(),
                gateway: env.gateway_name.clone(),
                worker_image: env.worker_image.clone(),
                wrapper_image: env.wrapper_image.clone(),
                service_account: env.worker_service_account.clone(),
                profile,
                app_secret: env.app_secret.clone(),
                priority_classes: PriorityClasses::parse(
                    &env.allowed_priority_classes,
                    &env.reserved_priority_classes,
                ),
                // A worker has the CA mounted from the ConfigMap, not from where we have it.
                proxy: ClientEnv { ca_file: None, ..proxy.clone() }.to_env(),
                proxy_ca: proxy.ca_file.as_ref().map(|_| names::TRUST.to_owned()),
                github_ca: env.github_ca_config_map.clone(),
            },
            proxy,
            never_started,
            architecture: if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X64 },
            env,
        })
    }

    /// How GitHub is reached: its own CA beside the public ones, the proxy's alone.
    ///
    /// # Errors
    /// A CA file that is not what it should be.
    pub fn github_client(&self) -> Result<ClientConfig, Error> {
        let github_ca = self.env.github_ca_file.as_ref().map(|it| read(it)).transpose()?;
        let roots: Vec<&[u8]> = github_ca.iter().map(Vec::as_slice).collect();
        let tls = runtime::tls::client_config(&roots).map_err(Error::Tls)?;
        Ok(ClientConfig {
            proxy: self.proxy_to_github(&tls)?,
            tls,
            no_proxy: self.proxy.none.clone().unwrap_or_default(),
            user_agent: format!("actions-gateway-agc/{}", runtime::version::VERSION),
        })
    }

    fn proxy_to_github(&self, tls: &Arc<rustls::ClientConfig>) -> Result<Option<Proxy>, Error> {
        let Some(uri) = self.proxy.https.clone() else { return Ok(None) };
        let tls = match &self.proxy.ca_file {
            Some(file) => {
                let pem = read(file)?;
                runtime::tls::client_config_only(&[&pem]).map_err(Error::Tls)?
            }
            None => tls.clone(),
        };
        Ok(Some(Proxy { uri, tls }))
    }
}

fn read(file: &str) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(|source| Error::CaFile { file: file.to_owned(), source })
}

#[cfg(test)]
mod tests;
