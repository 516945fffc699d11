//! Leads with what they are, did and reached, and their scores on any day.
//!
//! What is known of a lead is what its own facts state, and what the facts of its party do ([`People`]): the visits before
//! anyone knew who it was, the sign-up, what its users did in the product. The points come from the rules that the user
//! wrote ([`outlook::lead_score`]) and from facts that state points themselves.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use outlook::{
    lead_score::{Attribute, Condition, Event, Lead, RuleBook, Score, Stated},
    wording::Words,
};
use revenue::calendar::Day;

use super::{Assumptions, EngineError, journey::Traveller, label::Labels, people, people::People, segment::*};
use crate::{
    books::Books,
    kind::ValueKind,
    observed::{NO_DAY, NO_ID, Observed, Wanted, value_of_column},
};

/// The kinds of fact that say something of leads, in the order in which their facts are numbered, each with the moment that
/// dates it and whether its columns are attributes of the lead.
const TABLES: &[(&str, &str, bool)] = &[
    ("lead", "reached", true),
    ("signup", "signed_up", true),
    ("trial", "start", false),
    ("visit", "visited", false),
    ("product_event", "occurred", false),
    ("customer", "", true),
];

/// Stages after which a lead is not open.
const CLOSED: &[&str] = &[CUSTOMER, "lost"];
const CUSTOMER: &str = "customer";
/// Units of 10⁻¹² in one.
const PICOS: f64 = 1e12;

/// Whether some rule counts events of a kind, or watches for silence.
fn looks_at(book: &RuleBook, wanted: &str) -> bool {
    let named = |when: &Condition| matches!(when, Condition::Events { kind, .. } if kind.eq_ignore_ascii_case(wanted));
    book.asks_for_silence() || book.rules.iter().any(|rule| named(&rule.when))
}

/// Whether visits are looked at to score leads: not where there are no leads.
///
/// # Errors
/// When the catalogue of the lake cannot be read.
pub fn looks_at_visits(books: &Books, book: &RuleBook) -> Result<bool, EngineError> {
    Ok(looks_at(book, "visit") && books.has_facts("lead")?)
}

/// The attributes that the rules ask for.
fn attributes(book: &RuleBook) -> BTreeSet<&str> {
    let names = book.rules.iter().filter_map(|rule| match &rule.when {
        Condition::Attribute { name, .. } => Some(name.as_str()),
        _ => None,
    });
    names.collect()
}

/// Whether a column can be read as a text: one of the kind's texts, or any further column.
fn is_text(table: &str, column: &str) -> bool {
    match value_of_column(table, column) {
        None => true,
        Some(ValueKind::Text | ValueKind::Id | ValueKind::Currency | ValueKind::Integer | ValueKind::Choice(_)) => true,
        Some(_) => false,
    }
}

/// The columns that scores are made of, by kind of fact; none where there are no leads.
///
/// # Errors
/// When the catalogue of the lake cannot be read.
pub fn wants(books: &Books, book: &RuleBook) -> Result<Vec<(&'static str, Wanted)>, EngineError> {
    let mut wants = Vec::new();
    if !books.has_facts("lead")? {
        return Ok(wants);
    }
    for (table, moment, has_attributes) in TABLES {
        let looks = match *table {
            "visit" => looks_at(book, "visit"),
            "product_event" => looks_at(book, "event"),
            _ => true,
        };
        if !looks {
            continue;
        }
        let mut wanted = Wanted::default();
        People::want(table, &mut wanted);
        if !moment.is_empty() {
            wanted.days.insert((*moment).to_owned());
        }
        match *table {
            "lead" => {
                wanted.instants.insert((*moment).to_owned());
                wanted.texts.extend(["stage", "score_reason"].map(str::to_owned));
                wanted.numbers.insert("score".to_owned());
            }
            "visit" => wanted.texts.extend(["page".to_owned()]),
            "product_event" => wanted.texts.extend(["name".to_owned()]),
            _ => {}
        }
        if *has_attributes {
            wanted.texts.extend(attributes(book).into_iter().filter(|name| is_text(table, name)).map(str::to_owned));
        }
        wants.push((*table, wanted));
    }
    Ok(wants)
}

/// One lead.
#[derive(Debug)]
pub struct OneLead {
    /// Its number among the leads.
    pub number: u32,
    /// The day of its first fact.
    pub created: i32,
    party: u32,
    /// A fact of it.
    fact: usize,
    /// The stages that its facts state, in order of time.
    stages: Vec<(i32, u32)>,
    /// The day on which its customer first paid, where that was not before the lead.
    paid: Option<i32>,
    told: Lead,
}

