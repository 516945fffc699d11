//! `recurve forecast`: what comes next, how sure that is, and how the same way of forecasting did on the past.

use std::{io::Write, path::PathBuf};

use outlook::forecast::{self, Rhythm, Step, season, times::History};
use rayon::prelude::*;

use super::{CommandError, Outcome, retention::levels};
use crate::{
    listing::{Cell, Listing},
    series::{self, Series},
    session::Options,
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Forecast the series of a CSV file: `series,t,value` or a column a series; t is 1, 2, ..., 2024-Q1, 2024-01 or
    /// 2024-01-31
    #[arg(long, value_name = "FILE")]
    series: PathBuf,
    /// How many steps to look ahead
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    horizon: u32,
    /// Levels of the intervals, in per cent
    #[arg(long, value_name = "L,...", value_delimiter = ',', default_value = "50,80,95")]
    level: Vec<String>,
    /// After how many points a season recurs, 1 for none; unless set, months recur after 12, quarters after 4, days after 7,
    /// weeks after 52, and whole numbers after what the series tells
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    season: Option<u32>,
}

/// Forecasts the series of a file.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let levels = levels(&arguments.level)?;
    let reading = series::read(&arguments.series)?;
    let mut issues: Vec<String> = reading.refused.iter().map(ToString::to_string).collect();
    let head = ["series", "t", "mean"].map(str::to_owned).into_iter();
    let intervals = arguments.level.iter().flat_map(|level| [format!("lower_{level}"), format!("upper_{level}")]);
    let mut listing = Listing::begin(options, head.chain(intervals))?;
    // Each series is forecast by itself, and they are written in the order of the file.
    let found: Vec<Found> = reading.series.par_iter().map(|series| of(series, arguments, &levels)).collect();
    for (series, found) in reading.series.iter().zip(found) {
        for row in found.rows {
            listing.row(&row)?;
        }
        issues.extend(found.issues.into_iter().map(|issue| format!("`{}`: {issue}", series.name)));
    }
    listing.end()?;
    tell(&arguments.series.display().to_string(), &issues)?;
    Ok(if issues.is_empty() { Outcome::Done } else { Outcome::Refused })
}

/// What became of one series.
#[derive(Default)]
struct Found {
    rows: Vec<Vec<Cell>>,
    issues: Vec<String>,
}

fn of(series: &Series, arguments: &Arguments, levels: &[f64]) -> Found {
    let history = match History::of(&series.points) {
        Ok(history) => history,
        Err(issues) => {
            let mut issues: Vec<String> = issues.iter().map(ToString::to_string).collect();
            issues.push("no forecast: it has no points that make a series".to_owned());
            return Found { rows: Vec::new(), issues };
        }
    };
    let mut found = Found { rows: Vec::new(), issues: history.issues.iter().map(ToString::to_string).collect() };
    let rhythm = match arguments.season {
        Some(period) => Rhythm::Every(period as usize),
        None => history.times.rhythm(),
    };
    match forecast::forecast(&history.values, arguments.horizon as usize, levels, rhythm) {
        Ok(forecast) => {
            let rows = forecast.steps.iter().enumerate();
            found.rows = rows.map(|(index, step)| row(&series.name, history.times.after(index + 1), step)).collect();
            if let Some(period) = arguments.season.map(|period| period as usize)
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
