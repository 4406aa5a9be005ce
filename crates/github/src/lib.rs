//! The calls to GitHub: what `github-proto` builds is sent here, and what comes back is read there.
//!
//! | Module | What |
//! |---|---|
//! | [`client`] | HTTP over TLS, through a proxy or not, with deadlines and bounded bodies |
//! | [`token`] | the installation's token, always fresh, and what is wrong when it is not |
//! | [`app`] | REST calls with that token: runners, runs, `/meta` |
//! | [`auth`] | one runner's token |
//! | [`session`] | one runner's life at the broker, as a task |
//! | [`run_service`] | claiming a job, renewing its lock, reporting its end |
//! | [`timeouts`] | every wait of this crate, as a value |
//!
//! Nothing here decides about jobs: a session offers, a caller claims.

pub mod app;
pub mod auth;
pub mod client;
pub mod run_service;
#[cfg(test)]
mod scripted;
pub mod session;
pub mod timeouts;
pub mod token;

pub use app::App;
pub use auth::RunnerAuth;
pub use client::{Client, ClientConfig, Proxy};
pub use timeouts::Timeouts;
pub use token::InstallationTokens;
