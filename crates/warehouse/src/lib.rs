//! The weight: facts on disk, readers of files, the catalogue of metrics and the engine.
//!
//! ```text
//! file ─▶ source (records, values, issues) ─▶ import ─▶ lake (facts for ever: SQLite catalogue + Parquet)
//!                    kind (what facts look like)                     │
//! metrics/*.toml ─▶ catalogue (what numbers mean) ─▶ engine ◀─ books (facts as known, under a policy: the ledger)
//! ```
//!
//! Everything that needs Arrow, Parquet or SQLite lives here. What a movement is, or what a month's money is worth, does
//! not: that is the `revenue` crate, which the books call.

pub mod bench;
pub mod books;
pub mod catalogue;
pub mod cores;
pub mod engine;
pub mod import;
pub mod kind;
pub mod lake;
pub mod lead_rules;
pub mod lever_settings;
pub mod observed;
pub mod playbook;
pub mod source;
