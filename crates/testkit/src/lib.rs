//! What component tests stand on.

pub mod api_server;
