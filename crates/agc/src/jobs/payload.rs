//! The Secret that carries a claimed job to its worker. Its existence is the claim.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use github_proto::JitBlob;
use github_proto::jit::{self, JitError};
use github_proto::limits::JOB_MESSAGE;
use handoff::worker::{JIT_CONFIG, PAYLOAD, PAYLOAD_GZ, RUN_INFO, RunInfo};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::core::ObjectMeta;

/// Above this a message is compressed: etcd and the kubelet's tmpfs are dearer than a few milliseconds.
const PLAIN_LIMIT: usize = 256 * 1024;

/// The API server's bound on all values of a Secret together.
const SECRET_LIMIT: usize = 1024 * 1024;

/// The payload makes no Secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Even compressed it is too large.
    #[error("the job message has {compressed} bytes even when compressed; a Secret takes {SECRET_LIMIT}")]
    TooLarge {
        /// Its compressed size.
        compressed: usize,
    },
    /// The compressor failed.
    #[error("failed to compress the job message")]
    Compress(#[source] std::io::Error),
    /// The registration cannot be read.
    #[error("failed to take the key out of {JIT_CONFIG}")]
    Jit(#[source] JitError),
    /// The run's description cannot be written.
    #[error("failed to write {RUN_INFO}")]
    RunInfo(#[source] serde_json::Error),
}

/// The Secret of this job. `metadata` carries name, owner and labels.
///
/// # Errors
/// [`Error::TooLarge`] is final, the others cannot happen in practice.
pub fn secret(metadata: ObjectMeta, message: &Bytes, jit: &JitBlob, run: &RunInfo) -> Result<Secret, Error> {
    let mut data = BTreeMap::new();
    if message.len() <= PLAIN_LIMIT {
        data.insert(PAYLOAD.to_owned(), ByteString(message.to_vec()));
    } else {
        data.insert(PAYLOAD_GZ.to_owned(), ByteString(compress(message).map_err(Error::Compress)?));
    }
    // The runner's private key stays with us: with it a step could speak to GitHub as this runner (protocol §6.1).
    let settings = jit::without_key(jit.expose()).map_err(Error::Jit)?;
    data.insert(JIT_CONFIG.to_owned(), ByteString(settings.into_bytes()));
    data.insert(RUN_INFO.to_owned(), ByteString(serde_json::to_vec(run).map_err(Error::RunInfo)?));
    let size: usize = data.values().map(|it| it.0.len()).sum();
    if size > SECRET_LIMIT {
        return Err(Error::TooLarge { compressed: size });
    }
    Ok(Secret {
        metadata,
        data: Some(data),
        immutable: Some(true),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    })
}

/// What a payload Secret holds: the job message, and the registration of the agent that claimed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// GitHub's answer, byte for byte.
    pub message: Bytes,
    /// The agent's registration.
    pub jit: JitBlob,
}

/// Reads what [`secret`] made; `None` when it holds nothing that can be read.
#[must_use]
pub fn read(secret: &Secret) -> Option<Payload> {
    let jit = std::str::from_utf8(&secret.data.as_ref()?.get(JIT_CONFIG)?.0).ok()?;
    Some(Payload { message: message(secret)?, jit: JitBlob::new(jit) })
}

fn message(secret: &Secret) -> Option<Bytes> {
    let data = secret.data.as_ref()?;
    if let Some(plain) = data.get(PAYLOAD) {
        return Some(Bytes::copy_from_slice(&plain.0));
    }
    let mut message = Vec::new();
    let limit = u64::try_from(JOB_MESSAGE).unwrap_or(u64::MAX);
    GzDecoder::new(data.get(PAYLOAD_GZ)?.0.as_slice()).take(limit).read_to_end(&mut message).ok()?;
    Some(message.into())
}

fn compress(message: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(message)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(message: &Bytes) -> Result<Secret, Error> {
        secret(ObjectMeta::default(), message, &JitBlob::new(registration()), &RunInfo::default())
    }

    /// A registration with a key in it, as GitHub makes them.
    fn registration() -> String {
        use base64::Engine as _;
        let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let files = [
            (".runner", "{\"AgentId\":\"7\"}"),
            (".credentials", "{\"scheme\":\"OAuth\"}"),
            (".credentials_rsaparams", "{\"d\":\"FAKE-PRIVATE-KEY\"}"),
        ];
        let map: BTreeMap<&str, String> =
            files.into_iter().map(|(name, text)| (name, encoded(text))).collect();
        encoded(&serde_json::to_string(&map).unwrap())
    }

    #[test]
    fn the_runners_key_does_not_leave_with_the_payload() {
        let secret = stored(&Bytes::from_static(b"{}")).unwrap();
        let kept = std::str::from_utf8(&secret.data.as_ref().unwrap()["jitconfig"].0).unwrap().to_owned();
        let files = jit::files(&kept).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), [".credentials", ".runner"]);
        assert_eq!(files[".runner"], jit::files(&registration()).unwrap()[".runner"], "byte for byte");
        assert_eq!(read(&secret).unwrap().jit, JitBlob::new(kept), "an older controller reads it, too");
    }

    fn keys(secret: &Secret) -> Vec<&str> {
        secret.data.as_ref().unwrap().keys().map(String::as_str).collect()
    }

    /// Bytes that no compressor makes smaller.
    fn noise(length: usize) -> Bytes {
        let mut state = 1u64;
        let mut byte = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        };
        (0..length).map(|_| byte()).collect()
    }

    #[test]
    fn a_small_message_is_kept_byte_for_byte() {
        let kept = Bytes::from(vec![b'x'; PLAIN_LIMIT]);
        let secret = stored(&kept).unwrap();
        assert_eq!(keys(&secret), ["jitconfig", "payload", "run.json"]);
        assert_eq!(read(&secret).unwrap().message, kept);
        assert_eq!(secret.immutable, Some(true));
    }

    #[test]
    fn a_large_message_is_compressed_and_comes_back_the_same() {
        let large = Bytes::from("{\"steps\":[]}".repeat(100_000));
        let secret = stored(&large).unwrap();
        assert_eq!(keys(&secret), ["jitconfig", "payload.gz", "run.json"]);
        assert_eq!(read(&secret).unwrap().message, large);
    }

    #[test]
    fn what_no_secret_can_hold_is_refused() {
        assert!(matches!(stored(&noise(SECRET_LIMIT + 1)), Err(Error::TooLarge { .. })));
        assert!(stored(&noise(SECRET_LIMIT - 4096)).is_ok());
    }

    #[test]
    fn a_secret_without_a_message_is_no_claim() {
        assert_eq!(read(&Secret::default()), None);
    }
}
