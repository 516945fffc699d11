//! Measures that are counted from the facts of one kind: visits, sign-ups, spend, tickets, answers, events.
//!
//! What each counts stands as data in the table of measures ([`Tally`]). Facts are read once for all measures of their
//! kind, sorted into segments, and reduced to sums by day, so that every window is a difference of two sums. Distinct
//! ids are counted for all windows in one pass over (id, day), see [`distinct`].

pub mod classify;
pub mod distinct;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use num_rational::BigRational;
use rayon::prelude::*;
use revenue::{
    calendar::{Day, Grain},
    money::{Currency, MICROS},
};

use super::{Assumptions, EngineError, billing::in_reporting_of, cube::Days, label::Labels, rounded, segment::OUTSIDE};
use crate::{
    books::Books,
    catalogue::{
        Measure, Value, Words,
        measure::{Only, Setting, Tally, What},
    },
    observed::{NO_DAY, NO_INSTANT, Observed, Wanted, numbering_sort, value_of_column},
};
use classify::{Classes, Classifier};
use distinct::{DayOrder, Distinct};

/// Units of 10⁻¹² in one.
pub(super) const PICOS: i128 = 1_000_000_000_000;
/// Scores are kept as parts of their scale; this many units in one, so that the usual scales divide it.
const SCORE_UNITS: i128 = 2_520_000;
/// The column that says on which day a total of several days ends.
pub(super) const UNTIL: &str = "until";
const MICROS_A_SECOND: i128 = 1_000_000;

/// What was counted.
#[derive(Default)]
pub struct Tallies {
    counted: HashMap<&'static str, Counted>,
    /// The segments in which something was counted.
    seen: HashSet<usize>,
    /// Dimensions that some fact stated.
    dimensions: HashSet<String>,
    /// Measures of distinct ids that had to be added up from daily totals.
    totals: HashSet<&'static str>,
}

/// One measure, ready for any window.
pub enum Counted {
    /// Sums by segment and day, in order of day, each with everything before it; one is so many units.
    Daily {
        /// By segment: day, and the sum up to it.
        sums: HashMap<u32, Vec<(i32, i128)>>,
        /// How many units one is.
        unit: i128,
    },
    /// Distinct ids.
    Distinct(Distinct),
    /// For each account its segment and its amounts by day.
    Balances(Vec<Account>),
    /// Days and seconds, in micros, by segment.
    Spread {
        /// By segment: day and microseconds.
        values: HashMap<u32, Vec<(i32, i64)>>,
        /// The percentile that is asked for.
        percent: u32,
    },
    /// Who came and has not gone.
    Waiting(Waiting),
    /// What there is at the ends of windows, by segment and end; one is so many units.
    AtEnd {
        /// By segment and the day after the window.
        values: HashMap<(u32, i32), i128>,
        /// How many units one is.
        unit: i128,
    },
}

/// By segment the days on which someone came, and the days on which someone who had come was done.
#[derive(Default)]
pub struct Waiting {
    came: HashMap<u32, Vec<i32>>,
    done: HashMap<u32, Vec<i32>>,
}

impl Waiting {
    /// Adds someone, with the day on which they were done.
    pub fn add(&mut self, segment: u32, came: i32, done: Option<i32>) {
        self.came.entry(segment).or_default().push(came);
        if let Some(done) = done {
            self.done.entry(segment).or_default().push(done);
        }
    }

    /// Ready for windows.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.came.values_mut().chain(self.done.values_mut()).for_each(|days| days.sort_unstable());
        self
    }

    /// Who had come before the end of a window and was not done before its start.
    fn count(&self, days: Days, segment: u32) -> i64 {
        let before = |all: &HashMap<u32, Vec<i32>>, day: Day| {
            all.get(&segment).map_or(0, |days| days.partition_point(|other| *other < day.0)) as i64
        };
        before(&self.came, days.end) - before(&self.done, days.start)
    }
}

/// The balances of one account.
pub struct Account {
    segment: u32,
    currency: Option<Currency>,
    amounts: Vec<(i32, i128)>,
}

/// What a measure of the table needs to be counted.
struct Job {
    id: &'static str,
    tally: Tally,
    source: Source,
}

/// Which of the sources of a measure is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// There is but one.
    Only,
    /// The one that is preferred, by months.
    Preferred,
    /// The one that stands in for it in the months in which that says nothing.
    StandIn,
}

