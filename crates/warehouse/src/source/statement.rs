//! Statements: accounts down, periods across, as accounting programs write a profit and loss or a balance sheet.
//!
//! A line without amounts is a heading, and what stands under it belongs to it until its total. Which headings hold
//! facts is said by the preset; totals are no facts, for they are in the lines already.

use revenue::calendar::Day;
use serde::Deserialize;

use std::collections::BTreeMap;

/// How a statement is laid out, and what of it becomes facts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// What stands above the header: the name of the statement.
    pub titles: Vec<String>,
    /// What the header calls the accounts; an empty text where it says nothing.
    pub accounts: Vec<String>,
    /// The column of the kind that takes the amounts.
    pub amount: String,
    /// The column of the kind that takes the name of the account.
    pub account: String,
    /// The column of the kind that takes the id of a fact: account and period.
    pub id: Option<String>,
    /// Whether a column is what happened in its period (`day` and `until`) or what was there at its end (`day`).
    pub at: At,
    /// Headings that hold facts, or do not; what stands under none of them is no fact.
    pub sections: Vec<Section>,
    /// Lines that begin so are totals.
    pub totals: Vec<String>,
}

/// What a column of a statement tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum At {
    /// What happened in its period.
    Span,
    /// What was there at its end.
    End,
}

/// A heading.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Its names; case does not count.
    pub is: Vec<String>,
    /// Why what stands under it is no fact, where that is so.
    pub pass: Option<String>,
    /// What all facts under it have.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
}

/// Days from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first day.
    pub first: Day,
    /// The last day.
    pub last: Day,
}

/// A line of a statement.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A heading, which holds nothing itself.
    Heading,
    /// An account whose amounts are facts, with the place of its section in the layout.
    Account(usize),
    /// Something else, and what.
    Passed(String),
}

impl Layout {
    /// The columns of the kind that it fills.
    pub fn columns(&self) -> impl Iterator<Item = &String> {
        [&self.amount, &self.account].into_iter().chain(&self.id).chain(self.sections.iter().flat_map(|s| s.set.keys()))
    }

    /// Where it takes a column of the kind from, in words, as far as it does.
    #[must_use]
    pub fn words(&self, column: &str) -> Option<String> {
        let sections: Vec<String> = self
            .sections
            .iter()
            .filter_map(|section| Some(format!("`{}` under {}", section.set.get(column)?, section.is.join(" or "))))
            .collect();
        if column == self.amount {
            Some("the amounts of each account and period".to_owned())
        } else if column == self.account {
            Some("the name of the account".to_owned())
        } else if Some(column) == self.id.as_deref() {
            Some("the account and the first day of the period".to_owned())
        } else {
            match (column, self.at) {
                ("day", At::Span) => Some("the first day of the period".to_owned()),
                ("day", At::End) | ("until", At::Span) => Some("the last day of the period".to_owned()),
                _ => (!sections.is_empty()).then(|| sections.join(", ")),
            }
        }
    }

    /// Whether a record is the header of such a statement.
    #[must_use]
    pub fn fits(&self, names: &[String], above: &[Vec<String>]) -> bool {
        let Some((accounts, periods)) = names.split_first() else { return false };
        let titled = above.iter().flatten().any(|text| self.titles.iter().any(|title| alike(text, title)));
        titled
            && self.accounts.iter().any(|known| alike(accounts, known))
            && periods.iter().any(|name| period(name).is_some() || alike(name, "total"))
    }

    /// What a file has to look like, for messages.
    #[must_use]
    pub fn asks_for(&self) -> String {
        format!("the line `{}` and under it a header with periods such as `Jan 2024`", self.titles.join("` or `"))
    }

    /// The days of each column of the header; none where a column is none of a period.
    #[must_use]
    pub fn periods(&self, names: &[String], above: &[Vec<String>]) -> Vec<Option<Span>> {
        let whole = above.iter().find_map(|record| span_within(&record.join(", ")));
        let months = above.iter().flatten().find_map(|text| months_ended(text));
        let mut periods: Vec<Option<Span>> =
            names.iter().enumerate().map(|(at, name)| if at == 0 { None } else { period(name) }).collect();
        if periods.iter().all(Option::is_none) {
            // One column for all: its period stands above the header.
            let total = names.iter().skip(1).position(|name| alike(name, "total")).map(|at| at + 1);
            if let (Some(place), Some(span)) = (total.and_then(|at| periods.get_mut(at)), whole) {
                *place = Some(span);
            }
        }
        if self.at == At::Span {
            // A column that is called by one day ends on it; it is as long as the statement says or as its neighbours
            // are apart, and a month where nothing says it.
            let ends: Vec<Day> =
                periods.iter().flatten().filter(|span| span.first == span.last).map(|s| s.last).collect();
            let apart = match ends.as_slice() {
                [one, other, ..] => (months_of(*one) - months_of(*other)).abs().max(1),
                _ => 1,
            };
            let length = match ends.len() {
                1 => months.unwrap_or(apart),
                _ => apart,
            };
            for span in periods.iter_mut().flatten().filter(|span| span.first == span.last) {
                span.first = span.last.plus_days(1).plus_months(-length);
            }
        }
        periods
    }

