//! api.github.com (protocol §1, §2, §7, §8).

use serde_json::json;

use crate::examples;

examples! {
    a1_app(stage) {}
    a2_all_rights(stage) {}
    a2_narrowed(stage) {}
    a3_installations(stage) {
        // An App has one installation here: there is no second page.
        stage.leaves_out("link");
    }
    a4_installation(stage) {}
    a5_rate_limit(stage) {
        stage.installed().await;
    }
    r1_registration_token(stage) {
        stage.installed().await;
    }
    r2_groups(stage) {
        stage.installed().await;
    }
    r2_groups_by_page(stage) {
        stage.installed().await;
    }
    r3_register(stage) {
        stage.installed().await;
    }
    r3_name_taken(stage) {
        stage.registered().await;
    }
    r4_by_name(stage) {
        stage.claimed().await;
    }
    r5_runner(stage) {
        stage.with_session().await;
    }
    r5_absent(stage) {
        stage.installed().await;
        stage.know("runner_id", 31_007);
    }
    r5_secondary_limit(stage) {
        stage.registered().await;
        stage.pull(json!({
            "lever": "rate-limit", "endpoint": "R5", "form": "secondary-403", "retryAfter": "60",
        }));
    }
    r6_busy(stage) {
        stage.claimed().await;
    }
    j1_running(stage) {
        stage.installed().await;
        stage.run();
    }
    j2_rerun(stage) {
        stage.installed().await;
        stage.run();
        stage.conclude("failure");
    }
    j3_rerun_job(stage) {
        stage.installed().await;
        stage.run();
        stage.conclude("failure");
    }
    j4_run(stage) {
        stage.installed().await;
        stage.run();
        stage.play("j8_force_cancel").await;
        stage.play("j2_rerun").await;
        stage.play("j8_force_cancel").await;
    }
    j5_latest(stage) {
        stage.claimed().await;
    }
    j5_of_attempt(stage) {
        stage.claimed().await;
    }
    j6_job(stage) {
        stage.claimed().await;
        stage.begin_step().await;
        stage.conclude("failure");
    }
    j7_cancel(stage) {
        stage.installed().await;
        stage.run();
    }
    j7_finished(stage) {
        stage.installed().await;
        stage.run();
        stage.conclude("success");
    }
    j8_force_cancel(stage) {
        stage.installed().await;
        stage.run();
    }
    j8_finished(stage) {
        stage.installed().await;
        stage.run();
        stage.conclude("success");
    }
    m1_meta(stage) {}
    m1_unchanged(stage) {
        stage.play("m1_meta").await;
    }
}
