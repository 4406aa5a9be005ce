//! Reading environment variables out of a map, with errors that name the variable.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

/// A variable that is missing, or whose value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// The variable is required.
    #[error("environment variable {0} is not set")]
    Missing(&'static str),
    /// The variable does not hold what it should.
    #[error("environment variable {name}: {value:?} is not {expected}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        expected: &'static str,
    },
}

/// The variables of one process. An empty value counts as unset, as a Kubernetes manifest cannot unset one.
pub(crate) struct Reader<'a>(pub(crate) &'a BTreeMap<String, String>);

impl Reader<'_> {
    pub(crate) fn optional(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|it| !it.is_empty()).cloned()
    }

    pub(crate) fn required(&self, name: &'static str) -> Result<String, EnvError> {
        self.optional(name).ok_or(EnvError::Missing(name))
    }

    pub(crate) fn or(&self, name: &str, default: &str) -> String {
        self.optional(name).unwrap_or_else(|| default.to_owned())
    }

    pub(crate) fn parsed<T: FromStr>(
        &self,
        name: &'static str,
        default: T,
        expected: &'static str,
    ) -> Result<T, EnvError> {
        match self.optional(name) {
            None => Ok(default),
            Some(value) => value.parse().map_err(|_| EnvError::Invalid { name, value, expected }),
        }
    }

    /// Seconds, with or without the unit: `45` or `45s`; fractions are taken.
    pub(crate) fn seconds(&self, name: &'static str, default: Duration) -> Result<Duration, EnvError> {
        let Some(value) = self.optional(name) else { return Ok(default) };
        let number = value.strip_suffix('s').unwrap_or(&value).parse::<f64>().ok();
        number.and_then(|it| Duration::try_from_secs_f64(it).ok()).ok_or(EnvError::Invalid {
            name,
            value,
            expected: "a number of seconds, as in 45s",
        })
    }

    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let value = self.optional(name).unwrap_or_default();
        value.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
    }
}

/// Collects variables, leaving out those without a value.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) BTreeMap<String, String>);

impl Writer {
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    pub(crate) fn set_optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }
}

/// A duration as [`Reader::seconds`] reads it.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs_f64())
}
