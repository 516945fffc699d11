//! Who is who: visitors, leads and users who are one person, and the customer that a person belongs to.
//!
//! Facts state links: this visitor signed up as that user, this lead became that customer. They come in any order, and
//! some contradict others: two people share a computer, one person works for two customers. The link that happened
//! first holds, so the answer does not depend on the order of arrival; the links that it rules out are listed.
//!
//! Ids are numbers that the caller gave, so that five million of them take some bytes each.

/// What an id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// A browser, before it is known who uses it.
    Visitor,
    /// Someone whom sales follow.
    Lead,
    /// Someone who signed up.
    User,
    /// Who pays, or may.
    Customer,
}

impl Sort {
    /// Every sort, in the order of the counts of [`Identities::unjoined`].
    pub const ALL: [Sort; 4] = [Sort::Visitor, Sort::Lead, Sort::User, Sort::Customer];
}

/// Two ids that a fact states together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// When, as an instant or a day: earlier is smaller.
    pub at: i64,
    /// One id.
    pub one: u32,
    /// The other id.
    pub other: u32,
}

/// Why a link does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Conflict {
    /// It would make two users one person, by way of a visitor or a lead that they share.
    TwoUsers,
    /// It would give a person, or the two persons that it joins, a second customer.
    TwoCustomers,
    /// It joins two customers, which stay what they are.
    BetweenCustomers,
    /// It names an id that there is not.
    UnknownId,
}

/// Who is who.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identities {
    person: Vec<u32>,
    customer: Vec<u32>,
    /// The links that do not hold, in order of time, with the reason.
    pub conflicts: Vec<(Link, Conflict)>,
    /// How many ids of each of [`Sort::ALL`] lead to no customer.
    pub unjoined: [u64; 4],
}

/// No id.
const NOBODY: u32 = u32::MAX;

impl Identities {
    /// Joins ids by links. `sorts` says for each id, by its number, what it stands for.
    ///
    /// - A link between visitors, leads and users makes them one person. A person has one user, unless two users are
    ///   linked directly, which says that they are the same.
    /// - A link to a customer says that the person belongs to it. A person belongs to one customer; a customer has many
    ///   persons.
    /// - Of links that contradict each other the earliest holds; at the same time, the one with the smaller numbers.
    #[must_use]
    pub fn resolve(sorts: &[Sort], mut links: Vec<Link>) -> Self {
        for link in &mut links {
            (link.one, link.other) = (link.one.min(link.other), link.one.max(link.other));
        }
        links.sort_unstable();
        links.dedup();
        let sort_of = |id: u32| sorts.get(id as usize).copied();
        let own = |id: usize, sort: Sort| if sorts.get(id) == Some(&sort) { id as u32 } else { NOBODY };
        let mut join = Join {
            parent: (0..sorts.len() as u32).collect(),
            user: (0..sorts.len()).map(|id| own(id, Sort::User)).collect(),
            customer: (0..sorts.len()).map(|id| own(id, Sort::Customer)).collect(),
        };
        let mut conflicts = Vec::new();
        for link in links {
            let (Some(one), Some(other)) = (sort_of(link.one), sort_of(link.other)) else {
                conflicts.push((link, Conflict::UnknownId));
                continue;
            };
            let found = match (one, other) {
                (Sort::Customer, Sort::Customer) if link.one == link.other => None,
                (Sort::Customer, Sort::Customer) => Some(Conflict::BetweenCustomers),
                (Sort::Customer, _) => join.belongs(link.other, link.one),
                (_, Sort::Customer) => join.belongs(link.one, link.other),
                (Sort::User, Sort::User) => join.same(link.one, link.other, true),
                _ => join.same(link.one, link.other, false),
            };
            conflicts.extend(found.map(|conflict| (link, conflict)));
        }
        let mut unjoined = [0u64; 4];
        let (mut person, mut customer) = (Vec::with_capacity(sorts.len()), Vec::with_capacity(sorts.len()));
        for (id, sort) in sorts.iter().enumerate() {
            let root = join.root(id as u32);
            let belongs_to = join.customer[root as usize];
            if belongs_to == NOBODY {
                unjoined[*sort as usize] += 1;
            }
            person.push(root);
            customer.push(belongs_to);
        }
        Self { person, customer, conflicts, unjoined }
    }

