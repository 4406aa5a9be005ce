//! `contextData.github`: a dictionary in the typed encoding of protocol §5.5. Only its few known texts
//! are kept; the event payload in it may be large.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::any_case::any_case;
use crate::plain::{TextOfMap, any_text};
use crate::reply::clip;
use crate::rest::{Attempt, RunId};
use crate::url::Repository;

/// Which run a job belongs to. Absent or senseless values are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GitHubContext {
    /// `owner/name`.
    pub repository: Option<Repository>,
    /// The run: a string on the wire.
    pub run_id: Option<RunId>,
    /// The attempt: a string on the wire.
    pub run_attempt: Option<Attempt>,
    /// The workflow's name.
    pub workflow: Option<String>,
    /// The git ref.
    pub git_ref: Option<String>,
    /// The commit.
    pub sha: Option<String>,
    /// What started the run.
    pub event_name: Option<String>,
    /// Who started it.
    pub actor: Option<String>,
}

any_case! {
    pub(super) struct Contexts { github: GitHubContext = "github", }
}

impl GitHubContext {
    fn set(&mut self, key: &str, value: String) {
        match key.to_ascii_lowercase().as_str() {
            "repository" => self.repository = Repository::parse(&value).ok(),
            "run_id" => self.run_id = value.parse().ok().map(RunId),
            "run_attempt" => self.run_attempt = value.parse().ok().map(Attempt),
            "workflow" => self.workflow = Some(clip(&value)),
            "ref" => self.git_ref = Some(clip(&value)),
            "sha" => self.sha = Some(clip(&value)),
            "event_name" => self.event_name = Some(clip(&value)),
            "actor" => self.actor = Some(clip(&value)),
            _ => {}
        }
    }
}

any_case! {
    struct Dictionary { entries: Entries = "d", }
}

impl<'de> Deserialize<'de> for GitHubContext {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let dictionary = Dictionary::deserialize(deserializer)?;
        Ok(dictionary.entries.map(|it| it.0).unwrap_or_default())
    }
}

any_case! {
    struct Entry {
        key: String = "k",
        value: Text = "v",
    }
}

/// The `d` of a dictionary, folded into the context entry by entry.
struct Entries(GitHubContext);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fold;
        impl<'de> Visitor<'de> for Fold {
            type Value = GitHubContext;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the entries of a dictionary")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut context = GitHubContext::default();
                while let Some(entry) = entries.next_element::<Entry>()? {
                    if let (Some(key), Some(Text(Some(value)))) = (entry.key, entry.value) {
                        context.set(&key, value);
                    }
                }
                Ok(context)
            }
        }
        deserializer.deserialize_seq(Fold).map(Self)
    }
}

/// A value's text: bare, or typed `{"t":0,"s":"…"}` with `t` left out for strings. Anything else is
/// skipped.
struct Text(Option<String>);

any_case! {
    struct Typed {
        kind: u64 = "t",
        text: String = "s",
        number: f64 = "n",
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        any_text::<D, Typed>(deserializer).map(Self)
    }
}

impl TextOfMap for Typed {
    fn text_of<'de, A: MapAccess<'de>>(map: A) -> Result<Option<String>, A::Error> {
        let typed = Typed::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(match typed.kind.unwrap_or(0) {
            0 => typed.text,
            4 => typed.number.map(|number| number.to_string()),
            _ => None,
        })
    }
}
