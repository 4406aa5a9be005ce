use proptest::prelude::*;

use super::*;
use crate::fixture::{exchange, read, reply};
use crate::id::RunnerId;
use crate::rate_limit::RateLimit;
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
const RUNNER: RunnerId = RunnerId(31007);

#[test]
fn a2_mints_a_token() {
    let exchange = exchange("a2");
    let request = create_access_token(&api(), InstallationId(70_010_001), &AppJwt::new("FAKE.APP.JWT"));
    exchange.asks_for(&request.unwrap());
    let grant = decode_access_token(&exchange.reply).unwrap();
    assert_eq!(grant.token, token());
    assert_eq!(grant.expires_at, "2026-09-01T11:00:00Z".parse().unwrap());
}

#[test]
fn r2_lists_groups() {
    let page = decode_runner_groups(&exchange("r2").reply).unwrap();
    assert_eq!((page.items[0].id, page.items[0].name.as_str(), page.more), (1, "Default", false));
    let request = list_runner_groups(&api(), &scope(), &token(), 2).unwrap();
    assert_eq!(
        request.uri(),
        "https://api.github.test/orgs/synthetic-org/actions/runner-groups?per_page=100&page=2"
    );
}

#[test]
fn r3_registers_a_runner() {
    let exchange = exchange("r3");
    let labels = ["self-hosted", "linux", "blue"].map(String::from);
    let wanted =
        JitRequest { name: "gw-blue-0007", runner_group_id: 1, labels: &labels, work_folder: "_work" };
    exchange.asks_for(&generate_jit_config(&api(), &scope(), &token(), &wanted).unwrap());
    let registered = decode_jit(&exchange.reply).unwrap();
    assert_eq!(registered.runner.id, RUNNER);
    assert_eq!(registered.blob.expose(), "RkFLRS1KSVQtQ09ORklH");
}

#[test]
fn r3_says_when_a_name_is_taken() {
    let error = decode_jit(&exchange("r3_conflict").reply).unwrap_err();
    assert_eq!(error.kind, RestErrorKind::Conflict);
}

