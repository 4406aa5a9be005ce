use super::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const JOB_SPAN: &str = "00f067aa0ba902b7";
const RUN_SPAN: &str = "b7ad6b7169203331";

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn run(trace: &str, span: &str, run_span: &str, sampled: Option<bool>) -> RunInfo {
    RunInfo {
        trace_id: trace.into(),
        span_id: span.into(),
        run_span_id: run_span.into(),
        sampled,
        ..RunInfo::default()
    }
}

#[test]
fn steps_see_what_the_container_has_and_nothing_that_only_the_wrapper_reads() {
    let mut container = environment(&[("PATH", "/bin"), ("JAVA_HOME", "/java")]);
    container.extend(WRAPPER_ENV.map(|it| (it.into(), "x".into())));
    let built = build(container, &RunInfo::default(), [], "");
    let expected = [("CI", "true"), ("GITHUB_ACTIONS", "true"), ("JAVA_HOME", "/java"), ("PATH", "/bin")];
    assert_eq!(built, environment(&expected));
}

#[test]
fn github_actions_is_true_always_and_ci_where_nobody_has_set_it() {
    let table = [
        ("", "", "true"),
        ("false", "", "false"),
        ("", "CI=false\nGITHUB_ACTIONS=false", "false"),
        ("", "CI=\nGITHUB_ACTIONS=", "true"),
    ];
    for (container, dotenv, ci) in table {
        let mut container = environment(&[("CI", container), ("GITHUB_ACTIONS", "no")]);
        container.retain(|_, value| !value.is_empty());
        let built = build(container, &RunInfo::default(), [], dotenv);
        assert_eq!(text(&built, "CI").as_deref(), Some(ci), "{dotenv:?}");
        assert_eq!(text(&built, "GITHUB_ACTIONS").as_deref(), Some("true"), "{dotenv:?}");
    }
}

#[test]
fn later_wins_and_the_env_file_is_the_last() {
    let container = environment(&[("A", "container"), ("SSL_CERT_FILE", "image"), ("LOG_LEVEL", "debug")]);
    let trust = [("SSL_CERT_FILE", "bundle".into()), ("CURL_CA_BUNDLE", "bundle".into())];
    let built = build(
        container,
        &run(TRACE, JOB_SPAN, "", None),
        trust,
        "A=file\nLOG_LEVEL=trace\nCURL_CA_BUNDLE=\nTRACEPARENT=",
    );
    let text = |name| text(&built, name);
    assert_eq!(text("A").as_deref(), Some("file"));
    assert_eq!(text("SSL_CERT_FILE").as_deref(), Some("bundle"));
    assert_eq!(text("LOG_LEVEL").as_deref(), Some("trace"), "the steps' own");
    assert_eq!((text("CURL_CA_BUNDLE"), text("TRACEPARENT")), (None, None));
}

#[test]
fn the_trace_parent_is_the_span_of_the_run_or_of_the_job() {
    let parent = |run: RunInfo| text(&build(Environment::new(), &run, [], ""), TRACEPARENT);
    let expected = |span, flags| Some(format!("00-{TRACE}-{span}-{flags}"));
    assert_eq!(parent(run(TRACE, JOB_SPAN, RUN_SPAN, None)), expected(RUN_SPAN, "01"));
    assert_eq!(parent(run(TRACE, JOB_SPAN, RUN_SPAN, Some(true))), expected(RUN_SPAN, "01"));
    assert_eq!(parent(run(TRACE, JOB_SPAN, RUN_SPAN, Some(false))), expected(RUN_SPAN, "00"));
    assert_eq!(parent(run(TRACE, JOB_SPAN, "", Some(false))), expected(JOB_SPAN, "00"));
    assert_eq!(parent(run(&TRACE.to_uppercase(), JOB_SPAN, "", None)), expected(JOB_SPAN, "01"));
}

#[test]
fn invalid_ids_make_no_trace_parent() {
    let zeros = "0".repeat(32);
    let with_space = format!(" {}", &TRACE[1..]);
    for (trace, span) in [
        ("", ""),
        (TRACE, ""),
        ("", JOB_SPAN),
        (&TRACE[1..], JOB_SPAN),
        (TRACE, &JOB_SPAN[1..]),
        (TRACE, TRACE),
        (&zeros, JOB_SPAN),
        (TRACE, &zeros[..16]),
        (&with_space, JOB_SPAN),
        (TRACE, "00f067aa0ba902bg"),
    ] {
        let built = build(Environment::new(), &run(trace, span, "", None), [], "");
        assert_eq!(text(&built, TRACEPARENT), None, "{trace:?} {span:?}");
    }
}

#[test]
fn a_trace_parent_that_the_template_has_stays() {
    for value in ["00-aaaa-bbbb-01", ""] {
        let container = environment(&[(TRACEPARENT, value)]);
        let built = build(container, &run(TRACE, JOB_SPAN, RUN_SPAN, None), [], "");
        assert_eq!(text(&built, TRACEPARENT).as_deref(), Some(value));
    }
}
