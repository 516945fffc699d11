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
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What the allocator reads when it begins: memory that was given back is the system's again after a second, also while
/// nobody asks for any, and there is one pool for each processor. By default there are four, and after half an hour of
/// events each holds as much that lies free between what is used.
// The symbol is the one that `jemalloc.h` declares, a pointer to text that ends with a zero, and nothing else defines it;
// a reference to an array is such a pointer.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
#[unsafe(export_name = "malloc_conf")]
static ALLOCATOR_SETTINGS: &[u8; 63] = b"percpu_arena:percpu,background_thread:true,dirty_decay_ms:1000\0";

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

fn main() -> ExitCode {
    let arguments = Arguments::parse();
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
