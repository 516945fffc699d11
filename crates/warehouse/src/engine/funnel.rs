//! Funnels: how many people took each of some steps, one after the other within a window.
//!
//! A step is a stage (visited, signed up, became a customer) or a product event by its name. Who is one person says
//! [`People`]: all who belong to one customer are one. How far each came says [`outlook::funnel`].

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use outlook::{
    funnel::{Event, STEPS, path},
    lead_score::fits,
};
use revenue::calendar::{Day, Grain};

use super::{
    Assumptions, EngineError,
    journey::{self, Traveller},
    label::Labels,
    people::{People, id_columns},
    segment::{Filter, OUTSIDE},
    tally::same_name,
};
use crate::{
    books::Books,
    catalogue::Setting,
    observed::{NO_DAY, NO_ID, NO_INSTANT, Observed, Wanted},
};

/// A step of a funnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// As it was asked for.
    pub name: String,
    kind: StepKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum StepKind {
    /// A visit, to a page where one is named.
    Visit(Option<String>),
    Signup,
    Trial,
    /// A stage of leads; every fact of a lead says that it is one.
    Lead(&'static str),
    /// The first payment.
    Customer,
    /// A product event; any where it is `*`.
    Event(String),
    /// A product event that counts as activation.
    Activated,
}

/// The stages that a step may be, by their names.
pub const STAGES: &[&str] = &["visit", "signup", "activated", "trial", "lead", "mql", "pql", "sql", "customer"];

impl Step {
    /// Reads a step: a stage by its name, `visit:PAGE`, a product event by its name, or `event:NAME` for one that is named
    /// as a stage. `*` in a page or name stands for any text.
    #[must_use]
    pub fn parse(text: &str) -> Step {
        let kind = match (text.split_once(':'), text) {
            (Some(("visit", page)), _) => StepKind::Visit(Some(page.to_owned())),
            (Some(("event", name)), _) => StepKind::Event(name.to_owned()),
            (_, "visit") => StepKind::Visit(None),
            (_, "signup") => StepKind::Signup,
            (_, "trial") => StepKind::Trial,
            (_, "activated") => StepKind::Activated,
            (_, "customer") => StepKind::Customer,
            (_, stage) => match ["lead", "mql", "pql", "sql"].iter().find(|known| **known == stage) {
                Some(stage) => StepKind::Lead(stage),
                None => StepKind::Event(text.to_owned()),
            },
        };
        Step { name: text.to_owned(), kind }
    }

    /// The kind of fact that says so.
    fn table(&self) -> &'static str {
        match self.kind {
            StepKind::Visit(_) => "visit",
            StepKind::Signup => "signup",
            StepKind::Trial => "trial",
            StepKind::Lead(_) => "lead",
            StepKind::Customer => "subscription",
            StepKind::Event(_) | StepKind::Activated => "product_event",
        }
    }

    /// Whether a fact of its kind is such a step, by what it names.
    fn is_named(&self, name: Option<&str>, assumptions: &Assumptions) -> bool {
        match &self.kind {
            StepKind::Visit(None) | StepKind::Signup | StepKind::Trial | StepKind::Lead("lead") => true,
            StepKind::Visit(Some(page)) => name.is_some_and(|name| fits(page, name)),
            StepKind::Lead(stage) => name == Some(*stage),
            StepKind::Event(pattern) => name.is_some_and(|name| fits(pattern, name) || same_name(pattern, name)),
            StepKind::Activated => {
                let names = assumptions.names(Setting::ActivationEvents);
                name.is_some_and(|name| names.iter().any(|wanted| same_name(wanted, name)))
            }
            StepKind::Customer => false,
        }
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Funnel {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// How long after the first step the others count, in microseconds.
    pub window_micros: i64,
    /// The first day on which someone may take the first step.
    pub from: Day,
    /// The first day on which nobody may any more.
    pub to: Day,
    /// The dimensions to split by.
    pub by: Vec<String>,
    /// What is looked at.
    pub filters: Vec<Filter>,
    /// How long the periods are by which people are told apart too, each in that of the first touch.
    pub grain: Option<Grain>,
}

/// How many people reached each step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The values of the segment in each dimension.
    pub label: Vec<String>,
    /// The first day of the period in which they first took the first step, where people are told apart by it.
    pub period: Option<Day>,
    /// One number a step.
    pub people: Vec<u64>,
}

/// Someone who reached a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The surest sort of id that is known of them: customer, user, lead or visitor.
    pub sort: &'static str,
    /// That id.
    pub id: String,
    /// Whether they belong to a customer: then the id is the customer's.
    pub customer: Option<u32>,
    /// The day of the first touch.
    pub began: Day,
    /// The day on which they first reached the step.
    pub reached: Day,
    /// The step that they took next, by its place, and on which day: the one after, or any before it once more.
    pub next: Option<(usize, Day)>,
    /// How many steps they took.
    pub furthest: usize,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// For each segment, and each period where those are asked for, how many people reached each step.
    pub reached: Vec<Reached>,
    /// Who reached the step that was asked for.
    pub people: Vec<Person>,
    /// The kinds of fact that a step needs and of which there are none, by the place of the step.
    pub lacking: BTreeMap<usize, &'static str>,
    /// Steps of which there never was one, by place, with the names that events have.
    pub never: BTreeMap<usize, Vec<String>>,
}

