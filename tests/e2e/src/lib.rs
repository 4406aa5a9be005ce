//! The machinery of the suite that runs on a real cluster; the tests themselves are in `suite/`.
//!
//! A test is an async function that gets a fresh [`Namespace`] and declares what it needs. One that the cluster
//! cannot run is reported as ignored by its name, never as passed. All waiting has a limit ([`wait`]). When a test
//! fails, its message carries what a person would look at first: pods, Events, our objects and the ends of all logs.

pub mod artifacts;
pub mod audit;
pub mod canaries;
pub mod environment;
pub mod forward;
pub mod github;
pub mod grants;
pub mod logs;
pub mod namespace;
pub mod node_agent;
pub mod report;
pub mod schema;
pub mod suite;
pub mod tenant;
pub mod tools;
pub mod wait;
pub mod world;
pub mod write_blocker;

pub use environment::Need;
pub use namespace::Namespace;
pub use suite::Test;
pub use tenant::Tenant;
pub use world::World;
