//! `recurve retention`: how long customers stay, and how cohorts will go on, from how they went: those of the books, or
//! of a file.

use std::path::{Path, PathBuf};

use outlook::{
    retention::{Fit, RetentionError},
    survival::{self, Curve},
};
use warehouse::{
    engine::survival::{INTERVAL_LEVEL, cohort_survivors, customers_by, lives},
    lake::Access,
};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Sheet},
    series::{self, Reading, Series},
    session::{self, Options, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Split the customers by dimensions: plan, channel, country or any attribute
    #[arg(long, value_delimiter = ',', value_name = "DIM,...", conflicts_with = "survivors")]
    by: Vec<String>,
    /// Look only at this; several values of one dimension are alternatives
    #[arg(long = "where", value_name = "DIM=VALUE", conflicts_with = "survivors")]
    filters: Vec<String>,
    /// The end of this day; now unless set
    #[arg(long, value_name = "D", conflicts_with = "survivors")]
    at: Option<String>,
    /// Read cohorts from a CSV file instead of the books: `series,t,value` or a column a series; t is 0, 1, 2, ..., at 0
    /// stands the size of the cohort
    #[arg(long, value_name = "FILE", requires = "horizon")]
    survivors: Option<PathBuf>,
    /// Periods to project for each cohort (of the books: by month of the first payment), instead of what was seen
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    horizon: Option<u32>,
    /// Levels of the intervals, in per cent
    #[arg(long, value_name = "L,...", value_delimiter = ',', default_value = "80,95")]
    level: Vec<String>,
    /// Customers of a cohort whose series is given in shares (100, 63.1, ... or 1, 0.631, ...); shares are taken to be of
    /// 1000 unless set
    #[arg(long, value_name = "N", requires = "survivors", value_parser = clap::value_parser!(u32).range(1..))]
    cohort_size: Option<u32>,
    /// Take this off for each period of delay, as a fraction, in expected lifetimes; 0.1 for a file, and for the books the
    /// month's share of the setting discount_rate unless set
    #[arg(long, value_name = "RATE")]
    discount_rate: Option<f64>,
    /// List the fitted curves instead of what they project
    #[arg(long, requires = "horizon")]
    fit: bool,
}

/// The size of a cohort that is given in shares, unless it is said.
const SHARES_OF: u32 = 1_000;

/// A series as survivors of one cohort.
struct Cohort {
    name: String,
    /// The first time.
    start: i64,
    /// What stands for one customer: 1, or the share of one.
    unit: f64,
    /// Whether the size was assumed.
    size_is_assumed: bool,
    survivors: Vec<f64>,
}

/// The discount of a period of a file, unless it is said.
const DISCOUNT_RATE: f64 = 0.1;

/// Lists how long the customers of the books stayed, or projects cohorts of theirs or of a file.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let levels = levels(&arguments.level)?;
    if arguments.discount_rate.is_some_and(|rate| !rate.is_finite() || rate < 0.0) {
        return Err(CommandError::Usage("--discount-rate is a fraction from 0, such as 0.1".to_owned()));
    }
    match (&arguments.survivors, arguments.horizon) {
        (Some(file), Some(horizon)) => {
            let cohorts = of_file(file, arguments.cohort_size)?;
            let discount_rate = arguments.discount_rate.unwrap_or(DISCOUNT_RATE);
            listing::write(options, |sheet| project(sheet, arguments, &cohorts, horizon, &levels, discount_rate))
        }
        _ => {
            let session = Session::open(options, Access::Read)?;
            listing::write(options, |sheet| answer(&session, arguments, sheet))
        }
    }
}

fn of_file(file: &Path, cohort_size: Option<u32>) -> Result<Vec<Cohort>, CommandError> {
    let Reading { series, refused } = series::read(file)?;
    // What a cohort lacks cannot be made up: a number that is none ends it.
    if let Some(cell) = refused.first() {
        return Err(CommandError::Usage(format!("{}, {cell}", file.display())));
    }
    let with_points = series.into_iter().filter(|series| !series.points.is_empty());
    with_points.map(|series| cohort(series, cohort_size)).collect()
}