/// Columns of the kinds of fact that steps come from: the moment, and the name of what was done.
const TABLES: &[(&str, &str, Option<&str>)] = &[
    ("visit", "visited", Some("page")),
    ("signup", "signed_up", None),
    ("trial", "start", None),
    ("lead", "reached", Some("stage")),
    ("product_event", "occurred", Some("name")),
];

/// One step that someone took.
struct Taken {
    party: u32,
    day: i32,
    at: i64,
    /// Whether it is dated by a day, so that it may have been at any time of it.
    is_day: bool,
    fits: u64,
    /// The kind of fact, among those that were read, and the fact.
    fact: (usize, usize),
}

/// Counts who took the steps.
///
/// # Errors
/// When facts cannot be read, or a dimension is not known.
pub fn count(books: &Books, assumptions: &Assumptions, funnel: &Funnel) -> Result<Answer, EngineError> {
    walked(books, assumptions, funnel, None)
}

/// Names who reached a step, by its place, of those whose first touch was in a period, or of all.
///
/// # Errors
/// As [`count`].
pub fn people(
    books: &Books,
    assumptions: &Assumptions,
    funnel: &Funnel,
    step: usize,
    period: Option<Day>,
) -> Result<Answer, EngineError> {
    walked(books, assumptions, funnel, Some((step, period)))
}

