//! What is inside a JIT configuration (protocol §2.5): base64 of an object that maps file names to
//! base64 of JSON files.

use std::collections::BTreeMap;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroizing;

use crate::any_case::any_case;
use crate::id::RunnerId;
use crate::limits::JIT_BLOB;
use crate::oauth::{Credentials, TokenAddress};
use crate::plain::Plain;
use crate::reply::{BodyError, json};
use crate::rsa::{KeyError, RsaKey, RsaParameters};
use crate::url::handed_out;

const RUNNER: &str = ".runner";
const CREDENTIALS: &str = ".credentials";
const RSA_PARAMETERS: &str = ".credentials_rsaparams";

/// The files a runner needs; what else a blob may hold is not written anywhere.
pub const FILE_NAMES: [&str; 3] = [RUNNER, CREDENTIALS, RSA_PARAMETERS];

/// Why a blob cannot be used. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JitError {
    /// The blob is longer than any blob.
    #[error("the JIT configuration is longer than {JIT_BLOB} bytes")]
    TooLong,
    /// The blob is not base64.
    #[error("the JIT configuration is not base64")]
    Encoding,
    /// The blob is not an object of names and texts, or cannot be written as one.
    #[error("the JIT configuration is not an object of files")]
    Envelope(#[source] BodyError),
    /// A name that would leave the folder it is written to.
    #[error("the JIT configuration names a file with a path")]
    FileName,
    /// A file is not base64.
    #[error("{0} is not base64")]
    FileEncoding(&'static str),
    /// A file is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A file is not the JSON it should be.
    #[error("{file} is malformed")]
    File {
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        #[source]
        source: BodyError,
    },
    /// The key of the runner cannot be used.
    #[error("{RSA_PARAMETERS} cannot be used")]
    Key(#[source] KeyError),
    /// The server speaks the older pool protocol to this runner.
    #[error("the server offers this runner the legacy protocol only (UseV2Flow is not true)")]
    Legacy,
}

/// The three known files of a blob, by name. Others are left out.
///
/// # Errors
/// When the blob is no JIT configuration, or one of its names holds a path.
pub fn files(blob: &str) -> Result<BTreeMap<String, Vec<u8>>, JitError> {
    if blob.len() > JIT_BLOB {
        return Err(JitError::TooLong);
    }
    let envelope = Zeroizing::new(base64(blob.trim()).ok_or(JitError::Encoding)?);
    let entries: BTreeMap<String, Zeroizing<String>> =
        json(&envelope, JIT_BLOB).map_err(JitError::Envelope)?;
    if entries.keys().any(|name| leaves_the_folder(name)) {
        return Err(JitError::FileName);
    }
    let mut files = BTreeMap::new();
    for name in FILE_NAMES {
        if let Some(text) = entries.get(name) {
            let bytes = base64(text.trim()).ok_or(JitError::FileEncoding(name))?;
            files.insert(name.to_owned(), bytes);
        }
    }
    Ok(files)
}

/// The same blob with `.runner` and `.credentials` only, each byte for byte as it was. Who has it knows
/// the runner's settings and cannot speak for the runner: the key that signs is not in it.
///
/// # Errors
/// When the blob is no JIT configuration, or one of the two is missing.
pub fn without_key(blob: &str) -> Result<String, JitError> {
    let files = kept(blob)?;
    let mut envelope = Map::new();
    for name in [RUNNER, CREDENTIALS] {
        let bytes = files.get(name).ok_or(JitError::Missing(name))?;
        envelope.insert(name.to_owned(), general_purpose::STANDARD.encode(bytes).into());
    }
    Ok(general_purpose::STANDARD.encode(Value::Object(envelope).to_string()))
}

/// As [`files`], wiped when dropped.
fn kept(blob: &str) -> Result<BTreeMap<String, Zeroizing<Vec<u8>>>, JitError> {
    Ok(files(blob)?.into_iter().map(|(name, bytes)| (name, Zeroizing::new(bytes))).collect())
}

fn leaves_the_folder(name: &str) -> bool {
    name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\', '\0'])
}

/// A runner, ready to speak to the broker.
#[derive(Debug)]
pub struct JitConfig {
    /// `.runner`.
    pub runner: RunnerSettings,
    /// `.credentials`.
    pub credentials: Credentials,
    /// `.credentials_rsaparams`.
    pub key: RsaKey,
}

/// What of `.runner` a gateway uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerSettings {
    /// The record at GitHub.
    pub id: RunnerId,
    /// The runner's name.
    pub name: String,
    /// Base of the broker.
    pub broker: Url,
    /// One job only; true for every JIT configuration.
    pub ephemeral: bool,
    /// An invalid session must not be replaced by a new one.
    pub skip_session_recover: bool,
}

// The values may have any form: GitHub writes ids and flags as text, a runner as numbers and booleans.

any_case! {
    struct RunnerFile {
        id: Plain = "AgentId",
        name: Plain = "AgentName",
        broker: Plain = "ServerUrlV2",
        v2: Plain = "UseV2Flow",
        ephemeral: Plain = "Ephemeral",
        skip_session_recover: Plain = "SkipSessionRecover",
    }
}

any_case! {
    struct CredentialsFile {
        data: CredentialsData = "data",
    }
}

any_case! {
    struct CredentialsData {
        client_id: Plain = "clientId",
        authorization_url: Plain = "authorizationUrl",
        authorization_url_v2: Plain = "authorizationUrlV2",
        oauth_endpoint_url: Plain = "oauthEndpointUrl",
        require_fips: Plain = "requireFipsCryptography",
    }
}

impl JitConfig {
    /// Decodes a blob down to settings, credentials and key. `registered` is the id in GitHub's answer to
    /// the registration, for a blob that does not repeat it.
    ///
    /// # Errors
    /// Names the file that cannot be used and why.
    pub fn decode(blob: &str, registered: Option<RunnerId>) -> Result<Self, JitError> {
        let files = kept(blob)?;
        let file = |name: &'static str| files.get(name).ok_or(JitError::Missing(name));

        let runner: RunnerFile = parse(RUNNER, file(RUNNER)?)?;
        let credentials: CredentialsFile = parse(CREDENTIALS, file(CREDENTIALS)?)?;
        let parameters: RsaParameters = parse(RSA_PARAMETERS, file(RSA_PARAMETERS)?)?;
        Ok(Self {
            runner: runner.settings(registered)?,
            credentials: credentials
                .credentials()
                .map_err(|field| JitError::File { file: CREDENTIALS, source: BodyError::Field(field) })?,
            key: RsaKey::from_parameters(&parameters).map_err(JitError::Key)?,
        })
    }
}

impl RunnerFile {
    fn settings(self, registered: Option<RunnerId>) -> Result<RunnerSettings, JitError> {
        let missing = |field| JitError::File { file: RUNNER, source: BodyError::Field(field) };
        if !is_true(self.v2.as_ref()) {
            return Err(JitError::Legacy);
        }
        let id = self.id.and_then(|it| it.number()).filter(|&id| id != 0).map(RunnerId);
        let broker = self.broker.and_then(Plain::text).and_then(|text| handed_out(&text).ok());
        Ok(RunnerSettings {
            id: id.or(registered).ok_or_else(|| missing("AgentId"))?,
            name: self.name.and_then(Plain::text).ok_or_else(|| missing("AgentName"))?,
            broker: broker.ok_or_else(|| missing("ServerUrlV2"))?,
            ephemeral: is_true(self.ephemeral.as_ref()),
            skip_session_recover: is_true(self.skip_session_recover.as_ref()),
        })
    }
}

impl CredentialsFile {
    fn credentials(self) -> Result<Credentials, &'static str> {
        let data = self.data.ok_or("data")?;
        let text = |value: Option<Plain>| value.and_then(Plain::text);
        let endpoint = text(data.oauth_endpoint_url);
        let address = |audience: String| {
            let endpoint = handed_out(endpoint.as_deref().unwrap_or(&audience)).ok()?;
            Some(TokenAddress { audience, endpoint })
        };
        Ok(Credentials {
            client_id: text(data.client_id).ok_or("clientId")?,
            address: text(data.authorization_url).and_then(address).ok_or("authorizationUrl")?,
            address_v2: text(data.authorization_url_v2).and_then(address),
            require_fips: is_true(data.require_fips.as_ref()),
        })
    }
}

fn is_true(flag: Option<&Plain>) -> bool {
    flag.and_then(Plain::flag) == Some(true)
}

fn parse<T: serde::de::DeserializeOwned>(file: &'static str, bytes: &[u8]) -> Result<T, JitError> {
    json(bytes, JIT_BLOB).map_err(|source| JitError::File { file, source })
}

/// Base64 with or without padding, in the standard or the URL alphabet.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    GeneralPurpose::new(alphabet, lenient).decode(text).ok()
}

#[cfg(test)]
mod tests;
