//! `recurve close`: keeps what was reported of a month, and shows it beside what the month would be now.

use warehouse::lake::Access;

use super::{CommandError, Outcome};
use crate::{
    api::people::People,
    closes::{self, Answered, Close},
    listing::{self, Cell, Sheet},
    notes::QUESTIONS,
    session::{Options, Session, clock},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The month to close, such as 2024-02
    #[arg(value_name = "MONTH", required_unless_present = "list")]
    month: Option<String>,
    /// Who closes it
    #[arg(long, value_name = "NAME", default_value = "command line")]
    by: String,
    /// List the months that are closed, with how many figures are others now
    #[arg(long, conflicts_with_all = ["month", "show", "reopen"])]
    list: bool,
    /// Show what was reported beside what it is now, and close nothing
    #[arg(long, conflicts_with = "reopen")]
    show: bool,
    /// Open it again: what was reported is no longer kept, and the audit log says who did that
    #[arg(long)]
    reopen: bool,
}

/// Closes, reopens, shows or lists.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let Some(text) = arguments.month.as_deref() else {
        let session = Session::open(options, Access::Read)?;
        return listing::write(options, |sheet| list(&session, &Every {}, sheet));
    };
    if !arguments.show {
        let session = Session::open(options, Access::Write)?;
        let month = closes::month(&session, text)?;
        let (action, object) = match arguments.reopen {
            true => ("reopened a month", closes::reopen(&session, month)?),
            false => {
                closes::close(&session, month, &arguments.by)?;
                ("closed a month", closes::name_of(month))
            }
        };
        let people = People::open(&options.data).map_err(std::io::Error::other)?;
        people.note(&arguments.by, action, &object, clock()).map_err(std::io::Error::other)?;
    }
    let session = Session::open(options, Access::Read)?;
    listing::write(options, |sheet| figures(&session, &OfMonth { month: text.to_owned() }, sheet))
}

/// Nothing can be asked of the list of closes.
#[derive(Debug, Clone, clap::Args)]
pub struct Every {}

/// Which month.
#[derive(Debug, Clone, clap::Args)]
pub struct OfMonth {
    /// The month, such as 2024-02
    #[arg(long, value_name = "M")]
    month: String,
}

/// The closed months, the latest first.
pub fn list(session: &Session, _: &Every, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let closes = closes::all(session)?;
    let months: Vec<_> = closes.iter().map(|(month, close)| (*month, Some(close))).collect();
    sheet.begin(["month", "by", "at", "as_known_at", "data_version", "policy", "currency", "mrr", "restated"])?;
    for ((month, close), compared) in closes.iter().zip(closes::compared(session, &months)?) {
        let Close { by, at, as_known_at, data_version, policy, currency, figures, notes: _ } = close;
        let mrr = figures.iter().find(|figure| figure.metric == "mrr").and_then(|figure| figure.value.clone());
        let restated = compared.iter().filter(|figure| figure.is_restated()).count();
        sheet.row(&[
            Cell::text(closes::name_of(*month)),
            Cell::text(by),
            Cell::text(at),
            Cell::text(as_known_at),
            Cell::text(data_version),
            Cell::text(policy),
            Cell::text(currency),
            mrr.map_or(Cell::Empty, Cell::Number),
            Cell::Whole(i64::try_from(restated).unwrap_or(i64::MAX)),
        ])?;
    }
    Ok(Outcome::Done)
}

/// What was reported of a month beside what it is now.
pub fn figures(session: &Session, asked: &OfMonth, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let month = closes::month(session, &asked.month)?;
    let close = closes::of(session, month)?;
    sheet.begin(["metric", "reported", "now", "difference", "unit"])?;
    let number = |value: Option<String>, unit: &str| match value {
        None => Cell::Empty,
        Some(text) if unit == "date" => Cell::text(text),
        Some(text) => Cell::Number(text),
    };
    for figure in closes::compared(session, &[(month, close.as_ref())])?.into_iter().flatten() {
        sheet.row(&[
            Cell::text(&figure.metric),
            number(figure.reported, &figure.unit),
            number(figure.now, &figure.unit),
            number(figure.difference, &figure.unit),
            Cell::text(&figure.unit),
        ])?;
    }
    Ok(Outcome::Done)
}

/// What was written to the questions of a month, beside what its close kept: question by question, where there is anything.
pub fn notes(session: &Session, asked: &OfMonth, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let month = closes::month(session, &asked.month)?;
    let written = closes::answered(session, month)?;
    let close = closes::of(session, month)?;
    let kept = close.as_ref().map_or(&[][..], |close| close.notes.as_slice());
    sheet.begin(["question", "words", "author", "reported", "reported_by", "closed_at"])?;
    let of = |notes: &[Answered], question: &str| notes.iter().find(|note| note.question == question).cloned();
    for question in QUESTIONS {
        let (now, then) = (of(&written, question), of(kept, question));
        if now.is_none() && then.is_none() {
            continue;
        }
        let cells = |note: Option<Answered>| note.map_or([Cell::Empty, Cell::Empty], said);
        let ([words, author], [reported, reported_by]) = (cells(now), cells(then));
        let closed_at = close.as_ref().map_or(Cell::Empty, |close| Cell::text(&close.at));
        sheet.row(&[Cell::text(*question), words, author, reported, reported_by, closed_at])?;
    }
    Ok(Outcome::Done)
}

fn said(note: Answered) -> [Cell; 2] {
    [Cell::text(note.words), Cell::text(note.author)]
}
