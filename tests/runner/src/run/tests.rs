use std::path::Path;
use std::time::Duration;

use super::*;
use crate::stop::{Shutdown, Stopper};

/// A runner of these steps, with nobody to report to, and how to stop it.
fn runner(root: &Path, steps: Value) -> (Runner, Stopper) {
    let message = json!({
        "messageType": "RunnerJobRequest", "plan": { "planId": "p" }, "jobId": "j",
        "resources": { "endpoints": [{ "name": "SystemVssConnection", "url": "https://run.actions.test/",
            "authorization": { "parameters": { "AccessToken": "FAKE.JOB.TOKEN" } } }]},
        "contextData": { "github": { "t": 2, "d": [{ "k": "repository", "v": "acme/../.." }] } },
        "steps": steps,
    });
    runner_of(root, &message)
}

fn runner_of(root: &Path, message: &Value) -> (Runner, Stopper) {
    let job = Job::parse(&message.to_string()).unwrap();
    let (stopper, stop) = Stopper::new();
    let diagnostics = Diagnostics::default();
    let uploads = Uploads::start(None, diagnostics.clone());
    let progress = Progress::new(uploads, diagnostics.clone(), job.masks.clone(), root);
    let settings = Settings { work_folder: "_work".into(), ..Settings::default() };
    let place = Place { root: root.into(), settings, pod: "pod".into(), diagnostics };
    (Runner::new(job, place, progress, stop), stopper)
}

fn step(script: &str, condition: &str) -> Value {
    json!({
        "type": "action", "id": format!("id-{script}"), "name": "step", "reference": { "type": "script" },
        "condition": condition,
        "inputs": { "type": 2, "map": [{ "Key": "script", "Value": script }] }
    })
}

async fn begun() -> anyhow::Result<()> {
    Ok(())
}

/// What became of each step but the worker's own two.
async fn steps_of(runner: Runner) -> Vec<Conclusion> {
    let (steps, _) = runner.progress.finish().await;
    steps.into_iter().filter(|it| it.kind != Some("runner")).map(|it| it.conclusion.unwrap()).collect()
}

/// Runs while `stop` is told what happens as soon as the file `started` of the temporary folder is there.
async fn run_and(runner: &mut Runner, root: &Path, stop: impl AsyncFnOnce()) {
    let started = root.join("_work/_temp/started");
    let stop = async {
        while !started.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await; // a file comes in no event
        }
        stop().await;
    };
    tokio::join!(runner.run(begun()), stop);
}

const WAIT: &str = "trap 'exit 3' INT; touch $RUNNER_TEMP/started; while :; do sleep 0.01; done";

#[tokio::test]
async fn a_cancel_request_cancels_the_step_and_conditions_go_on_being_evaluated() {
    let root = tempfile::tempdir().unwrap();
    let steps = json!([
        step(WAIT, "success()"),
        step("echo a", "success()"),
        step("echo b", "always()"),
        step("echo c", "cancelled()"),
        step("echo d", "failure()")
    ]);
    let (mut runner, stopper) = runner(root.path(), steps);
    run_and(&mut runner, root.path(), async || stopper.cancel()).await;
    assert_eq!(runner.so_far, Conclusion::Canceled);
    use Conclusion::{Canceled, Skipped, Succeeded};
    assert_eq!(steps_of(runner).await, [Canceled, Skipped, Succeeded, Succeeded, Skipped]);
}

#[tokio::test]
async fn a_step_whose_condition_still_holds_goes_on_through_a_cancellation() {
    let root = tempfile::tempdir().unwrap();
    let waits = "touch $RUNNER_TEMP/started; until test -e $RUNNER_TEMP/go; do sleep 0.01; done";
    let (mut runner, stopper) = runner(root.path(), json!([step(waits, "always()")]));
    let go = root.path().join("_work/_temp/go");
    run_and(&mut runner, root.path(), async || {
        stopper.cancel();
        tokio::task::yield_now().await;
        fs::write(go, "").unwrap();
    })
    .await;
    assert_eq!(runner.so_far, Conclusion::Canceled);
    assert_eq!(steps_of(runner).await, [Conclusion::Succeeded]);
}

