//! What is left when a job is over, and in which order it is done.

use super::*;

const EVICTED: Outcome =
    Outcome { result: JobResult::Failed, reason: Some(FailureReason::EvictedMemory), exit_code: None };

fn ending(disruption: Option<Disruption>) -> Ending {
    Ending { disruption, deletion_requested: false, ..succeeded() }
}

/// A job of a group that has jobs run again, right after its pod ended so.
fn ended(ending: Ending) -> (Job, Vec<Effect>) {
    let mut job = Job { policy: Policy { reruns: true, ..Policy::default() }, ..running() };
    let effects = job.handle(Event::PodSeen(pod(PodStage::Ended(ending))), at(30));
    (job, effects)
}

fn evicted() -> (Job, Vec<Effect>) {
    ended(Ending { report: Report::Missing, exit_code: None, ..ending(Some(Disruption::EvictedMemory)) })
}

fn step(effects: &[Effect]) -> Option<Step> {
    const STEPS: [Step; 9] = [
        Step::CompleteJob(Unreported::Died),
        Step::CompleteJob(Unreported::NeverStarted),
        Step::PatchAwaitingRerun,
        Step::RerunFailedJobs,
        Step::PatchComplete,
        Step::DeletePayload,
        Step::RemovePod,
        Step::ReplaceAgent,
        Step::ReleasePod,
    ];
    STEPS.into_iter().find(|it| effects.contains(&it.effect()))
}

/// Takes every step in turn, each with `came`, as long as one is asked for.
fn settle(job: &mut Job, mut effects: Vec<Effect>, came: impl Fn(Step) -> StepOutcome) -> Vec<Step> {
    let mut taken = Vec::new();
    while let Some(next) = step(&effects) {
        taken.push(next);
        effects = job.handle(Event::StepTaken(next, came(next)), at(40));
    }
    taken
}

#[test]
fn what_the_cluster_took_is_cleaned_up_before_it_is_run_again_and_complete_after() {
    let (mut job, effects) = evicted();
    assert_eq!(job.summary(), runner_job::Phase::AwaitingRerun);
    let taken = settle(&mut job, effects, |_| StepOutcome::Done);
    let expected = [
        Step::CompleteJob(Unreported::Died),
        Step::PatchAwaitingRerun,
        Step::DeletePayload,
        Step::ReplaceAgent,
        Step::ReleasePod,
        Step::RerunFailedJobs,
        Step::PatchComplete,
    ];
    assert_eq!(taken, expected);
    assert_eq!(job.phase(), &Phase::Settled(EVICTED));
}

#[test]
fn what_failed_by_itself_or_was_ended_on_request_is_not_run_again() {
    let failed = Report::Concluded { result: JobResult::Failed, oom_kills: 0 };
    for ending in [
        Ending { report: failed, ..ending(Some(Disruption::Drained)) },
        Ending { report: Report::Missing, stamp: Some(StopReason::LifetimeExceeded), ..ending(None) },
        Ending { report: Report::RunnerDied { oom_kills: 1 }, ..ending(None) },
    ] {
        let (job, _) = ended(ending.clone());
        assert_ne!(job.summary(), runner_job::Phase::AwaitingRerun, "{ending:?}");
    }
    let mut deleted = Job { policy: Policy { reruns: true, ..Policy::default() }, ..running() };
    deleted.handle(Event::DeletionRequested, at(20));
    let gone = Ending { report: Report::Missing, ..ending(Some(Disruption::Drained)) };
    deleted.handle(Event::PodSeen(pod(PodStage::Ended(gone))), at(30));
    assert_ne!(deleted.summary(), runner_job::Phase::AwaitingRerun);
}

#[test]
fn a_step_that_is_put_off_is_asked_for_again_less_and_less_often() {
    let (mut job, effects) = evicted();
    let to_rerun = |it| if it == Step::RerunFailedJobs { StepOutcome::PutOff } else { StepOutcome::Done };
    settle(&mut job, effects, to_rerun);
    let mut now = at(40);
    for (look, longest) in [(1, 30), (2, 60), (3, 120), (4, 240), (5, 300), (6, 300)] {
        assert_eq!(
            job.handle(Event::StepTaken(Step::RerunFailedJobs, StepOutcome::PutOff), now),
            [],
            "nobody asked"
        );
        let asked = job.handle(Event::Due(Timer::Step), now);
        assert_eq!(asked, [Effect::Call(Call::RerunFailedJobs)], "look {look}");
        let effects = job.handle(Event::StepTaken(Step::RerunFailedJobs, StepOutcome::PutOff), now);
        let [Effect::Wake(Timer::Step, next)] = effects[..] else { panic!("{effects:?}") };
        let pause = next.duration_since(now).as_secs();
        assert!(pause <= 2 * longest && pause >= longest / 2, "look {look}: {pause} s");
        now = next;
    }
}

