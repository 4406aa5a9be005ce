//! The JIT configuration (protocol §2.5): the files that the runner expects in its root.
//!
//! The blob is base64 of a JSON object of file name → base64 of the file's bytes. The stock runner writes whatever
//! names it finds there; we write the two that `Runner.Worker` needs, so that no answer of a server chooses a path here,
//! and no step finds the key with which it could speak to GitHub as this runner (protocol §6.1).

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The settings file without which `Runner.Worker` refuses every job.
pub const SETTINGS: &str = ".runner";

/// The files that are written.
pub const KNOWN: [&str; 2] = [SETTINGS, ".credentials"];

/// The runner's private key, which the worker never opens: a controller that does not take it out is an older one.
pub const PRIVATE_KEY: &str = ".credentials_rsaparams";

/// A decoded JIT configuration.
#[derive(Default, PartialEq, Eq)]
pub struct JitConfig {
    /// Known files and their content.
    pub files: BTreeMap<&'static str, Vec<u8>>,
    /// Names that were refused.
    pub refused: Vec<String>,
    /// Whether the private key was there, and was dropped unread.
    pub key_dropped: bool,
}

impl std::fmt::Debug for JitConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.files.keys().collect();
        f.debug_struct("JitConfig")
            .field("files", &names)
            .field("refused", &self.refused)
            .field("key_dropped", &self.key_dropped)
            .finish()
    }
}

/// Why a JIT configuration cannot be used. Names the step, never the content.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The blob is not base64.
    #[error("the JIT configuration is not base64")]
    Blob(#[source] base64::DecodeError),
    /// The decoded blob is not a JSON object of strings. The parser's own text may quote the content: left out.
    #[error("the JIT configuration is not a JSON object of strings (line {line}, column {column})")]
    Map {
        /// Line in the decoded blob.
        line: usize,
        /// Column in the decoded blob.
        column: usize,
    },
    /// A file's content is not base64.
    #[error("file {name} of the JIT configuration is not base64")]
    File {
        /// The file's name.
        name: &'static str,
        /// Where it breaks off.
        #[source]
        source: base64::DecodeError,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Neither the JIT configuration nor the image brought the runner's settings.
    #[error("{} is missing: the JIT configuration does not contain it, and Runner.Worker needs it", path.display())]
    NoSettings {
        /// Where it was expected.
        path: PathBuf,
    },
}

/// Decodes a blob. A blank one is an empty configuration: an image may bring its own files.
pub fn decode(blob: &str) -> Result<JitConfig, Error> {
    let mut config = JitConfig::default();
    if blob.trim().is_empty() {
        return Ok(config);
    }
    let json = BASE64.decode(blob.trim()).map_err(Error::Blob)?;
    let map: BTreeMap<String, String> = serde_json::from_slice(&json)
        .map_err(|error| Error::Map { line: error.line(), column: error.column() })?;
    for (name, content) in map {
        match KNOWN.into_iter().find(|known| *known == name) {
            Some(name) => {
                let bytes = BASE64.decode(content).map_err(|source| Error::File { name, source })?;
                config.files.insert(name, bytes);
            }
            None if name == PRIVATE_KEY => config.key_dropped = true,
            None => config.refused.push(name),
        }
    }
    Ok(config)
}

/// Writes the files into the runner's root, readable by their owner only, and makes sure that `.runner` is there.
pub fn write(config: &JitConfig, home: &Path) -> Result<(), Error> {
    for (name, content) in &config.files {
        let path = home.join(name);
        replace(&path, content).map_err(|source| Error::Write { path, source })?;
    }
    let settings = home.join(SETTINGS);
    if settings.is_file() { Ok(()) } else { Err(Error::NoSettings { path: settings }) }
}

/// A new file in place of an old one: neither the mode nor a link that the image left there survives.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(content)
}

#[cfg(test)]
mod tests;
