use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::admission::Verdict;
use github_proto::JitBlob;
use github_proto::run_service::Acquired;
use jiff::Timestamp;
use job::listeners::{self, Agent, AgentId, RunnerId, Trigger, Trouble};
use runtime::clock::Clock;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::{Layer, Registry};

use super::*;
use crate::jobs::acquired::AcquiredJob;

/// The parent's name, and what each field holds.
type Noted = (Option<String>, BTreeMap<String, String>);

/// Notes each span by its name.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<BTreeMap<String, Noted>>>);

struct Values<'a>(&'a mut BTreeMap<String, String>);

impl tracing::field::Visit for Values<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl<S> Layer<S> for Spans
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    fn on_new_span(
        &self,
        new: &tracing::span::Attributes<'_>,
        id: &tracing::span::Id,
        context: Context<'_, S>,
    ) {
        let parent = context.span(id).and_then(|it| it.parent()).map(|it| it.name().to_owned());
        let mut values = BTreeMap::new();
        new.record(&mut Values(&mut values));
        self.0.lock().unwrap().insert(new.metadata().name().to_owned(), (parent, values));
    }

    fn on_record(&self, id: &tracing::span::Id, new: &tracing::span::Record<'_>, context: Context<'_, S>) {
        let name = context.span(id).map(|it| it.name().to_owned()).unwrap_or_default();
        if let Some((_, values)) = self.0.lock().unwrap().get_mut(&name) {
            new.record(&mut Values(values));
        }
    }
}

fn group() -> GroupId {
    let group = serde_yaml::from_str(
        "{ apiVersion: v, kind: RunnerGroup, metadata: { name: blue, uid: u, namespace: team-a }, spec: { runnerLabels: [a] } }",
    );
    GroupId::of(&group.unwrap())
}

fn claim() -> AcquiredJob {
    let message = serde_json::json!({
        "plan": { "planId": "plan-1" }, "jobId": "job-1", "jobDisplayName": "build",
        "resources": { "endpoints": [{ "name": "SystemVssConnection", "url": "https://run.test/",
            "authorization": { "parameters": { "AccessToken": "FAKE.JOB.TOKEN" } } }] },
        "contextData": { "github": { "t": 2, "d": [{ "k": "run_id", "v": "7" }, { "k": "run_attempt", "v": "2" },
            { "k": "repository", "v": "synthetic-org/demo" }] } },
    });
    let acquired = Acquired { plan_id: None, message: message.to_string().into() };
    let claim = AcquiredJob::read(
        acquired,
        &"https://run.test/".parse().unwrap(),
        JitBlob::new("j"),
        "team-a",
        "blue",
    )
    .unwrap();
    assert_eq!((claim.job.plan_id.as_str(), claim.job.job_id.as_str()), ("plan-1", "job-1"));
    claim
}

struct Rig {
    reporter: Reporter,
    metrics: prometheus::Registry,
    name: RunnerJobName,
    group: GroupId,
    identity: Option<JobIdentity>,
    trace: JobTrace,
}

impl Rig {
    fn new() -> Self {
        let metrics = prometheus::Registry::new();
        let nobody = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            Err::<http::Response<kube::client::Body>, _>(std::io::Error::other("nobody is there"))
        });
        let (events, _) =
            Events::new(kube::Client::new(nobody, "team-a"), "test", "agc-0".into(), Clock::system());
        let reporter = Reporter::new(Metrics::register(&metrics).unwrap(), events, "team-a");
        let name = RunnerJobName::existing("blue-0123456789");
        let identity = Some(claim().identity());
        Self { reporter, metrics, name, group: group(), identity, trace: JobTrace::default() }
    }

    fn say(&mut self, fact: &Fact) {
        let subject = Subject {
            name: &self.name,
            uid: Some("uid"),
            group: &self.group,
            identity: self.identity.as_ref(),
            pod: None,
            words: None,
            trace: &mut self.trace,
        };
        self.reporter.fact(subject, fact);
    }

    fn value(&self, series: &str) -> Option<String> {
        let text = runtime::metrics::render(&self.metrics).unwrap();
        text.lines().find_map(|it| it.strip_prefix(&format!("actions_gateway_{series} "))).map(str::to_owned)
    }
}

