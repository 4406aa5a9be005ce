//! Keeps the documents true, as far as a program can tell: words that exist, words that are missing, links that lead
//! somewhere. (Failure reasons are held by the same kind of test in `crates/job`.)

mod links;
mod markdown;
mod words;
