//! From visitor to customer: who reached which stage when, and who of them went on.
//!
//! A stage has entities: visitors, sign-ups, leads, customers. An entity of one stage went on to another when the
//! party whom it belongs to ([`People`]) reached that one on the same day or later; between two stages of the same
//! sort (a lead that becomes qualified, a sign-up that is activated) the entity itself has to. Entities count in the
//! period in which they first reached a stage, so that a cohort never loses or gains members.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, btree_map},
    sync::Arc,
};

use rayon::prelude::*;
use revenue::{calendar::Day, cohort::Member};

use super::{
    Ahead, Assumptions, EngineError,
    cube::Days,
    evidence::{Entry, Evidence},
    label::Labels,
    lead_score::{self, Leads, first_paid_day, first_paid_row},
    people::{self, Attribution, People, TOUCHED},
    segment::{Filter, OUTSIDE, Segmentation, UNKNOWN, stated},
    tally::{
        Counted, DailySums, PICOS, Waiting,
        distinct::{DayOrder, Distinct},
    },
};
use crate::{
    books::Books,
    catalogue::{Measure, Setting},
    observed::{NO_CODE, NO_DAY, NO_ID, Observed, Wanted, value_of_column},
};

/// A stage on the way to paying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Visited the site.
    Visitor,
    /// Signed up.
    Signup,
    /// Signed up, and did what counts as activation within its window.
    Activated,
    /// Became a lead.
    Lead,
    /// A lead that marketing qualified.
    Mql,
    /// A lead that its use of the product qualified.
    Pql,
    /// A lead that sales qualified.
    Sql,
    /// Paid.
    Customer,
}

impl Stage {
    /// Every stage in order, with its name.
    pub const ALL: [(Stage, &'static str); 8] = [
        (Stage::Visitor, "visitor"),
        (Stage::Signup, "signup"),
        (Stage::Activated, "activated"),
        (Stage::Lead, "lead"),
        (Stage::Mql, "mql"),
        (Stage::Pql, "pql"),
        (Stage::Sql, "sql"),
        (Stage::Customer, "customer"),
    ];

    fn parse(name: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|(_, known)| *known == name).map(|(stage, _)| stage)
    }

    /// The sort of its entities.
    fn sort(self) -> &'static str {
        match self {
            Stage::Visitor => "visitor",
            Stage::Signup | Stage::Activated => "user",
            Stage::Lead | Stage::Mql | Stage::Pql | Stage::Sql => "lead",
            Stage::Customer => "customer",
        }
    }

    /// The kind of fact that shows that it was reached; nothing where the ledger does.
    fn shown_by(self) -> Option<&'static str> {
        match self {
            Stage::Visitor => Some("visit"),
            Stage::Signup => Some("signup"),
            Stage::Activated => Some("product_event"),
            Stage::Lead | Stage::Mql | Stage::Pql | Stage::Sql => Some("lead"),
            Stage::Customer => None,
        }
    }
}

/// What a measure of this module counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    /// Entities that first reached a stage.
    Reached(Stage),
    /// Those of them that went on to another.
    Went(Stage, Stage),
    /// Leads with a change to a stage, each counted once a period.
    InStage(Stage),
    /// Trials by start; by end; those that turned into paying by the day on which they did.
    Trials(Trials),
    /// Who was there without having paid at some time of a window.
    Free,
    /// Those who were there before and paid for the first time, on that day.
    FreePaid,
    /// Customers whom another customer brought, on the day of their first payment.
    Referred,
    /// Invitations that brought a customer, by the day on which they went out.
    InvitesConverted,
    /// Open leads, and their points.
    LeadsOpen,
    LeadPoints,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trials {
    Started,
    Ended,
    Converted,
    /// By start: those that have ended or converted.
    Settled,
    /// Those of them that pay now.
    SettledPaying,
}

/// What a measure counts here; nothing when it is not one of this module's.
fn count_of(id: &str) -> Option<Count> {
    let fixed = match id {
        "signups" => Count::Reached(Stage::Signup),
        "leads_created" => Count::Reached(Stage::Lead),
        "leads_mql" => Count::InStage(Stage::Mql),
        "leads_sql" => Count::InStage(Stage::Sql),
        "leads_pql" => Count::InStage(Stage::Pql),
        "trials_started" => Count::Trials(Trials::Started),
        "trials_ended" => Count::Trials(Trials::Ended),
        "trials_converted" => Count::Trials(Trials::Converted),
        "trials_settled" => Count::Trials(Trials::Settled),
        "trials_settled_paying" => Count::Trials(Trials::SettledPaying),
        "free_users" => Count::Free,
        "free_users_converted" => Count::FreePaid,
        "customers_referred" => Count::Referred,
        "invites_converted" => Count::InvitesConverted,
        "leads_open_closing" => Count::LeadsOpen,
        "lead_points_closing" => Count::LeadPoints,
        _ => {
            if let Some(stage) = id.strip_prefix("reached_").and_then(Stage::parse) {
                return Some(Count::Reached(stage));
            }
            let (from, to) = id.strip_prefix("went_from_")?.split_once("_to_")?;
            return Some(Count::Went(Stage::parse(from)?, Stage::parse(to)?));
        }
    };
    Some(fixed)
}

/// Whether a measure is counted here.
#[must_use]
pub fn counts(id: &str) -> bool {
    count_of(id).is_some()
}

impl Count {
    fn is_scored(self) -> bool {
        matches!(self, Count::LeadsOpen | Count::LeadPoints)
    }

    fn stages(self) -> Vec<Stage> {
        match self {
            Count::Reached(stage) | Count::InStage(stage) => vec![stage],
            Count::Went(from, to) => vec![from, to],
            Count::Free | Count::FreePaid => vec![Stage::Signup],
            Count::Trials(_) | Count::Referred | Count::InvitesConverted | Count::LeadsOpen | Count::LeadPoints => {
                Vec::new()
            }
        }
    }
}

