//! The health of customers, from what they do in the product.
//!
//! What a customer did is counted by event: the feature that an event states, else its name, of the twenty that are done
//! most. The last 28 days are set against the 84 before. Which events matter, and how much, is learnt once from all days
//! in the past on which it is known by now who left within 60 days ([`outlook::health::learn`]), unless weights were set
//! by hand; it then judges any day.

use std::{ops::Range, sync::Arc};

use outlook::{
    health::{
        Activity, Evidence, Feature, Health, Index, Kept, LEAST_OF_EACH, Learnt, MOST_SAMPLES, Sample, Shape, key,
        learn,
    },
    wording::{Language, Words},
};
use rayon::prelude::*;
use revenue::{calendar::Day, fact::Reason, movement::Kind as MovementKind};

use super::{
    EngineError,
    people::{Attribution, People},
    tally::same_name,
};
use crate::{
    books::Books,
    observed::{Coded, NO_CODE, NO_DAY, Numbering, Observed, Wanted, joined},
};

/// So many events are tried: those that are done most.
pub const MOST_KEYS: usize = 20;
/// The days that count as lately.
pub const RECENT_DAYS: i32 = 28;
/// The days before them that say what is usual.
pub const EARLIER_DAYS: i32 = 84;
/// With fewer days than this since their first event nobody has a usual level yet.
const LEAST_EARLIER_DAYS: i32 = 28;
/// Days between two of the days in the past that are learnt from.
const SNAPSHOT_DAYS: i32 = 28;
/// So many days in the past are learnt from at the most: a year.
const MOST_SNAPSHOTS: usize = 13;
/// Within so many days after such a day a customer has to leave to count as one who left.
pub const LEAVING_DAYS: i32 = 60;
/// With fewer days of events before a day it is not learnt from.
const LEAST_HISTORY_DAYS: i32 = 56;

/// The kind of fact that says what customers do.
pub const EVENTS: &str = "product_event";

/// The columns of product events that are looked at.
#[must_use]
pub fn wants() -> Wanted {
    let mut wanted = Wanted::default();
    People::want(EVENTS, &mut wanted);
    wanted.days.insert("occurred".to_owned());
    wanted.texts.extend(["feature".to_owned(), "name".to_owned()]);
    wanted
}

/// What the customers of the ledger did, and when.
#[derive(Debug, Default)]
struct Behaviour {
    /// The events, those done most first, or as they were named.
    events: Vec<String>,
    /// How many customers ever did each.
    users: Vec<u64>,
    /// Where the marks of each customer begin.
    offsets: Vec<usize>,
    /// One a time that something was done: the event in the upper eight bits, the day in the lower ones; sorted within
    /// each customer.
    marks: Arc<Vec<u32>>,
    /// The day on which each customer was first seen; [`NO_DAY`] for those who never were.
    began: Vec<i32>,
}

/// Bits of a mark that hold the day, moved up so that days before 1970 sort before the others.
const DAY_BITS: u32 = 24;
const DAY_SHIFT: i32 = 1 << (DAY_BITS - 1);

fn mark(event: usize, day: i32) -> u32 {
    let day = day.saturating_add(DAY_SHIFT).clamp(0, (1 << DAY_BITS) - 1);
    (event as u32) << DAY_BITS | day as u32
}

fn day_of(mark: u32) -> i32 {
    (mark & ((1 << DAY_BITS) - 1)) as i32 - DAY_SHIFT
}

/// The product events, with the customer of each.
fn facts(books: &Books) -> Result<(Arc<Observed>, Vec<u32>), EngineError> {
    let observed = books.shelf.get(books, EVENTS, wants())?;
    // Who is whose customer is taken from what states it, without visits: so it does not depend on the question.
    let people = books
        .cubes
        .people
        .find_or_make((false, Vec::new(), Attribution::Stated), || Ok(People::load(books, false, &[], &|_| None)?))?;
    let customers = people.customers_of(EVENTS, &observed);
    Ok((observed, customers))
}

