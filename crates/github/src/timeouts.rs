//! Every wait of this crate. The defaults are the protocol's; tests scale them down.

use std::time::Duration;

use runtime::backoff::{Backoff, Range};

const fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// How long things may take, and how far apart they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// A short call: until its headers are there (protocol §4.1).
    pub call_headers: Duration,
    /// A short call: in all.
    pub call_total: Duration,
    /// A poll: until its headers are there; longer than the server's hold of 50 s.
    pub poll_headers: Duration,
    /// Between the starts of two polls, for servers that answer at once.
    pub poll_floor: Duration,
    /// An empty success that comes sooner than this counts as hollow: a live server would have held it.
    pub hollow_within: Duration,
    /// How many hollow polls in a row mean that the record is gone.
    pub hollow_limit: u32,
    /// After a failed poll or session.
    pub poll_backoff: Backoff,
    /// After messages in a row that cannot be read. GitHub repeats a message about once a second, and an offer lives two
    /// minutes.
    pub bad_message: Backoff,
    /// On top of a rate limit's own wait, so that sessions do not come back together.
    pub rate_limit_jitter: Range,
    /// When the token service calls our clock wrong.
    pub clock_skew: Duration,
    /// Between attempts to use a registration that is seconds old (protocol §2.4).
    pub propagation: Range,
    /// How many such attempts.
    pub propagation_attempts: u32,
    /// A runner token is renewed this long before it expires.
    pub token_margin: Duration,
    /// A session hears so soon what becomes of a job that it was offered, or polls on: the job cannot be claimed any later
    /// (protocol §5.2).
    pub decision: Duration,
    /// An acknowledgement may take this long; it is not repeated.
    pub acknowledge: Duration,
    /// Closing a session may take this long; it is not repeated.
    pub close: Duration,
    /// A claim: in all. Long, because its answer cannot be had twice (protocol §5.2).
    pub acquire: Duration,
    /// Between attempts of a claim.
    pub acquire_retry: Range,
    /// How many attempts of a claim.
    pub acquire_attempts: u32,
    /// A renewal: in all.
    pub renew: Duration,
    /// One attempt to report a job's end.
    pub complete: Duration,
    /// Between two of them (protocol §5.4).
    pub complete_retry: Range,
    /// How many of them.
    pub complete_attempts: u32,
    /// From a report of a job that never started to the look at what GitHub made of it.
    pub completion_check: Duration,
    /// An installation token is renewed this long before it expires (protocol §1.4), or up to a fifth of it sooner.
    pub installation_margin: Duration,
    /// And never sooner than this after the last time.
    pub installation_floor: Duration,
    /// After a failure.
    pub installation_backoff: Backoff,
    /// How often the App's files are compared with what is in use.
    pub credentials_check: Duration,
    /// How long a call waits for an installation token that is on its way.
    pub installation_wait: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            call_headers: seconds(10),
            call_total: seconds(30),
            poll_headers: seconds(55),
            poll_floor: Duration::from_millis(100),
            hollow_within: seconds(5),
            hollow_limit: 3,
            poll_backoff: Backoff::Tiers {
                first: (seconds(15), seconds(30)),
                patience: 5,
                second: (seconds(30), seconds(60)),
            },
            bad_message: Backoff::Throttle { first: seconds(1), longest: seconds(30) },
            rate_limit_jitter: (Duration::ZERO, seconds(2)),
            clock_skew: seconds(30),
            propagation: (Duration::from_millis(1500), Duration::from_millis(2500)),
            propagation_attempts: 6,
            token_margin: seconds(120),
            decision: seconds(120),
            acknowledge: seconds(5),
            close: seconds(10),
            acquire: seconds(100),
            acquire_retry: (seconds(5), seconds(15)),
            acquire_attempts: 5,
            renew: seconds(30),
            complete: seconds(30),
            complete_retry: (seconds(5), seconds(15)),
            complete_attempts: 5,
            completion_check: seconds(30),
            installation_margin: seconds(300),
            installation_floor: seconds(30),
            installation_backoff: Backoff::Doubling { first: seconds(5), longest: seconds(60) },
            credentials_check: seconds(5),
            installation_wait: seconds(30),
        }
    }
}

impl Timeouts {
    /// All waits divided by `factor`; counts stay. For tests against a fake that is as many times faster.
    pub fn faster(&self, factor: u32) -> Self {
        let time = |it: Duration| it / factor.max(1);
        let range = |(a, b): Range| (time(a), time(b));
        Self {
            call_headers: time(self.call_headers),
            call_total: time(self.call_total),
            poll_headers: time(self.poll_headers),
            poll_floor: time(self.poll_floor),
            hollow_within: time(self.hollow_within),
            hollow_limit: self.hollow_limit,
            poll_backoff: self.poll_backoff.faster(factor),
            bad_message: self.bad_message.faster(factor),
            rate_limit_jitter: range(self.rate_limit_jitter),
            clock_skew: time(self.clock_skew),
            propagation: range(self.propagation),
            propagation_attempts: self.propagation_attempts,
            token_margin: time(self.token_margin),
            decision: time(self.decision),
            acknowledge: time(self.acknowledge),
            close: time(self.close),
            acquire: time(self.acquire),
            acquire_retry: range(self.acquire_retry),
            acquire_attempts: self.acquire_attempts,
            renew: time(self.renew),
            complete: time(self.complete),
            complete_retry: range(self.complete_retry),
            complete_attempts: self.complete_attempts,
            completion_check: time(self.completion_check),
            installation_margin: time(self.installation_margin),
            installation_floor: time(self.installation_floor),
            installation_backoff: self.installation_backoff.faster(factor),
            credentials_check: time(self.credentials_check),
            installation_wait: time(self.installation_wait),
        }
    }
}