/// The curve of each segment by Kaplan and Meier, or what is projected of its cohorts.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let levels = levels(&arguments.level)?;
    let books = session.books()?;
    let assumptions = session.assumptions()?;
    let segmentation = customers_by(&books, &assumptions, &arguments.by, &session::filters(&arguments.filters)?)?;
    let end = match &arguments.at {
        Some(text) => session::day(text, "at")?.plus_days(1).min(books.first_day_to_come()),
        None => books.first_day_to_come(),
    };
    if let Some(horizon) = arguments.horizon {
        let named = |segment: u32| segmentation.labels.get(segment as usize).map_or(&[][..], Vec::as_slice);
        let cohorts: Vec<Cohort> = cohort_survivors(&books, &segmentation, end)
            .into_iter()
            .map(|cohort| Cohort {
                // `team 2024-01`: the segment and the month.
                name: named(cohort.segment)
                    .iter()
                    .cloned()
                    .chain([cohort.month.to_string()[..7].to_owned()])
                    .collect::<Vec<_>>()
                    .join(" "),
                start: 0,
                unit: 1.0,
                size_is_assumed: false,
                survivors: cohort.survivors.iter().map(|left| *left as f64).collect(),
            })
            .collect();
        let rate = arguments.discount_rate.unwrap_or_else(|| assumptions.monthly_discount_rate());
        // A cohort of the books that is too young to project was not refused: it has a row that says so.
        return project(sheet, arguments, &cohorts, horizon, &levels, rate).map(|_| Outcome::Done);
    }
    let columns = ["month", "at_risk", "left", "survival", "lower", "upper", "note"].map(str::to_owned);
    sheet.begin(arguments.by.iter().cloned().chain(columns))?;
    for (label, lives) in segmentation.labels.iter().zip(lives(&books, &segmentation, end)) {
        let curve = survival::kaplan_meier(&lives, INTERVAL_LEVEL);
        for (index, step) in curve.steps.iter().enumerate() {
            let note = if index == 0 { sample(&curve) } else { String::new() };
            let mut row: Vec<Cell> = label.iter().map(|value| Cell::text(value.as_str())).collect();
            row.extend([Cell::Whole(i64::from(step.time)), count(step.at_risk), count(step.ended)]);
            row.extend([step.survival, step.lower, step.upper].map(number));
            row.push(Cell::text(note));
            sheet.row(&row)?;
        }
    }
    Ok(Outcome::Done)
}

/// `212 customers, 31 left, half by month 14`, and whether that is few.
fn sample(curve: &Curve) -> String {
    let few = if curve.is_small_sample() { "small sample: " } else { "" };
    let half = curve.median().map_or(String::new(), |month| format!(", half by month {month}"));
    let customers = if curve.lives == 1 { "customer" } else { "customers" };
    format!("{few}{} {customers}, {} left{half}", curve.lives, curve.ended)
}

