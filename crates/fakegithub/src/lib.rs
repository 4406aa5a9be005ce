//! A GitHub that never existed: every endpoint that a self-hosted-runner gateway speaks to, strict about requests,
//! with a control API to start runs, look inside and make things go wrong. Users' guide: docs/fake-github.md.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use fakegithub::{AppRequest, Config, Lever, Server};
//! let github = Server::start(Config::default()).await?;
//! let app = github.control().create_app(AppRequest::on("acme")).await?;
//! let run = github.control().start_run("repository: acme/demo\njobs: {build: {runs-on: linux}}")?;
//! // … point a gateway at github.base_url(), trusting github.ca_pem() …
//! assert!(github.control().violations().is_empty());
//! github.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! `state` decides and is pure; `http` translates; `shared` owns the state; `server` does I/O.

mod config;
mod control;
mod envelope;
mod fault;
mod http;
mod journal;
mod jwt;
mod keys;
mod lever;
mod pki;
mod rsa;
mod server;
mod settings;
mod shared;
mod state;
mod timespan;
mod workflow;

pub use config::Config;
pub use control::{
    AgentView, Annotation, AppCreated, AppRequest, AttemptView, Control, Decliner, Error as ControlError,
    JobView, LedgerEntry, OfferView, OffersView, RunView, Secret, SessionView, StateView, StepView,
    StoredLog,
};
pub use envelope::Encryption;
pub use fault::{Effect, Fault};
pub use journal::{Request, Violation};
pub use keys::Keys;
pub use lever::{Error as LeverError, Lever, RateForm};
pub use pki::Error as PkiError;
pub use server::{Error, Handle, Server};
pub use settings::{
    AcknowledgedEffect, CancellationTo, DeclinedTo, JitDialect, Repeat, ShouldAcknowledge,
    UnstartedCompletion,
};
pub use state::grants::TokenKind;
pub use workflow::Error as WorkflowError;