/// How many facts have each of some numbers below `end`, counted by threads.
fn summed(facts: usize, end: usize, number: impl Fn(usize) -> Option<usize> + Sync) -> Vec<u64> {
    const SLICE: usize = 1 << 20;
    let slices = (0..facts.div_ceil(SLICE)).into_par_iter();
    let counted = slices.fold(
        || vec![0u64; end],
        |mut counted, slice| {
            let own = slice * SLICE..((slice + 1) * SLICE).min(facts);
            own.filter_map(&number).for_each(|number| counted[number] += 1);
            counted
        },
    );
    let added = |mut one: Vec<u64>, other: Vec<u64>| {
        one.iter_mut().zip(other).for_each(|(sum, more)| *sum += more);
        one
    };
    counted.reduce(|| vec![0u64; end], added)
}

impl Behaviour {
    /// Reads product events: those of the names given, else those done most.
    fn load(books: &Books, named: &[String]) -> Result<Behaviour, EngineError> {
        let (observed, customers) = facts(books)?;
        let count = books.customers.len();
        let days = observed.days("occurred");
        let (features, names) = (observed.texts("feature"), observed.texts("name"));
        let (Some(features), Some(names)) = (features, names) else { return Ok(Behaviour::default()) };

        // A feature and a name of the same text are one event.
        let mut texts: Vec<&str> = features.texts.iter().chain(&names.texts).map(String::as_str).collect();
        texts.sort_unstable();
        texts.dedup();
        let place = |text: &String| texts.binary_search(&text.as_str()).unwrap_or_default();
        let of_feature: Vec<usize> = features.texts.iter().map(place).collect();
        let of_name: Vec<usize> = names.texts.iter().map(place).collect();
        let text_of = |fact: usize| -> Option<usize> {
            match features.codes[fact] {
                NO_CODE => of_name.get(names.codes[fact] as usize).copied(),
                feature => of_feature.get(feature as usize).copied(),
            }
        };
        let counts = |fact: usize| (customers[fact] as usize) < count && days[fact] != NO_DAY;
        let times = summed(observed.len(), texts.len(), |fact| if counts(fact) { text_of(fact) } else { None });
        let mut event_of: Vec<Option<usize>> = vec![None; texts.len()];
        let events: Vec<String> = if named.is_empty() {
            let mut order: Vec<usize> = (0..texts.len()).filter(|text| times[*text] > 0).collect();
            order.sort_by_key(|text| (std::cmp::Reverse(times[*text]), *text));
            order.truncate(MOST_KEYS);
            order.iter().enumerate().for_each(|(event, text)| event_of[*text] = Some(event));
            order.into_iter().map(|text| texts[text].to_owned()).collect()
        } else {
            for (text, event) in texts.iter().zip(&mut event_of) {
                *event = named.iter().position(|name| same_name(name, text));
            }
            named.to_vec()
        };

        let seen = |fact: usize| {
            let event = if counts(fact) { text_of(fact).and_then(|text| event_of[text]) } else { None };
            event.map(|event| (customers[fact] as usize, mark(event, days[fact])))
        };
        let of_customer = summed(observed.len(), count, |fact| seen(fact).map(|(customer, _)| customer));
        let mut offsets = vec![0usize; count + 1];
        for (customer, own) in of_customer.into_iter().enumerate() {
            offsets[customer + 1] = offsets[customer] + own as usize;
        }
        // Each thread looks at all facts and keeps those of its own customers, so that no two write to one place.
        let mut marks = vec![0u32; offsets[count]];
        let threads = rayon::current_num_threads().max(1);
        let mut parts: Vec<(Range<usize>, &mut [u32])> = Vec::with_capacity(threads);
        let (mut rest, mut from) = (marks.as_mut_slice(), 0);
        for part in 1..=threads {
            let wanted = offsets[count] / threads * part;
            let to =
                if part == threads { count } else { offsets.partition_point(|offset| *offset < wanted).min(count) };
            let to = to.max(from);
            let (own, after) = rest.split_at_mut(offsets[to] - offsets[from]);
            parts.push((from..to, own));
            (rest, from) = (after, to);
        }
        parts.into_par_iter().for_each(|(own, marks)| {
            let begin = offsets[own.start];
            let mut next: Vec<usize> = offsets[own.clone()].iter().map(|offset| offset - begin).collect();
            for (customer, mark) in (0..observed.len()).filter_map(seen).filter(|(customer, _)| own.contains(customer))
            {
                let next = &mut next[customer - own.start];
                marks[*next] = mark;
                *next += 1;
            }
        });
        let mut slices: Vec<&mut [u32]> = Vec::with_capacity(count);
        let mut rest = marks.as_mut_slice();
        for range in offsets.windows(2) {
            let (own, after) = rest.split_at_mut(range[1] - range[0]);
            slices.push(own);
            rest = after;
        }
        slices.into_par_iter().for_each(<[u32]>::sort_unstable);
        let mut behaviour = Behaviour {
            users: vec![0; events.len()],
            events,
            offsets,
            marks: Arc::new(marks),
            began: vec![NO_DAY; count],
        };
        for customer in 0..count {
            let own = behaviour.of(customer);
            let began = own.iter().map(|mark| day_of(*mark)).min().unwrap_or(NO_DAY);
            let mut did = [false; 256];
            own.iter().for_each(|mark| did[(*mark >> DAY_BITS) as usize] = true);
            for (users, did) in behaviour.users.iter_mut().zip(did) {
                *users += u64::from(did);
            }
            behaviour.began[customer] = began;
        }
        Ok(behaviour)
    }

