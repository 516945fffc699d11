//! Who is who: visitors who became users, users and leads who became customers, from the ids that facts state; and what
//! first and last brought each of them.
//!
//! A fact that states two ids links them, and [`outlook::identity`] joins the links. Here everyone who belongs to one
//! customer is one party; who belongs to none is a party alone. What is stated by a file of customers comes before what
//! happened first.

use std::{collections::BTreeMap, sync::Arc};

use outlook::identity::{Conflict, Identities, Link, Sort};

use super::share::mixture;
use crate::{
    books::{Attributes, Books},
    observed::{NO_CODE, NO_ID, NO_INSTANT, Observed, ObservedError, Wanted, numbering_sort, value_of_column},
};

/// The sorts of ids that are linked.
const SORTS: &[(&str, Sort)] =
    &[("customer", Sort::Customer), ("user", Sort::User), ("lead", Sort::Lead), ("visitor", Sort::Visitor)];

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
    /// Where the ids of each sort begin.
    offsets: Vec<usize>,
    /// For each id the one that stands for its party: the customer where there is one.
    parties: Vec<u32>,
    /// Links that contradict earlier ones and do not hold, with the reason.
    pub conflicts: Vec<(Link, Conflict)>,
    /// For each sort of id, the surest first, where they lead.
    pub joined: Vec<Joined>,
    /// What the facts of a party state, by dimension.
    statements: BTreeMap<String, Statements>,
}

/// Where the ids of a sort lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The sort.
    pub sort: &'static str,
    /// How many ids there are.
    pub ids: u64,
    /// Those that lead to a customer.
    pub to_customer: u64,
    /// Those that lead to no customer, but belong together with other ids.
    pub linked: u64,
    /// Those that no fact links with any other.
    pub alone: u64,
    /// Links between an id of this sort and a surer one that contradict earlier links.
    pub contradictions: u64,
}

