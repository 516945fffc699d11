//! `recurve bench`: the same work that DuckDB and Polars are given, for the comparison in `bench/`; and how soon a change
//! is in the books.

use std::{io::Write, path::PathBuf, time::Instant};

use warehouse::{
    bench::{self, Task, live},
    lake::Access,
};

use super::{CommandError, Outcome};
use crate::session::{Options, Session};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The work: ledger, or live (a change of one customer in a copy of the data folder)
    work: String,
    /// Parquet files of subscription periods; a last `*` stands for anything
    #[arg(long, value_name = "GLOB", required_if_eq("work", "ledger"))]
    periods: Option<String>,
    /// A Parquet file of customers with their countries
    #[arg(long, value_name = "FILE", required_if_eq("work", "ledger"))]
    customers: Option<PathBuf>,
    /// The ledger, written by the task `ledger` and read by the others; for `live` the folder of the copy, which must not
    /// be there
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What is timed: ledger, series, cohorts or questions
    #[arg(long, required_if_eq("work", "ledger"),
        value_parser = |name: &str| Task::parse(name).ok_or("it is one of ledger, series, cohorts, questions"))]
    task: Option<Task>,
    /// How many times a customer is changed
    #[arg(long, value_name = "N", default_value_t = 21)]
    rounds: usize,
}

/// Does the work and prints what it cost as one line of JSON.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let begun = Instant::now();
    let line = match (arguments.work.as_str(), &arguments.periods, &arguments.customers, arguments.task) {
        ("ledger", Some(periods), Some(customers), Some(task)) => {
            let done = bench::run(task, periods, customers, &arguments.out)?;
            serde_json::json!({
                "rows": done.rows,
                "digest": done.digest,
                "cpu_seconds": bench::cpu_seconds(),
                "wall_seconds": begun.elapsed().as_secs_f64(),
                "peak_memory_bytes": bench::peak_memory_bytes(),
                "version": env!("CARGO_PKG_VERSION"),
                "milliseconds": done.milliseconds,
            })
        }
        ("live", ..) => {
            if arguments.out.exists() {
                return Err(CommandError::Usage(format!(
                    "{} is there already; name a folder that is not, to be written to and kept",
                    arguments.out.display()
                )));
            }
            let view = Session::open(options, Access::Read)?.view(None)?;
            let failed = |error: live::LiveError| CommandError::Output(std::io::Error::other(error));
            live::copy(&options.data, &arguments.out).map_err(failed)?;
            let measured = live::run(&arguments.out, &view, arguments.rounds).map_err(failed)?;
            serde_json::json!({
                "customers": measured.customers,
                "facts": measured.facts,
                "milliseconds": {
                    "import": measured.import_milliseconds,
                    "lay": measured.lay_milliseconds,
                    "advance": measured.advance_milliseconds,
                    "changes": measured.changes_milliseconds,
                    "open": measured.open_milliseconds,
                },
                "peak_memory_bytes": bench::peak_memory_bytes(),
                "version": env!("CARGO_PKG_VERSION"),
            })
        }
        (other, ..) => {
            return Err(CommandError::Usage(format!("there is no work `{other}`; there are `ledger` and `live`")));
        }
    };
    writeln!(std::io::stdout(), "{line}")?;
    Ok(Outcome::Done)
}
