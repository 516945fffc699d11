//! What a business is judged by: the figures of the playbook month by month, what stands out in them, and the customers
//! whom its rules name.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::ToPrimitive;
use outlook::{
    condition::{History, ONE, Reading},
    playbook::{Case, Group, Playbook, Source},
    segment::Segment,
    wording::Words,
};
use revenue::{
    calendar::{Day, Grain},
    movement::Kind as MovementKind,
};

use super::{
    Assumptions, EngineError, Question, answer,
    collection::{self, failures},
    prepare,
    segment::{Filter, UNKNOWN},
    standing::{Place, Standings},
};
use crate::{
    books::Books,
    catalogue::{Catalogue, Value},
    observed::NO_ID,
    playbook::metric_of,
};

/// The months up to the one that is judged of which figures are taken.
const MONTHS: i32 = 30;
/// A payment that failed longer ago is not called about any more.
const FAILED_DAYS: i32 = 30;
/// A trial that ends within so many days is about to end.
const ENDING_DAYS: i32 = 7;

/// What there is to judge a month by.
pub struct Ground {
    /// The figures, those of formulas among them.
    pub history: History,
    /// The place of the month.
    pub place: usize,
    /// What was picked.
    pub picked: BTreeMap<String, String>,
    /// The customers of each group.
    pub calls: Arc<Vec<Call>>,
}

/// A customer who should be called, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Why.
    pub group: Group,
    /// The customer.
    pub customer: String,
    /// What they pay a month, in micro-units of the reporting currency.
    pub mrr_micros: i64,
    /// When the payment failed, the trial ends or the customer left.
    pub day: Option<Day>,
    /// Health now and four weeks before, where it is known.
    pub health: Option<(f64, Option<f64>)>,
}

impl Ground {
    /// The case of the month, to hold rules against.
    #[must_use]
    pub fn case<'a>(&'a self, playbook: &'a Playbook, currency: revenue::money::Currency) -> Case<'a> {
        let mut customers: BTreeMap<Group, Vec<String>> = BTreeMap::new();
        for call in self.calls.iter() {
            customers.entry(call.group).or_default().push(call.customer.clone());
        }
        Case { playbook, history: &self.history, place: self.place, currency, picked: self.picked.clone(), customers }
    }
}

/// A figure's number times 10¹², or why there is none.
pub fn reading(value: &Value) -> Reading {
    match value {
        Value::Number(number) => {
            picos(number).ok_or_else(|| Words::fixed("the number is too large", "数值过大", "le nombre est trop grand"))
        }
        Value::Undefined(reason) => Err(reason.clone()),
        Value::NoData(_) => Err(value.why().unwrap_or_else(|| Words::fixed("", "", ""))),
    }
}

/// A number times 10¹², rounded down.
fn picos(number: &BigRational) -> Option<i128> {
    (number * BigRational::from_integer(BigInt::from(ONE))).floor().to_integer().to_i128()
}

/// The month in which the business began: as it is set, else that of the first movement of its ledger.
#[must_use]
pub fn launch(books: &Books, set: Option<Day>) -> Option<Day> {
    set.or_else(|| books.first_movement()).map(|day| day.first_of(Grain::Month))
}

