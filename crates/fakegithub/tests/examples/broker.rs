//! The runner's token and the broker (protocol §3, §4).

use serde_json::json;

use crate::examples;

examples! {
    o1_token(stage) {
        stage.registered().await;
    }
    o1_rejected(stage) {
        stage.registered().await;
        stage.consumed();
    }
    b1_session(stage) {
        stage.with_token().await;
    }
    b1_conflict(stage) {
        stage.with_session().await;
    }
    b2_job(stage) {
        stage.with_session().await;
        stage.run();
    }
    b2_cancellation(stage) {
        stage.claimed().await;
        let run: u64 = stage.known("run_id").parse().unwrap();
        stage.control().cancel_run(run).unwrap();
        stage.forget("message_id");
    }
    b2_nothing(stage) {
        stage.with_session().await;
        stage.pull(json!({"lever": "poll-hold", "seconds": 0.1}));
    }
    b2_runner_gone(stage) {
        stage.with_session().await;
        assert_eq!(stage.ask("r6_busy").await.status(), 204, "deleted while it has no job");
    }
    b3_acknowledge(stage) {
        stage.offered().await;
    }
    b4_close(stage) {
        stage.with_session().await;
    }
}