impl Source {
    /// The tallies of a measure, each with what it is to it.
    pub(super) fn of(tally: Tally) -> Vec<(Source, Tally)> {
        match tally.otherwise {
            None => vec![(Source::Only, tally)],
            Some(other) => vec![(Source::Preferred, tally), (Source::StandIn, *other)],
        }
    }
}

/// A measure of two sources while they are being counted.
#[derive(Default)]
struct Pair {
    preferred: Option<Counted>,
    stand_in: Option<Counted>,
    /// The calendar months of which the preferred one says something, by their first days.
    months: BTreeSet<i32>,
}

impl Tallies {
    /// The columns that measures look at, by kind of fact: of each kind all at once, so that it is read once.
    ///
    /// # Errors
    /// When the catalogue of the lake cannot be read.
    pub fn wants(books: &Books, measures: &[&'static Measure]) -> Result<Vec<(&'static str, Wanted)>, EngineError> {
        let mut wants: BTreeMap<&'static str, Wanted> = BTreeMap::new();
        for measure in measures {
            for (_, tally) in effective(books, measure)?.map(Source::of).unwrap_or_default() {
                want(&tally, wants.entry(tally.table).or_default());
            }
        }
        Ok(wants.into_iter().collect())
    }

    /// Counts the measures that a question uses. Their facts are on the shelf of the books by now.
    ///
    /// # Errors
    /// When facts cannot be read, or amounts cannot be brought to the reporting currency.
    pub fn new(
        books: &Books,
        classifier: &Classifier<'_>,
        labels: &mut Labels,
        windows: &[Days],
        measures: &[&'static Measure],
        assumptions: &Assumptions,
    ) -> Result<Tallies, EngineError> {
        let mut tallies = Tallies::default();
        let mut by_table: BTreeMap<&'static str, Vec<Job>> = BTreeMap::new();
        for measure in measures {
            let Some(tally) = effective(books, measure)? else { continue };
            if measure.tally.is_some_and(|own| own.table != tally.table && matches!(own.what, What::Distinct(_))) {
                tallies.totals.insert(measure.id);
            }
            for (source, tally) in Source::of(tally) {
                by_table.entry(tally.table).or_default().push(Job { id: measure.id, tally, source });
            }
        }
        let Some(range) = range_of(windows) else { return Ok(tallies) };
        let mut pairs: BTreeMap<&'static str, Pair> = BTreeMap::new();
        for (table, mut jobs) in by_table {
            if !books.has_facts(table)? {
                continue;
            }
            let mut wanted = Wanted::default();
            jobs.iter().for_each(|job| want(&job.tally, &mut wanted));
            classifier.want(table, &mut wanted);
            let observed = books.shelf.get(books, table, wanted.clone())?;
            tallies.note_dimensions(&observed, &wanted);
            let mut groups: HashMap<&'static [&'static str], Classes> = HashMap::new();
            let mut orders: HashMap<&'static str, DayOrder> = HashMap::new();
            for job in &jobs {
                groups
                    .entry(job.tally.across)
                    .or_insert_with(|| classifier.classes(table, &observed, job.tally.across, labels));
                if job.tally.what.is_distinct() {
                    orders.entry(job.tally.at).or_insert_with(|| DayOrder::of(observed.days(job.tally.at)));
                }
            }
            let work = Work { books, table, observed: &observed, windows, range, assumptions };
            // What takes longest begins first, so that no thread waits for it in the end.
            jobs.sort_by_key(|job| !job.tally.what.is_distinct());
            let mut counted = jobs
                .iter()
                .enumerate()
                .par_bridge()
                .map(|(place, job)| {
                    let counted = job.count(&work, &groups[job.tally.across], orders.get(job.tally.at))?;
                    Ok((place, counted))
                })
                .collect::<Result<Vec<(usize, Counted)>, EngineError>>()?;
            counted.sort_by_key(|(place, _)| *place);
            for (job, (_, counted)) in jobs.iter().zip(counted) {
                if job.source == Source::Only {
                    if job.tally.across.is_empty() {
                        tallies.seen.extend(counted.segments());
                    }
                    tallies.counted.insert(job.id, counted);
                    continue;
                }
                let months = months_told(&job.tally, &observed, assumptions);
                let pair = pairs.entry(job.id).or_default();
                match job.source {
                    Source::StandIn => pair.stand_in = (!months.is_empty()).then_some(counted),
                    _ => {
                        pair.preferred = Some(counted);
                        pair.months = months;
                    }
                }
            }
        }
        for (id, pair) in pairs {
            if let Some(counted) = pair.counted() {
                tallies.add(id, counted);
            }
        }
        Ok(tallies)
    }

    /// Adds a measure that was counted elsewhere.
    pub fn add(&mut self, id: &'static str, counted: Counted) {
        self.seen.extend(counted.segments());
        self.counted.insert(id, counted);
    }

    /// Remembers which dimensions some fact states.
    pub fn note_dimensions(&mut self, observed: &Observed, wanted: &Wanted) {
        for name in &wanted.texts {
            if observed.texts(name).is_some_and(|coded| !coded.texts.is_empty()) {
                self.dimensions.insert(name.clone());
            }
        }
    }

    /// A measure over a window in a segment, if it is one of these.
    pub fn measure(
        &self,
        books: &Books,
        measure: &'static Measure,
        days: Days,
        segment: Option<usize>,
    ) -> Option<Value> {
        let Some(counted) = self.counted.get(measure.id) else {
            return measure.tally.map(|_| Value::NoData(measure.needs.iter().copied().collect()));
        };
        let Some(segment) = segment else { return Some(Value::whole(0)) };
        Some(counted.value(books, days, segment as u32))
    }

    /// Whether a measure of distinct ids was added up from daily totals, for want of the facts themselves.
    #[must_use]
    pub fn adds_up_totals(&self, measure: &Measure) -> bool {
        self.totals.contains(measure.id)
    }

    /// Whether some fact that was counted states a dimension.
    #[must_use]
    pub fn knows(&self, dimension: &str) -> bool {
        self.dimensions.contains(dimension)
    }

    /// Whether anything was seen in a segment.
    #[must_use]
    pub fn has_anything(&self, segment: usize) -> bool {
        self.seen.contains(&segment)
    }
}

/// What all measures of one kind of fact are counted with.
#[derive(Clone, Copy)]
struct Work<'a> {
    books: &'a Books,
    table: &'static str,
    observed: &'a Observed,
    windows: &'a [Days],
    range: Days,
    assumptions: &'a Assumptions,
}

