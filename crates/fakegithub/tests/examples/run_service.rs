//! The run service (protocol §5).

use crate::examples;

examples! {
    x1_acquire(stage) {
        stage.offered().await;
    }
    x1_lost(stage) {
        stage.claimed().await;
    }
    x2_renew(stage) {
        stage.claimed().await;
    }
    x3_complete(stage) {
        stage.claimed().await;
    }
}
