//! Ids as numbers: the same id has the same number in every kind of fact.

use std::{
    collections::BTreeMap,
    hash::BuildHasher,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::books::{Books, Texts};

/// The number of an id that a fact does not state.
pub const NO_ID: u32 = u32::MAX;

/// Tables that ids are shared out over: each small enough to stay near the processor while a part's ids are looked up
/// in it, and locked by itself.
const SHARDS: usize = 256;

/// An id as 96 bits of two independent hashes: among a thousand million ids the chance that any two are taken for one is
/// below 10⁻¹¹, and the texts need not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    hash: u64,
    check: u32,
}

/// Ids of one sort (visitors, users, customers) and their numbers.
#[derive(Debug)]
pub struct Numbering {
    shards: Vec<Mutex<HashTable<(Mark, u32)>>>,
    next: AtomicU32,
}

/// What hashes ids: chosen anew in each process, so that no file can be made to collide.
fn hashers() -> &'static (DefaultHashBuilder, DefaultHashBuilder) {
    static HASHERS: OnceLock<(DefaultHashBuilder, DefaultHashBuilder)> = OnceLock::new();
    HASHERS.get_or_init(|| (DefaultHashBuilder::default(), DefaultHashBuilder::default()))
}

impl Mark {
    fn of(id: &str) -> Mark {
        let (one, other) = hashers();
        Mark { hash: one.hash_one(id), check: other.hash_one(id) as u32 }
    }

    fn shard(self) -> usize {
        // The table itself goes by the lowest and the highest bits.
        (self.hash >> 40) as usize % SHARDS
    }
}

/// The ids of many facts, to be numbered together.
#[derive(Debug, Default)]
pub struct Marks {
    marks: Vec<Mark>,
    stated: Vec<bool>,
}

impl Marks {
    /// Appends the ids of some rows.
    pub fn extend(&mut self, texts: &Texts<'_>, rows: usize) {
        for row in 0..rows {
            let id = texts.get(row);
            self.stated.push(id.is_some());
            self.marks.push(id.map_or(Mark { hash: 0, check: 0 }, Mark::of));
        }
    }
}

impl Numbering {
    fn new() -> Self {
        Numbering { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), next: AtomicU32::new(0) }
    }

    fn number_of(&self, shard: &mut HashTable<(Mark, u32)>, mark: Mark) -> u32 {
        let found = shard.entry(mark.hash, |(other, _)| *other == mark, |(other, _)| other.hash);
        found.or_insert_with(|| (mark, self.next.fetch_add(1, Ordering::Relaxed))).get().1
    }

    /// Writes the number of each id; [`NO_ID`] where none is stated.
    pub fn number(&self, marks: &Marks, numbers: &mut [u32]) {
        // By shard: how many ids, then where each shard's begin.
        let mut ends = [0u32; SHARDS];
        for (mark, _) in marks.marks.iter().zip(&marks.stated).filter(|(_, stated)| **stated) {
            ends[mark.shard()] += 1;
        }
        let mut so_far = 0;
        for end in &mut ends {
            let count = *end;
            *end = so_far;
            so_far += count;
        }
        let mut order = vec![0u32; so_far as usize];
        for (row, mark) in marks.marks.iter().enumerate() {
            if marks.stated[row] {
                let end = &mut ends[mark.shard()];
                order[*end as usize] = row as u32;
                *end += 1;
            } else if let Some(number) = numbers.get_mut(row) {
                *number = NO_ID;
            }
        }
        let mut start = 0;
        for (shard, end) in self.shards.iter().zip(ends) {
            if start == end {
                continue;
            }
            // A panic elsewhere leaves a table with fewer ids, never a wrong one.
            let mut table = shard.lock().unwrap_or_else(PoisonError::into_inner);
            for row in &order[start as usize..end as usize] {
                numbers[*row as usize] = self.number_of(&mut table, marks.marks[*row as usize]);
            }
            start = end;
        }
    }

    /// The number of an id that some fact stated.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<u32> {
        let mark = Mark::of(id);
        let shard = self.shards[mark.shard()].lock().unwrap_or_else(PoisonError::into_inner);
        shard.find(mark.hash, |(other, _)| *other == mark).map(|(_, number)| *number)
    }

    /// The same with the customers `added` in the ledger of some books, which begin with its customers; and what numbers
    /// became.
    fn with_customers(&self, books: &Books, added: &[u32]) -> (Numbering, Renumbered) {
        // Whoever numbers ids meanwhile gets numbers beyond, which nobody has used yet that is renumbered.
        let end = self.end();
        let (count, gained) = (books.customers.len(), added.len());
        let mut numbers = Vec::with_capacity(end.max(count));
        let mut came = added.iter().peekable();
        for customer in 0..count as u32 {
            if came.next_if(|came| **came == customer).is_none() {
                numbers.push(customer);
            }
        }
        let known = numbers.len();
        numbers.extend((known..end).map(|number| (number + gained) as u32));
        let new: HashMap<u64, (Mark, u32)> = added
            .iter()
            .map(|customer| {
                let mark = Mark::of(&books.customer_id(*customer));
                (mark.hash, (mark, *customer))
            })
            .collect();
        let numbering = Numbering::new();
        numbering.next.store((end.max(known) + gained) as u32, Ordering::Relaxed);
        for (shard, into) in self.shards.iter().zip(&numbering.shards) {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let mut into = into.lock().unwrap_or_else(PoisonError::into_inner);
            into.reserve(shard.len(), |(mark, _)| mark.hash);
            for (mark, number) in shard.iter().filter(|(_, number)| (*number as usize) < end) {
                // Somebody who was known already has come into the ledger.
                let come = new.get(&mark.hash).filter(|(other, _)| other == mark).map(|(_, customer)| *customer);
                if let (Some(customer), true) = (come, *number as usize >= known) {
                    numbers[*number as usize] = customer;
                }
                into.insert_unique(mark.hash, (*mark, numbers[*number as usize]), |(mark, _)| mark.hash);
            }
        }
        for (mark, customer) in new.values() {
            let mut shard = numbering.shards[mark.shard()].lock().unwrap_or_else(PoisonError::into_inner);
            let found = shard.entry(mark.hash, |(other, _)| other == mark, |(other, _)| other.hash);
            found.or_insert((*mark, *customer));
        }
        (numbering, Renumbered { numbers })
    }

    /// One more than the largest number.
    #[must_use]
    pub fn end(&self) -> usize {
        self.next.load(Ordering::Relaxed) as usize
    }
}

