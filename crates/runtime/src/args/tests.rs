use super::*;
use clap::Parser;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    log: LogArgs,
}

fn check(arguments: &[&str], encoder: Encoder, level: Level) {
    let cli = Cli::try_parse_from([&["program"], arguments].concat()).unwrap();
    assert_eq!(cli.log.options(), LogOptions { encoder, level }, "{arguments:?}");
}

#[test]
fn flags_decide_encoder_and_level() {
    check(&[], Encoder::Json, Level::Info);
    check(&["--zap-devel"], Encoder::Console, Level::Debug);
    check(&["--zap-devel=true", "--zap-encoder=json"], Encoder::Json, Level::Debug);
    check(&["--zap-devel=false", "--zap-log-level=error"], Encoder::Json, Level::Error);
    check(&["--zap-log-level", "warn"], Encoder::Json, Level::Warn);
    check(&["--zap-log-level=0"], Encoder::Json, Level::Info);
    check(&["--zap-log-level=3"], Encoder::Json, Level::Debug);
}

#[test]
fn flags_for_stack_traces_and_times_are_taken_and_change_nothing() {
    for level in ["debug", "info", "error", "panic", "Error"] {
        check(&["--zap-stacktrace-level", level], Encoder::Json, Level::Info);
    }
    for encoding in ["epoch", "millis", "nano", "nanos", "iso8601", "rfc3339", "rfc3339nano", "RFC3339Nano"] {
        check(&["--zap-time-encoding", encoding, "--zap-log-level=warn"], Encoder::Json, Level::Warn);
    }
}

#[test]
fn a_word_that_is_no_stack_trace_level_or_time_encoding_is_refused_with_those_that_are() {
    let refusal = |flag: &str| Cli::try_parse_from(["program", flag]).err().unwrap().to_string();
    let said = refusal("--zap-stacktrace-level=loud");
    assert!(said.contains("'loud'") && said.contains("debug, info, error, panic"), "{said}");
    let said = refusal("--zap-time-encoding=sundial");
    assert!(said.contains("'sundial'") && said.contains("epoch, millis, nano, nanos, iso8601"), "{said}");
}

#[test]
fn an_unknown_level_or_encoder_is_refused() {
    assert!(Cli::try_parse_from(["program", "--zap-log-level=loud"]).is_err());
    assert!(Cli::try_parse_from(["program", "--zap-encoder=xml"]).is_err());
}
