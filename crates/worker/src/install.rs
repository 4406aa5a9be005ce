//! `worker install <dir> [--private]`: what the init container does, so that any runner image runs under the wrapper.
//!
//! Who else finds the volume mounted, a container that an admission webhook has added for example, must not read the claim
//! there. Where the pod says which user runs the job, that user installs, and nobody else may enter the folder. Where only
//! the image knows, the files are for anybody who knows their folder: its name is in the environment of `runner` alone, and
//! the folder above it cannot be listed.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use handoff::worker::{PAYLOAD, PAYLOAD_GZ, WRAPPER};

use crate::payload;

/// Why the runner would find nothing to run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The wrapper does not know where its own program is.
    #[error("cannot find the wrapper's own program")]
    Program(#[source] io::Error),
    /// A file cannot be copied.
    #[error("cannot copy {} to {}", from.display(), to.display())]
    Copy {
        /// The source.
        from: PathBuf,
        /// The target.
        to: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The folder for the claim cannot be made.
    #[error("cannot create {} with the access that the runner needs", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The Secret is not mounted, or holds no job.
    #[error("no job message in {}: neither {PAYLOAD} nor {PAYLOAD_GZ} is there", dir.display())]
    NoJob {
        /// The mounted Secret.
        dir: PathBuf,
    },
}

/// Who may read and remove the claim's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// The user that installs them.
    Owner,
    /// Every user that knows where they are.
    Anybody,
}

impl For {
    fn file(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Anybody => 0o644,
        }
    }

    /// Who may read a file here may remove it, too: the folder has no sticky bit.
    fn folder(self) -> u32 {
        match self {
            Self::Owner => 0o700,
            Self::Anybody => 0o777,
        }
    }

    /// A folder that can be passed through, and not be listed.
    fn passage(self) -> u32 {
        match self {
            Self::Owner => 0o700,
            Self::Anybody => 0o711,
        }
    }
}

/// Copies the wrapper into `dir`, which must exist, and the claim's files into the folder `claim` below it. Bears
/// repeating: an init container may be restarted.
///
/// # Errors
/// What cannot be made, by its path; or there is no job.
pub fn install(program: &Path, secret: &Path, dir: &Path, claim: &Path, reader: For) -> Result<(), Error> {
    place(program, &dir.join(WRAPPER), 0o755)?;
    let folder = folders(dir, claim, reader)?;
    let mut found_job = false;
    for name in payload::FILES {
        let from = secret.join(name);
        if from.exists() {
            place(&from, &folder.join(name), reader.file())?;
            found_job |= [PAYLOAD, PAYLOAD_GZ].contains(&name);
        }
    }
    if found_job { Ok(()) } else { Err(Error::NoJob { dir: secret.to_path_buf() }) }
}

/// Makes each folder of `claim` below `dir`, and gives the last one.
fn folders(dir: &Path, claim: &Path, reader: For) -> Result<PathBuf, Error> {
    let mut path = dir.to_path_buf();
    let mut parts = claim.iter().peekable();
    while let Some(part) = parts.next() {
        path.push(part);
        let mode = if parts.peek().is_some() { reader.passage() } else { reader.folder() };
        folder(&path, mode).map_err(|source| Error::Folder { path: path.clone(), source })?;
    }
    Ok(path)
}

/// With this mode, whatever the umask. A folder that somebody else has made cannot be given one.
fn folder(path: &Path, mode: u32) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::set_permissions(path, Permissions::from_mode(mode)),
    }
}

/// Under its final name a file is whole and has its mode, whatever the umask and whenever we are stopped.
fn place(from: &Path, to: &Path, mode: u32) -> Result<(), Error> {
    let unfinished = to.with_added_extension("new");
    let copy = || {
        fs::copy(from, &unfinished)?;
        fs::set_permissions(&unfinished, Permissions::from_mode(mode))?;
        fs::rename(&unfinished, to)
    };
    copy().map_err(|source| Error::Copy { from: from.to_path_buf(), to: to.to_path_buf(), source })
}

#[cfg(test)]
mod tests;
