//! The CA bundle of the runner: the system's roots and those of the proxy and of GitHub in one file.
//!
//! .NET and OpenSSL read `SSL_CERT_FILE`; Node, git, curl and Python's requests have variables of their own; all replace
//! the system's file or add to it, so one file that holds everything suits each of them.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where distributions keep their bundle: Debian, Fedora and RHEL, openSUSE, Alpine and BSD.
pub const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Name of the joined file.
pub const BUNDLE: &str = "ca-bundle.crt";

/// The variables that point at the joined file in the runner's environment.
pub const VARIABLES: [&str; 5] =
    ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"];

/// The one that git reads for the certificate of a proxy, and only for that (protocol §6.9).
pub const GIT_PROXY: &str = "GIT_PROXY_SSL_CAINFO";

/// System bundles are about 220 KiB; a file above this is no bundle.
const MAX_FILE: u64 = 8 << 20;

const PEM_BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file exists but cannot be used.
    #[error("cannot read the CA file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// None of the directories takes the file.
    #[error("cannot write the CA bundle into {}", dir.display())]
    Write {
        /// The last directory tried.
        dir: PathBuf,
        /// Why not there.
        #[source]
        source: io::Error,
    },
}

/// The certificates of one extra CA file, or `None` where there is nothing to add: a file that is missing, is empty
/// or holds no certificate.
pub fn read_extra(path: &Path) -> Result<Option<String>, Error> {
    let text = read_bounded(path)?.unwrap_or_default();
    Ok(text.contains(PEM_BEGIN).then_some(text))
}

/// The first of these bundles that is there.
pub fn read_first(candidates: &[PathBuf]) -> Result<Option<String>, Error> {
    for path in candidates {
        if let Some(text) = read_extra(path)? {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// One PEM text of several: each part ends with a line break, so that no two certificates share a line.
pub fn join<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut bundle = String::new();
    for part in parts {
        bundle.push_str(part.trim_end());
        bundle.push('\n');
    }
    bundle
}

/// Writes the bundle, readable by all, into the first directory that takes it.
pub fn write(bundle: &str, dirs: &[&Path]) -> Result<PathBuf, Error> {
    let mut refusal = Error::Write { dir: PathBuf::new(), source: io::ErrorKind::NotFound.into() };
    for dir in dirs {
        match write_into(bundle, dir) {
            Ok(path) => return Ok(path),
            Err(source) => refusal = Error::Write { dir: dir.to_path_buf(), source },
        }
    }
    Err(refusal)
}

fn write_into(bundle: &str, dir: &Path) -> io::Result<PathBuf> {
    let path = dir.join(BUNDLE);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    file.write_all(bundle.as_bytes())?;
    file.set_permissions(Permissions::from_mode(0o644))?; // whatever the umask says
    Ok(path)
}

fn read_bounded(path: &Path) -> Result<Option<String>, Error> {
    let refused = |source| Error::Read { path: path.to_path_buf(), source };
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(refused)?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(refused(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned())) // comments in old bundles are Latin-1
}

#[cfg(test)]
mod tests;
