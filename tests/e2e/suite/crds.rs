//! The CRDs on a real API server: each rule and bound admits one object and rejects another.

pub mod bounds;
mod cases;
mod objects;
pub mod reading;
pub mod rules;
