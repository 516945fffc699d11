//! Who is who: visitors who became users, users and leads who became customers, from the ids that facts state.

use crate::{
    books::Books,
    observed::{NO_ID, Numberings, Observed, ObservedError, Wanted, value_of_column},
};

/// Columns that may name whom a fact is about, the surest first, and how to go on to a customer.
const WAYS: &[&str] = &["customer", "user", "signup", "lead", "visitor"];

/// The links between ids of different sorts.
#[derive(Default)]
pub struct People {
    customer_of_user: Vec<u32>,
    customer_of_visitor: Vec<u32>,
    customer_of_lead: Vec<u32>,
}

impl People {
    /// Reads the links from sign-ups and leads. Of two links of one id the earliest statement holds.
    ///
    /// # Errors
    /// When the facts cannot be read.
    pub fn load(books: &Books, numberings: &Numberings) -> Result<People, ObservedError> {
        let mut people = People::default();
        for table in ["signup", "lead"] {
            if !books.has_facts(table)? {
                continue;
            }
            let mut wanted = Wanted::default();
            People::want(table, &mut wanted);
            let observed = Observed::load(books, numberings, table, &wanted)?;
            let customers = observed.ids("customer");
            for column in ["signup", "user", "visitor", "lead"] {
                let links = match column {
                    "visitor" => &mut people.customer_of_visitor,
                    "lead" => &mut people.customer_of_lead,
                    _ => &mut people.customer_of_user,
                };
                for (id, customer) in observed.ids(column).iter().zip(customers) {
                    link(links, *id, *customer);
                }
            }
        }
        Ok(people)
    }

    /// Adds the columns of a kind that say whom a fact is about.
    pub fn want(table: &str, wanted: &mut Wanted) {
        let there = WAYS.iter().filter(|column| value_of_column(table, column).is_some());
        wanted.ids.extend(there.map(|column| (*column).to_owned()));
    }

    /// The customer of each fact, stated or by its user, lead or visitor; [`NO_ID`] where nobody knows.
    #[must_use]
    pub fn customers_of(&self, _table: &str, observed: &Observed) -> Vec<u32> {
        let ways: Vec<(&[u32], Option<&Vec<u32>>)> = WAYS
            .iter()
            .map(|column| {
                let links = match *column {
                    "customer" => None,
                    "visitor" => Some(&self.customer_of_visitor),
                    "lead" => Some(&self.customer_of_lead),
                    _ => Some(&self.customer_of_user),
                };
                (observed.ids(column), links)
            })
            .filter(|(ids, _)| !ids.is_empty())
            .collect();
        (0..observed.len())
            .map(|fact| {
                let found = ways.iter().find_map(|(ids, links)| {
                    let id = ids.get(fact).copied().filter(|id| *id != NO_ID)?;
                    match links {
                        None => Some(id),
                        Some(links) => links.get(id as usize).copied().filter(|customer| *customer != NO_ID),
                    }
                });
                found.unwrap_or(NO_ID)
            })
            .collect()
    }
}

fn link(links: &mut Vec<u32>, id: u32, customer: u32) {
    if id == NO_ID || customer == NO_ID {
        return;
    }
    let place = id as usize;
    if links.len() <= place {
        links.resize(place + 1, NO_ID);
    }
    if links[place] == NO_ID {
        links[place] = customer;
    }
}
