//! The whole way of a job: GitHub (the fake one), the gateway's calls, the wrapper, the stand-in, and back to GitHub,
//! over real sockets, TLS and processes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by failing")]

mod github;
mod pod;
mod proxy;
mod recorded;
mod recorder;
mod signals;
mod tls;
mod transcript;
mod tree;
mod worker;

use std::fs;
use std::process::Child;

use fakegithub::{Fault, Lever, RunView};
use handoff::worker::{StopFrame, StopRequest, TaskResult};
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::spawn_blocking;

use crate::github::{Claimed, GitHub};
use crate::pod::{Ended, Pod};
use crate::proxy::Proxy;

struct Chain {
    github: GitHub,
    _credentials: tempfile::TempDir,
}

impl Chain {
    async fn new() -> Chain {
        let credentials = tempfile::tempdir().unwrap();
        Chain { github: GitHub::start(credentials.path()).await, _credentials: credentials }
    }

    async fn run(&self, claimed: &Claimed) -> Ended {
        let pod = Pod::new(&self.github, claimed);
        spawn_blocking(move || pod.run(|_, _| {})).await.unwrap()
    }

    /// Neither the wrapper nor the stand-in may have bent a rule of the protocol.
    fn assert_strict(&self) {
        let violations = self.github.server.control().violations();
        assert!(violations.is_empty(), "{violations:?}");
    }
}

/// No test: the wrapper as a process. Pods start this very program for it, so that it is never older than they are.
#[test]
#[ignore = "started by the pods of the other tests"]
fn wrapper_process() {
    if std::env::var_os("RUNNER_HOME_DIR").is_some() {
        let code = ::worker::main(std::iter::empty(), std::env::vars_os().collect());
        std::process::exit(code.into());
    }
}

