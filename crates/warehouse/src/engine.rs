//! The engine: from the books and the catalogue to figures.
//!
//! A question names metrics, periods and segments. The metrics are followed down to measures over windows; one pass
//! over the ledger ([`cube`]) and one over bills, payments and contracts ([`billing`]) give every measure; what is
//! left is exact arithmetic. Ratios are Σ ÷ Σ of two measures, never means of ratios.

pub mod anomalies;
pub mod billing;
pub mod business;
pub mod cohorts;
pub mod collection;
pub mod contribution;
pub mod cube;
pub mod evidence;
pub mod experiment;
pub mod forecast;
pub mod funnel;
pub mod health;
pub mod identities;
pub mod journey;
pub mod judgement;
pub mod label;
pub mod lead_score;
pub mod lever;
pub mod list_price;
pub mod payback;
pub mod people;
pub mod reconciliation;
pub mod segment;
mod share;
pub mod standing;
pub mod survival;
pub mod tally;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use num_rational::BigRational;
use num_traits::{One, ToPrimitive, Zero};
use outlook::{
    lead_score::RuleBook,
    segment::Concentration,
    survival::{Estimate, Life},
};
use revenue::{
    calendar::{Day, Grain, Period, periods},
    fact::NEVER,
    money::{MICROS, round_half_even},
    movement::Kind,
    policy::Exchange,
    price::Interval,
    timeline::Span,
};

use crate::{
    books::{Attributes, Books, BooksError, names::Names},
    catalogue::{
        Adds, Input, Measure, Needs, ResolvedMetric, Span as CalendarSpan, Unit, Value, Window, Words,
        measure::Setting, need,
    },
    lead_rules,
    observed::{ObservedError, value_of_column},
};
use billing::Billing;
use business::Business;
use cohorts::Triangle;
use cube::{Cube, Days, Wanted, cube, sum};
use evidence::{Entry, Evidence};
use health::{DoneBefore, Model};
use journey::Traveller;
use judgement::Call;
use label::Labels;
use people::{Attribution, People};
use segment::{Filter, STANDING, Segmentation};
use standing::{Census, Known, Place, Standings};
use tally::{
    Tallies,
    classify::{ACROSS, Classifier},
};

/// Cubes that were made for earlier questions: all sums of one split, so that the next metric over the same periods and
/// segments is only looked up. Books never change, so nothing in here grows old.
#[derive(Default)]
pub struct Cubes {
    kept: std::sync::Mutex<Vec<(Split, Arc<Made>)>>,
    /// Windows that will be asked for, so that one pass makes them all.
    announced: std::sync::Mutex<Vec<(Split, BTreeSet<Days>)>>,
    triangles: Earlier<TriangleAsked, Triangle>,
    answers: std::sync::Mutex<Vec<(Question, Arc<Vec<Figure>>)>>,
    calls: Earlier<(Day, Day), Vec<Call>>,
    at_risk: Earlier<Day, Vec<Place>>,
    attributes: std::sync::Mutex<BTreeMap<String, Arc<Attributes>>>,
    pub(crate) names: Names,
    first_movement: std::sync::OnceLock<Option<Day>>,
    people: Earlier<PeopleAsked, People>,
    health: std::sync::Mutex<Option<Arc<Model>>>,
    /// What customers did, as it was read for books before, until health is known here.
    done_before: std::sync::Mutex<Option<DoneBefore>>,
    known: std::sync::Mutex<Option<Arc<Known>>>,
}

/// Which people were asked for: with visits or not, what is known of them in which dimensions, by which touch.
type PeopleAsked = (bool, Vec<String>, Attribution);

/// What a cube is split by.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Split {
    by: Vec<String>,
    filters: Vec<Filter>,
    attribution: Attribution,
}

impl Split {
    fn of(question: &Question) -> Self {
        let attribution = question.assumptions.attribution;
        Self { by: question.by.clone(), filters: question.filters.clone(), attribution }
    }
}

/// Which triangle was asked for: its split, the length of a period, the first day and the first day no more.
type TriangleAsked = (Split, Grain, Day, Day);

/// A split with what was summed over it.
struct Made {
    segmentation: Segmentation,
    cube: Cube,
    windows: BTreeSet<Days>,
    wanted: Wanted,
}

impl Cubes {
    /// How many splits are kept; each may take some tens of megabytes.
    const KEPT: usize = 16;
    /// How many attributes are kept: each takes eight bytes a customer.
    const ATTRIBUTES: usize = 8;
    /// An answer of more figures is not kept.
    const FIGURES: usize = 10_000;

    fn find(&self, split: &Split, windows: &[Days], wanted: &Wanted) -> Option<Arc<Made>> {
        let kept = hold(&self.kept);
        let fits = |made: &Made| windows.iter().all(|days| made.windows.contains(days)) && made.wanted.covers(wanted);
        kept.iter().find(|(other, made)| other == split && fits(made)).map(|(_, made)| Arc::clone(made))
    }

    /// Says which windows of a split will be asked for, where they are not there yet.
    fn announce(&self, split: &Split, windows: &[Days]) {
        if self.find(split, windows, &Wanted::default()).is_some() {
            return;
        }
        let mut announced = hold(&self.announced);
        match announced.iter_mut().find(|(other, _)| other == split) {
            Some((_, known)) => known.extend(windows),
            None => keep(&mut announced, (split.clone(), windows.iter().copied().collect())),
        }
    }

    /// The windows that were said of a split.
    fn announced(&self, split: &Split) -> Vec<Days> {
        let mut announced = hold(&self.announced);
        let place = announced.iter().position(|(other, _)| other == split);
        place.map_or_else(Vec::new, |place| announced.remove(place).1.into_iter().collect())
    }

    /// Attributes of earlier questions, and those that `load` reads. One question reads at a time: another one that asks
    /// meanwhile is served when they are there.
    pub(crate) fn attributes(
        &self,
        names: BTreeSet<String>,
        load: impl FnOnce(&[String]) -> Result<BTreeMap<String, Attributes>, EngineError>,
    ) -> Result<BTreeMap<String, Arc<Attributes>>, EngineError> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut kept = hold(&self.attributes);
        let mut found: BTreeMap<String, Arc<Attributes>> = BTreeMap::new();
        let mut missing = Vec::new();
        for name in names {
            if let Some(attributes) = kept.get(&name) {
                found.insert(name, Arc::clone(attributes));
            } else {
                missing.push(name);
            }
        }
        if !missing.is_empty() {
            for (name, attributes) in load(&missing)? {
                let attributes = Arc::new(attributes);
                if kept.len() >= Self::ATTRIBUTES {
                    kept.pop_first();
                }
                kept.insert(name.clone(), Arc::clone(&attributes));
                found.insert(name, attributes);
            }
        }
        Ok(found)
    }

    /// How health is judged. One question learns at a time: another one that asks meanwhile is served when it is known.
    fn health(
        &self,
        load: impl FnOnce(Option<DoneBefore>) -> Result<Model, EngineError>,
    ) -> Result<Arc<Model>, EngineError> {
        let before = || hold(&self.done_before).clone();
        let model = once(&self.health, || load(before()))?;
        *hold(&self.done_before) = None;
        Ok(model)
    }

    /// What was made of some books and holds for those at a newer snapshot, whose ledger has the customers `added` besides and
    /// before which facts of the kinds `changed` came.
    pub(crate) fn next(&self, books: &Books, changed: &[String], added: &[u32]) -> Self {
        let mut next = Self::default();
        let has_changed = |table: &str| changed.iter().any(|changed| changed == table);
        if !health::read_from().any(has_changed) {
            // What is being learnt right now is not waited for.
            let model = self.health.try_lock().ok().and_then(|model| model.clone());
            let before = match model {
                Some(model) => Some(DoneBefore::of(books, &model)),
                None => hold(&self.done_before).clone(),
            };
            *hold(&next.done_before) = before.map(|before| before.with_customers(added));
        }
        if !has_changed("customer") {
            next.names = self.names.carried();
        }
        // Of a customer who is new in the ledger something may have been known before.
        if added.is_empty()
            && !has_changed("customer")
            && let Ok(kept) = self.attributes.try_lock()
        {
            let stated = kept.iter().filter(|(name, _)| *name != STANDING);
            *hold(&next.attributes) = stated.map(|(name, attributes)| (name.clone(), Arc::clone(attributes))).collect();
        }
        next
    }

    /// Which customers are known.
    fn known(&self, load: impl FnOnce() -> Result<Known, EngineError>) -> Result<Arc<Known>, EngineError> {
        once(&self.known, load)
    }

    fn keep(&self, split: Split, made: Arc<Made>) {
        keep(&mut hold(&self.kept), (split, made));
    }
}

