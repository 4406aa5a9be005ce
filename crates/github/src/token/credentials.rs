//! The App's credentials: three files that may change under us.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use github_proto::rest::InstallationId;
use github_proto::rsa::{KeyError, RsaKey};
use zeroize::Zeroizing;

/// No credential file is longer: a 4096-bit key has 3.2 KiB of PEM.
const MAX_FILE: u64 = 64 * 1024;

/// The credentials as they stand in the files.
#[derive(Clone, PartialEq, Eq)]
pub struct AppCredentials {
    /// The App's client id, or its numeric id.
    pub app_id: String,
    /// Where the App is installed.
    pub installation_id: String,
    /// The private key, PEM.
    pub private_key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for AppCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppCredentials")
            .field("app_id", &self.app_id)
            .field("installation_id", &self.installation_id)
            .finish_non_exhaustive()
    }
}

/// The credentials cannot be used. Never quotes them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// A file is not there, or empty.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A file cannot be read.
    #[error("{name} cannot be read: {kind}")]
    Unreadable {
        /// The file.
        name: &'static str,
        /// What the system says.
        kind: io::ErrorKind,
    },
    /// A file has another form than it should.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// It is not a usable private key.
    #[error("privateKey cannot be used")]
    Key(#[source] KeyError),
}

/// Where credentials come from. Called off the runtime's threads, so it may block.
pub trait CredentialSource: Send + Sync + 'static {
    /// The credentials as they are now.
    ///
    /// # Errors
    /// [`CredentialError`] says which part is wrong.
    fn read(&self) -> Result<AppCredentials, CredentialError>;
}

/// The files `appId`, `installationId` and `privateKey` of a folder: a mounted Secret.
#[derive(Debug, Clone)]
pub struct CredentialFiles {
    folder: PathBuf,
}

impl CredentialFiles {
    /// Reads nothing yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

impl CredentialSource for CredentialFiles {
    fn read(&self) -> Result<AppCredentials, CredentialError> {
        Ok(AppCredentials {
            app_id: word(&self.folder, "appId")?,
            installation_id: word(&self.folder, "installationId")?,
            private_key: file(&self.folder, "privateKey")?,
        })
    }
}

fn file(folder: &Path, name: &'static str) -> Result<Zeroizing<Vec<u8>>, CredentialError> {
    let path = folder.join(name);
    let trouble = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => CredentialError::Missing(name),
        kind => CredentialError::Unreadable { name, kind },
    };
    if std::fs::metadata(&path).map_err(trouble)?.len() > MAX_FILE {
        return Err(CredentialError::Malformed(name));
    }
    let bytes = Zeroizing::new(std::fs::read(&path).map_err(trouble)?);
    if bytes.trim_ascii().is_empty() { Err(CredentialError::Missing(name)) } else { Ok(bytes) }
}

/// A file that holds one word, perhaps with a newline after it.
fn word(folder: &Path, name: &'static str) -> Result<String, CredentialError> {
    let bytes = file(folder, name)?;
    let word = std::str::from_utf8(bytes.trim_ascii()).map_err(|_| CredentialError::Malformed(name))?;
    let plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if plain { Ok(word.to_owned()) } else { Err(CredentialError::Malformed(name)) }
}

impl AppCredentials {
    pub(super) fn installation(&self) -> Result<InstallationId, CredentialError> {
        let id = self.installation_id.parse();
        id.map(InstallationId).map_err(|_| CredentialError::Malformed("installationId"))
    }

    pub(super) fn key(&self) -> Result<RsaKey, CredentialError> {
        RsaKey::from_pem(&self.private_key).map_err(CredentialError::Key)
    }
}
