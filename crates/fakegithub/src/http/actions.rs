//! Action resolution: what the worker asks before it downloads what its steps use (protocol §5.7).

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal};
use super::auth;
use super::call::Call;
use super::results;
use super::route::Dialect;
use crate::shared::Shared;
use crate::state::actions::ActionReference;

const TWIRP: Dialect = Dialect::Twirp;

/// The body, as far as it matters: where in its repository an action lies is the worker's concern.
#[derive(Debug, Deserialize)]
struct Actions {
    actions: Vec<ActionReference>,
}

/// Resolves all actions, or none of them.
pub(crate) fn resolve(shared: &Shared, call: &Call, plan: &str, named: &str) -> Result<Answer, Refusal> {
    let job = auth::job(shared, call, TWIRP)?;
    shared.with(|state, _| state.check_results(job, plan, named)).map_err(|error| {
        results::refuse(error, "the plan and the job of the path are not those of the token's job")
    })?;
    let body = Value::Object(call.any_object(TWIRP)?);
    let Actions { actions } =
        serde_json::from_value(body).map_err(|error| TWIRP.invalid(&format!("actions: {error}")))?;
    let errors: Map<String, Value> = actions
        .iter()
        .filter_map(|action| Some((action.key(), json!({"message": action.fault()?}))))
        .collect();
    if !errors.is_empty() {
        // A workflow may name what there is not: no fault of the worker's.
        return Err(Answer::json(StatusCode::UNPROCESSABLE_ENTITY, &json!({"errors": errors})).into());
    }
    let resolved = shared.with(|state, now| state.resolve_actions(job, &actions, now));
    Ok(Answer::json(StatusCode::OK, &json!({"actions": resolved})))
}
