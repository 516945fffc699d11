//! `recurve experiments`: tests of prices and pages, with what can be said of each arm so far.

use outlook::experiment::{
    Answer,
    measure::{MEASURES, Measure, MeasureEntry},
    words,
};
use revenue::{calendar::Day, money::print_micros};
use warehouse::{
    books::Books,
    engine::experiment::{Arm, Experiment, Question, experiments},
    lake::Access,
};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Sheet},
    session::{self, Options, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only this experiment
    #[arg(value_name = "NAME")]
    experiment: Option<String>,
    /// The arm that the others are compared with; the one that the facts call the control unless set
    #[arg(long, value_name = "ARM")]
    control: Option<String>,
    /// Planned shares of the arms, such as a=90,b=10; equal ones unless set
    #[arg(long, value_delimiter = ',', value_name = "ARM=SHARE,...", requires = "experiment")]
    shares: Vec<String>,
    /// What is measured and decides: mrr_per_person, conversion, churn, arpa, yearly; the fewer, the sooner each is known
    #[arg(long, value_delimiter = ',', value_name = "MEASURE,...")]
    measures: Vec<String>,
    /// The chance that anything is ever called better or worse in a test in which nothing differs, however often one looks
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    alpha: f64,
    /// The difference that is worth seeing, relative to the control
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    effect: f64,
    /// Days from seeing an arm to the outcome
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(i32).range(1..=3660))]
    window: i32,
    /// Days from the first payment within which leaving counts as churn
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(i32).range(1..=3660))]
    churn_window: i32,
    /// As known at the end of this day; now unless set
    #[arg(long, value_name = "D")]
    at: Option<String>,
}

const COLUMNS: [&str; 20] = [
    "experiment",
    "arm",
    "control",
    "measure",
    "exposed",
    "people",
    "cases",
    "value",
    "lower",
    "upper",
    "difference",
    "difference_lower",
    "difference_upper",
    "probability_better",
    "answer",
    "since",
    "needed_per_arm",
    "detectable",
    "currency",
    "says",
];

/// Lists each arm with its answer over all measures, then by measure.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    listing::write(options, |sheet| answer(&session, arguments, sheet))
}

/// Each arm with its answers.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let language = session.language()?;
    let books = session.books()?;
    if !books.has_facts("experiment_arm")? {
        return Err(CommandError::Usage(
            "no experiments are known; import who saw which arm with `recurve import experiments FILE` (columns experiment, \
             customer, arm, assigned, and control where it is known)"
                .to_owned(),
        ));
    }
    let question = question(arguments, &books)?;
    let found = experiments(&books, &question)?;
    sheet.begin(COLUMNS)?;
    for experiment in &found {
        for row in rows(experiment, &question, &books) {
            let says = row.says.map_or(String::new(), |says| says.say(language));
            let mut cells = row.cells;
            cells.push(Cell::text(says));
            sheet.row(&cells)?;
        }
    }
    Ok(Outcome::Done)
}

fn question(arguments: &Arguments, books: &Books) -> Result<Question, CommandError> {
    let is_share = |share: f64| share > 0.0 && share < 1.0;
    if !is_share(arguments.alpha) {
        return Err(CommandError::Usage("--alpha is a probability between 0 and 1, such as 0.05".to_owned()));
    }
    if !(arguments.effect > 0.0 && arguments.effect <= 100.0) {
        return Err(CommandError::Usage("--effect is a relative difference above 0, such as 0.2 for 20 %".to_owned()));
    }
    let measure = |name: &String| {
        Measure::parse(name).ok_or_else(|| {
            let known = MEASURES.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
            CommandError::Usage(format!("`{name}` is no measure of experiments; it is one of {known}"))
        })
    };
    let measures = match arguments.measures.as_slice() {
        [] => MEASURES.iter().map(|entry| entry.measure).collect(),
        named => named.iter().map(measure).collect::<Result<Vec<_>, _>>()?,
    };
    let share = |text: &String| {
        let parsed = text.rsplit_once('=').and_then(|(arm, share)| Some((arm.to_owned(), share.parse::<f64>().ok()?)));
        parsed.filter(|(_, share)| share.is_finite() && *share > 0.0).ok_or_else(|| {
            CommandError::Usage(format!("`{text}` is no share of an arm; write ARM=SHARE, such as control=50"))
        })
    };
    Ok(Question {
        end: match &arguments.at {
            Some(text) => session::day(text, "at")?.plus_days(1).min(books.first_day_to_come()),
            None => books.first_day_to_come(),
        },
        experiment: arguments.experiment.clone(),
        control: arguments.control.clone(),
        shares: arguments.shares.iter().map(share).collect::<Result<Vec<_>, _>>()?,
        measures,
        alpha: arguments.alpha,
        effect: arguments.effect,
        window_days: arguments.window,
        churn_days: arguments.churn_window,
    })
}

/// A row but for its sentence.
struct Row {
    cells: Vec<Cell>,
    says: Option<outlook::wording::Sentence>,
}

fn count(number: u64) -> Cell {
    Cell::Whole(i64::try_from(number).unwrap_or(i64::MAX))
}

fn decimal(number: f64, decimals: usize) -> Cell {
    Cell::Number(format!("{number:.decimals$}"))
}

fn rows(experiment: &Experiment, question: &Question, books: &Books) -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, arm) in experiment.arms.iter().enumerate() {
        rows.push(overall_row(experiment, arm, place == 0, question, books));
        rows.extend((0..arm.readings.len()).map(|reading| row(experiment, arm, reading, place == 0, question, books)));
    }
    rows
}

