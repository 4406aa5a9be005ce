//! The suite: every test by its name, with what it needs of the cluster.

mod access;
mod admission;
mod arithmetic;
mod crashes;
mod crds;
mod examples;
mod faults;
mod grants;
mod jobs;
mod manager;
mod placement;
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
    let with_images = [faults(), manager(), jobs(), placement(), access_control(), telemetry()]
        .into_iter()
        .flatten()
        .map(needs_images);
    let audited = crashes().into_iter().map(needs_images).map(|it| it.needing(Need::AuditLog));
    let suite = Suite {
        side_by_side: crds().into_iter().chain(audited).chain(with_images).collect(),
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

fn crds() -> Vec<Test> {
    use crds::{bounds, reading, rules};
    tests! {
        "every CEL rule admits one object and rejects another" => rules::each_admits_and_rejects,
        "every bound admits the last valid value and rejects the first invalid one" => bounds::each_admits_and_rejects,
        "required fields alone read back with every default" => reading::defaults_are_filled_in,
        "kubectl get shows the columns" => reading::kubectl_get_shows_the_columns,
        "kubectl explain explains the fields" => reading::kubectl_explains_the_fields,
        "our verdict about random pods, quotas and LimitRanges is the API server's" => arithmetic::our_verdict_equals_the_api_servers,
    }
}

fn manager() -> Vec<Test> {
    use manager::{conditions, configuration, life, upkeep};
    tests! {
        "a gateway's children have their exact names" => upkeep::makes_its_children_by_name,
        "drift of a gateway's children is reverted" => upkeep::reverts_drift_of_its_children,
        "an unchanged gateway causes no writes" => upkeep::writes_nothing_when_unchanged,
        "tracing becomes the controller's environment" => configuration::tracing_becomes_environment,
        "a new log level rolls out the controller and nothing else" => configuration::a_log_level_rolls_out_the_controller_only,
        "an invalid spec is named by its path" => conditions::an_invalid_spec_is_named_by_its_path,
        "the newer of two gateways waits until the older one is deleted" => conditions::the_newer_of_two_gateways_waits,
        "a namespace without the tenant label gets nothing" => conditions::a_namespace_without_the_tenant_label_gets_nothing,
        "a missing App Secret is reported until it is created" => conditions::a_missing_secret_is_reported_until_it_is_created,
        "a controller that is away leaves nothing Ready" => conditions::a_controller_that_is_away_leaves_nothing_ready,
        "a controller refused by quota says what admits it" => conditions::a_controller_refused_by_quota_says_what_admits_it,
        "a controller refused by a LimitRange says what admits it" => conditions::a_controller_refused_by_a_limit_range_says_what_admits_it,
        "a deleted gateway leaves nothing in the cluster or at GitHub" => life::deletion_leaves_nothing_behind,
        "the examples apply as written" => examples::apply_as_written,
    }
}

fn jobs() -> Vec<Test> {
    use jobs::{
        ending, failures, fence, handed_over, recovery, running, secrets, sidecars, starts, stopping, tiers,
    };
    tests! {
        "a queued job is acquired, run in a pod and reported" => running::a_job_is_acquired_run_and_reported,
        "an agent is replaced after its job" => running::an_agent_is_replaced_after_its_job,
        "the jobs of a matrix run side by side" => running::the_jobs_of_a_matrix_run_side_by_side,
        "jobs beyond maxWorkers stay queued at GitHub" => running::jobs_beyond_max_workers_stay_queued_at_github,
        "the first workers have the first tier's PriorityClass" => tiers::the_first_workers_have_the_first_class,
        "edited labels get their jobs" => running::edited_labels_get_their_jobs,
        "a restricted worker is admitted to a restricted namespace" => running::a_restricted_worker_is_admitted_to_a_restricted_namespace,
        "a job that fails by itself has no failure reason" => ending::a_job_that_fails_by_itself_has_no_reason,
        "a run cancelled at GitHub stops its worker" => ending::a_run_cancelled_at_github_stops_its_worker,
        "deleting an unfinished RunnerJob cancels its job" => ending::deleting_a_runner_job_cancels_its_job,
        "an invalid image name fails its job with a reason" => failures::an_invalid_image_name_fails_its_job,
        "a deleted worker pod fails its job with a reason" => failures::a_deleted_worker_pod_fails_its_job,
        "a step killed for memory is reported" => failures::a_step_killed_for_memory_is_reported,
        "a finished worker pod is deleted after its TTL" => failures::a_finished_worker_pod_is_deleted_after_its_ttl,
        "a pod without room on its node is tried once more" => starts::a_pod_without_room_on_its_node_is_tried_once_more,
        "a pod on a node that it excludes is tried once more" => starts::a_pod_on_a_node_that_it_excludes_is_tried_once_more,
        "a pod that fits on no node is unschedulable" => starts::a_pod_that_fits_on_no_node_is_unschedulable,
        "an init container that fails is named" => starts::an_init_container_that_fails_is_named,
        "a registry whose name is unknown is waited for" => starts::a_registry_without_a_name_is_waited_for,
        "a registry without a route is waited for" => starts::a_registry_without_a_route_is_waited_for,
        "the jobs of a killed controller are adopted" => recovery::the_jobs_of_a_killed_controller_are_adopted,
        "the jobs of a terminated controller are adopted" => recovery::the_jobs_of_a_terminated_controller_are_adopted,
        "a cancelled job has time for its always() steps" => stopping::a_cancelled_job_has_time_for_its_last_steps,
        "an evicted job may finish within a long grace period" => stopping::an_evicted_job_may_finish_within_a_long_grace_period,
        "an evicted worker is shut down and reported to GitHub" => stopping::an_evicted_worker_is_shut_down_and_reported_to_github,
        "a worker killed without grace is reported by the controller" => stopping::a_worker_killed_without_grace_is_reported_by_the_controller,
        "a crashed runner is reported by the controller" => stopping::a_crashed_runner_is_reported_by_the_controller,
        "a job that never starts fails without its run" => stopping::a_job_that_never_starts_fails_without_its_run,
        "the runner's private key is in nothing that runs the job" => handed_over::the_private_key_is_in_nothing_that_runs_the_job,
        "a step sees TRACEPARENT and no variable of the wrapper" => handed_over::a_step_sees_no_variable_of_the_wrapper,
        "a step finds only its own secrets" => secrets::a_step_finds_only_its_own,
        "no template reaches what a job is handed over with" => fence::no_template_reaches_what_a_job_is_handed_over_with,
        "no container beside the runner finds the job" => fence::nothing_beside_the_runner_finds_the_job,
        "a sidecar that outlives its runner holds no room" => sidecars::one_that_outlives_its_runner_holds_no_room,
        "the user that the pod names has the job to itself" => fence::the_user_that_the_pod_names_has_the_job_to_itself,
    }
}

fn placement() -> Vec<Test> {
    use placement::{admitted, quota, refused};
    tests! {
        "a template with a missing volume costs no job" => refused::a_missing_volume,
        "a missing PriorityClass costs no job" => refused::a_missing_priority_class,
        "an enforced Pod Security level costs no job" => refused::an_enforced_pod_security_level,
        "a LimitRange above the install container costs no job" => refused::a_limit_range_above_the_install_container,
        "a quota that wants requests costs no job" => refused::a_quota_that_wants_requests,
        "the defaults of a LimitRange count against a quota" => quota::defaults_of_a_limit_range_count,
        "a native sidecar counts against a quota beside the runner" => quota::a_native_sidecar_counts_beside_the_runner,
        "a job is not acquired while a quota has no room for its Secret" => quota::no_room_for_a_secret,
        "a quota without room is said on the group" => quota::a_quota_without_room_is_said_on_the_group,
        "a policy webhook that is down holds one job" => admitted::a_policy_webhook_that_is_down_holds_one_job,
    }
}

fn crashes() -> Vec<Test> {
    use crashes::{agents, jobs, leases};
    tests! {
        // Those that wait for a Lease to run out come first: the others run beside them.
        "two controllers: an expired Lease is acquired" => leases::an_expired_lease_is_acquired,
        "two controllers: a holder that cannot renew its Lease stops writing" => leases::a_holder_that_cannot_renew_stops_writing,
        "two controllers: the second writes nothing and opens no session" => leases::a_second_controller_stands_by,
        "two controllers: a released Lease is acquired at once" => leases::a_released_lease_is_acquired_at_once,
        "C1: an offer without a RunnerJob is offered again" => jobs::c1_an_offer_without_a_runner_job_is_offered_again,
        "C2: a RunnerJob that was not acquired is acquired" => jobs::c2_a_runner_job_that_was_not_acquired_is_acquired,
        "C3a: an acquisition whose answer was lost is repeated" => jobs::c3a_an_acquisition_is_repeated,
        "C3b: a lost acquisition is reported within thirty seconds" => jobs::c3b_a_lost_acquisition_is_reported,
        "C3c: a RunnerJob without an acquired job is deleted" => jobs::c3c_a_runner_job_without_an_acquired_job_is_deleted,
        "C4: a stored payload gets its pod" => jobs::c4_a_stored_payload_gets_its_pod,
        "C5: a pod whose creation was not answered is adopted" => jobs::c5_a_pod_whose_creation_was_not_answered_is_adopted,
        "C6: a pod that no status names is adopted" => jobs::c6_a_pod_that_no_status_names_is_adopted,
        "C7: a running job keeps running" => jobs::c7_a_running_job_keeps_running,
        "C8: a job that ended meanwhile gets its result" => jobs::c8_a_job_that_ended_meanwhile_gets_its_result,
        "C9: the payload Secret of a complete job is deleted" => jobs::c9_the_payload_secret_of_a_complete_job_is_deleted,
        "C10: a consumed agent is replaced" => jobs::c10_a_consumed_agent_is_replaced,
        "C11: a finished pod loses its finalizer" => jobs::c11_a_finished_pod_loses_its_finalizer,
        "C12: a vanished pod is reported" => jobs::c12_a_vanished_pod_is_reported,
        "AG4: a name held by an unknown runner is freed" => agents::ag4_a_name_held_by_an_unknown_runner_is_freed,
        "AG5: the session of a dead controller is replaced" => agents::ag5_the_session_of_a_dead_controller_is_replaced,
    }
}

fn access_control() -> Vec<Test> {
    tests! {
        "only a namespace's controller creates RunnerJobs" => admission::only_the_controller_creates_runner_jobs,
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

fn faults() -> Vec<Test> {
    use faults::{
        credentials, events, foreign, messages, outage, payloads, registration, sessions, teardown,
    };
    tests! {
        "an invalid App key is reported until a valid one replaces it" => credentials::an_invalid_key_is_reported,
        "another App's key is reported until the right one replaces it" => credentials::the_key_of_another_app_is_reported,
        "GitHub that is down at the start is retried" => outage::github_is_down_at_the_start,
        "labels that GitHub refuses are reported until they are replaced" => registration::refused_labels_are_reported,
        "sessions that GitHub refuses cause no storm of registrations" => sessions::refused_ones_cause_no_registration_storm,
        "a truncated answer to a poll is retried" => messages::a_truncated_poll_is_repeated,
        "a malformed message is dropped and counted" => messages::a_malformed_message_is_dropped,
        "a lost lock stops the worker and is reported" => messages::a_lost_lock_stops_the_worker,
        "a pod of somebody else's that has our name is left alone" => foreign::a_pod_of_our_name_is_left_alone,
        "a job message of 900 KiB runs" => payloads::a_large_one_runs,
        "a job message too large for a Secret fails its job" => payloads::one_too_large_for_a_secret_fails_its_job,
        "repeated failures of a gateway count in one Event" => events::repeated_failures_of_a_gateway_are_counted,
        "repeated refusals of a pod by quota count in one Event" => events::repeated_refusals_by_quota_are_counted,
        "kubectl sorts our Events with all others" => events::kubectl_sorts_them_with_all_others,
        "a gateway without its controller is deleted all the same" => teardown::a_gateway_without_its_controller_is_deleted,
        "a gateway whose App Secret is gone is deleted" => teardown::a_gateway_whose_app_secret_is_gone_is_deleted,
        "runners that no credentials can delete are named" => teardown::runners_that_no_credentials_can_delete_are_named,
        "a namespace with a running job is deleted" => teardown::a_namespace_with_a_running_job_is_deleted,
    }
}

/// Tests that disturb others.
fn alone() -> Vec<Test> {
    let faults = tests! {
        "a job keeps running while the API server is restarted" => faults::outage::the_api_server_is_restarted_while_a_job_runs,
    };
    let settings = tests! {
        "only PriorityClasses that the platform allows are admitted" => jobs::tiers::only_allowed_classes_are_admitted,
    };
    faults.into_iter().map(|it| it.needing(Need::ControlPlaneFault)).chain(settings).collect()
}

/// Checks of the whole run, when all others are over.
fn afterwards() -> Vec<Test> {
    let all = tests! {
        "every log line of the run matches the schema" => telemetry::every_log_line_has_the_one_shape,
        "every namespace of the run is gone" => telemetry::every_namespace_of_the_run_is_gone,
        "the run had no violation of GitHub's protocol" => telemetry::no_protocol_violation,
        "no secret of the run is in its artifacts" => secrets::are_in_no_artifact,
    };
    let audited = tests! {
        "the verbs that our accounts used equal those they are granted" => grants::used_verbs_equal_granted_verbs,
    };
    all.into_iter().chain(audited.into_iter().map(|it| it.needing(Need::AuditLog))).collect()
}
