//! What every process of the product has: log lines and traces, probes and metrics, TLS, clock and
//! chance, an orderly end.
//!
//! A `main` wires these together and nothing else does; libraries below it are handed a
//! [`prometheus::Registry`], a [`admin::Health`], a `CancellationToken`.
//!
//! ```no_run
//! # async fn wiring() -> Result<(), Box<dyn std::error::Error>> {
//! use runtime::{admin, metrics, shutdown::Shutdown, telemetry};
//! let guard = telemetry::init(telemetry::Config {
//!     component: "proxy",
//!     service_name: "actions-gateway-proxy",
//!     log: telemetry::LogOptions::default(),
//!     traces: telemetry::Traces::from_vars(|name| std::env::var(name).ok()),
//! })?;
//! let shutdown = Shutdown::install()?;
//! let registry = metrics::registry("proxy")?;
//! let health = admin::Health::new();
//! let router = admin::metrics_router(registry).merge(admin::health_router(health.clone(), admin::no_status()));
//! let listener = admin::bind(8081).await?;
//! shutdown.spawn_service("admin", admin::serve(listener, router, shutdown.aborted()));
//! shutdown.requested().cancelled().await;
//! health.drain();
//! shutdown.drain(std::time::Duration::from_secs(45)).await?;
//! guard.flush().await;
//! # Ok(()) }
//! ```

pub mod admin;
pub mod args;
pub mod clock;
pub mod metrics;
pub mod shutdown;
pub mod telemetry;
pub mod tls;
pub mod version;

pub use backoff;
