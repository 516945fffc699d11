//! What came since books were made, laid over them: the customers that later facts speak of are worked out again, by the
//! functions that work out all, and nothing else is touched. What a commit costs depends on what it brings, and not on how
//! much there is.
//!
//! An overlay says what changed and what MRR is now. Whoever asks for more needs books: they are made by
//! [`Books::advance`], and an overlay goes on over the newest ones there are.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use revenue::{
    calendar::Day,
    fact::{Offer, Recorded, Row, Status, Terms},
    ledger::Builder,
    movement::Context,
    timeline::Worth,
};

use super::{
    Books, BooksError, FactFile, JOINT, Key, View,
    advance::Obstacle,
    change::{Change, Moved, change_of},
    currencies_of, reporting_currency,
    subscriptions::{Loose, growth::Reached},
};
use crate::lake::{Lake, SnapshotId};

/// Later facts that are laid over books at a time; what brings more is an import, and worth books of its own.
const AT_A_TIME: usize = 8_192;
/// Facts of an overlay at which books should be made again, unless an eighth of the facts of the books is more: soon enough that
/// those go on from the ones before.
const MANY: usize = 4_096;
/// And never more than this: a fact on its own takes ten times the room of one in books.
const TOO_MANY: usize = 65_536;

/// What came since books were made.
pub struct Overlay {
    base: Arc<Books>,
    snapshot: SnapshotId,
    reached: Reached,
    /// The customers that later facts speak of.
    laid: HashMap<String, Laid>,
    /// How many facts those have.
    facts: usize,
    /// Items that the books do not have, each with its customer.
    owners: HashMap<String, String>,
    items: OnceLock<Items>,
    mrr_micros: i128,
}

/// A customer that later facts speak of.
struct Laid {
    /// All facts of the customer.
    facts: Vec<Loose>,
    /// The movements that come of them, in order of day.
    movements: Vec<Moved>,
}

impl Overlay {
    /// Nothing, laid over books; none over those that are of chosen files, or without subscription facts.
    #[must_use]
    pub fn over(base: Arc<Books>) -> Option<Self> {
        let snapshot = base.snapshot?;
        if base.facts.is_empty() {
            return None;
        }
        Some(Self {
            snapshot,
            reached: base.facts.reached(),
            laid: HashMap::new(),
            facts: 0,
            owners: HashMap::new(),
            items: OnceLock::new(),
            mrr_micros: base.mrr_now_micros(),
            base,
        })
    }

    /// The books that it lies over.
    #[must_use]
    pub fn base(&self) -> &Arc<Books> {
        &self.base
    }

    /// The snapshot that it has come to.
    #[must_use]
    pub fn snapshot(&self) -> SnapshotId {
        self.snapshot
    }

    /// MRR of all customers up to *now*, in micro-units, as [`Books::mrr_now_micros`] says it of books.
    #[must_use]
    pub fn mrr_now_micros(&self) -> i128 {
        self.mrr_micros
    }

    /// Whether so much lies over the books that new ones should be made.
    #[must_use]
    pub fn is_heavy(&self) -> bool {
        self.facts > (self.base.facts.len() / 8).clamp(MANY, TOO_MANY)
    }

    /// Goes on to a newer time, and says what changed, in order of customers. Where that takes books, says why, and stays as
    /// it was.
    ///
    /// # Errors
    /// When what came cannot be read.
    pub fn advance(&mut self, lake: &Lake, view: &View) -> Result<Result<Vec<Change>, Obstacle>, BooksError> {
        let until = self.base.first_day_to_come();
        if !self.base.is_seen_alike(lake, view) || self.base.first_day_of(view) != until {
            return Ok(Err(Obstacle::OtherView));
        }
        // Looked up first: what comes meanwhile is then taken for new, which it may be, and never for old.
        let snapshot = lake.snapshot(view.as_known_at)?;
        if snapshot < self.snapshot {
            return Ok(Err(Obstacle::OtherView));
        }
        let changed = lake.tables_changed(self.snapshot, view.as_known_at)?;
        if changed.iter().any(|table| table == "fx_rate") {
            return Ok(Err(Obstacle::Unvalued));
        }
        if !changed.iter().any(|table| table == "subscription") {
            self.snapshot = snapshot;
            return Ok(Ok(Vec::new()));
        }
        let files = lake.files_since("subscription", self.snapshot, view.as_known_at)?;
        let files: Vec<FactFile> = files.iter().map(FactFile::from).collect();
        let imports = lake.imports_between(self.snapshot, snapshot)?;
        let is_later = |import| imports.contains(&import);
        let (later, reached) =
            match self.reached.read_on((&files, &self.base.opened), &is_later, &self.base.ticks, AT_A_TIME)? {
                Ok(read) => read,
                Err(obstacle) => return Ok(Err(obstacle)),
            };
        let changes = self.take_in(later, until);
        if changes.is_ok() {
            (self.snapshot, self.reached) = (snapshot, reached);
        }
        Ok(changes)
    }

