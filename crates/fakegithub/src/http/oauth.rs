//! The token endpoint of runners (protocol §3).

use http::StatusCode;
use serde_json::json;

use super::answer::{Answer, Refusal};
use super::call::{Call, Credential};
use crate::shared::Shared;
use crate::state::agents::{TokenError, TokenService};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// O1: a signed assertion for a token.
pub(crate) fn token(
    shared: &Shared,
    call: &Call,
    service: TokenService,
    client: &str,
) -> Result<Answer, Refusal> {
    if call.credential() != Credential::None {
        return Err(malformed("the assertion in the form is the only credential"));
    }
    let mut fields: Vec<(String, String)> = url::form_urlencoded::parse(&call.body).into_owned().collect();
    fields.sort_unstable();
    let [(a, assertion), (b, kind), (c, grant)] = fields.as_slice() else {
        return Err(malformed("the form must have three fields"));
    };
    if (a.as_str(), b.as_str(), c.as_str()) != ("client_assertion", "client_assertion_type", "grant_type") {
        return Err(malformed(
            "the form's fields are grant_type, client_assertion_type and client_assertion",
        ));
    }
    if kind != ASSERTION_TYPE || grant != "client_credentials" {
        return Err(malformed("grant_type or client_assertion_type is not the one"));
    }
    let minted = shared.with(|state, now| {
        let minted = state.mint_runner(service, client, assertion, now);
        minted.map(|(token, expires)| (token, expires.duration_since(now).as_secs())).map_err(|it| (it, now))
    });
    match minted {
        Ok((token, life)) => {
            let body = json!({"access_token": token, "token_type": "JWT", "expires_in": life});
            Ok(Answer::json(StatusCode::OK, &body))
        }
        Err((TokenError::NoClient, _)) => {
            Err(refuse("invalid_client", &format!("The registration {client} does not exist")))
        }
        Err((TokenError::Moved, _)) => {
            Err(refuse("invalid_client", &format!("The client {client} is not served at this address")))
        }
        Err((TokenError::Spreading, _)) => {
            Err(refuse("invalid_client", &format!("The registration {client} was not found")))
        }
        Err((TokenError::Clock(error), now)) => {
            Err(refuse("invalid_client", &format!("{error}. Current server time is {now}")))
        }
        Err((TokenError::Assertion(error), _)) => {
            Err(refuse("invalid_client", &error.to_string()).violating(format!("client assertion: {error}")))
        }
    }
}

/// Rejections are 400 with JSON: that is what makes them final for the official client.
fn refuse(error: &str, description: &str) -> Refusal {
    Answer::json(StatusCode::BAD_REQUEST, &json!({"error": error, "error_description": description})).into()
}

fn malformed(description: &str) -> Refusal {
    refuse("invalid_request", description).violating(description)
}
