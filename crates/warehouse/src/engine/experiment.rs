//! Tests of prices and pages: who saw which arm, and what became of them.
//!
//! A unit of an experiment may be a customer, or a user, lead or visitor of whom [`People`] knows the customer. Who saw two
//! arms under different ids is in neither. What is made of the outcomes is said in [`outlook::experiment`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use outlook::experiment::{
    Answer, Outcome, Reading, Rule,
    measure::{MEASURES, Measure, overall},
    read,
    sample_ratio::{SampleRatio, sample_ratio},
};
use revenue::{calendar::Day, money::MICROS, movement::Kind, price::Interval};

use super::{EngineError, journey, people::Attribution, people::People};
use crate::{
    books::Books,
    observed::{NO_CODE, NO_DAY, Wanted},
};

/// How experiments are read.
#[derive(Debug, Clone)]
pub struct Question {
    /// Outcomes as known at the end of the day before.
    pub end: Day,
    /// Only this experiment.
    pub experiment: Option<String>,
    /// The arm that the others are compared with; as the facts state unless set.
    pub control: Option<String>,
    /// Planned shares of arms; equal ones unless set.
    pub shares: Vec<(String, f64)>,
    /// What is measured.
    pub measures: Vec<Measure>,
    /// The chance that anything at all is called better or worse in a test in which nothing differs.
    pub alpha: f64,
    /// The relative difference that is worth seeing.
    pub effect: f64,
    /// Days from seeing an arm to the outcome.
    pub window_days: i32,
    /// Days from the first payment within which churn is looked at.
    pub churn_days: i32,
}

/// An experiment as read.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// Its name.
    pub name: String,
    /// The first and the last day on which someone came in.
    pub days: (Day, Day),
    /// The arms, the control first, then by name.
    pub arms: Vec<Arm>,
    /// Whether no fact says which arm is the control, so that it was assumed.
    pub control_is_assumed: bool,
    /// Whether the arms hold as many people as planned.
    pub sample_ratio: SampleRatio,
    /// People who saw more than one arm, and are in none.
    pub in_several_arms: u64,
}

/// An arm of an experiment.
#[derive(Debug, Clone)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// People who saw it.
    pub exposed: u64,
    /// The planned share of people.
    pub share: f64,
    /// What was measured.
    pub readings: Vec<(Measure, Reading)>,
}

impl Experiment {
    /// What can be said of an arm other than the control over all measures, and the measure that decides.
    #[must_use]
    pub fn answer(&self, arm: &Arm) -> (Answer, Option<Measure>) {
        if self.sample_ratio.broken_since.is_some() {
            return (Answer::Broken, None);
        }
        let of_measure = |(measure, reading): &(Measure, Reading)| Some((*measure, reading.comparison?.answer));
        overall(&arm.readings.iter().filter_map(of_measure).collect::<Vec<_>>())
    }
}

/// Why experiments could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// There is no such experiment.
    #[error("there is no experiment `{name}`; known are: {known}")]
    NoExperiment {
        /// The name asked for.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// There is no such arm.
    #[error("the experiment `{experiment}` has no arm `{arm}`; its arms are: {known}")]
    NoArm {
        /// The experiment.
        experiment: String,
        /// The arm asked for.
        arm: String,
        /// Those that there are.
        known: String,
    },
    /// Planned shares are not those of the arms.
    #[error(
        "the shares name {named}, but the arms of the experiment `{experiment}` are: {known}; give each arm its share"
    )]
    Shares {
        /// The experiment.
        experiment: String,
        /// The arms that have a share.
        named: String,
        /// Those that there are.
        known: String,
    },
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Who is in an experiment, as stated.
#[derive(Default)]
struct Stated {
    /// For each person the arms seen and the first day of each.
    people: BTreeMap<Person, BTreeMap<String, i32>>,
    /// Arms that facts call the control.
    controls: BTreeSet<String>,
}

/// A person: one whom facts know, or an id that they do not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Person {
    Party(u32),
    Unknown(String),
}

/// Reads the experiments that are known, by name.
///
/// # Errors
/// When facts cannot be read, or the question names what is not there.
pub fn experiments(books: &Books, question: &Question) -> Result<Vec<Experiment>, ExperimentError> {
    let (people, stated) = stated(books, question.end)?;
    if let Some(name) = question.experiment.as_ref().filter(|name| !stated.contains_key(*name)) {
        let known = listed(stated.keys());
        return Err(ExperimentError::NoExperiment { name: name.clone(), known });
    }
    let looked_at =
        stated.into_iter().filter(|(name, _)| question.experiment.as_ref().is_none_or(|asked| asked == name));
    looked_at.map(|(name, stated)| experiment(books, &people, question, name, stated)).collect()
}

fn listed<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.cloned().collect::<Vec<_>>().join(", ")
}