/// All leads, or the one that was asked for.
pub struct Leads {
    /// The leads.
    pub leads: Vec<OneLead>,
    book: Arc<RuleBook>,
    stages: Vec<String>,
    /// Where the facts of each kind begin in the numbers of facts.
    offsets: Vec<(&'static str, u32, Arc<Observed>)>,
}

impl Leads {
    /// Gathers what is known of leads; with `only`, of one of them, every event apart.
    ///
    /// # Errors
    /// When facts cannot be read.
    pub fn gather(
        books: &Books,
        people: &People,
        book: &Arc<RuleBook>,
        only: Option<u32>,
    ) -> Result<Leads, EngineError> {
        let mut leads = Leads { leads: Vec::new(), book: Arc::clone(book), stages: Vec::new(), offsets: Vec::new() };
        let mut offset = 0;
        for (table, mut wanted) in wants(books, book)? {
            if !books.has_facts(table)? {
                continue;
            }
            wanted.origins = only.is_some();
            let observed = books.shelf.get(books, table, wanted)?;
            let facts = observed.len() as u32;
            leads.offsets.push((table, offset, observed));
            offset += facts;
        }
        let Some((_, first, observed)) = leads.offsets.first().filter(|(table, ..)| *table == "lead").cloned() else {
            return Ok(leads);
        };
        leads.own_facts(books, people, &observed, first, only);
        let mut of_party: HashMap<u32, Vec<u32>> = HashMap::new();
        for (place, lead) in leads.leads.iter().enumerate().filter(|(_, lead)| lead.party != NO_ID) {
            of_party.entry(lead.party).or_default().push(place as u32);
        }
        for (table, first, observed) in leads.offsets.clone().iter().skip(1) {
            leads.facts_of_parties(people, &of_party, table, *first, observed, only.is_some());
        }
        Ok(leads)
    }

    /// Stages, points and attributes from the facts of the leads themselves.
    fn own_facts(&mut self, books: &Books, people: &People, observed: &Observed, first: u32, only: Option<u32>) {
        let (numbers, days, instants) = (observed.ids("lead"), observed.days("reached"), observed.instants("reached"));
        let mut order: Vec<usize> = (0..observed.len())
            .filter(|fact| days[*fact] != NO_DAY && only.is_none_or(|only| numbers[*fact] == only))
            .collect();
        order.sort_by_key(|fact| instants[*fact]);
        let stages = observed.texts("stage");
        self.stages = stages.map_or(Vec::new(), |coded| coded.texts.clone());
        let counted: Vec<u64> = self.stages.iter().map(|stage| self.book.counted_by("stage", stage)).collect();
        let reasons = observed.texts("score_reason");
        let points = observed.picos("score");
        let columns: Vec<_> =
            attributes(&self.book).into_iter().filter_map(|name| Some((name, observed.texts(name)?))).collect();
        let mut places: HashMap<u32, usize> = HashMap::new();
        for fact in order {
            let day = Day(days[fact]);
            let place = *places.entry(numbers[fact]).or_insert_with(|| {
                let party = people.party("lead", numbers[fact]).unwrap_or(NO_ID);
                self.leads.push(OneLead {
                    number: numbers[fact],
                    created: day.0,
                    party,
                    fact,
                    stages: Vec::new(),
                    paid: None,
                    told: Lead::default(),
                });
                self.leads.len() - 1
            });
            let lead = &mut self.leads[place];
            let stage = stages.and_then(|coded| coded.codes.get(fact).copied());
            let stage = stage.filter(|code| (*code as usize) < counted.len());
            lead.stages.extend(stage.map(|code| (day.0, code)));
            let rules = stage.map_or(0, |code| counted[code as usize]);
            lead.told.events.push(Event { day, rules, times: 1, fact: first + fact as u32 });
            if let Some(picos) = points.get(fact).copied().flatten() {
                lead.told.stated.push(Stated {
                    day,
                    points: picos as f64 / PICOS,
                    reason: reasons.and_then(|coded| coded.of(fact)).unwrap_or("points stated").to_owned(),
                    fact: first + fact as u32,
                });
            }
            for (name, coded) in &columns {
                if let Some(value) = coded.of(fact) {
                    let (name, value) = ((*name).to_owned(), value.to_owned());
                    lead.told.attributes.push(Attribute { name, value, since: Some(day) });
                }
            }
        }
        for lead in &mut self.leads {
            let customer = people.customer(lead.party);
            lead.paid =
                customer.and_then(|customer| first_paid_day(books, customer)).filter(|day| *day >= lead.created);
        }
    }

