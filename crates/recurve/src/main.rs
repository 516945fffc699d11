//! Recurve: the truth about a SaaS business's money.
//!
//! This crate is the edge: it reads arguments, opens the data folder, and prints. What numbers mean lives in the
//! `revenue` crate and in `metrics/`; how facts are kept and figures computed lives in `warehouse`.

mod alerts;
mod api;
mod closes;
mod command;
mod judgement;
mod listing;
mod notes;
mod policies;
mod review;
mod series;
mod session;
mod shelf;
mod stripe;
mod targets;

use std::{io::Write, process::ExitCode};

use clap::Parser;

use command::{Command, CommandError, Outcome};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The truth about a SaaS business's money: billing facts in, MRR and everything about it out, each figure opened
/// down to the fact that made it.
#[derive(Debug, Parser)]
#[command(name = "recurve", version, about, max_term_width = 110, propagate_version = true)]
struct Arguments {
    #[command(flatten)]
    options: session::Options,
    #[command(subcommand)]
    command: Command,
}

/// For how long the allocator keeps memory that was given back before the system gets it.
///
/// A command is over soon, and a page that is given to the system and fetched again is cleared again, which costs more than
/// most of what is done with it. A server runs for months: what it does not need now belongs to others.
#[allow(unsafe_code)]
fn keep_freed_memory(command: &Command) {
    use std::ffi::{c_int, c_long};
    /// The place of `mi_option_purge_delay` in the list of mimalloc's options, the same in its second and third line.
    const PURGE_DELAY: c_int = 15;
    const NEVER: c_long = -1;
    const OF_A_SERVER_MILLISECONDS: c_long = 200;
    let delay = if matches!(command, Command::Serve(_)) { OF_A_SERVER_MILLISECONDS } else { NEVER };
    // The signature is that of `mimalloc.h`, which is linked because the allocator is. The function may be called from
    // any thread at any time, and does nothing but to store one number, so it is safe.
    unsafe extern "C" {
        safe fn mi_option_set(option: c_int, value: c_long);
    }
    mi_option_set(PURGE_DELAY, delay);
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    keep_freed_memory(&arguments.command);
    match command::run(&arguments.options, arguments.command) {
        Ok(outcome) => ExitCode::from(outcome.exit_code()),
        // Whoever reads our output has seen enough: that is no failure.
        Err(CommandError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::from(Outcome::Done.exit_code())
        }
        Err(error) => {
            let mut stderr = std::io::stderr().lock();
            // If even this cannot be written, the exit code has to say it.
            let _ = writeln!(stderr, "recurve: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
