//! Keeps the documents true, as far as a program can tell: pages that are written from tables, words that exist, words that
//! are missing, links that lead somewhere. (Failure reasons are held by the same kind of test in `crates/job`.)

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test, a panic is the report")]

mod links;
mod markdown;
mod reference;
mod words;