/// What is known of each party in one dimension: codes by root.
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
                // Visits seldom link ids, and are many: of them the time is read only where it says what came first.
                if *table != "visit" || !dimensions.is_empty() {
                    wanted.instants.extend(moment_of(table).map(str::to_owned));
                }
                if TOUCHING.contains(table) && !dimensions.is_empty() {
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
        for (table, mut wanted) in People::wants(with_visits, dimensions) {
            if !books.has_facts(table)? {
                continue;
            }
            let mut observed = books.shelf.get(books, table, wanted.clone())?;
            // Visits that state who it was link ids as others do, and of links that contradict each other the earliest
            // holds. So their time matters, whatever is asked.
            if wanted.instants.is_empty() && observed.ids("user").iter().any(|user| *user != NO_ID) {
                wanted.instants.extend(moment_of(table).map(str::to_owned));
                observed = books.shelf.get(books, table, wanted)?;
            }
            tables.push((table, observed));
        }
        let numberings = books.shelf.numberings(books);
        let mut offsets = vec![0usize];
        for (sort, _) in SORTS {
            let end = offsets.last().copied().unwrap_or_default() + numberings.of(books, sort).end();
            offsets.push(end);
        }
        let mut people = People { offsets, ..People::default() };
        let mut links = Vec::new();
        for (table, observed) in &tables {
            links.extend(people.links_of(table, observed).map(|(_, link, _)| link));
        }
        let ids = people.offsets.windows(2).zip(SORTS);
        let sorts: Vec<Sort> =
            ids.flat_map(|(range, (_, sort))| std::iter::repeat_n(*sort, range[1] - range[0])).collect();
        let identities = Identities::resolve(&sorts, links);
        people.parties = (0..sorts.len() as u32)
            .map(|id| identities.customer_of(id).or_else(|| identities.person_of(id)).unwrap_or(id))
            .collect();
        people.joined = people.joined_of(&identities);
        people.conflicts = identities.conflicts;
        for dimension in dimensions {
            let statements = people.gather(&tables, dimension, first_paid);
            people.statements.insert(dimension.clone(), statements);
        }
        Ok(people)
    }

    /// The links that the facts of a kind state, with the number of the fact and the columns that are linked: the surest id
    /// of a fact is linked to each of the others.
    pub(super) fn links_of<'o>(
        &'o self,
        table: &'static str,
        observed: &'o Observed,
    ) -> impl Iterator<Item = (usize, Link, (&'static str, &'static str))> + 'o {
        let instants = moment_of(table).map(|moment| observed.instants(moment));
        let columns = self.columns(table, observed);
        (0..observed.len()).flat_map(move |fact| {
            let at = instants.and_then(|instants| instants.get(fact)).copied().unwrap_or(NO_INSTANT);
            // A kind has as many columns at the most as there are ways to say whom a fact is about.
            let mut stated = [None; WAYS.len()];
            for (place, (column, sort, ids)) in stated.iter_mut().zip(&columns) {
                *place = self.number(*sort, ids[fact]).map(|id| (*column, id));
            }
            let mut stated = stated.into_iter().flatten();
            let surest = stated.next();
            stated.filter_map(move |(column, other)| {
                let (surer, one) = surest?;
                // As the resolution orders them, so that a link can be found again among those that it refused.
                let link = Link { at, one: one.min(other), other: one.max(other) };
                Some((fact, link, (surer, column)))
            })
        })
    }

    /// Counts where the ids of each sort lead.
    fn joined_of(&self, identities: &Identities) -> Vec<Joined> {
        let sort_of = |id: u32| self.offsets.partition_point(|offset| *offset <= id as usize).saturating_sub(1);
        let mut members: Vec<u32> = vec![0; self.parties.len()];
        for id in 0..self.parties.len() as u32 {
            if let Some(person) = identities.person_of(id).and_then(|person| members.get_mut(person as usize)) {
                *person += 1;
            }
        }
        let mut joined: Vec<Joined> = SORTS
            .iter()
            .map(|(sort, _)| Joined { sort, ids: 0, to_customer: 0, linked: 0, alone: 0, contradictions: 0 })
            .collect();
        for id in 0..self.parties.len() as u32 {
            let of_person = identities.person_of(id).and_then(|person| members.get(person as usize)).copied();
            let sort = &mut joined[sort_of(id)];
            sort.ids += 1;
            match (identities.customer_of(id), of_person) {
                (Some(_), _) => sort.to_customer += 1,
                (None, Some(2..)) => sort.linked += 1,
                _ => sort.alone += 1,
            }
        }
        for (link, _) in &identities.conflicts {
            // Sorts are numbered from the surest one on, and so are their ids.
            joined[sort_of(link.one.max(link.other))].contradictions += 1;
        }
        joined
    }

    /// Adds the columns of a kind that say whom a fact is about.
    pub fn want(table: &str, wanted: &mut Wanted) {
        let there = WAYS.iter().filter(|column| value_of_column(table, column).is_some());
        wanted.ids.extend(there.map(|column| (*column).to_owned()));
    }

    /// The number of an id among the ids of all sorts; nothing for one that no linking fact states.
    fn number(&self, sort: usize, id: u32) -> Option<u32> {
        if id == NO_ID {
            return None;
        }
        let number = self.offsets.get(sort)? + id as usize;
        (number < *self.offsets.get(sort + 1)?).then_some(number as u32)
    }

    /// The columns of a kind that say whom a fact is about, the surest first, with the sorts of their ids.
    fn columns<'o>(&self, table: &str, observed: &'o Observed) -> Vec<(&'static str, usize, &'o [u32])> {
        WAYS.iter()
            .map(|column| (*column, observed.ids(column)))
            .filter(|(_, ids)| !ids.is_empty())
            .filter_map(|(column, ids)| Some((column, sort_index(&numbering_sort(table, column))?, ids)))
            .collect()
    }

    /// The party of an id; nothing for one that no linking fact states.
    #[must_use]
    pub fn party(&self, sort: &str, id: u32) -> Option<u32> {
        self.parties.get(self.number(sort_index(sort)?, id)? as usize).copied()
    }

    /// The customer of a party.
    #[must_use]
    pub fn customer(&self, party: u32) -> Option<u32> {
        // Customers are numbered first, and stand for their parties.
        self.offsets.get(1).is_some_and(|customers| (party as usize) < *customers).then_some(party)
    }

    /// Parties are numbered below this.
    #[must_use]
    pub fn end(&self) -> usize {
        self.parties.len()
    }

    /// The party that each fact is about, by the surest id that it states; [`NO_ID`] where nobody knows.
    #[must_use]
    pub fn parties_of(&self, table: &str, observed: &Observed) -> Vec<u32> {
        let columns = self.columns(table, observed);
        (0..observed.len())
            .map(|fact| {
                let mut ids = columns.iter().filter_map(|(_, sort, ids)| self.number(*sort, ids[fact]));
                ids.next().map_or(NO_ID, |id| self.parties[id as usize])
            })
            .collect()
    }

    /// The customer of each fact, stated or by its user, lead or visitor; [`NO_ID`] where nobody knows.
    #[must_use]
    pub fn customers_of(&self, table: &str, observed: &Observed) -> Vec<u32> {
        let stated = observed.ids("customer");
        let parties = self.parties_of(table, observed);
        parties
            .into_iter()
            .enumerate()
            .map(|(fact, party)| match stated.get(fact).copied().unwrap_or(NO_ID) {
                NO_ID => self.customer(party).unwrap_or(NO_ID),
                customer => customer,
            })
            .collect()
    }

    /// What the facts of each party state in a dimension.
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
        let nodes = self.parties.len();
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
            let Some(instants) = moment_of(table).map(|moment| observed.instants(moment)) else { continue };
            for (fact, party) in self.parties_of(table, observed).into_iter().enumerate() {
                let (Some(code), instant) = (codes.get(coded.codes[fact] as usize), instants[fact]) else { continue };
                if party == NO_ID || instant == NO_INSTANT {
                    continue;
                }
                let place = party as usize;
                // Of one instant the smaller code holds, whatever came first in the files.
                first[place] = first[place].min((instant, *code));
                let customer = self.customer(party);
                let paid = customer.and_then(first_paid);
                if paid.is_none_or(|paid| instant <= paid) {
                    last[place] = last[place].max((instant, *code));
                    if paid.is_some() {
                        all.entry(party).or_default().push((instant, *code));
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
            .map(|(party, mut touches)| {
                touches.sort_unstable();
                (party, touches.into_iter().map(|(_, code)| ranked(code)).collect())
            })
            .collect();
        statements
    }
}

/// The columns of a kind that say whom a fact is about, the surest first: how sure each is, its sort, and its name.
pub(super) fn id_columns(table: &str) -> impl Iterator<Item = (usize, &'static str, &'static str)> + '_ {
    let stated = WAYS.iter().filter(move |column| value_of_column(table, column).is_some());
    stated.filter_map(move |column| {
        let rank = sort_index(&numbering_sort(table, column))?;
        Some((rank, SORTS[rank].0, *column))
    })
}

