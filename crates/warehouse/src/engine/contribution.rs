//! What a figure is made of, fact by fact: which row of which file adds how much to which measure.
//!
//! Measures that are counted from facts as data ([`Tally`]) are opened by the same conditions and segments that count
//! them; the modules with ways of their own say what they count as [`Entry`]; sums over the ledger are opened by customer.
//! So the values listed add up to the measure, which is looked at each time. Estimates list what they were estimated
//! from.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use num_rational::BigRational;
use num_traits::{Signed, Zero};
use revenue::{
    calendar::{Day, Grain},
    money::MICROS,
};

use super::{
    Days, EngineError, Question, Solver, billing,
    billing::in_reporting_of,
    business,
    collection::{self, failures},
    cube::{self, cube},
    decimal,
    evidence::{Entry, Evidence},
    health, journey,
    journey::Traveller,
    label::Labels,
    of_cube,
    people::People,
    people_of, rounded,
    segment::{OUTSIDE, Segmentation},
    share::Counted,
    standing::{self, Census, CountedCustomer, Standings},
    tally::{
        Chosen, Currencies, PICOS, Source, UNTIL,
        classify::{Classes, Classifier},
        effective, months_told, want,
    },
    window_days,
};
use crate::{
    books::{Books, Origins},
    catalogue::{
        Measure, Unit, Value,
        measure::{Tally, What},
    },
    kind::{Kind, ValueKind},
    observed::{NO_DAY, NO_ID, NO_INSTANT, Observed, Wanted, value_of_column},
};

/// One fact, and what it adds to a measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
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
    /// What it adds, or what was measured or estimated with; money in major units of the reporting currency.
    pub value: BigRational,
    /// The import that brought it; zero where none did.
    pub import: i64,
    /// The row of its file.
    pub row: i64,
}

/// What the facts listed are to a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// They add up to it.
    Parts,
    /// It was worked out from them in some other way: a percentile, an estimate, an index.
    Basis,
}

impl Role {
    /// The name in lists.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Parts => "part",
            Role::Basis => "basis",
        }
    }
}

/// The facts under one measure over some days.
#[derive(Debug)]
pub struct Opened {
    /// The measure.
    pub measure: &'static Measure,
    /// From the first day on.
    pub from: Day,
    /// To the first day no more.
    pub to: Day,
    /// What the facts are to it.
    pub role: Role,
    /// What the values are of.
    pub unit: Unit,
    /// The facts, by day.
    pub facts: Vec<Contribution>,
    /// The measure as the question counts it; nothing where it is split, or the facts are no parts.
    pub value: Option<BigRational>,
}

impl Opened {
    /// What the facts add up to.
    #[must_use]
    pub fn sum(&self) -> BigRational {
        self.facts.iter().map(|fact| &fact.value).sum()
    }

