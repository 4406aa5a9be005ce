//! Jobs, from the offer to their end.

use fakegithub::{Effect, Fault, Lever, Repeat};
use github::run_service::{AcquireError, Completed, RenewError, acquire, complete};
use github::session::{Acknowledgement, Command, Event, acknowledge};
use github_proto::broker::Architecture;
use github_proto::job_message::JobMessage;
use github_proto::rest::{Attempt, Conclusion, Deletion, Rerun, RunStatus};
use github_proto::run_service::Completion;
use runtime::clock::Clock;

use crate::rig::{Rig, VERSION, last, next, offered};

#[tokio::test]
async fn a_job_is_offered_claimed_renewed_and_cancelled() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-blue-0007").await;
    let mut session = rig.session(&auth);
    assert!(matches!(next(&mut session).await, Event::Listening));
    let run = rig.start_run();
    let offer = offered(&mut session).await;
    session.tell(Command::Busy).await;
    let job = rig.acquire(&auth, &offer).await.unwrap();
    assert_eq!(job.github.repository.as_ref().unwrap().to_string(), "synthetic-org/demo-repo");
    assert_eq!(job.github.run_id.map(|it| it.0), Some(run));
    rig.renew(&job, &offer).await.unwrap();

    rig.fake.control().cancel_run(run).unwrap();
    let Event::Cancelled(cancellation) = next(&mut session).await else { panic!() };
    assert_eq!(cancellation.job_id, job.job_id);

    // Nobody stops the job: the run is ended from outside, and the record is consumed with it.
    let repository = job.github.repository.clone().unwrap();
    rig.app.force_cancel(&repository, job.github.run_id.unwrap()).await.unwrap();
    assert!(last(&mut session).await.starts_with("Dead("));
    assert!(matches!(rig.renew(&job, &offer).await, Err(RenewError::Lost(_) | RenewError::Refused(_))));
    assert_eq!(rig.count("B4"), 0, "GitHub drops the session of a consumed record itself");
    rig.blameless().await;
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_can_be_made_again() {
    for (answer, ours) in [(Repeat::Same, true), (Repeat::Conflict, false)] {
        let rig = Rig::start().await;
        rig.pull(Lever::RepeatedAcquire { answer, account: None });
        let auth = rig.auth("gw-1").await;
        let mut session = rig.session(&auth);
        rig.start_run();
        let offer = offered(&mut session).await;
        rig.fake.control().fail(Fault { effect: Effect::Reset, after_commit: true, ..Fault::new("X1") });
        let lost = rig.acquire(&auth, &offer).await.unwrap_err();
        assert!(matches!(lost, AcquireError::Sent(_)) && lost.may_be_ours(), "{lost:?}");
        assert_eq!(rig.count("X1"), 1, "nothing is repeated that was sent");
        assert_eq!(rig.acquire(&auth, &offer).await.is_ok(), ours, "{answer:?}");
        let busy = rig.app.runner(auth.jit().runner.id).await.unwrap().unwrap().busy;
        assert!(busy, "what a successor asks to tell our lost claim from another's");
        rig.blameless().await;
    }
}

#[tokio::test]
async fn a_busy_runner_is_not_deleted_and_its_run_not_re_run() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    rig.start_run();
    let offer = offered(&mut session).await;
    let job = rig.acquire(&auth, &offer).await.unwrap();
    assert_eq!(rig.app.delete_runner(auth.jit().runner.id).await.unwrap(), Deletion::Busy);

    let (repository, run) = (job.github.repository.unwrap(), job.github.run_id.unwrap());
    assert_eq!(rig.app.rerun_failed_jobs(&repository, run).await.unwrap(), Rerun::StillRunning);
    rig.app.force_cancel(&repository, run).await.unwrap();
    assert_eq!(rig.app.rerun_failed_jobs(&repository, run).await.unwrap(), Rerun::Accepted);
    let attempt = rig.app.run(&repository, run, None).await.unwrap().unwrap().run_attempt.unwrap();
    assert_eq!(attempt.0, 2);
    assert_eq!(rig.app.run_jobs(&repository, run, attempt).await.unwrap().len(), 1);
    rig.blameless().await;
}

#[tokio::test]
async fn an_offer_is_acknowledged_by_whoever_takes_it() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    rig.start_run();
    let (offer, at) = loop {
        if let Event::JobOffered { offer, session } = next(&mut session).await {
            break (offer, session);
        }
    };
    assert_eq!(rig.count("B3"), 0);
    let architecture = Architecture::X64;
    let said =
        acknowledge(&rig.client, &auth, &at, VERSION, architecture, &offer.request_id, &rig.timeouts).await;
    assert_eq!(said, Acknowledgement::Accepted);
    rig.acquire(&auth, &offer).await.unwrap();
    assert_eq!(rig.count("B3"), 1);
    rig.blameless().await;
}

#[tokio::test]
async fn a_job_whose_worker_left_is_reported_once_and_fails() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    let run = rig.start_run();
    let offer = offered(&mut session).await;
    let job = rig.acquire(&auth, &offer).await.unwrap();
    rig.renew(&job, &offer).await.unwrap();
    let (repository, run_id) = (job.github.repository.clone().unwrap(), job.github.run_id.unwrap());
    let seen = rig.app.run_jobs(&repository, run_id, Attempt(1)).await.unwrap().remove(0);
    assert_eq!((seen.status, seen.steps_begun(), seen.completed_at), (RunStatus::Unfinished, 0, None));
    assert_eq!(seen.runner_name.as_deref(), Some("gw-1"));
    assert!(seen.started_at.is_some());

    let words = format!("out of memory\ntoken {}", job.connection.token.expose());
    let words = job.masks().apply(&words);
    let report = || async {
        let report = Completion {
            plan_id: &job.plan_id,
            job_id: &job.job_id,
            message: Some(&words),
            billing_owner_id: job.billing_owner_id.as_deref(),
        };
        let base = job.connection.url.as_ref().unwrap();
        let (token, clock) = (&job.connection.token, Clock::system());
        complete(&rig.client, base, &report, token, None, &clock, &rig.timeouts).await
    };
    assert_eq!(report().await, Completed::Accepted);
    let shown = &rig.fake.control().run(run).unwrap().jobs[0];
    assert_eq!((shown.status, shown.completion.as_deref()), ("completed", Some("failed")));
    assert_eq!(shown.annotations[0].message, "out of memory\ntoken ***");
    let seen = rig.app.run_jobs(&repository, run_id, Attempt(1)).await.unwrap().remove(0);
    assert_eq!((seen.status, seen.conclusion), (RunStatus::Completed, Some(Conclusion::Failure)));
    assert!(seen.completed_at.is_some());
    assert!(matches!(report().await, Completed::Gone | Completed::Refused), "it had reported");
    rig.blameless().await;
}

#[tokio::test]
async fn a_job_message_with_a_byte_order_mark_is_read_and_kept_as_it_came() {
    let rig = Rig::start().await;
    let auth = rig.auth("gw-1").await;
    let mut session = rig.session(&auth);
    rig.start_run();
    let offer = offered(&mut session).await;
    rig.fake.control().fail(Fault { effect: Effect::ByteOrderMark, ..Fault::new("X1") });
    let acquired = acquire(&rig.client, &auth, &offer, &Clock::system(), &rig.timeouts).await.unwrap();
    assert!(acquired.message.starts_with(b"\xEF\xBB\xBF{"));
    JobMessage::decode(&acquired).unwrap();
    rig.blameless().await;
}
