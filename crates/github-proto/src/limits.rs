//! How much of an answer is read. Whoever reads from a socket applies the same numbers there.

/// A REST answer about one object or one page of a hundred runners (about 1 KiB each).
pub const REST_BODY: usize = 1024 * 1024;

/// `/meta`: thousands of address blocks, some 200 KiB today, with room to grow.
pub const META_BODY: usize = 8 * 1024 * 1024;

/// One JIT configuration: about 4 KiB (protocol §2.5).
pub const JIT_BLOB: usize = 64 * 1024;

/// An OAuth answer: one token. Tokens of 2 KiB and more are to be expected (protocol §1.4).
pub const OAUTH_BODY: usize = 64 * 1024;

/// A session or a message of the broker. A message names a job, it does not carry one.
pub const BROKER_BODY: usize = 1024 * 1024;

/// The job message: `Runner.Worker` takes 50,000,000 bytes of UTF-16, half as much in ASCII
/// (protocol §0.8).
pub const JOB_MESSAGE: usize = 25_000_000;

/// Answers of the run service other than the job message.
pub const RUN_SERVICE_BODY: usize = 64 * 1024;

/// What is kept of an error's text: it ends up in conditions and log lines.
pub const ERROR_TEXT: usize = 512;
