//! The claimed job, as the init container left it in the run directory: read once, then unlinked, so that no step of
//! the job finds it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use handoff::worker::{JIT_CONFIG, PAYLOAD, PAYLOAD_GZ, RUN_INFO, RunInfo};
use serde::de::IgnoredAny;

/// Every file of a claim.
pub const FILES: [&str; 4] = [PAYLOAD, PAYLOAD_GZ, JIT_CONFIG, RUN_INFO];

/// Above what `Runner.Worker` reads (50 MB of UTF-16), so nothing valid is cut off, and far below what would hurt.
pub const MAX_PAYLOAD: u64 = 64 << 20;

/// Byte order mark.
const BOM: char = '\u{feff}';

/// A claimed job.
pub struct Claim {
    /// The job message as GitHub sent it, but for a byte order mark. Holds tokens and secrets.
    pub job: String,
    /// The JIT configuration blob; blank where there is none. From an older controller it holds the runner's private key.
    pub jit: String,
    /// Ids for the log. They are a convenience: broken ones fail no job.
    pub run: Result<RunInfo, serde_json::Error>,
}

/// Why there is no claim. Names the step, never the content.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither form of the payload is there.
    #[error("no job message in {}: neither {PAYLOAD} nor {PAYLOAD_GZ} is there", dir.display())]
    Missing {
        /// The run directory.
        dir: PathBuf,
    },
    /// A file is there and cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file stays where a step could read it.
    #[error("cannot remove {}", path.display())]
    Unlink {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The payload is longer than any valid one.
    #[error("the job message is longer than {MAX_PAYLOAD} bytes")]
    TooLong,
    /// The compressed payload cannot be unpacked.
    #[error("cannot unpack {PAYLOAD_GZ}")]
    Unpack(#[source] io::Error),
    /// A file that is text by contract is not UTF-8.
    #[error("{file} is not UTF-8 text")]
    NotText {
        /// The file's name.
        file: &'static str,
    },
    /// The payload is not JSON. The parser's own text may quote the content: left out.
    #[error("the job message is not JSON (line {line}, column {column})")]
    NotJson {
        /// Line in the message.
        line: usize,
        /// Column in the message.
        column: usize,
    },
}

/// Reads the claim and removes its files, whether or not it turns out to be sound.
pub fn take(dir: &Path) -> Result<Claim, Error> {
    let read = FILES.map(|name| read(&dir.join(name)));
    for name in FILES {
        unlink(dir.join(name))?;
    }
    let [plain, packed, jit, run] = read;
    let job = match (plain?, packed?) {
        (Some(plain), _) => plain,
        (None, Some(packed)) => unpack(&packed)?,
        (None, None) => return Err(Error::Missing { dir: dir.to_path_buf() }),
    };
    Ok(Claim {
        job: json(without_bom(text(PAYLOAD, job)?))?,
        jit: text(JIT_CONFIG, jit?.unwrap_or_default())?,
        run: serde_json::from_slice(&run?.unwrap_or_default()),
    })
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let refused = |source| Error::Read { path: path.to_path_buf(), source };
    match File::open(path) {
        Ok(file) => bounded(file, refused).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused(error)),
    }
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, Error> {
    bounded(GzDecoder::new(packed), Error::Unpack)
}

fn bounded(source: impl Read, refused: impl Fn(io::Error) -> Error) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    source.take(MAX_PAYLOAD + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 > MAX_PAYLOAD { Err(Error::TooLong) } else { Ok(bytes) }
}

fn unlink(path: PathBuf) -> Result<(), Error> {
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Unlink { path, source }),
        _ => Ok(()),
    }
}

fn text(file: &'static str, bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|_| Error::NotText { file })
}

/// `Runner.Worker` takes a byte order mark for garbage and ends with 1 (protocol §6.2).
fn without_bom(mut text: String) -> String {
    if text.starts_with(BOM) {
        text.drain(..BOM.len_utf8());
    }
    text
}

/// Only checked, never taken apart: a partial model would drop keys (protocol §6.2).
fn json(text: String) -> Result<String, Error> {
    match serde_json::from_str::<IgnoredAny>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Error::NotJson { line: error.line(), column: error.column() }),
    }
}

#[cfg(test)]
mod tests;
