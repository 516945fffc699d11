//! `recurve verdict`: how the business does, by the rules of the playbook, on what evidence and since when.

use std::io::Write;

use outlook::{
    playbook::{Case, Kind},
    signal::{Finding, State},
    verdict::{Verdict, judge},
    wording::{Value, Words, say_with},
};

use super::{CommandError, Outcome};
use crate::{
    judgement::{Asked, COLUMNS, Judged, row},
    listing::{self, Cell, Format, Sheet},
    session::{Options, Session},
};

#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// Only this rule; may be given several times
    #[arg(long, value_name = "RULE")]
    only: Vec<String>,
}

/// The first line for people.
pub const HEADING: Words = Words::fixed(
    "{month}: {stage}; the verdict is: {outcome}",
    "{month}：{stage}；结论：{outcome}",
    "{month} : {stage} ; verdict : {outcome}",
);
/// What stands for the stage where it is not known.
const NO_STAGE: Words = Words::fixed("where it goes is not known", "走势未知", "tendance inconnue");
/// Above what does not hold.
const QUIET: Words = Words::fixed("Does not hold", "不成立", "Ne s’applique pas");
/// Above what nobody knows.
const UNKNOWN: Words = Words::fixed("Not known", "未知", "Inconnu");

/// Judges the month.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let judged = Judged::open(options, &arguments.asked)?;
    let case = judged.case();
    let verdict = judged_by(&judged, &case, &arguments.only)?;
    if listing::format_of(options) == Format::Table {
        let mut out = listing::sink(options)?;
        writeln!(out, "{}", heading(&judged, &verdict))?;
        let rules: Vec<&Finding<'_>> =
            verdict.findings.iter().filter(|finding| !finding.rule.kind.is_stage()).collect();
        write_findings(&mut out, &judged, &rules)?;
        out.flush()?;
        return Ok(Outcome::Done);
    }
    listing::write(options, |sheet| list(&judged, &verdict, arguments, sheet))
}

/// The verdict on a month of the folder, a rule a row.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let judged = Judged::of_session(session, &arguments.asked)?;
    let case = judged.case();
    let verdict = judged_by(&judged, &case, &arguments.only)?;
    list(&judged, &verdict, arguments, sheet)
}

/// The verdict, with the findings of the rules that were asked for.
fn judged_by<'c>(judged: &Judged, case: &'c Case<'c>, only: &[String]) -> Result<Verdict<'c>, CommandError> {
    judged.knows(only)?;
    let mut verdict = judge(case);
    verdict.findings.retain(|finding| only.is_empty() || only.contains(&finding.rule.id));
    Ok(verdict)
}

fn list(
    judged: &Judged,
    verdict: &Verdict<'_>,
    arguments: &Arguments,
    sheet: &mut dyn Sheet,
) -> Result<Outcome, CommandError> {
    sheet.begin(COLUMNS.iter().copied())?;
    let stage = verdict.stage.map_or("not_known", Kind::name);
    let summary = [("outcome", verdict.outcome.name()), ("stage", stage)];
    for (rule, state) in summary.into_iter().filter(|_| arguments.only.is_empty()) {
        let mut cells = vec![Cell::Empty; COLUMNS.len()];
        for (cell, text) in cells.iter_mut().zip(["verdict", rule, state]) {
            *cell = Cell::text(text);
        }
        if rule == "outcome"
            && let Some(says) = cells.get_mut(4)
        {
            *says = Cell::text(heading(judged, verdict));
        }
        sheet.row(&cells)?;
    }
    for finding in &verdict.findings {
        sheet.row(&row(judged, finding))?;
    }
    Ok(Outcome::Done)
}

/// The month, where the business goes, and the verdict.
pub fn heading(judged: &Judged, verdict: &Verdict<'_>) -> String {
    let stage = verdict.stage.map_or(NO_STAGE, Kind::words);
    let values = [
        ("month", Value::month(judged.month)),
        ("stage", Value::Words(stage)),
        ("outcome", Value::Words(verdict.outcome.words())),
    ];
    say_with(&HEADING, judged.language, &values)
}

/// Writes findings for people: what fired with its evidence and past, then in a line each what did not or is not known.
pub fn write_findings(out: &mut dyn Write, judged: &Judged, findings: &[&Finding<'_>]) -> Result<(), CommandError> {
    let language = judged.language;
    let mut kinds: Vec<Kind> = Vec::new();
    for finding in findings {
        if !kinds.contains(&finding.rule.kind) {
            kinds.push(finding.rule.kind);
        }
    }
    kinds.sort_unstable();
    for kind in kinds {
        let fired: Vec<_> = findings.iter().filter(|finding| finding.rule.kind == kind && finding.fired()).collect();
        if fired.is_empty() {
            continue;
        }
        writeln!(out, "\n{}", kind.words().say(language))?;
        for finding in fired {
            writeln!(out, "  * {}", finding.rule.title.say(language))?;
            writeln!(out, "    {}", judged.says(finding))?;
            writeln!(out, "    {}", judged.past(finding))?;
        }
    }
    for (words, wanted) in [(QUIET, false), (UNKNOWN, true)] {
        let rest: Vec<_> = findings
            .iter()
            .filter(|finding| !finding.fired() && matches!(finding.state, State::NotKnown(_)) == wanted)
            .collect();
        if rest.is_empty() {
            continue;
        }
        writeln!(out, "\n{}", words.say(language))?;
        for finding in rest {
            let title = finding.rule.title.say(language);
            match judged.says(finding) {
                says if says.is_empty() => {
                    writeln!(out, "  - {} ({})", title, finding.rule.kind.words().say(language))?;
                }
                says => writeln!(out, "  - {title}. {says}")?,
            }
        }
    }
    Ok(())
}
