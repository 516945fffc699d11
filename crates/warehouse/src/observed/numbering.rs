//! Ids as numbers: the same id has the same number in every kind of fact.

use std::{
    collections::BTreeMap,
    hash::BuildHasher,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use hashbrown::{DefaultHashBuilder, HashMap};

use crate::books::Books;

/// The number of an id that a fact does not state.
pub const NO_ID: u32 = u32::MAX;

/// Locks that ids are shared out over, so that threads seldom wait for one another.
const SHARDS: usize = 64;

/// Ids of one sort (visitors, users, customers) and their numbers.
///
/// An id is known by 128 bits of two independent hashes: among a thousand million ids the chance that any two are taken
/// for one is below 10⁻²⁰, and the texts need not be kept.
#[derive(Debug)]
pub struct Numbering {
    hashers: (DefaultHashBuilder, DefaultHashBuilder),
    shards: Vec<Mutex<HashMap<u128, u32>>>,
    next: AtomicU32,
}

impl Numbering {
    fn new(first: u32) -> Self {
        Numbering {
            hashers: (DefaultHashBuilder::default(), DefaultHashBuilder::default()),
            shards: (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect(),
            next: AtomicU32::new(first),
        }
    }

    fn key(&self, id: &str) -> u128 {
        u128::from(self.hashers.0.hash_one(id)) << 64 | u128::from(self.hashers.1.hash_one(id))
    }

    fn shard(&self, key: u128) -> MutexGuard<'_, HashMap<u128, u32>> {
        let place = (key >> 120) as usize % SHARDS;
        // A panic elsewhere leaves a map with fewer ids, never a wrong one.
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of an id; a new one asks `known` first, and is numbered on when that knows none.
    pub fn number(&self, id: &str, known: impl FnOnce(&str) -> Option<u32>) -> u32 {
        let key = self.key(id);
        let mut shard = self.shard(key);
        *shard.entry(key).or_insert_with(|| known(id).unwrap_or_else(|| self.next.fetch_add(1, Ordering::Relaxed)))
    }

    /// The number of an id that some fact stated.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<u32> {
        let key = self.key(id);
        self.shard(key).get(&key).copied()
    }

    /// One more than the largest number.
    #[must_use]
    pub fn end(&self) -> usize {
        self.next.load(Ordering::Relaxed) as usize
    }
}

/// The numberings of all sorts of ids. Customers of the ledger keep the numbers that they have there.
#[derive(Debug)]
pub struct Numberings {
    sorts: Mutex<BTreeMap<String, std::sync::Arc<Numbering>>>,
    customers: u32,
}

impl Numberings {
    /// Numberings for some books.
    #[must_use]
    pub fn new(books: &Books) -> Self {
        Numberings { sorts: Mutex::new(BTreeMap::new()), customers: books.customers.len() as u32 }
    }

    /// The numbering of a sort of ids.
    #[must_use]
    pub fn of(&self, sort: &str) -> std::sync::Arc<Numbering> {
        let mut sorts = self.sorts.lock().unwrap_or_else(PoisonError::into_inner);
        let first = if sort == CUSTOMER { self.customers } else { 0 };
        std::sync::Arc::clone(
            sorts.entry(sort.to_owned()).or_insert_with(|| std::sync::Arc::new(Numbering::new(first))),
        )
    }
}

/// The sort of customers.
pub const CUSTOMER: &str = "customer";

/// Columns whose ids are of a sort that their name does not tell.
const SORTS: &[(&str, &str, &str)] = &[
    ("signup", "signup", "user"),
    ("referral", "referrer", CUSTOMER),
    ("referral", "referred", CUSTOMER),
    ("subscription", "subscription", "subscription"),
];

/// The sort of the ids in a column: those of one sort can be compared between kinds of fact.
#[must_use]
pub fn sort_of(table: &str, column: &str) -> String {
    let special = SORTS.iter().find(|(of, name, _)| *of == table && *name == column);
    special.map_or_else(|| column.to_owned(), |(_, _, sort)| (*sort).to_owned())
}
