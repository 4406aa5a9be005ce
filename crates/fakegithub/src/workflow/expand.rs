//! From `jobs:` to the jobs of a run: one for each combination of its matrix.

use serde_json::Value;

use super::{Error, JobSpec, Strategy, Workflow, scalar};

/// One job of a run, still without ids.
#[derive(Debug, Clone)]
pub(crate) struct JobPlan {
    /// The key under `jobs:`, which `needs` and `system.github.job` use.
    pub(crate) key: String,
    /// What people see: `build (1, linux)`.
    pub(crate) name: String,
    pub(crate) labels: Vec<String>,
    pub(crate) needs: Vec<String>,
    /// The matrix values of this job, in the order of the axes.
    pub(crate) matrix: Vec<(String, Value)>,
    /// Its place among the jobs of its matrix, and their number.
    pub(crate) index: usize,
    pub(crate) total: usize,
    pub(crate) spec: JobSpec,
}

/// All jobs of a workflow. `needs` may only point backwards, so no cycle can be written.
pub(crate) fn expand(workflow: &Workflow) -> Result<Vec<JobPlan>, Error> {
    let mut plans: Vec<JobPlan> = Vec::new();
    for (key, spec) in workflow.jobs.iter() {
        for need in spec.needs.as_slice() {
            if !plans.iter().any(|plan| plan.key == *need) {
                return Err(Error::Needs { job: key.to_owned(), need: need.clone() });
            }
        }
        plans.extend(expand_job(key, spec)?);
    }
    match plans.is_empty() {
        true => Err(Error::NoJobs),
        false => Ok(plans),
    }
}

fn expand_job(key: &str, spec: &JobSpec) -> Result<Vec<JobPlan>, Error> {
    if spec.strategy.fail_fast == Some(true) {
        return Err(Error::Unsupported(format!("jobs.{key}.strategy.fail-fast")));
    }
    let combinations = combinations(&spec.strategy);
    let total = combinations.len();
    let mut plans = Vec::new();
    for (index, matrix) in combinations.into_iter().enumerate() {
        let labels: Vec<String> = spec.runs_on.as_slice().iter().map(|label| fill(label, &matrix)).collect();
        if labels.is_empty() {
            return Err(Error::NoLabels(key.to_owned()));
        }
        if let Some(open) = labels.iter().find(|label| label.contains("${{")) {
            return Err(Error::Unsupported(format!("jobs.{key}.runs-on: {open}")));
        }
        plans.push(JobPlan {
            key: key.to_owned(),
            name: display_name(key, spec, &matrix),
            labels,
            needs: spec.needs.as_slice().to_vec(),
            matrix,
            index,
            total,
            spec: spec.clone(),
        });
    }
    Ok(plans)
}

/// The cartesian product of the axes; one empty combination without a matrix.
fn combinations(strategy: &Strategy) -> Vec<Vec<(String, Value)>> {
    let mut all = vec![Vec::new()];
    for (axis, values) in strategy.matrix.iter() {
        all = all
            .iter()
            .flat_map(|head: &Vec<(String, Value)>| {
                values.iter().map(move |value| {
                    let mut longer = head.clone();
                    longer.push((axis.to_owned(), value.clone()));
                    longer
                })
            })
            .collect();
    }
    all
}

fn display_name(key: &str, spec: &JobSpec, matrix: &[(String, Value)]) -> String {
    let base = spec.name.as_deref().unwrap_or(key);
    let filled = fill(base, matrix);
    // A name that mentions the matrix is complete; to any other the values are added.
    if matrix.is_empty() || filled != base {
        return filled;
    }
    let values: Vec<String> = matrix.iter().map(|(_, value)| scalar(value)).collect();
    format!("{base} ({})", values.join(", "))
}

/// Replaces `${{ matrix.axis }}`, the only expression that is evaluated on this side.
fn fill(text: &str, matrix: &[(String, Value)]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once("${{") {
        let Some((expression, after)) = tail.split_once("}}") else { break };
        out.push_str(head);
        let axis = expression.trim().strip_prefix("matrix.");
        match axis.and_then(|axis| matrix.iter().find(|(name, _)| name == axis)) {
            Some((_, value)) => out.push_str(&scalar(value)),
            None => out.push_str(&format!("${{{{{expression}}}}}")),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}
