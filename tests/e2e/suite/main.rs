//! The suite: every test by its name, with what it needs of the cluster.

mod access;
mod admission;
mod crashes;
mod crds;
mod examples;
mod faults;
mod grants;
mod jobs;
mod manager;
mod secrets;
mod telemetry;

use std::path::PathBuf;
use std::process::ExitCode;

use e2e::suite::Suite;
use e2e::{Need, Test};

/// A list of tests, a sentence for each.
macro_rules! tests {
    ($($name:literal => $test:path,)*) => { vec![$(Test::new($name, $test)),*] };
}

fn main() -> ExitCode {
    let with_images =
        [odd(), manager(), jobs(), fences(), telemetry()].into_iter().flatten().map(needs_images);
    let audited = crashes().into_iter().map(needs_images).map(|it| it.needing(Need::AuditLog));
    let suite = Suite {
        side_by_side: kinds().into_iter().chain(audited).chain(with_images).collect(),
        alone: alone().into_iter().map(needs_images).collect(),
        afterwards: afterwards().into_iter().map(needs_images).collect(),
    };
    // Two runs at once, against two clusters, need a folder each.
    let scratch =
        std::env::var_os("E2E_SCRATCH").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
    e2e::suite::main(suite, scratch)
}

fn needs_images(test: Test) -> Test {
    test.needing(Need::Images)
}

fn kinds() -> Vec<Test> {
    use crds::{bounds, reading, rules};
    tests! {
        "every CEL rule lets one object pass and refuses another" => rules::each_has_two_sides,
        "every bound lets the last good value pass and refuses the first bad one" => bounds::each_has_two_sides,
        "required fields alone read back with every default" => reading::defaults_are_filled_in,
        "kubectl get shows the columns" => reading::kubectl_get_shows_the_columns,
        "kubectl explain explains the fields" => reading::kubectl_explains_the_fields,
    }
}

fn manager() -> Vec<Test> {
    use manager::{conditions, configuration, life, upkeep};
    tests! {
        "a gateway's children have their exact names" => upkeep::makes_its_children_by_name,
        "what somebody changes of a child is put back" => upkeep::puts_back_what_somebody_changed,
        "a gateway at rest is not written to" => upkeep::writes_nothing_at_rest,
        "tracing becomes the controller's environment" => configuration::tracing_becomes_environment,
        "a log level rolls the controller and nothing else" => configuration::a_log_level_rolls_the_controller_only,
        "an invalid spec is named by its path" => conditions::an_invalid_spec_is_named_by_its_path,
        "the younger of two gateways waits for the elder's end" => conditions::the_younger_of_two_gateways_waits,
        "a namespace without the platform's consent gets nothing" => conditions::a_namespace_without_consent_gets_nothing,
        "a missing App Secret is said, and mended by its creation" => conditions::a_missing_secret_is_said_and_mended,
        "a deleted gateway leaves nothing behind, here or at GitHub" => life::deletion_leaves_nothing_behind,
        "the examples are taken as they are written" => examples::are_taken_as_they_are_written,
    }
}

