//! Log storage that understands as much of Azure's blob protocol as log uploads use (protocol §5.7).

use http::header::IF_NONE_MATCH;
use http::{HeaderName, StatusCode};

use super::answer::{Answer, Refusal};
use super::call::Call;
use super::route::Dialect;
use crate::shared::Shared;
use crate::state::blobs::{BlobError, BlobKind, Write};

const BLOB: Dialect = Dialect::Blob;

/// `PUT` of a blob, a block, a block list, or the seal of an append blob, by its signed URL.
pub(crate) fn put(shared: &Shared, call: &Call, name: &str) -> Result<Answer, Refusal> {
    let Some(signature) = call.parameter("sig") else {
        return Err(BLOB
            .refuse(StatusCode::FORBIDDEN, "no signature")
            .violating("a blob URL without its signature"));
    };
    let write = write(call)?;
    // The Azure SDK takes nothing else for a seal.
    let status = if matches!(write, Write::Seal) { StatusCode::OK } else { StatusCode::CREATED };
    shared.with(|state, _| state.write_blob(name, signature, write)).map_err(refuse)?;
    Ok(Answer::empty(status))
}

fn write(call: &Call) -> Result<Write<'_>, Refusal> {
    let data = call.body.as_ref();
    let says = |word: Option<&str>| word.is_some_and(|word| word.eq_ignore_ascii_case("true"));
    let sealed = says(call.parameter("seal")) || says(header(call, "x-ms-blob-sealed"));
    let fresh = call.header(IF_NONE_MATCH) == Some("*");
    match (call.parameter("comp"), header(call, "x-ms-blob-type")) {
        (None, Some("BlockBlob")) => Ok(Write::Put { kind: BlobKind::Block, data, fresh }),
        (None, Some("AppendBlob")) if data.is_empty() => {
            Ok(Write::Put { kind: BlobKind::Append, data, fresh })
        }
        (Some("appendblock"), _) => Ok(Write::Append { data, seal: sealed }),
        (Some("seal"), _) => Ok(Write::Seal),
        (Some("block"), _) => match call.parameter("blockid") {
            Some(id) => Ok(Write::Block { id: id.to_owned(), data }),
            None => Err(BLOB.invalid("blockid is missing")),
        },
        (Some("blocklist"), _) => Ok(Write::Commit(block_list(&String::from_utf8_lossy(data)))),
        (comp, kind) => Err(BLOB.invalid(&format!("comp {comp:?} with blob type {kind:?} is not supported"))),
    }
}

/// The ids in `<BlockList><Latest>…</Latest></BlockList>`; `Committed` and `Uncommitted` are written as well.
fn block_list(xml: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for part in xml.split('<') {
        let tagged = ["Latest>", "Uncommitted>", "Committed>"].iter().find_map(|tag| part.strip_prefix(tag));
        ids.extend(tagged.map(|id| id.trim().to_owned()));
    }
    ids
}

fn header<'a>(call: &'a Call, name: &'static str) -> Option<&'a str> {
    call.header(HeaderName::from_static(name))
}

fn refuse(error: BlobError) -> Refusal {
    match error {
        BlobError::Forbidden => BLOB.refuse(StatusCode::FORBIDDEN, "the signature is not valid"),
        BlobError::NotFound => BLOB.refuse(StatusCode::NOT_FOUND, "the blob or a block does not exist"),
        BlobError::Exists => BLOB.refuse(StatusCode::CONFLICT, "the blob exists already"),
        BlobError::WrongKind => BLOB.refuse(StatusCode::CONFLICT, "the blob is of another type"),
        BlobError::Sealed => BLOB.refuse(StatusCode::CONFLICT, "the blob is sealed"),
        BlobError::TooLarge => BLOB.refuse(StatusCode::PAYLOAD_TOO_LARGE, "the store is full"),
    }
}
