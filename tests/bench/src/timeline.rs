//! One job's way, put together from what GitHub, the API server and the controller have written down about it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::calls::Call;
use crate::figures::{Figure, millis};
use crate::github::Asked;

/// When the servers saw each step of a job.
#[derive(Debug, Clone, Copy)]
pub struct Timeline {
    /// GitHub sent the offer: the poll was answered.
    offered: Timestamp,
    /// The API server received the intent, the RunnerJob.
    intent: Timestamp,
    /// The API server had stored it.
    written: Timestamp,
    /// GitHub received acquirejob.
    acquire: Timestamp,
    /// GitHub answered it.
    acquired: Timestamp,
    /// The API server had stored the payload: the claim is safe from a crash.
    stored: Timestamp,
    /// The API server received the pod.
    pod: Timestamp,
}

/// The jobs that were claimed within these records. A RunnerJob whose claim lies outside is left out.
pub fn timelines(runner_jobs: &[Value], asked: &[Asked], calls: &[Call]) -> Vec<Timeline> {
    let mut by_agent: BTreeMap<&str, Vec<&Asked>> = BTreeMap::new();
    for it in asked.iter().filter(|it| it.status == Some(200)) {
        by_agent.entry(it.agent.as_deref().unwrap_or_default()).or_default().push(it);
    }
    let created: BTreeMap<(&str, &str), &Call> = calls
        .iter()
        .filter(|it| it.verb == "create" && it.code == 201)
        .map(|it| ((it.resource.as_str(), it.name.as_str()), it))
        .collect();
    let timeline = |job: &Value| {
        let text = |pointer: &str| job.pointer(pointer).and_then(Value::as_str);
        let name = text("/metadata/name")?;
        let session = by_agent.get(text("/spec/broker/agent/name")?)?;
        let acquire = session.iter().rfind(|it| it.endpoint.as_deref() == Some("X1"))?;
        let before = |it: &&&Asked| it.answered.is_some_and(|answered| answered <= acquire.time);
        let offer = session.iter().filter(|it| it.endpoint.as_deref() == Some("B2")).rfind(before)?;
        let intent = created.get(&("runnerjobs", name))?;
        Some(Timeline {
            offered: offer.answered?,
            intent: intent.received,
            written: intent.answered,
            acquire: acquire.time,
            acquired: acquire.answered?,
            stored: created.get(&("secrets", &*format!("{name}-payload")))?.answered,
            pod: created.get(&("pods", text("/status/pod/name")?))?.received,
        })
    };
    runner_jobs.iter().filter_map(timeline).collect()
}

/// The way in figures; `when` says under which circumstances.
pub fn figures(timelines: &[Timeline], when: &str) -> Vec<Figure> {
    type Span = (&'static str, fn(&Timeline) -> (Timestamp, Timestamp));
    let spans: [Span; 6] = [
        ("offer sent → acquirejob received", |it| (it.offered, it.acquire)),
        ("  of that, offer sent → RunnerJob POST received", |it| (it.offered, it.intent)),
        ("  of that, RunnerJob POST at the API server", |it| (it.intent, it.written)),
        ("acquirejob answered → pod POST received", |it| (it.acquired, it.pod)),
        ("acquirejob answered → payload stored (C3b)", |it| (it.acquired, it.stored)),
        ("acquirejob at GitHub", |it| (it.acquire, it.acquired)),
    ];
    let figure = |(name, span): Span| {
        let samples = timelines.iter().map(|it| {
            let (from, to) = span(it);
            millis(from, to)
        });
        Figure::of(&format!("{name}, {when}"), "ms", samples.collect())
    };
    spans.into_iter().filter_map(figure).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Asked, Call, figures, timelines};

    fn at(millis: u64) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(i64::try_from(millis).unwrap()).unwrap()
    }

    fn asked(endpoint: &str, time: u64, answered: u64) -> Asked {
        Asked {
            seq: 0,
            time: at(time),
            answered: Some(at(answered)),
            endpoint: Some(endpoint.into()),
            agent: Some("a".into()),
            status: Some(200),
        }
    }

    fn create(resource: &str, name: &str, received: u64, answered: u64) -> Call {
        Call {
            received: at(received),
            answered: at(answered),
            verb: "create".into(),
            resource: resource.into(),
            name: name.into(),
            code: 201,
        }
    }

    #[test]
    fn a_jobs_way_is_read_from_three_records() {
        let job = json!({
            "metadata": { "name": "j" }, "spec": { "broker": { "agent": { "name": "a" } } },
            "status": { "pod": { "name": "p" } },
        });
        // The second poll is the one that is held while the job runs.
        let asked = [asked("B2", 0, 100), asked("X1", 105, 110), asked("B2", 101, 900)];
        let calls = [
            create("runnerjobs", "j", 101, 103),
            create("secrets", "j-payload", 111, 113),
            create("pods", "p", 114, 116),
        ];
        let way = timelines(std::slice::from_ref(&job), &asked, &calls);
        let values: Vec<f64> = figures(&way, "x").iter().map(|it| it.p50).collect();
        assert_eq!(values, [5.0, 1.0, 2.0, 4.0, 3.0, 5.0]);
        assert!(timelines(&[job], &asked, &calls[..2]).is_empty(), "without its pod a job has no way");
    }
}
