//! The API's promises, each kept and each broken against a real API server.

pub mod bounds;
mod cases;
mod objects;
pub mod reading;
pub mod rules;
