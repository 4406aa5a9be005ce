//! The egress proxy: HTTP CONNECT over TLS, and a tenant's only way out.
//!
//! A connection goes through [`runtime::tls::Server`] (accept, handshake), [`server`] (limits, drain), [`connect`] (what
//! is asked for), [`policy`] (may it go there), [`dial`] (the address that was judged is the address that is dialled) and
//! [`tunnel`] (bytes both ways, within bounds).

pub mod config;
pub mod connect;
pub mod dial;
pub mod metrics;
pub mod policy;
pub mod server;
pub mod tunnel;
