//! The runner's `.env` file, by the rules of the listener that reads it elsewhere (protocol §6.8): no quotes, no
//! trimming, no comments.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Name of the file in the runner's root.
pub const FILE: &str = ".env";

/// Far above any list of variables; a longer one could not be given to a process.
const MAX_FILE: u64 = 1 << 20;

/// The file is there and cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", path.display())]
pub struct Error {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// The text of the file; `None` where there is none.
pub fn read(home: &Path) -> Result<Option<String>, Error> {
    let path = home.join(FILE);
    if path.is_dir() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let read = File::open(&path).and_then(|it| it.take(MAX_FILE + 1).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error { path, source }),
        Ok(length) if length as u64 > MAX_FILE => {
            Err(Error { path, source: io::ErrorKind::FileTooLarge.into() })
        }
        Ok(_) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
    }
}

/// What each line says: a name, and its value or nothing where the variable is to be unset.
pub fn lines(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split(['\n', '\r'])
        .filter(|line| !line.contains('\0')) // no variable can hold it
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name, Some(value).filter(|it| !it.is_empty())))
}

#[cfg(test)]
mod tests;