fn head(experiment: &Experiment, arm: &Arm, is_control: bool, measure: &str) -> Vec<Cell> {
    let control = match (is_control, experiment.control_is_assumed) {
        (true, true) => "assumed",
        (true, false) => "yes",
        (false, _) => "no",
    };
    vec![
        Cell::text(experiment.name.as_str()),
        Cell::text(arm.name.as_str()),
        Cell::text(control),
        Cell::text(measure),
        count(arm.exposed),
    ]
}

/// What can be said of an arm over all measures; of the control, whether the arms are as large as planned.
fn overall_row(experiment: &Experiment, arm: &Arm, is_control: bool, question: &Question, books: &Books) -> Row {
    let mut cells = head(experiment, arm, is_control, if is_control { "sample_ratio" } else { "overall" });
    let ratio = &experiment.sample_ratio;
    let empty = |cells: &mut Vec<Cell>, count: usize| cells.extend(std::iter::repeat_n(Cell::Empty, count));
    if is_control {
        cells.push(count(experiment.arms.iter().map(|arm| arm.exposed).sum()));
        cells.push(count(experiment.in_several_arms));
        cells.push(decimal(ratio.chi_square_probability, 6));
        empty(&mut cells, 6);
        let answer = if ratio.broken_since.is_some() { Answer::Broken.name() } else { "as_planned" };
        cells.push(Cell::text(answer));
        cells.push(ratio.broken_since.map_or(Cell::Empty, |day| Cell::Day(Day(day))));
        empty(&mut cells, 3);
        return Row { cells, says: None };
    }
    let (answer, decides) = experiment.answer(arm);
    empty(&mut cells, 9);
    cells.push(Cell::text(answer.name()));
    let of_measure = arm.readings.iter().position(|(measure, _)| decides.is_none_or(|decides| decides == *measure));
    let since = of_measure.and_then(|place| arm.readings.get(place)?.1.comparison?.since).filter(|_| decides.is_some());
    cells.push(ratio.broken_since.or(since).map_or(Cell::Empty, |day| Cell::Day(Day(day))));
    empty(&mut cells, 3);
    let says = match ratio.broken_since {
        Some(since) => {
            let all: u64 = experiment.arms.iter().map(|arm| arm.exposed).sum();
            words::of_broken(names(experiment, arm, books), arm.exposed, all as f64 * arm.share, since)
        }
        None => of_measure.and_then(|place| sentence(experiment, arm, place, question, books)),
    };
    Row { cells, says }
}

fn names<'a>(experiment: &'a Experiment, arm: &'a Arm, books: &Books) -> words::Names<'a> {
    let control = experiment.arms.first().map_or("", |control| control.name.as_str());
    words::Names { arm: &arm.name, control, currency: books.reporting }
}

/// The sentence of an arm for the measure at a place.
fn sentence(
    experiment: &Experiment,
    arm: &Arm,
    place: usize,
    question: &Question,
    books: &Books,
) -> Option<outlook::wording::Sentence> {
    let (measure, reading) = arm.readings.get(place)?;
    let (_, control) = experiment.arms.first()?.readings.get(place)?;
    let comparison = reading.comparison.as_ref()?;
    let people = reading.sums.people.min(control.sums.people);
    let means = (reading.sums.mean, control.sums.mean);
    words::of_comparison(names(experiment, arm, books), measure.entry(), means, people, question.effect, comparison)
}

fn row(experiment: &Experiment, arm: &Arm, place: usize, is_control: bool, question: &Question, books: &Books) -> Row {
    let (measure, reading) = &arm.readings[place];
    let entry: &MeasureEntry = measure.entry();
    let value = |value: f64| match entry.is_money {
        true => Cell::Number(print_micros((value * 1e6).round() as i128, books.reporting.decimals())),
        false => decimal(value, 6),
    };
    let mut cells = head(experiment, arm, is_control, entry.name);
    let sums = &reading.sums;
    cells.extend([count(sums.people), count(sums.paying)]);
    cells.push(if sums.people == 0 { Cell::Empty } else { value(sums.mean) });
    let ends = |interval: Option<(f64, f64)>| {
        interval.map_or([Cell::Empty, Cell::Empty], |(lower, upper)| [value(lower), value(upper)])
    };
    cells.extend(ends(reading.interval));
    let is_broken = experiment.sample_ratio.broken_since.is_some();
    match &reading.comparison {
        None => cells.extend(std::iter::repeat_n(Cell::Empty, 8)),
        Some(comparison) => {
            let is_known = comparison.interval.is_some();
            let answer = if is_broken { Answer::Broken } else { comparison.answer };
            cells.push(if is_known { value(comparison.difference) } else { Cell::Empty });
            cells.extend(ends(comparison.interval));
            cells.push(decimal(comparison.better, 4));
            cells.push(Cell::text(answer.name()));
            cells.push(comparison.since.filter(|_| !is_broken).map_or(Cell::Empty, |day| Cell::Day(Day(day))));
            cells.push(comparison.needed.map_or(Cell::Empty, count));
            cells.push(comparison.detectable.map_or(Cell::Empty, |share| decimal(share, 4)));
        }
    }
    cells.push(Cell::text(if entry.is_money { books.reporting.code() } else { "" }));
    let says = if is_broken { None } else { sentence(experiment, arm, place, question, books) };
    Row { cells, says }
}