/// The place of a sort among [`SORTS`].
fn sort_index(sort: &str) -> Option<usize> {
    SORTS.iter().position(|(known, _)| *known == sort)
}

/// When a fact says that its ids belong together; a file of customers says so without a time.
pub(super) fn moment_of(table: &str) -> Option<&'static str> {
    match table {
        "visit" => Some("visited"),
        "lead" => Some("reached"),
        "signup" => Some("signed_up"),
        "trial" => Some("start"),
        _ => None,
    }
}

/// What customers are in the dimensions of a question: as stated, and by touch in those that say what brought them.
pub fn attributed(
    books: &Books,
    people: &People,
    mut stated: BTreeMap<String, Arc<Attributes>>,
    dimensions: &[String],
    attribution: Attribution,
) -> BTreeMap<String, Arc<Attributes>> {
    for name in dimensions.iter().filter(|name| TOUCHED.contains(&name.as_str())) {
        let Some(statements) = people.statements(name).filter(|statements| !statements.texts.is_empty()) else {
            continue;
        };
        let by_customer = |customer: usize| -> Option<String> {
            let party = people.party("customer", customer as u32)?;
            let text = |code: u32| statements.texts.get(code as usize).cloned();
            match attribution {
                Attribution::Stated => {
                    let known = stated.get(name).and_then(|attributes| {
                        let code = attributes.of_customer.get(customer).copied().flatten()?;
                        attributes.values.get(code as usize).cloned()
                    });
                    known.or_else(|| text(statements.first[party as usize]))
                }
                Attribution::FirstTouch => text(statements.first[party as usize]),
                Attribution::LastTouch => text(statements.last[party as usize]),
                Attribution::Linear => {
                    let mut times: BTreeMap<String, u32> = BTreeMap::new();
                    for code in statements.all.get(&party)? {
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
        stated.insert(name.clone(), Arc::new(Attributes { values: sorted, of_customer }));
    }
    stated.retain(|_, attributes| !attributes.values.is_empty());
    stated
}
