//! Every example of the protocol against the server: its request as raw bytes, in the state in which it is right, and an
//! answer of the same status, headers and shape. The examples lie with the client (`github-proto/fixtures/http`), whose
//! tests hold it to the same files; no type is shared.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a helper may end its test")]

mod broker;
#[path = "../wire/support/crypto.rs"]
#[expect(dead_code, reason = "the wire's tests forge more than these")]
mod crypto;
#[path = "../../../github-proto/fixtures/http/example.rs"]
#[expect(dead_code, reason = "the values of the examples are the client's")]
mod example;
mod rest;
mod run_service;
mod shape;
mod stage;
mod unplayed;

use std::collections::BTreeSet;

/// Raised when an example is added; a lower number of files is a loss.
const EXAMPLES: usize = 69;

/// Makes a test of each example, by its name, and a list of the names. The body sets the stage and plays the example.
macro_rules! examples {
    ($($name:ident($stage:ident) $body:block)*) => {
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[tokio::test]
            async fn $name() {
                let mut $stage = crate::stage::Stage::new().await;
                $body
                $stage.play(stringify!($name)).await;
                $stage.end().await;
            }
        )*
    };
}
pub(crate) use examples;

#[test]
fn every_example_is_either_played_or_known_not_to_be() {
    let listed = [rest::NAMES, broker::NAMES, run_service::NAMES, &unplayed::NAMES].concat();
    let once: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(listed.len(), once.len(), "a name is listed twice");
    let found = example::names();
    assert_eq!(once.into_iter().collect::<Vec<_>>(), found);
    assert!(found.len() >= EXAMPLES, "{} of {EXAMPLES} examples are left", found.len());
}
