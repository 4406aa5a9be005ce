//! The suite: every test by its name, with what it needs of the cluster.

mod admission;

mod jobs;
mod kinds;
mod manager;
mod telemetry;

use std::path::PathBuf;
use std::process::ExitCode;

use e2e::{Need, Test};

fn main() -> ExitCode {
    let tests = [kinds(), manager(), jobs(), fences_and_telemetry()].into_iter().flatten().collect();
    e2e::suite::main(tests, afterwards(), PathBuf::from(env!("CARGO_TARGET_TMPDIR")))
}

fn kinds() -> Vec<Test> {
    use kinds::{bounds, reading, rules};
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

fn manager() -> Vec<Test> {
    use manager::{conditions, configuration, life, upkeep};
    with_images(vec![
        Test::new("a gateway's children have their exact names", upkeep::makes_its_children_by_name),
        Test::new("what somebody changes of a child is put back", upkeep::puts_back_what_somebody_changed),
        Test::new("a gateway at rest is not written to", upkeep::writes_nothing_at_rest),
        Test::new("tracing becomes the controller's environment", configuration::tracing_becomes_environment),
        Test::new(
            "a log level rolls the controller and nothing else",
            configuration::a_log_level_rolls_the_controller_only,
        ),
        Test::new("an invalid spec is named by its path", conditions::an_invalid_spec_is_named_by_its_path),
        Test::new(
            "the younger of two gateways waits for the elder's end",
            conditions::the_younger_of_two_gateways_waits,
        ),
        Test::new(
            "a namespace without the platform's consent gets nothing",
            conditions::a_namespace_without_consent_gets_nothing,
        ),
        Test::new(
            "a missing App Secret is said, and mended by its creation",
            conditions::a_missing_secret_is_said_and_mended,
        ),
        Test::new(
            "a deleted gateway leaves nothing behind, here or at GitHub",
            life::deletion_leaves_nothing_behind,
        ),
    ])
}

fn jobs() -> Vec<Test> {
    use jobs::{ending, failures, recovery, running, secrets};
    with_images(vec![
        Test::new(
            "a queued job is claimed, run in a pod and reported",
            running::a_job_is_claimed_run_and_reported,
        ),
        Test::new("an agent is replaced after its job", running::an_agent_is_replaced_after_its_job),
        Test::new("the jobs of a matrix run side by side", running::the_jobs_of_a_matrix_run_side_by_side),
        Test::new(
            "what exceeds maxWorkers waits at GitHub",
            running::what_exceeds_the_ceiling_waits_at_github,
        ),
        Test::new(
            "a job that fails by itself has no failure reason",
            ending::a_job_that_fails_by_itself_has_no_reason,
        ),
        Test::new(
            "a run cancelled at GitHub stops its worker",
            ending::a_run_cancelled_at_github_stops_its_worker,
        ),
        Test::new(
            "deleting an unfinished RunnerJob cancels its job",
            ending::deleting_a_runner_job_cancels_its_job,
        ),
        Test::new(
            "an image that is none ends its job with a reason",
            failures::an_image_that_is_none_ends_its_job,
        ),
        Test::new("a worker that somebody deletes says so", failures::a_worker_that_somebody_deletes_says_so),
        Test::new("a step without enough memory is named", failures::a_step_without_enough_memory_is_named),
        Test::new(
            "a finished worker is removed after its time",
            failures::a_finished_worker_is_removed_after_its_time,
        ),
        Test::new(
            "a killed controller is followed by one that goes on",
            recovery::a_killed_controller_is_followed_by_one_that_goes_on,
        ),
        Test::new(
            "a controller told to end hands its job over",
            recovery::a_controller_told_to_end_hands_its_job_over,
        ),
        Test::new(
            "secrets stay out of logs, objects, Events and metrics",
            secrets::stay_out_of_everything_that_is_kept,
        ),
    ])
}

fn fences_and_telemetry() -> Vec<Test> {
    with_images(vec![
        Test::new(
            "only a namespace's controller makes RunnerJobs",
            admission::only_the_controller_makes_runner_jobs,
        ),
        Test::new(
            "a tenant's editor reads, annotates and deletes RunnerJobs",
            admission::a_tenants_editor_reads_and_deletes_runner_jobs,
        ),
        Test::new(
            "a controller writes only Secrets of its own",
            admission::a_controller_writes_only_its_own_secrets,
        ),
        Test::new("a job feeds its controller's metrics", telemetry::a_job_feeds_the_controllers_metrics),
        Test::new("the managers count their gateways", telemetry::the_managers_count_their_gateways),
        Test::new(
            "one ServiceMonitor selects manager and controllers",
            telemetry::one_service_monitor_selects_both,
        ),
    ])
}

/// Judged when all others are over.
fn afterwards() -> Vec<Test> {
    with_images(vec![
        Test::new("every log line of the run has the one shape", telemetry::every_log_line_has_the_one_shape),
        Test::new("every namespace of the run is gone", telemetry::every_namespace_of_the_run_is_gone),
        Test::new("nothing in the run broke GitHub's protocol", telemetry::nothing_broke_the_protocol),
    ])
}

fn with_images(tests: Vec<Test>) -> Vec<Test> {
    tests.into_iter().map(|it| it.needing(Need::Images)).collect()
}
