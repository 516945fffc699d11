//! What a figure is made of, fact by fact: which row of which file adds how much to which measure.
//!
//! Measures that are counted from facts as data ([`Tally`]) are opened by the same conditions and segments that count
//! them, so that the values listed add up to the measure. Measures with a way of their own have a function here.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use num_rational::BigRational;
use num_traits::{Signed, Zero};
use revenue::{
    calendar::{Day, Grain},
    money::MICROS,
};

use super::{
    Days, EngineError, Question, Solver,
    billing::{cash_sign, in_reporting_of},
    business,
    collection::{self, failures},
    decimal, journey,
    label::Labels,
    people_of, rounded,
    segment::OUTSIDE,
    tally::{
        Chosen, Currencies, PICOS, Source, UNTIL,
        classify::{Classes, Classifier},
        effective, months_told, want,
    },
    window_days,
};
use crate::{
    books::Books,
    catalogue::{
        Measure, Unit,
        measure::{Tally, What},
    },
    kind::{Kind, ValueKind},
    observed::{NO_DAY, NO_ID, NO_INSTANT, Observed, Wanted, value_of_column},
};

/// One fact, and what it adds to a measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    /// The measure.
    pub measure: &'static Measure,
    /// The kind of fact, as it is imported.
    pub kind: &'static str,
    /// Which fact it is, by what the source calls it.
    pub fact: String,
    /// The day on which it counts.
    pub day: Day,
    /// Whom it is about.
    pub who: String,
    /// Its values in the dimensions that were asked for.
    pub segment: Vec<String>,
    /// What it adds; of a percentile what was measured; money in major units of the reporting currency.
    pub value: BigRational,
    /// What the value is of.
    pub unit: Unit,
    /// The import that brought it.
    pub import: i64,
    /// The row of its file.
    pub row: i64,
}

/// What a figure is made of.
#[derive(Debug, Default)]
pub struct Contributions {
    /// The facts, by measure and day.
    pub facts: Vec<Contribution>,
    /// Measures whose facts are not listed.
    pub not_listed: Vec<&'static Measure>,
}

/// The facts under one measure, those that add most first.
pub struct OfMeasure<'c> {
    /// The measure.
    pub measure: &'static Measure,
    /// Its facts.
    pub facts: Vec<&'c Contribution>,
    /// What they add up to.
    pub sum: BigRational,
}

impl Contributions {
    /// The facts by measure, in the order in which the metric names these.
    #[must_use]
    pub fn by_measure(&self) -> Vec<OfMeasure<'_>> {
        let mut found: Vec<OfMeasure<'_>> = Vec::new();
        for fact in &self.facts {
            let place = found.iter().position(|of| of.measure == fact.measure).unwrap_or_else(|| {
                found.push(OfMeasure { measure: fact.measure, facts: Vec::new(), sum: BigRational::zero() });
                found.len() - 1
            });
            found[place].sum += &fact.value;
            found[place].facts.push(fact);
        }
        for of in &mut found {
            // A stable sort: equal ones stay in order of day.
            of.facts.sort_by_key(|fact| std::cmp::Reverse(fact.value.abs()));
        }
        found
    }
}

/// What a fact adds as a decimal: money with every decimal that it has, else as many as are needed.
#[must_use]
pub fn value_text(value: &BigRational, unit: Unit, currency_decimals: u32) -> String {
    match unit {
        Unit::Money => decimal(value, 6, currency_decimals),
        _ => decimal(value, 12, 0),
    }
}

/// Whether a measure is a sum over the movements of the ledger.
#[must_use]
pub fn is_of_the_ledger(measure: &Measure) -> bool {
    measure.tally.is_none() && measure.needs.contains(&"subscription") && !journey::counts(measure.id)
}

/// Whether a measure is counted from other facts than those of the ledger.
#[must_use]
pub fn is_of_facts(measure: &Measure) -> bool {
    !is_of_the_ledger(measure) && (!measure.needs.is_empty() || measure.id == business::MARGIN)
}

/// Columns that say whom a fact is about.
const WHO: &[&str] = &["customer", "user", "visitor", "lead", "vendor", "channel"];

