//! What this build is.

/// The version of the workspace, as in `0.1.0`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from (12 hex digits), or `unknown`.
pub const COMMIT: &str = env!("BUILD_COMMIT");
