use std::collections::VecDeque;

use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::time::Instant;

use super::*;

/// Delivers to a service with these answers, the last of which repeats; how it went, how many requests there were, and
/// how long it took.
async fn deliver_to(answers: &[(u16, &'static str)]) -> (bool, u32, Duration) {
    let mut answers: VecDeque<_> = answers.iter().copied().collect();
    let mut sent = 0;
    let start = Instant::now();
    let result = deliver(async || {
        sent += 1;
        let (status, body) = if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0] };
        Ok(Reply { status: StatusCode::from_u16(status).unwrap(), body: Bytes::from_static(body.as_bytes()) })
    });
    let taken = result.await.is_ok();
    (taken, sent, start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_taken_is_sent_once() {
    assert_eq!(deliver_to(&[(204, "")]).await, (true, 1, Duration::ZERO));
}

/// Seen with the official worker: 25 requests in 212 s.
#[tokio::test(start_paused = true)]
async fn a_report_that_never_gets_through_is_sent_25_times() {
    let (taken, sent, time) = deliver_to(&[(500, "")]).await;
    assert_eq!((taken, sent), (false, 25));
    assert!((125..=325).contains(&time.as_secs()), "{time:?}");
}

/// Seen with the official worker: two requests for 401, one for 404, and that at once.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_final() {
    assert_eq!(deliver_to(&[(401, "")]).await, (false, 2, Duration::ZERO));
    assert_eq!(deliver_to(&[(404, "")]).await, (false, 1, Duration::ZERO));
    let meant = r#"{"source":"actions-run-service","statusCode":404,"errorMessage":"gone"}"#;
    assert_eq!(deliver_to(&[(400, meant)]).await, (false, 1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_pause_has_five_to_fifteen_seconds() {
    let (taken, sent, time) = deliver_to(&[(503, ""), (204, "")]).await;
    assert_eq!((taken, sent), (true, 2));
    assert!((5..=15).contains(&time.as_secs()), "{time:?}");
}