/// Whether visits are looked at for some measures.
///
/// # Errors
/// When the catalogue of the lake cannot be read.
pub fn looks_at_visits(
    books: &Books,
    measures: &[&'static Measure],
    assumptions: &Assumptions,
) -> Result<bool, EngineError> {
    let counts: Vec<Count> = measures.iter().filter_map(|measure| count_of(measure.id)).collect();
    if counts.iter().any(|count| count.stages().contains(&Stage::Visitor)) {
        return Ok(true);
    }
    Ok(counts.into_iter().any(Count::is_scored) && lead_score::looks_at_visits(books, &assumptions.lead_rules)?)
}

/// Who is who, and the customers in segments, for what is counted by parties: of a dimension that neither customers nor the
/// facts about visitors, sign-ups and leads can have there is no answer.
///
/// # Errors
/// When facts cannot be read, or nothing has a dimension.
pub fn people_in_segments(
    books: &Books,
    assumptions: &Assumptions,
    by: &[String],
    filters: &[Filter],
) -> Result<(People, Segmentation), EngineError> {
    let dimensions: BTreeSet<String> =
        by.iter().cloned().chain(filters.iter().map(|filter| filter.dimension.clone())).collect();
    let dimensions: Vec<String> = dimensions.into_iter().collect();
    let people = People::load(books, true, &dimensions, &|customer| first_paid(books, customer))?;
    let stated = stated(books, by, filters)?;
    let attributes = people::attributed(books, &people, stated, &dimensions, assumptions.attribution);
    let segmentation = Segmentation::of_attributes(books, by, filters, attributes);
    for name in &dimensions {
        let by_people = people.statements(name).is_some_and(|statements| !statements.texts.is_empty());
        let in_facts = ["visit", "signup", "lead"].iter().any(|table| value_of_column(table, name).is_some());
        if !by_people && !in_facts {
            segmentation.must_know(name)?;
        }
    }
    Ok((people, segmentation))
}

/// Who signed up, as the members of cohorts.
pub struct SignedUp {
    /// Each party on the day of its first sign-up, with the customer whom it became.
    pub members: Vec<Member>,
    /// The values of their segments in each dimension.
    pub labels: Vec<Vec<String>>,
}

/// Who signed up. `None` when no sign-up is known.
///
/// # Errors
/// As [`people_in_segments`].
pub fn signed_up(
    books: &Books,
    assumptions: &Assumptions,
    by: &[String],
    filters: &[Filter],
) -> Result<Option<SignedUp>, EngineError> {
    if !books.has_facts("signup")? {
        return Ok(None);
    }
    let mut wanted = Wanted::default();
    People::want("signup", &mut wanted);
    wanted.days.insert("signed_up".to_owned());
    let dimensions = by.iter().chain(filters.iter().map(|filter| &filter.dimension));
    wanted.texts.extend(dimensions.filter(|name| value_of_column("signup", name).is_some()).cloned());
    books.shelf.get(books, "signup", wanted)?;
    let (people, segmentation) = people_in_segments(books, assumptions, by, filters)?;
    let traveller = Traveller {
        books,
        people: &people,
        segmentation: &segmentation,
        by,
        filters,
        assumptions,
        windows: &[],
        ahead: None,
    };
    let mut labels = Labels::new(&segmentation.labels);
    let entities = traveller.entities(Stage::Signup, &mut traveller.dimensions(), &mut labels)?;
    let mut first: BTreeMap<u32, (i32, u32)> = BTreeMap::new();
    for (place, party) in entities.parties.iter().enumerate() {
        let one = (entities.days[place], entities.segments[place]);
        let known = first.entry(*party).or_insert(one);
        *known = (*known).min(one);
    }
    let in_ledger = |customer: &u32| (*customer as usize) < books.ledger.customers();
    let member = |(party, (day, segment)): (u32, (i32, u32))| Member {
        start: Day(day),
        segment,
        customer: people.customer(party).filter(in_ledger),
    };
    let members: Vec<Member> = first.into_iter().map(member).collect();
    let named = members.iter().map(|member| member.segment).max().map_or(0, |last| last as usize + 1);
    let labels = (0..named).map(|segment| labels.of(segment).to_vec()).collect();
    Ok(Some(SignedUp { members, labels }))
}

/// The columns that the measures of this module look at, by kind of fact.
///
/// # Errors
/// When the catalogue of the lake cannot be read.
pub fn wants(
    books: &Books,
    measures: &[&'static Measure],
    dimensions: &[String],
    assumptions: &Assumptions,
) -> Result<Vec<(&'static str, Wanted)>, EngineError> {
    let mut wants: BTreeMap<&'static str, Wanted> = BTreeMap::new();
    let mut want = |table: &'static str, days: &[&str], instants: &[&str]| {
        let wanted = wants.entry(table).or_default();
        People::want(table, wanted);
        wanted.days.extend(days.iter().map(|name| (*name).to_owned()));
        wanted.instants.extend(instants.iter().map(|name| (*name).to_owned()));
        wanted.texts.extend(dimensions.iter().filter(|name| value_of_column(table, name).is_some()).cloned());
    };
    for count in measures.iter().filter_map(|measure| count_of(measure.id)) {
        for stage in count.stages() {
            match stage {
                Stage::Visitor if dimensions.is_empty() => want("visit", &["visited"], &[]),
                Stage::Visitor => want("visit", &["visited"], &["visited"]),
                Stage::Signup => want("signup", &["signed_up"], &[]),
                Stage::Activated => {
                    want("signup", &["signed_up"], &[]);
                    want("product_event", &["occurred"], &[]);
                }
                Stage::Lead | Stage::Mql | Stage::Pql | Stage::Sql => want("lead", &["reached"], &["reached"]),
                Stage::Customer => want("lead", &["reached"], &["reached"]),
            }
        }
        match count {
            Count::Trials(_) => want("trial", &["start", "end", "converted"], &[]),
            Count::Free | Count::FreePaid => want("trial", &["start"], &[]),
            Count::Referred | Count::InvitesConverted => want("referral", &["invited", "converted"], &[]),
            Count::LeadsOpen | Count::LeadPoints => want("lead", &["reached"], &["reached"]),
            _ => {}
        }
    }
    if let Some(events) = wants.get_mut("product_event") {
        events.texts = std::iter::once("name".to_owned()).collect();
    }
    if let Some(leads) = wants.get_mut("lead") {
        leads.texts.insert("stage".to_owned());
    }
    if let Some(referrals) = wants.get_mut("referral") {
        referrals.ids.extend(["referrer".to_owned(), "referred".to_owned()]);
    }
    if measures.iter().filter_map(|measure| count_of(measure.id)).any(Count::is_scored) {
        for (table, wanted) in lead_score::wants(books, &assumptions.lead_rules)? {
            wants.entry(table).or_default().extend(wanted);
        }
    }
    Ok(wants.into_iter().collect())
}

/// Entities of a stage.
#[derive(Default)]
struct Entities {
    /// The number of each among its sort.
    numbers: Vec<u32>,
    /// When each first reached the stage.
    days: Vec<i32>,
    /// The party of each.
    parties: Vec<u32>,
    /// The segment of each.
    segments: Vec<u32>,
    /// The fact that shows each: its place among those of its kind; of a customer the row of the ledger.
    facts: Vec<u32>,
}

/// What the measures of this module are counted with.
pub struct Traveller<'a> {
    /// The books.
    pub books: &'a Books,
    /// Who is who.
    pub people: &'a People,
    /// The customers' dimensions.
    pub segmentation: &'a Segmentation,
    /// The dimensions to split by.
    pub by: &'a [String],
    /// What is looked at.
    pub filters: &'a [Filter],
    /// What the user has set.
    pub assumptions: &'a Assumptions,
    /// The windows that are asked for.
    pub windows: &'a [Days],
    /// Trials that the subscription facts state.
    pub ahead: Option<&'a Ahead>,
}

