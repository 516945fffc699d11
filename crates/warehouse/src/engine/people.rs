//! Who is who: visitors who became users, users and leads who became customers, from the ids that facts state; and what
//! first and last brought each of them.
//!
//! Every id is a node; a fact that states two ids links them. Who is linked is one person, or one company. Two customers
//! are never taken for one: a link that would join them (two companies that share a computer) is left out and counted.
//! Kinds whose business it is to say who someone is come first: customers, sign-ups, trials, leads, then visits.

use std::{collections::BTreeMap, sync::Arc};

use super::share::mixture;
use crate::{
    books::{Attributes, Books},
    observed::{NO_CODE, NO_ID, NO_INSTANT, Observed, ObservedError, Wanted, numbering_sort, value_of_column},
};

/// The sorts of ids that are linked.
pub const SORTS: &[&str] = &["customer", "user", "lead", "visitor"];

/// Columns that may say whom a fact is about, the surest first.
const WAYS: &[&str] = &["customer", "user", "signup", "lead", "visitor"];

/// The kinds of fact that link ids, the surest first.
const LINKING: &[&str] = &["customer", "signup", "trial", "lead", "visit"];

/// Kinds of fact that say what brought someone.
const TOUCHING: &[&str] = &["visit", "lead", "signup"];

/// Dimensions that say what brought someone: a customer's may be worked out from touches.
pub const TOUCHED: &[&str] = &["channel", "campaign"];

/// By which touch a customer belongs to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Attribution {
    /// What the facts about the customer, the lead or the sign-up state; where they state nothing, the first touch.
    #[default]
    Stated,
    /// The first touch that is known.
    FirstTouch,
    /// The last touch before the first payment.
    LastTouch,
    /// All touches before the first payment, in equal parts.
    Linear,
}

impl Attribution {
    /// Every way, with its name.
    pub const ALL: [(Attribution, &'static str); 4] = [
        (Attribution::Stated, "stated"),
        (Attribution::FirstTouch, "first_touch"),
        (Attribution::LastTouch, "last_touch"),
        (Attribution::Linear, "linear"),
    ];

    /// The way of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Attribution> {
        let name = crate::kind::normalised(name);
        Attribution::ALL.into_iter().find(|(_, known)| *known == name).map(|(attribution, _)| attribution)
    }
}

/// The people of some books.
#[derive(Debug, Default)]
pub struct People {
    /// Where the nodes of each sort begin.
    offsets: Vec<usize>,
    /// For each node the node that stands for its person.
    roots: Vec<u32>,
    /// For each root its customer.
    customer: Vec<u32>,
    /// Links that would have joined two customers.
    pub conflicts: u64,
    /// What the facts of a person state, by dimension.
    statements: BTreeMap<String, Statements>,
}

/// What is known of each person in one dimension: codes by root.
#[derive(Debug, Default)]
pub struct Statements {
    /// The values.
    pub texts: Vec<String>,
    /// What was stated first.
    pub first: Vec<u32>,
    /// What was stated last before the first payment.
    pub last: Vec<u32>,
    /// All that was stated before the first payment, in order of time, one a statement, by root.
    pub all: BTreeMap<u32, Vec<u32>>,
}

impl People {
    /// Which kinds of fact are read to link ids, and which of their columns; visits only where they are looked at.
    pub fn wants(with_visits: bool, dimensions: &[String]) -> Vec<(&'static str, Wanted)> {
        let linking = LINKING.iter().filter(|table| with_visits || **table != "visit");
        linking
            .map(|table| {
                let mut wanted = Wanted::default();
                People::want(table, &mut wanted);
                if TOUCHING.contains(table) && !dimensions.is_empty() {
                    wanted.instants.insert(moment_of(table).to_owned());
                    let own = dimensions.iter().filter(|name| value_of_column(table, name).is_some());
                    wanted.texts.extend(own.cloned());
                }
                (*table, wanted)
            })
            .collect()
    }

