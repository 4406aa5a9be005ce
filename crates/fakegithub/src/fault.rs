//! Faults that wait for their requests (protocol §11.3).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What happens instead of the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The given status, headers and body; without a status, the delay only.
    #[default]
    Answer,
    /// The connection is closed without an answer.
    Reset,
    /// Nothing is ever answered; the connection stays open.
    Withhold,
    /// The headers of the real answer, and half of its body.
    Truncate,
    /// The real answer, with a byte order mark before its JSON.
    ByteOrderMark,
}

/// Which waiting faults are meant: those that name exactly this, where something is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Naming {
    pub(crate) endpoint: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) agent: Option<String>,
}

impl Naming {
    fn names(&self, fault: &Fault) -> bool {
        let is = |wanted: &Option<String>, named: Option<&str>| {
            wanted
                .as_deref()
                .is_none_or(|wanted| named.is_some_and(|named| wanted.eq_ignore_ascii_case(named)))
        };
        is(&self.endpoint, Some(&fault.endpoint))
            && is(&self.account, fault.account.as_deref())
            && is(&self.agent, fault.agent.as_deref())
    }
}

/// Something that goes wrong with the next requests to an endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The endpoint's id, such as `X2`, or `*`.
    pub endpoint: String,
    /// How many requests it strikes.
    #[serde(default = "one")]
    pub count: u64,
    /// How many requests pass before.
    #[serde(default)]
    pub skip: u64,
    /// Only requests that carry the token of this runner.
    #[serde(default)]
    pub agent: Option<String>,
    /// Only requests of this account: the owner in their path, or of the installation, runner or job whose token they
    /// carry.
    #[serde(default)]
    pub account: Option<String>,
    /// What happens.
    #[serde(default)]
    pub effect: Effect,
    /// Whether the request is carried out before its answer is replaced.
    #[serde(default)]
    pub after_commit: bool,
    /// Milliseconds before anything is answered.
    #[serde(default)]
    pub delay_ms: u64,
    /// The status of a replaced answer.
    #[serde(default)]
    pub status: Option<u16>,
    /// Its headers. Without `content-type` a JSON body is `application/json`, text is `text/plain`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Its body: text as it is, any other value as JSON.
    #[serde(default)]
    pub body: Option<Value>,
}

fn one() -> u64 {
    1
}

impl Fault {
    /// A fault of an endpoint that strikes once and does nothing yet.
    pub fn new(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            count: 1,
            skip: 0,
            agent: None,
            account: None,
            effect: Effect::Answer,
            after_commit: false,
            delay_ms: 0,
            status: None,
            headers: BTreeMap::new(),
            body: None,
        }
    }

    /// The same, striking this many requests.
    pub fn times(self, count: u64) -> Self {
        Self { count, ..self }
    }

    /// The same, answering this status.
    pub fn answering(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    /// The same, with this body.
    pub fn with_body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// The same, with this header.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// How long the answer waits.
    pub(crate) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    fn matches(&self, endpoint: &str, caller: &Caller) -> bool {
        let is = |wanted: &Option<String>, named: &Option<String>| {
            let named = named.as_deref().unwrap_or_default();
            wanted.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(named))
        };
        (self.endpoint == "*" || self.endpoint == endpoint)
            && is(&self.agent, &caller.agent)
            && is(&self.account, &caller.account)
    }
}

/// Whose request it is, as far as its token and its path tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The runner whose token it carries.
    pub(crate) agent: Option<String>,
    /// The account that it is about.
    pub(crate) account: Option<String>,
}

/// The faults that have not struck yet, in the order in which they were set.
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push_back(fault);
    }

    /// The fault that strikes this request.
    pub(crate) fn strike(&mut self, endpoint: &str, caller: &Caller) -> Option<Fault> {
        let fault = self.0.iter_mut().find(|fault| fault.matches(endpoint, caller))?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        fault.count = fault.count.saturating_sub(1);
        let struck = fault.clone();
        self.0.retain(|fault| fault.count > 0);
        Some(struck)
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.0.iter().cloned().collect()
    }

    /// Takes the named faults back.
    pub(crate) fn take_back(&mut self, naming: &Naming) {
        self.0.retain(|fault| !naming.names(fault));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