/// What was made for earlier questions, by what they asked.
struct Earlier<K, T>(std::sync::Mutex<Vec<(K, Arc<T>)>>);

impl<K, T> Default for Earlier<K, T> {
    fn default() -> Self {
        Self(std::sync::Mutex::default())
    }
}

impl<K: PartialEq, T> Earlier<K, T> {
    /// What was made for an earlier question, or is made now.
    fn find_or_make(&self, asked: K, make: impl FnOnce() -> Result<T, EngineError>) -> Result<Arc<T>, EngineError> {
        if let Some((_, made)) = hold(&self.0).iter().find(|(other, _)| *other == asked) {
            return Ok(Arc::clone(made));
        }
        let made = Arc::new(make()?);
        keep(&mut hold(&self.0), (asked, Arc::clone(&made)));
        Ok(made)
    }
}

/// Keeps one more; the oldest makes room for it.
fn keep<T>(kept: &mut Vec<T>, one: T) {
    if kept.len() >= Cubes::KEPT {
        kept.remove(0);
    }
    kept.push(one);
}

fn hold<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What was made before, or is made now.
fn once<T>(
    kept: &std::sync::Mutex<Option<Arc<T>>>,
    load: impl FnOnce() -> Result<T, EngineError>,
) -> Result<Arc<T>, EngineError> {
    let mut kept = hold(kept);
    if let Some(made) = kept.as_ref() {
        return Ok(Arc::clone(made));
    }
    let made = Arc::new(load()?);
    *kept = Some(Arc::clone(&made));
    Ok(made)
}

impl Books {
    /// The day of the first movement of the ledger; nothing while there is none.
    #[must_use]
    pub fn first_movement(&self) -> Option<Day> {
        *self.cubes.first_movement.get_or_init(|| self.ledger.day.iter().min().map(|day| Day(*day)))
    }
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The books could not be read.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// The lake could not be read.
    #[error(transparent)]
    Lake(#[from] crate::lake::LakeError),
    /// The catalogue has faults.
    #[error(transparent)]
    Catalogue(#[from] crate::catalogue::CatalogueError),
    /// No such metric.
    #[error(transparent)]
    Lookup(#[from] crate::catalogue::LookupError),
    /// An amount does not fit the ledger.
    #[error(transparent)]
    Money(#[from] revenue::money::MoneyError),
    /// Facts of other kinds could not be read.
    #[error(transparent)]
    Observed(#[from] ObservedError),
    /// A dimension that nothing has.
    #[error(
        "there is no dimension `{name}`: it is none of {known}, cohort, segment and customer, and no customer has an attribute \
         of that name; import it with `recurve import customers FILE` (a column `{name}`)"
    )]
    UnknownDimension {
        /// What was asked for.
        name: String,
        /// The dimensions of parts.
        known: String,
    },
    /// More cells than memory holds.
    #[error(
        "{segments} segments over {windows} periods are more than one answer holds; ask for fewer periods, another \
         dimension, or filter with --where"
    )]
    TooMany {
        /// How many segments.
        segments: usize,
        /// How many windows.
        windows: usize,
    },
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The metrics, each with its variant.
    pub metrics: Vec<Arc<ResolvedMetric>>,
    /// How long a period is.
    pub grain: Grain,
    /// The first day.
    pub from: Day,
    /// The first day no more.
    pub to: Day,
    /// The dimensions to split by.
    pub by: Vec<String>,
    /// What is looked at.
    pub filters: Vec<Filter>,
    /// What figures need besides facts.
    pub assumptions: Assumptions,
}

impl Question {
    /// Whether another one is the same, of the same catalogue.
    fn is(&self, other: &Question) -> bool {
        let Question { metrics, grain, from, to, by, filters, assumptions } = self;
        (grain, from, to, by, filters) == (&other.grain, &other.from, &other.to, &other.by, &other.filters)
            && metrics.len() == other.metrics.len()
            && metrics.iter().zip(&other.metrics).all(|(one, other)| Arc::ptr_eq(one, other))
            && *assumptions == other.assumptions
    }

    /// The measures that its metrics are made of, each once.
    fn measures(&self) -> Vec<&'static Measure> {
        let inputs = self.metrics.iter().flat_map(|metric| &metric.inputs);
        let measures: BTreeMap<&'static str, &'static Measure> =
            inputs.map(|input| (input.measure.id, input.measure)).collect();
        measures.into_values().collect()
    }

    /// The dimensions that it splits or filters by.
    fn dimensions(&self) -> BTreeSet<String> {
        self.by.iter().cloned().chain(self.filters.iter().map(|filter| filter.dimension.clone())).collect()
    }
}

/// What figures need besides facts, where nobody has stated it in facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Assumptions {
    /// Gross margin as a fraction; `None` while it is not known.
    pub gross_margin: Option<BigRational>,
    /// Months ahead for which committed changes are counted.
    pub committed_months: i32,
    /// What a year's delay takes off the worth of money, for discounted lifetimes.
    pub discount_rate_yearly: f64,
    /// What the user's product calls things.
    pub names: BTreeMap<Setting, Vec<String>>,
    /// Days from the sign-up within which an event counts as activation.
    pub activation_days: i32,
    /// By which touch a customer belongs to a channel.
    pub attribution: Attribution,
    /// Days that pass from spending money to the customers whom it brings, for CAC.
    pub cac_lead_days: i32,
    /// The rules by which leads are scored.
    pub lead_rules: Arc<RuleBook>,
    /// Months over which burn is taken for the runway.
    pub burn_months: i32,
    /// Cash that is to be left at the lowest point, in major units of the reporting currency.
    pub cash_reserve: BigRational,
}

impl Default for Assumptions {
    fn default() -> Self {
        let names: [(Setting, &[&str]); 2] = [
            (Setting::LoginEvents, &["login", "log_in", "logged_in", "sign_in", "signed_in"]),
            (Setting::ActivationEvents, &["activated", "activation", "user_activated"]),
        ];
        let listed = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            gross_margin: None,
            committed_months: 12,
            discount_rate_yearly: 0.10,
            names: names.into_iter().map(|(setting, names)| (setting, listed(names))).collect(),
            activation_days: 14,
            attribution: Attribution::default(),
            cac_lead_days: 0,
            lead_rules: Arc::new(lead_rules::built_in()),
            burn_months: 3,
            cash_reserve: BigRational::zero(),
        }
    }
}