/// The first day of any window and the first day after all of them.
fn range_of(windows: &[Days]) -> Option<Days> {
    let start = windows.iter().map(|days| days.start).min()?;
    let end = windows.iter().map(|days| days.end).max()?;
    Some(Days { start, end })
}

/// How a measure is counted from the facts that there are: from totals while there is nothing better.
pub(super) fn effective(books: &Books, measure: &Measure) -> Result<Option<Tally>, EngineError> {
    let Some(tally) = measure.tally else { return Ok(None) };
    match tally.instead {
        Some(totals) if !books.has_facts(tally.table)? => Ok(Some(*totals)),
        _ => Ok(Some(tally)),
    }
}

/// The calendar months of which the facts of a tally tell something, whoever they are about, by their first days.
pub(super) fn months_told(tally: &Tally, observed: &Observed, assumptions: &Assumptions) -> BTreeSet<i32> {
    let chosen = Chosen::new(tally, observed, assumptions);
    let (days, until) = (observed.days(tally.at), observed.days(UNTIL));
    let mut months = BTreeSet::new();
    for fact in (0..observed.len()).filter(|fact| days[*fact] != NO_DAY && chosen.holds(*fact)) {
        let last = until.get(fact).copied().unwrap_or(NO_DAY).max(days[fact]);
        let mut month = Day(days[fact]).first_of(Grain::Month);
        // A total of several years is no total of months.
        for _ in 0..=120 {
            if month.0 > last {
                break;
            }
            months.insert(month.0);
            month = month.plus_months(1);
        }
    }
    months
}

