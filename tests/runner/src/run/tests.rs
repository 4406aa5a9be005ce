use std::path::Path;

use super::*;

/// A runner of one step, with nobody to report to, and how to stop it. Its clock goes on by itself while it waits.
fn runner(work: &Path, step: Value) -> (Runner, watch::Sender<bool>) {
    let message = json!({
        "messageType": "RunnerJobRequest", "plan": { "planId": "p" }, "jobId": "j",
        "resources": { "endpoints": [{ "name": "SystemVssConnection", "url": "https://run.actions.test/",
            "authorization": { "parameters": { "AccessToken": "FAKE.JOB.TOKEN" } } }]},
        "contextData": { "github": { "t": 2, "d": [{ "k": "repository", "v": "acme/../.." }] } },
        "steps": [step],
    });
    let job = Job::parse(&message.to_string()).unwrap();
    let service = Arc::new(Service::new(Arc::new(Http::from_env().unwrap()), &job));
    let progress = Progress::new(service, job.masks.clone());
    let (stop, stopped) = watch::channel(false);
    (Runner::new(job, work, progress, stopped), stop)
}

fn step(script: &str) -> Value {
    json!({
        "type": "action", "id": "5e90", "name": "step", "reference": { "type": "script" },
        "inputs": { "type": 2, "map": [{ "Key": "script", "Value": script }] }
    })
}

#[tokio::test(start_paused = true)]
async fn a_step_that_takes_too_long_and_does_not_listen_is_killed_and_has_failed() {
    let work = tempfile::tempdir().unwrap();
    let mut step = step("trap '' TERM; echo deaf; sleep 600");
    step["timeoutInMinutes"] = json!(1);
    let (mut runner, _stop) = runner(work.path(), step);
    runner.run(Ok(())).await;
    assert_eq!(runner.so_far, Conclusion::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_step_that_does_not_listen_is_killed_and_is_canceled() {
    let work = tempfile::tempdir().unwrap();
    let (mut runner, stop) = runner(work.path(), step("trap '' TERM; sleep 600"));
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        stop.send_replace(true);
    };
    tokio::join!(runner.run(Ok(())), cancel);
    assert_eq!(runner.so_far, Conclusion::Canceled);
}

#[tokio::test]
async fn a_process_that_holds_the_output_open_does_not_hold_the_job() {
    let work = tempfile::tempdir().unwrap();
    let (mut runner, _stop) = runner(work.path(), step("sleep 10 & echo $! >$RUNNER_TEMP/pid"));
    runner.run(Ok(())).await;
    assert_eq!(runner.so_far, Conclusion::Succeeded);
    let pid = fs::read_to_string(work.path().join("_temp/pid")).unwrap();
    assert!(Path::new("/proc").join(pid.trim()).exists(), "the job has waited for it");
}

#[tokio::test]
async fn a_repository_name_that_climbs_stays_in_the_work_folder() {
    let work = tempfile::tempdir().unwrap();
    let (mut runner, _stop) = runner(work.path(), step("pwd >$RUNNER_TEMP/cwd"));
    runner.run(Ok(())).await;
    let cwd = fs::read_to_string(work.path().join("_temp/cwd")).unwrap();
    assert_eq!(Path::new(cwd.trim()), work.path().join("job"));
}
