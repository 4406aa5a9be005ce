//! Action resolution (protocol §5.7): which commit a `uses:` means, and where it could be had.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::State;
use super::runs::Run;

/// An action that a step uses, as the worker names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct ActionReference {
    /// `owner/name`.
    #[serde(default)]
    action: String,
    /// A branch, a tag or a commit.
    #[serde(default)]
    version: String,
}

impl ActionReference {
    /// The key of what is answered about it.
    pub(crate) fn key(&self) -> String {
        format!("{}@{}", self.action, self.version)
    }

    /// Why it names no action, if it does not.
    pub(crate) fn fault(&self) -> Option<String> {
        let plain = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let named = self.action.split_once('/').is_some_and(|(owner, name)| plain(owner) && plain(name));
        match (named, self.version.is_empty()) {
            (false, _) => Some(format!("Unable to resolve action `{}`, it is not owner/name", self.key())),
            (true, true) => Some(format!("Unable to resolve action `{}`, it has no version", self.key())),
            (true, false) => None,
        }
    }

    /// A commit that stays the same: the version itself if it is one, else made from name and version.
    fn commit(&self) -> String {
        let version = &self.version;
        if version.len() == 40 && version.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return version.to_ascii_lowercase();
        }
        let digest = Sha256::digest(format!("{}@{version}", self.action.to_ascii_lowercase()));
        digest.iter().take(20).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl State {
    /// What is answered about the actions of a job. Nothing can be downloaded with the token.
    pub(crate) fn resolve_actions(
        &mut self,
        job: u64,
        references: &[ActionReference],
        now: Timestamp,
    ) -> Map<String, Value> {
        let token = format!("ghs_FAKE{}", self.ids.text(32));
        let account = self.run_of_job(job).map_or("", Run::owner).to_owned();
        self.note_secret(&account, "action-token", &token);
        let expires = (now + self.settings.lives.installation).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let authentication = json!({"token": token, "expires_at": expires});
        let resolved = references.iter().map(|reference| {
            let (name, commit) = (&reference.action, reference.commit());
            let archive = |form: &str| format!("{}/api/v3/repos/{name}/{form}/{commit}", self.base);
            let answer = json!({
                "name": name,
                "resolved_name": name,
                "resolved_sha": commit,
                "version": reference.version,
                "tar_url": archive("tarball"),
                "zip_url": archive("zipball"),
                "authentication": authentication,
            });
            (reference.key(), answer)
        });
        resolved.collect()
    }
}