impl Assumptions {
    /// What a month's delay takes off the worth of money: twelve of it make the year's.
    #[must_use]
    pub fn monthly_discount_rate(&self) -> f64 {
        (1.0 + self.discount_rate_yearly).powf(1.0 / 12.0) - 1.0
    }

    /// The names that a setting lists.
    #[must_use]
    pub fn names(&self, setting: Setting) -> &[String] {
        self.names.get(&setting).map_or(&[], Vec::as_slice)
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Figure {
    /// The metric with its variant.
    pub metric: Arc<ResolvedMetric>,
    /// The period.
    pub period: Period,
    /// The values of the dimensions asked for.
    pub segment: Vec<String>,
    /// The value; money in major units.
    pub value: Value,
    /// What is to be known besides: why there is no value, or what is odd about it.
    pub note: Option<Words>,
    /// How sure it is, where it rests on an estimate.
    pub interval: Option<survival::Interval>,
}

const PARTIAL: Words =
    Words::fixed("partial: {from} to {to}", "部分期间：{from} 至 {to}", "partiel : du {from} au {to}");
const MARGIN_NOT_KNOWN: Words = Words::fixed(
    "gross margin not known, taken as 100%",
    "毛利率未知，按 100% 计",
    "marge brute inconnue, prise à 100 %",
);
const FROM_TOTALS: Words = Words::fixed(
    "from daily totals: who came on several days counts on each",
    "来自每日合计：多天到访者每天各计一次",
    "d’après des totaux quotidiens : qui vient plusieurs jours compte chaque jour",
);
const HEALTH_NOT_KNOWN: Words = Words::fixed(
    "health is not known (needs product_event), so nobody counts as at risk",
    "健康度未知（需要 product_event），因此没有客户计为有风险",
    "la santé n’est pas connue (il faut product_event), donc personne ne compte comme à risque",
);
const INTERVAL: Words =
    Words::fixed("95 %: {lower} to {upper}", "95%：{lower} 至 {upper}", "95 % : de {lower} à {upper}");
const SMALL_SAMPLE: Words = Words::fixed(
    "small sample: {lives} customers, {ended} left",
    "样本较小：{lives} 位客户，{ended} 位流失",
    "petit échantillon : {lives} clients, {ended} partis",
);
const SMALL_SAMPLE_OF_ONE: Words = Words::fixed(
    "small sample: {lives} customer, {ended} left",
    "样本较小：{lives} 位客户，{ended} 位流失",
    "petit échantillon : {lives} client, {ended} parti",
);

/// Why there is no value, said as a note.
fn undefined(reason: &Words) -> Words {
    Words::owned(
        format!("undefined: {}", reason.en),
        format!("无定义：{}", reason.zh),
        format!("non défini : {}", reason.fr),
    )
}

/// Several notes as one; nothing where there are none.
fn together(notes: &[Words]) -> Option<Words> {
    let join = |of: fn(&Words) -> &str, comma: &str| notes.iter().map(of).collect::<Vec<_>>().join(comma);
    let joined =
        || Words::owned(join(|note| &note.en, "; "), join(|note| &note.zh, "；"), join(|note| &note.fr, " ; "));
    (!notes.is_empty()).then(joined)
}

impl Figure {
    /// The value as a decimal: money with every decimal that it has, counts whole, ratios with twelve decimals.
    /// Empty when there is none.
    #[must_use]
    pub fn text(&self, currency_decimals: u32) -> String {
        let Value::Number(number) = &self.value else { return String::new() };
        self.print(number, currency_decimals)
    }

    /// A number of the figure's unit, such as an end of its interval, as a decimal.
    #[must_use]
    pub fn print(&self, number: &BigRational, currency_decimals: u32) -> String {
        match self.metric.variant.unit {
            Unit::Money => decimal(number, 6, currency_decimals),
            Unit::Count => decimal(number, 6, 0),
            Unit::Date => number.floor().to_integer().to_i32().map_or_else(String::new, |day| Day(day).to_string()),
            _ => decimal(number, 12, 12),
        }
    }
}

/// A rational as a decimal, rounded once, half to even, to `decimals` and with at least `least` of them.
#[must_use]
pub fn decimal(number: &BigRational, decimals: u32, least: u32) -> String {
    let scaled = number * BigRational::from_integer(num_bigint::BigInt::from(10).pow(decimals));
    let floor = scaled.floor();
    let half = BigRational::new(1.into(), 2.into());
    let rest = &scaled - &floor;
    let even = (&floor.to_integer() % num_bigint::BigInt::from(2)).is_zero();
    let up = rest > half || (rest == half && !even);
    let rounded = floor.to_integer() + num_bigint::BigInt::from(i32::from(up));
    match i128::try_from(rounded.clone()) {
        Ok(value) => revenue::money::print_scaled(value, decimals, least),
        Err(_) => format!("{rounded}e-{decimals}"),
    }
}

/// The windows of a period that measures are taken over.
fn window_days(window: Window, period: &Period, grain: Grain, first_fact: Day) -> Days {
    let back = |count: u32, span: CalendarSpan| {
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        match span {
            CalendarSpan::Day => period.end.plus_days(-count),
            CalendarSpan::Week => period.end.plus_days(count.saturating_mul(-7)),
            CalendarSpan::Month => period.end.plus_months(-count),
            CalendarSpan::Quarter => period.end.plus_months(count.saturating_mul(-3)),
            CalendarSpan::Year => period.end.plus_months(count.saturating_mul(-12)),
        }
    };
    match window {
        Window::Period => Days { start: period.start, end: period.end },
        Window::PeriodBefore => {
            let start = period.label.plus_days(-1).first_of(grain);
            Days { start, end: period.label }
        }
        Window::Trailing { count, span } => Days { start: back(count, span), end: period.end },
        Window::YearToDate => Days { start: period.end.plus_days(-1).first_of(Grain::Year), end: period.end },
        Window::AllHistory => Days { start: first_fact.min(period.end), end: period.end },
    }
}

/// What happened to the spans of trials and announced cancellations, for measures that look ahead.
pub struct Ahead {
    /// Trials: customer, offer, days, monthly value.
    trials: Vec<(u32, Span)>,
    /// Paid spans with an announced end, or that follow a trial.
    announced: Vec<(u32, Span)>,
    after_trial: Vec<(u32, Span)>,
}

/// Answers a question.
///
/// # Errors
/// When facts cannot be read, a dimension is not known, or the answer is too large.
pub fn answer(books: &Books, question: &Question) -> Result<Vec<Figure>, EngineError> {
    // What is a sum of a cube is looked up there.
    if question.measures().iter().all(|measure| of_cube(&Cube::default(), 0, measure.id).is_some()) {
        return work_out(books, question);
    }
    let answers = &books.cubes.answers;
    let found = hold(answers).iter().find(|(other, _)| question.is(other)).map(|(_, figures)| Arc::clone(figures));
    if let Some(figures) = found {
        return Ok(figures.to_vec());
    }
    let figures = work_out(books, question)?;
    if figures.len() <= Cubes::FIGURES {
        keep(&mut hold(answers), (question.clone(), Arc::new(figures.clone())));
    }
    Ok(figures)
}

/// Answers a question that nobody asked before.
fn work_out(books: &Books, question: &Question) -> Result<Vec<Figure>, EngineError> {
    let counted = share::Counted::of(question);
    let mut solver = Solver::new(books, &counted)?;
    // A split shows the segments in which something ever was; a whole is shown also when it is empty. Of facts that have
    // dimensions of their own the ledger knows no segment.
    let of_ledger = solver.is_of_ledger();
    let mut shown = solver.labels.sorted();
    shown.retain(|segment| {
        if solver.shares.hides(*segment) {
            return false;
        }
        if solver.shares.has(*segment) {
            return true;
        }
        question.by.is_empty()
            || (of_ledger && solver.made.cube.has_anything(*segment))
            || solver.billing.has_anything(*segment)
            || solver.tallies.has_anything(*segment)
    });
    if shown.is_empty() {
        // Without any fact there is no segment, and still each metric says what it needs.
        shown.push(solver.labels.number(question.by.iter().map(|_| segment::UNKNOWN.to_owned()).collect()) as usize);
    }
    let mut figures = Vec::new();
    for metric in &question.metrics {
        let mut order = shown.clone();
        if let Some(last) = solver.asked.iter().rev().find_map(|(_, counted)| *counted).filter(|_| metric.metric.ranked)
        {
            let value = |segment: &usize| metric.evaluate(&mut |input| solver.measure(input, &last, *segment));
            // A stable sort: equal ones stay in order of their names.
            order.sort_by_cached_key(|segment| std::cmp::Reverse(value(segment).number().cloned()));
        }
        for (period, counted) in &solver.asked {
            for segment in &order {
                figures.push(solver.figure(metric, period, counted.as_ref(), *segment));
            }
        }
    }
    Ok(figures)
}

/// The windows that the measures of a question are taken over.
struct Windows {
    /// The periods, each with the part of it that has begun.
    asked: Vec<(Period, Option<Period>)>,
    /// Each once, in order.
    windows: Vec<Days>,
}

impl Windows {
    /// Those of a question whose periods begin on a day.
    fn of(books: &Books, question: &Question, from: Day) -> Self {
        let to_come = books.first_day_to_come();
        let first_fact = books.first_movement().unwrap_or(question.from);
        let asked: Vec<(Period, Option<Period>)> = periods(from, question.to, question.grain)
            .into_iter()
            .map(|period| {
                let counted = (period.start < to_come).then(|| Period { end: period.end.min(to_come), ..period });
                (period, counted)
            })
            .collect();
        let windows_used: BTreeSet<Window> =
            question.metrics.iter().flat_map(|metric| &metric.inputs).map(|input| input.window).collect();
        let mut windows: Vec<Days> = Vec::new();
        for (_, counted) in &asked {
            for window in &windows_used {
                windows.extend(counted.iter().map(|period| window_days(*window, period, question.grain, first_fact)));
            }
        }
        let lead = question.assumptions.cac_lead_days;
        if lead != 0 {
            let earlier = windows.iter().map(|days| Days { start: days.start.plus_days(-lead), ..*days });
            windows.extend(earlier.collect::<Vec<_>>());
        }
        windows.sort_unstable();
        windows.dedup();
        Self { asked, windows }
    }
}

/// The windows of a question with others that cost next to nothing besides: those that were announced, and those of longer
/// series, which somebody will ask for who looks at this one.
fn further_windows(
    books: &Books,
    question: &Question,
    mut windows: Vec<Days>,
    segmentation: &Segmentation,
    wanted: &Wanted,
    split: &Split,
) -> Vec<Days> {
    /// So many periods are the longest series that is foreseen.
    const PERIODS: i32 = 120;
    /// So many cells take some megabytes.
    const CELLS: usize = 4_096;
    let mut further = books.cubes.announced(split);
    // What is kept by customer is kept for each window.
    let is_of_sums = !wanted.spread && !wanted.survival && wanted.subscriptions.is_none();
    let last = question.to.plus_days(-1).first_of(question.grain);
    let from = match question.grain {
        Grain::Day => last.plus_days(1 - PERIODS),
        Grain::Week => last.plus_days(7 * (1 - PERIODS)),
        Grain::Month => last.plus_months(1 - PERIODS),
        Grain::Quarter => last.plus_months(3 * (1 - PERIODS)),
        Grain::Year => last.plus_months(12 * (1 - PERIODS)),
    };
    if is_of_sums && from < question.from {
        further.extend(Windows::of(books, question, from).windows);
    }
    if segmentation.len().saturating_mul(windows.len() + further.len()) <= CELLS {
        windows.append(&mut further);
    }
    windows.sort_unstable();
    windows.dedup();
    windows
}

struct Solver<'a> {
    books: &'a Books,
    question: &'a Question,
    made: Arc<Made>,
    ahead: Option<Ahead>,
    billing: Billing,
    tallies: Tallies,
    business: Business,
    /// The segments, those among them that only other facts than subscriptions know.
    labels: Labels,
    /// How health is judged, where it is asked for and there are facts to judge it by.
    model: Option<Arc<Model>>,
    /// Which parts of segments make up a channel, where customers are shared out over several.
    shares: share::Shares,
    lacking: HashMap<&'static str, bool>,
    first_fact: Day,
    /// The periods, each with the part of it that has begun.
    asked: Vec<(Period, Option<Period>)>,
}

impl<'a> Solver<'a> {
    /// Computes every measure that a question needs.
    fn new(books: &'a Books, counted: &'a share::Counted) -> Result<Self, EngineError> {
        let question = &counted.question;
        let first_fact = books.first_movement().unwrap_or(question.from);
        let Windows { asked, windows } = Windows::of(books, question, question.from);
        let uses = |names: &[&str]| {
            question.metrics.iter().flat_map(|metric| &metric.inputs).any(|input| names.contains(&input.measure.id))
        };
        let wanted = Wanted {
            spread: uses(&["mrr_top_20", "mrr_largest", "mrr_hhi_numerator"]),
            lifetimes: uses(&["lifetime_days_observed_sum", "lifetimes_observed_count"]),
            survival: uses(&["survival_lifetime_months", "survival_discounted_months"]),
            subscriptions: uses(&["subscriptions_closing"]).then(|| books.subscriptions_of_items()),
        };
        let measures = question.measures();
        let attribution = question.assumptions.attribution;
        let split = Split::of(question);
        let kept = books.cubes.find(&split, &windows, &wanted);
        let dimensions: Vec<String> = question.dimensions().into_iter().collect();
        let stated = match &kept {
            Some(_) => BTreeMap::new(),
            None => segment::stated(books, &question.by, &question.filters)?,
        };
        let known = |name: &str| match &kept {
            Some(made) => made.segmentation.attributes(name).is_some(),
            None => stated.contains_key(name),
        };
        let people = people_of(books, question, &measures, &dimensions, &known)?;
        let made = match kept {
            Some(made) => made,
            None => {
                let attributes = people::attributed(books, &people, stated, &dimensions, attribution);
                let segmentation = Segmentation::of_attributes(books, &question.by, &question.filters, attributes);
                // A cell holds all sums of a segment in a window: some hundred bytes, for each thread.
                const CELLS: usize = 4_000_000;
                if segmentation.len().saturating_mul(windows.len()) > CELLS {
                    return Err(EngineError::TooMany { segments: segmentation.len(), windows: windows.len() });
                }
                let windows = further_windows(books, question, windows.clone(), &segmentation, &wanted, &split);
                let free = books.view.policy.free_is_customer;
                let cube = cube(&books.ledger, &segmentation, &windows, &wanted, free);
                let made = Made { segmentation, cube, windows: windows.into_iter().collect(), wanted };
                let made = Arc::new(made);
                books.cubes.keep(split, Arc::clone(&made));
                made
            }
        };
        let mut ahead = uses(&["trial_mrr_closing", "committed_mrr_closing", "committed_mrr_annual_closing"])
            .then(|| look_ahead(books));
        if measures.iter().any(|measure| measure.id.starts_with("trials_")) && !books.has_facts("trial")? {
            ahead = ahead.or_else(|| Some(look_ahead(books)));
        }
        let mut labels = Labels::new(&made.segmentation.labels);
        let classifier = Classifier::new(&question.by, &question.filters, &made.segmentation, &people);
        let billing = Billing::new(books, &classifier, &mut labels, &windows, &measures)?;
        let mut tallies = Tallies::new(books, &classifier, &mut labels, &windows, &measures, &question.assumptions)?;
        let traveller = Traveller {
            books,
            people: &people,
            segmentation: &made.segmentation,
            by: &question.by,
            filters: &question.filters,
            assumptions: &question.assumptions,
            windows: &windows,
            ahead: ahead.as_ref(),
        };
        for (id, counted) in traveller.count(&measures, &mut labels)? {
            tallies.add(id, counted);
        }
        let mut model = None;
        if measures.iter().any(|measure| standing::counts(measure.id)) {
            let standings = Standings::new(books)?;
            let ends = ends_of(question, &asked, first_fact);
            let census = Census {
                books,
                people: &people,
                segmentation: &made.segmentation,
                by: &question.by,
                filters: &question.filters,
                attribution,
            };
            for (id, counted) in census.count(&measures, &ends, &standings, &mut labels)? {
                tallies.add(id, counted);
            }
            model = standings.model;
        }
        for (id, counted) in collection::count(books, &made.segmentation, &classifier, &mut labels, &measures)? {
            tallies.add(id, counted);
        }
        let business = Business::new(books, &windows, &measures, &question.assumptions)?;
        for name in &dimensions {
            let by_people = people.statements(name).is_some_and(|statements| !statements.texts.is_empty());
            if !tallies.knows(name) && !by_people && !is_column_of(&measures, name) {
                made.segmentation.must_know(name)?;
            }
        }
        let shares = share::Shares::new(counted, &mut labels);
        let mut lacking: HashMap<&'static str, bool> = HashMap::new();
        for need in question.metrics.iter().flat_map(|metric| &metric.needs) {
            if !lacking.contains_key(need) {
                lacking.insert(*need, !has_needed(books, need)?);
            }
        }
        Ok(Self {
            books,
            question,
            made,
            ahead,
            billing,
            tallies,
            business,
            labels,
            model,
            shares,
            lacking,
            first_fact,
            asked,
        })
    }