/// What was gathered for some measures.
struct Gathered<'a> {
    dimensions: Dimensions<'a>,
    stages: BTreeMap<Stage, Entities>,
    /// For each stage the last day on which each party reached it.
    later: BTreeMap<Stage, Vec<i32>>,
}

impl Gathered<'_> {
    /// Gathers who reached a stage, unless that is known.
    fn gather(&mut self, traveller: &Traveller<'_>, stage: Stage, labels: &mut Labels) -> Result<(), EngineError> {
        if let btree_map::Entry::Vacant(place) = self.stages.entry(stage) {
            place.insert(traveller.entities(stage, &mut self.dimensions, labels)?);
        }
        Ok(())
    }
}

/// One dimension of parties: a code for each, and the texts of the codes.
struct Dimension {
    name: String,
    texts: Vec<String>,
    known: HashMap<String, u32>,
    of_party: Vec<u32>,
}

impl Dimension {
    fn code(&mut self, text: &str) -> u32 {
        if let Some(code) = self.known.get(text) {
            return *code;
        }
        let code = self.texts.len() as u32;
        self.known.insert(text.to_owned(), code);
        self.texts.push(text.to_owned());
        code
    }
}

/// The dimensions of a question, for parties.
struct Dimensions<'a> {
    dimensions: Vec<Dimension>,
    by: &'a [String],
    filters: &'a [Filter],
    numbers: hashbrown::HashMap<Vec<u32>, u32>,
    /// The codes that were asked for last, and their segment: those that follow each other are often the same.
    last: (Vec<u32>, Option<u32>),
}

