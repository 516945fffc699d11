//! `recurve bench`: the same work that DuckDB and Polars are given, for the comparison in `bench/`.

use std::{io::Write, path::PathBuf, time::Instant};

use warehouse::bench::{self, Task};

use super::{CommandError, Outcome};
use crate::session::Options;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The work: ledger
    work: String,
    /// Parquet files of subscription periods; a last `*` stands for anything
    #[arg(long, value_name = "GLOB")]
    periods: String,
    /// A Parquet file of customers with their countries
    #[arg(long, value_name = "FILE")]
    customers: PathBuf,
    /// The ledger, written by the task `ledger` and read by the others
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What is timed: ledger, series, cohorts or questions
    #[arg(long, value_parser = |name: &str| Task::parse(name).ok_or("it is one of ledger, series, cohorts, questions"))]
    task: Task,
}

/// Does the work and prints what it cost as one line of JSON.
pub fn run(_options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    if arguments.work != "ledger" {
        return Err(CommandError::Usage(format!("there is no work `{}`; there is `ledger`", arguments.work)));
    }
    let begun = Instant::now();
    let done = bench::run(arguments.task, &arguments.periods, &arguments.customers, &arguments.out)?;
    let line = serde_json::json!({
        "rows": done.rows,
        "digest": done.digest,
        "cpu_seconds": bench::cpu_seconds(),
        "wall_seconds": begun.elapsed().as_secs_f64(),
        "peak_memory_bytes": bench::peak_memory_bytes(),
        "version": env!("CARGO_PKG_VERSION"),
        "milliseconds": done.milliseconds,
    });
    writeln!(std::io::stdout(), "{line}")?;
    Ok(Outcome::Done)
}