    /// Takes in later facts, each with its customer.
    fn take_in(&mut self, later: Vec<(String, Loose)>, until: Day) -> Result<Vec<Change>, Obstacle> {
        if !self.is_in_one_currency(&later) {
            return Err(Obstacle::OtherCurrency);
        }
        let mut of_customers: HashMap<String, Vec<Loose>> = HashMap::new();
        for (customer, fact) in later {
            of_customers.entry(customer).or_default().push(fact);
        }
        let mut owners: HashMap<String, String> = HashMap::new();
        let (mut builder, mut changes, mut laid) = (Builder::default(), Vec::new(), Vec::new());
        let mut facts_gained = 0;
        for (customer, later) in of_customers {
            let number = self.base.customer_of_id(&customer);
            let (mut facts, before) = match self.laid.get(&customer) {
                Some(laid) => (laid.facts.clone(), laid.movements.clone()),
                None => {
                    let facts = number.map(|number| self.base.facts.loose(number, &self.base.subscriptions));
                    let facts = facts.unwrap_or_default();
                    facts_gained += facts.len();
                    (facts, self.base.all_moved(number))
                }
            };
            for fact in &later {
                if number.is_some_and(|number| self.is_out_of_turn(number, fact)) {
                    return Err(Obstacle::OutOfTurn);
                }
                let own = facts.iter().any(|own| own.item == fact.item);
                if self.is_claimed(&customer, &fact.item, own)
                    || owners.get(&fact.item).is_some_and(|owner| *owner != customer)
                {
                    return Err(Obstacle::Moved);
                }
                if !own {
                    owners.insert(fact.item.clone(), customer.clone());
                }
            }
            facts_gained += later.len();
            facts.extend(later);
            let movements = self.movements(&facts, &mut builder)?;
            changes.extend(change_of(customer.clone(), (&before, until), (&movements, until)));
            laid.push((customer, Laid { facts, movements }));
        }
        self.laid.extend(laid);
        self.owners.extend(owners);
        self.facts += facts_gained;
        self.mrr_micros += changes.iter().map(|change| change.now_micros - change.before_micros).sum::<i128>();
        changes.sort_unstable_by(|one, other| one.customer.cmp(&other.customer));
        Ok(changes)
    }

    /// Whether amounts are still reported in the currency of the books.
    fn is_in_one_currency(&self, later: &[(String, Loose)]) -> bool {
        let known = currencies_of(&self.base.facts.offers);
        if later.iter().all(|(_, fact)| known.contains(&fact.offer.currency)) {
            return true;
        }
        let all = known.into_iter().chain(later.iter().map(|(_, fact)| fact.offer.currency));
        let all: std::collections::BTreeSet<_> = all.collect();
        let reporting = reporting_currency(all.into_iter().collect(), &self.base.rates, self.base.view.currency);
        reporting == Ok(self.base.reporting)
    }

    /// Whether an item that a customer's fact speaks of is, or was, another customer's. `is_own` says that the customer has
    /// facts of it.
    fn is_claimed(&self, customer: &str, item: &str, is_own: bool) -> bool {
        if let Some(owner) = self.owners.get(item) {
            return owner != customer;
        }
        let Some(key) = self.base.facts.subscription_ids.key(item) else { return false };
        if is_own {
            return self.base.facts.was_moved(key);
        }
        let items = self.items.get_or_init(|| Items::of(&self.base.subscriptions));
        items.may_have(key) && (self.base.facts.was_moved(key) || self.base.subscriptions.contains(&key))
    }

