//! `recurve signals`: signals of danger, and those to do more of something.

use std::io::Write;

use outlook::{playbook::Case, signal::Finding, verdict::signals};

use super::{CommandError, Outcome, verdict::write_findings};
use crate::{
    judgement::{Asked, COLUMNS, Judged, row},
    listing::{self, Format, Sheet},
    session::{Options, Session},
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
    let found = of(&judged, &case, &arguments.only)?;
    if listing::format_of(options) == Format::Table {
        let mut out = listing::sink(options)?;
        write_findings(&mut out, &judged, &found.iter().collect::<Vec<_>>())?;
        out.flush()?;
        return Ok(Outcome::Done);
    }
    listing::write(options, |sheet| list(&judged, &found, sheet))
}

/// The signals of a month of the folder, a rule a row.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let judged = Judged::of_session(session, &arguments.asked)?;
    let case = judged.case();
    list(&judged, &of(&judged, &case, &arguments.only)?, sheet)
}

/// The findings of the rules that were asked for.
fn of<'c>(judged: &Judged, case: &'c Case<'c>, only: &[String]) -> Result<Vec<Finding<'c>>, CommandError> {
    judged.knows(only)?;
    let mut found = signals(case);
    found.retain(|finding| only.is_empty() || only.contains(&finding.rule.id));
    Ok(found)
}

fn list(judged: &Judged, found: &[Finding<'_>], sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    sheet.begin(COLUMNS.iter().copied())?;
    for finding in found {
        sheet.row(&row(judged, finding))?;
    }
    Ok(Outcome::Done)
}