#[tokio::test]
async fn every_verdict_about_an_offer_is_counted_under_its_word() {
    let rig = Rig::new();
    let verdicts = [
        Verdict::Admitted { priority_class: None },
        Verdict::Draining,
        Verdict::Unasked,
        Verdict::Refused { message: "no such volume".into() },
        Verdict::Throttled,
        Verdict::Ceiling { active: 20, limit: 20 },
        Verdict::Quota { name: "team".into(), resource: "pods".into(), used: 2000, hard: 2000, needed: 1000 },
    ];
    for verdict in &verdicts {
        rig.reporter.admission(&rig.group, verdict, Duration::from_micros(3));
    }
    let counted = |word: &str| {
        rig.value(&format!(
            "admission_decisions_total{{namespace=\"team-a\",runner_group=\"blue\",verdict=\"{word}\"}}"
        ))
    };
    for word in ["admitted", "draining", "unasked", "refused", "throttled", "ceiling", "quota"] {
        assert_eq!(counted(word), Some("1".into()), "{word}");
    }
    let timed = rig.value("admission_decision_seconds_count{namespace=\"team-a\",runner_group=\"blue\"}");
    assert_eq!(timed, Some(verdicts.len().to_string()));
}

#[tokio::test]
async fn a_job_is_one_trace_with_the_spans_and_attributes_of_the_contract() {
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(Registry::default().with(spans.clone()));
    let mut rig = Rig::new();
    rig.trace = rig.reporter.trace(&rig.group, &claim(), 3, true, Some("high"));
    rig.trace.wait();
    let outcome = Outcome { exit_code: Some(137), ..Outcome::failed(FailureReason::OomKilled) };
    rig.say(&Fact::Finished(outcome, SignedDuration::from_secs(90)));
    let spans = spans.0.lock().unwrap();
    let (parent, attributes) = &spans["Provisioner.provision"];
    assert_eq!(*parent, None);
    insta::assert_yaml_snapshot!(attributes);
    for child in ["countActivePods", "waitForCompletion"] {
        assert_eq!(spans[child].0.as_deref(), Some("Provisioner.provision"), "{child}");
    }
}

/// Field names of each event, those without a value left out.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<Vec<&'static str>>>>);

impl<S: tracing::Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut names = Vec::new();
        event.record(&mut |field: &tracing::field::Field, _: &dyn std::fmt::Debug| names.push(field.name()));
        self.0.lock().unwrap().push(names);
    }
}

#[tokio::test]
async fn a_job_that_was_never_claimed_has_no_ids_in_its_lines() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(Registry::default().with(lines.clone()));
    let mut rig = Rig { identity: None, ..Rig::new() };
    rig.say(&Fact::NotAcquired(job::NotAcquired::Failed));
    rig.say(&Fact::Finished(Outcome::failed(FailureReason::ClaimLost), SignedDuration::ZERO));
    // As after a restart that found the status and no payload: the ids are those of the claim all the same.
    rig.identity = Some(claim().identity());
    rig.say(&Fact::Started(SignedDuration::ZERO));
    let lines = lines.0.lock().unwrap();
    let ids = |it: &Vec<&str>| it.iter().filter(|it| ["trace_id", "span_id"].contains(it)).count();
    let (claimed, unclaimed) = lines.split_last().unwrap();
    assert!(unclaimed.len() >= 2 && unclaimed.iter().all(|it| ids(it) == 0), "{unclaimed:?}");
    assert_eq!(ids(claimed), 2, "{claimed:?}");
}

#[tokio::test]
async fn each_fact_feeds_its_series() {
    let mut rig = Rig::new();
    rig.say(&Fact::Acquired);
    rig.say(&Fact::Scheduled(SignedDuration::from_secs(3)));
    rig.say(&Fact::RenewFailed);
    rig.say(&Fact::Stopping(StopReason::PendingDeadline));
    rig.say(&Fact::Stopping(StopReason::Cancelled));
    let failed = Outcome::failed(FailureReason::PendingDeadline);
    rig.say(&Fact::Finished(failed, SignedDuration::from_secs(40)));
    let expected = [
        ("jobs_acquired_total{namespace=\"team-a\",runner_group=\"blue\"}", "1"),
        ("pod_creation_latency_seconds_bucket{namespace=\"team-a\",le=\"5\"}", "1"),
        ("pod_creation_latency_seconds_bucket{namespace=\"team-a\",le=\"2.5\"}", "0"),
        ("renewjob_errors_total{namespace=\"team-a\"}", "1"),
        (
            "worker_pods_reaped_total{namespace=\"team-a\",reason=\"pending_deadline\",runner_group=\"blue\"}",
            "1",
        ),
        ("job_duration_seconds_sum{namespace=\"team-a\",runner_group=\"blue\"}", "40"),
        ("jobs_finished_total{namespace=\"team-a\",result=\"failed\",runner_group=\"blue\"}", "1"),
        (
            "job_failures_total{class=\"infra\",namespace=\"team-a\",reason=\"pending_deadline\",runner_group=\"blue\"}",
            "1",
        ),
    ];
    for (series, value) in expected {
        assert_eq!(rig.value(series).as_deref(), Some(value), "{series}");
    }
    assert_eq!(
        rig.value(
            "worker_pods_reaped_total{namespace=\"team-a\",reason=\"cancelled\",runner_group=\"blue\"}"
        ),
        None
    );
}