    /// Whether the segments of the ledger are those of the question: a measure is of the ledger, or it knows the dimensions.
    fn is_of_ledger(&self) -> bool {
        let of_ledger = |measure: &&'static Measure| measure.needs.contains(&"subscription");
        let knows = |name: &String| self.made.segmentation.must_know(name).is_ok();
        self.question.measures().iter().any(of_ledger) || self.question.by.iter().all(knows)
    }

    fn figure(
        &self,
        metric: &Arc<ResolvedMetric>,
        period: &Period,
        counted: Option<&Period>,
        segment: usize,
    ) -> Figure {
        let figure = |value: Value, note: Option<Words>| Figure {
            metric: Arc::clone(metric),
            period: *period,
            segment: self.labels.of(segment).to_vec(),
            value,
            note,
            interval: None,
        };
        let Some(counted) = counted else {
            let reason = Words::fixed("the period has not begun", "该期间尚未开始", "la période n’a pas commencé");
            let note = undefined(&reason);
            return figure(Value::Undefined(reason), Some(note));
        };
        let missing: Needs =
            metric.needs.iter().filter(|need| self.lacking.get(*need).copied().unwrap_or(true)).copied().collect();
        if !missing.is_empty() {
            let value = Value::NoData(missing);
            let note = value.why();
            return figure(value, note);
        }
        let value = metric.evaluate(&mut |input| self.measure(input, counted, segment));
        let mut notes: Vec<Words> = Vec::new();
        match &value {
            Value::Number(_) => {}
            Value::Undefined(reason) => notes.push(undefined(reason)),
            Value::NoData(_) => notes.extend(value.why()),
        }
        if period.end > self.books.first_day_to_come().plus_days(-1) || !period.whole {
            notes.push(
                PARTIAL
                    .with("{from}", || counted.start.to_string())
                    .with("{to}", || counted.end.plus_days(-1).to_string()),
            );
        }
        let end_of = |input: &Input| window_days(input.window, counted, self.question.grain, self.first_fact).end;
        if matches!(value, Value::Number(_))
            && metric
                .inputs
                .iter()
                .any(|input| input.measure.id == "gross_margin_applied" && self.gross_margin(end_of(input)).is_none())
        {
            notes.push(MARGIN_NOT_KNOWN);
        }
        if metric.inputs.iter().any(|input| self.tallies.adds_up_totals(input.measure)) {
            notes.push(FROM_TOTALS);
        }
        let counts = |of: fn(&str) -> bool| metric.inputs.iter().any(|input| of(input.measure.id));
        match &self.model {
            Some(model) if counts(standing::is_of_health) => notes.push(model.says()),
            None if counts(standing::counts) => {
                notes.push(HEALTH_NOT_KNOWN);
            }
            _ => {}
        }
        let interval = value.number().and_then(|_| self.interval(metric, counted, segment));
        if let Some(interval) = &interval {
            let decimals = if metric.variant.unit == Unit::Money { self.books.reporting.decimals() } else { 2 };
            let print = |end: &BigRational| decimal(end, decimals, decimals);
            notes.push(INTERVAL.with("{lower}", || print(&interval.lower)).with("{upper}", || print(&interval.upper)));
            if interval.is_of_small_sample() {
                let few = if interval.lives == 1 { SMALL_SAMPLE_OF_ONE } else { SMALL_SAMPLE };
                let ended = || interval.ended.to_string();
                notes.push(few.with("{lives}", || interval.lives.to_string()).with("{ended}", ended));
            }
        }
        Figure { interval, ..figure(value, together(&notes)) }
    }