/// Gathers what a month is judged by. A month that is not over is judged by what there is of it.
///
/// # Errors
/// When facts cannot be read.
pub fn ground(
    books: &Books,
    catalogue: &Catalogue,
    playbook: &Playbook,
    assumptions: &Assumptions,
    month: Day,
    launched: Option<Day>,
) -> Result<Ground, EngineError> {
    let launch = launch(books, launched).unwrap_or(month).min(month);
    let first_month = launch.max(month.plus_months(1 - MONTHS));
    let to = month.plus_months(1);
    let question = |by: Vec<String>, filters: &[(String, String)], from: Day| Question {
        metrics: Vec::new(),
        grain: Grain::Month,
        from,
        to,
        by,
        filters: filters
            .iter()
            .map(|(dimension, value)| Filter { dimension: dimension.clone(), value: value.clone() })
            .collect(),
        assumptions: assumptions.clone(),
    };
    // One question for each part of the business that figures look at.
    let mut questions: Vec<(Question, Vec<String>)> = Vec::new();
    let mut parts: Vec<Vec<(String, String)>> = Vec::new();
    for figure in &playbook.figures {
        let Source::Metric { metric, filters } = &figure.source else { continue };
        let resolved = metric_of(catalogue, metric)?;
        let place = parts.iter().position(|part| part == filters).unwrap_or_else(|| {
            parts.push(filters.clone());
            questions.push((question(Vec::new(), filters, first_month), Vec::new()));
            parts.len() - 1
        });
        if let Some((question, ids)) = questions.get_mut(place) {
            question.metrics.push(resolved);
            ids.push(figure.id.clone());
        }
    }
    let mut picks: Vec<Question> = Vec::new();
    for pick in &playbook.picks {
        let mut of_pick = question(vec![pick.by.clone()], &[], to.plus_months(-pick.months));
        of_pick.metrics.push(metric_of(catalogue, &pick.metric)?);
        picks.push(of_pick);
    }
    prepare(books, questions.iter().map(|(question, _)| question).chain(&picks)).or_else(without_dimension)?;
    let months = (0..).take_while(|months| first_month.plus_months(*months) < to).count();
    let mut figures: BTreeMap<String, Vec<Reading>> = BTreeMap::new();
    for (question, ids) in &questions {
        match answer(books, question) {
            Ok(answers) => {
                for (id, readings) in ids.iter().zip(answers.chunks(months.max(1))) {
                    figures.insert(id.clone(), readings.iter().map(|figure| reading(&figure.value)).collect());
                }
            }
            Err(EngineError::UnknownDimension { name, .. }) => {
                let why = Words::owned(
                    format!("no fact states a {name}"),
                    format!("没有记录说明 {name}"),
                    format!("aucun fait n’indique {name}"),
                );
                figures.extend(ids.iter().map(|id| (id.clone(), vec![Err(why.clone()); months])));
            }
            Err(error) => return Err(error),
        }
    }
    let given = History { first_month, launch, months, figures };
    let history = playbook.complete(&given);
    let mut picked = BTreeMap::new();
    for (pick, question) in playbook.picks.iter().zip(&picks) {
        if let Some(name) = picked_part(books, question, pick.is_greatest)? {
            picked.insert(pick.id.clone(), name);
        }
    }
    let end = to.min(books.first_day_to_come());
    Ok(Ground { place: months.saturating_sub(1), history, picked, calls: calls(books, month, end)? })
}

/// A dimension that nothing states makes its figures unknown, and stops nothing.
fn without_dimension(error: EngineError) -> Result<(), EngineError> {
    match error {
        EngineError::UnknownDimension { .. } => Ok(()),
        error => Err(error),
    }
}