/// Reads who saw what before a day, by experiment.
fn stated(books: &Books, end: Day) -> Result<(std::sync::Arc<People>, BTreeMap<String, Stated>), EngineError> {
    let mut found: BTreeMap<String, Stated> = BTreeMap::new();
    let load = |with_visits: bool| {
        books.cubes.people.find_or_make((with_visits, Vec::new(), Attribution::default()), || {
            Ok(People::load(books, with_visits, &[], &|customer| journey::first_paid(books, customer))?)
        })
    };
    let mut people = load(false)?;
    if !books.has_facts("experiment_arm")? {
        return Ok((people, found));
    }
    let texts = ["experiment", "customer", "arm", "control"].map(str::to_owned).into_iter().collect();
    let days = std::iter::once("assigned".to_owned()).collect();
    let facts = books.shelf.get(books, "experiment_arm", Wanted { texts, days, ..Wanted::default() })?;
    let (Some(names), Some(units), Some(arms)) =
        (facts.texts("experiment"), facts.texts("customer"), facts.texts("arm"))
    else {
        return Ok((people, found));
    };
    let mut parties: Vec<Option<u32>> = units.texts.iter().map(|unit| party(books, &people, unit)).collect();
    if parties.iter().any(Option::is_none) && books.has_facts("visit")? {
        // Only visits can tell who a visitor is, and there are many of them: they are read where an id is not known without.
        people = load(true)?;
        parties = units.texts.iter().map(|unit| party(books, &people, unit)).collect();
    }
    let controls = facts.texts("control");
    for (fact, day) in facts.days("assigned").iter().copied().enumerate() {
        if day == NO_DAY || day >= end.0 || units.codes[fact] == NO_CODE {
            continue;
        }
        let (Some(name), Some(unit), Some(arm)) = (names.of(fact), units.of(fact), arms.of(fact)) else { continue };
        let person = match parties.get(units.codes[fact] as usize).copied().flatten() {
            Some(party) => Person::Party(party),
            None => Person::Unknown(unit.to_owned()),
        };
        let stated = found.entry(name.to_owned()).or_default();
        let seen = stated.people.entry(person).or_default().entry(arm.to_owned()).or_insert(day);
        *seen = day.min(*seen);
        if controls.and_then(|controls| controls.of(fact)) == Some("true") {
            stated.controls.insert(arm.to_owned());
        }
    }
    Ok((people, found))
}

/// The party of the unit of an experiment, whatever sort of id it is.
fn party(books: &Books, people: &People, unit: &str) -> Option<u32> {
    let numberings = books.shelf.numberings(books);
    ["customer", "user", "lead", "visitor"].iter().find_map(|sort| {
        let number = numberings.of(books, sort).find(unit)?;
        people.party(sort, number)
    })
}

/// Which arm is the control, and whether that was assumed.
fn control(
    name: &str,
    arms: &[String],
    stated: &Stated,
    question: &Question,
) -> Result<(usize, bool), ExperimentError> {
    let place = |wanted: &str| arms.iter().position(|arm| arm == wanted);
    if let Some(asked) = &question.control {
        return place(asked).map(|place| (place, false)).ok_or_else(|| ExperimentError::NoArm {
            experiment: name.to_owned(),
            arm: asked.clone(),
            known: listed(arms.iter()),
        });
    }
    if let (Some(only), 1) = (stated.controls.first(), stated.controls.len()) {
        return Ok((place(only).unwrap_or_default(), false));
    }
    Ok((place("control").unwrap_or_default(), true))
}

/// The planned share of each arm.
fn shares(name: &str, arms: &[String], question: &Question) -> Result<Vec<f64>, ExperimentError> {
    if question.shares.is_empty() {
        return Ok(vec![1.0 / arms.len() as f64; arms.len()]);
    }
    let all: f64 = question.shares.iter().map(|(_, share)| share).sum();
    let of = |arm: &String| question.shares.iter().find(|(named, _)| named == arm).map(|(_, share)| share / all);
    let found: Option<Vec<f64>> = arms.iter().map(of).collect();
    found.filter(|found| found.len() == question.shares.len()).ok_or_else(|| ExperimentError::Shares {
        experiment: name.to_owned(),
        named: listed(question.shares.iter().map(|(arm, _)| arm)),
        known: listed(arms.iter()),
    })
}