    /// One measure over one window in one segment. Money in major units.
    fn measure(&self, input: &Input, period: &Period, segment: usize) -> Value {
        let days = window_days(input.window, period, self.question.grain, self.first_fact);
        self.measure_over(input.measure, self.shifted(input.measure, days), segment)
    }

    /// A measure over some days in one segment, which may have parts of others.
    fn measure_over(&self, measure: &'static Measure, days: Days, segment: usize) -> Value {
        match self.shares.of(segment) {
            Some([(whole, share)]) if share.is_one() => self.measure_of(measure, days, *whole),
            Some(parts) => self.shared(measure, days, parts),
            None => self.measure_of(measure, days, segment),
        }
    }

    /// A measure of a channel to which customers belong in part: of each part of the customers its share.
    fn shared(&self, measure: &'static Measure, days: Days, parts: &[(usize, BigRational)]) -> Value {
        if measure.adds == Adds::Nowhere && measure.needs.contains(&"subscription") {
            return Value::Undefined(Words::fixed(
                "it cannot be shared out over channels; use another --attribution",
                "该指标无法按渠道拆分；请改用其他 --attribution",
                "cela ne se répartit pas entre canaux ; choisissez une autre --attribution",
            ));
        }
        let mut sum = BigRational::zero();
        for (segment, share) in parts {
            match self.measure_of(measure, days, *segment) {
                Value::Number(value) => sum += value * share,
                other => return other,
            }
        }
        Value::Number(sum)
    }