#[tokio::test]
async fn a_shutdown_cancels_any_step_skips_the_rest_and_fails_the_job() {
    for why in [Shutdown::Runner, Shutdown::OperatingSystem] {
        let root = tempfile::tempdir().unwrap();
        let steps =
            json!([step(WAIT, "always()"), step("echo a", "always()"), step("echo b", "cancelled()")]);
        let (mut runner, stopper) = runner(root.path(), steps);
        run_and(&mut runner, root.path(), async || stopper.shut_down(why)).await;
        assert_eq!(runner.so_far, Conclusion::Failed);
        let (steps, annotations) = runner.progress.finish().await;
        use Conclusion::{Canceled, Skipped};
        let ended: Vec<_> = steps[1..4].iter().map(|it| it.conclusion.unwrap()).collect();
        assert_eq!(ended, [Canceled, Skipped, Skipped]);
        assert!(json!(annotations)[0]["message"].as_str().unwrap() == why.message(), "{annotations:?}");
    }
}

#[tokio::test]
async fn a_shutdown_after_a_cancellation_interrupts_no_step_that_began_after_it() {
    let root = tempfile::tempdir().unwrap();
    let tidy = "touch $RUNNER_TEMP/tidying; until test -e $RUNNER_TEMP/go; do sleep 0.01; done";
    let steps = json!([step(WAIT, "success()"), step(tidy, "always()"), step("echo a", "always()")]);
    let (mut runner, stopper) = runner(root.path(), steps);
    let temp = root.path().join("_work/_temp");
    run_and(&mut runner, root.path(), async || {
        stopper.cancel();
        while !temp.join("tidying").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stopper.shut_down(Shutdown::Runner);
        tokio::task::yield_now().await;
        fs::write(temp.join("go"), "").unwrap();
    })
    .await;
    assert_eq!(runner.so_far, Conclusion::Canceled);
    use Conclusion::{Canceled, Skipped, Succeeded};
    assert_eq!(steps_of(runner).await, [Canceled, Succeeded, Skipped]);
}

#[tokio::test]
async fn what_stops_a_job_while_it_is_set_up_cancels_it_and_nothing_runs() {
    for shutdown in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let (mut runner, stopper) = runner(root.path(), json!([step("echo a", "always()")]));
        let stop = async {
            match shutdown {
                true => stopper.shut_down(Shutdown::Runner),
                false => stopper.cancel(),
            }
        };
        tokio::join!(runner.run(std::future::pending()), stop);
        assert_eq!(runner.so_far, Conclusion::Canceled);
        let (steps, _) = runner.progress.finish().await;
        assert_eq!(steps.len(), 1);
        assert_eq!(steps[0].conclusion, Some(Conclusion::Canceled));
    }
}

#[tokio::test]
async fn a_job_that_is_cancelled_before_its_setup_ends_runs_nothing_and_one_shut_down_skips_its_steps() {
    let steps = json!([step("echo a", "always()")]);
    let root = tempfile::tempdir().unwrap();
    let (mut cancelled, stopper) = runner(root.path(), steps.clone());
    stopper.cancel();
    cancelled.run(begun()).await;
    assert_eq!(cancelled.so_far, Conclusion::Canceled);
    assert!(steps_of(cancelled).await.is_empty());

    let (mut shut_down, stopper) = runner(root.path(), steps);
    stopper.shut_down(Shutdown::Runner);
    shut_down.run(begun()).await;
    assert_eq!(shut_down.so_far, Conclusion::Failed);
    assert_eq!(steps_of(shut_down).await, [Conclusion::Skipped]);
}

/// The clock goes on by itself while everybody waits.
#[tokio::test(start_paused = true)]
async fn a_step_that_takes_too_long_has_failed() {
    let root = tempfile::tempdir().unwrap();
    let mut step = step("while :; do sleep 0.01; done", "success()");
    step["timeoutInMinutes"] = json!(1);
    let (mut runner, _stopper) = runner(root.path(), json!([step]));
    runner.run(begun()).await;
    assert_eq!(runner.so_far, Conclusion::Failed);
    let (steps, _) = runner.progress.finish().await;
    let said = json!(steps[1].annotations);
    assert!(said[0]["message"].as_str().unwrap().ends_with("has timed out after 1 minutes."), "{said}");
}

#[tokio::test]
async fn a_step_that_does_not_listen_is_killed_in_the_end_with_what_it_started() {
    let root = tempfile::tempdir().unwrap();
    let deaf = "trap '' INT TERM; sleep 600 & echo $! >$RUNNER_TEMP/child; touch $RUNNER_TEMP/started
        while :; do sleep 0.01; done";
    let (mut runner, stopper) = runner(root.path(), json!([step(deaf, "success()")]));
    run_and(&mut runner, root.path(), async || {
        stopper.cancel();
        tokio::time::pause(); // and now it goes on by itself
    })
    .await;
    tokio::time::resume();
    assert_eq!(runner.so_far, Conclusion::Canceled);
    let child = fs::read_to_string(root.path().join("_work/_temp/child")).unwrap();
    wait_until_gone(child.trim()).await;
}

