//! `recurve funnel`: how many people took each of some steps.

use revenue::calendar::Grain;
use warehouse::{
    engine::{
        decimal, fraction,
        funnel::{self, Funnel, STAGES, Step},
    },
    lake::Access,
};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Sheet},
    session::{self, Options, Range, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The steps in order: visit, visit:PAGE, signup, activated, trial, lead, mql, pql, sql, customer, or the name of a
    /// product event (event:NAME where it is named as one of these); * stands for any text in a page or name
    #[arg(value_name = "STEP", required = true)]
    steps: Vec<String>,
    /// How long after the first step the others count: 14d, 12h or 30m
    #[arg(long, value_name = "TIME", default_value = "14d", value_parser = window)]
    window: i64,
    /// When the first step was taken; the last twelve full months unless set
    #[command(flatten)]
    range: Range,
    /// Split by dimensions: channel, country or any attribute of customers
    #[arg(long, value_delimiter = ',', value_name = "DIM,...")]
    by: Vec<String>,
    /// Look only at this; several values of one dimension are alternatives
    #[arg(long = "where", value_name = "DIM=VALUE")]
    filters: Vec<String>,
}

/// Microseconds of a window.
fn window(text: &str) -> Result<i64, String> {
    let wrong = || "it is a whole number from 1 with d, h or m, such as 14d, 12h or 30m".to_owned();
    let (number, minutes) = match text.strip_suffix('h') {
        Some(hours) => (hours, 60),
        None => match text.strip_suffix('m') {
            Some(minutes) => (minutes, 1),
            None => (text.strip_suffix('d').unwrap_or(text), 24 * 60),
        },
    };
    let number: i64 = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
    number.checked_mul(minutes * 60_000_000).ok_or_else(wrong)
}

/// Lists each step with how many reached it, of the first and of the step before.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    listing::write(options, |sheet| answer(&session, arguments, sheet))
}

/// The steps with how many reached each.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    if arguments.steps.len() > outlook::funnel::STEPS {
        return Err(CommandError::Usage(format!("a funnel has {} steps at the most", outlook::funnel::STEPS)));
    }
    let books = session.books()?;
    let (from, to) = session.range(&arguments.range, Grain::Month)?;
    let asked = Funnel {
        steps: arguments.steps.iter().map(|step| Step::parse(step)).collect(),
        window_micros: arguments.window,
        from,
        to,
        by: arguments.by.clone(),
        filters: session::filters(&arguments.filters)?,
    };
    let answer = funnel::count(&books, &session.assumptions()?, &asked)?;
    let known = |names: &[String]| {
        const SHOWN: usize = 12;
        let more = if names.len() > SHOWN { ", ..." } else { "" };
        let first = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        format!("the facts name {first}{more}")
    };
    // A bare word that nothing is named by is misspelt more likely than not; `event:NAME` says that it is meant so.
    let bare = |place: &usize| asked.steps.get(*place).filter(|step| !step.name.contains(':'));
    if let Some((step, names)) = answer.never.iter().find_map(|(place, names)| Some((bare(place)?, names))) {
        return Err(CommandError::Usage(format!(
            "nothing is named `{}`: it is no stage ({}), and {}",
            step.name,
            STAGES.join(", "),
            known(names),
        )));
    }
    let tail = ["step", "name", "reached", "of_first", "of_previous", "note"].map(str::to_owned);
    sheet.begin(arguments.by.iter().cloned().chain(tail))?;
    let count = |number: u64| Cell::Whole(i64::try_from(number).unwrap_or(i64::MAX));
    let share = |part: u64, of: u64| match of {
        0 => Cell::Empty,
        of => Cell::Number(decimal(&fraction(i128::from(part), i128::from(of)), 12, 12)),
    };
    for (place, step) in asked.steps.iter().enumerate().filter(|_| !answer.lacking.is_empty()) {
        let note = answer.lacking.get(&place).map_or(String::new(), |need| format!("no data: needs {need}"));
        let mut row = vec![Cell::Empty; arguments.by.len()];
        row.extend([Cell::Whole(place as i64 + 1), Cell::text(step.name.as_str())]);
        row.extend([Cell::Empty, Cell::Empty, Cell::Empty, Cell::text(note)]);
        sheet.row(&row)?;
    }
    for (label, reached) in &answer.reached {
        for (place, step) in asked.steps.iter().enumerate() {
            let of_step = |place: usize| reached.get(place).copied().unwrap_or_default();
            let before = of_step(place.saturating_sub(1));
            let note = match answer.never.get(&place) {
                Some(names) => format!("nothing is named so: {}", known(names)),
                None if before == 0 && place > 0 => "undefined: nobody reached the step before".to_owned(),
                None => String::new(),
            };
            let mut row: Vec<Cell> = label.iter().map(|value| Cell::text(value.as_str())).collect();
            row.extend([Cell::Whole(place as i64 + 1), Cell::text(step.name.as_str()), count(of_step(place))]);
            row.extend([share(of_step(place), of_step(0)), share(of_step(place), before), Cell::text(note)]);
            sheet.row(&row)?;
        }
    }
    Ok(Outcome::Done)
}
