//! Workers that are stopped, and what GitHub is told of the end.

use super::*;

#[test]
fn a_lost_lock_stops_the_worker_and_its_report_decides() {
    let mut job = running();
    let effects = job.handle(Event::LockGone, at(20));
    assert_eq!(
        effects,
        [
            Effect::Report(Fact::RenewFailed),
            Effect::Write(Write::AskToCancel(StopReason::LockLost, 60)),
            Effect::Wake(Timer::Cancel, at(83)),
            Effect::Report(Fact::Stopping(StopReason::LockLost)),
        ]
    );
    let mut finished_in_time = job.clone();
    finished_in_time.handle(Event::PodSeen(pod(PodStage::Ended(succeeded()))), at(21));
    assert_eq!(reason(&finished_in_time), None);
    let cut_off = Ending { exit_code: Some(143), ..Ending::vanished(at(21)) };
    let effects = job.handle(Event::PodSeen(pod(PodStage::Ended(cut_off))), at(21));
    assert_eq!(reason(&job), Some(FailureReason::LockLost));
    assert_eq!(told(&effects), None, "GitHub no longer holds it");
}

#[test]
fn a_cancellation_ends_the_worker_once() {
    let mut job = running();
    assert_eq!(
        job.handle(cancelled(300), at(20)),
        [
            Effect::Write(Write::AskToCancel(StopReason::Cancelled, 285)),
            Effect::Wake(Timer::Cancel, at(308)),
            Effect::Report(Fact::Stopping(StopReason::Cancelled))
        ]
    );
    assert_eq!(job.handle(cancelled(300), at(21)), []);
    assert_eq!(job.handle(Event::DeletionRequested, at(21)), []);
    let deletion = Effect::Write(Write::DeletePod(StopReason::Cancelled, Some(5)));
    assert_eq!(job.handle(Event::Due(Timer::Cancel), at(308)), [deletion], "it does not listen");
    assert_eq!(job.handle(Event::Due(Timer::Cancel), at(309)), []);
}

#[test]
fn a_cancelled_job_has_the_time_that_github_names_but_for_a_quarter_of_a_minute() {
    for (timeout, seconds) in [(300, 285), (60, 45), (30, 45), (0, 45), (3600, 3585), (i64::MAX, 86_385)] {
        let effects = running().handle(cancelled(timeout), at(20));
        assert_eq!(
            effects[0],
            Effect::Write(Write::AskToCancel(StopReason::Cancelled, seconds)),
            "timeout {timeout}"
        );
    }
    assert_eq!(
        running().handle(Event::DeletionRequested, at(20))[0],
        Effect::Write(Write::AskToCancel(StopReason::Cancelled, 60)),
        "a person who deletes the RunnerJob names none"
    );
}

#[test]
fn a_cancellation_ends_a_worker_that_has_not_started_unless_it_just_did() {
    let mut job = starting();
    assert_eq!(
        job.handle(cancelled(300), at(20))[..2],
        [Effect::Write(Write::AskToCancel(StopReason::Cancelled, 285)), Effect::Wake(Timer::Cancel, at(23))]
    );
    let mut started = job.clone();
    assert_eq!(
        job.handle(Event::Due(Timer::Cancel), at(23)),
        [Effect::Write(Write::DeletePod(StopReason::Cancelled, None))]
    );
    started.handle(Event::PodSeen(pod(PodStage::Running { since: at(19) })), at(21));
    let effects = started.handle(Event::Due(Timer::Cancel), at(23));
    assert_eq!(effects, [Effect::Wake(Timer::Cancel, at(308))], "it has its time");
}

#[test]
fn a_worker_that_cannot_hear_is_deleted_at_once() {
    let mut job = starting();
    let old = PodView { listens: false, ..pod(PodStage::Running { since: at(5) }) };
    job.handle(Event::PodSeen(old), at(5));
    assert_eq!(
        job.handle(cancelled(300), at(20))[0],
        Effect::Write(Write::DeletePod(StopReason::Cancelled, None))
    );
}

#[test]
fn a_cancellation_shortens_the_grace_of_a_pod_that_is_on_its_way_out() {
    let mut job = running();
    let drained = PodView { gone_by: Some(at(320)), ..pod(PodStage::Running { since: at(5) }) };
    job.handle(Event::PodSeen(drained), at(20));
    let effects = job.handle(cancelled(300), at(25));
    assert_eq!(effects[0], Effect::Write(Write::DeletePod(StopReason::Cancelled, Some(30))));
    assert_eq!(job.handle(cancelled(300), at(26)), []);

    let mut ours = running();
    ours.handle(Event::Due(Timer::Lifetime), at(20));
    assert_eq!(
        ours.handle(cancelled(300), at(25))[0],
        Effect::Write(Write::DeletePod(StopReason::Cancelled, Some(30)))
    );
}