impl Pair {
    /// The one source, and the other in the months in which it says nothing.
    fn counted(self) -> Option<Counted> {
        let Some(stand_in) = self.stand_in else { return self.preferred };
        let told = |day: i32| self.months.contains(&Day(day).first_of(Grain::Month).0);
        let Counted::Daily { sums: others, unit } = stand_in else { return self.preferred };
        let mut sums = match self.preferred {
            Some(Counted::Daily { sums, .. }) => sums,
            _ => HashMap::new(),
        };
        for (segment, days) in others {
            let mut by_day: BTreeMap<i32, i128> = BTreeMap::new();
            let mut before = 0;
            for (day, so_far) in days {
                if !told(day) {
                    by_day.insert(day, so_far - before);
                }
                before = so_far;
            }
            let mut before = 0;
            for (day, so_far) in sums.remove(&segment).unwrap_or_default() {
                *by_day.entry(day).or_default() += so_far - before;
                before = so_far;
            }
            let mut so_far = 0;
            let prefixed = by_day.into_iter().map(|(day, sum)| {
                so_far += sum;
                (day, so_far)
            });
            sums.insert(segment, prefixed.collect());
        }
        Some(Counted::Daily { sums, unit })
    }
}

impl Job {
    fn count(&self, work: &Work<'_>, classes: &Classes, order: Option<&DayOrder>) -> Result<Counted, EngineError> {
        let Work { books, observed, windows, range, assumptions, .. } = *work;
        let tally = &self.tally;
        let ids_end = |column: &str| books.shelf.numberings(books).of(books, &numbering_sort(work.table, column)).end();
        let in_order = || match order {
            Some(order) => order.iter(observed.len()),
            None => Box::new(0..observed.len()),
        };
        let chosen = Chosen::new(tally, observed, assumptions);
        let days = observed.days(tally.at);
        // A balance holds from its day on, so those before the first window count as well.
        let first = if matches!(tally.what, What::Balance { .. }) { NO_DAY + 1 } else { range.start.0 };
        let until = observed.days(UNTIL);
        let last_day = |fact: usize| until.get(fact).copied().unwrap_or(NO_DAY).max(days[fact]);
        let counts = |fact: usize| {
            days[fact] < range.end.0 && last_day(fact) >= first && classes.of(fact) != OUTSIDE && chosen.holds(fact)
        };
        let facts = (0..observed.len()).filter(|fact| counts(*fact));
        let mut sums = DailySums::new(range);
        let unit = match tally.what {
            What::Distinct(column) => {
                let ids = observed.ids(column);
                let facts = in_order().filter(|fact| counts(*fact));
                let entries = facts.map(|fact| (ids[fact], days[fact], classes.of(fact)));
                return Ok(Counted::Distinct(Distinct::by_first(entries, ids_end(column), windows)));
            }
            What::DistinctInEach(column) => {
                let ids = observed.ids(column);
                let facts = in_order().filter(|fact| counts(*fact));
                let entries = facts.map(|fact| (ids[fact], days[fact], classes.of(fact)));
                return Ok(Counted::Distinct(Distinct::in_each(entries, ids_end(column), windows)));
            }
            What::DistinctByDay(column) => {
                let ids = observed.ids(column);
                let facts = in_order().filter(|fact| counts(*fact));
                let entries = facts.map(|fact| (ids[fact], days[fact], classes.of(fact)));
                distinct::by_day(entries, ids_end(column), range, |segment, day| sums.add(segment, day, 1));
                1
            }
            What::Facts => {
                facts.for_each(|fact| sums.add(classes.of(fact), days[fact], 1));
                1
            }
            What::Sum(column) => {
                let picos = observed.picos(column);
                facts.for_each(|fact| {
                    sums.spread(classes.of(fact), days[fact], last_day(fact), picos[fact].unwrap_or(0));
                });
                PICOS
            }
            What::Score { scale } => {
                let (scores, scales) = (observed.picos("score"), observed.picos("scale"));
                facts.for_each(|fact| {
                    let highest = scales[fact].unwrap_or(i128::from(scale) * PICOS).max(1);
                    let part = rounded(scores[fact].unwrap_or(0) * SCORE_UNITS, highest);
                    sums.add(classes.of(fact), days[fact], part);
                });
                SCORE_UNITS
            }
            What::Money(column) => {
                let picos = observed.picos(column);
                let currencies = Currencies::new(observed);
                for fact in facts {
                    let Some(picos) = picos[fact] else { continue };
                    let micros = rounded(picos, MICROS);
                    let micros = in_reporting_of(books, micros, currencies.of(fact)?, Day(days[fact]))?;
                    sums.spread(classes.of(fact), days[fact], last_day(fact), micros);
                }
                MICROS
            }
            What::Balance { account, amount } => {
                let accounts = observed.texts(account);
                let picos = observed.picos(amount);
                let currencies = Currencies::new(observed);
                let mut found: BTreeMap<(u32, Option<Currency>, u32), BTreeMap<i32, i128>> = BTreeMap::new();
                for fact in facts {
                    let Some(picos) = picos[fact] else { continue };
                    let account = accounts.and_then(|coded| coded.codes.get(fact).copied()).unwrap_or(u32::MAX);
                    let place = (account, Some(currencies.of(fact)?), classes.of(fact));
                    found.entry(place).or_default().insert(days[fact], rounded(picos, MICROS));
                }
                let accounts = found.into_iter().map(|((_, currency, segment), amounts)| Account {
                    segment,
                    currency,
                    amounts: amounts.into_iter().collect(),
                });
                return Ok(Counted::Balances(accounts.collect()));
            }
            What::Seconds { from, to } => {
                let (from, to) = (observed.instants(from), observed.instants(to));
                facts.filter(|fact| from[*fact] != NO_INSTANT && to[*fact] != NO_INSTANT).for_each(|fact| {
                    sums.add(classes.of(fact), days[fact], i128::from(to[fact]) - i128::from(from[fact]));
                });
                MICROS_A_SECOND
            }
            What::Spans { from, to } => {
                let (from, to) = (observed.instants(from), observed.instants(to));
                facts
                    .filter(|fact| from[*fact] != NO_INSTANT && to[*fact] != NO_INSTANT)
                    .for_each(|fact| sums.add(classes.of(fact), days[fact], 1));
                1
            }
            What::Percentile { from, to, percent } => {
                let (from, to) = (observed.instants(from), observed.instants(to));
                let mut values: HashMap<u32, Vec<(i32, i64)>> = HashMap::new();
                for fact in facts.filter(|fact| from[*fact] != NO_INSTANT && to[*fact] != NO_INSTANT) {
                    let span = to[fact].saturating_sub(from[fact]);
                    values.entry(classes.of(fact)).or_default().push((days[fact], span));
                }
                values.values_mut().for_each(|values| values.sort_unstable());
                return Ok(Counted::Spread { values, percent });
            }
        };
        Ok(sums.counted(unit))
    }
}

