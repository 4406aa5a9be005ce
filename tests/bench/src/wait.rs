//! Waiting with an end.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

/// Between two looks. What is measured is timed by the servers, so it bounds patience and not precision.
const LOOK: Duration = Duration::from_millis(10);

/// Looks until there is something.
///
/// # Errors
/// A look fails, or nothing comes within `patience`.
pub async fn until<T>(
    what: &str,
    patience: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + patience;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() >= end {
            bail!("{what}: not within {patience:?}");
        }
        sleep(LOOK).await;
    }
}
