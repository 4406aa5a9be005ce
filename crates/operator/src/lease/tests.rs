use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{advance, sleep},
};

use super::*;
use crate::testing::{Answer, Call, client};

/// One Lease behind an API server that can fail or fall silent.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lease: Option<Value>,
    version: u64,
    fails: Option<u16>,
    silent: bool,
}

impl Store {
    fn answer(&self, call: &Call) -> Answer {
        let mut state = self.0.lock().unwrap();
        if state.silent {
            return Answer::Silence;
        }
        if let Some(code) = state.fails {
            return Answer::Fails(code);
        }
        let current = state.lease.as_ref().map(|it| it["metadata"]["resourceVersion"].clone());
        match (&call.method, current) {
            (&Method::GET, None) => Answer::Fails(404),
            (&Method::GET, Some(_)) => Answer::Object(state.lease.clone().unwrap()),
            (&Method::POST, Some(_)) => Answer::Fails(409),
            (&Method::PUT, Some(current)) if current != call.body["metadata"]["resourceVersion"] => {
                Answer::Fails(409)
            }
            (&Method::POST | &Method::PUT, _) => Answer::Object(state.write(call.body.clone())),
            _ => Answer::Fails(405),
        }
    }

    fn holder(&self) -> Option<String> {
        let state = self.0.lock().unwrap();
        state.lease.as_ref().and_then(|it| it["spec"]["holderIdentity"].as_str().map(str::to_owned))
    }

    fn spec(&self) -> Value {
        self.0.lock().unwrap().lease.as_ref().unwrap()["spec"].clone()
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    fn start(&self, identity: &str) -> Candidate {
        let store = self.clone();
        let (client, _) = client(move |call| store.answer(call));
        let params = Params {
            namespace: "team-a".to_owned(),
            name: "actions-gateway-controller".to_owned(),
            identity: identity.to_owned(),
            timing: Timing::TENANT,
        };
        let gauge = IntGauge::new("leader", "1 while leading.").unwrap();
        let (elector, leadership) = Elector::new(client, params, gauge.clone(), Clock::system());
        let stop = CancellationToken::new();
        let running = tokio::spawn(elector.run(stop.clone()));
        Candidate { leadership, gauge, stop, running }
    }
}

impl State {
    fn write(&mut self, mut lease: Value) -> Value {
        self.version += 1;
        lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.lease = Some(lease.clone());
        lease
    }
}

struct Candidate {
    leadership: watch::Receiver<Leadership>,
    gauge: IntGauge,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Candidate {
    fn is(&self) -> Leadership {
        *self.leadership.borrow()
    }

    async fn leads(&mut self) {
        assert!(within_an_hour(leading(&mut self.leadership)).await);
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }

    /// As a process that is killed: nothing is released.
    fn kill(self) {
        self.running.abort();
    }
}

/// Of the paused clock: what never happens fails instead of hanging.
async fn within_an_hour<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(3600), future).await.expect("not within an hour")
}

const MOMENT: Duration = Duration::from_millis(100);

#[tokio::test(start_paused = true)]
async fn the_first_candidate_makes_the_lease_and_leads() {
    let store = Store::default();
    let mut first = store.start("uid-1/pod");
    first.leads().await;
    assert_eq!(store.holder().as_deref(), Some("uid-1/pod"));
    assert_eq!(store.spec()["leaseDurationSeconds"], 30);
    assert_eq!(store.spec()["leaseTransitions"], 0);
    assert_eq!(first.gauge.get(), 1);
    first.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_renews_is_not_replaced() {
    let store = Store::default();
    let mut first = store.start("uid-1/pod");
    first.leads().await;
    let second = store.start("uid-2/pod");
    sleep(Duration::from_secs(300)).await;
    assert_eq!((first.is(), second.is()), (Leadership::Leading, Leadership::Waiting));
    second.kill();
    first.kill();
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_dies_is_replaced_when_its_lease_has_run_out() {
    let store = Store::default();
    let mut first = store.start("uid-1/pod");
    first.leads().await;
    first.kill();
    let mut second = store.start("uid-2/pod");
    sleep(Duration::from_secs(29)).await;
    assert_eq!(second.is(), Leadership::Waiting);
    sleep(Duration::from_secs(4)).await;
    second.leads().await;
    assert_eq!(store.spec()["leaseTransitions"], 1);
    second.kill();
}

#[tokio::test(start_paused = true)]
async fn the_same_identity_goes_on_at_once() {
    let store = Store::default();
    let mut first = store.start("uid-1/pod");
    first.leads().await;
    let acquired = store.spec()["acquireTime"].clone();
    first.kill();
    let again = store.start("uid-1/pod");
    sleep(MOMENT).await;
    assert_eq!(again.is(), Leadership::Leading);
    assert_eq!((&store.spec()["acquireTime"], &store.spec()["leaseTransitions"]), (&acquired, &json!(0)));
    again.kill();
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_acquired_within_seconds() {
    let store = Store::default();
    let mut first = store.start("uid-1/pod");
    first.leads().await;
    let second = store.start("uid-2/pod");
    sleep(MOMENT).await;
    first.stop().await;
    assert_eq!(store.holder(), None);
    sleep(RETRY.1 + MOMENT).await;
    assert_eq!(second.is(), Leadership::Leading);
    second.kill();
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_leadership_before_a_candidate_may_begin_and_its_end_restores_it() {
    for silent in [false, true] {
        let store = Store::default();
        let mut first = store.start("uid-1/pod");
        first.leads().await;
        let last_renewal = Instant::now();
        store.set(|it| (it.silent, it.fails) = (silent, Some(503)));

        within_an_hour(lost(&mut first.leadership)).await;
        assert_eq!(first.is(), Leadership::Lost);
        assert_eq!(first.gauge.get(), 0);
        let stopped_after = last_renewal.elapsed();
        assert!(stopped_after <= Timing::TENANT.stop_after + MOMENT, "{stopped_after:?}");
        assert!(stopped_after >= Timing::TENANT.renew_period, "a single failure is borne: {stopped_after:?}");

        store.set(|it| (it.silent, it.fails) = (false, None));
        first.leads().await;
        first.kill();
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_is_borne() {
    let store = Store::default();
    let mut first = store.start("uid-1/pod");
    first.leads().await;
    sleep(Duration::from_secs(9)).await;
    store.set(|it| it.fails = Some(500));
    sleep(Duration::from_secs(7)).await;
    store.set(|it| it.fails = None);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(first.is(), Leadership::Leading);
    first.kill();
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_finds_itself_replaced_stops() {
    let store = Store::default();
    let mut first = store.start("uid-1/pod");
    first.leads().await;
    store.set(|state| {
        let mut lease = state.lease.clone().unwrap();
        lease["spec"]["holderIdentity"] = json!("uid-2/pod");
        state.write(lease);
    });
    sleep(Timing::TENANT.renew_period + MOMENT).await;
    assert_eq!(first.is(), Leadership::Lost);
    first.stop().await;
    assert_eq!(store.holder().as_deref(), Some("uid-2/pod"), "a lease that another holds is not released");
}

#[tokio::test(start_paused = true)]
async fn an_end_during_an_outage_is_not_held_up() {
    let store = Store::default();
    let mut first = store.start("uid-1/pod");
    first.leads().await;
    store.set(|it| it.silent = true);
    advance(Duration::from_secs(1)).await;
    let told = Instant::now();
    first.stop().await;
    assert!(told.elapsed() <= RELEASE_DEADLINE);
}