#[test]
fn a_call_that_github_refuses_is_kept_until_a_person_decides() {
    let refused = |it| if it == Step::RerunFailedJobs { StepOutcome::Refused } else { StepOutcome::Done };
    let kept = || {
        let (mut job, effects) = evicted();
        settle(&mut job, effects, refused);
        assert_eq!(job.phase(), &Phase::DeadLetter(EVICTED, Kept::RerunFailedJobs));
        assert!(!job.is_over());
        job
    };
    let mut retried = kept();
    let effects = retried.handle(Event::Decided(Verdict::Retry), at(50));
    let taken = settle(&mut retried, effects, |_| StepOutcome::Done);
    assert_eq!(taken, [Step::RerunFailedJobs, Step::PatchComplete]);
    assert!(retried.is_over());

    let mut refused_again = kept();
    let effects = refused_again.handle(Event::Decided(Verdict::Retry), at(50));
    settle(&mut refused_again, effects, refused);
    assert!(matches!(refused_again.phase(), Phase::DeadLetter(..)));

    let mut discarded = kept();
    let effects = discarded.handle(Event::Decided(Verdict::Discard), at(50));
    let letter = discarded.dead_letter().unwrap();
    assert_eq!(letter.verdict, Some(Verdict::Discard), "for the status");
    assert_eq!(settle(&mut discarded, effects, |_| StepOutcome::Done), [Step::PatchComplete]);
    assert!(discarded.is_over());

    let effects = kept().handle(Event::DeletionRequested, at(50));
    assert!(effects.contains(&Effect::Write(Write::ReleaseRunnerJob)));
}

#[test]
fn who_deletes_the_runnerjob_of_a_job_that_awaits_its_rerun_has_it_complete_at_once() {
    let (mut job, effects) = evicted();
    let to_rerun = |it| if it == Step::RerunFailedJobs { StepOutcome::PutOff } else { StepOutcome::Done };
    settle(&mut job, effects, to_rerun);
    let effects = job.handle(Event::DeletionRequested, at(50));
    assert_eq!(effects, [Effect::Write(Write::PatchComplete)]);
    let effects = job.handle(Event::StepTaken(Step::PatchComplete, StepOutcome::Done), at(51));
    assert_eq!(effects, [Effect::Report(Fact::Settled), Effect::Write(Write::ReleaseRunnerJob)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_step_is_asked_for_until_it_is_done_or_kept(answers in vec(any_step_outcome(), 0..40), disrupted: bool) {
        let report = if disrupted { Report::Missing } else { Report::RunnerDied { oom_kills: 0 } };
        let (mut job, mut effects) = ended(Ending { report, ..ending(disrupted.then_some(Disruption::NodeLost)) });
        let mut answers = answers.into_iter().chain(std::iter::repeat(StepOutcome::Done));
        let mut answered: Vec<(Step, StepOutcome)> = Vec::new();
        let mut now = 40;
        while let Some(asked) = step(&effects) {
            let answer = answers.next().unwrap();
            answered.push((asked, answer));
            now += 1;
            effects = job.handle(Event::StepTaken(asked, answer), at(now));
            if let [Effect::Wake(Timer::Step, _)] = effects[..] {
                prop_assert_eq!(job.handle(Event::StepTaken(asked, StepOutcome::Done), at(now)), [], "it waits");
                effects = job.handle(Event::Due(Timer::Step), at(now));
                prop_assert_eq!(step(&effects), Some(asked), "what was put off is asked for again");
            }
        }
        let ends: Vec<Step> =
            answered.iter().filter(|it| it.1 != StepOutcome::PutOff).map(|it| it.0).collect();
        let place = |wanted| ends.iter().position(|it| *it == wanted);
        for wanted in [Step::DeletePayload, Step::ReplaceAgent, Step::ReleasePod, Step::PatchComplete] {
            prop_assert_eq!(ends.iter().filter(|it| **it == wanted).count(), 1, "{:?}: {:?}", wanted, ends);
        }
        let written = place(Step::PatchAwaitingRerun).or(place(Step::PatchComplete));
        prop_assert!(written < place(Step::ReleasePod), "the pod is let go before its end is written: {ends:?}");
        if let Some(rerun) = place(Step::RerunFailedJobs) {
            prop_assert!(place(Step::ReleasePod) < Some(rerun), "the rest does not wait for the run: {ends:?}");
            prop_assert!(Some(rerun) < place(Step::PatchComplete));
        }
        let refused = answered.contains(&(Step::RerunFailedJobs, StepOutcome::Refused));
        prop_assert_eq!(matches!(job.phase(), Phase::DeadLetter(..)), refused, "{:?}", answered);
        prop_assert_eq!(job.is_over(), !refused);
    }
}
