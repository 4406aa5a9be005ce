use proptest::prelude::*;

use super::*;
use crate::fixture::{answer, reply};
use crate::secret::{AppJwt, InstallationToken};
use crate::url::{ApiBase, Repository, Scope};

fn api() -> ApiBase {
    ApiBase::parse("https://api.github.test").unwrap()
}

fn scope() -> Scope {
    Scope::Org("synthetic-org".into())
}

fn token() -> InstallationToken {
    InstallationToken::new("ghs_FAKE0000000000000000000000000000000000")
}

fn repository() -> Repository {
    Repository::parse("synthetic-org/demo-repo").unwrap()
}

const RUN: RunId = RunId(7_700_000_001);

#[test]
fn r4_lists_runners_page_by_page() {
    let request = list_runners(&api(), &scope(), &token(), Some("gw blue&1"), 1).unwrap();
    let query = "name=gw+blue%261&per_page=100&page=1";
    assert_eq!(request.uri().query(), Some(query));
    let page = |link| {
        let mut reply = answer("r4_by_name");
        reply.headers_mut().insert("link", http::HeaderValue::from_static(link));
        decode_runners(&reply).unwrap()
    };
    let next =
        r#"<https://api.github.test/x?page=2>; rel="next", <https://api.github.test/x?page=9>; rel="last""#;
    assert!(page(next).more);
    assert!(!page(r#"<https://api.github.test/x?page=1>; rel="prev""#).more);
}

#[test]
fn a_runner_that_is_not_there_is_none() {
    assert_eq!(decode_runner(&reply(404, &[], "")), Ok(None));
}

#[test]
fn r6_deletes_unless_busy() {
    let other = r#"{"message":"Runner \"x\" is Still RUNNING a job"}"#;
    assert_eq!(decode_deletion(&reply(422, &[], other)), Ok(Deletion::Busy));
    assert_eq!(decode_deletion(&reply(204, &[], "")), Ok(Deletion::Gone));
    assert_eq!(decode_deletion(&reply(404, &[], "")), Ok(Deletion::Gone));
    assert!(decode_deletion(&reply(422, &[], r#"{"message":"Validation failed"}"#)).is_err());
}

#[test]
fn j1_tells_a_retriable_refusal_from_a_final_one() {
    assert_eq!(decode_rerun(&reply(201, &[], "{}")), Ok(Rerun::Accepted));
    let never = r#"{"message":"This workflow run cannot be retried"}"#;
    assert_eq!(decode_rerun(&reply(403, &[], never)), Ok(Rerun::CannotBeRetried));
    let permission =
        reply(403, &[("x-ratelimit-remaining", "4000")], r#"{"message":"Resource not accessible"}"#);
    assert_eq!(decode_rerun(&permission).unwrap_err().kind, RestErrorKind::Forbidden);
}

#[test]
fn j4_asks_for_an_attempt_or_for_the_latest() {
    let attempt = get_run(&api(), &repository(), RUN, Some(Attempt(1)), &token()).unwrap();
    assert!(attempt.uri().path().ends_with("/runs/7700000001/attempts/1"));
    assert_eq!(decode_run(&reply(404, &[], "")), Ok(None));
}

#[test]
fn a_word_that_github_adds_is_not_an_error() {
    let run = |status, conclusion| {
        let body = format!(r#"{{"id":1,"status":"{status}","conclusion":{conclusion}}}"#);
        decode_run(&reply(200, &[], &body)).unwrap().unwrap()
    };
    assert_eq!(run("napping", "null").status, RunStatus::Unfinished);
    assert_eq!(run("completed", r#""exploded""#).conclusion, Some(Conclusion::Other));
}

#[test]
fn j5_tells_how_far_the_steps_of_a_job_are() {
    let job = |steps: &str| {
        let body = format!(
            r#"{{"jobs":[{{"id":1,"name":"build","status":"in_progress","started_at":"2026-09-01T10:00:09Z",
                "completed_at":null,"runner_name":"gw"{steps}}}]}}"#
        );
        decode_run_jobs(&reply(200, &[], &body)).unwrap().items.remove(0)
    };
    let of_three =
        job(r#","steps":[{"name":"Set up job","status":"completed","conclusion":"success","number":1},
            {"name":"make","status":"in_progress","conclusion":null,"number":2},
            {"name":"late","status":"queued"}]"#);
    assert_eq!((of_three.steps.len(), of_three.steps_begun()), (3, 2));
    let step = &of_three.steps[0];
    assert_eq!((step.name.as_str(), step.number), ("Set up job", 1));
    assert_eq!((step.status, step.conclusion), (StepStatus::Completed, Some(Conclusion::Success)));
    assert_eq!(of_three.started_at, Some("2026-09-01T10:00:09Z".parse().unwrap()));
    assert_eq!(of_three.completed_at, None);
    for none in ["", r#","steps":null"#, r#","steps":[]"#] {
        assert_eq!(job(none).steps_begun(), 0, "{none}");
    }
}

#[test]
fn r9_tells_until_when_a_version_is_served() {
    let request = runner_version_end(&api(), &scope(), &token(), "2.335.1").unwrap();
    assert_eq!(request.method(), Method::GET);
    assert_eq!(request.uri().path(), "/orgs/synthetic-org/actions/runners/deprecations/2.335.1");
    let climbs = runner_version_end(&api(), &scope(), &token(), "../x?y").unwrap();
    assert!(climbs.uri().path().contains("/deprecations/..%2Fx%3Fy"), "{}", climbs.uri());

    let end = |status, body| decode_runner_version_end(&reply(status, &[], body));
    let dated = r#"{"runner_version":"2.335.1","runtime_deprecates_at":"2026-09-24T15:30:55Z"}"#;
    assert_eq!(end(200, dated), Ok(VersionEnd::At("2026-09-24T15:30:55Z".parse().unwrap())));
    let newest = r#"{"runner_version":"2.337.0","runtime_deprecates_at":null}"#;
    assert_eq!(end(200, newest), Ok(VersionEnd::Newest));
    assert_eq!(end(404, r#"{"message":"Not Found","status":"404"}"#), Ok(VersionEnd::Unknown));
    assert_eq!(end(401, "").unwrap_err().kind, RestErrorKind::Unauthorized);
    assert!(end(200, r#"{"runtime_deprecates_at":"soon"}"#).is_err());
}

#[test]
fn j8_takes_a_run_that_is_not_there_as_an_error() {
    assert!(decode_force_cancel(&reply(404, &[], "")).is_err());
}

#[test]
fn absent_ranges_are_unknown_and_not_empty() {
    let Meta::Ranges { ranges, .. } = decode_meta(&reply(200, &[], "{}")).unwrap() else { panic!() };
    assert_eq!(ranges, Ranges::default());
}

#[test]
fn the_table_of_refusals() {
    let kind = |status, headers: &[(&str, &str)]| RestError::of(&reply(status, headers, "")).kind;
    assert_eq!(kind(401, &[]), RestErrorKind::Unauthorized);
    assert_eq!(kind(403, &[("x-ratelimit-remaining", "4000")]), RestErrorKind::Forbidden);
    assert!(matches!(kind(403, &[("x-ratelimit-remaining", "0")]), RestErrorKind::RateLimited(_)));
    assert_eq!(kind(404, &[]), RestErrorKind::NotFound);
    assert_eq!(kind(409, &[]), RestErrorKind::Conflict);
    assert_eq!(kind(422, &[]), RestErrorKind::Unprocessable);
    assert!(matches!(kind(429, &[]), RestErrorKind::RateLimited(_)));
    assert_eq!(kind(502, &[]), RestErrorKind::Transient);
    assert_eq!(kind(302, &[]), RestErrorKind::Other);
}

#[test]
fn an_error_has_githubs_message_and_request_id() {
    let body = r#"{"message":"Validation Failed","errors":[{"resource":"Runner","field":"labels","code":"missing"},"and so on",7]}"#;
    let error = RestError::of(&reply(422, &[("x-github-request-id", "FA4E:1")], body));
    assert_eq!(
        error.to_string(),
        "GitHub answered 422 Unprocessable Entity: Validation Failed; Runner.labels: missing; and so on (request FA4E:1)"
    );
}

#[test]
fn a_success_that_was_cut_is_worth_another_try() {
    let cut = reply(201, &[], r#"{"token":"ghs_FAKE"#);
    let error = decode_access_token(&cut).unwrap_err();
    assert!(error.kind.is_transient());
    assert!(!error.to_string().contains("ghs_"), "{error}");
}

#[test]
fn one_request_of_each_kind_as_it_is_sent() {
    let labels = ["blue".to_owned()];
    let wanted = JitRequest { name: "gw", runner_group_id: 1, labels: &labels, work_folder: "_work" };
    let requests = [
        create_access_token(&api(), InstallationId(1), &AppJwt::new("FAKE.APP.JWT")),
        generate_jit_config(&api(), &scope(), &token(), &wanted),
        rerun_failed_jobs(&api(), &repository(), RUN, &token()),
        meta(&api(), None),
    ];
    let shown: String = requests.into_iter().map(|it| format!("{:#?}\n", it.unwrap())).collect();
    assert!(!shown.contains("FAKE"), "{shown}");
    insta::assert_snapshot!(shown);
}

proptest! {
    #[test]
    fn no_answer_makes_a_decoder_panic(status in 100u16..600, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut reply = reply(status, &[("link", "<;;,\"")], "");
        *reply.body_mut() = body.into();
        let _ = (decode_access_token(&reply), decode_jit(&reply), decode_runners(&reply), decode_runner(&reply));
        let _ = (decode_runner_groups(&reply), decode_deletion(&reply), decode_rerun(&reply), decode_run(&reply));
        let _ = (decode_run_jobs(&reply), decode_force_cancel(&reply), decode_meta(&reply));
        let _ = decode_runner_version_end(&reply);
    }

    #[test]
    fn no_cut_makes_a_decoder_panic(cut in 0usize..4000) {
        for name in ["a2_narrowed", "r2_groups", "r3_register", "r5_runner", "j4_run", "j5_latest", "m1_meta"] {
            let mut reply = answer(name);
            let length = reply.body().len();
            reply.body_mut().truncate(cut % (length + 1));
            let _ = (decode_access_token(&reply), decode_jit(&reply), decode_runner(&reply), decode_run(&reply));
            let _ = (decode_runner_groups(&reply), decode_run_jobs(&reply), decode_meta(&reply));
        }
    }
}