fn count(number: u64) -> Cell {
    Cell::Whole(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Fits each cohort and lists what it projects, or the fits. A cohort that cannot be fitted has a row that says why.
fn project(
    sheet: &mut dyn Sheet,
    arguments: &Arguments,
    cohorts: &[Cohort],
    horizon: u32,
    levels: &[f64],
    discount_rate: f64,
) -> Result<Outcome, CommandError> {
    let intervals = arguments.level.iter().flat_map(|level| [format!("lower_{level}"), format!("upper_{level}")]);
    let columns: Vec<String> = if arguments.fit {
        FIT_COLUMNS.iter().map(|name| (*name).to_owned()).collect()
    } else {
        let head = ["series", "t", "mean"].map(str::to_owned).into_iter();
        head.chain(intervals).chain(["retention", "note"].map(str::to_owned)).collect()
    };
    let width = columns.len();
    sheet.begin(columns)?;
    let mut outcome = Outcome::Done;
    for cohort in cohorts {
        match Fit::of(&cohort.survivors) {
            Ok(fit) if arguments.fit => sheet.row(&fit_row(cohort, &fit, discount_rate))?,
            Ok(fit) => {
                for (index, row) in projection_rows(cohort, &fit, horizon as usize, levels).into_iter().enumerate() {
                    let note = if index == 0 { words(cohort, &fit) } else { String::new() };
                    sheet.row(&[row, vec![Cell::text(note)]].concat())?;
                }
            }
            Err(error) => {
                outcome = Outcome::Refused;
                sheet.row(&refused_row(cohort, error, width))?;
            }
        }
    }
    Ok(outcome)
}

const FIT_COLUMNS: &[&str] = &[
    "series",
    "points",
    "cohort_size",
    "alpha",
    "beta",
    "log_likelihood",
    "residual_lifetime",
    "lifetime",
    "lifetime_lower_95",
    "lifetime_upper_95",
    "note",
];

fn number(value: f64) -> Cell {
    Cell::Number(format!("{value:.6}"))
}

fn maybe(value: Option<f64>) -> Cell {
    value.map_or(Cell::Empty, number)
}

fn projection_rows(cohort: &Cohort, fit: &Fit, horizon: usize, levels: &[f64]) -> Vec<Vec<Cell>> {
    let time = |periods: usize| Cell::Whole(cohort.start.saturating_add(i64::try_from(periods).unwrap_or(i64::MAX)));
    fit.project(horizon, levels)
        .into_iter()
        .map(|projection| {
            let ends = projection.intervals.iter().flat_map(|(lower, upper)| [*lower, *upper]);
            let mut row = vec![Cell::text(cohort.name.as_str()), time(projection.time)];
            row.push(number(projection.survivors * cohort.unit));
            row.extend(ends.map(|end| number(end * cohort.unit)));
            row.push(number(projection.retention));
            row
        })
        .collect()
}

fn fit_row(cohort: &Cohort, fit: &Fit, discount_rate: f64) -> Vec<Cell> {
    let points = cohort.survivors.len();
    let lifetime = fit.lifetime(discount_rate, 0.95);
    let (mean, interval) = lifetime.map_or((None, None), |(mean, interval)| (Some(mean), interval));
    vec![
        Cell::text(cohort.name.as_str()),
        Cell::Whole(i64::try_from(points).unwrap_or(i64::MAX)),
        Cell::Number(format!("{}", cohort.survivors.first().copied().unwrap_or_default())),
        number(fit.alpha),
        number(fit.beta),
        number(fit.log_likelihood),
        maybe(fit.residual_lifetime(points.saturating_sub(1), discount_rate)),
        maybe(mean),
        maybe(interval.map(|(lower, _)| lower)),
        maybe(interval.map(|(_, upper)| upper)),
        Cell::text(note(cohort, fit)),
    ]
}

fn refused_row(cohort: &Cohort, error: RetentionError, width: usize) -> Vec<Cell> {
    let mut row = vec![Cell::Empty; width];
    row[0] = Cell::text(cohort.name.as_str());
    row[width - 1] = Cell::text(error.to_string());
    row
}

/// The fit in words.
fn words(cohort: &Cohort, fit: &Fit) -> String {
    let fitted = format!("alpha {:.4}, beta {:.4}, log-likelihood {:.3}", fit.alpha, fit.beta, fit.log_likelihood);
    let note = note(cohort, fit);
    if note.is_empty() { fitted } else { format!("{fitted}; {note}") }
}

/// What has to be known beside the numbers.
fn note(cohort: &Cohort, fit: &Fit) -> String {
    let mut notes = Vec::new();
    if cohort.size_is_assumed {
        notes.push(format!("shares of a cohort of {SHARES_OF}, unless --cohort-size says otherwise"));
    }
    if fit.is_constant_churn {
        notes.push("no difference between customers is seen: the churn rate is constant".to_owned());
    }
    notes.join("; ")
}

/// Levels in per cent as fractions.
pub fn levels(stated: &[String]) -> Result<Vec<f64>, CommandError> {
    let level = |text: &String| {
        let percent = text.parse::<f64>().ok().filter(|percent| *percent > 0.0 && *percent < 100.0);
        percent.map(|percent| percent / 100.0).ok_or_else(|| {
            CommandError::Usage(format!(
                "`{text}` is no level; levels are in per cent, between 0 and 100, such as 80,95"
            ))
        })
    };
    stated.iter().map(level).collect()
}

/// A series as a cohort: its times have to follow each other. Shares are told from numbers of customers by what they begin
/// with: 1, or 100 where not all are whole; a size that is stated makes shares of everything.
fn cohort(mut series: Series, stated_size: Option<u32>) -> Result<Cohort, CommandError> {
    let name = series.name.clone();
    let mut points = Vec::with_capacity(series.points.len());
    for (time, value) in series.points.drain(..) {
        // Tools that keep periods as decimals write 3.0.
        let time =
            time.strip_suffix(".0").unwrap_or(&time).parse::<i64>().map_err(|_| {
                CommandError::Usage(format!("`{time}` of `{name}` is no period; periods are 0, 1, 2, ..."))
            })?;
        points.push((time, value));
    }
    points.sort_by_key(|(time, _)| *time);
    if let Some(pair) = points.windows(2).find(|pair| pair[0].0.checked_add(1) != Some(pair[1].0)) {
        let (one, next) = (pair[0].0, pair[1].0);
        return Err(CommandError::Usage(format!(
            "`{name}` goes from period {one} to {next}; a cohort has one number for each period"
        )));
    }
    let (start, first) = points.first().copied().unwrap_or_default();
    let whole = points.iter().all(|(_, value)| value.fract().abs() < f64::EPSILON);
    let near = |value: f64| (first - value).abs() < 1e-9;
    let are_shares = !whole && (near(1.0) || near(100.0));
    let size = stated_size.or(are_shares.then_some(SHARES_OF));
    let unit = size.filter(|_| first > 0.0).map_or(1.0, |size| first / f64::from(size));
    Ok(Cohort {
        name,
        start,
        unit,
        size_is_assumed: are_shares && stated_size.is_none(),
        survivors: points.iter().map(|(_, value)| value / unit).collect(),
    })
}
