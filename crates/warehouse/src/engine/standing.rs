//! Where customers stand at a day: whale, core, at-risk, trial, free or churned. Each is in exactly one.
//!
//! The customers are those of the ledger and those whom facts about customers or trials name. A customer is known from
//! the day of the sign-up that a fact states, else from the first thing that a subscription or a trial says of them;
//! where no fact gives a day they were always known. Whoever is known and never paid is free, unless a trial is running.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
};

use outlook::segment::{Customer, Risk, Segment, Standing, standings};
use rayon::prelude::*;
use revenue::{calendar::Day, money::MICROS, movement::Kind as MovementKind};

use super::{
    EngineError,
    health::Model,
    label::Labels,
    people::{Attribution, People, TOUCHED},
    segment::{Filter, OUTSIDE, STANDING, Segmentation, UNKNOWN},
    tally::Counted,
};
use crate::{
    books::{Attributes, Books},
    catalogue::Measure,
    observed::{NO_DAY, NO_ID, Observed, Wanted},
};

/// Health is compared with what it was so many days before.
const TREND_DAYS: i32 = 28;

/// What a measure of this module counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    /// Customers, whatever they are.
    Everyone,
    /// Paying customers whose health is known.
    Judged,
    /// The sum of their health.
    Points,
    /// Paying customers at risk.
    AtRisk,
    /// Paying customers whose health fell.
    Falling,
}

fn count_of(id: &str) -> Option<Count> {
    match id {
        "customers_in_segments" => Some(Count::Everyone),
        "customers_with_health" => Some(Count::Judged),
        "health_points" => Some(Count::Points),
        "customers_low_or_falling" => Some(Count::AtRisk),
        "customers_falling" => Some(Count::Falling),
        _ => None,
    }
}

impl Count {
    /// What a customer adds.
    fn of(self, place: &Place) -> i128 {
        match (self, place.known.health) {
            (Count::Everyone, _) | (Count::Judged, Some(_)) => 1,
            (Count::Points, Some(health)) => i128::from(points_micros(health)),
            (Count::AtRisk, _) => i128::from(place.standing.is_at_risk),
            (Count::Falling, _) => i128::from(place.is_falling),
            (Count::Judged | Count::Points, None) => 0,
        }
    }

    /// How many of its units make one.
    fn unit(self) -> i128 {
        if self == Count::Points { MICROS } else { 1 }
    }
}

/// Whether a measure is counted here.
#[must_use]
pub fn counts(id: &str) -> bool {
    count_of(id).is_some()
}

/// Whether a measure looks at the health of customers and says nothing without it.
#[must_use]
pub fn is_of_health(id: &str) -> bool {
    count_of(id).is_some_and(|count| count != Count::Everyone)
}

/// The columns of the facts that name customers; further ones by which they are told apart.
#[must_use]
pub fn wants(dimensions: &[String]) -> Vec<(&'static str, Wanted)> {
    let (mut customers, mut trials) = (Wanted::default(), Wanted::default());
    customers.ids.insert("customer".to_owned());
    customers.days.insert("signed_up".to_owned());
    customers.texts.extend(dimensions.iter().filter(|name| *name != STANDING).cloned());
    trials.ids.insert("customer".to_owned());
    trials.days.extend(["start", "end", "converted"].map(str::to_owned));
    vec![("customer", customers), ("trial", trials)]
}

/// A trial: when it began, ended and turned into paying, in days; [`NO_DAY`] where that is not known.
#[derive(Debug, Clone, Copy)]
struct Trial {
    customer: u32,
    start: i32,
    end: i32,
    converted: i32,
}

/// Who is known from when, and who tries when.
#[derive(Debug, Default)]
pub struct Known {
    /// By the number of the customer; [`i32::MAX`] for one of whom none of these facts speaks.
    from: Vec<i32>,
    trials: Vec<Trial>,
}

