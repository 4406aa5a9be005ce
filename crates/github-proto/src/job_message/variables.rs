//! `variables` of a job message: of hundreds only the job's key and the secrets are kept.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::any_case::any_case;
use crate::plain::{Lenient, Plain};
use crate::reply::clip;

#[derive(Default)]
pub(super) struct Variables {
    /// `system.github.job`, clipped.
    pub(super) job_key: Option<String>,
    /// The values of secrets.
    pub(super) secrets: Vec<Zeroizing<String>>,
}

any_case! {
    struct Variable {
        value: Plain = "value",
        is_secret: Plain = "isSecret",
    }
}

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fold)
    }
}

struct Fold;

impl<'de> Visitor<'de> for Fold {
    type Value = Variables;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("variables by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut variables = Variables::default();
        while let Some((name, variable)) = map.next_entry::<String, Lenient<Variable>>()? {
            let Variable { value, is_secret } = variable.0.unwrap_or_default();
            let Some(value) = value.and_then(Plain::text) else { continue };
            if name.eq_ignore_ascii_case("system.github.job") {
                variables.job_key = Some(clip(&value));
            }
            if is_secret.and_then(|it| it.flag()) == Some(true) {
                variables.secrets.push(Zeroizing::new(value));
            }
        }
        Ok(variables)
    }
}
