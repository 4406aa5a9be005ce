//! Paths of the Kubernetes API.

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    collection: String,
    /// The object, unless the collection is meant.
    pub(super) name: Option<String>,
    /// Its subresource.
    pub(super) sub: Option<String>,
    /// The last word of the collection, as in `pods`.
    pub(super) plural: String,
}

impl Target {
    /// Path of the collection.
    pub(super) fn collection(&self) -> String {
        self.collection.clone()
    }

    /// Path of the object.
    pub(super) fn object(&self) -> String {
        format!("{}/{}", self.collection, self.name.as_deref().unwrap_or_default())
    }
}

/// `/api/v1/[namespaces/NS/]PLURAL[/NAME[/SUB]]`, and the same under `/apis/GROUP/VERSION`.
pub(super) fn parse(path: &str) -> Option<Target> {
    let words: Vec<&str> = path.trim_matches('/').split('/').collect();
    let api = match *words.first()? {
        "api" => 2,
        "apis" => 3,
        _ => return None,
    };
    let scoped = words.get(api) == Some(&"namespaces") && words.len() > api + 2;
    let plural = if scoped { api + 2 } else { api };
    Some(Target {
        collection: format!("/{}", words.get(..=plural)?.join("/")),
        name: words.get(plural + 1).map(|it| (*it).to_owned()),
        sub: words.get(plural + 2).map(|it| (*it).to_owned()),
        plural: (*words.get(plural)?).to_owned(),
    })
}
