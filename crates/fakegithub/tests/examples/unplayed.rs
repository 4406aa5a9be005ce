//! What the server does not play, and says so.

use crate::stage::Stage;

const SCALE_SETS: &str = "runner records are how the gateway acquires jobs; a scale set is another product";
const OLD_SERVERS: &str = "the pool API is that of old servers; every record here names the broker";
const CONFIG_SH: &str = "config.sh registers machines; here runners have JIT configurations";

const UNPLAYED: [(&str, &str); 26] = [
    ("r7_s1_connect", CONFIG_SH),
    ("r8_register_with_key", CONFIG_SH),
    ("v1_session", OLD_SERVERS),
    ("v2_message", OLD_SERVERS),
    ("v3_delete_message", OLD_SERVERS),
    ("v4_close", OLD_SERVERS),
    ("v5_renew", OLD_SERVERS),
    ("s2_group", SCALE_SETS),
    ("s3_find", SCALE_SETS),
    ("s4_create", SCALE_SETS),
    ("s5_read", SCALE_SETS),
    ("s6_change", SCALE_SETS),
    ("s7_delete", SCALE_SETS),
    ("s9_session", SCALE_SETS),
    ("s10_refresh", SCALE_SETS),
    ("s11_close", SCALE_SETS),
    ("s12_assigned", SCALE_SETS),
    ("s12_offer", SCALE_SETS),
    ("s12_terminal", SCALE_SETS),
    ("s13_jit", SCALE_SETS),
    ("s13_name_taken", SCALE_SETS),
    ("s14_acquire", SCALE_SETS),
    ("s15_delete_message", SCALE_SETS),
    ("s16_acquirable", SCALE_SETS),
    ("s17_find_agent", SCALE_SETS),
    ("s17_delete_agent", SCALE_SETS),
];

pub const NAMES: [&str; UNPLAYED.len()] = {
    let mut names = [""; UNPLAYED.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = UNPLAYED[index].0;
        index += 1;
    }
    names
};

#[tokio::test]
async fn what_is_not_played_is_not_found_and_recorded() {
    let stage = Stage::new().await;
    for (count, (name, why)) in UNPLAYED.into_iter().enumerate() {
        let answer = stage.ask(name).await;
        assert_eq!(answer.status(), 404, "{name} is played after all, though {why}: {}", answer.body);
        assert_eq!(stage.control().violations().len(), count + 1, "{name}");
    }
}