/// Adds the columns that a tally looks at.
pub fn want(tally: &Tally, wanted: &mut Wanted) {
    wanted.days.insert(tally.at.to_owned());
    if value_of_column(tally.table, UNTIL).is_some() {
        wanted.days.insert(UNTIL.to_owned());
    }
    for only in tally.only {
        match only {
            Only::Is(column, _) | Only::IsOrEmpty(column, _) | Only::Stated(column) | Only::IsSetting(column, _) => {
                wanted.texts.insert((*column).to_owned());
            }
            Only::Score { .. } => {
                wanted.numbers.extend(["score".to_owned(), "scale".to_owned()]);
            }
        }
    }
    match tally.what {
        What::Facts => {}
        What::Distinct(column) | What::DistinctInEach(column) | What::DistinctByDay(column) => {
            wanted.ids.insert(column.to_owned());
        }
        What::Sum(column) => {
            wanted.numbers.insert(column.to_owned());
        }
        What::Score { .. } => {
            wanted.numbers.extend(["score".to_owned(), "scale".to_owned()]);
        }
        What::Money(column) => {
            wanted.numbers.insert(column.to_owned());
            wanted.texts.insert("currency".to_owned());
        }
        What::Balance { account, amount } => {
            wanted.numbers.insert(amount.to_owned());
            wanted.texts.extend([account.to_owned(), "currency".to_owned()]);
        }
        What::Seconds { from, to } | What::Spans { from, to } | What::Percentile { from, to, .. } => {
            wanted.instants.extend([from.to_owned(), to.to_owned()]);
        }
    }
}

/// Which facts a tally counts.
pub struct Chosen<'a> {
    /// For each condition on texts, which codes fit, and whether the absence of one does.
    texts: Vec<(&'a [u32], Vec<bool>, bool)>,
    scores: Vec<Scores<'a>>,
}

/// Scores and their scales, with a condition on them.
type Scores<'a> = (&'a [Option<i128>], &'a [Option<i128>], Only);
/// Whether a text meets a condition.
type Fits<'f> = Box<dyn Fn(&str) -> bool + 'f>;

