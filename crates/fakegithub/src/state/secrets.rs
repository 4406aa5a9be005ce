//! Canaries: every secret that this server made or was given, so that a test can look for them where none may be.
//! They are kept apart from what they are good for, and longer: a secret that has expired must not be found either.

use std::collections::{HashSet, VecDeque};
use std::fmt;

use serde::Serialize;

use super::State;
use crate::rsa::RsaKey;

/// The most bytes of secrets that are kept; the oldest go first. A runner costs about 10 KiB, a job 3.
const LIMIT: usize = 32 << 20;
/// Shorter pieces, such as the last line of a key, would be found in innocent text.
const SHORTEST_PIECE: usize = 32;

/// A secret, in the form in which it was on the wire.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Secret {
    /// What it is. The words are listed in docs/fake-github.md.
    pub kind: &'static str,
    /// The secret itself.
    pub value: String,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// What the server remembers of all accounts, newest last.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    known: VecDeque<(String, Secret)>,
    bytes: usize,
    forgotten: u64,
}

impl Secrets {
    fn add(&mut self, account: &str, kind: &'static str, value: String) {
        if value.is_empty() {
            return;
        }
        self.bytes += value.len();
        self.known.push_back((account.to_owned(), Secret { kind, value }));
        while self.bytes > LIMIT {
            let Some((_, oldest)) = self.known.pop_front() else { return };
            self.bytes -= oldest.value.len();
            self.forgotten += 1;
        }
    }
}

impl State {
    /// Remembers a secret of an account.
    pub(crate) fn note_secret(&mut self, account: &str, kind: &'static str, value: impl Into<String>) {
        self.secrets.add(account, kind, value.into());
    }

    /// Remembers an App's key: whole, and line by line, since logs break a text where it has line feeds.
    pub(super) fn note_app_key(&mut self, account: &str, key: &RsaKey) {
        let pem = key.pkcs1_pem();
        for line in pem.lines().filter(|line| line.len() >= SHORTEST_PIECE && !line.starts_with('-')) {
            self.note_secret(account, "app-key-line", line);
        }
        self.note_secret(account, "app-key", pem);
    }

    /// Remembers what a runner is told once: the blob, and the private numbers in it.
    pub(crate) fn note_runner_key(&mut self, account: &str, blob: &str, key: &RsaKey) {
        self.note_secret(account, "jit-config", blob);
        for number in key.private_numbers() {
            self.note_secret(account, "runner-key-number", number);
        }
    }

    /// The secrets of an account, the oldest first, each once.
    pub(crate) fn secrets(&self, account: &str) -> Vec<Secret> {
        let mut seen = HashSet::new();
        let own = self.secrets.known.iter().filter(|(owner, _)| owner.eq_ignore_ascii_case(account));
        own.filter(|(_, secret)| seen.insert(&secret.value)).map(|(_, secret)| secret.clone()).collect()
    }

    /// How many secrets, of whatever account, were forgotten to stay within bounds.
    pub(crate) fn secrets_forgotten(&self) -> u64 {
        self.secrets.forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_says_what_it_lost() {
        let mut secrets = Secrets::default();
        for number in 0..40u8 {
            secrets.add(
                "acme",
                "test",
                char::from(b'A' + number % 26).to_string().repeat((1 << 20) + usize::from(number)),
            );
        }
        assert!(secrets.bytes <= LIMIT);
        assert_eq!(secrets.known.len() as u64 + secrets.forgotten, 40);
        assert_eq!(secrets.known.iter().map(|(_, it)| it.value.len()).sum::<usize>(), secrets.bytes);
    }

    #[test]
    fn a_secret_is_not_shown_by_debug() {
        let shown = format!("{:?}", Secret { kind: "test", value: "hush".into() });
        assert!(shown.contains("test") && !shown.contains("hush"), "{shown}");
    }
}