    /// What the facts of another kind say of the leads of their parties.
    fn facts_of_parties(
        &mut self,
        people: &People,
        of_party: &HashMap<u32, Vec<u32>>,
        table: &'static str,
        first: u32,
        observed: &Observed,
        apart: bool,
    ) {
        let Some((_, moment, has_attributes)) = TABLES.iter().find(|(known, ..)| *known == table) else { return };
        let days = observed.days(moment);
        let (kind, names) = match table {
            "visit" => ("visit", observed.texts("page")),
            "product_event" => ("event", observed.texts("name")),
            _ => ("stage", None),
        };
        let counted: Vec<u64> =
            names.map_or(Vec::new(), |coded| coded.texts.iter().map(|name| self.book.counted_by(kind, name)).collect());
        // A sign-up and the start of a trial are stages by the name of their kind; a visit may state no page.
        let unnamed = self.book.counted_by(kind, if names.is_some() { "" } else { table });
        let columns: Vec<_> = attributes(&self.book)
            .into_iter()
            .filter(|_| *has_attributes)
            .filter_map(|name| Some((name, observed.texts(name)?)))
            .collect();
        let silence = self.book.asks_for_silence();
        let mut by_day: hashbrown::HashMap<(u32, i32, u64), usize> = hashbrown::HashMap::new();
        for (fact, party) in people.parties_of(table, observed).into_iter().enumerate() {
            let Some(places) = of_party.get(&party) else { continue };
            let day = days.get(fact).copied().unwrap_or(NO_DAY);
            let since = (day != NO_DAY).then_some(Day(day));
            for place in places {
                let lead = &mut self.leads[*place as usize];
                for (name, coded) in &columns {
                    if let Some(value) = coded.of(fact) {
                        let (name, value) = ((*name).to_owned(), value.to_owned());
                        lead.told.attributes.push(Attribute { name, value, since });
                    }
                }
                let Some(day) = since else { continue };
                let code = names.and_then(|coded| coded.codes.get(fact).copied());
                let rules = code.and_then(|code| counted.get(code as usize).copied()).unwrap_or(unnamed);
                // Once it pays it is no lead any more, and a customer may do much.
                if (rules == 0 && !silence) || lead.paid.is_some_and(|paid| day.0 > paid) {
                    continue;
                }
                let events = &mut lead.told.events;
                let known = by_day.entry((*place, day.0, rules)).or_insert(events.len());
                match events.get_mut(*known).filter(|_| !apart) {
                    Some(event) => event.times += 1,
                    None => events.push(Event { day, rules, times: 1, fact: first + fact as u32 }),
                }
            }
        }
    }

    /// The stage of a lead at the end of the day before `end`; nothing where there was no such lead yet.
    #[must_use]
    pub fn stage(&self, lead: &OneLead, end: Day) -> Option<&str> {
        if lead.created >= end.0 {
            return None;
        }
        if lead.paid.is_some_and(|day| day < end.0) {
            return Some(CUSTOMER);
        }
        let reached = lead.stages.partition_point(|(day, _)| *day < end.0);
        let code = reached.checked_sub(1).map(|place| lead.stages[place].1);
        Some(code.and_then(|code| self.stages.get(code as usize)).map_or("lead", String::as_str))
    }

    /// Whether a lead is there at the end of the day before `end`, and neither won nor lost.
    #[must_use]
    pub fn is_open(&self, lead: &OneLead, end: Day) -> bool {
        self.stage(lead, end).is_some_and(|stage| !CLOSED.contains(&stage))
    }

    /// The score of a lead at the end of the day before `end`; who pays keeps that of the day on which it began to.
    #[must_use]
    pub fn score(&self, lead: &OneLead, end: Day) -> Score {
        let end = lead.paid.map_or(end, |paid| end.min(Day(paid).plus_days(1)));
        self.book.score(&lead.told, end)
    }

