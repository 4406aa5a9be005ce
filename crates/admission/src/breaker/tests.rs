use proptest::prelude::*;

use super::*;

fn open() -> Breaker<u32> {
    let mut breaker = Breaker::default();
    breaker.refused("no".into(), 3);
    breaker
}

#[test]
fn a_refused_pod_holds_every_claim_until_the_world_changes() {
    let mut breaker = open();
    assert_eq!(breaker.holds(), Some("no"));
    breaker.passed(3);
    assert_eq!(breaker.holds(), Some("no"));
    breaker.passed(4);
    assert_eq!(breaker.holds(), None);
}

#[test]
fn after_a_change_one_claim_goes_first_and_the_others_when_its_pod_stands() {
    let mut breaker = open();
    breaker.passed(4);
    breaker.went(1);
    assert_eq!(breaker.holds(), Some("no"));
    assert!(breaker.placed());
    assert!(breaker.holds().is_none() && breaker.refusal().is_none());
    assert!(!breaker.placed(), "it is closed already");
}

#[test]
fn a_second_refusal_waits_for_the_next_change() {
    let mut breaker = open();
    breaker.passed(4);
    breaker.went(1);
    breaker.refused("still no".into(), 4);
    breaker.passed(4);
    assert_eq!(breaker.holds(), Some("still no"));
}

#[test]
fn another_job_may_go_when_nothing_was_said_of_the_first_ones_pod() {
    let mut breaker = open();
    breaker.passed(4);
    breaker.went(1);
    breaker.over(&2);
    assert!(breaker.holds().is_some());
    breaker.over(&1);
    assert!(breaker.holds().is_none());
}

#[test]
fn a_job_that_waits_goes_without_a_change_but_no_two_at_once() {
    let mut breaker = open();
    assert!(breaker.lets_one_go());
    breaker.went(1);
    assert!(!breaker.lets_one_go());
}

#[derive(Debug, Clone)]
enum Happening {
    Claim,
    Refuse,
    Pass { changed: bool },
    Over,
}

fn any_happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        Just(Happening::Claim),
        Just(Happening::Refuse),
        any::<bool>().prop_map(|changed| Happening::Pass { changed }),
        Just(Happening::Over),
    ]
}

proptest! {
    /// While no pod is ever taken, claims are refused one by one: at most one is lost for each change of the world.
    #[test]
    fn at_most_one_job_is_lost_for_each_change_of_the_world(happenings in prop::collection::vec(any_happening(), 0..60)) {
        let mut breaker = Breaker::<u32>::default();
        let (mut world, mut changes, mut lost, mut under_way, mut next) = (0, 1, 0, None, 0);
        for happening in happenings {
            match happening {
                Happening::Claim if breaker.holds().is_none() && under_way.is_none() => {
                    next += 1;
                    under_way = Some(next);
                    breaker.went(next);
                }
                Happening::Refuse => if under_way.take().is_some() {
                    lost += 1;
                    breaker.refused("no".into(), world);
                },
                Happening::Over => if let Some(job) = under_way.take() {
                    breaker.over(&job);
                },
                Happening::Pass { changed } => {
                    if changed {
                        world += 1;
                        changes += 1;
                    }
                    breaker.passed(world);
                }
                Happening::Claim => {}
            }
        }
        prop_assert!(lost <= changes, "{lost} lost for {changes} states of the world");
    }
}
