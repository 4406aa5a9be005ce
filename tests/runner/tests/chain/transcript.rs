//! Calls in the form in which two workers can be compared: ids by their names, times by their form.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use regex::Regex;
use serde_json::Value;

use crate::recorder::Call;
use crate::tree::Tree;

/// Calls of the official worker.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/fakegithub/tests/realrunner");

/// Headers that mean something.
const HEADERS: [&str; 8] = [
    "accept",
    "content-type",
    "if-none-match",
    "x-actions-session",
    "x-ms-blob-content-type",
    "x-ms-blob-sealed",
    "x-ms-blob-type",
    "x-ms-version",
];

/// One call, comparable.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    pub method: String,
    /// What follows the last `/`, for a blob its place among the blobs.
    pub path: String,
    /// Whether it carries the job's token.
    pub token: bool,
    pub headers: BTreeMap<String, String>,
    pub body: Tree,
    /// Of a blob.
    pub bytes: usize,
    pub status: u16,
}

/// The calls of one job.
pub struct Transcript(pub Vec<Shape>);

impl Transcript {
    /// What the official worker sent.
    pub fn recorded(name: &str) -> Transcript {
        let text = fs::read_to_string(Path::new(RECORDED).join(format!("{name}.jsonl"))).unwrap();
        let mut names = Names::default();
        Transcript(text.lines().map(|line| recorded(&Tree::read(line.as_bytes()), &mut names)).collect())
    }

    /// What the stand-in sent for this message. The ledger is the fake GitHub's own and is left out.
    pub fn seen(calls: &[Call], message: &Value) -> Transcript {
        let mut names = Names::of(message);
        let calls = calls.iter().filter(|it| !it.path.contains("fakegithub.Ledger"));
        Transcript(calls.map(|it| seen(it, &mut names)).collect())
    }

    /// All but the updates of steps, whose number is a matter of time.
    pub fn without_updates(&self) -> Vec<&Shape> {
        self.0.iter().filter(|it| !it.is_update()).collect()
    }

    /// How each step stood in the end, as the updates tell it.
    pub fn last_states(&self) -> Vec<Tree> {
        let mut steps: Vec<Tree> = Vec::new();
        for step in self.0.iter().filter(|it| it.is_update()).flat_map(|it| it.body.list("steps")) {
            match steps.iter_mut().find(|it| it.text("external_id") == step.text("external_id")) {
                Some(known) => *known = step.clone(),
                None => steps.push(step.clone()),
            }
        }
        steps
    }
}

impl Shape {
    pub fn is_update(&self) -> bool {
        self.path == "WorkflowStepsUpdate"
    }
}

/// The workflow of a recorded job.
pub fn workflow(name: &str) -> String {
    fs::read_to_string(Path::new(RECORDED).join(format!("workflows/{name}.json"))).unwrap()
}

/// Names of ids. Those that the worker made itself are numbered as they appear.
#[derive(Default)]
struct Names(Vec<(String, String)>);

impl Names {
    fn of(message: &Value) -> Names {
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        let mut names = vec![
            (text(&message["plan"]["planId"]), "{{plan}}".to_owned()),
            (text(&message["jobId"]), "{{job}}".to_owned()),
            (text(&message["billingOwnerId"]), "{{billing_owner}}".to_owned()),
        ];
        let steps = message["steps"].as_array().unwrap().iter().zip(0..);
        names.extend(steps.map(|(step, n)| (text(&step["id"]), format!("{{{{step_{n}}}}}"))));
        Names(names)
    }

    fn name(&mut self, text: &str, of: &str) -> String {
        if let Some((_, name)) = self.0.iter().find(|(known, _)| known == text) {
            return name.clone();
        }
        let number = self.0.iter().filter(|(_, name)| name.starts_with(of)).count();
        self.0.push((text.to_owned(), format!("{of}{number}")));
        format!("{of}{number}")
    }

    fn body(&mut self, body: &Tree) -> Tree {
        let guid = form(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$");
        let milliseconds = form(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$");
        let ticks = form(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,6}[1-9])?Z$");
        body.map("", &mut |key, text| match key {
            "uploaded_at" if milliseconds.is_match(text) => "milliseconds".to_owned(),
            // Three decimals may be all of seven.
            "started_at" | "completed_at" if ticks.is_match(text) || milliseconds.is_match(text) => {
                "time".to_owned()
            }
            _ if guid.is_match(text) => self.name(text, "own"),
            _ => self.0.iter().find(|(known, _)| known == text).map_or(text, |(_, name)| name).to_owned(),
        })
    }

    fn path(&mut self, path: &str) -> String {
        match path.split_once('?') {
            None => path.rsplit('/').next().unwrap().replace("{{run_service}}", ""),
            Some((blob, query)) => {
                let parameters: Vec<&str> = query
                    .split('&')
                    .map(|it| if it.starts_with("comp") || it.starts_with("seal") { it } else { "signature" })
                    .collect();
                let mut shown = parameters;
                shown.dedup();
                format!("{}?{}", self.name(blob, "blob"), shown.join("&"))
            }
        }
    }
}

fn form(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

fn recorded(call: &Tree, names: &mut Names) -> Shape {
    let Some(Tree::Map(headers)) = call.get("headers") else { panic!("{call:?}") };
    let headers = headers.iter().map(|(name, value)| match value {
        Tree::Text(value) => (name.clone(), value.clone()),
        other => panic!("{other:?}"),
    });
    let body = call.get("body").unwrap();
    let is_blob = call.text("method") == "PUT";
    Shape {
        method: call.text("method").to_owned(),
        path: names.path(call.text("path")),
        token: call.text("token") == "{{job_token}}",
        headers: meaningful(headers),
        body: if is_blob { Tree::Null } else { names.body(body) },
        bytes: body.number("bytes").filter(|_| is_blob).unwrap_or_default() as usize,
        status: call.number("status").unwrap() as u16,
    }
}

fn seen(call: &Call, names: &mut Names) -> Shape {
    let is_blob = call.method == "PUT";
    Shape {
        method: call.method.clone(),
        path: names.path(&call.path),
        token: call.headers.contains_key("authorization"),
        headers: meaningful(call.headers.clone().into_iter()),
        body: if is_blob { Tree::Null } else { names.body(&Tree::read(&call.body)) },
        bytes: if is_blob { call.body.len() } else { 0 },
        status: call.status,
    }
}

fn meaningful(headers: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let kept = headers.filter(|(name, _)| HEADERS.contains(&name.as_str()));
    kept.map(
        |(name, value)| if name == "x-actions-session" { (name, "a GUID".to_owned()) } else { (name, value) },
    )
    .collect()
}