impl Known {
    /// Reads who is known.
    ///
    /// # Errors
    /// When facts cannot be read.
    pub fn load(books: &Books) -> Result<Known, EngineError> {
        let of_kinds = wants(&[]);
        let mut read: BTreeMap<&'static str, Arc<Observed>> = BTreeMap::new();
        for (table, wanted) in of_kinds {
            if books.has_facts(table)? {
                read.insert(table, books.shelf.get(books, table, wanted)?);
            }
        }
        let end = books.shelf.numberings(books).of(books, "customer").end().max(books.customers.len());
        let ticks = &books.ticks;
        let from: Vec<AtomicI32> = (0..end).map(|_| AtomicI32::new(i32::MAX)).collect();
        let found = Mutex::new(Vec::new());
        books.over_shares(|customer, spans| {
            let first = spans.iter().map(|span| ticks.day(span.from).0).min();
            if let (Some(from), Some(first)) = (from.get(customer as usize), first) {
                from.fetch_min(first, Ordering::Relaxed);
            }
            for span in spans.iter().filter(|span| span.trial) {
                let (start, end) = (ticks.day(span.from).0, ticks.day(span.to).0);
                let trial = Trial { customer, start, end, converted: NO_DAY };
                found.lock().unwrap_or_else(PoisonError::into_inner).push(trial);
            }
        });
        let trials = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut known = Known { from: from.into_iter().map(AtomicI32::into_inner).collect(), trials };
        if let Some(trials) = read.get("trial") {
            let (starts, ends, converted) = (trials.days("start"), trials.days("end"), trials.days("converted"));
            for (fact, customer) in trials.ids("customer").iter().copied().enumerate() {
                if customer == NO_ID || starts[fact] == NO_DAY {
                    continue;
                }
                let from = &mut known.from[customer as usize];
                *from = (*from).min(starts[fact]);
                let (start, end, converted) = (starts[fact], ends[fact], converted[fact]);
                known.trials.push(Trial { customer, start, end, converted });
            }
        }
        if let Some(customers) = read.get("customer") {
            let signed_up = customers.days("signed_up");
            for (fact, customer) in customers.ids("customer").iter().copied().enumerate() {
                if customer == NO_ID {
                    continue;
                }
                // Without a day NO_DAY stands for: always. Where another fact gives a day that one holds.
                let from = &mut known.from[customer as usize];
                match signed_up[fact] {
                    NO_DAY if *from == i32::MAX => *from = NO_DAY,
                    NO_DAY => {}
                    day if *from == NO_DAY => *from = day,
                    day => *from = (*from).min(day),
                }
            }
        }
        Ok(known)
    }
}

/// A customer at a day.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The number of the customer.
    pub customer: u32,
    /// What is known of them.
    pub known: Customer,
    /// Where they stand.
    pub standing: Standing,
    /// Whether their health fell by as much as puts a customer at risk.
    pub is_falling: bool,
}

/// Where customers stand.
pub struct Standings<'a> {
    books: &'a Books,
    known: Arc<Known>,
    /// How health is judged; nothing while there are no product events.
    pub model: Option<Arc<Model>>,
}

impl<'a> Standings<'a> {
    /// Reads what is needed to say where customers stand.
    ///
    /// # Errors
    /// When facts cannot be read.
    pub fn new(books: &'a Books) -> Result<Self, EngineError> {
        Ok(Self { books, known: books.cubes.known(|| Known::load(books))?, model: Model::of(books)? })
    }

    /// All customers who are known before a day, in order of their numbers.
    #[must_use]
    pub fn before(&self, end: Day) -> Vec<Place> {
        let ledger = &self.books.ledger;
        let mut in_trial = vec![false; self.known.from.len()];
        for trial in &self.known.trials {
            let is_over = |day: i32| day != NO_DAY && day < end.0;
            if trial.start < end.0 && !is_over(trial.end) && !is_over(trial.converted) {
                in_trial[trial.customer as usize] = true;
            }
        }
        let health = |customer: u32, at: Day| {
            let health = self.model.as_ref()?.health(customer, at)?;
            Some(points_micros(health.index) as f64 / MICROS as f64)
        };
        let (numbers, customers): (Vec<u32>, Vec<Customer>) = (0..self.known.from.len() as u32)
            .into_par_iter()
            .filter_map(|customer| {
                let (mut mrr, mut paid) = (0i128, false);
                for row in ledger.of_customer(customer as usize).take_while(|row| ledger.day[*row] < end.0) {
                    mrr += i128::from(ledger.delta_micros[row]);
                    paid |= ledger.kind[row] == MovementKind::New;
                }
                if !paid && self.known.from[customer as usize] >= end.0 {
                    return None;
                }
                let mrr_micros = i64::try_from(mrr).unwrap_or(i64::MAX);
                let pays = mrr_micros > 0;
                let known = Customer {
                    mrr_micros,
                    in_trial: in_trial[customer as usize],
                    paid_before: paid,
                    health: if pays { health(customer, end) } else { None },
                    health_before: if pays { health(customer, end.plus_days(-TREND_DAYS)) } else { None },
                };
                Some((customer, known))
            })
            .unzip();
        let risk = Risk::default();
        let found = standings(&customers, risk);
        numbers
            .into_iter()
            .zip(customers.into_iter().zip(found))
            .map(|(customer, (known, standing))| {
                let both = known.health_before.zip(known.health);
                let is_falling = both.is_some_and(|(before, now)| before - now >= risk.fell_by);
                Place { customer, known, standing, is_falling }
            })
            .collect()
    }

