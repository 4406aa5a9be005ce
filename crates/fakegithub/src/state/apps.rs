//! Apps and their installations (protocol §1).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::State;
use super::grants::{InstallationGrant, Subject};
use crate::jwt::{Error, Parsed};
use crate::rsa::RsaKey;

/// An App with its one installation.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) id: u64,
    pub(crate) installation: u64,
    pub(crate) client_id: String,
    pub(crate) account: String,
    /// `Organization` or `User`.
    pub(crate) account_type: String,
    pub(crate) key: Arc<RsaKey>,
    /// Names without owner; none means all.
    pub(crate) repositories: Option<Vec<String>>,
    pub(crate) permissions: BTreeMap<String, String>,
    pub(crate) suspended: Option<Timestamp>,
}

/// What an App that is created may do and see.
#[derive(Debug, Clone)]
pub(crate) struct NewApp {
    pub(crate) account: String,
    pub(crate) account_type: String,
    pub(crate) repositories: Option<Vec<String>>,
    pub(crate) permissions: BTreeMap<String, String>,
}

/// Why no installation token is minted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MintError {
    NotFound,
    Suspended,
    NotGranted(String),
}

/// What the body of A2 narrows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Narrowing {
    pub(crate) repositories: Option<Vec<String>>,
    pub(crate) permissions: Option<BTreeMap<String, String>>,
}

impl State {
    pub(crate) fn create_app(&mut self, new: NewApp, key: Arc<RsaKey>) -> App {
        let id = self.ids.app();
        let app = App {
            id,
            installation: 70_000_000 + id,
            client_id: format!("Iv23{}", self.ids.text(16)),
            account: new.account,
            account_type: new.account_type,
            key,
            repositories: new.repositories,
            permissions: new.permissions,
            suspended: None,
        };
        self.note_app_key(&app.account, &app.key);
        self.apps.insert(id, app.clone());
        app
    }

    /// The App that signed a token (protocol §1.1): `iss` is its client id, or its id as text.
    pub(crate) fn app_of(&self, token: &str, now: Timestamp) -> Result<&App, Error> {
        let parsed = Parsed::new(token)?;
        let issuer = parsed.text("iss")?;
        let app = self
            .apps
            .values()
            .find(|app| app.client_id == issuer || app.id.to_string() == issuer)
            .ok_or(Error::Wrong("iss"))?;
        parsed.judge_app(&app.key, now)?;
        Ok(app)
    }

    /// The App of an installation.
    pub(crate) fn installed(&self, installation: u64) -> Option<&App> {
        self.apps.values().find(|app| app.installation == installation)
    }

    /// Replaces an App's key: what the old one signed is refused from now on.
    pub(crate) fn replace_app_key(&mut self, id: u64, key: Arc<RsaKey>) -> Option<&App> {
        let app = self.apps.get_mut(&id)?;
        app.key = Arc::clone(&key);
        let account = app.account.clone();
        self.note_app_key(&account, &key);
        self.apps.get(&id)
    }

    /// Suspends or resumes an App's installation; none if there is no such App.
    pub(crate) fn suspend_app(&mut self, id: u64, since: Option<Timestamp>) -> Option<()> {
        self.apps.get_mut(&id).map(|app| app.suspended = since)
    }

    /// Mints an installation token (protocol §1.4).
    pub(crate) fn mint_installation(
        &mut self,
        app: u64,
        installation: u64,
        narrowing: Narrowing,
        now: Timestamp,
    ) -> Result<(String, Timestamp, InstallationGrant), MintError> {
        let app =
            self.apps.get(&app).filter(|app| app.installation == installation).ok_or(MintError::NotFound)?;
        if app.suspended.is_some() {
            return Err(MintError::Suspended);
        }
        let grant = InstallationGrant {
            app: app.id,
            account: app.account.clone(),
            repositories: narrow_repositories(app, narrowing.repositories)?,
            permissions: narrow_permissions(app, narrowing.permissions)?,
        };
        let (token, expires) = self.mint(Subject::Installation(grant.clone()), now);
        Ok((token, expires, grant))
    }
}

fn narrow_repositories(app: &App, wanted: Option<Vec<String>>) -> Result<Option<Vec<String>>, MintError> {
    let Some(wanted) = wanted else { return Ok(app.repositories.clone()) };
    for name in &wanted {
        let granted = app.repositories.as_ref();
        if granted.is_some_and(|granted| !granted.iter().any(|it| it.eq_ignore_ascii_case(name))) {
            return Err(MintError::NotGranted(format!("repository '{name}'")));
        }
    }
    Ok(Some(wanted))
}

fn narrow_permissions(
    app: &App,
    wanted: Option<BTreeMap<String, String>>,
) -> Result<BTreeMap<String, String>, MintError> {
    let Some(wanted) = wanted else { return Ok(app.permissions.clone()) };
    for (name, level) in &wanted {
        match (level.as_str(), app.permissions.get(name).map(String::as_str)) {
            ("read", Some(_)) | ("write", Some("write")) => {}
            _ => return Err(MintError::NotGranted(format!("permission '{name}: {level}'"))),
        }
    }
    Ok(wanted)
}