    /// The same where the ledger has the customers `added` besides, who did nothing, in order.
    fn with_customers(&self, added: &[u32]) -> Behaviour {
        let count = self.began.len() + added.len();
        let (mut offsets, mut began) = (Vec::with_capacity(count + 1), Vec::with_capacity(count));
        let (mut added, mut before) = (added.iter().peekable(), 0);
        for customer in 0..count as u32 {
            offsets.push(self.offsets.get(before).copied().unwrap_or_default());
            if added.next_if(|added| **added == customer).is_some() {
                began.push(NO_DAY);
            } else {
                began.push(self.began.get(before).copied().unwrap_or(NO_DAY));
                before += 1;
            }
        }
        offsets.push(self.marks.len());
        let (events, users) = (self.events.clone(), self.users.clone());
        Behaviour { events, users, offsets, marks: Arc::clone(&self.marks), began }
    }

    fn of(&self, customer: usize) -> &[u32] {
        match (self.offsets.get(customer), self.offsets.get(customer + 1)) {
            (Some(first), Some(last)) => &self.marks[*first..*last],
            _ => &[],
        }
    }

    /// How often a customer did something on the days `[from, to)`.
    fn times(own: &[u32], event: usize, days: Range<i32>) -> u64 {
        let before = |day: i32| own.partition_point(|other| *other < mark(event, day));
        (before(days.end) - before(days.start)) as u64
    }

    /// Whether the customer was seen in the days that are looked at before a day.
    fn was_seen(&self, customer: usize, at: Day) -> bool {
        let own = self.of(customer);
        let days = at.0 - RECENT_DAYS - EARLIER_DAYS..at.0;
        (0..self.events.len()).any(|event| Self::times(own, event, days.clone()) > 0)
    }

    /// How long before a day the customer's usual level goes back, and whether that is long enough to compare with.
    fn earlier_days(&self, customer: usize, at: Day) -> (i32, bool) {
        let began = self.began.get(customer).copied().unwrap_or(NO_DAY);
        let there = at.0.saturating_sub(RECENT_DAYS).saturating_sub(began);
        (there.clamp(LEAST_EARLIER_DAYS, EARLIER_DAYS), there >= LEAST_EARLIER_DAYS)
    }

    fn activity(&self, customer: usize, event: usize, at: Day) -> Activity {
        let own = self.of(customer);
        let (earlier_days, _) = self.earlier_days(customer, at);
        let (recent, earlier) = (at.0 - RECENT_DAYS, at.0 - RECENT_DAYS - earlier_days);
        Activity::of(
            Self::times(own, event, recent..at.0),
            RECENT_DAYS as u32,
            Self::times(own, event, earlier..recent),
            earlier_days as u32,
        )
    }

