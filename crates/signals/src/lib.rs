//! Every metric of every program, declared once: name, help, kind, labels and buckets, as users see them.
//!
//! The programs register what stands here and hold no name of their own; the reference page is written from it. Names,
//! labels and buckets are the contract with dashboards and alerts.

pub mod agc;
pub mod controller;
pub mod gmc;
pub mod process;
pub mod proxy;

/// One metric family.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Series {
    /// The whole name, as in a query.
    pub name: &'static str,
    /// What it says, in a sentence: the `HELP` line.
    pub help: &'static str,
    /// How its value moves.
    pub kind: Kind,
    /// What tells its time series apart, in the order in which the programs give the values.
    pub labels: &'static [Label],
    /// Upper bounds of a histogram, rising; none for the other kinds.
    pub buckets: &'static [f64],
}

/// How a value moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only rises, until the process ends.
    Counter,
    /// It is what it is now.
    Gauge,
    /// Observations are counted by size.
    Histogram,
}

/// One label of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// What its value says.
    pub meaning: &'static str,
    /// All values, where they are a closed set; empty where they are not.
    pub values: &'static [&'static str],
}

/// What one program serves on `/metrics`.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// The label `component` of its `actions_gateway_build_info`.
    pub name: &'static str,
    /// The tables that it registers.
    pub tables: &'static [Table],
}

/// Families of one origin.
pub type Table = &'static [&'static Series];

/// The programs that serve metrics. A worker serves none: what it has to say stands in its termination report.
pub const PROGRAMS: [Program; 3] = [
    Program { name: "agc", tables: &[agc::ALL, controller::ALL, process::ALL] },
    Program { name: "gmc", tables: &[gmc::ALL, controller::ALL, process::ALL] },
    Program { name: "proxy", tables: &[proxy::ALL, process::ALL] },
];

/// The namespace that a value is about.
const NAMESPACE: Label = Label::open("namespace", "The tenant's namespace.");

/// The group that a value is about.
const RUNNER_GROUP: Label = Label::open("runner_group", "The RunnerGroup's name.");

impl Series {
    const fn counter(name: &'static str, help: &'static str, labels: &'static [Label]) -> Self {
        Self { name, help, kind: Kind::Counter, labels, buckets: &[] }
    }

    const fn gauge(name: &'static str, help: &'static str, labels: &'static [Label]) -> Self {
        Self { name, help, kind: Kind::Gauge, labels, buckets: &[] }
    }

    const fn histogram(
        name: &'static str,
        help: &'static str,
        labels: &'static [Label],
        buckets: &'static [f64],
    ) -> Self {
        Self { name, help, kind: Kind::Histogram, labels, buckets }
    }

    /// The label of that name.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&'static Label> {
        self.labels.iter().find(|it| it.name == name)
    }
}

impl Kind {
    /// The word of the `TYPE` line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Label {
    const fn open(name: &'static str, meaning: &'static str) -> Self {
        Self { name, meaning, values: &[] }
    }

    const fn closed(name: &'static str, meaning: &'static str, values: &'static [&'static str]) -> Self {
        Self { name, meaning, values }
    }
}

impl Program {
    /// Every family that it serves.
    pub fn series(&self) -> impl Iterator<Item = &'static Series> + use<> {
        self.tables.iter().flat_map(|it| it.iter().copied())
    }
}

/// The program of that name.
#[must_use]
pub fn program(name: &str) -> Option<Program> {
    PROGRAMS.into_iter().find(|it| it.name == name)
}

/// The family that a query's `name` is of: a histogram is asked for by `_bucket`, `_sum` and `_count`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Series> {
    let of = |series: &Series| match series.kind {
        Kind::Counter | Kind::Gauge => name == series.name,
        Kind::Histogram => {
            let part = name.strip_prefix(series.name);
            part.is_some_and(|it| matches!(it, "" | "_bucket" | "_sum" | "_count"))
        }
    };
    PROGRAMS.iter().flat_map(Program::series).find(|it| of(it))
}

#[cfg(test)]
mod tests;
