use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{JobMessage, JobMessageError};
use crate::fixture::{job_message, recase};
use crate::id::PlanId;
use crate::reply::BodyError;
use crate::run_service::{Acquired, decode_acquired};

fn fixture() -> Value {
    serde_json::from_slice(&job_message()).unwrap()
}

fn decode(message: &Value) -> Result<JobMessage, JobMessageError> {
    decode_bytes(message.to_string().into_bytes())
}

fn decode_bytes(message: Vec<u8>) -> Result<JobMessage, JobMessageError> {
    JobMessage::decode(&Acquired { plan_id: None, message: Bytes::from(message) })
}

fn changed(change: impl Fn(&mut Value)) -> Result<JobMessage, JobMessageError> {
    let mut message = fixture();
    change(&mut message);
    decode(&message)
}

#[test]
fn a_dozen_facts_are_read() {
    let job = decode(&fixture()).unwrap();
    assert_eq!(job.plan_id.as_str(), "91a40000-0000-4000-8000-00000000fa4e");
    assert_eq!(job.job_id.as_str(), "10b00000-0000-4000-8000-00000000fa4e");
    assert_eq!(job.display_name, "build");
    assert_eq!(job.job_key.as_deref(), Some("build"));
    assert_eq!(job.connection.url.unwrap().as_str(), "https://run-0.actions.test/38/");
    assert_eq!(job.connection.token.expose(), "FAKE.JOB.TOKEN");
    assert_eq!(job.locked_until, None);
    insta::assert_debug_snapshot!(job.github, @r#"
    GitHubContext {
        repository: Some(
            Repository {
                owner: "synthetic-org",
                name: "demo-repo",
            },
        ),
        run_id: Some(
            RunId(
                7700000001,
            ),
        ),
        run_attempt: Some(
            Attempt(
                1,
            ),
        ),
        workflow: Some(
            "ci",
        ),
        git_ref: Some(
            "refs/heads/main",
        ),
        sha: None,
        event_name: None,
        actor: None,
    }
    "#);
}

#[test]
fn what_a_job_hides_is_read_wherever_it_stands() {
    let job = changed(|it| {
        it["variables"]["NPM_TOKEN"] = json!({"value": "npm_FAKE", "isSecret": true});
        it["variables"]["quoted"] = json!({"value": "quoted_FAKE", "isSecret": "True"});
        it["variables"]["plain"] = json!({"value": "shown", "isSecret": false});
        it["variables"]["odd"] = json!(["no variable"]);
        it["mask"] = json!([{"type": "regex", "value": "hint_[0-9]+"}, "no hint"]);
    });
    let text = "npm_FAKE quoted_FAKE shown ghs_FAKEJOBTOKEN hint_42 FAKE.JOB.TOKEN";
    assert_eq!(job.unwrap().masks().apply(text), "*** *** shown *** *** ***");
    let job = changed(|it| {
        it["mask"] = Value::Null;
        it["variables"] = Value::Null;
    });
    assert_eq!(job.unwrap().masks().apply(text).matches("***").count(), 1, "the token of the job");
}

#[test]
fn the_billing_owner_is_read() {
    assert_eq!(decode(&fixture()).unwrap().billing_owner_id.as_deref(), Some("U_FAKEOWNER"));
    for none in [Value::Null, json!(""), json!({})] {
        let job = changed(|it| it["billingOwnerId"] = none.clone()).unwrap();
        assert_eq!(job.billing_owner_id, None, "{none}");
    }
}

#[test]
fn no_secret_shows() {
    let shown = format!("{:?}", decode(&fixture()).unwrap());
    let secrets = shown.replace("U_FAKEOWNER", "");
    assert!(!secrets.contains("FAKE"), "{shown}");
}

#[test]
fn the_header_names_the_plan_before_the_body() {
    let header = PlanId::parse("from-the-header").unwrap();
    let acquired = Acquired { plan_id: Some(header.clone()), message: job_message() };
    assert_eq!(JobMessage::decode(&acquired).unwrap().plan_id, header);
    assert_eq!(
        changed(|it| it["plan"] = json!({})).unwrap_err(),
        JobMessageError::Body(BodyError::Field("plan.planId"))
    );
}

#[test]
fn a_job_that_cannot_be_renewed_is_refused() {
    let no_connection = |change: fn(&mut Value)| {
        assert_eq!(changed(change).unwrap_err(), JobMessageError::NoConnection);
    };
    no_connection(|it| it["resources"] = json!({}));
    no_connection(|it| it["resources"]["endpoints"] = json!([]));
    no_connection(|it| it["resources"]["endpoints"][0]["name"] = "Other".into());
    no_connection(|it| it["resources"]["endpoints"][0]["authorization"] = json!({}));
    no_connection(|it| {
        it["resources"]["endpoints"][0]["authorization"]["parameters"]["AccessToken"] = "".into()
    });
}

#[test]
fn a_connection_without_an_address_leaves_it_to_the_offer() {
    let job = changed(|it| it["resources"]["endpoints"][0]["url"] = "".into()).unwrap();
    assert_eq!(job.connection.url, None);
}

#[test]
fn a_run_that_says_nothing_of_itself_is_not_an_error() {
    let job = changed(|it| it["contextData"] = json!({})).unwrap();
    assert_eq!(job.github, super::GitHubContext::default());
    assert!(changed(|it| it["contextData"]["github"] = json!({"t": 2})).is_ok());
    assert!(changed(|it| it["variables"] = Value::Null).is_ok());
}

#[test]
fn values_come_bare_typed_or_not_at_all() {
    let run_id = |value: Value| {
        let entries = json!([{"k": "event", "v": {"t": 2, "d": [{"k": "run_id", "v": "9"}]}},
                             {"k": "matrix", "v": {"t": 1, "a": ["x"]}},
                             {"k": "RUN_ID", "v": value}]);
        let job = changed(|it| it["contextData"]["github"] = json!({"t": 2, "d": entries.clone()}));
        job.unwrap().github.run_id.map(|it| it.0)
    };
    assert_eq!(run_id(json!("7")), Some(7));
    assert_eq!(run_id(json!(7)), Some(7));
    assert_eq!(run_id(json!({"t": 0, "s": "7"})), Some(7));
    assert_eq!(run_id(json!({"s": "7"})), Some(7));
    assert_eq!(run_id(json!({"t": 4, "n": 7})), Some(7));
    assert_eq!(run_id(json!({"t": 3, "b": true})), None);
    assert_eq!(run_id(json!({"t": 1, "a": []})), None);
    assert_eq!(run_id(Value::Null), None);
    assert_eq!(run_id(json!("seven")), None);
}

#[test]
fn a_repository_that_could_change_a_path_is_not_taken() {
    let entries = json!([{"k": "repository", "v": "../../admin"}]);
    let job = changed(|it| it["contextData"]["github"]["d"] = entries.clone()).unwrap();
    assert_eq!(job.github.repository, None);
}

#[test]
fn a_byte_order_mark_does_not_matter() {
    let bytes = format!("\u{feff}{}", fixture()).into_bytes();
    let acquired = decode_acquired(&http::Response::new(Bytes::from(bytes.clone()))).unwrap();
    assert_eq!(acquired.message, bytes, "it is kept as it came");
    assert_eq!(JobMessage::decode(&acquired).unwrap(), decode(&fixture()).unwrap());
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_bytes(bytes);
    }

    #[test]
    fn no_cut_and_no_flip_makes_the_decoder_panic(cut in 0usize..4000, at in 0usize..4000, bit in 0u8..8) {
        let mut bytes = job_message().to_vec();
        let length = bytes.len();
        bytes[at % length] ^= 1 << bit;
        bytes.truncate(1 + cut % length);
        let _ = decode_bytes(bytes);
    }

    #[test]
    fn the_case_of_keys_does_not_matter(seed in proptest::collection::vec(any::<bool>(), 1..64)) {
        let mut turn = seed.iter().copied().cycle();
        let recased = recase(&fixture(), &mut || turn.next().unwrap_or_default());
        prop_assert_eq!(decode(&recased).unwrap(), decode(&fixture()).unwrap());
    }
}