#[test]
fn r4_lists_runners_page_by_page() {
    let request = list_runners(&api(), &scope(), &token(), Some("gw blue&1"), 1).unwrap();
    let query = "name=gw+blue%261&per_page=100&page=1";
    assert_eq!(request.uri().query(), Some(query));
    let page = |link| {
        let headers = [("link", link)];
        decode_runners(&reply(200, &headers, &read("r4.json"))).unwrap()
    };
    let next =
        r#"<https://api.github.test/x?page=2>; rel="next", <https://api.github.test/x?page=9>; rel="last""#;
    assert!(page(next).more);
    assert!(!page(r#"<https://api.github.test/x?page=1>; rel="prev""#).more);
    assert_eq!(page(next).items[0].name, "gw-blue-0007");
    assert!(page(next).items[0].busy);
}

#[test]
fn r5_reads_a_runner_or_none() {
    let exchange = exchange("r5");
    exchange.asks_for(&get_runner(&api(), &scope(), &token(), RUNNER).unwrap());
    assert!(!decode_runner(&exchange.reply).unwrap().unwrap().busy);
    assert_eq!(decode_runner(&reply(404, &[], &read("rest_error.json"))), Ok(None));
}

#[test]
fn r6_deletes_unless_busy() {
    let exchange = exchange("r6_busy");
    exchange.asks_for(&delete_runner(&api(), &scope(), &token(), RUNNER).unwrap());
    assert_eq!(decode_deletion(&exchange.reply), Ok(Deletion::Busy));
    let other = r#"{"message":"Runner \"x\" is Still RUNNING a job"}"#;
    assert_eq!(decode_deletion(&reply(422, &[], other)), Ok(Deletion::Busy));
    assert_eq!(decode_deletion(&reply(204, &[], "")), Ok(Deletion::Gone));
    assert_eq!(decode_deletion(&reply(404, &[], "")), Ok(Deletion::Gone));
    assert!(decode_deletion(&reply(422, &[], r#"{"message":"Validation failed"}"#)).is_err());
}

#[test]
fn j1_tells_not_now_from_never() {
    let exchange = exchange("j1_running");
    exchange.asks_for(&rerun_failed_jobs(&api(), &repository(), RUN, &token()).unwrap());
    assert_eq!(decode_rerun(&exchange.reply), Ok(Rerun::StillRunning));
    assert_eq!(decode_rerun(&reply(201, &[], "{}")), Ok(Rerun::Accepted));
    let never = r#"{"message":"This workflow run cannot be retried"}"#;
    assert_eq!(decode_rerun(&reply(403, &[], never)), Ok(Rerun::CannotBeRetried));
    let permission =
        reply(403, &[("x-ratelimit-remaining", "4000")], r#"{"message":"Resource not accessible"}"#);
    assert_eq!(decode_rerun(&permission).unwrap_err().kind, RestErrorKind::Forbidden);
    let limited = decode_rerun(&crate::fixture::exchange("secondary_limit").reply).unwrap_err();
    assert!(matches!(limited.kind, RestErrorKind::RateLimited(RateLimit::After(_))));
}

#[test]
fn j4_reads_a_run() {
    let exchange = exchange("j4");
    let request = get_run(&api(), &repository(), RUN, None, &token()).unwrap();
    assert_eq!(request.uri().path(), "/repos/synthetic-org/demo-repo/actions/runs/7700000001");
    let run = decode_run(&exchange.reply).unwrap().unwrap();
    assert_eq!((run.status, run.conclusion), (RunStatus::Completed, Some(Conclusion::Cancelled)));
    assert_eq!(run.run_attempt, Some(Attempt(2)));
    let attempt = get_run(&api(), &repository(), RUN, Some(Attempt(1)), &token()).unwrap();
    assert!(attempt.uri().path().ends_with("/runs/7700000001/attempts/1"));
    assert_eq!(decode_run(&reply(404, &[], "")), Ok(None));
}

#[test]
fn a_word_that_github_adds_is_no_error() {
    let run = |status, conclusion| {
        let body = format!(r#"{{"id":1,"status":"{status}","conclusion":{conclusion}}}"#);
        decode_run(&reply(200, &[], &body)).unwrap().unwrap()
    };
    assert_eq!(run("napping", "null").status, RunStatus::Unfinished);
    assert_eq!(run("completed", r#""exploded""#).conclusion, Some(Conclusion::Other));
}

#[test]
fn j5_reads_the_jobs_of_an_attempt() {
    let jobs = decode_run_jobs(&exchange("j5").reply).unwrap();
    let job = &jobs.items[0];
    assert_eq!((job.name.as_str(), job.status, job.conclusion), ("build", RunStatus::Unfinished, None));
    assert_eq!(job.runner_name.as_deref(), Some("gw-blue-0007"));
    let request = list_run_jobs(&api(), &repository(), RUN, Attempt(1), &token(), 1).unwrap();
    assert!(request.uri().path().ends_with("/attempts/1/jobs"));
}

#[test]
fn j8_takes_a_finished_run_as_cancelled() {
    let exchange = exchange("j8");
    let request = force_cancel(&api(), &repository(), RUN, &token()).unwrap();
    assert_eq!(request.uri().path(), "/repos/synthetic-org/demo-repo/actions/runs/7700000001/force-cancel");
    assert_eq!(decode_force_cancel(&exchange.reply), Ok(()));
    assert_eq!(decode_force_cancel(&crate::fixture::exchange("j8_finished").reply), Ok(()));
    assert!(decode_force_cancel(&reply(404, &[], "")).is_err());
}

#[test]
fn m1_reads_ranges_and_remembers_their_tag() {
    let exchange = exchange("m1");
    let etag = http::HeaderValue::from_static("W/\"fake-etag-1\"");
    exchange.asks_for(&meta(&api(), Some(&etag)).unwrap());
    let Meta::Ranges { etag, ranges } = decode_meta(&exchange.reply).unwrap() else { panic!() };
    assert_eq!(etag.unwrap(), "W/\"fake-etag-2\"");
    assert_eq!(ranges.actions.unwrap(), ["198.51.100.128/25", "2001:db8:2::/48"]);
    assert_eq!(decode_meta(&crate::fixture::exchange("m1_unchanged").reply), Ok(Meta::NotModified));
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
fn an_error_tells_githubs_words_and_the_request_to_ask_them_about() {
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
    }

    #[test]
    fn no_cut_makes_a_decoder_panic(cut in 0usize..4000) {
        for name in ["a2", "r2", "r3", "r5", "j4", "j5", "m1"] {
            let mut reply = exchange(name).reply;
            let length = reply.body().len();
            reply.body_mut().truncate(cut % (length + 1));
            let _ = (decode_access_token(&reply), decode_jit(&reply), decode_runner(&reply), decode_run(&reply));
            let _ = (decode_runner_groups(&reply), decode_run_jobs(&reply), decode_meta(&reply));
        }
    }
}