    /// The value of a feature: of each event its trend, then its level.
    fn value(&self, customer: usize, feature: usize, at: Day) -> f64 {
        let activity = self.activity(customer, feature / 2, at);
        match feature % 2 {
            0 if self.earlier_days(customer, at).1 => activity.trend(),
            0 => f64::NAN,
            _ => activity.level(),
        }
    }

    fn features(&self) -> Vec<Feature> {
        let of = |event: &String| [Shape::Trend, Shape::Level].map(|shape| Feature { event: event.clone(), shape });
        self.events.iter().flat_map(of).collect()
    }
}

/// Where the weights of an index come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Way {
    /// From who left and who stayed.
    Learnt(Evidence),
    /// From the setting `health_weights`.
    ByHand,
    /// Too few left or stayed: equal weights of what most customers do.
    TooFew {
        /// How many customers left.
        left: usize,
        /// How many stayed.
        stayed: usize,
    },
    /// Nothing that customers do tells those who left from those who stayed: equal weights again.
    NothingSeparates(Evidence),
}

/// What there was to learn from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ground {
    /// The days in the past, the latest first.
    pub snapshots: Vec<Day>,
    /// Samples of customers whom a failed payment or a dispute ended: what they did does not announce it.
    pub lost_to_payment: usize,
    /// Samples of customers who paid and were not seen in the days that are looked at.
    pub never_seen: usize,
}

#[derive(Debug)]
enum Judge {
    Index(Index),
    Kept(Kept),
    /// Nobody ever did anything.
    Nothing,
}

/// The kinds of fact that say what customers did, and who is whose customer.
pub fn read_from() -> impl Iterator<Item = &'static str> {
    std::iter::once(EVENTS).chain(People::wants(false, &[]).into_iter().map(|(table, _)| table))
}

/// What customers did, as it was read for books before, since when no such facts came.
#[derive(Debug, Clone)]
pub struct DoneBefore {
    behaviour: Arc<Behaviour>,
    /// The events that were looked at; none where they were chosen.
    named: Vec<String>,
    /// The customers whom facts spoke of then.
    known: Arc<Numbering>,
    /// The customers whom the ledger got since, in order.
    added: Vec<u32>,
}

impl DoneBefore {
    /// What was read for some books.
    pub fn of(books: &Books, model: &Model) -> Self {
        let known = books.shelf.numberings(books).of(books, "customer");
        let named = books.view.health_weights.iter().map(|(name, _)| name.clone()).collect();
        Self { behaviour: Arc::clone(&model.behaviour), named, known, added: Vec::new() }
    }

    /// The same once the ledger has got further customers.
    pub fn with_customers(self, added: &[u32]) -> Self {
        Self { added: joined(&self.added, added), ..self }
    }

    /// What the customers of later books did, as reading all facts again would find; nothing where that may be something else:
    /// what somebody did who has come into the ledger since did not count before.
    fn now(&self, books: &Books, named: &[String]) -> Option<Arc<Behaviour>> {
        let is_same = self.named == named && self.behaviour.began.len() + self.added.len() == books.customers.len();
        let is_new = |customer: &u32| self.known.find(&books.customer_id(*customer)).is_none();
        (is_same && self.added.iter().all(is_new)).then(|| match self.added.is_empty() {
            true => Arc::clone(&self.behaviour),
            false => Arc::new(self.behaviour.with_customers(&self.added)),
        })
    }
}

/// How health is judged.
#[derive(Debug)]
pub struct Model {
    behaviour: Arc<Behaviour>,
    judge: Judge,
    /// Where the weights come from.
    pub way: Way,
    /// What there was to learn from.
    pub ground: Ground,
    /// What was tried: of each event its trend and its level.
    pub features: Vec<Feature>,
}

/// One part of an index, in words.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// The event.
    pub event: String,
    /// How it is looked at; nothing for weights that were not learnt.
    pub shape: Option<Shape>,
    /// Points that one standard deviation adds; or the share of the index, from 0 to 1.
    pub weight: f64,
    /// The mean of those who stayed, and one standard deviation of all.
    pub usual: Option<(f64, f64)>,
    /// How many customers ever did it.
    pub users: u64,
}