    /// The kind of a fact by its number, its place among those of its kind, and the facts of the kind.
    fn fact(&self, number: u32) -> Option<(&'static str, usize, &Observed)> {
        let place = self.offsets.partition_point(|(_, first, _)| *first <= number).checked_sub(1)?;
        let (table, first, observed) = self.offsets.get(place)?;
        Some((table, (number - first) as usize, observed))
    }
}

/// The row of the ledger by which a customer first paid.
pub(super) fn first_paid_row(books: &Books, customer: u32) -> Option<usize> {
    let ledger = &books.ledger;
    if customer as usize >= ledger.customers() {
        return None;
    }
    ledger.of_customer(customer as usize).find(|row| ledger.kind[*row] == revenue::movement::Kind::New)
}

/// The day on which a customer first paid.
pub(super) fn first_paid_day(books: &Books, customer: u32) -> Option<i32> {
    first_paid_row(books, customer).map(|row| books.ledger.day[row])
}

/// A lead with its score.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredLead {
    /// Its id.
    pub lead: String,
    /// The customer that it belongs to, where one is known.
    pub customer: Option<String>,
    /// The stage that it is in.
    pub stage: String,
    /// What brought it; `unknown` where nobody says.
    pub channel: String,
    /// The day of its first fact.
    pub created: Day,
    /// The points, within the bounds of the rules.
    pub points: f64,
    /// What raised and lowered it: rules in their order, then what facts stated.
    pub reasons: Vec<Told>,
}

/// What raised or lowered a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The rule; nothing where facts stated the points.
    pub rule: Option<Words>,
    /// What it gave or took.
    pub points: f64,
    /// What made it hold.
    pub because: Words,
    /// The facts of the events that counted, the latest first: the kind of fact, the import and the row.
    pub facts: Vec<(&'static str, i64, i64)>,
}

/// Which leads are listed.
#[derive(Debug, Clone)]
pub struct Choice {
    /// At the end of the day before this one.
    pub end: Day,
    /// In these stages; the open ones where there are none.
    pub stages: Vec<String>,
    /// Of these segments.
    pub filters: Vec<Filter>,
    /// Only the lead of this id, in whatever stage, and with the facts under its score.
    pub only: Option<String>,
}

/// Leads with their scores, the highest first.
///
/// # Errors
/// When facts cannot be read, or a dimension is not known.
pub fn list(books: &Books, assumptions: &Assumptions, choice: &Choice) -> Result<Vec<ScoredLead>, EngineError> {
    const CHANNEL: &str = "channel";
    if !books.has_facts("lead")? {
        return Ok(Vec::new());
    }
    let book = &assumptions.lead_rules;
    let by = vec![CHANNEL.to_owned()];
    let mut dimensions: BTreeSet<String> = choice.filters.iter().map(|filter| filter.dimension.clone()).collect();
    dimensions.insert(CHANNEL.to_owned());
    let dimensions: Vec<String> = dimensions.into_iter().collect();
    for (table, mut wanted) in wants(books, book)? {
        if table == "lead" {
            wanted.texts.insert("lead".to_owned());
            wanted.texts.extend(dimensions.iter().filter(|name| value_of_column("lead", name).is_some()).cloned());
        }
        if value_of_column(table, CUSTOMER).is_some() {
            wanted.texts.insert(CUSTOMER.to_owned());
        }
        wanted.origins |= choice.only.is_some();
        books.shelf.announce(table, wanted);
    }
    let attribution = assumptions.attribution;
    let asked = (true, dimensions.clone(), attribution);
    let first_paid = |customer| super::journey::first_paid(books, customer);
    let people = books.cubes.people.find_or_make(asked, || Ok(People::load(books, true, &dimensions, &first_paid)?))?;
    let stated = stated(books, &by, &choice.filters)?;
    let attributes = people::attributed(books, &people, stated, &dimensions, attribution);
    let segmentation = Segmentation::of_attributes(books, &by, &choice.filters, attributes);
    for name in &dimensions {
        let by_people = people.statements(name).is_some_and(|statements| !statements.texts.is_empty());
        if name != CHANNEL && !by_people && value_of_column("lead", name).is_none() {
            segmentation.must_know(name)?;
        }
    }
    let observed = books.shelf.get(books, "lead", Wanted::default())?;
    let only = match &choice.only {
        None => None,
        Some(id) => match books.shelf.numberings(books).of(books, "lead").find(id) {
            None => return Ok(Vec::new()),
            found => found,
        },
    };
    let leads = Leads::gather(books, &people, book, only)?;
    let mut labels = Labels::new(&segmentation.labels);
    let traveller = Traveller {
        books,
        people: &people,
        segmentation: &segmentation,
        by: &by,
        filters: &choice.filters,
        assumptions,
        windows: &[],
        ahead: None,
    };
    let segments = traveller.segments_by_lead(&mut labels)?;
    let customers = customer_ids(books, &people, &leads);
    let ids = observed.texts("lead");
    let mut listed = Vec::new();
    for lead in &leads.leads {
        let Some(segment) = segments.get(&lead.number).filter(|segment| **segment != OUTSIDE) else { continue };
        let Some(stage) = leads.stage(lead, choice.end) else { continue };
        let is_wanted = match choice.stages.as_slice() {
            _ if only.is_some() => true,
            [] => leads.is_open(lead, choice.end),
            stages => stages.iter().any(|wanted| wanted == stage),
        };
        if !is_wanted {
            continue;
        }
        let score = leads.score(lead, choice.end);
        let reasons = score.reasons.into_iter().map(|reason| {
            let facts = reason.facts.iter().filter(|_| only.is_some()).filter_map(|number| {
                let (table, place, observed) = leads.fact(*number)?;
                let (import, row) = observed.origins().get(place)?;
                Some((table, *import, *row))
            });
            Told {
                rule: reason.rule.and_then(|rule| book.rules.get(rule)).map(|rule| rule.name.clone()),
                points: reason.points,
                because: reason.because,
                facts: facts.collect(),
            }
        });
        listed.push(ScoredLead {
            lead: ids.and_then(|coded| coded.of(lead.fact)).unwrap_or_default().to_owned(),
            customer: people.customer(lead.party).and_then(|customer| customers.get(&customer).cloned()),
            stage: stage.to_owned(),
            channel: labels.of(*segment as usize).first().cloned().unwrap_or_default(),
            created: Day(lead.created),
            points: score.points,
            reasons: reasons.collect(),
        });
    }
    listed.sort_by(|one, other| other.points.total_cmp(&one.points).then_with(|| one.lead.cmp(&other.lead)));
    Ok(listed)
}

