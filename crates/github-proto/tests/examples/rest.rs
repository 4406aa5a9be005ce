//! api.github.com (protocol §1, §2, §7, §8).

use std::time::Duration;

use github_proto::request::{BuildError, Request};
use github_proto::rest::{
    Attempt, Conclusion, Deletion, InstallationId, JitRequest, Meta, Rerun, RestErrorKind, RunId, RunStatus,
    create_access_token, decode_access_token, decode_deletion, decode_force_cancel, decode_jit, decode_meta,
    decode_rerun, decode_run, decode_run_jobs, decode_runner, decode_runner_groups, decode_runners,
    delete_runner, force_cancel, generate_jit_config, get_run, get_runner, list_run_jobs, list_runner_groups,
    list_runners, meta, rerun_failed_jobs,
};
use github_proto::url::{ApiBase, Repository, Scope};
use github_proto::{AppJwt, InstallationToken, RateLimit, Reply, RunnerId};
use http::HeaderValue;

use crate::example::examples;

const RUN: RunId = RunId(7_700_000_001);
const RUNNER: RunnerId = RunnerId(31007);

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

fn mint() -> Result<Request, BuildError> {
    create_access_token(&api(), InstallationId(70_010_001), &AppJwt::new("FAKE.APP.JWT"))
}

fn granted(answer: &Reply) {
    let grant = decode_access_token(answer).unwrap();
    assert_eq!(grant.token, token());
    assert_eq!(grant.expires_at, "2026-09-01T11:00:00Z".parse().unwrap());
}

fn one_group(answer: &Reply) {
    let page = decode_runner_groups(answer).unwrap();
    let group = &page.items[0];
    assert_eq!((page.items.len(), page.more), (1, false));
    assert_eq!((group.id, group.name.as_str()), (1, "Default"));
    assert_eq!(group.allows_public_repositories, Some(false));
}

fn register() -> Result<Request, BuildError> {
    let labels = ["self-hosted", "linux", "blue"].map(String::from);
    let wanted =
        JitRequest { name: "gw-blue-0007", runner_group_id: 1, labels: &labels, work_folder: "_work" };
    generate_jit_config(&api(), &scope(), &token(), &wanted)
}

fn one_job(answer: &Reply) {
    let page = decode_run_jobs(answer).unwrap();
    let job = &page.items[0];
    assert_eq!((page.items.len(), page.more, job.id), (1, false, 8_800_000_001));
    assert_eq!((job.name.as_str(), job.run_attempt), ("build", Some(Attempt(1))));
    assert_eq!((job.status, job.conclusion), (RunStatus::Unfinished, None));
    assert_eq!(job.runner_name.as_deref(), Some("gw-blue-0007"));
}

fn ask_meta() -> Result<Request, BuildError> {
    meta(&api(), Some(&HeaderValue::from_static("W/\"fake-etag-1\"")))
}