/// An index in whole points, with its reasons in words.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// From 0 to 100.
    pub index: f64,
    /// For each event what it adds to, or takes from, the index of the mean customer who stayed (70), or from 100 where
    /// nothing was learnt. What takes most comes first.
    pub reasons: Vec<(String, f64)>,
}

impl Model {
    /// The model of some books: learnt once, and kept with them. Nothing while there are no product events.
    ///
    /// # Errors
    /// When facts cannot be read.
    pub fn of(books: &Books) -> Result<Option<Arc<Model>>, EngineError> {
        if !books.has_facts(EVENTS)? {
            return Ok(None);
        }
        books.cubes.health(|before| Self::load(books, before)).map(Some)
    }

    fn load(books: &Books, before: Option<DoneBefore>) -> Result<Model, EngineError> {
        let weights = &books.view.health_weights;
        let names: Vec<String> = weights.iter().map(|(name, _)| name.clone()).collect();
        let behaviour = match before.and_then(|before| before.now(books, &names)) {
            Some(behaviour) => behaviour,
            None => Arc::new(Behaviour::load(books, &names)?),
        };
        let features = behaviour.features();
        if !weights.is_empty() {
            let numbered: Vec<(usize, f64)> = weights.iter().map(|(_, weight)| *weight).enumerate().collect();
            let judge = Kept::by_hand(&numbered).map_or(Judge::Nothing, Judge::Kept);
            return Ok(Model { behaviour, judge, way: Way::ByHand, ground: Ground::default(), features });
        }
        let (ground, samples) = samples(books, &behaviour, features.len());
        let most_used = || Kept::of_most_used(&behaviour.users).map_or(Judge::Nothing, Judge::Kept);
        let (judge, way) = match learn(&features, &samples) {
            Learnt::Index(index, evidence) => (Judge::Index(index), Way::Learnt(evidence)),
            Learnt::TooFew { churned, stayed } => (most_used(), Way::TooFew { left: churned, stayed }),
            Learnt::NothingSeparates(evidence) => (most_used(), Way::NothingSeparates(evidence)),
        };
        Ok(Model { behaviour, judge, way, ground, features })
    }

    /// The health of a customer of the ledger at the beginning of a day. Nothing for one who was not seen in the 112 days
    /// before, or never did what counts.
    #[must_use]
    pub fn health(&self, customer: u32, at: Day) -> Option<Health> {
        let customer = customer as usize;
        if !self.behaviour.was_seen(customer, at) {
            return None;
        }
        match &self.judge {
            Judge::Nothing => None,
            Judge::Index(index) => {
                let mut values = vec![f64::NAN; self.features.len()];
                for part in &index.parts {
                    values[part.feature] = self.behaviour.value(customer, part.feature, at);
                }
                Some(index.of(&values))
            }
            Judge::Kept(kept) => {
                let mut activity = vec![Activity::default(); self.behaviour.events.len()];
                for (event, _) in kept.weights() {
                    activity[event] = self.behaviour.activity(customer, event, at);
                }
                kept.of(&activity)
            }
        }
    }

    /// The health of a customer with its reasons in words.
    #[must_use]
    pub fn judge(&self, customer: u32, at: Day) -> Option<Judgement> {
        let health = self.health(customer, at)?;
        let mut reasons: Vec<(String, f64)> =
            health.reasons.into_iter().map(|(place, points)| (self.reason(place), points)).collect();
        reasons.sort_by(|one, other| one.1.total_cmp(&other.1));
        Some(Judgement { index: health.index, reasons })
    }

    /// Whether what customers did was taken over from another model's books.
    #[cfg(test)]
    pub(crate) fn took_over(&self, other: &Model) -> bool {
        Arc::ptr_eq(&self.behaviour.marks, &other.behaviour.marks)
    }