/// Waits until a process has ended; one that nobody has waited for yet has.
async fn wait_until_gone(process: &str) {
    let stat = format!("/proc/{process}/stat");
    let gone = async {
        while fs::read_to_string(&stat).is_ok_and(|it| !it.contains(") Z ")) {
            tokio::time::sleep(Duration::from_millis(5)).await; // its end comes in no event
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone).await.expect("the process lives");
}

#[tokio::test]
async fn a_process_that_holds_the_output_open_does_not_hold_the_job_and_is_ended_with_it() {
    let root = tempfile::tempdir().unwrap();
    let script = "sleep 600 & echo $! >$RUNNER_TEMP/child";
    let alive = "kill -0 $(cat $RUNNER_TEMP/child)";
    let (mut runner, _stopper) =
        runner(root.path(), json!([step(script, "success()"), step(alive, "success()")]));
    runner.run(begun()).await;
    assert_eq!(runner.so_far, Conclusion::Succeeded);
    let child = fs::read_to_string(root.path().join("_work/_temp/child")).unwrap();
    wait_until_gone(child.trim()).await;
}

#[tokio::test]
async fn a_repository_name_that_climbs_stays_in_the_work_folder() {
    let root = tempfile::tempdir().unwrap();
    let (mut runner, _stopper) = runner(root.path(), json!([step("pwd >$RUNNER_TEMP/cwd", "success()")]));
    runner.run(begun()).await;
    let cwd = fs::read_to_string(root.path().join("_work/_temp/cwd")).unwrap();
    assert_eq!(Path::new(cwd.trim()), root.path().join("_work/job/job"));
}

#[tokio::test]
async fn steps_speak_by_files_and_by_commands() {
    let root = tempfile::tempdir().unwrap();
    let speak = "echo 'ML<<E' >>$GITHUB_ENV; printf 'a\\nb\\nE\\n' >>$GITHUB_ENV; echo /opt/x >>$GITHUB_PATH
        echo k=v >>$GITHUB_OUTPUT; echo '::add-mask::hidden'; echo '::warning::w'; echo '::stop-commands::go'
        echo '::error::not one'; echo '::go::'; echo '::error::hidden e'";
    let hear = "test \"$ML\" = \"$(printf 'a\\nb')\"; test ${PATH%%:*} = /opt/x; test '${{ x }}' = v";
    let mut second = step(hear, "success()");
    let formatted = hear.replace('\'', "''").replace("${{ x }}", "\u{1}");
    let formatted = formatted.replace('{', "{{").replace('}', "}}").replace('\u{1}', "{0}");
    second["inputs"]["map"][0]["Value"] =
        json!({ "type": 3, "expr": format!("format('{formatted}', steps.step.outputs.k)") });
    let (mut runner, _stopper) = runner(root.path(), json!([step(speak, "success()"), second]));
    runner.run(begun()).await;
    assert_eq!(runner.so_far, Conclusion::Succeeded);
    let (steps, _) = runner.progress.finish().await;
    let said = json!(steps[1].annotations);
    let said: Vec<_> = said.as_array().unwrap().iter().map(|it| (&it["level"], &it["message"])).collect();
    assert_eq!(said, [(&json!("warning"), &json!("w")), (&json!("failure"), &json!("*** e"))]);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_fails_its_step() {
    let root = tempfile::tempdir().unwrap();
    let (mut runner, _stopper) =
        runner(root.path(), json!([step("echo nonsense >>$GITHUB_OUTPUT", "success()")]));
    runner.run(begun()).await;
    let (steps, _) = runner.progress.finish().await;
    let said = json!(steps[1].annotations);
    assert_eq!(said[0]["message"], "Unable to process file command 'output' successfully.");
    assert_eq!(said[1]["message"], "Invalid format 'nonsense'");
    assert_eq!(steps[1].conclusion, Some(Conclusion::Failed));
}

#[tokio::test]
async fn defaults_of_the_job_are_what_a_step_has_that_names_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (mut runner, _stopper) = runner(root.path(), json!([step("pwd >$RUNNER_TEMP/cwd", "success()")]));
    runner.job.defaults = vec![json!({ "type": 2, "map": [{ "Key": "run", "Value": { "type": 2, "map": [
        { "Key": "working-directory", "Value": "/" }, { "Key": "shell", "Value": "sh" }] } }] })];
    runner.run(begun()).await;
    assert_eq!(fs::read_to_string(root.path().join("_work/_temp/cwd")).unwrap(), "/\n");
    let (steps, _) = runner.progress.finish().await;
    assert_eq!(steps[1].action_name.as_deref(), Some("sh"));
}
