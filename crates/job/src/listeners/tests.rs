use jiff::SignedDuration;

use super::session::EMPTY_POLLS;
use super::*;

mod pauses;
mod rows;
mod world;

const EPOCH: Timestamp = Timestamp::UNIX_EPOCH;

fn at(seconds: i64) -> Timestamp {
    EPOCH + SignedDuration::from_secs(seconds)
}