fn experiment(
    books: &Books,
    people: &People,
    question: &Question,
    name: String,
    stated: Stated,
) -> Result<Experiment, ExperimentError> {
    let named: BTreeSet<String> = stated.people.values().flat_map(|arms| arms.keys().cloned()).collect();
    let mut arms: Vec<String> = named.into_iter().collect();
    let (control, control_is_assumed) = control(&name, &arms, &stated, question)?;
    let first = arms.remove(control);
    arms.insert(0, first);
    let shares = shares(&name, &arms, question)?;
    let number: HashMap<&str, usize> = arms.iter().enumerate().map(|(place, arm)| (arm.as_str(), place)).collect();
    let mut arrivals: Vec<(i32, usize)> = Vec::new();
    let mut outcomes: BTreeMap<Measure, Vec<Outcome>> = BTreeMap::new();
    let mut in_several_arms = 0;
    for (person, seen) in &stated.people {
        let (Some((arm, day)), 1) = (seen.first_key_value(), seen.len()) else {
            in_several_arms += 1;
            continue;
        };
        let Some(arm) = number.get(arm.as_str()).copied() else { continue };
        arrivals.push((*day, arm));
        let customer = match person {
            Person::Party(party) => people.customer(*party),
            Person::Unknown(_) => None,
        };
        for (measure, outcome) in outcomes_of(books, customer, arm, *day, question) {
            outcomes.entry(measure).or_default().push(outcome);
        }
    }
    let comparisons = (arms.len().saturating_sub(1) * question.measures.len()).max(1);
    let mut readings: Vec<Vec<(Measure, Reading)>> = vec![Vec::new(); arms.len()];
    for entry in MEASURES.iter().filter(|entry| question.measures.contains(&entry.measure)) {
        let rule =
            Rule { alpha: question.alpha / comparisons as f64, effect: question.effect, direction: entry.direction };
        let own = outcomes.get(&entry.measure).map_or(&[][..], Vec::as_slice);
        for (arm, reading) in read(own, arms.len(), 0, &rule).into_iter().enumerate() {
            readings[arm].push((entry.measure, reading));
        }
    }
    let days = arrivals.iter().map(|(day, _)| *day);
    let days = (Day(days.clone().min().unwrap_or_default()), Day(days.max().unwrap_or_default()));
    let sample_ratio = sample_ratio(&arrivals, &shares);
    let arms = arms
        .into_iter()
        .zip(shares)
        .zip(readings)
        .enumerate()
        .map(|(place, ((name, share), readings))| Arm {
            name,
            exposed: arrivals.iter().filter(|(_, arm)| *arm == place).count() as u64,
            share,
            readings,
        })
        .collect();
    Ok(Experiment { name, days, arms, control_is_assumed, sample_ratio, in_several_arms })
}

/// What became of one person, as far as it is final.
fn outcomes_of(
    books: &Books,
    customer: Option<u32>,
    arm: usize,
    seen: i32,
    question: &Question,
) -> Vec<(Measure, Outcome)> {
    let ledger = &books.ledger;
    let rows = match customer {
        Some(customer) if (customer as usize) < ledger.customers() => ledger.of_customer(customer as usize),
        _ => 0..0,
    };
    let until = seen.saturating_add(question.window_days);
    let (mut before, mut mrr, mut by_the_year) = (0i128, 0i128, 0i128);
    let mut first_paid = None;
    for row in rows.clone().take_while(|row| ledger.day[*row] < until) {
        let delta = i128::from(ledger.delta_micros[row]);
        if ledger.kind[row] == Kind::New {
            first_paid = first_paid.or(Some(ledger.day[row]));
        }
        if ledger.day[row] < seen {
            before += delta;
        }
        mrr += delta;
        let offer = books.facts.offers.get(ledger.offer[row] as usize);
        if offer.is_some_and(|offer| is_yearly(offer.interval, offer.interval_count)) {
            by_the_year += delta;
        }
    }
    let mut found = Vec::new();
    let flag = |holds: bool| f64::from(u8::from(holds));
    if until <= question.end.0 {
        let mut add = |measure: Measure, value: f64| found.push((measure, Outcome { day: until - 1, arm, value }));
        let paid_micros = mrr as f64 / MICROS as f64;
        add(Measure::MrrPerPerson, paid_micros);
        if first_paid.is_none_or(|day| day >= seen) {
            add(Measure::Conversion, flag(first_paid.is_some()));
        }
        if mrr > 0 {
            add(Measure::Arpa, paid_micros);
            add(Measure::Yearly, flag(by_the_year > 0));
        }
    }
    // Who paid before is looked at from the day on which the arm was seen.
    let from = if before > 0 { Some(seen) } else { first_paid.filter(|day| *day >= seen) };
    if let Some((from, last)) = from.map(|from| (from, from.saturating_add(question.churn_days)))
        && last <= question.end.0
    {
        let mut later = rows.filter(|row| (from..last).contains(&ledger.day[*row]));
        let left = later.any(|row| ledger.kind[row] == Kind::Churn);
        found.push((Measure::Churn, Outcome { day: last - 1, arm, value: flag(left) }));
    }
    found.retain(|(measure, _)| question.measures.contains(measure));
    found
}

/// Whether someone pays for a year or more at a time.
pub(super) fn is_yearly(interval: Interval, count: i32) -> bool {
    match interval {
        Interval::Year => true,
        Interval::Quarter => count >= 4,
        Interval::Month => count >= 12,
        Interval::Week => count >= 52,
        Interval::Day => count >= 360,
        Interval::OneOff => false,
    }
}
