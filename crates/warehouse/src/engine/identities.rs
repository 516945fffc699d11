//! Who could be joined with whom, and which statements contradict each other: what attribution and funnels rest on.

use std::collections::BTreeMap;

use outlook::identity::{Conflict, Link};

use super::{
    EngineError, journey,
    people::{Joined, People, moment_of},
};
use crate::{books::Books, observed::NO_INSTANT};

/// The ids of the facts, and what does not fit together.
#[derive(Debug)]
pub struct Report {
    /// For each sort of id how many there are, and where they lead.
    pub sorts: Vec<Joined>,
    /// The links that contradict others, in order of time. Of each the facts that state it.
    pub contradictions: Vec<Contradiction>,
}

/// A link that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// When it was stated, in microseconds; `None` where nobody says when.
    pub at: Option<i64>,
    /// The sort and id of the surer of the two: customers before users before leads before visitors.
    pub one: (&'static str, String),
    /// The sort and id of the other.
    pub other: (&'static str, String),
    /// Why it does not hold.
    pub why: Conflict,
    /// The kind of fact that states it, the import and the row.
    pub fact: (&'static str, i64, i64),
}

impl Contradiction {
    /// The reason in words.
    #[must_use]
    pub fn words(&self) -> &'static str {
        match self.why {
            Conflict::TwoUsers => "it would make two users one person",
            Conflict::TwoCustomers => "the person belongs to another customer already",
            Conflict::BetweenCustomers => "it joins two customers",
            Conflict::UnknownId => "it names an id that no fact states",
        }
    }
}

/// Joins the ids of all facts and tells what came of it; with `facts`, also which facts contradict each other.
///
/// # Errors
/// When facts cannot be read.
pub fn report(books: &Books, facts: bool) -> Result<Report, EngineError> {
    let asked = (true, Vec::new(), super::people::Attribution::default());
    let people = books.cubes.people.find_or_make(asked, || {
        Ok(People::load(books, true, &[], &|customer| journey::first_paid(books, customer))?)
    })?;
    let contradictions = match facts && !people.conflicts.is_empty() {
        true => contradictions(books, &people)?,
        false => Vec::new(),
    };
    Ok(Report { sorts: people.joined.clone(), contradictions })
}

/// The facts that state the links which do not hold.
fn contradictions(books: &Books, people: &People) -> Result<Vec<Contradiction>, EngineError> {
    let refused: BTreeMap<Link, Conflict> = people.conflicts.iter().copied().collect();
    let mut found = Vec::new();
    for (table, mut wanted) in People::wants(true, &[]) {
        if !books.has_facts(table)? {
            continue;
        }
        // What the links were made of once more, this time with the ids as they stand and where they come from.
        wanted.texts.extend(wanted.ids.iter().cloned().collect::<Vec<_>>());
        wanted.instants.extend(moment_of(table).map(str::to_owned));
        wanted.origins = true;
        let observed = books.shelf.get(books, table, wanted)?;
        for (fact, link, (one, other)) in people.links_of(table, &observed) {
            let Some(why) = refused.get(&link) else { continue };
            let text = |column: &str| observed.texts(column).and_then(|coded| coded.of(fact)).unwrap_or_default();
            let sort = |column: &'static str| if column == "signup" { "user" } else { column };
            let (import, row) = observed.origins().get(fact).copied().unwrap_or_default();
            found.push((
                link.at,
                Contradiction {
                    at: (link.at != NO_INSTANT).then_some(link.at),
                    one: (sort(one), text(one).to_owned()),
                    other: (sort(other), text(other).to_owned()),
                    why: *why,
                    fact: (table, import, row),
                },
            ));
        }
    }
    found.sort_by(|(one_at, one), (other_at, other)| {
        (one_at, &one.one, &one.other, one.fact).cmp(&(other_at, &other.one, &other.other, other.fact))
    });
    Ok(found.into_iter().map(|(_, contradiction)| contradiction).collect())
}