    /// A measure of one segment as it was counted.
    fn measure_of(&self, measure: &'static Measure, days: Days, segment: usize) -> Value {
        if let Some(tally) = measure.tally {
            let place = self.place_across(segment, tally.across);
            if let Some(value) = self.tallies.measure(self.books, measure, days, place) {
                return value;
            }
        }
        if let Some(value) = self.tallies.measure(self.books, measure, days, Some(segment)) {
            return value;
        }
        let Some(place) = self.made.cube.place(days, segment) else {
            return Value::NoData(measure.needs.iter().copied().collect());
        };
        if let Some(value) = of_cube(&self.made.cube, place, measure.id) {
            return value;
        }
        match measure.id {
            "survival_lifetime_months" | "survival_discounted_months" => {
                let lives = self.lives(place);
                let rate = survival::monthly_discount(measure, &self.question.assumptions).unwrap_or_default();
                survival::months_of(lives, survival::expected_months(lives, rate).map(|months| months.mean))
            }
            "mrr_top_20" => self.concentration(place, |found| micros(found.top_fifth_micros)),
            "mrr_largest" => self.concentration(place, |found| micros(found.largest_micros)),
            "mrr_hhi_numerator" => self.concentration(place, |found| {
                Value::Number(BigRational::new(found.squares.into(), (MICROS * MICROS).into()))
            }),
            "trial_mrr_closing" => {
                let trials = self.trials(days.end).into_iter();
                micros(trials.filter(|entry| entry.segment == segment as u32).map(|entry| entry.value).sum())
            }
            "mrr_annual_closing" => {
                let mut sum: i128 = 0;
                self.movements_before(days.end, true, &mut |_, entry| {
                    sum += if entry.segment == segment as u32 { entry.value } else { 0 };
                });
                micros(sum)
            }
            "committed_mrr_closing" => self.committed(days.end, segment, place, false),
            "committed_mrr_annual_closing" => self.committed(days.end, segment, place, true),
            "days_in_period" => Value::whole(i64::from(days.end.0 - days.start.0)),
            "months_in_period" => Value::Number(months_in(days)),
            "gross_margin_applied" => {
                let known = self.gross_margin(days.end);
                Value::Number(known.unwrap_or_else(|| BigRational::from_integer(1.into())))
            }
            of_the_whole if business::is_of_the_whole(of_the_whole) => {
                match self.question.by.is_empty() && self.question.filters.is_empty() {
                    true => self.business.measure(self.books, of_the_whole, days),
                    false => Value::Undefined(business::ONLY_THE_WHOLE),
                }
            }
            other => self
                .billing
                .measure(other, days, segment)
                .unwrap_or_else(|| Value::NoData(measure.needs.iter().copied().collect())),
        }
    }

    /// Something about how MRR is spread over customers.
    fn concentration(&self, place: usize, of: impl Fn(Concentration) -> Value) -> Value {
        let mrr = self.made.cube.spread.get(place).map_or(&[][..], Vec::as_slice);
        Concentration::of(mrr.iter().copied()).map_or_else(
            |_| {
                Value::Undefined(Words::fixed(
                    "the MRR of customers is too large to be squared",
                    "客户的 MRR 过大，无法求平方",
                    "le MRR des clients est trop grand pour être mis au carré",
                ))
            },
            of,
        )
    }

    /// The gross margin at a day: from costs and revenue, else as it is set.
    fn gross_margin(&self, end: Day) -> Option<BigRational> {
        self.business.gross_margin(self.books, end).or_else(|| self.question.assumptions.gross_margin.clone())
    }

    /// Where money is spent some time before it brings customers, what was spent is looked at so much earlier.
    fn shifted(&self, measure: &Measure, days: Days) -> Days {
        let lead = self.question.assumptions.cac_lead_days;
        match measure.id {
            "marketing_cost" | "sales_cost" | "support_cost" if lead != 0 => {
                Days { start: days.start.plus_days(-lead), end: days.end.plus_days(-lead) }
            }
            _ => days,
        }
    }

    /// The segment that a measure counts in when it does not tell some dimensions apart.
    fn place_across(&self, segment: usize, across: &[&str]) -> Option<usize> {
        if !self.question.by.iter().any(|name| across.contains(&name.as_str())) {
            return Some(segment);
        }
        let label = self.question.by.iter().zip(self.labels.of(segment));
        let label: Vec<String> = label
            .map(|(name, text)| if across.contains(&name.as_str()) { ACROSS.to_owned() } else { text.clone() })
            .collect();
        self.labels.find(&label)
    }

    fn lives(&self, place: usize) -> &[Life] {
        self.made.cube.survival.get(place).map_or(&[], Vec::as_slice)
    }

    /// The interval of a figure that rests on an estimate: the figure with the ends of the estimate in its place. What
    /// else it is made of is counted, and taken for known.
    fn interval(&self, metric: &ResolvedMetric, period: &Period, segment: usize) -> Option<survival::Interval> {
        let assumptions = &self.question.assumptions;
        let of = |input: &Input| survival::monthly_discount(input.measure, assumptions);
        let first = metric.inputs.iter().find(|input| of(input).is_some())?;
        if self.shares.of(segment).is_some() {
            return None;
        }
        let lives = |input: &Input| {
            let days = window_days(input.window, period, self.question.grain, self.first_fact);
            self.made.cube.place(days, segment).map_or(&[][..], |place| self.lives(place))
        };
        let at = |end: fn(&Estimate) -> f64| {
            let value = metric.evaluate(&mut |input| match of(input) {
                Some(rate) => {
                    let lives = lives(input);
                    survival::months_of(lives, survival::expected_months(lives, rate).map(|months| end(&months)))
                }
                None => self.measure(input, period, segment),
            });
            value.number().cloned()
        };
        let (one, other) = (at(|months| months.lower)?, at(|months| months.upper)?);
        let lives = lives(first);
        let ended = lives.iter().filter(|life| life.ended).count() as u64;
        Some(survival::Interval {
            lower: one.clone().min(other.clone()),
            upper: one.max(other),
            lives: lives.len(),
            ended,
        })
    }