/// Opens the first period of a question: the facts under every measure of its metrics.
///
/// # Errors
/// As [`super::answer`].
pub fn contributions(books: &Books, question: &Question) -> Result<Contributions, EngineError> {
    let solver = Solver::new(books, question)?;
    let mut found = Contributions::default();
    let Some(period) = solver.asked.iter().find_map(|(_, counted)| *counted) else { return Ok(found) };
    let mut opened: Vec<(&'static Measure, Days)> = Vec::new();
    for input in question.metrics.iter().flat_map(|metric| &metric.inputs) {
        let days = window_days(input.window, &period, question.grain, solver.first_fact);
        let days = solver.shifted(input.measure, days);
        let parts = solver.business.made_of(input.measure, days);
        for part in parts.unwrap_or_else(|| vec![(input.measure, days)]) {
            if is_of_facts(part.0) && !opened.contains(&part) {
                opened.push(part);
            }
        }
    }
    let measures: Vec<&'static Measure> = opened.iter().map(|(measure, _)| *measure).collect();
    let dimensions: Vec<String> = question.dimensions().into_iter().collect();
    let known = |name: &str| solver.made.segmentation.attributes(name).is_some();
    let people = people_of(books, question, &measures, &dimensions, &known)?;
    let opener = Opener {
        books,
        question,
        classifier: Classifier::new(&question.by, &question.filters, &solver.made.segmentation, &people),
    };
    let mut labels = Labels::new(&solver.made.segmentation.labels);
    for (measure, days) in opened {
        if let Some(tally) = effective(books, measure)? {
            opener.tallied(measure, tally, days, &mut labels, &mut found.facts)?;
        } else if collection::counts_payments(measure.id) {
            opener.failures(measure, days, &mut labels, &mut found.facts)?;
        } else if measure.id == "cash_received" {
            opener.received(measure, days, &mut labels, &mut found.facts)?;
        } else if !found.not_listed.contains(&measure) {
            found.not_listed.push(measure);
        }
    }
    Ok(found)
}

struct Opener<'a> {
    books: &'a Books,
    question: &'a Question,
    classifier: Classifier<'a>,
}

/// The facts of a kind, with what is shown of each.
struct Shown {
    observed: std::sync::Arc<Observed>,
    classes: Classes,
    kind: &'static Kind,
    key: Vec<&'static str>,
    who: Vec<&'static str>,
}

impl Shown {
    /// What the source calls a fact: its own id, else all that tells it apart.
    fn name(&self, fact: usize) -> String {
        let text = |name: &&str| self.observed.texts(name).and_then(|coded| coded.of(fact));
        if let Some(own) = self.kind.key.first().filter(|own| self.key.contains(own)).and_then(text) {
            return own.to_owned();
        }
        self.key.iter().filter_map(text).collect::<Vec<_>>().join("/")
    }

    /// A fact as a contribution.
    fn contribution(
        &self,
        fact: usize,
        measure: &'static Measure,
        day: i32,
        value: BigRational,
        labels: &Labels,
    ) -> Contribution {
        let text = |name: &&str| self.observed.texts(name).and_then(|coded| coded.of(fact));
        let (import, row) = self.observed.origins().get(fact).copied().unwrap_or_default();
        Contribution {
            measure,
            kind: self.kind.name,
            fact: self.name(fact),
            day: Day(day),
            who: self.who.iter().find_map(text).unwrap_or_default().to_owned(),
            segment: labels.of(self.classes.of(fact) as usize).to_vec(),
            value,
            unit: measure.unit,
            import,
            row,
        }
    }
}

