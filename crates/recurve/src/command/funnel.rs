//! `recurve funnel`: how many people took each of some steps, and who they are.

use revenue::calendar::{Day, Grain};
use warehouse::{
    engine::{
        decimal, fraction,
        funnel::{self, Answer, Funnel, Reached, STAGES, Step},
    },
    lake::Access,
};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Sheet},
    session::{self, Options, Range, Session},
};

#[derive(Debug, Clone, clap::Args)]
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
    /// Split by the day, week, month, quarter or year of the first step too: each person is in that of the first touch
    #[arg(long, value_parser = session::grain)]
    grain: Option<Grain>,
    /// List instead the people who reached this step, by its place: 1 is the first
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    people: Option<u8>,
    /// Of them those whose first touch was in the period of this day, by the grain
    #[arg(long, value_name = "D", requires = "people", requires = "grain")]
    period: Option<String>,
}

impl Arguments {
    /// The same about people: of the first step, unless one is asked for.
    pub fn of_people(&self) -> Self {
        Self { people: self.people.or(Some(1)), ..self.clone() }
    }
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
        grain: arguments.grain,
    };
    let assumptions = session.assumptions()?;
    let named = arguments.people.map(|step| usize::from(step).saturating_sub(1));
    let answer = match named {
        None => funnel::count(&books, &assumptions, &asked)?,
        Some(step) if step >= asked.steps.len() => {
            return Err(CommandError::Usage(format!("the funnel has {} steps", asked.steps.len())));
        }
        Some(step) => {
            let period = arguments.period.as_ref().map(|text| session::day(text, "period")).transpose()?;
            let period = period.zip(asked.grain).map(|(day, grain)| day.first_of(grain));
            funnel::people(&books, &assumptions, &asked, step, period)?
        }
    };
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
    if named.is_some() {
        return people(&asked, &answer, sheet);
    }
    let by_period = asked.grain.is_some();
    let head = arguments.by.iter().map(String::as_str).chain(by_period.then_some("period"));
    let tail = ["step", "name", "reached", "of_first", "of_previous"].into_iter().chain(by_period.then_some("partial"));
    sheet.begin(head.chain(tail).chain(["note"]))?;
    // Until when those who take the first step on the last day of a period have time for the others.
    let today = books.first_day_to_come();
    let window_days = i32::try_from(asked.window_micros.unsigned_abs().div_ceil(86_400_000_000)).unwrap_or(i32::MAX);
    let partial = |period: Day| {
        let grain = asked.grain.unwrap_or(Grain::Day);
        let end = period.next_of(grain);
        match () {
            () if period < asked.from || end > asked.to.min(today) => "cut",
            () if end.0.saturating_add(window_days) > today.0 => "open",
            () => "",
        }
    };
    let count = |number: u64| Cell::Whole(i64::try_from(number).unwrap_or(i64::MAX));
    let share = |part: u64, of: u64| match of {
        0 => Cell::Empty,
        of => Cell::Number(decimal(&fraction(i128::from(part), i128::from(of)), 12, 12)),
    };
    for (place, step) in asked.steps.iter().enumerate().filter(|_| !answer.lacking.is_empty()) {
        let note = answer.lacking.get(&place).map_or(String::new(), |need| format!("no data: needs {need}"));
        let mut row = vec![Cell::Empty; arguments.by.len() + usize::from(by_period)];
        row.extend([Cell::Whole(place as i64 + 1), Cell::text(step.name.as_str())]);
        row.extend([Cell::Empty, Cell::Empty, Cell::Empty]);
        row.extend(by_period.then_some(Cell::Empty));
        row.push(Cell::text(note));
        sheet.row(&row)?;
    }
    for Reached { label, period, people: reached } in &answer.reached {
        for (place, step) in asked.steps.iter().enumerate() {
            let of_step = |place: usize| reached.get(place).copied().unwrap_or_default();
            let before = of_step(place.saturating_sub(1));
            let note = match answer.never.get(&place) {
                Some(names) => format!("nothing is named so: {}", known(names)),
                None if before == 0 && place > 0 => "undefined: nobody reached the step before".to_owned(),
                None => String::new(),
            };
            let mut row: Vec<Cell> = label.iter().map(|value| Cell::text(value.as_str())).collect();
            row.extend(period.map(Cell::Day));
            row.extend([Cell::Whole(place as i64 + 1), Cell::text(step.name.as_str()), count(of_step(place))]);
            row.extend([share(of_step(place), of_step(0)), share(of_step(place), before)]);
            row.extend(period.map(|period| Cell::text(partial(period))));
            row.push(Cell::text(note));
            sheet.row(&row)?;
        }
    }
    Ok(Outcome::Done)
}

/// Who reached a step: when, and what they did next.
fn people(asked: &Funnel, answer: &Answer, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    sheet.begin(["person", "sort", "customer", "began", "reached", "next", "next_on", "furthest"])?;
    let named = |place: usize| asked.steps.get(place).map_or("", |step| step.name.as_str());
    for person in &answer.people {
        let customer = person.customer.map_or(Cell::Empty, |_| Cell::text(person.id.as_str()));
        let next =
            person.next.map_or([Cell::Empty, Cell::Empty], |(place, day)| [Cell::text(named(place)), Cell::Day(day)]);
        let mut row = vec![Cell::text(person.id.as_str()), Cell::text(person.sort), customer];
        row.extend([Cell::Day(person.began), Cell::Day(person.reached)]);
        row.extend(next);
        row.push(Cell::text(named(person.furthest.saturating_sub(1))));
        sheet.row(&row)?;
    }
    Ok(Outcome::Done)
}