    /// What an item is worth a month in the reporting currency.
    /// Spans of subscriptions as entries of what they are worth, at a day on which they count.
    fn worth_of<'s>(&'s self, spans: &'s [(u32, Span)], day: Day) -> impl Iterator<Item = (&'s Span, Entry)> + 's {
        spans.iter().map(move |(customer, span)| {
            let segment = self.made.segmentation.segment(*customer as usize, span.offer);
            let evidence = Evidence::of_span(*customer, span);
            (span, Entry { segment, day: day.0, value: worth(self.books, span), evidence })
        })
    }

    /// The trials that run at the end of a period, with what they will be worth.
    fn trials(&self, end: Day) -> Vec<Entry> {
        let Some(ahead) = &self.ahead else { return Vec::new() };
        let at = self.books.ticks.of_day(end);
        let running = self.worth_of(&ahead.trials, end).filter(|(span, _)| span.from < at && span.to >= at);
        running.map(|(_, entry)| entry).collect()
    }

    /// The movements of committed MRR: those before a day and, once all is known that is known by now, those that are due
    /// within the horizon; each with its customer.
    fn committed_movements(&self, end: Day, annual: bool, found: &mut dyn FnMut(u32, Entry)) {
        let known_through = if self.knows_all(end) { self.horizon(end) } else { end };
        self.movements_before(known_through, annual, found);
    }

    /// The movements of MRR before a day, of all offers or of those that are billed yearly or longer, each with its customer.
    fn movements_before(&self, end: Day, annual: bool, found: &mut dyn FnMut(u32, Entry)) {
        let ledger = &self.books.ledger;
        for customer in (0..ledger.customers()).filter(|customer| self.made.segmentation.has_customer(*customer)) {
            for row in ledger.of_customer(customer) {
                if ledger.day[row] < end.0 && self.is_committed(ledger.offer[row], annual) {
                    let segment = self.made.segmentation.segment(customer, ledger.offer[row]);
                    let value = i128::from(ledger.delta_micros[row]);
                    let evidence = Evidence::of_row(ledger, customer as u32, row);
                    found(customer as u32, Entry { segment, day: ledger.day[row], value, evidence });
                }
            }
        }
    }

    /// What is announced at the end of a period and due within the horizon, and no movement yet: what is known at a past
    /// day is what the state of that day announced. What is known now is every fact, but a trial that may be kept is not
    /// signed.
    fn committed_changes(&self, end: Day, annual: bool) -> Vec<Entry> {
        let Some(ahead) = &self.ahead else { return Vec::new() };
        let ticks = &self.books.ticks;
        let (at, until) = (ticks.of_day(end), ticks.of_day(self.horizon(end)));
        let live = |span: &Span, tick| span.from < tick && span.to >= tick && self.is_committed(span.offer, annual);
        let spans = if self.knows_all(end) { &ahead.after_trial } else { &ahead.announced };
        let is_due = |span: &Span| match self.knows_all(end) {
            true => span.from >= at && live(span, until),
            false => live(span, at) && span.announced_end >= at && span.announced_end < until,
        };
        let due = self.worth_of(spans, end).filter(|(span, _)| is_due(span));
        due.map(|(_, entry)| Entry { value: -entry.value, ..entry }).collect()
    }

    fn horizon(&self, end: Day) -> Day {
        end.plus_months(self.question.assumptions.committed_months)
    }

    /// Whether an offer counts: any, or those that are billed once a year or less often.
    fn is_committed(&self, offer: u32, annual: bool) -> bool {
        !annual
            || self.books.facts.offers.get(offer as usize).is_some_and(|offer| match offer.interval {
                Interval::Year => true,
                Interval::Quarter => offer.interval_count >= 4,
                Interval::Month => offer.interval_count >= 12,
                Interval::Week => offer.interval_count >= 52,
                Interval::Day => offer.interval_count >= 365,
                Interval::OneOff => false,
            })
    }

    /// Whether all that is known by now is known at the end of a period.
    fn knows_all(&self, end: Day) -> bool {
        end >= self.books.first_day_to_come()
    }

    /// MRR with every change that is known at the end of a period and due within the horizon, in one segment.
    fn committed(&self, end: Day, segment: usize, place: usize, annual: bool) -> Value {
        if self.ahead.is_none() {
            return Value::whole(0);
        }
        let is_here = |entry: &Entry| entry.segment == segment as u32;
        let mut sum: i128 = 0;
        if annual || self.knows_all(end) {
            self.committed_movements(end, annual, &mut |_, entry| sum += if is_here(&entry) { entry.value } else { 0 });
        } else {
            sum = self.made.cube.get(place, sum::MRR_CLOSING);
        }
        let changes = self.committed_changes(end, annual).into_iter();
        micros(sum + changes.filter(is_here).map(|entry| entry.value).sum::<i128>())
    }
}

/// A measure that is one of the sums of a cube, at a place of it.
fn of_cube(cube: &Cube, place: usize, id: &str) -> Option<Value> {
    let money = |index: usize| micros(cube.get(place, index));
    let count = |index: usize| whole(cube.get(place, index));
    let moved = |kind: Kind| micros(cube.get(place, sum::MOVED + kind as usize));
    let with = |kind: Kind| whole(cube.get(place, sum::CUSTOMERS_WITH + kind as usize));
    let of_opening = |kind: Kind| micros(cube.get(place, sum::OF_OPENING + kind as usize));
    use revenue::movement::Cause;
    let expanded = |cause: Cause| micros(cube.get(place, sum::EXPANDED + cause as usize));
    let value = match id {
        "mrr_closing" => money(sum::MRR_CLOSING),
        "mrr_opening" => money(sum::MRR_OPENING),
        "customers_closing" => count(sum::CUSTOMERS_CLOSING),
        "customers_opening" => count(sum::CUSTOMERS_OPENING),
        "subscriptions_closing" => whole(cube.subscriptions.get(place).copied().unwrap_or(0).into()),
        "movement_new" => moved(Kind::New),
        "movement_expansion" => moved(Kind::Expansion),
        "movement_reactivation" => moved(Kind::Reactivation),
        "movement_contraction" => moved(Kind::Contraction),
        "movement_churned" => moved(Kind::Churn),
        "movement_fx" => moved(Kind::Fx),
        "movement_transferred_in" => money(sum::TRANSFERRED_IN),
        "movement_transferred_out" => money(sum::TRANSFERRED_OUT),
        "expansion_upgrade" => expanded(Cause::Upgrade),
        "expansion_quantity" => expanded(Cause::Quantity),
        "expansion_cross_sell" => expanded(Cause::CrossSell),
        "expansion_price_rise" => expanded(Cause::PriceRise),
        "expansion_discount_end" => expanded(Cause::Discount),
        "customers_with_new" => with(Kind::New),
        "customers_with_expansion" => with(Kind::Expansion),
        "customers_with_contraction" => with(Kind::Contraction),
        "customers_with_churn" => with(Kind::Churn),
        "customers_with_reactivation" => with(Kind::Reactivation),
        "customers_lost" => count(sum::LOST),
        "customers_lost_of_opening" => count(sum::LOST_OF_OPENING),
        "customers_paying_any" => count(sum::PAYING_ANY),
        "retained_mrr" => money(sum::RETAINED),
        "retained_mrr_capped" => money(sum::RETAINED_CAPPED),
        "opening_churned" => of_opening(Kind::Churn),
        "opening_contraction" => of_opening(Kind::Contraction),
        "opening_expansion" => of_opening(Kind::Expansion),
        "opening_reactivation" => of_opening(Kind::Reactivation),
        "lifetime_days_observed_sum" => count(sum::LIFETIME_DAYS),
        "lifetimes_observed_count" => count(sum::LIFETIMES),
        _ => return None,
    };
    Some(value)
}