examples! {
    a2_all_rights(it) {
        it.asks(mint());
        granted(&it.answer());
    }
    a2_narrowed(it) {
        it.asks_otherwise(mint());
        granted(&it.answer());
    }
    r2_groups(it) {
        it.asks_otherwise(list_runner_groups(&api(), &scope(), &token(), 1));
        one_group(&it.answer());
    }
    r2_groups_by_page(it) {
        it.asks(list_runner_groups(&api(), &scope(), &token(), 1));
        one_group(&it.answer());
    }
    r3_register(it) {
        it.asks(register());
        let registered = decode_jit(&it.answer()).unwrap();
        assert_eq!((registered.runner.id, registered.runner.name.as_str()), (RUNNER, "gw-blue-0007"));
        assert_eq!((registered.runner.status.as_str(), registered.runner.busy), ("offline", false));
        assert_eq!(registered.blob.expose(), "RkFLRS1KSVQtQ09ORklH");
    }
    r3_name_taken(it) {
        it.asks(register());
        assert_eq!(decode_jit(&it.answer()).unwrap_err().kind, RestErrorKind::Conflict);
    }
    r4_by_name(it) {
        it.asks(list_runners(&api(), &scope(), &token(), Some("gw-blue-0007"), 1));
        let page = decode_runners(&it.answer()).unwrap();
        let runner = &page.items[0];
        assert_eq!((page.items.len(), page.more), (1, false));
        assert_eq!((runner.id, runner.name.as_str()), (RUNNER, "gw-blue-0007"));
        assert_eq!((runner.status.as_str(), runner.busy), ("online", true));
    }
    r5_runner(it) {
        it.asks(get_runner(&api(), &scope(), &token(), RUNNER));
        let runner = decode_runner(&it.answer()).unwrap().unwrap();
        assert_eq!((runner.id, runner.status.as_str(), runner.busy), (RUNNER, "online", false));
    }
    r5_absent(it) {
        it.asks(get_runner(&api(), &scope(), &token(), RUNNER));
        assert_eq!(decode_runner(&it.answer()), Ok(None));
    }
    r5_secondary_limit(it) {
        it.asks(get_runner(&api(), &scope(), &token(), RUNNER));
        let later = RestErrorKind::RateLimited(RateLimit::After(Duration::from_secs(60)));
        assert_eq!(decode_runner(&it.answer()).unwrap_err().kind, later);
    }
    r6_busy(it) {
        it.asks(delete_runner(&api(), &scope(), &token(), RUNNER));
        assert_eq!(decode_deletion(&it.answer()), Ok(Deletion::Busy));
    }
    j1_running(it) {
        it.asks(rerun_failed_jobs(&api(), &repository(), RUN, &token()));
        assert_eq!(decode_rerun(&it.answer()), Ok(Rerun::StillRunning));
    }
    j4_run(it) {
        it.asks(get_run(&api(), &repository(), RUN, None, &token()));
        let run = decode_run(&it.answer()).unwrap().unwrap();
        assert_eq!((run.id, run.run_attempt), (RUN, Some(Attempt(2))));
        assert_eq!((run.status, run.conclusion), (RunStatus::Completed, Some(Conclusion::Cancelled)));
    }
    j5_latest(it) {
        it.asks_otherwise(list_run_jobs(&api(), &repository(), RUN, Attempt(1), &token(), 1));
        one_job(&it.answer());
    }
    j5_of_attempt(it) {
        it.asks(list_run_jobs(&api(), &repository(), RUN, Attempt(1), &token(), 1));
        one_job(&it.answer());
    }
    j8_force_cancel(it) {
        it.asks(force_cancel(&api(), &repository(), RUN, &token()));
        assert_eq!(decode_force_cancel(&it.answer()), Ok(()));
    }
    j8_finished(it) {
        it.asks(force_cancel(&api(), &repository(), RUN, &token()));
        assert_eq!(decode_force_cancel(&it.answer()), Ok(()));
    }
    m1_meta(it) {
        it.asks(ask_meta());
        let Meta::Ranges { etag, ranges } = decode_meta(&it.answer()).unwrap() else { panic!() };
        assert_eq!(etag.unwrap(), "W/\"fake-etag-2\"");
        assert_eq!(ranges.actions.unwrap(), ["198.51.100.128/25", "2001:db8:2::/48"]);
        assert_eq!(ranges.api.unwrap(), ["198.51.100.0/24"]);
        assert_eq!(ranges.web.unwrap(), ["192.0.2.0/25", "2001:db8:1::/48"]);
        assert_eq!(ranges.git.unwrap(), ["192.0.2.128/25"]);
        assert_eq!(ranges.packages.unwrap(), ["203.0.113.0/26"]);
    }
    m1_unchanged(it) {
        it.asks(ask_meta());
        assert_eq!(decode_meta(&it.answer()), Ok(Meta::NotModified));
    }
}