    /// The product events that the health of customers at the beginning of a day was judged by: the place of each among the
    /// facts, the customer of the ledger, and the day.
    ///
    /// # Errors
    /// When facts cannot be read.
    pub fn judged_by(&self, books: &Books, at: Day) -> Result<Vec<(usize, u32, i32)>, EngineError> {
        let events: Vec<String> = self.weights().into_iter().map(|weight| weight.event).collect();
        let (observed, customers) = facts(books)?;
        let days = observed.days("occurred");
        let (Some(features), Some(names)) = (observed.texts("feature"), observed.texts("name")) else {
            return Ok(Vec::new());
        };
        let is_one = |coded: &Coded| -> Vec<bool> {
            coded.texts.iter().map(|text| events.iter().any(|event| same_name(event, text))).collect()
        };
        let (of_feature, of_name) = (is_one(features), is_one(names));
        let counts = |fact: usize| match features.codes[fact] {
            NO_CODE => of_name.get(names.codes[fact] as usize).copied().unwrap_or(false),
            feature => of_feature.get(feature as usize).copied().unwrap_or(false),
        };
        let looked_at = at.0 - RECENT_DAYS - EARLIER_DAYS..at.0;
        let seen = (0..observed.len()).filter(|fact| {
            (customers[*fact] as usize) < books.customers.len() && looked_at.contains(&days[*fact]) && counts(*fact)
        });
        Ok(seen.map(|fact| (fact, customers[fact], days[fact])).collect())
    }

    fn reason(&self, place: usize) -> String {
        match &self.judge {
            Judge::Index(_) => {
                self.features.get(place).map_or(String::new(), |of| format!("{} {}", of.event, of.shape.name()))
            }
            Judge::Kept(_) | Judge::Nothing => self.behaviour.events.get(place).cloned().unwrap_or_default(),
        }
    }

    /// What the index is made of, the heaviest first.
    #[must_use]
    pub fn weights(&self) -> Vec<Weight> {
        let weight = |event: usize, shape, weight, usual| Weight {
            event: self.behaviour.events.get(event).cloned().unwrap_or_default(),
            shape,
            weight,
            usual,
            users: self.behaviour.users.get(event).copied().unwrap_or_default(),
        };
        match &self.judge {
            Judge::Nothing => Vec::new(),
            Judge::Kept(kept) => {
                kept.weights().into_iter().map(|(event, share)| weight(event, None, share, None)).collect()
            }
            Judge::Index(index) => {
                let of = |part: &outlook::health::Part| {
                    let shape = self.features.get(part.feature).map(|feature| feature.shape);
                    weight(part.feature / 2, shape, part.points, Some((part.usual, part.deviation)))
                };
                index.parts.iter().map(of).collect()
            }
        }
    }

    /// Where the weights come from, in one sentence.
    #[must_use]
    pub fn says(&self) -> Words {
        let names: Vec<String> = self.weights().into_iter().map(|weight| weight.event).collect();
        let (left, stayed, evidence) = match &self.way {
            Way::Learnt(evidence) | Way::NothingSeparates(evidence) => (evidence.customers_left, 0, Some(evidence)),
            Way::TooFew { left, stayed } => (*left, *stayed, None),
            Way::ByHand => (0, 0, None),
        };
        let words = match &self.way {
            Way::Learnt(_) => LEARNT,
            Way::ByHand => BY_HAND,
            Way::TooFew { .. } => TOO_FEW,
            Way::NothingSeparates(_) => NOTHING_SEPARATES,
        };
        let number = |of: fn(&Evidence) -> f64| {
            move |language: Language| evidence.map_or_else(String::new, |evidence| language.decimals(of(evidence), 2))
        };
        words
            .with("{left}", || left.to_string())
            .with("{stayed}", || stayed.to_string())
            .with("{least}", || LEAST_OF_EACH.to_string())
            .with_each("{separation}", number(|evidence| evidence.separation))
            .with_each("{error}", number(|evidence| evidence.standard_error))
            .with("{events}", || names.join(", "))
    }
}

const LEARNT: Words = Words::fixed(
    "weights learnt from {left} customers who left; out of sample they tell leavers from stayers {separation} ± {error} of \
     the time",
    "权重由 {left} 位流失客户学得；样本外区分流失与留存客户的准确率为 {separation} ± {error}",
    "poids appris de {left} clients partis ; hors échantillon, ils distinguent partants et fidèles {separation} ± {error} du \
     temps",
);
const BY_HAND: Words =
    Words::fixed("weights set by hand: {events}", "人工设定权重：{events}", "poids fixés à la main : {events}");
