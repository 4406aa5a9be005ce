//! The suite: every test by its name, with what it needs of the cluster.

mod api;

use std::path::PathBuf;
use std::process::ExitCode;

use e2e::Test;

fn main() -> ExitCode {
    e2e::suite::main(tests(), afterwards(), PathBuf::from(env!("CARGO_TARGET_TMPDIR")))
}

fn tests() -> Vec<Test> {
    use api::{bounds, reading, rules};
    vec![
        Test::new("every CEL rule lets one object pass and refuses another", rules::each_has_two_sides),
        Test::new(
            "every bound lets the last good value pass and refuses the first bad one",
            bounds::each_has_two_sides,
        ),
        Test::new("required fields alone read back with every default", reading::defaults_are_filled_in),
        Test::new("kubectl get shows the columns", reading::kubectl_get_shows_the_columns),
        Test::new("kubectl explain explains the fields", reading::kubectl_explains_the_fields),
    ]
}

/// Judged when all others are over.
fn afterwards() -> Vec<Test> {
    vec![]
}