/// The part with most, or least, that has a name.
fn picked_part(books: &Books, question: &Question, is_greatest: bool) -> Result<Option<String>, EngineError> {
    let answers = match answer(books, question) {
        Ok(answers) => answers,
        Err(EngineError::UnknownDimension { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut sums: BTreeMap<String, BigRational> = BTreeMap::new();
    for figure in &answers {
        let name = figure.segment.first().cloned().unwrap_or_default();
        if let (Some(number), true) = (figure.value.number(), name != UNKNOWN) {
            *sums.entry(name).or_default() += number;
        }
    }
    // Of equals the first by name.
    let best = sums.into_iter().rev().reduce(|best, other| {
        let is_better = if is_greatest { other.1 >= best.1 } else { other.1 <= best.1 };
        if is_better { other } else { best }
    });
    Ok(best.map(|(name, _)| name))
}

/// The customers to call as of a day: the largest whose health is low or falls, those whose payment failed and has not come in,
/// those whose trial is about to end; and those who left in the month. Within each group the highest MRR comes first.
///
/// # Errors
/// When facts cannot be read.
pub fn calls(books: &Books, month: Day, end: Day) -> Result<Arc<Vec<Call>>, EngineError> {
    books.cubes.calls.find_or_make((month, end), || look_for_calls(books, month, end))
}

fn look_for_calls(books: &Books, month: Day, end: Day) -> Result<Vec<Call>, EngineError> {
    let standings = Standings::new(books)?;
    let places = standings.before(end);
    let place_of = |customer: u32| places.binary_search_by_key(&customer, |place| place.customer);
    let pays = |customer: u32| place_of(customer).map_or(0, |place| places[place].known.mrr_micros);
    let mut found: Vec<(u32, Call)> = Vec::new();
    let mut call = |group: Group, customer: u32, mrr_micros: i64, day: Option<Day>, place: Option<&Place>| {
        let health = place.and_then(|place| Some((place.known.health?, place.known.health_before)));
        let named = books.customer_id(customer);
        if !named.is_empty() {
            found.push((customer, Call { group, customer: named, mrr_micros, day, health }));
        }
    };
    for place in places.iter().filter(|place| place.standing.segment == Segment::Whale && place.standing.is_at_risk) {
        call(Group::WhalesAtRisk, place.customer, place.known.mrr_micros, None, Some(place));
    }
    if books.has_facts(collection::TABLE)? {
        let observed = books.shelf.get(books, collection::TABLE, collection::wanted())?;
        let (days, customers) = (observed.days(collection::AT), observed.ids("customer"));
        let mut owing: BTreeMap<u32, Day> = BTreeMap::new();
        for failure in failures(&observed) {
            let came_in = failure.recovered.is_some_and(|paid| days.get(paid).is_some_and(|day| *day < end.0));
            let (Some(day), Some(customer)) = (days.get(failure.first), customers.get(failure.first)) else { continue };
            let is_open = !came_in && (end.0 - FAILED_DAYS..end.0).contains(day) && *customer != NO_ID;
            if is_open && pays(*customer) > 0 {
                let first = owing.entry(*customer).or_insert(Day(*day));
                *first = (*first).min(Day(*day));
            }
        }
        for (customer, day) in owing {
            call(Group::PaymentsFailed, customer, pays(customer), Some(day), None);
        }
    }
    let mut trying = BTreeSet::new();
    for (customer, day) in standings.trials_ending(end, end.plus_days(ENDING_DAYS)) {
        if pays(customer) <= 0 && trying.insert(customer) {
            call(Group::TrialsEnding, customer, 0, Some(day), None);
        }
    }
    let ledger = &books.ledger;
    for customer in 0..ledger.customers() {
        let rows = ledger.of_customer(customer);
        let mut left: Option<(Day, i64)> = None;
        for row in rows.filter(|row| (month.0..end.0).contains(&ledger.day[*row])) {
            if ledger.kind[row] == MovementKind::Churn {
                let lost = left.map_or(0, |(_, lost)| lost).saturating_sub(ledger.delta_micros[row]);
                left = Some((Day(ledger.day[row]), lost));
            }
        }
        let customer = u32::try_from(customer).unwrap_or(u32::MAX);
        if let Some((day, lost)) = left.filter(|_| pays(customer) <= 0) {
            call(Group::Lost, customer, lost, Some(day), None);
        }
    }
    found.sort_by_key(|(customer, call)| (call.group, std::cmp::Reverse(call.mrr_micros), *customer));
    Ok(found.into_iter().map(|(_, call)| call).collect())
}

/// Something that people wanted to remember.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The day that it is about.
    pub day: Day,
    /// What it is: annotation, interview, competitor or plan.
    pub kind: String,
    /// What it is about.
    pub title: String,
    /// The words.
    pub body: String,
    /// Who wrote it.
    pub author: String,
}

/// The notes of the days `[from, to)`, in order.
///
/// # Errors
/// When facts cannot be read.
pub fn notes(books: &Books, from: Day, to: Day) -> Result<Vec<Note>, EngineError> {
    const TABLE: &str = "note";
    if !books.has_facts(TABLE)? {
        return Ok(Vec::new());
    }
    let mut wanted = crate::observed::Wanted::default();
    wanted.days.insert("day".to_owned());
    wanted.texts.extend(["kind", "title", "body", "author"].map(str::to_owned));
    let observed = books.shelf.get(books, TABLE, wanted)?;
    let text = |column: &str, fact: usize| {
        observed.texts(column).and_then(|texts| texts.of(fact)).unwrap_or_default().to_owned()
    };
    let days = observed.days("day");
    let of_days = (0..observed.len()).filter(|fact| (from.0..to.0).contains(&days[*fact]));
    let mut found: Vec<Note> = of_days
        .map(|fact| Note {
            day: Day(days[fact]),
            kind: Some(text("kind", fact)).filter(|kind| !kind.is_empty()).unwrap_or("annotation".to_owned()),
            title: text("title", fact),
            body: text("body", fact),
            author: text("author", fact),
        })
        .collect();
    found.sort_by(|one, other| (one.day, &one.title).cmp(&(other.day, &other.title)));
    Ok(found)
}
