//! Whether a rule fires in a month, since when, on what evidence, and how it did in the past.
//!
//! The record of a rule is its back-test: how often it fired in the twelve months up to now, and how often MRR fell (or
//! rose, for good news) within three months after it, beside how often that happened anyway. A rule that fires before
//! every fall and as often before none is worth nothing, and only the second number shows it.

use crate::{
    condition::{Read, Unknown},
    playbook::{Case, Evidence, Rule, holds},
    wording::Sentence,
};

/// Months over which the record of a rule is taken.
pub const RECORD_MONTHS: usize = 12;
/// Months within which what a rule announces has to happen.
pub const WITHIN_MONTHS: usize = 3;
/// The figure that falls or rises.
pub const OUTCOME: &str = "mrr";

/// What a rule says of a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It holds.
    Fired,
    /// It does not hold.
    Quiet,
    /// For want of these figures nobody knows.
    NotKnown(Unknown),
}

/// How a rule did in the past, with the figures as they are known now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Record {
    /// Months of the last twelve for which it is known whether it fired.
    pub judged: usize,
    /// Months in which it fired.
    pub fired: usize,
    /// Of those in which it fired, months for which it is known by now what came after.
    pub fired_and_over: usize,
    /// Of these, months after which it came as announced: MRR fell (or rose) in one of the next three months.
    pub followed: usize,
    /// Of all judged months, those for which it is known what came after.
    pub over: usize,
    /// Of these, months after which MRR fell (or rose), whether the rule fired or not.
    pub came_anyway: usize,
}

/// What became of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// What it says.
    pub state: State,
    /// How many months running it fired, up to the month that is judged.
    pub months: usize,
    /// The figures that it read.
    pub evidence: Vec<Evidence>,
    /// How it did in the past.
    pub record: Record,
    /// What is said of it, when it fired.
    pub sentence: Option<Sentence>,
}

impl Finding<'_> {
    /// Whether it fired.
    #[must_use]
    pub fn fired(&self) -> bool {
        self.state == State::Fired
    }
}

/// Whether MRR moved as announced in one of the months after a place; nothing while that is open.
fn came(case: &Case<'_>, place: usize, falls: bool) -> Option<bool> {
    let readings = case.history.figures.get(OUTCOME)?;
    let last = case.place;
    for later in place + 1..=(place + WITHIN_MONTHS).min(last) {
        let (Some(Ok(before)), Some(Ok(after))) = (readings.get(later - 1), readings.get(later)) else { continue };
        if (falls && after < before) || (!falls && after > before) {
            return Some(true);
        }
    }
    (place + WITHIN_MONTHS <= last).then_some(false)
}

/// Looks at a rule in the month of a case.
#[must_use]
pub fn find<'a>(case: &Case<'_>, rule: &'a Rule) -> Finding<'a> {
    let thresholds = Case::numbers(&rule.thresholds);
    let mut read = Read::default();
    let at = |place: usize, read: &mut Read| holds(case, &rule.when, &thresholds, place, read);
    let state = match at(case.place, &mut read) {
        Ok(true) => State::Fired,
        Ok(false) => State::Quiet,
        Err(unknown) => State::NotKnown(unknown),
    };
    let launch = case.history.place(case.history.launch).unwrap_or_default();
    let months = (launch..=case.place).rev().take_while(|place| at(*place, &mut Read::default()) == Ok(true)).count();
    let mut record = Record::default();
    let first = (case.place + 1).saturating_sub(RECORD_MONTHS).max(launch);
    for place in first..=case.place {
        let Ok(fired) = at(place, &mut Read::default()) else { continue };
        let came = came(case, place, rule.kind.warns());
        record.judged += 1;
        record.fired += usize::from(fired);
        record.over += usize::from(came.is_some());
        record.came_anyway += usize::from(came == Some(true));
        record.fired_and_over += usize::from(fired && came.is_some());
        record.followed += usize::from(fired && came == Some(true));
    }
    let sentence = match state {
        State::Fired => case.sentence(&rule.says, &rule.thresholds, rule.customers).ok(),
        State::Quiet | State::NotKnown(_) => None,
    };
    Finding { rule, state, months, evidence: case.evidence(&read), record, sentence }
}
