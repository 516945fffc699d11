//! `recurve webhooks`: what came from Stripe and what became of it, and the secrets that it is checked with.

use std::io::Write;

use jiff::Timestamp;

use super::{CommandError, Outcome};
use crate::{
    listing::{Cell, Listing},
    session::Options,
    stripe::{
        secrets::{self, ending},
        store::{Kept, Store},
    },
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Add a signing secret (whsec_...), which is read from the standard input; the one before goes on until it is removed
    #[arg(long, group = "what")]
    add_secret: bool,
    /// Remove the signing secret with this ending
    #[arg(long, group = "what", value_name = "ENDING")]
    remove_secret: Option<String>,
    /// List events of which nothing can be made, with the reasons
    #[arg(long, group = "what")]
    quarantined: bool,
    /// List events that came again and said something else; the first one counts
    #[arg(long, group = "what")]
    conflicts: bool,
    /// List events that never came by themselves and were fetched by a sync, with the time at which that closed the gap
    #[arg(long, group = "what")]
    missed: bool,
    /// Read events again of which nothing could be made
    #[arg(long, group = "what")]
    replay: bool,
    /// Only the event with this id
    #[arg(long, value_name = "ID", requires = "replay")]
    event: Option<String>,
}

/// Shows, or does, what was asked for.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let data = &options.data;
    if !data.is_dir() {
        let words = format!("there is no data folder {}; make one with `recurve init`", data.display());
        return Err(CommandError::Missing(words));
    }
    let mut out = std::io::stdout().lock();
    if arguments.add_secret {
        let mut secret = String::new();
        std::io::stdin().read_line(&mut secret)?;
        secrets::add(data, &secret)?;
        writeln!(out, "webhooks signed with the secret {} are taken from now on", ending(secret.trim()))?;
        return Ok(Outcome::Done);
    }
    if let Some(which) = &arguments.remove_secret {
        secrets::remove(data, which)?;
        writeln!(out, "webhooks signed with it alone are refused from now on")?;
        return Ok(Outcome::Done);
    }
    let mut store = Store::open(data)?;
    if arguments.replay {
        let (waiting, staying) = store.replay(arguments.event.as_deref())?;
        writeln!(
            out,
            "{waiting} events become facts with the server that runs, or the next one; {staying} still cannot be read"
        )?;
        return Ok(if staying > 0 { Outcome::Refused } else { Outcome::Done });
    }
    drop(out);
    if arguments.quarantined {
        let mut listing = Listing::begin(options, ["event", "type", "created", "arrived", "reason"])?;
        for event in store.quarantined()? {
            listing.row(&[
                Cell::text(event.id.as_str()),
                Cell::text(event.kind.as_str()),
                created(&event),
                Cell::text(instant(event.arrived_at)),
                event.reason.map_or(Cell::Empty, Cell::text),
            ])?;
        }
        listing.end()?;
        return Ok(Outcome::Done);
    }
    if arguments.missed {
        let mut listing = Listing::begin(options, ["event", "type", "created", "closed"])?;
        for event in store.missed()? {
            listing.row(&[
                Cell::text(event.id.as_str()),
                Cell::text(event.kind.as_str()),
                created(&event),
                Cell::text(instant(event.arrived_at)),
            ])?;
        }
        listing.end()?;
        return Ok(Outcome::Done);
    }
    if arguments.conflicts {
        let mut listing = Listing::begin(options, ["event", "arrived", "body"])?;
        for (event, arrived_at, body) in store.conflicts()? {
            let body = String::from_utf8_lossy(&body).into_owned();
            listing.row(&[Cell::text(event), Cell::text(instant(arrived_at)), Cell::text(body)])?;
        }
        listing.end()?;
        return Ok(Outcome::Done);
    }
    let counts = store.counts()?;
    let mut listing = Listing::begin(options, ["what", "value"])?;
    let mut row = |what: &str, value: Cell| listing.row(&[Cell::text(what), value]);
    row("events", Cell::Whole(counts.events))?;
    row("waiting to become facts", Cell::Whole(counts.waiting))?;
    row("quarantined", Cell::Whole(counts.quarantined))?;
    row("came again and said something else", Cell::Whole(counts.conflicts))?;
    row("never came and were fetched", Cell::Whole(i64::try_from(store.missed()?.len()).unwrap_or(i64::MAX)))?;
    row("last arrival", counts.last_arrived_at.map_or(Cell::Empty, |at| Cell::text(instant(at))))?;
    for secret in secrets::read(data)? {
        row("signing secret", Cell::text(ending(&secret)))?;
    }
    listing.end()?;
    Ok(Outcome::Done)
}

fn instant(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map(|at| at.to_string()).unwrap_or_default()
}

/// When Stripe made an event, where it said so.
fn created(event: &Kept) -> Cell {
    if event.created == 0 { Cell::Empty } else { Cell::text(instant(event.created.saturating_mul(1_000_000))) }
}
