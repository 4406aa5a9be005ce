//! `worker install <dir>`: what the init container does, so that any runner image runs under the wrapper.
//!
//! The claim's files become readable and removable by any user there: the image's user is not known to us, and the
//! volume, which only the init container and the runner mount, is the fence.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use handoff::worker::{CLAIM_DIR, PAYLOAD, PAYLOAD_GZ, WRAPPER};

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
    #[error("cannot create {} with access for any user", path.display())]
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

/// Copies the wrapper and the claim's files into `dir`, which must exist. Bears repeating: an init container may be
/// restarted.
pub fn install(program: &Path, secret: &Path, dir: &Path) -> Result<(), Error> {
    place(program, &dir.join(WRAPPER), 0o755)?;
    let claim = dir.join(CLAIM_DIR);
    open_folder(&claim).map_err(|source| Error::Folder { path: claim.clone(), source })?;
    let mut found_job = false;
    for name in payload::FILES {
        let from = secret.join(name);
        if from.exists() {
            place(&from, &claim.join(name), 0o644)?;
            found_job |= [PAYLOAD, PAYLOAD_GZ].contains(&name);
        }
    }
    if found_job { Ok(()) } else { Err(Error::NoJob { dir: secret.to_path_buf() }) }
}

/// A folder in which anybody may remove what anybody has put there.
fn open_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::set_permissions(path, Permissions::from_mode(0o777)),
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
