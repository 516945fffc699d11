//! Plain series in a file: numbers over time, by name, for models that need no data folder.

use std::{collections::HashMap, path::Path};

use crate::command::CommandError;

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// Its points, as they stand in the file: the time in the file's words, and the value.
    pub points: Vec<(String, f64)>,
}

/// Headers that name the column of names, and that of values, in a file with a point a row.
const NAME_HEADERS: &[&str] = &["series", "segment", "cohort", "name", "unique_id"];
const VALUE_HEADERS: &[&str] = &["value", "survivors", "alive", "survival", "mean", "y"];

/// A cell that holds no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoNumber {
    /// The line of the file, the first being 1.
    pub line: u64,
    /// The name of the series.
    pub series: String,
    /// What stands there.
    pub text: String,
}

impl std::fmt::Display for NoNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: `{}` of `{}` is no number (write 12.5)", self.line, self.text, self.series)
    }
}

/// What a file of series holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The series, in the order in which they begin in the file. One whose cells are all empty has no points.
    pub series: Vec<Series>,
    /// The cells that were left out.
    pub refused: Vec<NoNumber>,
}

/// Reads series from a CSV file with a header, in one of two shapes:
///
/// ```text
/// long: a point a row                    wide: a time a row, the first column is the time
/// series,t,value                         t,regular,high_end
/// regular,0,1000                         0,100,100
/// ```
///
/// A file is long when its headers say so, or when it has three columns of which the first holds no numbers. An empty
/// cell, and one that a row is too short for, is no point.
///
/// # Errors
/// When the file cannot be read, or holds no row.
pub fn read(path: &Path) -> Result<Reading, CommandError> {
    let place = path.display();
    let unreadable = |error: csv::Error| CommandError::Usage(format!("{place} cannot be read as CSV: {error}"));
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_path(path).map_err(unreadable)?;
    let headers = reader.headers().map_err(unreadable)?.clone();
    let rows = reader.records().collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    if headers.len() < 2 || rows.is_empty() {
        return Err(CommandError::Usage(format!(
            "{place} holds no series: it takes a header and rows such as `series,t,value`, or `t` and a column a series"
        )));
    }
    let column = |known: &[&str]| headers.iter().position(|header| known.contains(&header.to_lowercase().as_str()));
    let numeric =
        |column: usize| rows.iter().all(|row| row.get(column).is_some_and(|cell| cell.parse::<f64>().is_ok()));
    let long = match (column(NAME_HEADERS), column(VALUE_HEADERS)) {
        (Some(name), Some(value)) if headers.len() == 3 => Some((name, value)),
        _ if headers.len() == 3 && !numeric(0) && numeric(2) => Some((0, 2)),
        _ => None,
    };
    let mut reading = Reading { series: Vec::new(), refused: Vec::new() };
    let mut places: HashMap<String, usize> = HashMap::new();
    for row in &rows {
        let line = row.position().map_or(0, csv::Position::line);
        let cells: Vec<(&str, usize, usize)> = match long {
            // Of three columns, the time is the one that is left.
            Some((name, value)) => vec![(row.get(name).unwrap_or_default(), 3 - name - value, value)],
            None => (1..headers.len()).map(|value| (headers.get(value).unwrap_or_default(), 0, value)).collect(),
        };
        for (name, time, value) in cells {
            let at = *places.entry(name.to_owned()).or_insert_with(|| {
                reading.series.push(Series { name: name.to_owned(), points: Vec::new() });
                reading.series.len() - 1
            });
            let text = row.get(value).unwrap_or_default();
            if text.is_empty() {
                continue;
            }
            match text.parse::<f64>().ok().filter(|number| number.is_finite()) {
                Some(number) => {
                    reading.series[at].points.push((row.get(time).unwrap_or_default().to_owned(), number));
                }
                None => reading.refused.push(NoNumber { line, series: name.to_owned(), text: text.to_owned() }),
            }
        }
    }
    Ok(reading)
}