    /// The paying customers at risk before a day, those who pay most first: kept with the books.
    ///
    /// # Errors
    /// When facts cannot be read.
    pub fn paying_at_risk(&self, end: Day) -> Result<Arc<Vec<Place>>, EngineError> {
        self.books.cubes.at_risk.find_or_make(end, || {
            let mut places = self.before(end);
            places.retain(|place| place.standing.is_at_risk && place.known.mrr_micros > 0);
            places.sort_by_key(|place| (std::cmp::Reverse(place.known.mrr_micros), place.customer));
            places.shrink_to_fit();
            Ok(places)
        })
    }

    /// The customers whose trial ends on one of the days `[from, to)`, without having turned into paying, with that day.
    #[must_use]
    pub fn trials_ending(&self, from: Day, to: Day) -> Vec<(u32, Day)> {
        let ends =
            |trial: &&Trial| trial.end != NO_DAY && (from.0..to.0).contains(&trial.end) && trial.converted == NO_DAY;
        let mut ending: Vec<(u32, Day)> =
            self.known.trials.iter().filter(ends).map(|trial| (trial.customer, Day(trial.end))).collect();
        ending.sort_unstable();
        ending.dedup();
        ending
    }

    /// The segment of each customer as of now, as a dimension.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        let mut names: Vec<(&str, Segment)> = Segment::ALL.iter().map(|(segment, name)| (*name, *segment)).collect();
        names.sort_unstable();
        let mut of_customer = vec![None; self.known.from.len()];
        for place in self.before(self.books.first_day_to_come()) {
            let code = names.iter().position(|(_, segment)| *segment == place.standing.segment);
            of_customer[place.customer as usize] = code.map(|code| code as u32);
        }
        Attributes { values: names.into_iter().map(|(name, _)| name.to_owned()).collect(), of_customer }
    }
}

/// An index as it is counted: rounded to a millionth of a point, which is more than it deserves, and the same everywhere.
#[must_use]
pub fn points_micros(index: f64) -> i64 {
    (index * MICROS as f64).round() as i64
}

/// A customer whom a measure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedCustomer {
    /// The number of the customer.
    pub customer: u32,
    /// The segment.
    pub segment: u32,
    /// How much, in units of the measure.
    pub value: i128,
}

/// What the measures of this module are counted with.
pub struct Census<'a> {
    /// The books.
    pub books: &'a Books,
    /// Who is who.
    pub people: &'a People,
    /// The dimensions of the question's customers.
    pub segmentation: &'a Segmentation,
    /// The dimensions to split by.
    pub by: &'a [String],
    /// What is looked at.
    pub filters: &'a [Filter],
    /// By which touch a customer belongs to a channel.
    pub attribution: Attribution,
}

/// The segments of one question, but for where customers stand.
struct Homes {
    /// The question's segments without the standing.
    segmentation: Segmentation,
    labels: Labels,
    by: Vec<String>,
    filters: Vec<Filter>,
    /// Facts about customers whom the ledger does not know: the fact of each, and what they state.
    stated: Option<Arc<Observed>>,
    fact_of: HashMap<u32, usize>,
    /// The segment of each customer without a contract, once it was looked for.
    found: HashMap<u32, Option<u32>>,
}