fn walked(
    books: &Books,
    assumptions: &Assumptions,
    funnel: &Funnel,
    named: Option<(usize, Option<Day>)>,
) -> Result<Answer, EngineError> {
    let mut answer =
        Answer { reached: Vec::new(), people: Vec::new(), lacking: BTreeMap::new(), never: BTreeMap::new() };
    for (place, step) in funnel.steps.iter().enumerate() {
        if !books.has_facts(step.table())? {
            answer.lacking.insert(place, step.table());
        }
    }
    if !answer.lacking.is_empty() {
        return Ok(answer);
    }
    // Whom only product events know is a person too, so those are read before ids are numbered through.
    let mut tables: Vec<Read> = Vec::new();
    for (table, moment, name) in TABLES {
        if !funnel.steps.iter().any(|step| step.table() == *table) {
            continue;
        }
        let mut wanted = Wanted::default();
        People::want(table, &mut wanted);
        if named.is_some() {
            // Who is to be named is, by the ids as they stand.
            wanted.texts.extend(wanted.ids.iter().cloned().collect::<Vec<_>>());
        }
        wanted.days.insert((*moment).to_owned());
        wanted.instants.insert((*moment).to_owned());
        wanted.texts.extend(name.map(str::to_owned));
        tables.push((*table, *moment, *name, books.shelf.get(books, table, wanted)?));
    }
    let (people, segmentation) = journey::people_in_segments(books, assumptions, &funnel.by, &funnel.filters)?;

    let mut taken: Vec<Taken> = Vec::new();
    let mut midnights: HashMap<i32, i64> = HashMap::new();
    let mut midnight = |day: i32| *midnights.entry(day).or_insert_with(|| books.ticks.zone().start_of_day(Day(day)));
    let begin = midnight(funnel.from.0);
    let mut seen = 0u64;
    for (kind, (table, moment, name, observed)) in tables.iter().enumerate() {
        let of_table = |step: &&(usize, &Step)| step.1.table() == *table;
        let steps: Vec<(usize, &Step)> =
            funnel.steps.iter().enumerate().take(STEPS).collect::<Vec<_>>().iter().filter(of_table).copied().collect();
        let bits = |name: Option<&str>| -> u64 {
            steps.iter().filter(|(_, step)| step.is_named(name, assumptions)).map(|(place, _)| 1 << place).sum()
        };
        let coded = name.and_then(|name| observed.texts(name));
        let by_code: Vec<u64> =
            coded.map_or(Vec::new(), |coded| coded.texts.iter().map(|text| bits(Some(text))).collect());
        let unnamed = bits(None);
        let (days, instants) = (observed.days(moment), observed.instants(moment));
        for (fact, party) in people.parties_of(table, observed).into_iter().enumerate() {
            let code = coded.and_then(|coded| coded.codes.get(fact).copied());
            let fits = code.and_then(|code| by_code.get(code as usize).copied()).unwrap_or(unnamed);
            if fits == 0 {
                continue;
            }
            seen |= fits;
            let (day, at) = (days[fact], instants[fact]);
            if party != NO_ID && day != NO_DAY && at != NO_INSTANT && at >= begin {
                taken.push(Taken { party, day, at, is_day: at == midnight(day), fits, fact: (kind, fact) });
            }
        }
    }
    let paid: u64 = funnel
        .steps
        .iter()
        .enumerate()
        .take(STEPS)
        .filter(|(_, step)| step.kind == StepKind::Customer)
        .map(|(place, _)| 1 << place)
        .sum();
    if paid != 0 {
        for customer in 0..books.customers.len() as u32 {
            let day = super::lead_score::first_paid_day(books, customer);
            let (Some(day), Some(party)) = (day, people.party("customer", customer)) else { continue };
            let at = midnight(day);
            if at >= begin {
                taken.push(Taken { party, day, at, is_day: true, fits: paid, fact: (usize::MAX, 0) });
            }
        }
    }
    for (place, step) in funnel.steps.iter().enumerate() {
        if matches!(step.kind, StepKind::Event(_) | StepKind::Visit(Some(_))) && seen >> place & 1 == 0 {
            let names = tables.iter().find(|(table, ..)| *table == step.table());
            let names = names.and_then(|(_, _, name, observed)| observed.texts((*name)?));
            let mut names: Vec<String> = names.map_or(Vec::new(), |coded| coded.texts.clone());
            names.sort_unstable();
            answer.never.insert(place, names);
        }
    }

    let mut labels = Labels::new(&segmentation.labels);
    let traveller = Traveller {
        books,
        people: &people,
        segmentation: &segmentation,
        by: &funnel.by,
        filters: &funnel.filters,
        assumptions,
        windows: &[],
        ahead: None,
    };
    in_order(&mut taken, &mut midnight);
    let end = midnight(funnel.to.0);
    let mut reached: BTreeMap<(Vec<String>, Option<Day>), Vec<u64>> = BTreeMap::new();
    if funnel.by.is_empty() {
        // Of a period without anybody it is known that nobody came.
        for period in periods(funnel) {
            reached.insert((Vec::new(), period), vec![0; funnel.steps.len()]);
        }
    }
    let mut segment_of = traveller.segments_of_parties();
    let mut events: Vec<Event> = Vec::new();
    for of_person in taken.chunk_by(|one, next| one.party == next.party) {
        let Some(person) = of_person.first().map(|taken| taken.party) else { continue };
        let segment = segment_of(person, &mut labels);
        if segment == OUTSIDE {
            continue;
        }
        events.clear();
        // Who begins later is no part of it; who began may go on.
        events.extend(of_person.iter().map(|taken| Event {
            person,
            at: taken.at,
            fits: if taken.at < end { taken.fits } else { taken.fits & !1 },
        }));
        let path = path(&events, funnel.steps.len(), funnel.window_micros);
        let furthest = path.iter().take_while(|event| event.is_some()).count();
        let day_of = |place: Option<usize>| place.and_then(|place| of_person.get(place)).map(|taken| Day(taken.day));
        let Some(began) = day_of(path[0]) else { continue };
        let period = funnel.grain.map(|grain| began.first_of(grain));
        let label = labels.of(segment as usize).to_vec();
        let steps = reached.entry((label, period)).or_insert_with(|| vec![0; funnel.steps.len()]);
        steps.iter_mut().take(furthest).for_each(|step| *step += 1);
        if let Some((step, wanted)) = named
            && (wanted.is_none() || wanted == period)
            && let Some(place) = path.get(step).copied().flatten()
            && let Some(reached) = day_of(Some(place))
        {
            let next = of_person.get(place + 1).map(|taken| {
                let is_following = taken.fits >> (step + 1).min(STEPS - 1) & 1 == 1;
                let following = if is_following { step + 1 } else { taken.fits.trailing_zeros() as usize };
                (following, Day(taken.day))
            });
            let customer = people.customer(person);
            let (sort, id) = match customer {
                Some(customer) => ("customer", books.customer_id(customer)),
                None => surest_id(&tables, of_person),
            };
            answer.people.push(Person { sort, id, customer, began, reached, next, furthest });
        }
    }
    // Ids are numbered in the order in which facts are read: what is listed does not depend on it.
    answer
        .people
        .sort_unstable_by(|one, other| (one.began, one.sort, &one.id).cmp(&(other.began, other.sort, &other.id)));
    let of_each = |((label, period), people)| Reached { label, period, people };
    answer.reached = reached.into_iter().map(of_each).collect();
    Ok(answer)
}