    /// What a line is, given the headings above it.
    #[must_use]
    pub fn line(&self, headings: &mut Vec<String>, label: &str, has_amounts: bool) -> Line {
        let label = label.trim();
        let lower = label.to_lowercase();
        if let Some(total) = self.totals.iter().find(|total| lower.starts_with(&total.to_lowercase())) {
            let of = lower.get(total.len()..).unwrap_or("").trim();
            let place = headings.iter().rposition(|heading| {
                let heading = heading.to_lowercase();
                heading == of
                    || heading.strip_prefix("less ") == Some(of)
                    || of.starts_with("for ") && of.ends_with(&heading)
            });
            if let Some(place) = place {
                headings.truncate(place);
            }
            return Line::Passed("totals".to_owned());
        }
        if !has_amounts {
            if self.section(&lower).is_some() {
                headings.clear();
            }
            if !label.is_empty() {
                headings.push(label.to_owned());
            }
            return Line::Heading;
        }
        let section = headings.iter().rev().find_map(|heading| self.section(&heading.to_lowercase()));
        match section.and_then(|at| Some((at, self.sections.get(at)?))) {
            Some((_, Section { pass: Some(why), .. })) => Line::Passed(why.clone()),
            Some((at, _)) => Line::Account(at),
            None => Line::Passed("accounts that hold none of these facts".to_owned()),
        }
    }

    fn section(&self, lower: &str) -> Option<usize> {
        self.sections.iter().position(|section| section.is.iter().any(|name| name.to_lowercase() == lower))
    }
}

fn alike(text: &str, wanted: &str) -> bool {
    text.trim().to_lowercase() == wanted.to_lowercase()
}