impl<'a> Chosen<'a> {
    /// Prepares the conditions of a tally for some facts.
    #[must_use]
    pub fn new(tally: &Tally, observed: &'a Observed, assumptions: &Assumptions) -> Self {
        let (mut texts, mut scores) = (Vec::new(), Vec::new());
        for only in tally.only {
            let (column, empty, fits): (&str, bool, Fits<'_>) = match *only {
                Only::Is(column, values) => (column, false, Box::new(move |text| values.contains(&text))),
                Only::IsOrEmpty(column, values) => (column, true, Box::new(move |text| values.contains(&text))),
                Only::Stated(column) => (column, false, Box::new(|_| true)),
                Only::IsSetting(column, setting) => {
                    let names = assumptions.names(setting).to_vec();
                    // Nothing set means every event, but for those that have to be named.
                    let all = names.is_empty() && setting != Setting::LoginEvents;
                    (column, all, Box::new(move |text| all || names.iter().any(|name| same_name(name, text))))
                }
                Only::Score { .. } => {
                    scores.push((observed.picos("score"), observed.picos("scale"), *only));
                    continue;
                }
            };
            let Some(coded) = observed.texts(column) else { continue };
            texts.push((coded.codes.as_slice(), coded.texts.iter().map(|text| fits(text)).collect(), empty));
        }
        Chosen { texts, scores }
    }

    /// Whether a fact is counted.
    #[must_use]
    pub fn holds(&self, fact: usize) -> bool {
        let texts = self.texts.iter().all(|(codes, fits, empty)| {
            codes.get(fact).is_some_and(|code| fits.get(*code as usize).copied().unwrap_or(*empty))
        });
        texts
            && self.scores.iter().all(|(scores, scales, only)| {
                let Only::Score { scale, least, most } = only else { return true };
                let Some(score) = scores[fact] else { return false };
                let highest = scales[fact].unwrap_or(i128::from(*scale) * PICOS);
                // score ÷ scale ≥ n ÷ d without a division.
                least.is_none_or(|(n, d)| score * i128::from(d) >= highest * i128::from(n))
                    && most.is_none_or(|(n, d)| score * i128::from(d) <= highest * i128::from(n))
            })
    }
}

/// Whether a name in a setting means an event: case and the way words are joined do not matter.
pub(super) fn same_name(name: &str, text: &str) -> bool {
    crate::kind::normalised(name) == crate::kind::normalised(text)
}

pub(super) struct Currencies<'a> {
    codes: &'a [u32],
    currencies: Vec<Option<Currency>>,
    texts: &'a [String],
}

impl<'a> Currencies<'a> {
    pub(super) fn new(observed: &'a Observed) -> Self {
        let coded = observed.texts("currency");
        let texts = coded.map_or(&[][..], |coded| coded.texts.as_slice());
        Currencies {
            codes: coded.map_or(&[], |coded| coded.codes.as_slice()),
            currencies: texts.iter().map(|code| Currency::parse(code)).collect(),
            texts,
        }
    }

    pub(super) fn of(&self, fact: usize) -> Result<Currency, EngineError> {
        let code = self.codes.get(fact).copied().unwrap_or(u32::MAX) as usize;
        self.currencies.get(code).copied().flatten().ok_or_else(|| {
            crate::books::BooksError::UnknownValue {
                column: "currency".to_owned(),
                value: self.texts.get(code).cloned().unwrap_or_default(),
            }
            .into()
        })
    }
}

/// Sums by segment and day while they are being made.
pub struct DailySums {
    range: Days,
    /// What lies too far away, or in segments that are rare enough for a map.
    sums: HashMap<u32, HashMap<i32, i128>>,
    /// For the first segments an array of days.
    dense: Vec<Run>,
}

/// The sums of days that follow each other.
#[derive(Clone, Default)]
struct Run {
    first: i32,
    sums: Vec<i128>,
}

impl Run {
    /// How many days a run may hold: a century. One fact of the year 9999 must not make it grow to there.
    const DAYS: usize = 36_600;

