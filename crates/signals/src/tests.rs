use std::collections::BTreeSet;

use super::*;

fn all() -> impl Iterator<Item = &'static Series> {
    PROGRAMS.iter().flat_map(Program::series)
}

#[test]
fn a_program_has_each_family_once_and_a_family_is_the_same_in_each() {
    for program in PROGRAMS {
        let names: BTreeSet<&str> = program.series().map(|it| it.name).collect();
        assert_eq!(names.len(), program.series().count(), "{}", program.name);
    }
    for series in all() {
        assert!(all().filter(|it| it.name == series.name).all(|it| it == series), "{}", series.name);
    }
}

#[test]
fn names_are_those_that_prometheus_wants() {
    let is_name = |it: &str| {
        it.starts_with(|it: char| it.is_ascii_lowercase())
            && it.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
    };
    for series in all() {
        let Series { name, help, kind, labels, .. } = series;
        assert!(is_name(name), "{name}");
        assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
        assert!(help.ends_with('.'), "{name}: {help}");
        let mut names = BTreeSet::new();
        for label in *labels {
            assert!(is_name(label.name) && names.insert(label.name), "{name}: {}", label.name);
            assert!(label.meaning.ends_with('.'), "{name}: {}", label.meaning);
            let values: BTreeSet<&&str> = label.values.iter().collect();
            assert_eq!(values.len(), label.values.len(), "{name}: {}", label.name);
        }
    }
}

#[test]
fn a_histogram_has_rising_buckets_and_nothing_else_has_any() {
    for Series { name, kind, buckets, .. } in all() {
        assert_eq!(!buckets.is_empty(), *kind == Kind::Histogram, "{name}");
        assert!(buckets.windows(2).all(|it| it[0] < it[1]), "{name}: {buckets:?}");
    }
}

#[test]
fn a_family_is_found_by_what_queries_name() {
    let found = |name| find(name).map(|it| it.name);
    let duration = Some("actions_gateway_job_duration_seconds");
    assert_eq!(found("actions_gateway_job_duration_seconds_bucket"), duration);
    assert_eq!(found("actions_gateway_job_duration_seconds_count"), duration);
    assert_eq!(found("actions_gateway_active_sessions"), Some("actions_gateway_active_sessions"));
    assert_eq!(found("actions_gateway_active_sessions_sum"), None);
    assert_eq!(found("actions_gateway_proxy_connections"), None);
}
