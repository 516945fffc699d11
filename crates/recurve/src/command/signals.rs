//! `recurve signals`: signals of danger, and those to do more of something.

use std::io::Write;

use outlook::verdict::signals;

use super::{CommandError, Outcome, verdict::write_findings};
use crate::{
    judgement::{Asked, COLUMNS, Judged, row},
    listing::{self, Format, Listing},
    session::Options,
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// Only this rule; may be given several times
    #[arg(long, value_name = "RULE")]
    only: Vec<String>,
}

/// Lists the signals of the month.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let judged = Judged::open(options, &arguments.asked)?;
    let case = judged.case();
    judged.knows(&arguments.only)?;
    let mut found = signals(&case);
    found.retain(|finding| arguments.only.is_empty() || arguments.only.contains(&finding.rule.id));
    if listing::format_of(options) == Format::Table {
        let mut out = listing::sink(options)?;
        write_findings(&mut out, &judged, &found.iter().collect::<Vec<_>>())?;
        out.flush()?;
        return Ok(Outcome::Done);
    }
    let mut listing = Listing::begin(options, COLUMNS)?;
    for finding in &found {
        listing.row(&row(&judged, finding))?;
    }
    listing.end()?;
    Ok(Outcome::Done)
}
