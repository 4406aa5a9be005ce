//! Following redirects without giving a token away.

use github_proto::request::Request;
use http::header::{AUTHORIZATION, LOCATION};
use http::{Method, Response, StatusCode, Uri};
use url::Url;

use super::Error;

/// A renamed repository redirects once; more than a few are a loop.
pub(super) const LIMIT: usize = 3;

/// The next request, or `None` when the answer is to be read. 307 and 308 keep method and body; 301
/// and 302 are followed for reading only, for other methods they change into something else.
pub(super) fn next<B>(request: &Request, response: &Response<B>) -> Result<Option<Request>, Error> {
    let follow = match response.status() {
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => request.method() == Method::GET,
        _ => false,
    };
    let Some(location) = response.headers().get(LOCATION).filter(|_| follow) else {
        return Ok(None);
    };
    let from = Url::parse(&request.uri().to_string()).map_err(|_| Error::Redirect("no base"))?;
    let to = location
        .to_str()
        .ok()
        .and_then(|location| from.join(location).ok())
        .ok_or(Error::Redirect("Location is not an address"))?;
    if from.scheme() == "https" && to.scheme() != "https" {
        return Err(Error::Redirect("it leads out of TLS"));
    }
    let mut next = super::duplicate(request);
    *next.uri_mut() =
        to.as_str().parse::<Uri>().map_err(|_| Error::Redirect("Location is not an address"))?;
    if from.origin() != to.origin() {
        next.headers_mut().remove(AUTHORIZATION);
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests;