/// What became of numbers when customers came into the ledger.
#[derive(Debug)]
pub struct Renumbered {
    numbers: Vec<u32>,
}

impl Renumbered {
    /// What a number became.
    #[must_use]
    pub fn of(&self, number: u32) -> u32 {
        self.numbers.get(number as usize).copied().unwrap_or(number)
    }

    /// What numbers became that became others in turn.
    #[must_use]
    pub fn then(&self, next: &Renumbered) -> Renumbered {
        Renumbered { numbers: self.numbers.iter().map(|number| next.of(*number)).collect() }
    }
}

/// The numberings of all sorts of ids. Customers of the ledger keep the numbers that they have there.
#[derive(Debug, Default)]
pub struct Numberings {
    sorts: Mutex<BTreeMap<String, Arc<Numbering>>>,
}

impl Numberings {
    /// The same for books whose ledger has the customers `added`, and what numbers of customers became; nothing where none
    /// were given.
    #[must_use]
    pub fn with_customers(&self, books: &Books, added: &[u32]) -> (Numberings, Option<Arc<Renumbered>>) {
        let mut sorts = self.sorts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut renumbered = None;
        if let Some(customers) = sorts.get_mut(CUSTOMER) {
            let (numbering, numbers) = customers.with_customers(books, added);
            *customers = Arc::new(numbering);
            renumbered = Some(Arc::new(numbers));
        }
        (Numberings { sorts: Mutex::new(sorts) }, renumbered)
    }

    /// The numbering of a sort of ids.
    #[must_use]
    pub fn of(&self, books: &Books, sort: &str) -> Arc<Numbering> {
        let mut sorts = self.sorts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = sorts.get(sort) {
            return Arc::clone(known);
        }
        let numbering = Numbering::new();
        if sort == CUSTOMER {
            for customer in 0..books.customers.len() as u32 {
                let mark = Mark::of(&books.customer_id(customer));
                let mut shard = numbering.shards[mark.shard()].lock().unwrap_or_else(PoisonError::into_inner);
                numbering.number_of(&mut shard, mark);
            }
        }
        let numbering = Arc::new(numbering);
        sorts.insert(sort.to_owned(), Arc::clone(&numbering));
        numbering
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
