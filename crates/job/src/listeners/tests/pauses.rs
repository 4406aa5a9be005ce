//! What fails again and again is tried less and less often, within bounds.

use proptest::prelude::*;

use super::*;

/// One agent, seat 0; the group's controller makes a pass each second for an hour.
fn an_hour(seed: u64, fails: impl Fn(&Effect) -> Option<Event>) -> Vec<Timestamp> {
    let (mut listeners, effects) = Listeners::start(1, Inherited::default(), seed, EPOCH);
    let mut tries = Vec::new();
    let mut queue: Vec<Effect> = effects;
    let mut timers: Vec<(Timer, Timestamp)> = Vec::new();
    for second in 0..3600 {
        let now = at(second);
        let pass = Event::Configured { max_listeners: 1, edited: false, outdated: BTreeSet::new() };
        queue.extend(listeners.handle(pass, now));
        let (due, left): (Vec<_>, Vec<_>) = timers.into_iter().partition(|(_, at)| *at <= now);
        timers = left;
        queue.extend(due.into_iter().flat_map(|(timer, _)| listeners.handle(Event::Due(timer), now)));
        while let Some(effect) = queue.pop() {
            if let Effect::Wake(timer, at) = effect {
                timers.push((timer, at));
            }
            let answer = match (fails(&effect), effect) {
                (Some(failure), _) => {
                    tries.push(now);
                    failure
                }
                (None, Effect::Load { seat }) => Event::Prepared(seat, Prepared::Nothing { generation: 1 }),
                (None, Effect::Register { seat, generation }) => {
                    let id = AgentId { seat, runner: RunnerId(generation.into()) };
                    let agent = Agent { id, generation };
                    Event::Prepared(seat, Prepared::Registered { agent, fits: true })
                }
                _ => continue,
            };
            queue.extend(listeners.handle(answer, now));
        }
    }
    tries
}

/// Each pause is between half and all of what doubles from five seconds to `longest`, and a pass comes a second later at
/// most.
fn assert_growing(tries: &[Timestamp], longest: i64) {
    assert!(tries.len() as i64 >= 3600 / (longest + 1), "given up: {tries:?}");
    for (failures, pair) in tries.windows(2).enumerate() {
        let pause = pair[1].duration_since(pair[0]).as_secs();
        let full = (5 << failures.min(20)).min(longest);
        assert!((full / 2..=full + 1).contains(&pause), "{pause} s after {} failures", failures + 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_registration_that_is_refused_is_tried_less_and_less_often(seed: u64) {
        let tries = an_hour(seed, |effect| match effect {
            Effect::Register { seat, .. } => {
                Some(Event::Prepared(*seat, Prepared::Failed(Trouble::LabelsRefused("no".into()))))
            }
            _ => None,
        });
        assert_growing(&tries, 60);
    }

    #[test]
    fn ag5_agents_without_a_session_are_registered_less_and_less_often(seed: u64) {
        let tries = an_hour(seed, |effect| match effect {
            Effect::Open { session, .. } => {
                Some(Event::Dead(*session, Death { why: "forbidden", words: None }))
            }
            _ => None,
        });
        assert_growing(&tries, 300);
    }

    #[test]
    fn ag2_a_busy_session_that_is_refused_is_opened_less_and_less_often(seed: u64) {
        let runner = RunnerId(1);
        let agent = Agent { id: AgentId { seat: 0, runner }, generation: 1 };
        let inherited = Inherited { busy: [runner].into(), seats: [0].into(), ..Inherited::default() };
        let (mut listeners, _) = Listeners::start(1, inherited, seed, EPOCH);
        let mut effects = listeners.handle(Event::Prepared(0, Prepared::Loaded { agent, fits: true }), EPOCH);
        let (mut now, mut tries) = (EPOCH, vec![]);
        while now < at(3600) {
            let opened = effects.iter().find_map(|it| match it {
                Effect::Open { session, .. } if session.seat == 0 => Some(*session),
                _ => None,
            });
            tries.push(now);
            let death = Death { why: "forbidden", words: None };
            let effects_of_death = listeners.handle(Event::Dead(opened.unwrap(), death), now);
            let Some(Effect::Wake(timer, due)) = effects_of_death.last().cloned() else { panic!() };
            now = due;
            effects = listeners.handle(Event::Due(timer), now);
        }
        assert_growing(&tries, 300);
    }
}

#[test]
fn an_edit_or_new_credentials_end_the_waiting() {
    let (mut listeners, _) = Listeners::start(1, Inherited::default(), 7, EPOCH);
    let no_token = Prepared::Failed(Trouble::TokenUnavailable("no token".into()));
    listeners.handle(Event::Prepared(0, no_token), EPOCH);
    let mut edited = listeners.clone();
    assert_eq!(listeners.handle(Event::CredentialsBack, EPOCH), [Effect::Load { seat: 0 }]);
    let edit = Event::Configured { max_listeners: 1, edited: true, outdated: BTreeSet::new() };
    assert_eq!(edited.handle(edit, EPOCH), [Effect::Load { seat: 0 }]);
}