    /// The sum of a day; the run grows to it, unless that is too far.
    fn of(&mut self, day: i32) -> Option<&mut i128> {
        let place = i64::from(day) - i64::from(self.first);
        if let Some(at) = usize::try_from(place).ok().filter(|at| *at < self.sums.len()) {
            return self.sums.get_mut(at);
        }
        if self.sums.is_empty() {
            (self.first, self.sums) = (day, vec![0]);
            return self.sums.first_mut();
        }
        match usize::try_from(place) {
            Ok(at) if at < Self::DAYS => self.sums.resize(at + 1, 0),
            Ok(_) => return None,
            Err(_) => {
                let before = usize::try_from(-place).ok()?;
                let room = Self::DAYS.checked_sub(self.sums.len())?.checked_sub(before)?;
                // Room to spare, so that days that come backwards do not move everything each time.
                let grown = before + room.min(self.sums.len());
                let first = self.first.checked_sub(i32::try_from(grown).ok()?)?;
                self.sums.splice(0..0, std::iter::repeat_n(0, grown));
                self.first = first;
            }
        }
        let at = usize::try_from(i64::from(day) - i64::from(self.first)).ok()?;
        self.sums.get_mut(at)
    }
}

impl DailySums {
    /// Segments with a plain array of days; those beyond are rare enough for a map.
    const DENSE: usize = 512;

    fn new(range: Days) -> Self {
        DailySums { range, sums: HashMap::new(), dense: Vec::new() }
    }

    /// Sums over all days there are, for measures that look back before the first window.
    #[must_use]
    pub fn of_all_time() -> Self {
        DailySums::new(Days { start: Day(0), end: Day(0) })
    }

    /// Ready for windows; one is so many units.
    #[must_use]
    pub fn counted(self, unit: i128) -> Counted {
        Counted::Daily { sums: self.prefixed(), unit }
    }

    /// Adds to the sum of a segment and day; what is not looked at is left out.
    pub fn add(&mut self, segment: u32, day: i32, value: i128) {
        if segment == OUTSIDE {
            return;
        }
        let place = segment as usize;
        if place < Self::DENSE {
            if self.dense.len() <= place {
                self.dense.resize(place + 1, Run::default());
            }
            if let Some(sum) = self.dense[place].of(day) {
                *sum += value;
                return;
            }
        }
        *self.sums.entry(segment).or_default().entry(day).or_default() += value;
    }

    /// Adds a total of several days, evenly over them, rounded so that the days add up to it.
    fn spread(&mut self, segment: u32, from: i32, last: i32, total: i128) {
        let days = i128::from(last) - i128::from(from) + 1;
        let mut given = 0;
        for day in from..=last {
            let so_far = rounded(total.saturating_mul(i128::from(day) - i128::from(from) + 1), days);
            if (self.range.start.0..self.range.end.0).contains(&day) {
                self.add(segment, day, so_far - given);
            }
            given = so_far;
        }
    }

    /// For each segment the days on which something was, each with the sum up to it.
    fn prefixed(self) -> HashMap<u32, Vec<(i32, i128)>> {
        let mut all: HashMap<u32, BTreeMap<i32, i128>> =
            self.sums.into_iter().map(|(segment, days)| (segment, days.into_iter().collect())).collect();
        for (segment, run) in self.dense.into_iter().enumerate().filter(|(_, run)| !run.sums.is_empty()) {
            let days = run.sums.into_iter().enumerate().filter(|(_, sum)| *sum != 0);
            let days = days.map(|(at, sum)| (run.first.saturating_add(at as i32), sum));
            all.entry(segment as u32).or_default().extend(days);
        }
        let prefixed = all.into_iter().map(|(segment, days)| {
            let mut so_far = 0;
            let days = days.into_iter().map(|(day, sum)| {
                so_far += sum;
                (day, so_far)
            });
            (segment, days.collect())
        });
        prefixed.collect()
    }
}