fn jobs() -> Vec<Test> {
    use jobs::{ending, failures, handed_over, recovery, running, secrets, stopping};
    tests! {
        "a queued job is claimed, run in a pod and reported" => running::a_job_is_claimed_run_and_reported,
        "an agent is replaced after its job" => running::an_agent_is_replaced_after_its_job,
        "the jobs of a matrix run side by side" => running::the_jobs_of_a_matrix_run_side_by_side,
        "what exceeds maxWorkers waits at GitHub" => running::what_exceeds_the_ceiling_waits_at_github,
        "edited labels are listened for" => running::edited_labels_are_listened_for,
        "a restricted worker fits a restricted namespace" => running::a_restricted_worker_fits_a_restricted_namespace,
        "a job that fails by itself has no failure reason" => ending::a_job_that_fails_by_itself_has_no_reason,
        "a run cancelled at GitHub stops its worker" => ending::a_run_cancelled_at_github_stops_its_worker,
        "deleting an unfinished RunnerJob cancels its job" => ending::deleting_a_runner_job_cancels_its_job,
        "an image that is none ends its job with a reason" => failures::an_image_that_is_none_ends_its_job,
        "a worker that somebody deletes says so" => failures::a_worker_that_somebody_deletes_says_so,
        "a step without enough memory is named" => failures::a_step_without_enough_memory_is_named,
        "a finished worker is removed after its time" => failures::a_finished_worker_is_removed_after_its_time,
        "a killed controller is followed by one that goes on" => recovery::a_killed_controller_is_followed_by_one_that_goes_on,
        "a controller told to end hands its job over" => recovery::a_controller_told_to_end_hands_its_job_over,
        "a cancelled job has time for its always() steps" => stopping::a_cancelled_job_has_time_for_its_last_steps,
        "an evicted job ends by itself within a long grace" => stopping::an_evicted_job_ends_by_itself_within_a_long_grace,
        "an evicted worker is shut down, and GitHub hears of it" => stopping::an_evicted_worker_is_shut_down_and_github_hears_of_it,
        "a worker that gets no grace is told of by the controller" => stopping::a_worker_that_gets_no_grace_is_told_of_by_the_controller,
        "a runner that crashes is told of by the controller" => stopping::a_runner_that_crashes_is_told_of_by_the_controller,
        "a job that never starts fails alone" => stopping::a_job_that_never_starts_fails_alone,
        "the runner's private key is in nothing that runs its job" => handed_over::the_runners_key_is_in_nothing_that_runs_its_job,
        "a step has no variable of the wrapper's, and its trace" => handed_over::a_step_has_no_variable_of_the_wrappers,
        "a step finds no secrets but its own" => secrets::a_step_finds_none_but_its_own,
    }
}

fn crashes() -> Vec<Test> {
    use crashes::{agents, jobs, leases};
    tests! {
        // Those that wait for a Lease to run out come first: the others run beside them.
        "two controllers: a Lease that runs out is taken" => leases::a_lease_that_runs_out_is_taken,
        "two controllers: one that cannot renew its Lease stops writing" => leases::who_cannot_renew_stops_writing,
        "two controllers: the second writes nothing and opens no session" => leases::a_second_controller_keeps_still,
        "two controllers: a Lease given back is taken at once" => leases::a_lease_given_back_is_taken_at_once,
        "C1: an offer without an intent comes again" => jobs::c1_an_offer_without_an_intent_comes_again,
        "C2: an intent without a claim is claimed" => jobs::c2_an_intent_without_a_claim_is_claimed,
        "C3a: a claim whose answer was lost is asked for again" => jobs::c3a_a_claim_is_asked_for_again,
        "C3b: a claim that is lost is said within thirty seconds" => jobs::c3b_a_lost_claim_is_said,
        "C3c: what was never ours is forgotten" => jobs::c3c_what_was_never_ours_is_forgotten,
        "C4: a stored payload gets its pod" => jobs::c4_a_stored_payload_gets_its_pod,
        "C5: a pod whose making was not answered is adopted" => jobs::c5_a_pod_whose_making_was_not_answered_is_adopted,
        "C6: a pod that no status names is adopted" => jobs::c6_a_pod_that_no_status_names_is_adopted,
        "C7: a running job goes on" => jobs::c7_a_running_job_goes_on,
        "C8: a job that ended unseen has its result" => jobs::c8_a_job_that_ended_unseen_has_its_result,
        "C9: a complete job loses its payload" => jobs::c9_a_complete_job_loses_its_payload,
        "C10: a consumed agent is replaced" => jobs::c10_a_consumed_agent_is_replaced,
        "C11: a finished pod is let go" => jobs::c11_a_finished_pod_is_let_go,
        "C12: a pod that vanished is said" => jobs::c12_a_pod_that_vanished_is_said,
        "A4: a name that an unknown registration holds is freed" => agents::a4_a_name_that_is_taken_is_freed,
        "A5: a session that a dead controller left is replaced" => agents::a5_a_session_that_was_left_is_replaced,
    }
}

