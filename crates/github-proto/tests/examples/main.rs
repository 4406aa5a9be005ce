//! Every example of `fixtures/http` against the client. Of an endpoint that we speak, our request is the example's, and
//! its answer is read as it is meant. What we do not speak is listed, with the reason.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a helper may end its test")]

mod broker;
mod example;
mod rest;
mod run_service;
mod vectors;

use std::collections::BTreeSet;

/// Raised when an example is added; a lower number of files is a loss.
const EXAMPLES: usize = 69;

const SCALE_SET: &str = "we acquire jobs through runner records, not through scale sets";
const LEGACY: &str = "the pool API of old servers; JIT records name the broker";

/// What no code of ours asks.
const UNSPOKEN: [(&str, &str); 36] = [
    ("a1_app", "minting a token checks the credentials, too"),
    ("a3_installations", "the installation's id is configured"),
    ("a4_installation", "the installation's id is configured"),
    ("a5_rate_limit", "every answer carries the limits"),
    ("r1_registration_token", "JIT registration takes the installation token"),
    ("r7_s1_connect", SCALE_SET),
    ("r8_register_with_key", "JIT registration takes the place of config.sh"),
    ("v1_session", LEGACY),
    ("v2_message", LEGACY),
    ("v3_delete_message", LEGACY),
    ("v4_close", LEGACY),
    ("v5_renew", LEGACY),
    ("j2_rerun", "only what failed is run again: j1"),
    ("j3_rerun_job", "only what failed is run again: j1"),
    ("j6_job", "jobs are read with their attempt: j5"),
    ("j7_cancel", "for a job that never ran a plain cancel takes minutes: j8"),
    ("j7_finished", "for a job that never ran a plain cancel takes minutes: j8"),
    ("s2_group", SCALE_SET),
    ("s3_find", SCALE_SET),
    ("s4_create", SCALE_SET),
    ("s5_read", SCALE_SET),
    ("s6_change", SCALE_SET),
    ("s7_delete", SCALE_SET),
    ("s9_session", SCALE_SET),
    ("s10_refresh", SCALE_SET),
    ("s11_close", SCALE_SET),
    ("s12_assigned", SCALE_SET),
    ("s12_offer", SCALE_SET),
    ("s12_terminal", SCALE_SET),
    ("s13_jit", SCALE_SET),
    ("s13_name_taken", SCALE_SET),
    ("s14_acquire", SCALE_SET),
    ("s15_delete_message", SCALE_SET),
    ("s16_acquirable", SCALE_SET),
    ("s17_find_agent", SCALE_SET),
    ("s17_delete_agent", SCALE_SET),
];

#[test]
fn every_example_is_either_spoken_or_known_not_to_be() {
    let spoken = [rest::NAMES, broker::NAMES, run_service::NAMES].concat();
    let unspoken = UNSPOKEN.map(|(name, _)| name);
    let listed: Vec<&str> = spoken.iter().chain(&unspoken).copied().collect();
    let once: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(listed.len(), once.len(), "a name is listed twice");
    let found = example::names();
    assert_eq!(once.into_iter().collect::<Vec<_>>(), found);
    assert!(found.len() >= EXAMPLES, "{} of {EXAMPLES} examples are left", found.len());
}
