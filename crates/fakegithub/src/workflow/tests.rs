use super::*;

fn names(text: &str) -> Vec<String> {
    expand(&parse(text).unwrap()).unwrap().into_iter().map(|plan| plan.name).collect()
}

#[test]
fn a_matrix_becomes_one_job_for_each_value() {
    let text = "repository: acme/demo\njobs:\n  build:\n    runs-on: linux\n    strategy: {matrix: {shard: [1, 2, 3]}}\n";
    assert_eq!(names(text), ["build (1)", "build (2)", "build (3)"]);
}

#[test]
fn axes_keep_the_order_in_which_they_are_written() {
    let text = "repository: acme/demo\njobs:\n  t:\n    runs-on: [linux]\n    strategy: {matrix: {os: [b, a], n: [1, 2]}}\n";
    assert_eq!(names(text), ["t (b, 1)", "t (b, 2)", "t (a, 1)", "t (a, 2)"]);
}

#[test]
fn a_name_that_mentions_the_matrix_is_not_extended() {
    let text = "repository: acme/demo\njobs:\n  t:\n    name: shard ${{ matrix.n }}\n    runs-on: [\"n-${{ matrix.n }}\"]\n    strategy: {matrix: {n: [1]}}\n";
    let plans = expand(&parse(text).unwrap()).unwrap();
    assert_eq!((plans[0].name.as_str(), plans[0].labels[0].as_str()), ("shard 1", "n-1"));
}

#[test]
fn json_is_read_as_well_as_yaml() {
    let text = r#"{"repository":"acme/demo","jobs":{"build":{"runs-on":"linux","steps":[{"run":"make"}]}}}"#;
    assert_eq!(names(text), ["build"]);
}

#[test]
fn what_is_not_played_is_refused_by_its_path() {
    let cases = [
        ("on: push\njobs: {b: {runs-on: x}}", "on"),
        ("defaults: {run: {shell: sh}}\njobs: {b: {runs-on: x}}", "defaults"),
        ("jobs: {b: {runs-on: x, container: alpine}}", "jobs.b.container"),
        ("jobs: {b: {runs-on: x, services: {db: {image: postgres}}}}", "jobs.b.services"),
        ("jobs: {b: {uses: ./.github/workflows/x.yml}}", "jobs.b.uses"),
        ("jobs: {b: {runs-on: x, strategy: {max-parallel: 1}}}", "jobs.b.strategy.max-parallel"),
        (
            "jobs: {b: {runs-on: x, strategy: {matrix: {include: [{a: 1}]}}}}",
            "jobs.b.strategy.matrix.include",
        ),
        ("jobs: {b: {runs-on: x, steps: [{run: a}, {uses: actions/checkout@v4}]}}", "jobs.b.steps[1].uses"),
        ("jobs: {b: {runs-on: x, steps: [{run: a, shell: pwsh}]}}", "jobs.b.steps[0].shell: pwsh"),
    ];
    for (rest, path) in cases {
        let error = parse(&format!("repository: acme/demo\n{rest}\n")).unwrap_err();
        assert_eq!(error, Error::Unsupported(path.into()), "{rest}");
    }
}

#[test]
fn shells_are_those_of_the_stand_in_or_a_template() {
    for shell in ["bash", "sh", "python", "perl {0}"] {
        let text = format!(
            "repository: acme/demo\njobs: {{b: {{runs-on: x, steps: [{{run: a, shell: '{shell}'}}]}}}}\n"
        );
        parse(&text).unwrap();
    }
}

#[test]
fn a_job_can_only_wait_for_an_earlier_one() {
    let text = "repository: acme/demo\njobs:\n  b: {runs-on: x, needs: a}\n  a: {runs-on: x}\n";
    let error = expand(&parse(text).unwrap()).unwrap_err();
    assert_eq!(error, Error::Needs { job: "b".into(), need: "a".into() });
}

#[test]
fn a_repository_needs_an_owner() {
    assert_eq!(parse("repository: demo\njobs: {}\n").unwrap_err(), Error::Repository("demo".into()));
}