    /// Links the ids that facts state, and gathers what they state in some dimensions. `first_paid` is the instant of
    /// each customer's first payment in the ledger.
    ///
    /// # Errors
    /// When the facts cannot be read.
    pub fn load(
        books: &Books,
        with_visits: bool,
        dimensions: &[String],
        first_paid: &dyn Fn(u32) -> Option<i64>,
    ) -> Result<People, ObservedError> {
        let mut tables: Vec<(&'static str, Arc<Observed>)> = Vec::new();
        for (table, wanted) in People::wants(with_visits, dimensions) {
            if books.has_facts(table)? {
                tables.push((table, books.shelf.get(books, table, wanted)?));
            }
        }
        let numberings = books.shelf.numberings(books);
        let mut offsets = vec![0usize];
        for sort in SORTS {
            let end = offsets.last().copied().unwrap_or_default() + numberings.of(sort).end();
            offsets.push(end);
        }
        let nodes = offsets.last().copied().unwrap_or_default();
        let mut people = People {
            roots: (0..nodes as u32).collect(),
            customer: vec![NO_ID; nodes],
            offsets,
            ..People::default()
        };
        for customer in 0..people.offsets[1] {
            people.customer[customer] = customer as u32;
        }
        for (table, observed) in &tables {
            let columns: Vec<(usize, &[u32])> = WAYS
                .iter()
                .map(|column| (*column, observed.ids(column)))
                .filter(|(_, ids)| !ids.is_empty())
                .filter_map(|(column, ids)| Some((sort_index(table, column)?, ids)))
                .collect();
            for fact in 0..observed.len() {
                let mut before: Option<u32> = None;
                for (sort, ids) in &columns {
                    let Some(node) = people.node(*sort, ids[fact]) else { continue };
                    if let Some(before) = before {
                        people.link(before, node);
                    }
                    before = Some(before.unwrap_or(node));
                }
            }
        }
        for node in 0..nodes as u32 {
            let root = people.find(node);
            people.roots[node as usize] = root;
        }
        for dimension in dimensions {
            let statements = people.gather(&tables, dimension, first_paid);
            people.statements.insert(dimension.clone(), statements);
        }
        Ok(people)
    }

    /// Adds the columns of a kind that say whom a fact is about.
    pub fn want(table: &str, wanted: &mut Wanted) {
        let there = WAYS.iter().filter(|column| value_of_column(table, column).is_some());
        wanted.ids.extend(there.map(|column| (*column).to_owned()));
    }

    fn node(&self, sort: usize, id: u32) -> Option<u32> {
        if id == NO_ID {
            return None;
        }
        let node = self.offsets.get(sort)? + id as usize;
        (node < *self.offsets.get(sort + 1)?).then_some(node as u32)
    }

    fn find(&mut self, node: u32) -> u32 {
        let mut node = node as usize;
        while self.roots[node] as usize != node {
            // Halving the path keeps every later search short.
            let above = self.roots[node] as usize;
            self.roots[node] = self.roots[above];
            node = self.roots[node] as usize;
        }
        node as u32
    }

    fn link(&mut self, a: u32, b: u32) {
        let (a, b) = (self.find(a), self.find(b));
        if a == b {
            return;
        }
        let (of_a, of_b) = (self.customer[a as usize], self.customer[b as usize]);
        if of_a != NO_ID && of_b != NO_ID {
            self.conflicts += 1;
            return;
        }
        // The smaller number stands for both, so that the answer does not depend on the order of links.
        let (root, other) = (a.min(b), a.max(b));
        self.roots[other as usize] = root;
        self.customer[root as usize] = of_a.min(of_b);
    }

    /// The person of an id of a sort; nothing for an id that no linking fact states.
    #[must_use]
    pub fn person(&self, sort: &str, id: u32) -> Option<u32> {
        let sort = SORTS.iter().position(|known| *known == sort)?;
        self.roots.get(self.node(sort, id)? as usize).copied()
    }

    /// The customer of a person.
    #[must_use]
    pub fn customer(&self, person: u32) -> Option<u32> {
        self.customer.get(person as usize).copied().filter(|customer| *customer != NO_ID)
    }

    /// How many nodes there are: persons are numbered below it.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.roots.len()
    }

    /// The person whom each fact is about, by the surest id that it states; [`NO_ID`] where nobody knows.
    #[must_use]
    pub fn persons_of(&self, table: &str, observed: &Observed) -> Vec<u32> {
        let ways: Vec<(usize, &[u32])> = WAYS
            .iter()
            .map(|column| (*column, observed.ids(column)))
            .filter(|(_, ids)| !ids.is_empty())
            .filter_map(|(column, ids)| Some((sort_index(table, column)?, ids)))
            .collect();
        (0..observed.len())
            .map(|fact| {
                let nodes = ways.iter().filter_map(|(sort, ids)| self.node(*sort, ids[fact]));
                nodes.map(|node| self.roots[node as usize]).next().unwrap_or(NO_ID)
            })
            .collect()
    }

    /// The customer of each fact, stated or by its user, lead or visitor; [`NO_ID`] where nobody knows.
    #[must_use]
    pub fn customers_of(&self, table: &str, observed: &Observed) -> Vec<u32> {
        let stated = observed.ids("customer");
        let persons = self.persons_of(table, observed);
        persons
            .into_iter()
            .enumerate()
            .map(|(fact, person)| match stated.get(fact).copied().unwrap_or(NO_ID) {
                NO_ID => self.customer(person).unwrap_or(NO_ID),
                customer => customer,
            })
            .collect()
    }

    /// What the facts of each person state in a dimension.
    #[must_use]
    pub fn statements(&self, dimension: &str) -> Option<&Statements> {
        self.statements.get(dimension)
    }