    /// Whether a fact of a customer may ask again for what books left out as superseded.
    fn is_out_of_turn(&self, customer: u32, fact: &Loose) -> bool {
        let facts = &self.base.facts;
        facts.subscription_ids.key(&fact.item).is_some_and(|item| {
            let start = (fact.row.start, fact.row.start_offset);
            let is_withdrawal = fact.terms.status == Status::Withdrawn;
            facts.was_thinned(item)
                && facts.is_out_of_turn(customer, item, &self.base.subscriptions, start, is_withdrawal)
        })
    }

    /// The movements of a customer with these facts, in order of day.
    fn movements(&self, facts: &[Loose], builder: &mut Builder) -> Result<Vec<Moved>, Obstacle> {
        // Numbers that order as those of books do: offers and items by what they say, facts as they were recorded.
        let mut offers: Vec<Offer> = facts.iter().map(|fact| fact.offer.clone()).collect();
        offers.sort_unstable();
        offers.dedup();
        let mut items: Vec<&str> = facts.iter().map(|fact| fact.item.as_str()).collect();
        items.sort_unstable();
        items.dedup();
        let mut recorded: Vec<(u32, u32)> = facts.iter().map(|fact| (fact.row.fact, fact.import)).collect();
        recorded.sort_unstable();
        let firsts = (0..).zip(&recorded).filter(|(number, (_, import))| {
            let before = u32::checked_sub(*number, 1).and_then(|before| recorded.get(before as usize));
            before.is_none_or(|(_, before)| before != import)
        });
        let imports = Recorded::new(firsts.map(|(number, _)| number).collect());
        let mut rows: Vec<Row> = Vec::with_capacity(facts.len());
        let mut terms: Vec<Terms> = Vec::with_capacity(facts.len());
        let mut worth: Vec<Worth> = Vec::with_capacity(facts.len());
        for fact in facts {
            let place = |all: usize| u32::try_from(all).unwrap_or(u32::MAX);
            let offer = place(offers.partition_point(|offer| *offer < fact.offer));
            rows.push(Row {
                customer: 0,
                subscription: place(items.partition_point(|item| *item < fact.item.as_str())),
                terms: place(terms.len()),
                fact: place(recorded.partition_point(|(number, _)| *number < fact.row.fact)),
                ..fact.row
            });
            terms.push(Terms { offer, ..fact.terms.clone() });
        }
        for terms in &terms {
            worth.push(Worth::of(terms, &self.base.view.policy).map_err(|_| Obstacle::Unvalued)?);
        }
        rows.sort_unstable_by_key(|row| (row.subscription, row.start, row.fact));
        let context = Context { offers: &offers, ..self.base.context(&terms) };
        let made = builder.work_out(0, &mut rows, &worth, &imports, &context, |_, _| {});
        let moved = made.iter().map(|movement| Moved {
            day: Day(movement.day),
            subscription: items[movement.subscription as usize].split(JOINT).next().unwrap_or_default().to_owned(),
            plan: offers[movement.offer as usize].plan.clone(),
            kind: movement.kind,
            delta_micros: movement.delta_micros,
        });
        let moved = moved.collect();
        let failed = !builder.share.errors.is_empty();
        builder.share.clear();
        if failed { Err(Obstacle::Unvalued) } else { Ok(moved) }
    }
}

/// The items of books, by and large: those that it denies are not among them.
struct Items {
    bits: Vec<u64>,
}

impl Items {
    /// Bits for each item: one in sixteen of the items that are not there is taken for one that may be.
    const BITS: usize = 16;

    fn of(items: &[Key]) -> Self {
        let mut bits = vec![0u64; (items.len() * Self::BITS).next_power_of_two().max(64) / 64];
        for item in items {
            let (word, bit) = Self::place(bits.len(), *item);
            bits[word] |= bit;
        }
        Self { bits }
    }

    fn place(words: usize, item: Key) -> (usize, u64) {
        let mixed = item.mixed();
        ((mixed >> 7) as usize & (words - 1), 1 << (mixed & 63))
    }

    fn may_have(&self, item: Key) -> bool {
        let (word, bit) = Self::place(self.bits.len(), item);
        self.bits[word] & bit != 0
    }
}
