//! The broker: sessions and polls (protocol §4.1 to §4.6).

mod error;
mod poll;
mod session;

pub use error::{BrokerError, BrokerErrorKind};
pub use poll::{
    Architecture, Poll, PollQuery, RunnerStatus, acknowledge, decode_acknowledgement, decode_poll, poll,
};
pub use session::{Agent, Session, create_session, decode_session, decode_session_end, delete_session};

const ACCEPT: &str = "application/json";
const JSON: &str = "application/json; charset=utf-8";

#[cfg(test)]
mod tests;
