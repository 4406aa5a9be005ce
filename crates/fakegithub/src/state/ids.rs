//! Identifiers and secrets: random, or the same in every process that was given the same seed.

use std::fmt;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use uuid::Uuid;

/// The source of every id and token.
pub(crate) struct Ids {
    random: StdRng,
    /// Signs the tokens that have the form of a JWT.
    pub(crate) secret: [u8; 32],
    apps: u64,
    runners: u64,
    runs: u64,
    jobs: u64,
    messages: i64,
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ids").finish_non_exhaustive()
    }
}

impl Ids {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let mut random = seed.map_or_else(StdRng::from_os_rng, StdRng::seed_from_u64);
        // The bases are far apart, so that one kind of id is not mistaken for another.
        Self {
            secret: random.random(),
            random,
            apps: 90_000,
            runners: 31_000,
            runs: 7_700_000_000,
            jobs: 8_800_000_000,
            messages: 9_007_199_254_740_993, // above 2^53: a client that reads doubles will see it
        }
    }

    pub(crate) fn app(&mut self) -> u64 {
        self.apps += 1;
        self.apps
    }

    pub(crate) fn runner(&mut self) -> u64 {
        self.runners += 1;
        self.runners
    }

    pub(crate) fn run(&mut self) -> u64 {
        self.runs += 1;
        self.runs
    }

    pub(crate) fn job(&mut self) -> u64 {
        self.jobs += 1;
        self.jobs
    }

    pub(crate) fn message(&mut self) -> i64 {
        self.messages += 1;
        self.messages
    }

    pub(crate) fn guid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.random.random()).into_uuid()
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes[..]);
        bytes
    }

    /// Letters and digits.
    pub(crate) fn text(&mut self, length: usize) -> String {
        (&mut self.random).sample_iter(rand::distr::Alphanumeric).take(length).map(char::from).collect()
    }
}
