//! Values that come as text, number or boolean, whatever the type they have in the end (protocol §0.5,
//! §2.5).

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The text of a value. Null, `""` and anything that is no single value are no text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plain(Option<String>);

impl Plain {
    pub(crate) fn text(self) -> Option<String> {
        self.0
    }

    /// A decimal number.
    pub(crate) fn number(&self) -> Option<u64> {
        self.0.as_deref()?.trim().parse().ok()
    }

    /// `true` or `false`, in any case.
    pub(crate) fn flag(&self) -> Option<bool> {
        let text = self.0.as_deref()?.trim();
        match (text.eq_ignore_ascii_case("true"), text.eq_ignore_ascii_case("false")) {
            (false, false) => None,
            (yes, _) => Some(yes),
        }
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = any_text::<D, NoText>(deserializer)?;
        Ok(Self(text.filter(|text| !text.is_empty())))
    }
}

/// The text of a value that may have any form; what an object says is `M`'s to tell.
pub(crate) fn any_text<'de, D: Deserializer<'de>, M: TextOfMap>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(AnyValue(PhantomData::<M>))
}

/// What text an object stands for, if any.
pub(crate) trait TextOfMap {
    fn text_of<'de, A: MapAccess<'de>>(map: A) -> Result<Option<String>, A::Error>;
}

struct NoText;

impl TextOfMap for NoText {
    fn text_of<'de, A: MapAccess<'de>>(mut map: A) -> Result<Option<String>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

struct AnyValue<M>(PhantomData<M>);

impl<'de, M: TextOfMap> Visitor<'de> for AnyValue<M> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        M::text_of(map)
    }
}

/// A value that may have any form, and is `None` unless it has the expected one.
pub(crate) struct Lenient<T>(pub(crate) Option<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(serde_json::from_value(value).ok()))
    }
}