impl Traveller<'_> {
    /// Counts the measures of this module.
    ///
    /// # Errors
    /// When facts cannot be read.
    pub fn count(
        &self,
        measures: &[&'static Measure],
        labels: &mut Labels,
    ) -> Result<Vec<(&'static str, Counted)>, EngineError> {
        let mut gathered = self.gathered();
        let mut scored: Option<lead_score::Sums> = None;
        let mut counted = Vec::new();
        let counts: Vec<(&'static str, Count)> =
            measures.iter().filter_map(|measure| Some((measure.id, count_of(measure.id)?))).collect();
        for (_, count) in &counts {
            self.gather_for(*count, &mut gathered, labels)?;
        }
        // Those who reached a stage and those who went on are counted from what was gathered, several measures at a time.
        let of_stages = |(id, count): &(&'static str, Count)| {
            let mut sums = DailySums::of_all_time();
            let is_counted = self.each_of_stages(*count, &gathered, &mut |entry| {
                sums.add(entry.segment, entry.day, entry.value);
            });
            is_counted.then(|| (*id, sums.counted(1)))
        };
        let mut ready: HashMap<&'static str, Counted> = counts.par_iter().filter_map(of_stages).collect();
        for (id, count) in counts {
            if let Some(found) = ready.remove(id) {
                counted.push((id, found));
                continue;
            }
            let found = match count {
                Count::InStage(stage) => {
                    let entries = self.in_stage(stage, &mut gathered, labels)?;
                    let entries = entries.iter().map(|(lead, entry)| (*lead, entry.day, entry.segment));
                    let end = self.books.shelf.numberings(self.books).of(self.books, "lead").end();
                    Counted::Distinct(Distinct::by_first(entries, end, self.windows))
                }
                Count::Free => {
                    let mut waiting = Waiting::default();
                    for (entry, paid) in self.free(&mut gathered, labels)? {
                        waiting.add(entry.segment, entry.day, paid);
                    }
                    Counted::Waiting(waiting.sorted())
                }
                Count::LeadsOpen | Count::LeadPoints => {
                    let sums = match scored.take() {
                        Some(sums) => sums,
                        None => self.scored(&mut gathered.dimensions, labels)?,
                    };
                    let sums = scored.insert(sums);
                    match count {
                        Count::LeadPoints => Counted::AtEnd { values: std::mem::take(&mut sums.picos), unit: PICOS },
                        _ => Counted::AtEnd { values: std::mem::take(&mut sums.open), unit: 1 },
                    }
                }
                _ => {
                    let mut sums = DailySums::of_all_time();
                    self.each(count, &mut gathered, labels, &mut |entry| {
                        sums.add(entry.segment, entry.day, entry.value);
                    })?;
                    sums.counted(1)
                }
            };
            counted.push((id, found));
        }
        Ok(counted)
    }

    /// What a measure of this module counts in a window, one entry a party; and how many of their units make one.
    ///
    /// # Errors
    /// When facts cannot be read.
    pub fn entries(
        &self,
        measure: &'static Measure,
        days: Days,
        labels: &mut Labels,
    ) -> Result<(Vec<Entry>, i128), EngineError> {
        let mut gathered = self.gathered();
        let mut found: Vec<Entry> = Vec::new();
        let within = |entry: &Entry| (days.start.0..days.end.0).contains(&entry.day);
        match count_of(measure.id) {
            None => {}
            Some(Count::InStage(stage)) => {
                let mut seen: HashSet<u32> = HashSet::new();
                let entries = self.in_stage(stage, &mut gathered, labels)?.into_iter();
                let once = entries.filter(|(lead, entry)| within(entry) && seen.insert(*lead));
                found.extend(once.map(|(_, entry)| entry));
            }
            Some(Count::Free) => {
                let there = |(entry, paid): &(Entry, Option<i32>)| {
                    entry.day < days.end.0 && paid.is_none_or(|paid| paid >= days.start.0)
                };
                found.extend(self.free(&mut gathered, labels)?.into_iter().filter(there).map(|(entry, _)| entry));
            }
            Some(count @ (Count::LeadsOpen | Count::LeadPoints)) => {
                let Some(facts) = self.facts("lead")? else { return Ok((found, 1)) };
                let segments = self.segments_of_leads(&facts, &mut gathered.dimensions, labels);
                let leads = Leads::gather(self.books, self.people, &self.assumptions.lead_rules, None)?;
                let first = first_of_stage(&facts, Stage::Lead);
                for (lead, picos) in leads.open_at(days.end) {
                    let segment = segments.get(&lead).copied().unwrap_or(OUTSIDE);
                    let (Some((day, fact)), true) = (first.get(&lead), segment != OUTSIDE) else { continue };
                    let value = if count == Count::LeadPoints { picos } else { 1 };
                    found.push(Entry { segment, day: *day, value, evidence: Evidence::Fact("lead", *fact as usize) });
                }
                return Ok((found, if count == Count::LeadPoints { PICOS } else { 1 }));
            }
            Some(count) => self.each(count, &mut gathered, labels, &mut |entry| {
                if within(&entry) {
                    found.push(entry);
                }
            })?,
        }
        Ok((found, 1))
    }

    fn gathered(&self) -> Gathered<'_> {
        Gathered { dimensions: self.dimensions(), stages: BTreeMap::new(), later: BTreeMap::new() }
    }

    /// Gathers what a measure is counted from.
    fn gather_for(&self, count: Count, gathered: &mut Gathered<'_>, labels: &mut Labels) -> Result<(), EngineError> {
        for stage in count.stages() {
            gathered.gather(self, stage, labels)?;
        }
        if let Count::Went(_, to) = count
            && let btree_map::Entry::Vacant(place) = gathered.later.entry(to)
        {
            place.insert(self.latest_of_parties(to, gathered.stages.get(&to))?);
        }
        Ok(())
    }

    /// Those who reached a stage, and those who went on, of what was gathered; says whether the measure counts those.
    fn each_of_stages(&self, count: Count, gathered: &Gathered<'_>, found: &mut impl FnMut(Entry)) -> bool {
        match count {
            Count::Reached(stage) => {
                if let Some(entities) = gathered.stages.get(&stage) {
                    (0..entities.days.len()).for_each(|place| found(entities.entry(self.books, stage, place)));
                }
                true
            }
            Count::Went(from, to) => {
                let (Some(entities), Some(days)) = (gathered.stages.get(&from), gathered.later.get(&to)) else {
                    return true;
                };
                let same_sort = from.sort() == to.sort();
                let own: HashMap<u32, i32> = match (same_sort, gathered.stages.get(&to)) {
                    (true, Some(to)) => to.numbers.iter().copied().zip(to.days.iter().copied()).collect(),
                    _ => HashMap::new(),
                };
                for place in 0..entities.days.len() {
                    let reached = match same_sort {
                        true => own.get(&entities.numbers[place]).copied(),
                        false => days.get(entities.parties[place] as usize).copied(),
                    };
                    if reached.is_some_and(|day| day != NO_DAY && day >= entities.days[place]) {
                        found(entities.entry(self.books, from, place));
                    }
                }
                true
            }
            _ => false,
        }
    }

    /// Everything that a measure counts by days.
    fn each(
        &self,
        count: Count,
        gathered: &mut Gathered<'_>,
        labels: &mut Labels,
        mut found: &mut dyn FnMut(Entry),
    ) -> Result<(), EngineError> {
        self.gather_for(count, gathered, labels)?;
        match count {
            Count::Reached(_) | Count::Went(..) => {
                self.each_of_stages(count, gathered, &mut found);
            }
            Count::Trials(trials) => self.trials(trials, &mut gathered.dimensions, labels, found)?,
            Count::FreePaid => {
                for (entry, paid) in self.free(gathered, labels)? {
                    if let Some(paid) = paid {
                        found(Entry { day: paid, ..entry });
                    }
                }
            }
            Count::Referred => self.referred(&mut gathered.dimensions, labels, found)?,
            Count::InvitesConverted => self.invites_converted(&mut gathered.dimensions, labels, found)?,
            Count::InStage(_) | Count::Free | Count::LeadsOpen | Count::LeadPoints => {}
        }
        Ok(())
    }

    /// The facts of a kind with the columns that this module looks at: they were announced, so that they are there.
    fn facts(&self, table: &'static str) -> Result<Option<Arc<Observed>>, EngineError> {
        if !self.books.has_facts(table)? {
            return Ok(None);
        }
        Ok(Some(self.books.shelf.get(self.books, table, Wanted::default())?))
    }

    /// What each party is in each dimension: what the customer is, else what the party's facts first stated.
    fn dimensions(&self) -> Dimensions<'_> {
        let mut names: Vec<&String> = self.by.iter().collect();
        names.extend(self.filters.iter().map(|filter| &filter.dimension));
        names.dedup();
        let mut dimensions: Vec<Dimension> = Vec::new();
        for name in names {
            if dimensions.iter().any(|known| known.name == *name) {
                continue;
            }
            let mut dimension = Dimension {
                name: name.clone(),
                texts: Vec::new(),
                known: HashMap::new(),
                of_party: vec![NO_CODE; self.people.end()],
            };
            if let Some(statements) = self.people.statements(name) {
                let codes: Vec<u32> = statements.texts.iter().map(|text| dimension.code(text)).collect();
                let last = self.assumptions.attribution == Attribution::LastTouch && TOUCHED.contains(&name.as_str());
                let stated = if last { &statements.last } else { &statements.first };
                for (party, code) in stated.iter().enumerate() {
                    dimension.of_party[party] = codes.get(*code as usize).copied().unwrap_or(NO_CODE);
                }
            }
            if let Some(attributes) = self.segmentation.attributes(name) {
                let codes: Vec<u32> = attributes.values.iter().map(|text| dimension.code(text)).collect();
                for (customer, value) in attributes.of_customer.iter().enumerate() {
                    let (Some(value), Some(party)) = (value, self.people.party("customer", customer as u32)) else {
                        continue;
                    };
                    dimension.of_party[party as usize] = codes.get(*value as usize).copied().unwrap_or(NO_CODE);
                }
            }
            dimensions.push(dimension);
        }
        Dimensions {
            dimensions,
            by: self.by,
            filters: self.filters,
            numbers: hashbrown::HashMap::new(),
            last: (Vec::new(), None),
        }
    }

    /// Whether what a fact itself states wins over what is known of its party.
    fn own_wins(&self, dimension: &str) -> bool {
        self.assumptions.attribution == Attribution::Stated || !TOUCHED.contains(&dimension)
    }

    /// For each dimension the codes that facts state themselves, where that counts.
    fn own_codes(&self, observed: &Observed, dimensions: &mut Dimensions<'_>) -> Vec<Option<Vec<u32>>> {
        let mut all = Vec::with_capacity(dimensions.dimensions.len());
        for dimension in &mut dimensions.dimensions {
            let coded = observed.texts(&dimension.name).filter(|_| self.own_wins(&dimension.name));
            all.push(coded.map(|coded| {
                let codes: Vec<u32> = coded.texts.iter().map(|text| dimension.code(text)).collect();
                coded.codes.iter().map(|code| codes.get(*code as usize).copied().unwrap_or(NO_CODE)).collect()
            }));
        }
        all
    }

    fn entities(
        &self,
        stage: Stage,
        dimensions: &mut Dimensions<'_>,
        labels: &mut Labels,
    ) -> Result<Entities, EngineError> {
        let mut entities = Entities::default();
        match stage {
            Stage::Customer => {
                for customer in 0..self.books.customers.len() {
                    let Some(row) = first_paid_row(self.books, customer as u32) else { continue };
                    let party = self.people.party("customer", customer as u32).unwrap_or(NO_ID);
                    let segment = dimensions.segment(party, &[], labels);
                    entities.push(customer as u32, self.books.ledger.day[row], party, segment, row);
                }
            }
            Stage::Visitor => {
                let Some(visits) = self.facts("visit")? else { return Ok(entities) };
                let own = self.own_codes(&visits, dimensions);
                let (visitors, days, instants) =
                    (visits.ids("visitor"), visits.days("visited"), visits.instants("visited"));
                let end = self.books.shelf.numberings(self.books).of(self.books, "visitor").end();
                let mut first: Vec<(i64, u32)> = vec![(i64::MAX, u32::MAX); end];
                for (fact, visitor) in visitors.iter().enumerate() {
                    let when = instants.get(fact).copied().unwrap_or_else(|| i64::from(days[fact]));
                    if *visitor != NO_ID && days[fact] != NO_DAY && when < first[*visitor as usize].0 {
                        first[*visitor as usize] = (when, fact as u32);
                    }
                }
                let mut codes = Vec::new();
                for (visitor, (_, fact)) in first.into_iter().enumerate().filter(|(_, (_, fact))| *fact != u32::MAX) {
                    let fact = fact as usize;
                    codes.clear();
                    codes.extend(own.iter().map(|own| own.as_ref().map_or(NO_CODE, |codes| codes[fact])));
                    let party = self.people.party("visitor", visitor as u32).unwrap_or(NO_ID);
                    entities.push(visitor as u32, days[fact], party, dimensions.segment(party, &codes, labels), fact);
                }
            }
            Stage::Signup | Stage::Activated => {
                let Some(signups) = self.facts("signup")? else { return Ok(entities) };
                let own = self.own_codes(&signups, dimensions);
                let (users, days) = (signups.ids("signup"), signups.days("signed_up"));
                let activated = match stage {
                    Stage::Activated => Some(self.activations(users, days)?),
                    _ => None,
                };
                let parties = self.people.parties_of("signup", &signups);
                let mut codes = Vec::new();
                for fact in 0..signups.len() {
                    let (day, shown_by) = match &activated {
                        None => (days[fact], fact),
                        Some(activated) => match activated.get(&users[fact]) {
                            Some((day, event)) => (*day, *event),
                            None => continue,
                        },
                    };
                    if day == NO_DAY {
                        continue;
                    }
                    codes.clear();
                    codes.extend(own.iter().map(|own| own.as_ref().map_or(NO_CODE, |codes| codes[fact])));
                    let segment = dimensions.segment(parties[fact], &codes, labels);
                    entities.push(users[fact], day, parties[fact], segment, shown_by);
                }
            }
            Stage::Lead | Stage::Mql | Stage::Pql | Stage::Sql => {
                let Some(leads) = self.facts("lead")? else { return Ok(entities) };
                let segments = self.segments_of_leads(&leads, dimensions, labels);
                for (lead, (day, fact)) in first_of_stage(&leads, stage) {
                    let party = self.people.party("lead", lead).unwrap_or(NO_ID);
                    entities.push(lead, day, party, segments.get(&lead).copied().unwrap_or(OUTSIDE), fact as usize);
                }
            }
        }
        Ok(entities)
    }

    /// The segment of each lead: by what its facts stated first.
    fn segments_of_leads(
        &self,
        leads: &Observed,
        dimensions: &mut Dimensions<'_>,
        labels: &mut Labels,
    ) -> HashMap<u32, u32> {
        let own = self.own_codes(leads, dimensions);
        let (numbers, instants) = (leads.ids("lead"), leads.instants("reached"));
        let mut order: Vec<usize> = (0..leads.len()).collect();
        order.sort_by_key(|fact| instants.get(*fact).copied().unwrap_or_default());
        let mut stated: HashMap<u32, Vec<u32>> = HashMap::new();
        for fact in order {
            let codes = stated.entry(numbers[fact]).or_insert_with(|| vec![NO_CODE; own.len()]);
            for (code, own) in codes.iter_mut().zip(&own) {
                if *code == NO_CODE {
                    *code = own.as_ref().map_or(NO_CODE, |codes| codes[fact]);
                }
            }
        }
        let of_lead = |(lead, codes): (u32, Vec<u32>)| {
            let party = self.people.party("lead", lead).unwrap_or(NO_ID);
            (lead, dimensions.segment(party, &codes, labels))
        };
        stated.into_iter().map(of_lead).collect()
    }

    /// When each user first did what counts as activation, from the day of the sign-up on and within the window, and the
    /// event that shows it.
    fn activations(&self, users: &[u32], signed_up: &[i32]) -> Result<HashMap<u32, (i32, usize)>, EngineError> {
        let mut activated: HashMap<u32, (i32, usize)> = HashMap::new();
        let Some(events) = self.facts("product_event")? else { return Ok(activated) };
        let Some(names) = events.texts("name") else { return Ok(activated) };
        let wanted = self.assumptions.names(Setting::ActivationEvents);
        let counts: Vec<bool> =
            names.texts.iter().map(|text| wanted.iter().any(|name| super::tally::same_name(name, text))).collect();
        let began: HashMap<u32, i32> = users.iter().copied().zip(signed_up.iter().copied()).collect();
        let (doers, days) = (events.ids("user"), events.days("occurred"));
        for fact in 0..events.len() {
            if !counts.get(names.codes[fact] as usize).copied().unwrap_or(false) {
                continue;
            }
            let Some(start) = began.get(&doers[fact]) else { continue };
            if days[fact] >= *start && days[fact] - *start < self.assumptions.activation_days {
                let first = activated.entry(doers[fact]).or_insert((days[fact], fact));
                *first = (*first).min((days[fact], fact));
            }
        }
        Ok(activated)
    }

    /// The last day on which each party reached a stage.
    fn latest_of_parties(&self, stage: Stage, entities: Option<&Entities>) -> Result<Vec<i32>, EngineError> {
        let mut days = vec![NO_DAY; self.people.end()];
        let mut reach = |party: u32, day: i32| {
            if let Some(known) = days.get_mut(party as usize) {
                *known = (*known).max(day);
            }
        };
        if let Some(entities) = entities {
            entities.parties.iter().zip(&entities.days).for_each(|(party, day)| reach(*party, *day));
        }
        // A lead that was won is a customer, also where the ledger does not know it.
        if stage == Stage::Customer
            && let Some(leads) = self.facts("lead")?
        {
            let won = reached_stage(&leads, Stage::Customer);
            let (numbers, reached) = (leads.ids("lead"), leads.days("reached"));
            for fact in (0..leads.len()).filter(|fact| won(*fact)) {
                if let Some(party) = self.people.party("lead", numbers[fact]) {
                    reach(party, reached[fact]);
                }
            }
        }
        Ok(days)
    }

    /// Changes of leads to a stage in order of days, each with its lead. In a window each lead counts once: one that fell
    /// back and came again counts in both.
    fn in_stage(
        &self,
        stage: Stage,
        gathered: &mut Gathered<'_>,
        labels: &mut Labels,
    ) -> Result<Vec<(u32, Entry)>, EngineError> {
        let Some(leads) = self.facts("lead")? else { return Ok(Vec::new()) };
        let segments = self.segments_of_leads(&leads, &mut gathered.dimensions, labels);
        let reached = reached_stage(&leads, stage);
        let (numbers, days) = (leads.ids("lead"), leads.days("reached"));
        let entry = |fact: usize| {
            let segment = segments.get(&numbers[fact]).copied().unwrap_or(OUTSIDE);
            let evidence = Evidence::Fact("lead", fact);
            (numbers[fact], Entry { segment, day: days[fact], value: 1, evidence })
        };
        let facts = DayOrder::of(days);
        let facts = facts.iter(leads.len()).filter(|fact| reached(*fact) && days[*fact] != NO_DAY);
        Ok(facts.map(entry).filter(|(_, entry)| entry.segment != OUTSIDE).collect())
    }

    /// The open leads and their points at the ends of the windows.
    fn scored(&self, dimensions: &mut Dimensions<'_>, labels: &mut Labels) -> Result<lead_score::Sums, EngineError> {
        let Some(facts) = self.facts("lead")? else { return Ok(lead_score::Sums::default()) };
        let segments = self.segments_of_leads(&facts, dimensions, labels);
        let leads = Leads::gather(self.books, self.people, &self.assumptions.lead_rules, None)?;
        Ok(leads.sums(&segments, &self.windows.iter().map(|days| days.end).collect()))
    }

    /// What tells the segment of a party: what the customer is, else what its facts stated.
    pub fn segments_of_parties(&self) -> impl FnMut(u32, &mut Labels) -> u32 {
        let mut dimensions = self.dimensions();
        move |party, labels| dimensions.segment(party, &[], labels)
    }

    /// The segment of each lead by its number.
    ///
    /// # Errors
    /// When facts cannot be read.
    pub fn segments_by_lead(&self, labels: &mut Labels) -> Result<HashMap<u32, u32>, EngineError> {
        let Some(facts) = self.facts("lead")? else { return Ok(HashMap::new()) };
        Ok(self.segments_of_leads(&facts, &mut self.dimensions(), labels))
    }

    /// The first day on or after another on which a customer pays.
    fn pays_from(&self, customer: u32, day: i32) -> Option<i32> {
        let ledger = &self.books.ledger;
        if customer as usize >= ledger.customers() {
            return None;
        }
        let mut mrr = 0i128;
        let mut rows = ledger.of_customer(customer as usize).peekable();
        while let Some(row) = rows.next() {
            mrr += i128::from(ledger.delta_micros[row]);
            let at = ledger.day[row];
            if rows.peek().is_some_and(|next| ledger.day[*next] == at) {
                continue;
            }
            let until = rows.peek().map_or(i32::MAX, |next| ledger.day[*next]);
            if mrr > 0 && until > day {
                return Some(at.max(day));
            }
        }
        None
    }

    fn trials(
        &self,
        which: Trials,
        dimensions: &mut Dimensions<'_>,
        labels: &mut Labels,
        found: &mut dyn FnMut(Entry),
    ) -> Result<(), EngineError> {
        struct Trial {
            customer: u32,
            start: i32,
            end: i32,
            converted: i32,
            segment: u32,
            evidence: Evidence,
        }
        let mut trials: Vec<Trial> = Vec::new();
        let today = self.books.first_day_to_come();
        if let Some(facts) = self.facts("trial")? {
            let own = self.own_codes(&facts, dimensions);
            let customers = self.people.customers_of("trial", &facts);
            let parties = self.people.parties_of("trial", &facts);
            let (starts, ends, converted) = (facts.days("start"), facts.days("end"), facts.days("converted"));
            let mut codes = Vec::new();
            for fact in (0..facts.len()).filter(|fact| starts[*fact] != NO_DAY) {
                codes.clear();
                codes.extend(own.iter().map(|own| own.as_ref().map_or(NO_CODE, |codes| codes[fact])));
                trials.push(Trial {
                    customer: customers[fact],
                    start: starts[fact],
                    end: ends[fact],
                    converted: converted[fact],
                    segment: dimensions.segment(parties[fact], &codes, labels),
                    evidence: Evidence::Fact("trial", fact),
                });
            }
        } else if let Some(ahead) = self.ahead {
            // Whoever bills with trials states them in the subscription.
            let ticks = &self.books.ticks;
            for (customer, span) in &ahead.trials {
                let party = self.people.party("customer", *customer).unwrap_or(NO_ID);
                trials.push(Trial {
                    customer: *customer,
                    start: ticks.day(span.from).0,
                    end: ticks.day(span.to).0,
                    converted: NO_DAY,
                    segment: dimensions.segment(party, &[], labels),
                    evidence: Evidence::of_span(*customer, span),
                });
            }
        }
        for trial in trials.into_iter().filter(|trial| trial.segment != OUTSIDE) {
            // Where nobody states when a trial turned into paying, the ledger tells.
            let converted = match trial.converted {
                NO_DAY => self.pays_from(trial.customer, trial.start).filter(|day| *day < today.0).unwrap_or(NO_DAY),
                day => day,
            };
            let is_over = converted != NO_DAY || (trial.end != NO_DAY && trial.end < today.0);
            let in_ledger = (trial.customer as usize) < self.books.ledger.customers();
            let pays_now = match in_ledger {
                true => self.pays_from(trial.customer, today.0 - 1).is_some_and(|day| day < today.0),
                false => converted != NO_DAY,
            };
            let day = match which {
                Trials::Started => trial.start,
                Trials::Ended => trial.end,
                Trials::Converted => converted,
                Trials::Settled if is_over => trial.start,
                Trials::SettledPaying if is_over && pays_now => trial.start,
                Trials::Settled | Trials::SettledPaying => NO_DAY,
            };
            if day != NO_DAY {
                found(Entry { segment: trial.segment, day, value: 1, evidence: trial.evidence });
            }
        }
        Ok(())
    }

    /// Parties that signed up or began a trial, by the day on which they did, with the day on which they first paid.
    fn free(&self, gathered: &mut Gathered<'_>, labels: &mut Labels) -> Result<Vec<(Entry, Option<i32>)>, EngineError> {
        gathered.gather(self, Stage::Signup, labels)?;
        let mut began: BTreeMap<u32, Entry> = BTreeMap::new();
        let mut begin = |party: u32, entry: Entry| {
            if party != NO_ID && entry.day != NO_DAY && entry.segment != OUTSIDE {
                let known = began.entry(party).or_insert(entry);
                if (entry.day, entry.segment) < (known.day, known.segment) {
                    *known = entry;
                }
            }
        };
        if let Some(signups) = gathered.stages.get(&Stage::Signup) {
            for place in 0..signups.days.len() {
                begin(signups.parties[place], signups.entry(self.books, Stage::Signup, place));
            }
        }
        if let Some(trials) = self.facts("trial")? {
            let starts = trials.days("start");
            for (fact, party) in self.people.parties_of("trial", &trials).into_iter().enumerate() {
                if party != NO_ID {
                    let segment = gathered.dimensions.segment(party, &[], labels);
                    let evidence = Evidence::Fact("trial", fact);
                    begin(party, Entry { segment, day: starts[fact], value: 1, evidence });
                }
            }
        }
        let with_payment = began.into_iter().map(|(party, entry)| {
            let customer = self.people.customer(party);
            (entry, customer.and_then(|customer| first_paid_day(self.books, customer)))
        });
        // Whoever paid first and signed up later was never free.
        Ok(with_payment.filter(|(entry, paid)| paid.is_none_or(|paid| paid >= entry.day)).collect())
    }

    fn referred(
        &self,
        dimensions: &mut Dimensions<'_>,
        labels: &mut Labels,
        found: &mut dyn FnMut(Entry),
    ) -> Result<(), EngineError> {
        let Some(referrals) = self.facts("referral")? else { return Ok(()) };
        let mut referred: BTreeMap<u32, (i32, usize)> = BTreeMap::new();
        let converted = referrals.days("converted");
        for (fact, customer) in referrals.ids("referred").iter().enumerate().filter(|(_, id)| **id != NO_ID) {
            let paid = first_paid_day(self.books, *customer);
            // The ledger knows when someone began to pay; only without it the referral's word is taken.
            let day = paid.unwrap_or(if self.books.customers.is_empty() { converted[fact] } else { NO_DAY });
            if day != NO_DAY {
                referred.insert(*customer, (day, fact));
            }
        }
        for (customer, (day, fact)) in referred {
            let party = self.people.party("customer", customer).unwrap_or(NO_ID);
            let segment = dimensions.segment(party, &[], labels);
            if segment != OUTSIDE {
                found(Entry { segment, day, value: 1, evidence: Evidence::Fact("referral", fact) });
            }
        }
        Ok(())
    }

    fn invites_converted(
        &self,
        dimensions: &mut Dimensions<'_>,
        labels: &mut Labels,
        found: &mut dyn FnMut(Entry),
    ) -> Result<(), EngineError> {
        let Some(referrals) = self.facts("referral")? else { return Ok(()) };
        let (invited, converted) = (referrals.days("invited"), referrals.days("converted"));
        let (referrers, referred) = (referrals.ids("referrer"), referrals.ids("referred"));
        for fact in (0..referrals.len()).filter(|fact| invited[*fact] != NO_DAY) {
            let paid = referred[fact] != NO_ID && self.pays_from(referred[fact], i32::MIN + 1).is_some();
            if converted[fact] != NO_DAY || paid {
                let party = self.people.party("customer", referrers[fact]).unwrap_or(NO_ID);
                let segment = dimensions.segment(party, &[], labels);
                if segment != OUTSIDE {
                    found(Entry { segment, day: invited[fact], value: 1, evidence: Evidence::Fact("referral", fact) });
                }
            }
        }
        Ok(())
    }
}