impl Census<'_> {
    /// Counts the measures of this module at the ends of windows.
    ///
    /// # Errors
    /// When facts cannot be read.
    pub fn count(
        &self,
        measures: &[&'static Measure],
        ends: &[Day],
        standings: &Standings<'_>,
        labels: &mut Labels,
    ) -> Result<Vec<(&'static str, Counted)>, EngineError> {
        let wanted: Vec<(&'static str, Count)> =
            measures.iter().filter_map(|measure| Some((measure.id, count_of(measure.id)?))).collect();
        let mut homes = self.homes()?;
        let mut values: Vec<HashMap<(u32, i32), i128>> = vec![HashMap::new(); wanted.len()];
        for end in ends {
            self.each(*end, standings, &mut homes, labels, &mut |place, number| {
                for ((_, count), values) in wanted.iter().zip(&mut values) {
                    let value = count.of(place);
                    if value != 0 {
                        *values.entry((number, end.0)).or_default() += value;
                    }
                }
            });
        }
        let counted = wanted.into_iter().zip(values);
        Ok(counted.map(|((id, count), values)| (id, Counted::AtEnd { values, unit: count.unit() })).collect())
    }

    /// Whom a measure of this module counts at the end of a window, and how many of their units make one.
    ///
    /// # Errors
    /// When facts cannot be read.
    pub fn counted(
        &self,
        measure: &'static Measure,
        end: Day,
        standings: &Standings<'_>,
        labels: &mut Labels,
    ) -> Result<(Vec<CountedCustomer>, i128), EngineError> {
        let Some(count) = count_of(measure.id) else { return Ok((Vec::new(), 1)) };
        let mut found = Vec::new();
        self.each(end, standings, &mut self.homes()?, labels, &mut |place, number| {
            let value = count.of(place);
            if value != 0 {
                found.push(CountedCustomer { customer: place.customer, segment: number, value });
            }
        });
        Ok((found, count.unit()))
    }

    /// Every customer who is looked at, with each segment that they are in.
    fn each(
        &self,
        end: Day,
        standings: &Standings<'_>,
        homes: &mut Homes,
        labels: &mut Labels,
        found: &mut dyn FnMut(&Place, u32),
    ) {
        let mut own_filters = self.filters.iter().filter(|filter| filter.dimension == STANDING).peekable();
        let any = own_filters.peek().is_none();
        let wanted: Vec<&str> = own_filters.map(|filter| filter.value.as_str()).collect();
        let mut numbers: HashMap<(u32, Segment), u32> = HashMap::new();
        let mut own: Vec<u32> = Vec::new();
        for place in standings.before(end) {
            if !any && !wanted.contains(&place.standing.segment.name()) {
                continue;
            }
            own.clear();
            self.homes_of(&place, end, homes, &mut own);
            for home in &own {
                let number = *numbers.entry((*home, place.standing.segment)).or_insert_with(|| {
                    let mut rest = homes.labels.of(*home as usize).iter();
                    let label = self.by.iter().map(|name| match name.as_str() {
                        STANDING => place.standing.segment.name().to_owned(),
                        _ => rest.next().cloned().unwrap_or_default(),
                    });
                    labels.number(label.collect())
                });
                found(&place, number);
            }
        }
    }

    fn homes(&self) -> Result<Homes, EngineError> {
        let by: Vec<String> = self.by.iter().filter(|name| *name != STANDING).cloned().collect();
        let filters: Vec<Filter> = self.filters.iter().filter(|filter| filter.dimension != STANDING).cloned().collect();
        let segmentation = self.segmentation.with_fewer(self.books, &by, &filters);
        let mut homes = Homes {
            labels: Labels::new(&segmentation.labels),
            segmentation,
            by,
            filters,
            stated: None,
            fact_of: HashMap::new(),
            found: HashMap::new(),
        };
        if self.books.has_facts("customer")? {
            let dimensions: Vec<String> = homes.dimensions().cloned().collect();
            let wanted = wants(&dimensions).into_iter().find(|(table, _)| *table == "customer");
            let (_, wanted) = wanted.unwrap_or_default();
            let stated = self.books.shelf.get(self.books, "customer", wanted)?;
            let ledger = self.books.customers.len() as u32;
            let strangers =
                stated.ids("customer").iter().copied().enumerate().filter(|(_, customer)| *customer >= ledger);
            homes.fact_of = strangers.map(|(fact, customer)| (customer, fact)).collect();
            homes.stated = Some(stated);
        }
        Ok(homes)
    }

    /// The segments that a customer is in: one, but for those who pay for several plans and the like.
    fn homes_of(&self, place: &Place, end: Day, homes: &mut Homes, own: &mut Vec<u32>) {
        let ledger = &self.books.ledger;
        let customer = place.customer as usize;
        if customer >= self.books.customers.len() {
            own.extend(homes.of_one_without(place.customer, self));
            return;
        }
        if !homes.segmentation.has_customer(customer) {
            return;
        }
        let rows = ledger.of_customer(customer).take_while(|row| ledger.day[*row] < end.0);
        if place.known.mrr_micros > 0 {
            let mut mrr: Vec<(u32, i128)> = Vec::new();
            for row in rows {
                let home = homes.segmentation.segment(customer, ledger.offer[row]);
                match mrr.iter_mut().find(|(other, _)| *other == home) {
                    Some((_, sum)) => *sum += i128::from(ledger.delta_micros[row]),
                    None => mrr.push((home, i128::from(ledger.delta_micros[row]))),
                }
            }
            own.extend(mrr.iter().filter(|(home, sum)| *home != OUTSIDE && *sum > 0).map(|(home, _)| *home));
            return;
        }
        // Whoever pays nothing is where they last paid.
        match rows.last() {
            Some(row) => {
                let home = homes.segmentation.segment(customer, ledger.offer[row]);
                own.extend((home != OUTSIDE).then_some(home));
            }
            None => own.extend(homes.of_one_without(place.customer, self)),
        }
    }
}

impl Homes {
    fn dimensions(&self) -> impl Iterator<Item = &String> {
        self.by.iter().chain(self.filters.iter().map(|filter| &filter.dimension))
    }

    /// The segment of a customer without any contract yet.
    fn of_one_without(&mut self, customer: u32, census: &Census<'_>) -> Option<u32> {
        if let Some(found) = self.found.get(&customer) {
            return *found;
        }
        let texts = match (customer as usize) < census.books.customers.len() {
            true => self.of_member(customer),
            false => self.of_stranger(census, customer),
        };
        let number = self.number(&texts);
        self.found.insert(customer, number);
        number
    }

    /// What a customer of the ledger is, by dimension.
    fn of_member(&self, customer: u32) -> HashMap<String, String> {
        self.dimensions()
            .filter_map(|name| {
                let attributes = self.segmentation.attributes(name)?;
                let code = attributes.of_customer.get(customer as usize).copied().flatten()?;
                Some((name.clone(), attributes.values.get(code as usize)?.clone()))
            })
            .collect()
    }

    /// What a customer is whom only facts about customers or trials know.
    fn of_stranger(&self, census: &Census<'_>, customer: u32) -> HashMap<String, String> {
        let fact = self.fact_of.get(&customer).copied();
        self.dimensions()
            .filter_map(|name| {
                let own = || fact.and_then(|fact| self.stated.as_ref()?.texts(name)?.of(fact).map(str::to_owned));
                let touch = || {
                    let party = census.people.party("customer", customer)? as usize;
                    let statements = census.people.statements(name)?;
                    let last = census.attribution == Attribution::LastTouch;
                    let code = *if last { &statements.last } else { &statements.first }.get(party)?;
                    statements.texts.get(code as usize).cloned()
                };
                let text = match (TOUCHED.contains(&name.as_str()), census.attribution) {
                    (false, _) => own(),
                    (true, Attribution::Stated) => own().or_else(touch),
                    (true, Attribution::FirstTouch | Attribution::LastTouch) => touch(),
                    // Nothing was paid that could be shared out.
                    (true, Attribution::Linear) => None,
                };
                Some((name.clone(), text?))
            })
            .collect()
    }

    fn number(&mut self, texts: &HashMap<String, String>) -> Option<u32> {
        let text = |name: &String| texts.get(name).map_or(UNKNOWN, String::as_str);
        let mut fits: BTreeMap<&str, bool> = BTreeMap::new();
        for filter in &self.filters {
            *fits.entry(&filter.dimension).or_default() |= text(&filter.dimension) == filter.value;
        }
        fits.values()
            .all(|fits| *fits)
            .then(|| self.labels.number(self.by.iter().map(|name| text(name).to_owned()).collect()))
    }
}