/// Whether there are facts of a kind that metrics need, or of one that serves as well.
///
/// # Errors
/// When the catalogue of the lake cannot be read.
pub fn has_needed(books: &Books, need: &str) -> Result<bool, EngineError> {
    let or = need::find(need).map_or(&[][..], |need| need.or);
    for table in std::iter::once(&need).chain(or) {
        if books.has_facts(table)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The first days after the windows at whose ends it is asked where customers stand.
fn ends_of(question: &Question, asked: &[(Period, Option<Period>)], first_fact: Day) -> Vec<Day> {
    let inputs = || question.metrics.iter().flat_map(|metric| &metric.inputs);
    let windows: BTreeSet<Window> =
        inputs().filter(|input| standing::counts(input.measure.id)).map(|input| input.window).collect();
    let mut ends = BTreeSet::new();
    for period in asked.iter().filter_map(|(_, counted)| counted.as_ref()) {
        ends.extend(windows.iter().map(|window| window_days(*window, period, question.grain, first_fact).end));
    }
    ends.into_iter().collect()
}

/// Whether a dimension is a column of facts that the measures count, stated by some of them or by none.
fn is_column_of(measures: &[&'static Measure], name: &str) -> bool {
    let table_of =
        |measure: &&'static Measure| measure.tally.map(|tally| tally.table).or_else(|| billing::table_of(measure.id));
    measures.iter().filter_map(table_of).any(|table| value_of_column(table, name).is_some())
}

/// Says which facts some questions will look at, so that each kind is read once for all of them.
///
/// # Errors
/// When the catalogue of the lake, or the customers, cannot be read.
pub fn prepare<'q>(books: &Books, questions: impl Iterator<Item = &'q Question>) -> Result<(), EngineError> {
    for question in questions {
        let counted = share::Counted::of(question).question;
        let windows = Windows::of(books, &counted, counted.from).windows;
        books.cubes.announce(&Split::of(&counted), &windows);
        let measures = question.measures();
        let dimensions: Vec<String> = question.dimensions().into_iter().collect();
        let stated = segment::stated_in_facts(books, &question.by, &question.filters)?;
        announce(books, question, &measures, &dimensions, &|name| name == STANDING || stated.contains_key(name))?;
    }
    Ok(())
}

/// Says what a question will look at. Whether anyone is looked at, and visits among it.
fn announce(
    books: &Books,
    question: &Question,
    measures: &[&'static Measure],
    dimensions: &[String],
    known: &dyn Fn(&str) -> bool,
) -> Result<Option<bool>, EngineError> {
    let stands = measures.iter().any(|measure| standing::counts(measure.id));
    if stands || dimensions.iter().any(|name| name == STANDING) {
        books.shelf.announce(health::EVENTS, health::wants());
        for (table, wanted) in standing::wants(dimensions) {
            books.shelf.announce(table, wanted);
        }
    }
    let of_payments = measures.iter().any(|measure| collection::counts_payments(measure.id));
    let is_counted = |measure: &&'static Measure| {
        measure.tally.is_some() || journey::counts(measure.id) || billing::table_of(measure.id).is_some()
    };
    let counted = of_payments || measures.iter().any(is_counted);
    for (table, wanted) in Tallies::wants(books, &business::needed(measures))? {
        books.shelf.announce(table, wanted);
    }
    let touched = dimensions.iter().any(|name| people::TOUCHED.contains(&name.as_str()));
    if !counted && !touched {
        return Ok(None);
    }
    let mut with_visits = touched || journey::looks_at_visits(books, measures, &question.assumptions)?;
    for (table, mut wanted) in Tallies::wants(books, measures)? {
        tally::classify::want(table, dimensions, known, &mut wanted);
        with_visits |= table == "visit" && !dimensions.is_empty();
        books.shelf.announce(table, wanted);
    }
    for (table, mut wanted) in billing::wants(measures) {
        tally::classify::want(table, dimensions, known, &mut wanted);
        books.shelf.announce(table, wanted);
    }
    for (table, wanted) in journey::wants(books, measures, dimensions, &question.assumptions)? {
        books.shelf.announce(table, wanted);
    }
    if of_payments {
        let mut wanted = collection::wanted();
        tally::classify::want(collection::TABLE, dimensions, known, &mut wanted);
        books.shelf.announce(collection::TABLE, wanted);
    }
    if !dimensions.is_empty() || measures.iter().any(|measure| journey::counts(measure.id)) {
        for (table, wanted) in People::wants(with_visits, dimensions) {
            books.shelf.announce(table, wanted);
        }
        return Ok(Some(with_visits));
    }
    Ok(None)
}

/// Links people where a question looks at them, and puts what it will read on the shelf in one go.
fn people_of(
    books: &Books,
    question: &Question,
    measures: &[&'static Measure],
    dimensions: &[String],
    known: &dyn Fn(&str) -> bool,
) -> Result<Arc<People>, EngineError> {
    let Some(with_visits) = announce(books, question, measures, dimensions, known)? else { return Ok(Arc::default()) };
    let asked = (with_visits, dimensions.to_vec(), question.assumptions.attribution);
    books.cubes.people.find_or_make(asked, || {
        Ok(People::load(books, with_visits, dimensions, &|customer| journey::first_paid(books, customer))?)
    })
}

/// What a span is worth a month in the currency of the books, in micro-units.
fn worth(books: &Books, span: &Span) -> i128 {
    let Some(offer) = books.facts.offers.get(span.offer as usize) else { return 0 };
    let day = match books.view.policy.exchange {
        Exchange::Constant(day) => day,
        Exchange::AtMovement | Exchange::Revalue => books.ticks.day(span.from),
    };
    // The ledger was made of the same spans, so every rate is there.
    books.rates.convert(span.monthly_micros, offer.currency, books.reporting, day).map_or(0, i128::from)
}

/// Collects the spans that say something about what is to come.
fn look_ahead(books: &Books) -> Ahead {
    let found = std::sync::Mutex::new(Ahead { trials: Vec::new(), announced: Vec::new(), after_trial: Vec::new() });
    books.over_shares(|customer, spans| {
        let mut before: Option<&Span> = None;
        for span in spans {
            let follows_trial = before.is_some_and(|before| before.trial && before.fact == span.fact);
            before = Some(span);
            if !span.trial && span.announced_end == NEVER && !follows_trial {
                continue;
            }
            let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if span.trial {
                found.trials.push((customer, *span));
                continue;
            }
            if span.announced_end != NEVER {
                found.announced.push((customer, *span));
            }
            if follows_trial {
                found.after_trial.push((customer, *span));
            }
        }
    });
    found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn micros(value: i128) -> Value {
    Value::Number(BigRational::new(value.into(), MICROS.into()))
}

fn whole(value: i128) -> Value {
    Value::Number(BigRational::from_integer(value.into()))
}

/// Calendar months in a window: exact for whole months, else days ÷ (365 ÷ 12).
fn months_in(days: Days) -> BigRational {
    let (mut months, mut day) = (0i32, days.start);
    if day.first_of(Grain::Month) == day {
        while day.plus_months(1) <= days.end {
            day = day.plus_months(1);
            months += 1;
        }
        if day == days.end {
            return BigRational::from_integer(months.into());
        }
    }
    BigRational::new((i64::from(days.end.0 - days.start.0) * 12).into(), 365.into())
}

/// The first day that a window of the period `[from, to)` looks at.
#[must_use]
pub fn window_start(window: Window, from: Day, to: Day, grain: Grain, books: &Books) -> Day {
    let first_fact = books.first_movement().unwrap_or(from);
    window_days(window, &Period { label: from, start: from, end: to, whole: true }, grain, first_fact).start
}

/// The two sums of a figure that is a ratio; nothing for others.
///
/// # Errors
/// As [`answer`].
pub fn parts(books: &Books, question: &Question, figure: &Figure) -> Result<Option<(Value, Value)>, EngineError> {
    let counted = share::Counted::of(question);
    let solver = Solver::new(books, &counted)?;
    let Some(segment) = solver.labels.find(&figure.segment) else { return Ok(None) };
    let counted = solver.asked.iter().find(|(period, _)| *period == figure.period).and_then(|(_, counted)| *counted);
    Ok(counted.and_then(|period| figure.metric.parts(&mut |input| solver.measure(input, &period, segment))))
}

/// An exact quotient, for settings.
#[must_use]
pub fn fraction(numerator: i128, denominator: i128) -> BigRational {
    BigRational::new(numerator.into(), denominator.max(1).into())
}

/// Micro-units of an exact quotient, rounded once.
pub(crate) fn rounded(numerator: i128, denominator: i128) -> i128 {
    round_half_even(numerator, denominator).unwrap_or_default()
}
