//! A request, taken apart, and the checks that every endpoint shares.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, Method, StatusCode, request};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::answer::Refusal;
use super::route::{Dialect, Route};

/// A request with its whole body.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What `Authorization` holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    None,
    Bearer(&'a str),
    RemoteAuth(&'a str),
    /// Another scheme word; they are exact (protocol §0.4).
    Unknown,
}

impl Call {
    pub(crate) fn new(parts: request::Parts, body: Bytes) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: parts.headers,
            body,
        }
    }

    /// The parts of the path. Empty ones are dropped: a client may double a slash (protocol §0.6).
    pub(crate) fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|segment| !segment.is_empty()).collect()
    }

    pub(crate) fn header(&self, name: http::HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn credential(&self) -> Credential<'_> {
        let Some(header) = self.header(AUTHORIZATION) else { return Credential::None };
        match header.split_once(' ') {
            Some(("Bearer", token)) if !token.is_empty() => Credential::Bearer(token),
            Some(("RemoteAuth", token)) if !token.is_empty() => Credential::RemoteAuth(token),
            // Steps ask for id tokens by themselves, and GitHub's manual writes `bearer` there.
            Some(("bearer", token)) if !token.is_empty() && self.path.ends_with("/idtoken") => {
                Credential::Bearer(token)
            }
            _ => Credential::Unknown,
        }
    }

    /// SHA-256 of the body, in hex.
    pub(crate) fn body_sha256(&self) -> String {
        Sha256::digest(&self.body).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What must hold for every request of a dialect.
    pub(crate) fn check(&self, dialect: Dialect) -> Result<(), Refusal> {
        if self.header(USER_AGENT).is_none_or(|agent| agent.trim().is_empty()) {
            let text = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header";
            return Err(
                Refusal::from(super::Answer::text(StatusCode::FORBIDDEN, text)).violating("no User-Agent")
            );
        }
        if dialect == Dialect::Rest {
            self.check_rest()?;
        }
        self.check_content_type(dialect)
    }

    fn check_rest(&self) -> Result<(), Refusal> {
        let wanted = self.header(ACCEPT).unwrap_or("*/*");
        let takes_json =
            wanted.split(',').map(|part| part.split(';').next().unwrap_or_default().trim()).any(|part| {
                matches!(part, "*/*" | "application/*" | "application/json")
                    || (part.starts_with("application/vnd.github") && part.ends_with("json"))
            });
        if !takes_json {
            return Err(Dialect::Rest
                .refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported 'Accept' header")
                .violating(format!("Accept '{wanted}' does not take JSON")));
        }
        match self.headers.get("x-github-api-version").map(|version| version.as_bytes()) {
            None | Some(b"2022-11-28" | b"2026-03-10") => Ok(()),
            Some(_) => Err(Dialect::Rest
                .refuse(StatusCode::BAD_REQUEST, "X-GitHub-Api-Version is not a supported version")
                .violating("unknown X-GitHub-Api-Version")),
        }
    }

    fn check_content_type(&self, dialect: Dialect) -> Result<(), Refusal> {
        let content_type = self.header(CONTENT_TYPE).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let fits = match dialect {
            Dialect::OAuth => essence == "application/x-www-form-urlencoded",
            Dialect::Blob => true,
            _ if self.body.is_empty() => true,
            Dialect::Rest => essence == "application/json" || essence.starts_with("application/vnd.github"),
            _ => essence == "application/json",
        };
        match fits {
            true => Ok(()),
            false => Err(dialect
                .refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type is not supported")
                .violating(format!("content type '{content_type}'"))),
        }
    }

    /// The body as a JSON object whose keys are all among `known`.
    pub(crate) fn object(&self, dialect: Dialect, known: &[&str]) -> Result<Map<String, Value>, Refusal> {
        let object = self.any_object(dialect)?;
        match object.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(object),
            Some(key) => Err(dialect.invalid(&format!("\"{key}\" is not a permitted key."))),
        }
    }

    /// The body as a JSON object.
    pub(crate) fn any_object(&self, dialect: Dialect) -> Result<Map<String, Value>, Refusal> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Ok(object),
            _ => Err(dialect
                .refuse(StatusCode::BAD_REQUEST, "Problems parsing JSON")
                .violating("the body is not a JSON object")),
        }
    }

    /// The body as an object, or none when it is empty.
    pub(crate) fn optional_object(
        &self,
        dialect: Dialect,
        known: &[&str],
    ) -> Result<Map<String, Value>, Refusal> {
        if self.body.is_empty() { Ok(Map::new()) } else { self.object(dialect, known) }
    }

    /// Refuses a body where the endpoint takes none.
    pub(crate) fn no_body(&self, dialect: Dialect) -> Result<(), Refusal> {
        match self.body.is_empty() {
            true => Ok(()),
            false => Err(dialect.invalid("this endpoint takes no body")),
        }
    }

    /// Refuses query parameters that the endpoint does not know, and those that are there twice.
    pub(crate) fn check_parameters(&self, route: &Route) -> Result<(), Refusal> {
        let (dialect, Some(known)) = (route.dialect(), route.parameters()) else { return Ok(()) };
        let mut seen: Vec<&str> = Vec::new();
        for (name, _) in &self.query {
            if !known.contains(&name.as_str()) {
                return Err(dialect.invalid(&format!("\"{name}\" is not a parameter of this endpoint")));
            }
            if seen.contains(&name.as_str()) {
                return Err(dialect.invalid(&format!("\"{name}\" is there twice")));
            }
            seen.push(name);
        }
        Ok(())
    }
}
