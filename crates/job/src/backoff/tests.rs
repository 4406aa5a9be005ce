use proptest::prelude::*;

use super::*;

const TIER: Backoff = Backoff { first: SignedDuration::from_secs(1), longest: SignedDuration::from_secs(60) };

proptest! {
    #[test]
    fn a_pause_stays_within_its_bounds(failures in 1u32..1000, seed: u64) {
        let pause = TIER.after(failures, seed);
        prop_assert!(pause >= SignedDuration::from_millis(500) && pause <= TIER.longest);
        let drawn = between(SignedDuration::from_secs(5), SignedDuration::from_secs(15), seed, failures);
        prop_assert!(drawn >= SignedDuration::from_secs(5) && drawn <= SignedDuration::from_secs(15));
    }
}

#[test]
fn jobs_that_fail_together_do_not_come_back_together() {
    let pauses: std::collections::BTreeSet<_> = (0..100).map(|seed| TIER.after(6, seed)).collect();
    assert!(pauses.len() > 90, "{} different pauses of 100", pauses.len());
}

#[test]
fn a_pause_doubles_until_it_is_capped() {
    assert!(TIER.after(3, 1) > TIER.after(1, 1));
    assert!(TIER.after(30, 1) >= SignedDuration::from_secs(30));
}
