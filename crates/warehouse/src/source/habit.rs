//! How a file writes numbers and dates: settled once, from a sample or by the user, and then the same for every row.

use super::value;

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalHabit {
    /// `1,234.56`: the user said so, or the sample shows it.
    Point,
    /// `1.234,56`: the user said so, or the sample shows it.
    Comma,
    /// The sample shows neither: a point is read as one, and what needs a comma is refused.
    AssumedPoint,
    /// The sample shows both: only numbers that can be read in one way are read.
    Mixed,
}

/// How dates are written. Year-first dates are always read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateHabit {
    /// `2024-01-31` and no other way.
    YearFirst,
    /// `31/01/2024`.
    DayFirst,
    /// `01/31/2024`.
    MonthFirst,
    /// The sample does not show it, or shows both: only dates that can be read in one way are read.
    Unsettled,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
}

impl DecimalHabit {
    /// The names that options take, with what they mean.
    pub const NAMES: &'static [(&'static str, DecimalHabit)] =
        &[("point", DecimalHabit::Point), ("comma", DecimalHabit::Comma)];

    /// A habit by the name that options take.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(listed, _)| *listed == name).map(|(_, habit)| *habit)
    }

    /// What a report says.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            DecimalHabit::Point => "decimal point",
            DecimalHabit::Comma => "decimal comma",
            DecimalHabit::AssumedPoint => "decimal point (assumed: the sample shows neither)",
            DecimalHabit::Mixed => "decimal point and comma mixed: ambiguous numbers are refused",
        }
    }

    /// The habit that the sample of a file shows.
    #[must_use]
    pub fn sniff<'a>(numbers: impl Iterator<Item = &'a str>) -> Self {
        let (mut point, mut comma) = (false, false);
        for text in numbers {
            match value::readings(text) {
                (true, false) => point = true,
                (false, true) => comma = true,
                _ => {}
            }
        }
        match (point, comma) {
            (true, false) => DecimalHabit::Point,
            (false, true) => DecimalHabit::Comma,
            (false, false) => DecimalHabit::AssumedPoint,
            (true, true) => DecimalHabit::Mixed,
        }
    }
}

impl DateHabit {
    /// The names that options take, with what they mean.
    pub const NAMES: &'static [(&'static str, DateHabit)] = &[
        ("iso", DateHabit::YearFirst),
        ("dmy", DateHabit::DayFirst),
        ("mdy", DateHabit::MonthFirst),
        ("epoch", DateHabit::EpochSeconds),
        ("epoch_millis", DateHabit::EpochMillis),
    ];

    /// A habit by the name that options take.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(listed, _)| *listed == name).map(|(_, habit)| *habit)
    }

    /// What a report says.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            DateHabit::YearFirst => "year first",
            DateHabit::DayFirst => "day first",
            DateHabit::MonthFirst => "month first",
            DateHabit::Unsettled => "year first; dates such as 01/02/2024 are refused",
            DateHabit::EpochSeconds => "seconds since 1970",
            DateHabit::EpochMillis => "milliseconds since 1970",
        }
    }

    /// Microseconds in one unit, where dates are counted instead of written.
    #[must_use]
    pub fn epoch_micros(self) -> Option<i64> {
        match self {
            DateHabit::EpochSeconds => Some(1_000_000),
            DateHabit::EpochMillis => Some(1_000),
            DateHabit::YearFirst | DateHabit::DayFirst | DateHabit::MonthFirst | DateHabit::Unsettled => None,
        }
    }

    /// The habit that the sample of a file shows.
    #[must_use]
    pub fn sniff<'a>(dates: impl Iterator<Item = &'a str>) -> Self {
        let (mut day_first, mut month_first) = (false, false);
        for text in dates {
            match value::orders(text) {
                (true, _) => day_first = true,
                (_, true) => month_first = true,
                _ => {}
            }
        }
        match (day_first, month_first) {
            (true, false) => DateHabit::DayFirst,
            (false, true) => DateHabit::MonthFirst,
            _ => DateHabit::Unsettled,
        }
    }
}