/// The periods that people are told apart by.
fn periods(funnel: &Funnel) -> Vec<Option<Day>> {
    let Some(grain) = funnel.grain else { return vec![None] };
    let first = funnel.from.first_of(grain);
    let following = std::iter::successors(Some(first), |period| Some(period.next_of(grain)));
    following.take_while(|period| *period < funnel.to).map(Some).collect()
}

/// A kind of fact that was read, with the column of its moment, that of its name, and its facts.
type Read = (&'static str, &'static str, Option<&'static str>, Arc<Observed>);

/// The surest id that the facts of a person state.
fn surest_id(tables: &[Read], of_person: &[Taken]) -> (&'static str, String) {
    let stated = of_person.iter().filter_map(|taken| {
        let (kind, fact) = taken.fact;
        let (table, _, _, observed) = tables.get(kind)?;
        let mut columns = id_columns(table);
        columns.find_map(|(rank, sort, column)| Some((rank, sort, observed.texts(column)?.of(fact)?.to_owned())))
    });
    stated.min().map_or(("visitor", String::new()), |(_, sort, id)| (sort, id))
}

/// Puts steps in order of person and time. On a day of which some step is dated by the day alone nobody knows the order,
/// so there the steps are taken in the order of the funnel.
fn in_order(taken: &mut [Taken], midnight: &mut impl FnMut(i32) -> i64) {
    taken.sort_by_key(|taken| (taken.party, taken.day, taken.at));
    for of_day in taken.chunk_by_mut(|one, next| (one.party, one.day) == (next.party, next.day)) {
        if of_day.len() > 1 && of_day.iter().any(|taken| taken.is_day) {
            of_day.sort_by_key(|taken| taken.fits.trailing_zeros());
            for taken in of_day {
                taken.at = midnight(taken.day);
            }
        }
    }
}