    /// Whether the facts make the measure, as far as that can be said.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.value.as_ref().is_none_or(|value| *value == self.sum())
    }

    /// The facts, those that add most first.
    #[must_use]
    pub fn largest(&self) -> Vec<&Contribution> {
        let mut facts: Vec<&Contribution> = self.facts.iter().collect();
        // A stable sort: equal ones stay in order of day.
        facts.sort_by_key(|fact| std::cmp::Reverse(fact.value.abs()));
        facts
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

/// Whether a measure is opened by listing movements of MRR: it is MRR at an end, or a sum of movements.
#[must_use]
pub fn is_of_movements(measure: &Measure) -> bool {
    ["mrr_closing", "mrr_opening"].contains(&measure.id)
        || ["movement_", "expansion_"].iter().any(|prefix| measure.id.starts_with(prefix))
}

/// Whether a measure is opened by listing facts, each with what it adds.
#[must_use]
pub fn is_of_facts(measure: &Measure) -> bool {
    !is_of_movements(measure) && (!measure.needs.is_empty() || measure.id == business::MARGIN)
}

/// Estimates from the lives of customers.
const FROM_LIVES: &[&str] = &["survival_lifetime_months", "survival_discounted_months"];
/// Measures of how MRR is spread over customers.
const FROM_SPREAD: &[&str] = &["mrr_top_20", "mrr_largest", "mrr_hhi_numerator"];

/// What the facts listed are to a measure.
/// Movements by customer and segment, as one with the latest of them; who is worth nothing is left out.
fn of_customers(movements: impl FnOnce(&mut dyn FnMut(u32, Entry))) -> Vec<Entry> {
    let mut sums: BTreeMap<(u32, u32), Entry> = BTreeMap::new();
    movements(&mut |customer, entry| {
        let known = sums.entry((customer, entry.segment)).or_insert(Entry { value: 0, ..entry });
        *known = Entry { value: known.value + entry.value, ..entry };
    });
    sums.into_values().filter(|entry| entry.value != 0).collect()
}

fn role_of(measure: &Measure) -> Role {
    let is_percentile = measure.tally.is_some_and(|tally| matches!(tally.what, What::Percentile { .. }));
    match is_percentile || FROM_LIVES.contains(&measure.id) || FROM_SPREAD.contains(&measure.id) {
        true => Role::Basis,
        false => Role::Parts,
    }
}

/// The dimension of customers themselves.
const CUSTOMER: &str = "customer";

/// Columns that say whom a fact is about.
const WHO: &[&str] = &["customer", "user", "visitor", "lead", "vendor", "channel"];

/// Opens the first period of a question: the facts under every measure of its metrics.
///
/// # Errors
/// As [`super::answer`].
pub fn contributions(books: &Books, question: &Question) -> Result<Vec<Opened>, EngineError> {
    let counted = Counted::of(question);
    let question = &counted.question;
    let solver = Solver::new(books, &counted)?;
    let mut found: Vec<Opened> = Vec::new();
    let Some(period) = solver.asked.iter().find_map(|(_, counted)| *counted) else { return Ok(found) };
    // What the whole business is made of is opened for the whole, whatever is asked.
    let mut wanted: Vec<(&'static Measure, Days, bool)> = Vec::new();
    for input in question.metrics.iter().flat_map(|metric| &metric.inputs) {
        let days = window_days(input.window, &period, question.grain, solver.first_fact);
        let days = solver.shifted(input.measure, days);
        let parts = solver.business.made_of(input.measure, days);
        let parts = parts.map(|parts| parts.into_iter().map(|(measure, days)| (measure, days, true)).collect());
        for part in parts.unwrap_or_else(|| vec![(input.measure, days, false)]) {
            if is_of_facts(part.0) && !wanted.contains(&part) {
                wanted.push(part);
            }
        }
    }
    let measures: Vec<&'static Measure> = wanted.iter().map(|(measure, ..)| *measure).collect();
    let dimensions: Vec<String> = question.dimensions().into_iter().collect();
    let known = |name: &str| solver.made.segmentation.attributes(name).is_some();
    let people = people_of(books, question, &measures, &dimensions, &known)?;
    let mut labels = Labels::new(&solver.made.segmentation.labels);
    let opener = Opener {
        books,
        question,
        solver: &solver,
        people: &people,
        classifier: Classifier::new(&question.by, &question.filters, &solver.made.segmentation, &people),
        shown: HashMap::new(),
        origins: OnceCell::new(),
    };
    let of_whole = Segmentation::new(books, &[], &[])?;
    let nobody = People::default();
    let mut whole_labels = Labels::new(&of_whole.labels);
    let whole_opener = Opener {
        books,
        question,
        solver: &solver,
        people: &nobody,
        classifier: Classifier::new(&[], &[], &of_whole, &nobody),
        shown: HashMap::new(),
        origins: OnceCell::new(),
    };
    let mut openers = [(opener, &mut labels), (whole_opener, &mut whole_labels)];
    for (measure, days, is_whole) in wanted {
        let (opener, labels) = &mut openers[usize::from(is_whole)];
        let first = found.len();
        opener.open(measure, days, labels, &mut found)?;
        if !is_whole {
            for opened in found.iter_mut().skip(first) {
                opened.facts = shared_out(&counted, opened.role, std::mem::take(&mut opened.facts));
            }
        }
        let value = match (is_whole, solver.labels.find(&[])) {
            (true, _) => Some(solver.business.sum(books, measure.id, days)),
            (false, Some(segment)) => solver.measure_over(measure, days, segment).number().cloned(),
            (false, None) => None,
        };
        for opened in found.iter_mut().skip(first).filter(|opened| opened.role == Role::Parts) {
            opened.value.clone_from(&value);
        }
    }
    Ok(found)
}

/// Facts with the segments that are shown. Of a customer who belongs to several channels each has its share; what something
/// was worked out from is listed whole.
fn shared_out(counted: &Counted, role: Role, facts: Vec<Contribution>) -> Vec<Contribution> {
    let parts = facts.into_iter().flat_map(|fact| {
        let shares = counted.shares_of(&fact.segment);
        shares.into_iter().map(move |(segment, share)| {
            let value = if role == Role::Parts { &fact.value * share } else { fact.value.clone() };
            Contribution { segment, value, ..fact.clone() }
        })
    });
    parts.collect()
}

struct Opener<'a> {
    books: &'a Books,
    question: &'a Question,
    solver: &'a Solver<'a>,
    people: &'a People,
    classifier: Classifier<'a>,
    /// Facts that were read to be shown.
    shown: HashMap<&'static str, Arc<Shown>>,
    /// Where subscription facts came from.
    origins: OnceCell<Origins>,
}

/// The facts of a kind, with what is shown of each.
struct Shown {
    observed: Arc<Observed>,
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
    fn contribution(&self, fact: usize, day: i32, value: BigRational, segment: Vec<String>) -> Contribution {
        let text = |name: &&str| self.observed.texts(name).and_then(|coded| coded.of(fact));
        let (import, row) = self.observed.origins().get(fact).copied().unwrap_or_default();
        Contribution {
            kind: self.kind.name,
            fact: self.name(fact),
            day: Day(day),
            who: self.who.iter().find_map(text).unwrap_or_default().to_owned(),
            segment,
            value,
            import,
            row,
        }
    }
}

impl Opener<'_> {
    /// Opens one measure.
    fn open(
        &mut self,
        measure: &'static Measure,
        days: Days,
        labels: &mut Labels,
        found: &mut Vec<Opened>,
    ) -> Result<(), EngineError> {
        let id = measure.id;
        let opened = |role: Role, unit: Unit, facts: Vec<Contribution>| {
            let (from, to) = (days.start, days.end);
            Opened { measure, from, to, role, unit, facts, value: None }
        };
        let mut facts: Vec<Contribution> = Vec::new();
        if let Some(tally) = effective(self.books, measure)? {
            self.tallied(tally, days, labels, &mut facts)?;
        } else if collection::counts_payments(id) {
            self.failures(measure, days, labels, &mut facts)?;
        } else if billing::table_of(id).is_some() {
            let mut entries: Vec<Entry> = Vec::new();
            billing::entries(self.books, &self.classifier, labels, &[days], &[id], &mut |_, _, entry| {
                entries.push(entry);
            })?;
            self.entries(entries, billing::unit_of(id), labels, &mut facts)?;
        } else if journey::counts(id) {
            let (entries, unit) = self.traveller(&[days]).entries(measure, days, labels)?;
            self.entries(entries, unit, labels, &mut facts)?;
        } else if standing::counts(id) {
            let judged = self.places(measure, days, labels, &mut facts)?;
            let is_first = !found.iter().any(|opened| standing::is_of_health(opened.measure.id));
            found.push(opened(Role::Parts, measure.unit, facts));
            if standing::is_of_health(id) && is_first {
                let one = BigRational::from_integer(1.into());
                let mut facts: Vec<Contribution> = Vec::with_capacity(judged.len());
                if let Some(shown) = self.facts_of(health::EVENTS)? {
                    let event = |(fact, _, day)| shown.contribution(fact, day, one.clone(), Vec::new());
                    facts.extend(judged.into_iter().map(event));
                }
                facts.sort_by_key(|fact| (fact.day, fact.import, fact.row));
                found.push(opened(Role::Basis, Unit::Count, facts));
            }
            return Ok(());
        } else if id == "trial_mrr_closing" {
            self.entries(self.solver.trials(days.end), MICROS, labels, &mut facts)?;
        } else if id.starts_with("committed_mrr") {
            let annual = id == "committed_mrr_annual_closing";
            // Movements are shown by customer; each announced change for itself.
            let entries = of_customers(|found| self.solver.committed_movements(days.end, annual, found));
            let entries = entries.into_iter().chain(self.solver.committed_changes(days.end, annual)).collect();
            self.entries(entries, MICROS, labels, &mut facts)?;
        } else if id == "mrr_annual_closing" {
            let entries = of_customers(|found| self.solver.movements_before(days.end, true, found));
            self.entries(entries, MICROS, labels, &mut facts)?;
        } else {
            self.by_customer(measure, days, &mut facts)?;
        }
        let unit = match id {
            _ if FROM_LIVES.contains(&id) => Unit::Months,
            _ if FROM_SPREAD.contains(&id) => Unit::Money,
            _ => measure.unit,
        };
        found.push(opened(role_of(measure), unit, facts));
        Ok(())
    }

    /// What counts the measures of the journey, over some windows.
    fn traveller<'t>(&'t self, windows: &'t [Days]) -> Traveller<'t> {
        Traveller {
            books: self.books,
            people: self.people,
            segmentation: &self.solver.made.segmentation,
            by: &self.question.by,
            filters: &self.question.filters,
            assumptions: &self.question.assumptions,
            windows,
            ahead: self.solver.ahead.as_ref(),
        }
    }

    /// The facts of a kind with what is shown of them.
    fn facts_of(&mut self, table: &'static str) -> Result<Option<Arc<Shown>>, EngineError> {
        if let Some(shown) = self.shown.get(table) {
            return Ok(Some(Arc::clone(shown)));
        }
        let shown = self.shown(table, Wanted::default())?.map(Arc::new);
        if let Some(shown) = &shown {
            self.shown.insert(table, Arc::clone(shown));
        }
        Ok(shown)
    }

    /// Entries as contributions, by day and the rows of the files.
    fn entries(
        &mut self,
        mut entries: Vec<Entry>,
        unit: i128,
        labels: &Labels,
        found: &mut Vec<Contribution>,
    ) -> Result<(), EngineError> {
        entries.retain(|entry| entry.segment != OUTSIDE);
        let mut listed: Vec<Contribution> = Vec::with_capacity(entries.len());
        for entry in entries {
            let value = BigRational::new(entry.value.into(), unit.into());
            let segment = labels.of(entry.segment as usize).to_vec();
            match entry.evidence {
                Evidence::Fact(table, fact) => {
                    if let Some(shown) = self.facts_of(table)? {
                        listed.push(shown.contribution(fact, entry.day, value, segment));
                    }
                }
                Evidence::Subscription { customer, item, fact } => {
                    listed.push(self.subscription(customer, item, fact, entry.day, value, segment)?);
                }
            }
        }
        listed.sort_by_key(|fact| (fact.day, fact.import, fact.row));
        found.extend(listed);
        Ok(())
    }

    /// A subscription fact as a contribution.
    fn subscription(
        &self,
        customer: u32,
        item: u32,
        fact: u32,
        day: i32,
        value: BigRational,
        segment: Vec<String>,
    ) -> Result<Contribution, EngineError> {
        let origins = match self.origins.get() {
            Some(origins) => origins,
            None => {
                let origins = Origins::load(self.books)?;
                self.origins.get_or_init(|| origins)
            }
        };
        let origin = origins.of(fact);
        Ok(Contribution {
            kind: "subscriptions",
            fact: self.books.item_id(item),
            day: Day(day),
            who: self.books.customer_id(customer),
            segment,
            value,
            import: origin.map_or(0, |origin| origin.import.id),
            row: origin.map_or(0, |origin| i64::from(origin.row)),
        })
    }

    /// A sum over the ledger by customer, each with the fact that last moved it. Of an estimate the lives, or the MRR, of
    /// the customers that it rests on.
    fn by_customer(
        &self,
        measure: &'static Measure,
        days: Days,
        found: &mut Vec<Contribution>,
    ) -> Result<(), EngineError> {
        let books = self.books;
        let id = measure.id;
        let mut by = self.question.by.clone();
        by.push(CUSTOMER.to_owned());
        let segmentation = self.solver.made.segmentation.with_fewer(books, &by, &self.question.filters);
        let wanted = cube::Wanted {
            spread: FROM_SPREAD.contains(&id),
            lifetimes: id.starts_with("lifetime"),
            survival: FROM_LIVES.contains(&id),
            subscriptions: (id == "subscriptions_closing").then(|| books.subscriptions_of_items()),
        };
        let free = books.view.policy.free_is_customer;
        let ledger = &books.ledger;
        let cube = cube(ledger, &segmentation, &[days], &wanted, free);
        for (segment, label) in segmentation.labels.iter().enumerate() {
            let Some((customer, label)) = label.split_last() else { continue };
            let (Some(customer), Some(place)) = (books.customer_of_id(customer), cube.place(days, segment)) else {
                continue;
            };
            let rows = ledger.of_customer(customer as usize);
            let Some(last) = rows.take_while(|row| ledger.day[*row] < days.end.0).last() else { continue };
            let values: Vec<BigRational> = if wanted.survival {
                let lives = cube.survival.get(place).map_or(&[][..], Vec::as_slice);
                lives.iter().map(|life| BigRational::from_integer(life.time.into())).collect()
            } else if wanted.spread {
                let mrr = cube.spread.get(place).map_or(&[][..], Vec::as_slice);
                mrr.iter().map(|micros| BigRational::new((*micros).into(), MICROS.into())).collect()
            } else {
                let value = of_cube(&cube, place, id);
                value.as_ref().and_then(Value::number).filter(|value| !value.is_zero()).cloned().into_iter().collect()
            };
            for value in values {
                let (item, fact) = (ledger.subscription[last], ledger.fact[last]);
                found.push(self.subscription(customer, item, fact, ledger.day[last], value, label.to_vec())?);
            }
        }
        found.sort_by(|a, b| (a.day, &a.who, &a.segment).cmp(&(b.day, &b.who, &b.segment)));
        Ok(())
    }

    /// Customers by where they stand; and the product events that their health was judged by.
    fn places(
        &mut self,
        measure: &'static Measure,
        days: Days,
        labels: &mut Labels,
        found: &mut Vec<Contribution>,
    ) -> Result<Vec<(usize, u32, i32)>, EngineError> {
        let books = self.books;
        let standings = Standings::new(books)?;
        let census = Census {
            books,
            people: self.people,
            segmentation: &self.solver.made.segmentation,
            by: &self.question.by,
            filters: &self.question.filters,
            attribution: self.question.assumptions.attribution,
        };
        let (counted, unit) = census.counted(measure, days.end, &standings, labels)?;
        let mut judged: Vec<(usize, u32, i32)> = Vec::new();
        if let Some(model) = standings.model.as_ref().filter(|_| standing::is_of_health(measure.id)) {
            let looked_at: HashSet<u32> = counted.iter().map(|one| one.customer).collect();
            judged = model.judged_by(books, days.end)?;
            judged.retain(|(_, customer, _)| looked_at.contains(customer));
        }
        let mut shown_by: HashMap<u32, (i32, Evidence)> = HashMap::new();
        for (fact, customer, day) in &judged {
            let entry = (*day, Evidence::Fact(health::EVENTS, *fact));
            let last = shown_by.entry(*customer).or_insert(entry);
            if last.0 < *day {
                *last = entry;
            }
        }
        let ledger = &books.ledger;
        let unknown = |customer: &u32, shown_by: &HashMap<u32, (i32, Evidence)>| !shown_by.contains_key(customer);
        for customer in counted.iter().map(|one| &one.customer) {
            let rows = ledger.of_customer(*customer as usize).take_while(|row| ledger.day[*row] < days.end.0);
            if let Some(row) = rows.last().filter(|_| unknown(customer, &shown_by)) {
                shown_by.insert(*customer, (ledger.day[row], Evidence::of_row(ledger, *customer, row)));
            }
        }
        // Who never paid is known by what names the customer.
        for (table, at) in [("customer", "signed_up"), ("trial", "start")] {
            if counted.iter().all(|one| !unknown(&one.customer, &shown_by)) || !books.has_facts(table)? {
                continue;
            }
            let mut columns = Wanted::default();
            columns.ids.insert(CUSTOMER.to_owned());
            columns.days.insert(at.to_owned());
            let Some(shown) = self.shown(table, columns)? else { continue };
            let stated = shown.observed.days(at);
            for (fact, customer) in shown.observed.ids(CUSTOMER).iter().enumerate().filter(|(_, id)| **id != NO_ID) {
                let day = if stated[fact] == NO_DAY { days.end.0 - 1 } else { stated[fact] };
                if day < days.end.0 {
                    shown_by.entry(*customer).or_insert((day, Evidence::Fact(table, fact)));
                }
            }
        }
        if counted.iter().any(|one| unknown(&one.customer, &shown_by)) {
            let first: std::sync::Mutex<Vec<(u32, i32, Evidence)>> = std::sync::Mutex::default();
            books.over_shares(|customer, spans| {
                if let Some(span) = spans.first() {
                    let day = books.ticks.day(span.from).0;
                    let mut first = first.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    first.push((customer, day, Evidence::of_span(customer, span)));
                }
            });
            for (customer, day, evidence) in first.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
                shown_by.entry(customer).or_insert((day, evidence));
            }
        }
        let entry = |one: CountedCustomer| {
            let (day, evidence) = *shown_by.get(&one.customer)?;
            Some(Entry { segment: one.segment, day, value: one.value, evidence })
        };
        let entries: Vec<Entry> = counted.into_iter().filter_map(entry).collect();
        self.entries(entries, unit, labels, found)?;
        Ok(judged)
    }

    /// Reads the facts of a kind with the columns that are wanted, and those that are shown.
    fn shown(&self, table: &'static str, mut wanted: Wanted) -> Result<Option<Shown>, EngineError> {
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
        let observed = self.books.shelf.get(self.books, table, wanted)?;
        Ok(Some(Shown { observed, kind, key, who }))
    }

    /// As [`Opener::shown`], with the segment of each.
    fn classified(
        &self,
        table: &'static str,
        mut wanted: Wanted,
        across: &[&str],
        labels: &mut Labels,
    ) -> Result<Option<(Shown, Classes)>, EngineError> {
        self.classifier.want(table, &mut wanted);
        let Some(shown) = self.shown(table, wanted)? else { return Ok(None) };
        let classes = self.classifier.classes(table, &shown.observed, across, labels);
        Ok(Some((shown, classes)))
    }

    fn tallied(
        &self,
        tally: Tally,
        days: Days,
        labels: &mut Labels,
        found: &mut Vec<Contribution>,
    ) -> Result<(), EngineError> {
        let mut told: BTreeSet<i32> = BTreeSet::new();
        for (source, tally) in Source::of(tally) {
            let mut wanted = Wanted::default();
            want(&tally, &mut wanted);
            let Some((shown, classes)) = self.classified(tally.table, wanted, tally.across, labels)? else { continue };
            let observed = &shown.observed;
            let mut rows = self.rows(observed, &classes, &tally, days, |day| {
                source == Source::StandIn && told.contains(&Day(day).first_of(Grain::Month).0)
            })?;
            if source == Source::Preferred {
                told = months_told(&tally, observed, &self.question.assumptions);
            }
            rows.sort_by_key(|(fact, day, _)| (*day, observed.origins().get(*fact).copied()));
            let segment = |fact: usize| labels.of(classes.of(fact) as usize).to_vec();
            let rows = rows.into_iter();
            found.extend(rows.map(|(fact, day, value)| shown.contribution(fact, day, value, segment(fact))));
        }
        Ok(())
    }

    /// What each fact adds, with the day on which it counts.
    fn rows(
        &self,
        observed: &Observed,
        classes: &Classes,
        tally: &Tally,
        days: Days,
        passed_over: impl Fn(i32) -> bool,
    ) -> Result<Vec<(usize, i32, BigRational)>, EngineError> {
        let chosen = Chosen::new(tally, observed, &self.question.assumptions);
        let (at, until) = (observed.days(tally.at), observed.days(UNTIL));
        let last_day = |fact: usize| until.get(fact).copied().unwrap_or(NO_DAY).max(at[fact]);
        let is_balance = matches!(tally.what, What::Balance { .. });
        let facts: Vec<usize> = (0..observed.len())
            .filter(|fact| {
                at[*fact] != NO_DAY
                    && at[*fact] < days.end.0
                    && (is_balance || last_day(*fact) >= days.start.0)
                    && classes.of(*fact) != OUTSIDE
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
                        What::DistinctInEach(_) => classes.of(fact),
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
                    let key = (classes.of(fact), accounts.and_then(|coded| coded.of(fact)), currency);
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
        let columns = collection::wanted();
        let Some((shown, classes)) = self.classified(collection::TABLE, columns, &[], labels)? else { return Ok(()) };
        let at = shown.observed.days(collection::AT);
        for failure in failures(&shown.observed) {
            let day = at[failure.first];
            if !(days.start.0..days.end.0).contains(&day) || classes.of(failure.first) == OUTSIDE {
                continue;
            }
            if let Some((fact, value)) = collection::counted_by(measure.id, &failure, at) {
                let segment = labels.of(classes.of(failure.first) as usize).to_vec();
                found.push(shown.contribution(fact, at[fact], BigRational::from_integer(value.into()), segment));
            }
        }
        Ok(())
    }
}
