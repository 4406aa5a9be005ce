//! Stored logs: as much of Azure's blob storage as log uploads use (protocol §5.7).

use std::collections::BTreeMap;

use super::State;

/// All blobs of one server together: a bound against a worker that never stops talking.
const STORE_LIMIT: usize = 1 << 30;

/// A stored log.
#[derive(Debug, Default)]
pub(crate) struct Blob {
    pub(super) signature: String,
    data: Vec<u8>,
    kind: Option<BlobKind>,
    /// Blocks that were put and are not in the list yet.
    blocks: BTreeMap<String, Vec<u8>>,
    sealed: bool,
    /// Whether its worker said that it is whole, and of how many lines.
    pub(super) finished: bool,
    pub(super) lines: Option<u64>,
}

/// What a blob was created as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlobKind {
    Block,
    Append,
}

/// One write to a blob.
#[derive(Debug)]
pub(crate) enum Write<'a> {
    /// The whole blob; perhaps only where there is none yet.
    Put { kind: BlobKind, data: &'a [u8], fresh: bool },
    /// More of an append blob, perhaps the last.
    Append { data: &'a [u8], seal: bool },
    /// One block of a block blob.
    Block { id: String, data: &'a [u8] },
    /// Which blocks make up the blob.
    Commit(Vec<String>),
    /// No more writes.
    Seal,
}

/// Why a write is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlobError {
    /// Unknown, or the signature is not its: `403`.
    Forbidden,
    /// Not created yet, or a block is unknown: `404`.
    NotFound,
    /// Created already: `409`.
    Exists,
    /// The operation does not fit the blob: `409`.
    WrongKind,
    /// `409`.
    Sealed,
    /// The store is full: `413`.
    TooLarge,
}

impl State {
    /// Writes to a blob.
    pub(crate) fn write_blob(
        &mut self,
        name: &str,
        signature: &str,
        write: Write<'_>,
    ) -> Result<(), BlobError> {
        let stored: usize = self.blobs.values().map(|blob| blob.data.len()).sum();
        let blob = self
            .blobs
            .get_mut(name)
            .filter(|blob| blob.signature == signature)
            .ok_or(BlobError::Forbidden)?;
        if blob.sealed {
            return Err(BlobError::Sealed);
        }
        let growth = match &write {
            Write::Put { data, .. } | Write::Append { data, .. } | Write::Block { data, .. } => data.len(),
            Write::Commit(_) | Write::Seal => 0,
        };
        if stored + growth > STORE_LIMIT {
            return Err(BlobError::TooLarge);
        }
        blob.write(write)
    }
}

impl Blob {
    pub(super) fn len(&self) -> usize {
        self.data.len()
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.sealed
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.data).into_owned()
    }

    fn write(&mut self, write: Write<'_>) -> Result<(), BlobError> {
        match write {
            Write::Put { fresh: true, .. } if self.kind.is_some() => return Err(BlobError::Exists),
            Write::Put { kind, data, .. } => {
                self.kind = Some(kind);
                self.data = data.to_vec();
            }
            Write::Append { data, seal } => {
                self.expect(BlobKind::Append)?;
                self.data.extend_from_slice(data);
                self.sealed = seal;
            }
            Write::Block { id, data } => {
                if self.kind.is_some() {
                    self.expect(BlobKind::Block)?;
                }
                self.blocks.insert(id, data.to_vec());
            }
            Write::Commit(list) => {
                let blocks: Option<Vec<&Vec<u8>>> = list.iter().map(|id| self.blocks.get(id)).collect();
                self.data = blocks.ok_or(BlobError::NotFound)?.into_iter().flatten().copied().collect();
                self.kind = Some(BlobKind::Block);
            }
            Write::Seal => {
                self.expect(BlobKind::Append)?;
                self.sealed = true;
            }
        }
        Ok(())
    }

    fn expect(&self, kind: BlobKind) -> Result<(), BlobError> {
        match self.kind {
            Some(found) if found == kind => Ok(()),
            Some(_) => Err(BlobError::WrongKind),
            None => Err(BlobError::NotFound),
        }
    }
}
