//! Logs as the official runner pages them for the results service: blocks of 2 MiB, each a file until it is uploaded.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// Whose log it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOf {
    /// The log of the whole job.
    Job,
    /// The log of one step.
    Step(String),
}

impl LogOf {
    /// The step's id.
    pub fn step(&self) -> Option<&str> {
        match self {
            LogOf::Job => None,
            LogOf::Step(id) => Some(id),
        }
    }
}

/// A block that is whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// Whose.
    pub of: LogOf,
    /// Its content.
    pub file: PathBuf,
    /// It is the first of its log.
    pub first: bool,
    /// It is the last.
    pub last: bool,
    /// Lines of the log so far.
    pub lines: u64,
}

/// A block is whole when its lines, without their ends, have so many bytes.
const BLOCK: usize = 2 << 20;

/// The official runner's writer begins each file so.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// One log that is being written.
pub struct Log {
    of: LogOf,
    folder: PathBuf,
    text: String,
    counted: usize,
    blocks: u64,
    lines: u64,
}

impl Log {
    /// An empty one, whose blocks go to this folder.
    pub fn new(of: LogOf, folder: &Path) -> Log {
        Log { of, folder: folder.to_owned(), text: String::new(), counted: 0, blocks: 0, lines: 0 }
    }

    /// How many lines it has.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Adds a line, or several. Gives a block that is whole now.
    pub fn write(&mut self, text: &str) -> io::Result<Option<Block>> {
        if self.text.is_empty() {
            self.text.push_str(BYTE_ORDER_MARK);
        }
        let before = self.text.len();
        self.text.push_str(&format!("{:.7} {text}", Timestamp::now()));
        self.counted += self.text.len() - before;
        self.text.push('\n');
        self.lines += 1 + text.matches('\n').count() as u64;
        if self.counted < BLOCK { Ok(None) } else { self.block(false).map(Some) }
    }

    /// Nothing more comes. Gives the last block, if the log was ever written to.
    pub fn end(mut self) -> io::Result<Option<Block>> {
        // A log that ends with a whole block has an empty one behind it, which seals it.
        if self.lines == 0 { Ok(None) } else { self.block(true).map(Some) }
    }

    fn block(&mut self, last: bool) -> io::Result<Block> {
        self.blocks += 1;
        // An id is the last part of a path and nothing that climbs.
        let owner = self.of.step().unwrap_or("job").replace(['/', '.'], "_");
        let file = self.folder.join(format!("{owner}.{}", self.blocks));
        if self.text.is_empty() {
            self.text.push_str(BYTE_ORDER_MARK);
        }
        fs::write(&file, &self.text)?;
        self.text.clear();
        self.counted = 0;
        Ok(Block { of: self.of.clone(), file, first: self.blocks == 1, last, lines: self.lines })
    }
}

#[cfg(test)]
mod tests;
