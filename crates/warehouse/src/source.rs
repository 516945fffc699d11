//! Reading what a source gives us: bytes → records → values → rows of facts, in bounded memory.
//!
//! ```text
//! stream   opens a file: gzip, encodings; gives UTF-8 bytes          limits.rs  how large anything may be
//! delimited, lines, columnar   CSV, JSON lines, Parquet → Block      issue.rs   everything that may be refused
//! habit    how this file writes numbers and dates                    mapping.rs header → column of the kind
//! value    one text → one value                                      rows.rs    Block → Arrow batch + refused rows
//! preset   exports of well-known systems, as data                    reshape.rs records as a preset wants them
//! ```
//!
//! A row that cannot be read is refused with the reason and its raw text, and reading goes on at the next one.
//! Nothing is guessed for a single row: how a file writes numbers and dates is settled once for the whole file.

pub mod block;
pub mod columnar;
pub mod delimited;
pub mod habit;
pub mod issue;
pub mod limits;
pub mod lines;
pub mod mapping;
pub mod preset;
pub mod reader;
pub mod reshape;
pub mod rows;
pub mod statement;
pub mod stream;
pub mod value;

#[cfg(test)]
mod tests;