const TOO_FEW: Words = Words::fixed(
    "too few to learn from ({left} customers left and {stayed} stayed, {least} of each are needed): equal weights of what \
     most do ({events})",
    "样本太少，无法学习（{left} 位流失、{stayed} 位留存，各需 {least} 位）：对最常见行为取等权重（{events}）",
    "trop peu pour apprendre ({left} clients partis et {stayed} restés, il en faut {least} de chaque) : poids égaux de ce \
     que font la plupart ({events})",
);
const NOTHING_SEPARATES: Words = Words::fixed(
    "nothing that customers do tells leavers from stayers ({separation} ± {error} of the time): equal weights of what most \
     do ({events})",
    "客户行为无法区分流失与留存客户（准确率 {separation} ± {error}）：对最常见行为取等权重（{events}）",
    "rien de ce que font les clients ne distingue partants et fidèles ({separation} ± {error} du temps) : poids égaux de ce \
     que font la plupart ({events})",
);

/// What became of a paying customer after a day.
enum Fate {
    Stayed,
    Left,
    /// Lost to a failed payment or a dispute.
    Cut,
}

/// The fate of a customer within the days looked ahead; nothing for one who does not pay at the day.
fn fate(books: &Books, customer: usize, at: Day) -> Option<Fate> {
    let ledger = &books.ledger;
    let rows = ledger.of_customer(customer);
    let paid: i128 =
        rows.clone().take_while(|row| ledger.day[*row] < at.0).map(|row| i128::from(ledger.delta_micros[row])).sum();
    if paid <= 0 {
        return None;
    }
    let within = |row: &usize| (at.0..at.0 + LEAVING_DAYS).contains(&ledger.day[*row]);
    let leaving = rows.filter(within).find(|row| ledger.kind[*row] == MovementKind::Churn);
    Some(match leaving.map(|row| ledger.reason[row]) {
        None => Fate::Stayed,
        Some(Reason::FailedPayment | Reason::Dispute) => Fate::Cut,
        Some(Reason::Unknown | Reason::AskedFor) => Fate::Left,
    })
}

/// Customers at days in the past and what became of them: of all customers, or, where they are many, of those with the
/// smallest keys, so that memory is bounded and chance decides who they are.
fn samples(books: &Books, behaviour: &Behaviour, features: usize) -> (Ground, Vec<Sample>) {
    let mut ground = Ground::default();
    let first = behaviour.began.iter().copied().filter(|day| *day != NO_DAY).min();
    let last = behaviour.marks.iter().map(|mark| day_of(*mark)).max();
    let Some((first, last)) = first.zip(last) else { return (ground, Vec::new()) };
    // After the last event that was imported nobody did anything, which says nothing of anybody.
    let known = Day(last.saturating_add(1));
    let latest = books.first_day_to_come().plus_days(-LEAVING_DAYS).min(known);
    ground.snapshots = (0..MOST_SNAPSHOTS as i32)
        .map(|place| latest.plus_days(-SNAPSHOT_DAYS * place))
        .filter(|day| day.0 - first >= LEAST_HISTORY_DAYS)
        .collect();
    let mut order: Vec<(u64, usize)> =
        (0..books.customers.len()).map(|customer| (key(&books.customer_id(customer as u32)), customer)).collect();
    order.sort_unstable();
    let mut samples: Vec<Sample> = Vec::new();
    for (key, customer) in order {
        if samples.len() >= MOST_SAMPLES {
            break;
        }
        for at in &ground.snapshots {
            let Some(fate) = fate(books, customer, *at) else { continue };
            if !behaviour.was_seen(customer, *at) {
                ground.never_seen += 1;
                continue;
            }
            let churned = match fate {
                Fate::Cut => {
                    ground.lost_to_payment += 1;
                    continue;
                }
                Fate::Left => true,
                Fate::Stayed => false,
            };
            let values = (0..features).map(|feature| behaviour.value(customer, feature, *at)).collect();
            samples.push(Sample { key, values, churned });
        }
    }
    (ground, samples)
}
