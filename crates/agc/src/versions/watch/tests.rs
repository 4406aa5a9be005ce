use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use github::client;
use github_proto::rest::{RestError, RestErrorKind};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use operator::events::Events;
use testkit::api_server::ApiServer;

use super::*;
use crate::report::Metrics;
use crate::runner_group::validate::validate;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const GAUGE: &str = "actions_gateway_runner_version_days_left{namespace=\"a\",runner_group=\"blue\"}";

/// Answers as it is told, then with an end in twenty days and a half; remembers what it was asked.
#[derive(Clone, Default)]
struct Scripted {
    answers: Arc<Mutex<VecDeque<Result<VersionEnd, AppError>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Almanac for Scripted {
    async fn end_of(&self, version: &str) -> Result<VersionEnd, AppError> {
        self.asked.lock().unwrap().push(version.to_owned());
        let told = self.answers.lock().unwrap().pop_front();
        told.unwrap_or(Ok(VersionEnd::At(NOW + SignedDuration::from_hours(20 * 24 + 12))))
    }
}

struct World {
    versions: Versions,
    almanac: Scripted,
    states: GroupStates,
    registry: prometheus::Registry,
    _stop: tokio_util::sync::DropGuard,
}

impl World {
    fn start(answers: impl IntoIterator<Item = Result<VersionEnd, AppError>>) -> Self {
        let versions = Versions::new("2.337.0", "runner:1");
        let almanac = Scripted::default();
        almanac.answers.lock().unwrap().extend(answers);
        let (states, registry) = (GroupStates::default(), prometheus::Registry::new());
        let (events, _) =
            Events::new(ApiServer::default().client("a", "agc"), "test", "agc".into(), Clock::system());
        let watch = Watch {
            versions: versions.clone(),
            almanac: almanac.clone(),
            states: states.clone(),
            reporter: Reporter::new(Metrics::register(&registry).unwrap(), events, "a"),
            clock: Clock::simulated(NOW, 7),
        };
        let stop = CancellationToken::new();
        tokio::spawn(watch.run(stop.clone()));
        Self { versions, almanac, states, registry, _stop: stop.drop_guard() }
    }

    fn configure(&self, version: &str) {
        let yaml =
            "{ apiVersion: actions-gateway.github.com/v1alpha1, kind: RunnerGroup, metadata: { name: blue },
                      spec: { runnerLabels: [linux] } }";
        let group = serde_yaml::from_str(yaml).unwrap();
        let mut group = validate(&group, &Default::default()).unwrap();
        group.runner_version = Some(version.to_owned());
        self.versions.configure(&group, NOW);
    }

    /// Time passes, and everybody does what is due. The clock is the test's.
    async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.almanac.asked.lock().unwrap())
    }

    fn days_left(&self) -> (Option<i64>, bool) {
        let of_board = self.states.facts("blue").runner_version.and_then(|it| it.days_left);
        (of_board, runtime::metrics::render(&self.registry).unwrap().contains(GAUGE))
    }
}

fn refused(kind: RestErrorKind, status: StatusCode) -> Result<VersionEnd, AppError> {
    Err(AppError::Refused(RestError { status, kind, message: "synthetic".into(), request_id: None }))
}

#[tokio::test(start_paused = true)]
async fn a_version_is_asked_for_at_once_and_then_once_a_day() {
    let world = World::start([]);
    world.configure("2.337.0");
    world.wait(Duration::from_secs(1)).await;
    assert_eq!(world.asked(), ["2.337.0"]);
    assert_eq!(world.days_left(), (Some(20), true));
    world.wait(DAILY.0 - Duration::from_secs(60)).await;
    assert_eq!(world.asked(), [""; 0]);
    world.wait(DAILY.1 - DAILY.0 + Duration::from_secs(60)).await;
    assert_eq!(world.asked(), ["2.337.0"]);
    assert_eq!(world.days_left(), (Some(19), true), "days pass while GitHub says the same");
}

#[tokio::test(start_paused = true)]
async fn another_version_is_asked_for_at_once_and_the_old_one_no_more() {
    let world = World::start([]);
    world.configure("2.336.0");
    world.wait(Duration::from_secs(1)).await;
    world.configure("2.337.0");
    world.wait(Duration::from_secs(1)).await;
    assert_eq!(world.asked(), ["2.336.0", "2.337.0"]);
    world.wait(DAILY.1 + Duration::from_secs(60)).await;
    assert_eq!(world.asked(), ["2.337.0"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_date_there_are_no_days_to_show() {
    for end in [VersionEnd::Newest, VersionEnd::Unknown] {
        let world = World::start([Ok(end)]);
        world.configure("2.337.0");
        world.wait(Duration::from_secs(1)).await;
        assert_eq!(world.days_left(), (None, false), "{end:?}");
        world.wait(DAILY.1 + Duration::from_secs(60)).await;
        assert_eq!(world.days_left(), (Some(19), true));
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_by_itself_is_asked_again_within_minutes_and_the_rest_the_next_day() {
    let world = World::start([
        Err(AppError::Send(client::Error::Connect { chain: "synthetic".into() })),
        refused(RestErrorKind::Forbidden, StatusCode::FORBIDDEN),
    ]);
    world.configure("2.337.0");
    world.wait(Duration::from_secs(1)).await;
    world.wait(Duration::from_secs(15 * 60)).await;
    assert_eq!(world.asked().len(), 2);
    world.wait(DAILY.0 - AGAIN.1).await;
    assert_eq!(world.asked().len(), 0);
    world.wait(DAILY.1 - DAILY.0 + AGAIN.1).await;
    assert_eq!(world.asked().len(), 1);
    assert_eq!(world.days_left(), (Some(19), true));
}

#[test]
fn a_group_is_warned_once_a_day_and_again_for_another_version() {
    let mut warned = Warned::default();
    let facts = |version: &str, days_left: i64| VersionFacts {
        reported: version.into(),
        configured: version.into(),
        image: "i".into(),
        configured_at: NOW,
        worker: None,
        ends_at: Some(NOW),
        days_left: Some(days_left),
        newest: "2.337.0".into(),
    };
    let day = |day: i8| jiff::civil::date(2026, 12, day);
    assert_eq!(warned.due("blue", &facts("2.336.0", 15), day(1)), None);
    assert!(warned.due("blue", &facts("2.336.0", 14), day(2)).unwrap().contains("2.336.0"));
    assert_eq!(warned.due("blue", &facts("2.336.0", 14), day(2)), None);
    assert!(warned.due("green", &facts("2.336.0", 14), day(2)).is_some());
    assert!(warned.due("blue", &facts("2.335.1", 3), day(2)).is_some());
    assert!(warned.due("blue", &facts("2.335.1", 2), day(3)).is_some());
}
