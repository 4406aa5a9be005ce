//! GitHub's wire, and nothing else: requests are built, answers decoded and messages decrypted here,
//! but nothing is sent. No runtime, no clock and no environment; time and identifiers that must be
//! unpredictable are arguments. (The salt of PS256 signatures comes from the crypto library.)
//!
//! Two JSON dialects meet here (protocol §0.5): REST speaks snake_case exactly; the services
//! (broker, run service, the files of a JIT configuration) are read without regard to case.
//!
//! | Module | What |
//! |---|---|
//! | [`url`] | what a configured GitHub URL names, and how addresses are joined |
//! | [`app_jwt`] | the token an App signs for itself |
//! | [`rest`] | api.github.com: installation tokens, runners, runs, `/meta` |
//! | [`jit`] | what is inside a JIT configuration |
//! | [`oauth`] | the runner's own token |
//! | [`broker`], [`message`] | the session that offers jobs, and what it says |
//! | [`run_service`], [`job_message`] | the claim, its renewal, its end, and the claimed job |
//!
//! Every decoder bounds what it reads ([`limits`]), ignores what it does not know, and never panics.

mod any_case;
pub mod app_jwt;
pub mod broker;
pub mod id;
pub mod jit;
pub mod job_message;
pub mod limits;
pub mod message;
pub mod oauth;
mod plain;
mod rate_limit;
mod reply;
pub mod request;
pub mod rest;
pub mod rsa;
pub mod run_service;
pub mod secret;
pub mod timestamp;
pub mod url;

pub use id::{JobId, PlanId, RequestId, RunnerId, SessionId};
pub use rate_limit::RateLimit;
pub use reply::{BodyError, Reply};
pub use secret::{AppJwt, InstallationToken, JitBlob, JobToken, RunnerToken};

#[cfg(test)]
mod fixture;