/// Months since year 0, to tell how far two days are apart.
fn months_of(day: Day) -> i32 {
    let (year, month, _) = day.civil();
    year * 12 + month as i32
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A month by its name or its first three letters (or `sept`).
fn month(word: &str) -> Option<u32> {
    let word = word.trim_end_matches('.').to_lowercase();
    let at = MONTHS
        .iter()
        .position(|name| *name == word || (word.len() >= 3 && word.len() <= 4 && name.starts_with(&word)))?;
    Some(at as u32 + 1)
}

/// A date in English words: `January 31, 2024`, `31 Jan 2024`, `31-Jan-2024`.
#[must_use]
pub fn day_in_words(text: &str) -> Option<Day> {
    let parts: Vec<&str> = text.split([' ', ',', '-']).filter(|part| !part.is_empty()).collect();
    let [first, second, year] = parts.as_slice() else { return None };
    let (month, day) = match (month(first), month(second)) {
        (Some(month), None) => (month, *second),
        (None, Some(month)) => (month, *first),
        _ => return None,
    };
    Day::from_civil(whole_year(year)?, month, day.parse().ok()?)
}

fn whole_year(text: &str) -> Option<i32> {
    (text.len() == 4).then(|| text.parse().ok())?.filter(|year| (1900..=9998).contains(year))
}

/// The days that the header of a column names: `Jan 2024`, `Jan 1 - 15, 2024`, `Jan - Mar 2024`, `31 Mar 2024`, `2024`.
#[must_use]
pub fn period(text: &str) -> Option<Span> {
    let text = text.trim();
    let text = text.strip_prefix("As of ").or_else(|| text.strip_prefix("As at ")).unwrap_or(text);
    if let Some(day) = day_in_words(text).or_else(|| Day::parse(text)) {
        return Some(Span { first: day, last: day });
    }
    if let Some(year) = whole_year(text) {
        return Some(Span { first: Day::from_civil(year, 1, 1)?, last: Day::from_civil(year, 12, 31)? });
    }
    span(text)
}

/// A span of days in words: two ends with a dash or `to` between them, or one month.
#[must_use]
pub fn span(text: &str) -> Option<Span> {
    let dashed = text.replace(['\u{2013}', '\u{2014}'], "-").replace(" to ", " - ");
    let (from, to) = match dashed.split_once(" - ").or_else(|| dashed.split_once('-')) {
        Some((from, to)) => (from.trim(), to.trim()),
        None => (dashed.trim(), dashed.trim()),
    };
    if let (Some(first), Some(last)) = (Day::parse(from), Day::parse(to)) {
        return Some(Span { first, last });
    }
    let words = |text: &str| -> Vec<String> {
        text.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let (from, to) = (words(from), words(to));
    // What the first end leaves out stands in the second: `Jan - Mar 2024`, `Jan 1 - 15, 2024`.
    let year_of = |words: &[String]| words.iter().find_map(|word| whole_year(word));
    let month_of = |words: &[String]| words.iter().find_map(|word| month(word));
    let day_of = |words: &[String]| -> Option<u32> {
        words.iter().find_map(|word| word.parse().ok().filter(|day| (1..=31).contains(day)))
    };
    let others = from.iter().chain(&to).any(|word| {
        whole_year(word).is_none()
            && month(word).is_none()
            && !word.parse::<u32>().is_ok_and(|day| (1..=31).contains(&day))
    });
    if others {
        return None;
    }
    let last_year = year_of(&to)?;
    let first_year = year_of(&from).unwrap_or(last_year);
    let first_month = month_of(&from).or_else(|| month_of(&to))?;
    let last_month = month_of(&to).or_else(|| month_of(&from))?;
    let first = Day::from_civil(first_year, first_month, day_of(&from).unwrap_or(1))?;
    let last = match day_of(&to) {
        Some(day) => Day::from_civil(last_year, last_month, day)?,
        None => Day::from_civil(last_year, last_month, 1)?.plus_months(1).plus_days(-1),
    };
    (first <= last).then_some(Span { first, last })
}

/// A span that is all of a text, or all of it but a few words before: `For the month ended 31 March 2024`.
#[must_use]
pub fn span_within(text: &str) -> Option<Span> {
    let text = text.trim().trim_end_matches([',', ' ']);
    if let Some(found) = period(text) {
        return Some(found);
    }
    let months = months_ended(text)?;
    let last = day_in_words(text.rsplit_once(" ended ")?.1)?;
    Some(Span { first: last.plus_days(1).plus_months(-months), last })
}

/// `For the 3 months ended`, `For the month ended`, `For the year ended`: how many months.
fn months_ended(text: &str) -> Option<i32> {
    let (before, _) = text.split_once(" ended ")?;
    let mut words = before.split(' ').rev();
    match words.next()?.to_lowercase().as_str() {
        "year" => Some(12),
        "month" => Some(1),
        "months" => words.next()?.parse().ok().filter(|months| (1..=120).contains(months)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(text: &str) -> Option<String> {
        period(text).map(|span| format!("{} {}", span.first, span.last))
    }

    #[test]
    fn headers_of_columns_are_periods() {
        for (text, wanted) in [
            ("Jan 2024", "2024-01-01 2024-01-31"),
            ("February 2024", "2024-02-01 2024-02-29"),
            ("Jan 1 - 15, 2024", "2024-01-01 2024-01-15"),
            ("Jan - Mar 2024", "2024-01-01 2024-03-31"),
            ("Oct 2023 - Mar 2024", "2023-10-01 2024-03-31"),
            ("January 1, 2024 - January 31, 2024", "2024-01-01 2024-01-31"),
            ("1 September 2026 - 30 September 2026", "2026-09-01 2026-09-30"),
            ("Sept 1 2024 to Sept 7 2024", "2024-09-01 2024-09-07"),
            ("2024-01-01 - 2024-01-31", "2024-01-01 2024-01-31"),
            ("31 Mar 2024", "2024-03-31 2024-03-31"),
            ("As of Jan 31, 2024", "2024-01-31 2024-01-31"),
            ("2023", "2023-01-01 2023-12-31"),
        ] {
            assert_eq!(days(text).as_deref(), Some(wanted), "{text}");
        }
        for text in ["Total", "", "Account", "% of Income", "Jan", "31 Feb 2024", "Mar - Jan 2024", "Campaign report"] {
            assert_eq!(days(text), None, "{text}");
        }
        let ended = span_within("For the 3 months ended 31 March 2024").unwrap();
        assert_eq!((ended.first.to_string(), ended.last.to_string()), ("2024-01-01".into(), "2024-03-31".into()));
    }
}
