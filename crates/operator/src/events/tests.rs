use std::time::Duration;

use http::Method;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;
use tokio::time::advance;

use super::*;
use crate::testing::{Answer, Call, Calls, client};

fn object(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some("team-a".to_owned()),
            uid: Some(format!("uid-{name}")),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    }
}

/// Events with a publisher at work; patches are answered with this code.
fn start(patched: u16) -> (Events, Calls, CancellationToken) {
    let (client, calls) = client(move |call: &Call| match call.method {
        Method::PATCH if patched != 200 => Answer::Fails(patched),
        Method::PATCH => Answer::Object(serde_json::json!({ "metadata": {}, "involvedObject": {} })),
        _ => Answer::Object(call.body.clone()),
    });
    let (events, publisher) =
        Events::new(client, "actions-gateway.github.com/agc", "pod-1".to_owned(), Clock::system());
    let stop = CancellationToken::new();
    tokio::spawn(publisher.run(stop.clone()));
    (events, calls, stop)
}

fn warn(events: &Events, about: &str, note: &str) {
    events.say(&object(about), Reason::WorkerPodStuckPending, note.to_owned());
}

/// Until the publisher has nothing left to do.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

fn methods(calls: &Calls) -> Vec<Method> {
    calls.take().into_iter().map(|it| it.method).collect()
}

#[tokio::test(start_paused = true)]
async fn an_event_says_what_about_whom_and_by_whom() {
    let (events, calls, _stop) = start(200);
    warn(&events, "gpu", "pod gpu-1 was Pending for 10 min");
    settle().await;
    let call = calls.take().remove(0);
    assert_eq!(call.path, "/api/v1/namespaces/team-a/events");
    let body = call.body;
    assert_eq!(
        (&body["type"], &body["reason"], &body["action"]),
        (&Value::from("Warning"), &Value::from("WorkerPodStuckPending"), &Value::from("ReapWorkerPods"))
    );
    assert_eq!(body["message"], "pod gpu-1 was Pending for 10 min");
    assert_eq!(body["involvedObject"]["uid"], "uid-gpu");
    assert_eq!(
        (&body["reportingComponent"], &body["reportingInstance"]),
        (&Value::from("actions-gateway.github.com/agc"), &Value::from("pod-1"))
    );
    assert!(body["metadata"]["name"].as_str().unwrap().starts_with("gpu."));
    // Both generations of fields: `kubectl get events` sorts by the older, `kubectl events` by either.
    let seconds = |field: &str| body[field].as_str().unwrap()[..19].to_owned();
    assert_eq!(
        [seconds("firstTimestamp"), seconds("lastTimestamp")],
        [seconds("eventTime"), seconds("eventTime")]
    );
    assert_eq!(
        (&body["count"], &body["source"]["component"]),
        (&Value::from(1), &body["reportingComponent"])
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_again_raises_the_count_and_does_so_sparingly() {
    let (events, calls, _stop) = start(200);
    for _ in 0..5 {
        warn(&events, "gpu", "stuck");
    }
    settle().await;
    assert_eq!(methods(&calls), [Method::POST]);
    advance(Duration::from_secs(11)).await;
    warn(&events, "gpu", "stuck");
    settle().await;
    let call = calls.take().remove(0);
    assert_eq!((call.method, &call.body["series"]["count"]), (Method::PATCH, &Value::from(6)));
    assert_eq!(call.body["count"], 6);
    let last = call.body["lastTimestamp"].as_str().unwrap();
    let series = call.body["series"]["lastObservedTime"].as_str().unwrap();
    assert_eq!(last[..19], series[..19], "it sorts where it was seen last");
}

#[tokio::test(start_paused = true)]
async fn another_note_is_another_event() {
    let (events, calls, _stop) = start(200);
    warn(&events, "gpu", "pod gpu-1");
    warn(&events, "gpu", "pod gpu-2");
    warn(&events, "cpu", "pod gpu-1");
    settle().await;
    assert_eq!(methods(&calls), [Method::POST, Method::POST, Method::POST]);
}

#[tokio::test(start_paused = true)]
async fn after_a_silence_or_when_its_event_is_gone_it_is_said_anew() {
    let (events, calls, _stop) = start(404);
    warn(&events, "gpu", "stuck");
    settle().await;
    advance(Duration::from_secs(400)).await;
    warn(&events, "gpu", "stuck");
    settle().await;
    assert_eq!(methods(&calls), [Method::POST, Method::POST]);
    advance(Duration::from_secs(60)).await;
    warn(&events, "gpu", "stuck");
    settle().await;
    assert_eq!(methods(&calls), [Method::PATCH, Method::POST]);
}

#[tokio::test(start_paused = true)]
async fn an_object_is_heard_at_a_bounded_rate_and_others_are_not_affected() {
    let (events, calls, _stop) = start(200);
    for number in 0..100 {
        warn(&events, "noisy", &format!("note {number}"));
    }
    warn(&events, "calm", "note");
    settle().await;
    settle().await;
    assert_eq!(methods(&calls).len(), 26);
    advance(Duration::from_secs(300)).await;
    warn(&events, "noisy", "later");
    warn(&events, "noisy", "too much");
    settle().await;
    assert_eq!(methods(&calls).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_no_or_nothing_holds_up_nobody() {
    let (client, calls) = client(|_: &Call| Answer::Silence);
    let (events, publisher) = Events::new(client, "c", "i".to_owned(), Clock::system());
    let stop = CancellationToken::new();
    let publishing = tokio::spawn(publisher.run(stop.clone()));
    for number in 0..QUEUE + 10 {
        warn(&events, &format!("object-{number}"), "note");
    }
    settle().await;
    assert_eq!(calls.take().len(), 1);
    stop.cancel();
    let told = Instant::now();
    publishing.await.unwrap();
    assert_eq!(told.elapsed().as_secs(), FLUSH_DEADLINE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn what_was_said_before_the_end_is_published() {
    let (client, calls) = client(|call: &Call| Answer::Object(call.body.clone()));
    let (events, publisher) = Events::new(client, "c", "i".to_owned(), Clock::system());
    warn(&events, "gpu", "last words");
    drop(events);
    let stop = CancellationToken::new();
    stop.cancel();
    publisher.run(stop).await;
    assert_eq!(calls.take().len(), 1);
}

#[test]
fn a_note_is_cut_at_a_characters_edge() {
    assert_eq!(cut("aé".to_owned(), 2), "a");
    assert_eq!(cut("aé".to_owned(), 3), "aé");
    assert_eq!(cut(String::new(), 0), "");
}