/// Whether a fact of a lead says that it reached a stage; every fact of a lead says that it is one.
fn reached_stage(leads: &Observed, stage: Stage) -> impl Fn(usize) -> bool + '_ {
    let name = Stage::ALL.iter().find(|(known, _)| *known == stage).map_or("", |(_, name)| *name);
    let coded = leads.texts("stage");
    let fits: Vec<bool> = coded.map_or(Vec::new(), |coded| coded.texts.iter().map(|text| text == name).collect());
    move |fact| {
        stage == Stage::Lead
            || coded.is_some_and(|coded| fits.get(coded.codes[fact] as usize).copied().unwrap_or(false))
    }
}

/// For each lead the first day on which it was in a stage, and the first fact of that day that says so.
fn first_of_stage(leads: &Observed, stage: Stage) -> BTreeMap<u32, (i32, u32)> {
    let reached = reached_stage(leads, stage);
    let (numbers, days) = (leads.ids("lead"), leads.days("reached"));
    let mut first: BTreeMap<u32, (i32, u32)> = BTreeMap::new();
    for fact in (0..leads.len()).filter(|fact| reached(*fact) && days[*fact] != NO_DAY) {
        let known = first.entry(numbers[fact]).or_insert((days[fact], fact as u32));
        *known = (*known).min((days[fact], fact as u32));
    }
    first
}