    /// The number of the person that an id belongs to: the smallest number of their ids.
    #[must_use]
    pub fn person_of(&self, id: u32) -> Option<u32> {
        self.person.get(id as usize).copied()
    }

    /// The customer that an id leads to.
    #[must_use]
    pub fn customer_of(&self, id: u32) -> Option<u32> {
        self.customer.get(id as usize).copied().filter(|customer| *customer != NOBODY)
    }
}

/// Sets of ids that grow together: the root of each is its smallest number, and knows its user and customer.
struct Join {
    parent: Vec<u32>,
    user: Vec<u32>,
    customer: Vec<u32>,
}

impl Join {
    fn root(&mut self, mut id: u32) -> u32 {
        while self.parent[id as usize] != id {
            // Each look shortens the way for the next one.
            let above = self.parent[self.parent[id as usize] as usize];
            self.parent[id as usize] = above;
            id = above;
        }
        id
    }

    fn belongs(&mut self, id: u32, customer: u32) -> Option<Conflict> {
        let root = self.root(id) as usize;
        let held = &mut self.customer[root];
        if *held == NOBODY {
            *held = customer;
        }
        (*held != customer).then_some(Conflict::TwoCustomers)
    }

    fn same(&mut self, one: u32, other: u32, users_are_one: bool) -> Option<Conflict> {
        let (one, other) = (self.root(one), self.root(other));
        if one == other {
            return None;
        }
        let (kept, gone) = (one.min(other) as usize, one.max(other) as usize);
        let differ = |of: &[u32]| of[kept] != NOBODY && of[gone] != NOBODY && of[kept] != of[gone];
        if differ(&self.customer) {
            return Some(Conflict::TwoCustomers);
        }
        if differ(&self.user) && !users_are_one {
            return Some(Conflict::TwoUsers);
        }
        for of in [&mut self.user, &mut self.customer] {
            of[kept] = of[kept].min(of[gone]);
        }
        self.parent[gone] = kept as u32;
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// `1 v1-u1`: at time 1 visitor 1 and user 1 are linked. Ids are numbered by their names, in the order of
    /// customers, leads, users, visitors.
    struct Told {
        numbers: BTreeMap<String, u32>,
        identities: Identities,
    }

    fn told(text: &str) -> Told {
        let rows: Vec<(i64, &str, &str)> = text
            .split(',')
            .map(|row| {
                let (at, pair) = row.trim().split_once(' ').unwrap();
                let (one, other) = pair.split_once('-').unwrap();
                (at.parse().unwrap(), one, other)
            })
            .collect();
        let mut numbers: BTreeMap<String, u32> =
            rows.iter().flat_map(|(_, one, other)| [one.to_string(), other.to_string()]).map(|id| (id, 0)).collect();
        for (number, (_, given)) in numbers.iter_mut().enumerate() {
            *given = number as u32;
        }
        let sorts: Vec<Sort> = numbers
            .keys()
            .map(|id| match &id[..1] {
                "c" => Sort::Customer,
                "l" => Sort::Lead,
                "u" => Sort::User,
                _ => Sort::Visitor,
            })
            .collect();
        let links =
            rows.iter().map(|(at, one, other)| Link { at: *at, one: numbers[*one], other: numbers[*other] }).collect();
        let identities = Identities::resolve(&sorts, links);
        Told { numbers, identities }
    }

    impl Told {
        fn customer(&self, id: &str) -> Option<&str> {
            let number = self.identities.customer_of(self.numbers[id])?;
            self.numbers.iter().find(|(_, given)| **given == number).map(|(id, _)| id.as_str())
        }

        fn together(&self, one: &str, other: &str) -> bool {
            self.identities.person_of(self.numbers[one]) == self.identities.person_of(self.numbers[other])
        }

        fn conflicts(&self) -> Vec<Conflict> {
            self.identities.conflicts.iter().map(|(_, conflict)| *conflict).collect()
        }
    }

    /// A visitor asks for a call (lead), signs up (user) and pays (customer); a colleague signs up later.
    #[test]
    fn from_a_visit_to_a_customer() {
        let told = told("1 v1-l1, 2 l1-u1, 3 u1-c1, 4 v2-u2, 5 u2-c1, 6 v3-l3");
        for id in ["v1", "l1", "u1", "v2", "u2"] {
            assert_eq!(told.customer(id), Some("c1"), "{id}");
        }
        assert!(told.together("v1", "u1") && !told.together("u1", "u2") && told.together("v3", "l3"));
        assert_eq!(told.customer("v3"), None);
        // One visitor and one lead lead nowhere.
        assert_eq!((told.identities.unjoined, told.conflicts()), ([1, 1, 0, 0], vec![]));
    }

    #[test]
    fn of_two_customers_the_earlier_holds_whatever_comes_first() {
        for text in ["1 u1-c2, 2 u1-c1, 3 v1-u1", "3 v1-u1, 2 u1-c1, 1 u1-c2"] {
            let told = told(text);
            assert_eq!((told.customer("v1"), told.conflicts()), (Some("c2"), vec![Conflict::TwoCustomers]));
        }
        // A link between two persons who belong to different customers does not join them.
        let told = told("1 u1-c1, 2 l1-c2, 3 l1-u1");
        assert!(!told.together("u1", "l1") && told.conflicts() == [Conflict::TwoCustomers]);
    }

    #[test]
    fn a_shared_computer_makes_nobody_the_same_and_a_stated_merge_does() {
        let shared = told("1 v1-u1, 2 v1-u2");
        assert!(shared.together("v1", "u1") && !shared.together("u1", "u2"));
        assert_eq!(shared.conflicts(), [Conflict::TwoUsers]);
        let merged = told("1 v1-u1, 2 u1-u2, 3 u2-c1");
        assert!(merged.together("u1", "u2"));
        assert_eq!((merged.customer("v1"), merged.conflicts()), (Some("c1"), vec![]));
        assert_eq!(told("1 c1-c2").conflicts(), [Conflict::BetweenCustomers]);
    }

    #[test]
    fn an_id_that_there_is_not_is_a_conflict() {
        let found = Identities::resolve(&[Sort::User], vec![Link { at: 1, one: 0, other: 9 }]);
        assert_eq!(found.conflicts[0].1, Conflict::UnknownId);
        assert_eq!((found.person_of(0), found.person_of(9), found.unjoined), (Some(0), None, [0, 0, 1, 0]));
    }

    #[test]
    fn a_chain_of_a_million_takes_no_time() {
        let sorts = vec![Sort::Visitor; 1_000_000];
        let links = (0..999_999).map(|id| Link { at: i64::from(id % 7), one: id, other: id + 1 }).collect();
        let found = Identities::resolve(&sorts, links);
        assert_eq!((found.person_of(999_999), found.unjoined[0]), (Some(0), 1_000_000));
    }

    proptest! {
        /// The order of arrival and repetition change nothing; nobody has two users or two customers.
        #[test]
        fn the_earliest_links_hold_in_any_order(links in vec((0i64..9, 0u32..16, 0u32..16), 0..40), seed in any::<u64>()) {
            let sorts: Vec<Sort> = (0..16).map(|id| Sort::ALL[id % 4]).collect();
            let links: Vec<Link> = links.into_iter().map(|(at, one, other)| Link { at, one, other }).collect();
            let found = Identities::resolve(&sorts, links.clone());
            let mut again: Vec<Link> = links.iter().rev().chain(&links).copied().collect();
            let turn = seed as usize % again.len().max(1);
            again.rotate_left(turn);
            prop_assert_eq!(&Identities::resolve(&sorts, again), &found);
            for id in 0..16u32 {
                let person = found.person_of(id).unwrap();
                prop_assert!(person <= id);
                prop_assert_eq!(found.customer_of(person), found.customer_of(id));
                if sorts[id as usize] == Sort::Customer {
                    prop_assert_eq!(found.customer_of(id), Some(id));
                }
            }
        }
    }
}
