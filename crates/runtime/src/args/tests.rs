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
fn an_unknown_level_or_encoder_is_refused() {
    assert!(Cli::try_parse_from(["program", "--zap-log-level=loud"]).is_err());
    assert!(Cli::try_parse_from(["program", "--zap-encoder=xml"]).is_err());
}