    /// Gathers what visits, leads and sign-ups state in a dimension.
    fn gather(
        &self,
        tables: &[(&'static str, Arc<Observed>)],
        dimension: &str,
        first_paid: &dyn Fn(u32) -> Option<i64>,
    ) -> Statements {
        let nodes = self.roots.len();
        let mut statements = Statements::default();
        let mut known: hashbrown::HashMap<String, u32> = hashbrown::HashMap::new();
        let mut first = vec![(i64::MAX, NO_CODE); nodes];
        let mut last = vec![(i64::MIN, NO_CODE); nodes];
        let mut all: BTreeMap<u32, Vec<(i64, u32)>> = BTreeMap::new();
        for (table, observed) in tables.iter().filter(|(table, _)| TOUCHING.contains(table)) {
            let Some(coded) = observed.texts(dimension) else { continue };
            let codes: Vec<u32> = coded
                .texts
                .iter()
                .map(|text| {
                    *known.entry(text.clone()).or_insert_with_key(|text| {
                        statements.texts.push(text.clone());
                        statements.texts.len() as u32 - 1
                    })
                })
                .collect();
            let instants = observed.instants(moment_of(table));
            for (fact, person) in self.persons_of(table, observed).into_iter().enumerate() {
                let (Some(code), instant) = (codes.get(coded.codes[fact] as usize), instants[fact]) else { continue };
                if person == NO_ID || instant == NO_INSTANT {
                    continue;
                }
                let place = person as usize;
                // Of one instant the smaller code holds, whatever came first in the files.
                first[place] = first[place].min((instant, *code));
                let customer = self.customer(person);
                let paid = customer.and_then(first_paid);
                if paid.is_none_or(|paid| instant <= paid) {
                    last[place] = last[place].max((instant, *code));
                    if paid.is_some() {
                        all.entry(person).or_default().push((instant, *code));
                    }
                }
            }
        }
        // Codes were given in the order of files; sorted by their texts they do not depend on it.
        let mut order: Vec<u32> = (0..statements.texts.len() as u32).collect();
        order.sort_by(|a, b| statements.texts[*a as usize].cmp(&statements.texts[*b as usize]));
        let mut rank = vec![0u32; order.len()];
        for (sorted, code) in order.iter().enumerate() {
            rank[*code as usize] = sorted as u32;
        }
        let ranked = |code: u32| rank.get(code as usize).copied().unwrap_or(NO_CODE);
        statements.texts.sort_unstable();
        statements.first = first.into_iter().map(|(_, code)| ranked(code)).collect();
        statements.last = last.into_iter().map(|(_, code)| ranked(code)).collect();
        statements.all = all
            .into_iter()
            .map(|(person, mut touches)| {
                touches.sort_unstable();
                (person, touches.into_iter().map(|(_, code)| ranked(code)).collect())
            })
            .collect();
        statements
    }
}

/// The sort of the ids in a column, by its place among [`SORTS`].
fn sort_index(table: &str, column: &str) -> Option<usize> {
    let sort = numbering_sort(table, column);
    SORTS.iter().position(|known| *known == sort)
}

/// The moment of a touch.
fn moment_of(table: &str) -> &'static str {
    match table {
        "visit" => "visited",
        "lead" => "reached",
        _ => "signed_up",
    }
}

/// What customers are in the dimensions of a question: as stated, and by touch in those that say what brought them.
pub fn attributed(
    books: &Books,
    people: &People,
    mut stated: BTreeMap<String, Attributes>,
    dimensions: &[String],
    attribution: Attribution,
) -> BTreeMap<String, Attributes> {
    for name in dimensions.iter().filter(|name| TOUCHED.contains(&name.as_str())) {
        let Some(statements) = people.statements(name).filter(|statements| !statements.texts.is_empty()) else {
            continue;
        };
        let by_customer = |customer: usize| -> Option<String> {
            let person = people.person("customer", customer as u32)?;
            let text = |code: u32| statements.texts.get(code as usize).cloned();
            match attribution {
                Attribution::Stated => {
                    let known = stated.get(name).and_then(|attributes| {
                        let code = attributes.of_customer.get(customer).copied().flatten()?;
                        attributes.values.get(code as usize).cloned()
                    });
                    known.or_else(|| text(statements.first[person as usize]))
                }
                Attribution::FirstTouch => text(statements.first[person as usize]),
                Attribution::LastTouch => text(statements.last[person as usize]),
                Attribution::Linear => {
                    let mut times: BTreeMap<String, u32> = BTreeMap::new();
                    for code in statements.all.get(&person)? {
                        *times.entry(text(*code)?).or_default() += 1;
                    }
                    Some(mixture(&times.into_iter().collect::<Vec<_>>()))
                }
            }
        };
        let values: Vec<Option<String>> = (0..books.customers.len()).map(by_customer).collect();
        let mut sorted: Vec<String> = values.iter().flatten().cloned().collect();
        sorted.sort_unstable();
        sorted.dedup();
        let of_customer = values
            .into_iter()
            .map(|value| value.and_then(|value| sorted.binary_search(&value).ok()).map(|code| code as u32))
            .collect();
        stated.insert(name.clone(), Attributes { values: sorted, of_customer });
    }
    stated.retain(|_, attributes| !attributes.values.is_empty());
    stated
}