fn workflow(job: &str) -> String {
    format!(
        "repository: acme/demo\nsecrets: {{API_KEY: s3cret-value}}\njobs:\n  build:\n    runs-on: linux\n    {job}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_succeeds_is_a_success_everywhere() {
    let chain = Chain::new().await;
    let workflow = workflow(
        r#"env: {GREETING: hello}
    steps:
      - {id: first, run: 'echo "$GREETING from $GITHUB_REPOSITORY, ci $CI"; echo "digest=abc" >>$GITHUB_OUTPUT; echo LATER=now >>$GITHUB_ENV'}
      - {name: Second, run: 'echo "got ${{ steps.first.outputs.digest }} $LATER"'}
      - {run: echo never, if: failure()}"#,
    );
    let (run, claimed) = chain.github.claim(&workflow).await;
    let ended = chain.run(&claimed).await;
    let (run, log) = chain.github.result(run.run_id).await;

    assert_eq!((ended.code, ended.report.result), (Some(0), Some(TaskResult::Succeeded)), "{}", ended.log);
    assert_eq!((ended.report.exit, ended.report.error), (Some(100), None));
    assert_eq!(run.conclusion, Some("success"));
    let ledger = chain.github.server.control().ledger(Some(run.run_id));
    assert_eq!(ledger.len(), 1, "{ledger:?}");
    for text in [&log, &ended.log] {
        assert!(text.contains("hello from acme/demo, ci true"), "{text}");
        assert!(text.contains("got abc now"), "{text}");
        assert!(!text.contains("never"), "{text}");
    }
    let steps: Vec<_> =
        run.jobs[0].steps.iter().map(|it| (it.number, it.name.as_str(), it.conclusion)).collect();
    assert_eq!(steps[0], (1, "Set up job", Some("success")));
    assert_eq!(steps[2], (3, "Second", Some("success")));
    assert_eq!(steps[3], (4, "Run echo never", Some("skipped")));
    chain.assert_strict();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_fails_the_job_but_not_the_steps_that_ask_for_it() {
    let chain = Chain::new().await;
    let workflow = workflow(
        "steps:
      - {run: exit 3, continue-on-error: true}
      - {run: echo still here}
      - {run: 'false; echo after'}
      - {run: echo skipped-one}
      - {run: echo cleaning up, if: always()}",
    );
    let (run, claimed) = chain.github.claim(&workflow).await;
    let ended = chain.run(&claimed).await;
    let (run, log) = chain.github.result(run.run_id).await;

    assert_eq!((ended.code, ended.report.result), (Some(102), Some(TaskResult::Failed)), "{}", ended.log);
    assert_eq!(run.conclusion, Some("failure"));
    assert!(log.contains("still here") && log.contains("cleaning up"), "{log}");
    assert!(!log.contains("Z after") && !log.contains("skipped-one"), "{log}");
    assert!(log.contains("Process completed with exit code 3"), "{log}");
    let conclusions: Vec<_> = run.jobs[0].steps.iter().map(|it| it.conclusion.unwrap()).collect();
    assert_eq!(conclusions, ["success", "success", "success", "failure", "skipped", "success", "success"]);
    chain.assert_strict();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_masked_in_every_log() {
    let chain = Chain::new().await;
    let workflow = workflow(
        "steps:
      - {name: Tell, run: 'echo \"key $KEY\"; echo key $KEY >&2; test $KEY = s3cret-value', env: {KEY: '${{ secrets.API_KEY }}'}}",
    );
    let (run, claimed) = chain.github.claim(&workflow).await;
    let ended = chain.run(&claimed).await;
    let (run, log) = chain.github.result(run.run_id).await;

    assert_eq!(run.conclusion, Some("success"), "{}", ended.log);
    for text in [&log, &ended.log] {
        assert_eq!(text.matches("key ***").count(), 2, "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
    chain.assert_strict();
}

const STOPPED: &str = "steps:
      - {run: 'echo working; while :; do sleep 0.1; done'}
      - {run: echo next}
      - {run: echo tidy, if: cancelled()}";

impl Chain {
    /// A job of [`STOPPED`], and what `stop` does when its first step works.
    async fn stop(&self, stop: impl FnMut(&Pod, &Child) + Send + 'static) -> (Ended, RunView, String) {
        let (run, claimed) = self.github.claim(&workflow(STOPPED)).await;
        let pod = Pod::new(&self.github, &claimed);
        let mut stop = Some(stop);
        let ended = spawn_blocking(move || {
            pod.run(|line, wrapper| {
                if line.ends_with("] working") {
                    stop.take().unwrap()(&pod, wrapper);
                }
            })
        });
        let ended = ended.await.unwrap();
        let (run, log) = self.github.result(run.run_id).await;
        (ended, run, log)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_cleans_up_reports_and_says_so() {
    let chain = Chain::new().await;
    let request = StopRequest { frame: StopFrame::Cancel, seconds: 60 };
    let (ended, run, log) =
        chain.stop(move |pod, _| fs::write(pod.stop_file(), request.to_string()).unwrap()).await;
    assert_eq!((ended.code, ended.report.result), (Some(103), Some(TaskResult::Canceled)), "{}", ended.log);
    assert_eq!(run.conclusion, Some("cancelled"));
    assert!(log.contains("The operation was canceled.") && log.contains("tidy"), "{log}");
    assert!(!log.contains("next"), "{log}");
    chain.assert_strict();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_pod_is_stopped_fails_and_cleans_nothing_up() {
    let chain = Chain::new().await;
    let (ended, run, log) =
        chain.stop(|_, wrapper| kill_process(Pid::from_child(wrapper), Signal::TERM).unwrap()).await;
    assert_eq!((ended.code, ended.report.result), (Some(102), Some(TaskResult::Failed)), "{}", ended.log);
    assert!(ended.report.stopped);
    assert_eq!(run.conclusion, Some("failure"));
    assert!(log.contains("The runner has received a shutdown signal."), "{log}");
    assert!(!log.contains("next") && !log.contains("tidy"), "{log}");
    chain.assert_strict();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_report_is_refused_ends_with_an_error_though_its_steps_ran() {
    let chain = Chain::new().await;
    let (_, claimed) = chain.github.claim(&workflow("steps: [{run: echo ran}]")).await;
    chain.github.server.control().fail(Fault::new("X3").times(2).answering(401));
    let ended = chain.run(&claimed).await;
    assert_eq!((ended.code, ended.report.exit), (Some(1), Some(1)), "{}", ended.log);
    assert!(
        ended.log.contains("] ran") && ended.log.contains("completejob is answered with 401"),
        "{}",
        ended.log
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_crashes_leaves_its_output_and_reports_nothing() {
    let chain = Chain::new().await;
    let (run, claimed) =
        chain.github.claim(&workflow("steps: [{run: 'echo ::stand-in-crash::out of luck'}]")).await;
    let ended = chain.run(&claimed).await;
    assert_eq!((ended.code, ended.report.exit), (Some(139), Some(139)), "{}", ended.log);
    let run = chain.github.server.control().run(run.run_id).unwrap();
    assert_eq!(run.status, "in_progress");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_stand_in_does_not_know_fails_the_job_with_its_name() {
    let chain = Chain::new().await;
    let workflow = workflow("steps: [{run: echo hello, if: \"matrix.n == 1\"}]");
    let (run, claimed) = chain.github.claim(&workflow).await;
    let ended = chain.run(&claimed).await;
    let (run, log) = chain.github.result(run.run_id).await;
    assert_eq!((ended.code, run.conclusion), (Some(102), Some("failure")), "{}", ended.log);
    assert!(log.contains("refused: the condition") && log.contains("matrix.n == 1"), "{log}");
    assert!(!log.contains("hello"), "{log}");
    chain.assert_strict();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_is_refused_at_first_is_sent_again() {
    let chain = Chain::new().await;
    let (run, claimed) = chain.github.claim(&workflow("steps: [{run: 'true'}]")).await;
    chain.github.server.control().fail(Fault::new("X3").answering(503));
    let ended = chain.run(&claimed).await;
    let (run, _) = chain.github.result(run.run_id).await;
    assert_eq!((ended.code, run.conclusion), (Some(0), Some("success")), "{}", ended.log);
    chain.assert_strict();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_the_ledger_does_not_know_runs_no_step() {
    let chain = Chain::new().await;
    chain.github.server.control().fail(Fault::new("Begin").times(9).answering(507));
    let (run, claimed) = chain.github.claim(&workflow("steps: [{run: echo never}]")).await;
    let ended = chain.run(&claimed).await;
    let (run, log) = chain.github.result(run.run_id).await;
    assert_eq!(run.conclusion, Some("failure"));
    assert!(log.contains("the ledger does not take the start"), "{log}");
    assert!(!ended.log.contains("never"), "{}", ended.log);
    assert!(chain.github.server.control().ledger(None).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_behind_the_egress_proxy_reports_through_it() {
    let chain = Chain::new().await;
    let proxy = Proxy::start().await;
    let (run, claimed) = chain.github.claim(&workflow("steps: [{run: echo through the proxy}]")).await;
    let pod = Pod::new(&chain.github, &claimed).behind(&proxy);
    let ended = spawn_blocking(move || pod.run(|_, _| {})).await.unwrap();
    let (run, log) = chain.github.result(run.run_id).await;
    assert_eq!((ended.code, run.conclusion), (Some(0), Some("success")), "{}", ended.log);
    assert!(log.contains("through the proxy"), "{log}");
    let tunnels = proxy.tunnels.lock().unwrap().clone();
    let github = chain.github.server.address().to_string();
    assert!(!tunnels.is_empty() && tunnels.iter().all(|it| *it == github), "{tunnels:?}");
    chain.assert_strict();
}

/// Six megabytes, as three blocks and a little.
const LONG: &str = "steps: [{run: 'i=0; while test $i -lt 60000; do i=$((i+1)); echo \"$i 0123456789012345678901234567890123456789012345678901234567890123456789\"; done'}]";

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_is_whole_at_github() {
    let chain = Chain::new().await;
    let (run, claimed) = chain.github.claim(&workflow(LONG)).await;
    let ended = chain.run(&claimed).await;
    let (run, log) = chain.github.result(run.run_id).await;
    assert_eq!((ended.code, run.conclusion), (Some(0), Some("success")));
    assert!(log.contains("Z 60000 0123"), "the last line is missing");
    let logs = chain.github.server.control().job_logs(run.run_id, run.jobs[0].id).unwrap();
    assert_eq!(logs.len(), 4, "{logs:?}");
    assert!(logs.iter().all(|it| it.finished), "{logs:?}");
    assert_eq!(logs.iter().filter(|it| it.sealed).count(), 2, "{logs:?}");
    chain.assert_strict();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_of_a_worker_without_the_sdk_is_lost_and_the_job_succeeds() {
    let chain = Chain::new().await;
    let variables = [("system.github.results_upload_with_sdk".to_owned(), None)].into();
    chain.github.server.control().pull(Lever::MessageVariables { variables, account: None }).unwrap();
    let (run, claimed) = chain.github.claim(&workflow(LONG)).await;
    let ended = chain.run(&claimed).await;
    let (run, _) = chain.github.result(run.run_id).await;
    assert_eq!((ended.code, run.conclusion), (Some(0), Some("success")));
    let logs = chain.github.server.control().job_logs(run.run_id, run.jobs[0].id).unwrap();
    assert_eq!(logs.iter().filter(|it| it.finished).count(), 2, "only the worker's own steps: {logs:?}");
    chain.assert_strict();
}