/// The ids of the customers whom leads belong to. Those who never paid are in no ledger: their ids are in other facts.
fn customer_ids(books: &Books, people: &People, leads: &Leads) -> BTreeMap<u32, String> {
    let mut ids: BTreeMap<u32, String> = BTreeMap::new();
    for customer in leads.leads.iter().filter_map(|lead| people.customer(lead.party)) {
        let id = books.customer_id(customer);
        if !id.is_empty() {
            ids.insert(customer, id);
        }
    }
    for (_, _, observed) in &leads.offsets {
        let Some(texts) = observed.texts(CUSTOMER) else { continue };
        for (fact, customer) in observed.ids(CUSTOMER).iter().enumerate().filter(|(_, customer)| **customer != NO_ID) {
            if let (false, Some(text)) = (ids.contains_key(customer), texts.of(fact)) {
                ids.insert(*customer, text.to_owned());
            }
        }
    }
    ids
}

/// Of the leads that are open at the end of each window, how many there are and their points, by segment.
#[derive(Debug, Default)]
pub struct Sums {
    /// How many, by segment and end.
    pub open: HashMap<(u32, i32), i128>,
    /// Their points in units of 10⁻¹².
    pub picos: HashMap<(u32, i32), i128>,
}

impl Leads {
    /// The leads that are open at the end of the day before `end`, by their numbers, each with its points in units of
    /// 10⁻¹².
    pub fn open_at(&self, end: Day) -> impl Iterator<Item = (u32, i128)> + '_ {
        let picos = move |lead: &OneLead| (self.score(lead, end).points * PICOS).round() as i128;
        self.leads.iter().filter(move |lead| self.is_open(lead, end)).map(move |lead| (lead.number, picos(lead)))
    }

    /// Counts the open leads and their points at some ends.
    #[must_use]
    pub fn sums(&self, segments: &HashMap<u32, u32>, ends: &BTreeSet<Day>) -> Sums {
        let mut sums = Sums::default();
        for end in ends {
            for (lead, picos) in self.open_at(*end) {
                let Some(segment) = segments.get(&lead).filter(|segment| **segment != OUTSIDE) else { continue };
                let place = (*segment, end.0);
                *sums.open.entry(place).or_default() += 1;
                *sums.picos.entry(place).or_default() += picos;
            }
        }
        sums
    }
}