impl Counted {
    fn segments(&self) -> Box<dyn Iterator<Item = usize> + '_> {
        match self {
            Counted::Daily { sums, .. } => Box::new(sums.keys().map(|segment| *segment as usize)),
            Counted::Distinct(distinct) => Box::new(distinct.segments()),
            Counted::Balances(accounts) => Box::new(accounts.iter().map(|account| account.segment as usize)),
            Counted::Spread { values, .. } => Box::new(values.keys().map(|segment| *segment as usize)),
            Counted::Waiting(waiting) => Box::new(waiting.came.keys().map(|segment| *segment as usize)),
            Counted::AtEnd { values, .. } => Box::new(values.keys().map(|(segment, _)| *segment as usize)),
        }
    }

    fn value(&self, books: &Books, days: Days, segment: u32) -> Value {
        match self {
            Counted::Daily { sums, unit } => {
                let before = |day: Day| -> i128 {
                    let Some(days) = sums.get(&segment) else { return 0 };
                    let place = days.partition_point(|(at, _)| *at < day.0);
                    place.checked_sub(1).map_or(0, |place| days[place].1)
                };
                let sum = before(days.end) - before(days.start);
                Value::Number(BigRational::new(sum.into(), (*unit).into()))
            }
            Counted::Distinct(distinct) => Value::whole(distinct.count(days, segment)),
            Counted::Waiting(waiting) => Value::whole(waiting.count(days, segment)),
            Counted::AtEnd { values, unit } => {
                let value = values.get(&(segment, days.end.0)).copied().unwrap_or(0);
                Value::Number(BigRational::new(value.into(), (*unit).into()))
            }
            Counted::Balances(accounts) => {
                let mut sum = 0;
                let mut stated = false;
                for account in accounts.iter().filter(|account| account.segment == segment) {
                    let place = account.amounts.partition_point(|(at, _)| *at < days.end.0);
                    let Some((_, micros)) = place.checked_sub(1).and_then(|place| account.amounts.get(place)) else {
                        continue;
                    };
                    stated = true;
                    let Some(currency) = account.currency else { continue };
                    match in_reporting_of(books, *micros, currency, days.end.plus_days(-1)) {
                        Ok(micros) => sum += micros,
                        Err(_) => {
                            return Value::Undefined(Words::fixed(
                                "the exchange rate of a balance is not known",
                                "缺少余额的汇率",
                                "le taux de change d’un solde n’est pas connu",
                            ));
                        }
                    }
                }
                match stated {
                    true => Value::Number(BigRational::new(sum.into(), MICROS.into())),
                    false => Value::Undefined(Words::fixed(
                        "no balance was stated by then",
                        "截至此时尚无余额记录",
                        "aucun solde n’était connu à cette date",
                    )),
                }
            }
            Counted::Spread { values, percent } => {
                let Some(values) = values.get(&segment) else { return nothing_measured() };
                let start = values.partition_point(|(day, _)| *day < days.start.0);
                let end = values.partition_point(|(day, _)| *day < days.end.0);
                let mut spans: Vec<i64> = values[start..end].iter().map(|(_, span)| *span).collect();
                spans.sort_unstable();
                percentile(&spans, *percent).map_or_else(nothing_measured, Value::Number)
            }
        }
    }
}

fn nothing_measured() -> Value {
    Value::Undefined(Words::fixed(
        "nothing was answered or resolved",
        "没有已回复或已解决的记录",
        "rien n’a été répondu ni résolu",
    ))
}

/// A percentile of sorted spans in micros, as seconds; between two neighbours in proportion, so that the 50th is the
/// median (R. J. Hyndman and Y. Fan, 1996, definition 7).
fn percentile(sorted: &[i64], percent: u32) -> Option<BigRational> {
    let last = sorted.len().checked_sub(1)?;
    let place = last as i128 * i128::from(percent);
    let (below, rest) = ((place / 100) as usize, place % 100);
    let low = i128::from(sorted[below]);
    let high = i128::from(sorted[(below + 1).min(last)]);
    Some(BigRational::new((low * 100 + (high - low) * rest).into(), (100 * MICROS_A_SECOND).into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Days that come in any order, some of them centuries away, are summed as a plain map sums them.
        #[test]
        fn daily_sums_are_those_of_a_map(
            entries in proptest::collection::vec(
                (0u32..3, prop_oneof![-40i32..40, -60_000i32..60_000, Just(i32::MAX), Just(i32::MIN + 1)], -5i64..5),
                0..60,
            ),
        ) {
            let mut sums = DailySums::of_all_time();
            let mut naive: BTreeMap<(u32, i32), i128> = BTreeMap::new();
            for (segment, day, value) in entries {
                sums.add(segment, day, value.into());
                *naive.entry((segment, day)).or_default() += i128::from(value);
            }
            let prefixed = sums.prefixed();
            for segment in 0..3 {
                let days = prefixed.get(&segment).cloned().unwrap_or_default();
                prop_assert!(days.is_sorted_by_key(|(day, _)| *day));
                let up_to = |day: i32| days.iter().rev().find(|(other, _)| *other <= day).map_or(0, |(_, sum)| *sum);
                for (_, day) in naive.keys() {
                    let theirs: i128 = naive.iter().filter(|((s, d), _)| *s == segment && d <= day).map(|(_, v)| v).sum();
                    prop_assert_eq!(up_to(*day), theirs);
                }
            }
        }
    }
}