#[test]
fn a_successor_waits_for_what_its_predecessor_asked() {
    let asked = Some(Asked { reason: StopReason::Cancelled, seconds: 285 });
    let pod = PodView { asked, ..pod(PodStage::Running { since: at(5) }) };
    let found = Recovered { pod: Some(pod), pod_named: true, ..found() };
    let (mut job, effects) = Job::recover(Policy::default(), 7, found, at(60));
    assert!(effects.contains(&Effect::Wake(Timer::Cancel, at(348))), "{effects:?}");
    assert_eq!(job.handle(cancelled(300), at(61)), [], "it was asked already");
    assert_eq!(
        job.handle(Event::Due(Timer::Cancel), at(348)),
        [Effect::Write(Write::DeletePod(StopReason::Cancelled, Some(5)))]
    );
}

#[test]
fn github_is_told_of_a_worker_that_died_and_of_none_that_told_it_itself() {
    let died = Ending { exit_code: Some(137), report: Report::RunnerDied { oom_kills: 0 }, ..succeeded() };
    let shut_down = Ending { report: Report::ShutDown { oom_kills: 0 }, ..died.clone() };
    for (ending, expected) in [
        (died.clone(), Some(Unreported::Died)),
        (Ending { report: Report::Missing, ..died.clone() }, Some(Unreported::Died)),
        (Ending { report: Report::WrapperFailed, ..died.clone() }, Some(Unreported::Died)),
        (shut_down, None),
        (succeeded(), None),
    ] {
        let effects = running().handle(Event::PodSeen(pod(PodStage::Ended(ending.clone()))), at(30));
        assert_eq!(told(&effects), expected, "{ending:?}");
    }
    assert_eq!(told(&running().handle(Event::PodGone, at(30))), Some(Unreported::Died), "vanished");
    let mut cancelled_first = running();
    cancelled_first.handle(cancelled(300), at(20));
    let killed = Event::PodSeen(pod(PodStage::Ended(died)));
    assert_eq!(told(&cancelled_first.handle(killed, at(310))), None, "GitHub ends what it cancelled");
}

#[test]
fn the_lock_is_renewed_until_github_has_heard_of_the_end() {
    let mut job = running();
    job.handle(Event::Renewed { locked_until: at(600) }, at(10));
    let effects = job.handle(Event::PodGone, at(30));
    assert!(effects.contains(&Effect::Slot(Slot::GiveBack)), "nobody waits for it: {effects:?}");
    assert_eq!(job.handle(Event::Due(Timer::Renew), at(70)), [Effect::Call(Call::RenewJob)]);
    assert_eq!(
        job.handle(Event::StepTaken(Step::CompleteJob(Unreported::Died), StepOutcome::Done), at(71)),
        [Effect::Write(Write::DeletePayload)]
    );
    job.handle(Event::Renewed { locked_until: at(671) }, at(71));
    assert_eq!(job.handle(Event::Due(Timer::Renew), at(131)), [], "heard");
}

#[test]
fn a_cancellation_while_the_pod_is_being_made_stops_that_pod() {
    let mut job = after(&[Event::Admitted, Event::Recorded, LOCKED, Event::PayloadStored, cancelled(300)]);
    let effects = job.handle(Event::PodCreated, EPOCH);
    assert!(effects.contains(&Effect::Write(Write::DeletePod(StopReason::Cancelled, None))), "{effects:?}");
}

#[test]
fn a_deleted_runner_job_cancels_its_job_and_is_let_go_at_the_end() {
    let mut job = running();
    job.handle(Event::DeletionRequested, at(20));
    job.handle(Event::PodSeen(pod(PodStage::Ended(Ending::vanished(at(25))))), at(25));
    let mut effects = Vec::new();
    let tell = Step::CompleteJob(Unreported::Died);
    for step in [tell, Step::PatchComplete, Step::DeletePayload, Step::ReplaceAgent, Step::ReleasePod] {
        effects = job.handle(Event::StepTaken(step, StepOutcome::Done), at(25));
    }
    assert_eq!(effects, [Effect::Report(Fact::Settled), Effect::Write(Write::ReleaseRunnerJob)]);
    assert_eq!(job.outcome().map(|it| it.result), Some(JobResult::Cancelled));
}

#[test]
fn a_worker_that_outlives_the_kubelets_deadline_is_stopped_by_us() {
    let mut job = running();
    let day = 24 * 3600;
    assert_eq!(
        job.handle(Event::Due(Timer::Lifetime), at(day))[0],
        Effect::Write(Write::DeletePod(StopReason::LifetimeExceeded, None))
    );
}
