//! What a configured GitHub URL names, and how addresses are joined (protocol §0.6).

use std::fmt;

use url::Url;

/// The URL cannot be a GitHub organisation, repository or enterprise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not a URL at all.
    #[error("not a URL")]
    Syntax(#[source] url::ParseError),
    /// Neither `https` nor `http`, or no host, or credentials in it.
    #[error("not the URL of a GitHub server: it must be http(s), with a host and without credentials")]
    Server,
    /// The path is not `/org`, `/owner/repo` or `/enterprises/slug`.
    #[error("the path must be /ORG, /OWNER/REPO or /enterprises/SLUG")]
    Scope,
    /// A name has characters that GitHub's names do not have.
    #[error("{0:?} is not a valid name at GitHub")]
    Name(String),
}

/// Whose runners a URL speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `orgs/{org}`.
    Org(String),
    /// `repos/{owner}/{repo}`.
    Repo(Repository),
    /// `enterprises/{enterprise}`.
    Enterprise(String),
}

impl Scope {
    /// The scope as path segments of the REST API.
    pub(crate) fn segments(&self) -> Vec<&str> {
        match self {
            Self::Org(org) => vec!["orgs", org],
            Self::Repo(repo) => vec!["repos", &repo.owner, &repo.name],
            Self::Enterprise(slug) => vec!["enterprises", slug],
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.segments().join("/"))
    }
}

/// `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Repository {
    owner: String,
    name: String,
}

impl Repository {
    /// Splits `owner/name`.
    ///
    /// # Errors
    /// When it has another form, or characters that would change the path it is put into.
    pub fn parse(full_name: &str) -> Result<Self, UrlError> {
        let (owner, name) = full_name.split_once('/').ok_or(UrlError::Scope)?;
        Ok(Self { owner: checked(owner)?, name: checked(name)? })
    }

    /// The account it belongs to.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Its name without the owner.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// The base of every REST call of one gateway. There is exactly one for a configured URL: tokens
/// minted at one host are refused at another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiBase(Url);

impl ApiBase {
    /// Takes a base as it stands, such as `https://api.github.com`; for tools that speak to `/meta` only.
    ///
    /// # Errors
    /// When it is not an http(s) URL with a host.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        server(text).map(Self)
    }

    /// The base as a URL.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// The base plus path segments, each percent-encoded.
    pub(crate) fn join(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        // Fails for URLs that have no path, which `server` does not let through.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// The base, the scope, and path segments.
    pub(crate) fn scoped(&self, scope: &Scope, segments: &[&str]) -> Url {
        let mut path = scope.segments();
        path.extend(segments);
        self.join(&path)
    }
}

/// A configured GitHub URL, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where REST calls go.
    pub api: ApiBase,
    /// Whose runners are meant.
    pub scope: Scope,
}

impl Target {
    /// Reads a configured URL by the table of protocol §0.6. `force_ghes` reads it as GitHub Enterprise
    /// Server whatever its host.
    ///
    /// # Errors
    /// Says which part of the URL is wrong.
    ///
    /// ```
    /// use github_proto::url::Target;
    /// let target = Target::parse("https://github.com/synthetic-org", false).unwrap();
    /// assert_eq!(target.api.as_url().as_str(), "https://api.github.com/");
    /// assert_eq!(target.scope.to_string(), "orgs/synthetic-org");
    /// ```
    pub fn parse(text: &str, force_ghes: bool) -> Result<Self, UrlError> {
        let url = server(text)?;
        Ok(Self { scope: scope(&url)?, api: ApiBase(rest_base(&url, force_ghes)?) })
    }
}

/// Joins a verb to an address that GitHub handed out: trailing slashes of the path go, the query stays.
pub(crate) fn join(base: &Url, verb: &str) -> Url {
    let mut url = base.clone();
    let path = format!("{}/{verb}", base.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

/// Takes an address that GitHub hands out. `http` is accepted: what is handed out is not ours to judge,
/// and a server inside a cluster may speak it.
pub(crate) fn handed_out(text: &str) -> Result<Url, UrlError> {
    server(text)
}

fn server(text: &str) -> Result<Url, UrlError> {
    let url = Url::parse(text.trim()).map_err(UrlError::Syntax)?;
    let plain = matches!(url.scheme(), "https" | "http")
        && url.host_str().is_some_and(|host| !host.is_empty())
        && url.username().is_empty()
        && url.password().is_none();
    if plain { Ok(url) } else { Err(UrlError::Server) }
}

fn rest_base(url: &Url, force_ghes: bool) -> Result<Url, UrlError> {
    let host = url.host_str().unwrap_or_default();
    let api_host = match host {
        _ if force_ghes => None,
        "github.com" | "www.github.com" => Some("api.github.com".to_owned()),
        "github.localhost" => Some("api.github.localhost".to_owned()),
        tenant if tenant.ends_with(".ghe.com") => Some(format!("api.{tenant}")),
        _ => None,
    };
    let mut base = url.clone();
    base.set_query(None);
    base.set_fragment(None);
    match &api_host {
        Some(api_host) => {
            base.set_host(Some(api_host)).map_err(|_| UrlError::Server)?;
            base.set_path("/");
        }
        None => base.set_path("/api/v3"),
    }
    Ok(base)
}

fn scope(url: &Url) -> Result<Scope, UrlError> {
    let segments: Vec<&str> = url.path().trim_matches('/').split('/').collect();
    match segments[..] {
        [org] if !org.is_empty() => Ok(Scope::Org(checked(org)?)),
        [first, slug] if first.eq_ignore_ascii_case("enterprises") => Ok(Scope::Enterprise(checked(slug)?)),
        [owner, name] => Ok(Scope::Repo(Repository { owner: checked(owner)?, name: checked(name)? })),
        _ => Err(UrlError::Scope),
    }
}

/// A name that is safe inside a path: no separators, no dots that climb.
fn checked(name: &str) -> Result<String, UrlError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let safe = !name.is_empty()
        && name.len() <= 256
        && name.bytes().all(legal)
        && !name.bytes().all(|byte| byte == b'.');
    if safe { Ok(name.to_owned()) } else { Err(UrlError::Name(crate::reply::clip(name))) }
}

#[cfg(test)]
mod tests;