fn fences() -> Vec<Test> {
    tests! {
        "only a namespace's controller makes RunnerJobs" => admission::only_the_controller_makes_runner_jobs,
        "a tenant's editor reads, annotates and deletes RunnerJobs" => admission::a_tenants_editor_reads_and_deletes_runner_jobs,
        "a controller writes only Secrets of its own" => admission::a_controller_writes_only_its_own_secrets,
        "a controller may do nothing outside its namespace" => access::a_controller_stays_in_its_namespace,
        "a worker may do nothing and has no token" => access::a_worker_may_do_nothing,
        "the manager reads no Secrets and grants nothing of its own" => access::the_manager_reads_no_secrets,
    }
}

fn telemetry() -> Vec<Test> {
    tests! {
        "a job feeds its controller's metrics" => telemetry::a_job_feeds_the_controllers_metrics,
        "the managers count their gateways" => telemetry::the_managers_count_their_gateways,
        "one ServiceMonitor selects manager and controllers" => telemetry::one_service_monitor_selects_both,
    }
}

fn odd() -> Vec<Test> {
    use faults::{
        credentials, events, foreign, messages, outage, payloads, registration, sessions, teardown,
    };
    tests! {
        "an App key that is none is named, and a good one mends it" => credentials::a_key_that_is_none_is_named,
        "another App's key is refused, and the right one mends it" => credentials::the_key_of_another_app_is_refused,
        "GitHub that is down at the start is waited for" => outage::github_is_down_at_the_start,
        "labels that GitHub refuses are said, and mended by others" => registration::labels_that_github_refuses_are_said,
        "sessions that GitHub refuses cause no storm of registrations" => sessions::that_are_refused_cause_no_storm,
        "a truncated answer to a poll is asked for again" => messages::a_truncated_answer_is_asked_for_again,
        "a message that makes no sense is dropped and counted" => messages::a_body_that_makes_no_sense_is_dropped,
        "a lock that is lost stops the worker and names why" => messages::a_lost_lock_stops_the_worker,
        "a pod of somebody else's that has our name is left alone" => foreign::a_pod_of_our_name_is_left_alone,
        "a job message of 900 KiB runs" => payloads::a_large_one_runs,
        "a job message that no Secret holds ends its job" => payloads::one_that_no_secret_holds_ends_its_job,
        "a gateway that fails again has its Event counted" => events::a_gateway_that_fails_again_is_counted,
        "a pod that quota refuses again has its Event counted" => events::a_pod_that_quota_refuses_again_is_counted,
        "a gateway without its controller is taken down all the same" => teardown::a_gateway_without_its_controller_is_taken_down,
        "a namespace that is deleted takes a running job with it" => teardown::a_namespace_that_is_deleted_takes_a_running_job_with_it,
    }
}

/// What others would notice.
fn alone() -> Vec<Test> {
    let faults = tests! {
        "a job runs on while the API server is restarted" => faults::outage::the_api_server_is_restarted_while_a_job_runs,
    };
    faults.into_iter().map(|it| it.needing(Need::ControlPlaneFault)).collect()
}

/// Judged when all others are over.
fn afterwards() -> Vec<Test> {
    let all = tests! {
        "every log line of the run has the one shape" => telemetry::every_log_line_has_the_one_shape,
        "every namespace of the run is gone" => telemetry::every_namespace_of_the_run_is_gone,
        "nothing in the run broke GitHub's protocol" => telemetry::nothing_broke_the_protocol,
        "no secret of the run stands in anything that is kept of it" => secrets::stand_in_nothing_that_is_kept,
    };
    let audited = tests! {
        "what our accounts do equals what they may" => grants::what_is_used_equals_what_is_granted,
    };
    all.into_iter().chain(audited.into_iter().map(|it| it.needing(Need::AuditLog))).collect()
}
