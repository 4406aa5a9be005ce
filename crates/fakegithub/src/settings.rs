//! What can be turned while the server runs: timers, token lives, and the choices the protocol leaves open.

mod choices;
mod scoped;

pub use choices::{
    AcknowledgedEffect, CancellationTo, DeclinedTo, JitDialect, ShouldAcknowledge, UnstartedCompletion,
};
pub(crate) use choices::{Cancellation, Choices, Declined};

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::envelope::Encryption;
use crate::state::versions::Versions;

/// The server's timers, unscaled. Values and their sources: protocol §0.8.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Timers {
    /// Every timer below is divided by this.
    pub(crate) factor: f64,
    pub(crate) poll_hold: SignedDuration,
    /// How long until an offer that nobody claimed is delivered again (protocol §4.4).
    pub(crate) redelivery: SignedDuration,
}

impl Timers {
    pub(crate) fn scaled(&self, unscaled: SignedDuration) -> SignedDuration {
        SignedDuration::try_from_secs_f64(unscaled.as_secs_f64() / self.factor).unwrap_or(unscaled)
    }

    /// How long a poll waits for a message.
    pub(crate) fn hold(&self) -> SignedDuration {
        self.scaled(self.poll_hold)
    }

    /// How long an offer can be claimed after it was last delivered.
    pub(crate) fn window(&self) -> SignedDuration {
        self.scaled(SignedDuration::from_mins(2))
    }

    /// What a claim and each renewal add to the lock.
    pub(crate) fn lock(&self) -> SignedDuration {
        self.scaled(SignedDuration::from_mins(10))
    }

    /// How long a claimed job may take to start.
    pub(crate) fn start(&self) -> SignedDuration {
        self.scaled(SignedDuration::from_mins(15))
    }

    /// How long a cancelled job may take to end (protocol §5.6).
    pub(crate) fn grace(&self) -> SignedDuration {
        self.scaled(SignedDuration::from_mins(5))
    }

    /// How long a session lives without a poll.
    pub(crate) fn session(&self) -> SignedDuration {
        self.scaled(SignedDuration::from_mins(5))
    }

    /// How long a runner record lives that never opened a session, and a job that no runner takes.
    pub(crate) fn day(&self) -> SignedDuration {
        self.scaled(SignedDuration::from_hours(24))
    }

    /// The age at which a run can no longer be run again.
    pub(crate) fn rerun_age(&self) -> SignedDuration {
        self.scaled(SignedDuration::from_hours(24 * 30))
    }

    /// The window of a primary rate limit.
    pub(crate) fn rate_window(&self) -> SignedDuration {
        self.scaled(SignedDuration::from_hours(1))
    }
}

/// How long freshly minted tokens live. Not scaled: clients compare these dates with fixed margins of their own.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lives {
    pub(crate) installation: SignedDuration,
    pub(crate) registration: SignedDuration,
    pub(crate) runner: SignedDuration,
    pub(crate) job: SignedDuration,
}

/// What a repeated claim by the claimant is answered (protocol §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Repeat {
    /// The same answer again.
    #[serde(rename = "200")]
    Same,
    /// `409`, though the job is the caller's.
    #[serde(rename = "409")]
    Conflict,
}

