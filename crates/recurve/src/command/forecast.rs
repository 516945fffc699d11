//! `recurve forecast`: what comes next, how sure that is, and how the same way of forecasting did on the past: of the
//! business, or of series in a file.

mod company;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use outlook::forecast::{self, Rhythm, Step, season, times::History};
use rayon::prelude::*;

use super::{CommandError, Outcome, retention::levels};
use crate::{
    listing::{Cell, Listing, Sheet},
    series::{self, Series},
    session::{Options, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The metrics: mrr, customers, revenue_recognised and cash unless named
    #[arg(value_name = "METRIC", conflicts_with = "series")]
    metrics: Vec<String>,
    /// How many months, or steps of a series, to look ahead; 12 months unless set
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    horizon: Option<u32>,
    /// Levels of the intervals, in per cent
    #[arg(long, value_name = "L,...", value_delimiter = ',', default_value = "50,80,95")]
    level: Vec<String>,
    /// By which model: best (the one that did best on your past), statistical, drivers, base, optimistic, pessimistic,
    /// naive, seasonal_naive, or all
    #[arg(long, value_name = "MODEL,...", value_delimiter = ',', default_value = "best", conflicts_with = "series")]
    model: Vec<String>,
    /// List instead how each model did on your past
    #[arg(long, conflicts_with_all = ["series", "drivers", "cash"])]
    backtest: bool,
    /// List instead what the model `drivers` takes to drive revenue and cash
    #[arg(long, conflicts_with_all = ["series", "cash"])]
    drivers: bool,
    /// Take a driver to be this, such as churn=0.03; `--drivers` lists them
    #[arg(long, value_name = "DRIVER=VALUE", conflicts_with = "series")]
    set: Vec<String>,
    /// Take drivers from a file with lines such as `churn = 0.03`
    #[arg(long, value_name = "FILE", conflicts_with = "series")]
    drivers_file: Option<PathBuf>,
    /// List instead what becomes of cash: burn, runway, break-even and the funding that is needed, under each scenario
    #[arg(long, conflicts_with = "series")]
    cash: bool,
    /// Forecast the series of a CSV file instead: `series,t,value` or a column a series; t is 1, 2, ..., 2024-Q1, 2024-01
    /// or 2024-01-31
    #[arg(long, value_name = "FILE", requires = "horizon")]
    series: Option<PathBuf>,
    /// After how many points a season of a series recurs, 1 for none; unless set, months recur after 12, quarters after 4,
    /// days after 7, weeks after 52, and whole numbers after what the series tells
    #[arg(long, value_name = "N", requires = "series", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    season: Option<u32>,
}

/// Months ahead unless set.
const MONTHS: u32 = 12;

/// Forecasts the business, or the series of a file.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let asked = Asked::of(arguments)?;
    match &arguments.series {
        Some(file) => of_file(options, arguments, file, &asked),
        None => company::run(options, arguments, &asked),
    }
}

/// How far, and how sure.
struct Asked {
    /// Shares of outcomes that intervals hold.
    levels: Vec<f64>,
    horizon: usize,
    season: Option<usize>,
}

impl Asked {
    fn of(arguments: &Arguments) -> Result<Self, CommandError> {
        Ok(Self {
            levels: levels(&arguments.level)?,
            horizon: arguments.horizon.unwrap_or(MONTHS) as usize,
            season: arguments.season.map(|period| period as usize),
        })
    }
}

/// The forecast of the business.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let (outcome, lacking) = company::answer(session, arguments, &Asked::of(arguments)?, sheet)?;
    for words in &lacking {
        sheet.note(words);
    }
    Ok(outcome)
}

/// The columns of the intervals.
fn ends(levels: &[String]) -> impl Iterator<Item = String> {
    levels.iter().flat_map(|level| [format!("lower_{level}"), format!("upper_{level}")])
}

fn of_file(options: &Options, arguments: &Arguments, file: &Path, asked: &Asked) -> Result<Outcome, CommandError> {
    let reading = series::read(file)?;
    let mut issues: Vec<String> = reading.refused.iter().map(ToString::to_string).collect();
    let head = ["series", "t", "mean"].map(str::to_owned).into_iter();
    let mut listing = Listing::begin(options, head.chain(ends(&arguments.level)))?;
    // Each series is forecast by itself, and they are written in the order of the file.
    let found: Vec<Found> = reading.series.par_iter().map(|series| of(series, asked)).collect();
    for (series, found) in reading.series.iter().zip(found) {
        for row in found.rows {
            listing.row(&row)?;
        }
        issues.extend(found.issues.into_iter().map(|issue| format!("`{}`: {issue}", series.name)));
    }
    listing.end()?;
    tell(&file.display().to_string(), &issues)?;
    Ok(if issues.is_empty() { Outcome::Done } else { Outcome::Refused })
}

/// What became of one series.
#[derive(Default)]
struct Found {
    rows: Vec<Vec<Cell>>,
    issues: Vec<String>,
}

fn of(series: &Series, asked: &Asked) -> Found {
    let history = match History::of(&series.points) {
        Ok(history) => history,
        Err(issues) => {
            let mut issues: Vec<String> = issues.iter().map(ToString::to_string).collect();
            issues.push("no forecast: it has no points that make a series".to_owned());
            return Found { rows: Vec::new(), issues };
        }
    };
    let mut found = Found { rows: Vec::new(), issues: history.issues.iter().map(ToString::to_string).collect() };
    let rhythm = match asked.season {
        Some(period) => Rhythm::Every(period),
        None => history.times.rhythm(),
    };
    match forecast::forecast(&history.values, asked.horizon, &asked.levels, rhythm) {
        Ok(forecast) => {
            let rows = forecast.steps.iter().enumerate();
            found.rows = rows.map(|(index, step)| row(&series.name, history.times.after(index + 1), step)).collect();
            if let Some(period) = asked.season
                && period > 1
                && history.values.len() < season::shortest(period)
            {
                found.issues.push(format!(
                    "a season of {period} takes {} points, and it has {}: forecast without one",
                    season::shortest(period),
                    history.values.len()
                ));
            }
        }
        Err(refusal) => found.issues.push(format!("no forecast: {refusal}")),
    }
    found
}

fn row(name: &str, time: String, step: &Step) -> Vec<Cell> {
    let ends = step.intervals.iter().flat_map(|(lower, upper)| [*lower, *upper]);
    let head = [Cell::text(name), Cell::text(time)];
    head.into_iter()
        .chain(std::iter::once(step.mean).chain(ends).map(|value| Cell::Number(significant(value))))
        .collect()
}

/// A number with ten significant digits, and none behind them.
fn significant(value: f64) -> String {
    const DIGITS: usize = 10;
    let rounded = format!("{value:.*e}", DIGITS - 1).parse().unwrap_or(value);
    // Minus zero is zero.
    format!("{}", rounded + 0.0)
}

/// Says on standard error what was left out.
fn tell(place: &str, issues: &[String]) -> Result<(), CommandError> {
    let mut stderr = std::io::stderr().lock();
    for issue in issues {
        writeln!(stderr, "{place}: {issue}")?;
    }
    Ok(())
}
