//! The API server's audit log: who asked for what, and how it ended. One JSON object a line (audit.k8s.io/v1).

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde_json::Value;

/// Key of the pod's name in what a ServiceAccount's token says of its bearer.
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";

/// Verbs that change something.
const WRITES: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];

/// One request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who asked.
    pub user: String,
    /// The pod whose token it carried.
    pub pod: Option<String>,
    /// What the client calls itself.
    pub user_agent: String,
    /// `get`, `create`, `patch`…
    pub verb: String,
    /// API group; empty for the core.
    pub group: String,
    /// Such as `pods`; empty when the request was about no object.
    pub resource: String,
    /// Such as `status`; empty for the object itself.
    pub subresource: String,
    /// The object's namespace, or empty.
    pub namespace: String,
    /// The object's name, or empty: a POST names none in its path.
    pub name: String,
    /// Whether it asks only what would come of it.
    pub dry_run: bool,
    /// What it was answered.
    pub code: u16,
    /// Why it was refused, if it was.
    pub message: String,
    /// When it was received.
    pub time: Timestamp,
}

impl Entry {
    /// Whether it asked for a change. A dry run changes nothing.
    pub fn is_write(&self) -> bool {
        WRITES.contains(&self.verb.as_str()) && !self.dry_run
    }

    /// Whether it was carried out.
    pub fn succeeded(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// Resource and subresource as a role writes them, such as `pods/status`.
    pub fn target(&self) -> String {
        match self.subresource.as_str() {
            "" => self.resource.clone(),
            subresource => format!("{}/{subresource}", self.resource),
        }
    }

    /// Reads one line. A request counts when it is answered: a watch that is granted when it begins, since some never
    /// end, and all others at their end.
    fn parse(line: &str) -> Result<Option<Self>> {
        let value: Value = serde_json::from_str(line).with_context(|| format!("audit log: {line}"))?;
        let goes_on = value["verb"] == "watch" && value["responseStatus"]["code"] == 200;
        if value["stage"] != if goes_on { "ResponseStarted" } else { "ResponseComplete" } {
            return Ok(None);
        }
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        let object = &value["objectRef"];
        let time = value["requestReceivedTimestamp"].as_str().context("a request was received once")?;
        Ok(Some(Self {
            user: text(&value["user"]["username"]),
            pod: value["user"]["extra"][POD_NAME][0].as_str().map(str::to_owned),
            user_agent: text(&value["userAgent"]),
            verb: text(&value["verb"]),
            group: text(&object["apiGroup"]),
            resource: text(&object["resource"]),
            subresource: text(&object["subresource"]),
            namespace: text(&object["namespace"]),
            name: text(&object["name"]),
            dry_run: value["requestURI"].as_str().is_some_and(|it| it.contains("dryRun=All")),
            code: value["responseStatus"]["code"].as_u64().and_then(|it| it.try_into().ok()).unwrap_or(0),
            message: text(&value["responseStatus"]["message"]),
            time: time.parse()?,
        }))
    }
}

/// The log as far as it has been read; each look takes in what was written since the last.
pub struct Audit {
    file: BufReader<File>,
    /// Only lines that have this word in them.
    about: String,
    /// A line of which the end is not written yet.
    begun: String,
    entries: Vec<Entry>,
}

impl Audit {
    /// Opens the log for the lines that mention a word, such as a namespace's name. Every line mentions the empty word.
    pub fn open(path: &Path, about: &str) -> Result<Self> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let file = BufReader::with_capacity(1 << 20, file);
        Ok(Self { file, about: about.to_owned(), begun: String::new(), entries: Vec::new() })
    }

    /// All that has been answered so far, in the order in which it was answered.
    pub fn entries(&mut self) -> Result<&[Entry]> {
        while self.file.read_line(&mut self.begun)? > 0 {
            if !self.begun.ends_with('\n') {
                break;
            }
            if self.begun.contains(&self.about) {
                self.entries.extend(Entry::parse(self.begun.trim_end())?);
            }
            self.begun.clear();
        }
        Ok(&self.entries)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const LINE: &str = r#"{"stage":"ResponseComplete","verb":"patch","user":{"username":"system:serviceaccount:a:c","extra":{"authentication.kubernetes.io/pod-name":["c-1"]}},"userAgent":"agc/1","objectRef":{"resource":"runnerjobs","namespace":"a","name":"j","apiGroup":"g","subresource":"status"},"responseStatus":{"code":500},"requestReceivedTimestamp":"2026-11-25T05:55:10.183815Z"}"#;

    #[test]
    fn an_entry_says_who_asked_for_what_and_how_it_ended() {
        let entry = Entry::parse(LINE).unwrap().unwrap();
        assert_eq!(entry.target(), "runnerjobs/status");
        assert_eq!((entry.pod.as_deref(), entry.code), (Some("c-1"), 500));
        assert!(entry.is_write() && !entry.succeeded());
        assert_eq!(Entry::parse(&LINE.replace("ResponseComplete", "ResponseStarted")).unwrap(), None);
    }

    #[test]
    fn a_dry_run_is_no_write() {
        let line =
            LINE.replace("\"verb\"", "\"requestURI\":\"/api/v1/namespaces/a/pods?dryRun=All\",\"verb\"");
        assert!(!Entry::parse(&line).unwrap().unwrap().is_write());
    }

    #[test]
    fn a_watch_counts_once_and_as_soon_as_it_is_granted() {
        let granted = LINE.replace("patch", "watch").replace("500", "200");
        assert_eq!(Entry::parse(&granted).unwrap(), None);
        assert!(Entry::parse(&granted.replace("ResponseComplete", "ResponseStarted")).unwrap().is_some());
        assert!(Entry::parse(&LINE.replace("patch", "watch").replace("500", "403")).unwrap().is_some());
    }

    #[test]
    fn each_look_takes_in_what_was_written_since_the_last() {
        let path = std::env::temp_dir().join(format!("audit-{}.log", uuid::Uuid::new_v4()));
        let mut file = File::create(&path).unwrap();
        let mut audit = Audit::open(&path, "\"j\"").unwrap();
        let (head, tail) = LINE.split_at(40);
        write!(file, "{}\n{head}", LINE.replace("\"j\"", "\"other\"")).unwrap();
        assert_eq!(audit.entries().unwrap().len(), 0);
        writeln!(file, "{tail}").unwrap();
        assert_eq!(audit.entries().unwrap().len(), 1);
        std::fs::remove_file(&path).unwrap();
    }
}
