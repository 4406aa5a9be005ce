//! The results service: step states and logs (protocol §5.7).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::State;
use super::claims::LockError;

/// All blobs of one server together: a bound against a worker that never stops talking.
const STORE_LIMIT: usize = 1 << 30;

/// A step, as its worker describes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) external_id: String,
    pub(crate) number: u64,
    pub(crate) name: String,
    pub(crate) status: StepStatus,
    pub(crate) conclusion: Option<&'static str>,
    pub(crate) started: Option<String>,
    pub(crate) completed: Option<String>,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepStatus {
    InProgress,
    Pending,
    Completed,
}

impl StepStatus {
    fn from_number(number: u64) -> Option<Self> {
        match number {
            3 => Some(Self::InProgress),
            5 => Some(Self::Pending),
            6 => Some(Self::Completed),
            _ => None,
        }
    }

    /// The word of the REST API.
    pub(crate) fn rest(self) -> &'static str {
        match self {
            StepStatus::InProgress => "in_progress",
            StepStatus::Pending => "queued",
            StepStatus::Completed => "completed",
        }
    }
}

impl Step {
    /// Reads one element of `steps`; none when it is not one.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let conclusion = match value.get("conclusion").and_then(Value::as_u64).unwrap_or(0) {
            0 => None,
            2 => Some("success"),
            3 => Some("failure"),
            4 => Some("cancelled"),
            7 => Some("skipped"),
            _ => return None,
        };
        Some(Self {
            external_id: text("external_id")?,
            number: value.get("number").and_then(Value::as_u64)?,
            name: text("name").unwrap_or_default(),
            status: StepStatus::from_number(value.get("status").and_then(Value::as_u64)?)?,
            conclusion,
            started: text("started_at"),
            completed: text("completed_at"),
        })
    }
}

/// A stored log.
#[derive(Debug, Default)]
pub(crate) struct Blob {
    signature: String,
    data: Vec<u8>,
    kind: Option<BlobKind>,
    /// Blocks that were put and are not in the list yet.
    blocks: BTreeMap<String, Vec<u8>>,
    sealed: bool,
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
    /// The whole blob.
    Put(BlobKind, &'a [u8]),
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
    /// The operation does not fit the blob: `409`.
    WrongKind,
    /// `409`.
    Sealed,
    /// The store is full: `413`.
    TooLarge,
}

impl State {
    /// Whether the ids in a request are those of the token's job.
    pub(crate) fn check_results(&self, job: u64, plan: &str, named: &str) -> Result<(), LockError> {
        let known = self.job(job).map(|known| known.guid.to_string()).ok_or(LockError::Over)?;
        match self.plan_of(job).to_string() == plan && known == named {
            true => Ok(()),
            false => Err(LockError::NotAuthorized),
        }
    }

    /// Takes step states over. The first of these calls is the job's start.
    pub(crate) fn update_steps(&mut self, id: u64, steps: Vec<Step>, now: Timestamp) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.life.start();
        job.started.get_or_insert(now);
        for step in steps {
            job.steps.insert(step.number, step);
        }
        self.touch();
    }

    /// A URL that a log can be put to: of the whole job, or of one step.
    pub(crate) fn log_url(&mut self, job: u64, step: Option<&str>) -> String {
        let name = self.log_name(job, step);
        let signature = match self.blobs.get(&name) {
            Some(blob) => blob.signature.clone(),
            None => {
                let fresh = self.ids.text(32);
                let account = self.run_of_job(job).map(|run| run.owner().to_owned()).unwrap_or_default();
                self.note_secret(&account, "log-signature", &fresh);
                fresh
            }
        };
        let url = format!("{}/blobs/{name}?sv=2024-11-04&sig={signature}", self.base);
        self.blobs.entry(name).or_default().signature = signature;
        url
    }

    fn log_name(&self, job: u64, step: Option<&str>) -> String {
        let guid = self.job(job).map_or(Uuid::nil(), |job| job.guid);
        match step {
            Some(step) => format!("{guid}/steps/{step}"),
            None => format!("{guid}/job"),
        }
    }

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
            Write::Put(_, data) | Write::Append { data, .. } | Write::Block { data, .. } => data.len(),
            Write::Commit(_) | Write::Seal => 0,
        };
        if stored + growth > STORE_LIMIT {
            return Err(BlobError::TooLarge);
        }
        blob.write(write)
    }

    /// A job's log: the one of the whole job, else what there is of its steps'.
    pub(crate) fn log(&self, job: u64) -> Option<String> {
        let text = |blob: &Blob| String::from_utf8_lossy(&blob.data).into_owned();
        let whole = self.blobs.get(&self.log_name(job, None)).filter(|blob| !blob.data.is_empty());
        if let Some(blob) = whole {
            return Some(text(blob));
        }
        let steps = self.job(job)?.steps.values();
        let logs = steps.filter_map(|step| self.blobs.get(&self.log_name(job, Some(&step.external_id))));
        Some(logs.map(text).collect())
    }
}

impl Blob {
    fn write(&mut self, write: Write<'_>) -> Result<(), BlobError> {
        match write {
            Write::Put(kind, data) => {
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

/// The answer that hands a log URL out.
pub(crate) fn signed_url(url: &str) -> Value {
    json!({"logs_url": url, "blob_storage_type": "BLOB_STORAGE_TYPE_AZURE"})
}