impl Opener<'_> {
    /// Reads the facts of a kind with the columns that are wanted, and those that are shown.
    fn shown(
        &self,
        table: &'static str,
        mut wanted: Wanted,
        across: &[&str],
        labels: &mut Labels,
    ) -> Result<Option<Shown>, EngineError> {
        let Some(kind) = Kind::parse(table) else { return Ok(None) };
        if !self.books.has_facts(table)? {
            return Ok(None);
        }
        let is_text = |name: &&&str| {
            value_of_column(table, name).is_some_and(|value| !matches!(value, ValueKind::Moment | ValueKind::Day))
        };
        let key: Vec<&'static str> = kind.key.iter().filter(is_text).copied().collect();
        let who: Vec<&'static str> =
            WHO.iter().filter(is_text).filter(|name| key.first() != Some(name)).copied().collect();
        wanted.texts.extend(key.iter().chain(&who).map(|name| (*name).to_owned()));
        wanted.origins = true;
        self.classifier.want(table, &mut wanted);
        let observed = self.books.shelf.get(self.books, table, wanted)?;
        let classes = self.classifier.classes(table, &observed, across, labels);
        Ok(Some(Shown { observed, classes, kind, key, who }))
    }

    fn tallied(
        &self,
        measure: &'static Measure,
        tally: Tally,
        days: Days,
        labels: &mut Labels,
        found: &mut Vec<Contribution>,
    ) -> Result<(), EngineError> {
        let mut told: BTreeSet<i32> = BTreeSet::new();
        for (source, tally) in Source::of(tally) {
            let mut wanted = Wanted::default();
            want(&tally, &mut wanted);
            let Some(shown) = self.shown(tally.table, wanted, tally.across, labels)? else { continue };
            let mut rows = self.rows(&shown, &tally, days, |day| {
                source == Source::StandIn && told.contains(&Day(day).first_of(Grain::Month).0)
            })?;
            if source == Source::Preferred {
                told = months_told(&tally, &shown.observed, &self.question.assumptions);
            }
            rows.sort_by_key(|(fact, day, _)| (*day, shown.observed.origins().get(*fact).copied()));
            let rows = rows.into_iter();
            found.extend(rows.map(|(fact, day, value)| shown.contribution(fact, measure, day, value, labels)));
        }
        Ok(())
    }

    /// What each fact adds, with the day on which it counts.
    fn rows(
        &self,
        shown: &Shown,
        tally: &Tally,
        days: Days,
        passed_over: impl Fn(i32) -> bool,
    ) -> Result<Vec<(usize, i32, BigRational)>, EngineError> {
        let observed = &shown.observed;
        let chosen = Chosen::new(tally, observed, &self.question.assumptions);
        let (at, until) = (observed.days(tally.at), observed.days(UNTIL));
        let last_day = |fact: usize| until.get(fact).copied().unwrap_or(NO_DAY).max(at[fact]);
        let is_balance = matches!(tally.what, What::Balance { .. });
        let facts: Vec<usize> = (0..observed.len())
            .filter(|fact| {
                at[*fact] != NO_DAY
                    && at[*fact] < days.end.0
                    && (is_balance || last_day(*fact) >= days.start.0)
                    && shown.classes.of(*fact) != OUTSIDE
                    && chosen.holds(*fact)
            })
            .collect();
        let whole = |value: i128| BigRational::from_integer(value.into());
        // The part of a total that falls into the window.
        let part = |fact: usize, total: i128| -> Option<(i32, i128)> {
            let (from, last) = (at[fact], last_day(fact));
            let length = i128::from(last) - i128::from(from) + 1;
            let up_to = |day: i32| rounded(total.saturating_mul(i128::from(day) - i128::from(from)), length);
            let inside: Vec<i32> =
                (from.max(days.start.0)..=last.min(days.end.0 - 1)).filter(|day| !passed_over(*day)).collect();
            let sum = inside.iter().map(|day| up_to(day.saturating_add(1)) - up_to(*day)).sum();
            Some((*inside.first()?, sum))
        };
        let mut rows = Vec::new();
        match tally.what {
            What::Facts => rows.extend(facts.iter().map(|fact| (*fact, at[*fact], whole(1)))),
            What::Distinct(column) | What::DistinctInEach(column) | What::DistinctByDay(column) => {
                let ids = observed.ids(column);
                let mut facts = facts;
                facts.retain(|fact| ids[*fact] != NO_ID);
                facts.sort_by_key(|fact| at[*fact]);
                let mut seen: HashSet<(u32, u32)> = HashSet::new();
                for fact in facts {
                    let apart = match tally.what {
                        What::DistinctInEach(_) => shown.classes.of(fact),
                        What::DistinctByDay(_) => at[fact] as u32,
                        _ => 0,
                    };
                    // Each counts by its first fact.
                    if seen.insert((ids[fact], apart)) {
                        rows.push((fact, at[fact], whole(1)));
                    }
                }
            }
            What::Sum(column) => {
                let picos = observed.picos(column);
                for fact in facts {
                    if let Some((day, sum)) = part(fact, picos[fact].unwrap_or(0)) {
                        rows.push((fact, day, BigRational::new(sum.into(), PICOS.into())));
                    }
                }
            }
            What::Score { scale } => {
                let (scores, scales) = (observed.picos("score"), observed.picos("scale"));
                rows.extend(facts.iter().map(|fact| {
                    let highest = scales[*fact].unwrap_or(i128::from(scale) * PICOS).max(1);
                    (*fact, at[*fact], BigRational::new(scores[*fact].unwrap_or(0).into(), highest.into()))
                }));
            }
            What::Money(column) => {
                let picos = observed.picos(column);
                let currencies = Currencies::new(observed);
                for fact in facts {
                    let Some(picos) = picos[fact] else { continue };
                    let day = Day(at[fact]);
                    let micros = in_reporting_of(self.books, rounded(picos, MICROS), currencies.of(fact)?, day)?;
                    if let Some((day, sum)) = part(fact, micros) {
                        rows.push((fact, day, BigRational::new(sum.into(), MICROS.into())));
                    }
                }
            }
            What::Balance { account, amount } => {
                let (accounts, picos) = (observed.texts(account), observed.picos(amount));
                let currencies = Currencies::new(observed);
                let mut latest: BTreeMap<(u32, Option<&str>, String), usize> = BTreeMap::new();
                for fact in facts.into_iter().filter(|fact| picos[*fact].is_some()) {
                    let currency = currencies.of(fact)?.code().to_owned();
                    let key = (shown.classes.of(fact), accounts.and_then(|coded| coded.of(fact)), currency);
                    let known = latest.entry(key).or_insert(fact);
                    if at[fact] >= at[*known] {
                        *known = fact;
                    }
                }
                for fact in latest.into_values() {
                    let micros = rounded(picos[fact].unwrap_or(0), MICROS);
                    let day = days.end.plus_days(-1);
                    let micros = in_reporting_of(self.books, micros, currencies.of(fact)?, day)?;
                    rows.push((fact, at[fact], BigRational::new(micros.into(), MICROS.into())));
                }
            }
            What::Seconds { from, to } | What::Spans { from, to } | What::Percentile { from, to, .. } => {
                let (from, to) = (observed.instants(from), observed.instants(to));
                let measured = facts.iter().filter(|fact| from[**fact] != NO_INSTANT && to[**fact] != NO_INSTANT);
                rows.extend(measured.map(|fact| {
                    let value = match tally.what {
                        What::Spans { .. } => whole(1),
                        _ => BigRational::new((i128::from(to[*fact]) - i128::from(from[*fact])).into(), MICROS.into()),
                    };
                    (*fact, at[*fact], value)
                }));
            }
        }
        Ok(rows)
    }

    /// Invoices that failed, by their first failure, and the payments that came in for them.
    fn failures(
        &self,
        measure: &'static Measure,
        days: Days,
        labels: &mut Labels,
        found: &mut Vec<Contribution>,
    ) -> Result<(), EngineError> {
        let Some(shown) = self.shown(collection::TABLE, collection::wanted(), &[], labels)? else { return Ok(()) };
        let at = shown.observed.days(collection::AT);
        for failure in failures(&shown.observed) {
            let day = at[failure.first];
            if !(days.start.0..days.end.0).contains(&day) || shown.classes.of(failure.first) == OUTSIDE {
                continue;
            }
            if let Some((fact, value)) = collection::counted_by(measure.id, &failure, at) {
                let value = BigRational::from_integer(value.into());
                found.push(shown.contribution(fact, measure, at[fact], value, labels));
            }
        }
        Ok(())
    }

    /// Payments, refunds and lost disputes.
    fn received(
        &self,
        measure: &'static Measure,
        days: Days,
        labels: &mut Labels,
        found: &mut Vec<Contribution>,
    ) -> Result<(), EngineError> {
        let Some(shown) = self.shown(collection::TABLE, collection::wanted(), &[], labels)? else { return Ok(()) };
        let observed = &shown.observed;
        let (at, picos, statuses) = (observed.days(collection::AT), observed.picos("amount"), observed.texts("status"));
        let currencies = Currencies::new(observed);
        let mut facts: Vec<usize> = (0..observed.len())
            .filter(|fact| (days.start.0..days.end.0).contains(&at[*fact]) && shown.classes.of(*fact) != OUTSIDE)
            .collect();
        facts.sort_by_key(|fact| (at[*fact], observed.origins().get(*fact).copied()));
        for fact in facts {
            let Some(sign) = cash_sign(statuses.and_then(|coded| coded.of(fact))) else { continue };
            let amount = rounded(picos[fact].unwrap_or(0).abs(), MICROS);
            let micros = sign * in_reporting_of(self.books, amount, currencies.of(fact)?, Day(at[fact]))?;
            let value = BigRational::new(micros.into(), MICROS.into());
            found.push(shown.contribution(fact, measure, at[fact], value, labels));
        }
        Ok(())
    }
}