impl Entities {
    fn push(&mut self, number: u32, day: i32, party: u32, segment: u32, fact: usize) {
        if segment != OUTSIDE {
            self.numbers.push(number);
            self.days.push(day);
            self.parties.push(party);
            self.segments.push(segment);
            self.facts.push(fact as u32);
        }
    }

    /// One of them, as it counts on the day on which it reached the stage.
    fn entry(&self, books: &Books, stage: Stage, place: usize) -> Entry {
        let fact = self.facts[place] as usize;
        let evidence = match stage.shown_by() {
            Some(table) => Evidence::Fact(table, fact),
            None => Evidence::of_row(&books.ledger, self.numbers[place], fact),
        };
        Entry { segment: self.segments[place], day: self.days[place], value: 1, evidence }
    }
}

impl Dimensions<'_> {
    /// The segment of someone, who may state some dimensions themselves.
    fn segment(&mut self, party: u32, own: &[u32], labels: &mut Labels) -> u32 {
        let (codes, last) = &mut self.last;
        let mut is_last = last.is_some();
        codes.resize(self.dimensions.len(), NO_CODE);
        for (place, (dimension, code)) in self.dimensions.iter().zip(codes.iter_mut()).enumerate() {
            let found = match own.get(place).copied().unwrap_or(NO_CODE) {
                NO_CODE => dimension.of_party.get(party as usize).copied().unwrap_or(NO_CODE),
                own => own,
            };
            is_last &= found == *code;
            *code = found;
        }
        if let (true, Some(number)) = (is_last, *last) {
            return number;
        }
        if let Some(number) = self.numbers.get(codes) {
            *last = Some(*number);
            return *number;
        }
        let text = |name: &str| -> &str {
            let place = self.dimensions.iter().position(|dimension| dimension.name == name);
            let text = place.and_then(|place| self.dimensions[place].texts.get(codes[place] as usize));
            text.map_or(UNKNOWN, String::as_str)
        };
        let mut wanted: BTreeMap<&str, bool> = BTreeMap::new();
        for filter in self.filters {
            *wanted.entry(&filter.dimension).or_default() |= text(&filter.dimension) == filter.value;
        }
        let number = match wanted.values().all(|fits| *fits) {
            true => labels.number(self.by.iter().map(|name| text(name).to_owned()).collect()),
            false => OUTSIDE,
        };
        *last = Some(number);
        self.numbers.insert(codes.clone(), number);
        number
    }
}

/// The instant at which a customer's first paid day is over.
pub fn first_paid(books: &Books, customer: u32) -> Option<i64> {
    first_paid_day(books, customer).map(|day| books.ticks.zone().start_of_day(Day(day.saturating_add(1))))
}
