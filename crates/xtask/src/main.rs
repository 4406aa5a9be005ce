//! What `make` does when it takes more than a line: building, testing, the demo.

mod bench;
mod cluster;
mod conformance;
mod demo;
mod images;
mod machine;
mod progress;
mod run;
mod suite;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::cluster::{Cluster, NodeVerb};

/// Builds, tests and shows Actions Gateway. Run it through `make`.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Formatting, lints and every test that needs no cluster.
    Check,
    /// Everything that `check` does, and the suite on a real cluster.
    Test,
    /// The suite on a real cluster alone.
    E2e {
        /// Arguments for the test program, as in `-- --nocapture NAME`.
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Rewrites generated files.
    Generate,
    /// Builds the container images as OCI archives.
    Images,
    /// Measures the shipped controller, with a stub and with a real API server.
    Bench {
        /// Without the real API server.
        #[arg(long)]
        stub_only: bool,
        /// Arguments for the measuring program, as in `-- --sessions 100`.
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Shows the product on a cluster of its own.
    Demo,
    /// Removes the demo's cluster.
    DemoDown,
    /// Starts a cluster to work with.
    ClusterUp {
        /// The cluster's name.
        name: String,
        /// How many nodes.
        #[arg(long, default_value_t = 1)]
        nodes: u32,
    },
    /// Puts image archives on every node of a cluster.
    ClusterLoad {
        /// The cluster's name.
        name: String,
        /// The archives.
        #[arg(required = true)]
        archives: Vec<PathBuf>,
    },
    /// Cuts a node off, or its power, and undoes that.
    ClusterNode {
        /// The cluster's name.
        name: String,
        /// What to do.
        verb: NodeVerb,
        /// The node's name.
        node: String,
    },
    /// Copies the logs of a cluster's components.
    ClusterLogs {
        /// The cluster's name.
        name: String,
        /// Where to.
        folder: PathBuf,
    },
    /// Runs Kubernetes' own specs on a cluster of its own.
    ClusterConformance,
    /// Opens a shell in a cluster.
    ClusterShell {
        /// The cluster's name.
        name: String,
    },
    /// Removes a cluster.
    ClusterDown {
        /// The cluster's name.
        name: String,
    },
}

fn main() -> Result<()> {
    std::env::set_current_dir(run::root()?)?;
    match Args::parse().verb {
        Verb::Check => suite::check(),
        Verb::Test => suite::test(),
        Verb::E2e { args } => suite::e2e(&args),
        Verb::Generate => suite::generate(),
        Verb::Images => images::build().map(|it| it.print()),
        Verb::Bench { stub_only, args } => bench::measure(stub_only, &args),
        Verb::Demo => demo::up(),
        Verb::DemoDown => demo::down(),
        Verb::ClusterUp { name, nodes } => Cluster::open(&name)?.up(nodes),
        Verb::ClusterLoad { name, archives } => Cluster::open(&name)?.load(&archives),
        Verb::ClusterNode { name, verb, node } => Cluster::open(&name)?.node(verb, &node),
        Verb::ClusterLogs { name, folder } => Cluster::open(&name)?.logs(&folder),
        Verb::ClusterConformance => conformance::run(),
        Verb::ClusterShell { name } => Cluster::open(&name)?.shell(),
        Verb::ClusterDown { name } => Cluster::open(&name)?.down(),
    }
}