/// All that the levers turn.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    pub(crate) timers: Timers,
    pub(crate) lives: Lives,
    /// What the server's clock shows beyond the machine's.
    pub(crate) clock_offset: SignedDuration,
    /// To how many idle sessions one job is offered.
    pub(crate) fan_out: usize,
    /// Whether a sibling offer can be claimed after another one was (protocol §4.4 says that it can).
    pub(crate) siblings_claim: bool,
    /// Whether sibling offers share one request id.
    pub(crate) equal_request_ids: bool,
    pub(crate) repeated_acquire: Repeat,
    /// The same, by account in lower case.
    pub(crate) repeated_acquire_by: BTreeMap<String, Repeat>,
    /// Labels that no runner is registered with.
    pub(crate) refused_labels: BTreeSet<String>,
    /// Whether `jobId` may be the request id in renew and complete.
    pub(crate) request_id_as_job_id: bool,
    pub(crate) encryption: Encryption,
    /// Whether new runner records demand PS256 (`requireFipsCryptography`).
    pub(crate) fips: bool,
    /// How many token calls of a new record fail with "registration not found".
    pub(crate) propagation_calls: u32,
    /// How many empty answers a session gets after its record was consumed.
    pub(crate) empty_polls: u32,
    pub(crate) versions: Versions,
    /// Whether job messages lack their `SystemVssConnection`.
    pub(crate) strip_connection: bool,
    /// Whether JSON bodies start with a byte order mark.
    pub(crate) byte_order_mark: bool,
    /// Whether bodies are sent in chunks, without a length.
    pub(crate) chunked: bool,
    /// Whether the bases of broker and run service end with a slash.
    pub(crate) trailing_slash: bool,
    /// Characters of an installation token behind its prefix.
    pub(crate) token_length: usize,
    /// Requests an hour, for each installation, App or address.
    pub(crate) rate_limit: u64,
    #[serde(flatten)]
    pub(crate) choices: Choices,
    /// Long, and to be seen at `/meta`.
    #[serde(skip)]
    pub(crate) meta: Value,
}

impl Settings {
    /// What a server starts with.
    pub(crate) fn new(factor: f64, poll_hold: SignedDuration) -> Self {
        Self {
            timers: Timers { factor, poll_hold, redelivery: SignedDuration::from_secs(1) },
            lives: Lives {
                installation: SignedDuration::from_hours(1),
                registration: SignedDuration::from_hours(1),
                runner: SignedDuration::from_mins(50),
                job: SignedDuration::from_hours(24 * 5),
            },
            clock_offset: SignedDuration::ZERO,
            fan_out: 1,
            siblings_claim: true,
            equal_request_ids: false,
            repeated_acquire: Repeat::Conflict,
            repeated_acquire_by: BTreeMap::new(),
            refused_labels: BTreeSet::new(),
            request_id_as_job_id: false,
            encryption: Encryption::Off,
            fips: true,
            propagation_calls: 0,
            empty_polls: 3,
            versions: Versions::default(),
            strip_connection: false,
            byte_order_mark: false,
            chunked: false,
            trailing_slash: true,
            token_length: 36,
            rate_limit: 15_000,
            choices: Choices::default(),
            meta: default_meta(),
        }
    }
}

/// The answer of `/meta` (protocol §8), with address blocks that are reserved for documentation.
fn default_meta() -> Value {
    json!({
        "verifiable_password_authentication": false,
        "hooks": ["192.0.2.0/24"], "web": ["192.0.2.0/25", "2001:db8:1::/48"], "api": ["198.51.100.0/24"],
        "git": ["192.0.2.128/25"], "packages": ["203.0.113.0/26"], "pages": ["203.0.113.64/26"],
        "importer": ["203.0.113.128/32"], "github_enterprise_importer": ["203.0.113.129/32"],
        "actions": ["198.51.100.128/25", "2001:db8:2::/48"], "actions_macos": ["203.0.113.130/32"],
        "codespaces": ["203.0.113.131/32"], "dependabot": ["203.0.113.132/32"], "copilot": ["203.0.113.133/32"],
        "ssh_keys": ["ssh-ed25519 AAAAFAKE"], "ssh_key_fingerprints": {"SHA256_ED25519": "FAKE"},
        "domains": {
            "website": ["*.github.test"], "actions": ["*.actions.test"],
            "actions_inbound": {"full_domains": ["github.test"], "wildcard_domains": ["*.actions.test"]},
            "packages": ["*.pkg.test"], "storage": ["*.blob.test"], "artifact_attestations": {"trust_domain": ""},
        },
    })
}