#[test]
fn a_run_attempt_is_a_trace_and_a_job_its_root_span() {
    let claim = claim();
    assert_eq!(claim.run.trace_id, job::trace::trace_id_hex(7, 2));
    assert_eq!(claim.ids.span_id, job::trace::root_span_id("plan-1", "job-1"));
    assert_eq!(crate::jobs::acquired::span_ids(&claim.identity()), claim.ids);
    assert_eq!(
        claim.locked_until(Timestamp::UNIX_EPOCH),
        Timestamp::UNIX_EPOCH + crate::jobs::acquired::LOCK
    );
}

#[tokio::test]
async fn a_group_without_a_job_has_series_and_a_deleted_one_has_no_gauges() {
    let rig = Rig::new();
    let labels = "{namespace=\"team-a\",runner_group=\"blue\"}";
    let sessions = format!("active_sessions{labels}");
    let days = format!("runner_version_days_left{labels}");
    let acquired = format!("jobs_acquired_total{labels}");
    rig.reporter.group_introduced("blue");
    rig.reporter.version_days_left("blue", Some(-1));
    let shown = [&sessions, &acquired, &days].map(|it| rig.value(it));
    assert_eq!(shown, ["0", "0", "-1"].map(|it| Some(it.to_owned())));
    rig.reporter.version_days_left("blue", None);
    assert_eq!(rig.value(&days), None);
    rig.reporter.version_days_left("blue", Some(3));
    rig.reporter.group_gone("blue");
    assert_eq!([&sessions, &days].map(|it| rig.value(it)), [None, None]);
}

#[tokio::test]
async fn what_happens_to_agents_and_calls_feeds_its_series() {
    let rig = Rig::new();
    let reporter = &rig.reporter;
    reporter.sessions("blue", 2, 1);
    reporter.pods_outlived("blue", 3);
    reporter.poll_failed(github::session::PollError::Timeout);
    reporter.message_dropped("blue", &github_proto::message::MessageError::Decrypt);
    reporter.not_acquired(AcquisitionError::AlreadyClaimed);
    let agent = Agent { id: AgentId { seat: 0, runner: RunnerId(7) }, generation: 2 };
    for fact in [
        listeners::Fact::VersionRefused { words: "too old".into(), is_news: true },
        listeners::Fact::Registered { agent, trigger: Some(Trigger::Startup) },
        listeners::Fact::Registered { agent, trigger: None },
        listeners::Fact::NoAgent { seat: 0, trouble: Trouble::Other("no".into()), is_news: true },
    ] {
        reporter.agents(&rig.group, &fact);
    }
    reporter.completion_told("blue", &github::run_service::Completed::Gone);
    reporter.run_force_cancelled("blue", ForceCancel::IdentityUnknown);
    reporter.pod_reaped("blue", StopReason::Orphaned);
    reporter.pod_reaped("blue", StopReason::Outlived);
    let observer = reporter.token_observer();
    observer(true);
    observer(false);
    let group = "namespace=\"team-a\",runner_group=\"blue\"";
    let expected = [
        (format!("active_sessions{{{group}}}"), "2"),
        (format!("busy_sessions{{{group}}}"), "1"),
        (format!("reap_blocking_sidecar_pods{{{group}}}"), "3"),
        ("message_poll_errors_total{namespace=\"team-a\",reason=\"timeout\"}".into(), "1"),
        ("bad_messages_total{namespace=\"team-a\",reason=\"decrypt\",runner_group=\"blue\"}".into(), "1"),
        ("job_acquisition_errors_total{namespace=\"team-a\",reason=\"version_too_old\"}".into(), "1"),
        ("job_acquisition_errors_total{namespace=\"team-a\",reason=\"already_claimed\"}".into(), "1"),
        (format!("agent_recycles_total{{{group},trigger=\"startup\"}}"), "1"),
        (format!("agent_recycle_errors_total{{{group}}}"), "1"),
        ("job_completions_total{namespace=\"team-a\",outcome=\"gone\",runner_group=\"blue\"}".into(), "1"),
        (
            "abandoned_run_force_cancels_total{namespace=\"team-a\",outcome=\"identity_unknown\",runner_group=\"blue\"}"
                .into(),
            "1",
        ),
        ("worker_pods_reaped_total{namespace=\"team-a\",reason=\"orphaned\",runner_group=\"blue\"}".into(), "1"),
        ("worker_pods_reaped_total{namespace=\"team-a\",reason=\"completed_ttl\",runner_group=\"blue\"}".into(), "1"),
        ("token_refreshes_total{namespace=\"team-a\"}".into(), "1"),
        ("token_refresh_errors_total{namespace=\"team-a\"}".into(), "1"),
    ];
    for (series, value) in expected {
        assert_eq!(rig.value(&series).as_deref(), Some(value), "{series}");
    }
}
