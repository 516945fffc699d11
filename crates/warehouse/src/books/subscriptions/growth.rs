//! Subscription facts with those of later imports: only what came later is read, and only the customers that it speaks of
//! are put in order anew. The rest is moved over in whole pieces.

use revenue::fact::{Offer, Row, Status, Superseded, Terms, superseded};

use super::{
    Before, BooksError, Buffers, Choice, Fact, FactFile, Group, Key, Loose, NO_TIMES, Packed, Parts, RareTimes,
    Reading, Share, Shared, Source, StatedBy, SubscriptionFacts, Tick, Ticks, customers_of, parts_of,
};
use crate::books::{
    group::{Pieces, has_parts, joined},
    ids::{Ids, Keys, Shift},
    pages::Opened,
};

/// Facts that grew.
pub struct Grown {
    /// All facts.
    pub facts: SubscriptionFacts,
    /// The first later fact of each further file.
    pub file_firsts: Vec<u32>,
    /// Keys of the customers, in order.
    pub customers: Vec<Key>,
    /// Keys of the subscription items, in order of their numbers.
    pub items: Vec<Key>,
    /// The customers that later facts speak of, in order.
    pub touched: Vec<Touched>,
    /// For each offer that was known the number that it has now; none where all kept theirs.
    pub offers: Option<Vec<u32>>,
}

/// A customer that later facts speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touched {
    /// The number that the customer had; none for a new one.
    pub before: Option<u32>,
    /// How many customers stood before it, by the old numbers.
    pub customers_before: u32,
    /// The number that the customer has now.
    pub now: u32,
    /// How many items all customers before it have gained.
    pub items_gained: u32,
}

/// Why books cannot grow and have to be opened anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Obstacle {
    /// They are looked at under other choices, or as known at an earlier time.
    OtherView,
    /// There were no subscription facts yet.
    NothingBefore,
    /// The files do not hold what was read before, in its order, with other facts behind it.
    OtherFiles,
    /// So much came that reading everything is no slower.
    Much,
    /// Facts come from another source than all before, by which subscriptions have to be told apart from now on.
    AnotherSource,
    /// An id does not fit the way in which ids became keys.
    OtherIds,
    /// A subscription belongs to another customer than it did.
    Moved,
    /// A fact begins before the last state of a subscription of which states were left out, or takes one back.
    OutOfTurn,
    /// Amounts are brought to another currency.
    OtherCurrency,
    /// An amount does not fit or has no rate, which opening says in full.
    Unvalued,
}

/// A fact that came later, with whose it is.
struct Later {
    customer: Key,
    item: Key,
    fact: Fact,
    times: RareTimes,
}

/// Facts on their own, each with its customer, and where reading goes on behind them.
pub type ReadOn = (Vec<(String, Loose)>, Reached);

/// Where reading goes on: what is known of all facts before.
#[derive(Debug, Clone)]
pub struct Reached {
    before: Before,
    /// How many imports recorded them.
    imports: u32,
    stated_by: StatedBy,
}

impl SubscriptionFacts {
    /// These facts with those that imports brought since, which are in `files`. `customers` and `items` are the keys that go
    /// with them.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn grow(
        &self,
        customers: &[Key],
        items: &[Key],
        (files, sources): (&[FactFile], &Opened),
        is_later: &(dyn Fn(i64) -> bool + Sync),
        ticks: &Ticks,
    ) -> Result<Result<Grown, Obstacle>, BooksError> {
        if self.is_empty() {
            return Ok(Err(Obstacle::NothingBefore));
        }
        let Some((sources, stated_by)) = opened(files, &self.stated_by, sources)? else {
            return Ok(Err(Obstacle::AnotherSource));
        };
        let several_sources = stated_by == StatedBy::Several;
        let choice = Choice { is_known: is_later, is_wanted: None };
        let before = Before { facts: self.read, import: self.last_import };
        let parts = parts_of(files, &sources, several_sources, &choice, before)?;
        let rows: usize = parts.parts.iter().map(|part| part.count as usize).sum();
        if rows > (self.len() / 4).max(1_000) {
            return Ok(Err(Obstacle::Much));
        }
        let (customer_ids, subscription_ids) = stated_ids(&sources, &parts, several_sources)?;
        let grown = (self.customer_ids.with(&customer_ids), self.subscription_ids.with(&subscription_ids));
        let (Some((customer_ids, customer_shift)), Some((subscription_ids, item_shift))) = grown else {
            return Ok(Err(Obstacle::OtherIds));
        };
        let reading = Reading {
            ticks,
            customers: Keys::Known(customer_ids),
            subscriptions: Keys::Known(subscription_ids),
            several_sources,
            shared: std::sync::Mutex::new(Shared { wide: self.wide.clone(), ..Shared::default() }),
        };
        let Some(mut later) = read_later(&sources, &parts, &reading)? else {
            return Ok(Err(Obstacle::OtherIds));
        };
        let of_later = later.iter().filter(|later| later.times != NO_TIMES).map(|later| (later.fact.fact, later.times));
        let times = self.times.with(of_later);
        let Shared { classes, wide } = reading.shared.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (offers, terms) = classes.settle()?;
        let merged = Merged::of(&self.offers, &self.classes, &offers, &terms);
        for later in &mut later {
            later.fact.class = merged.later_classes.get(later.fact.class as usize).copied().unwrap_or_default();
        }
        later.sort_unstable_by_key(|later| (later.customer, later.item, later.fact.start, later.fact.fact));
        let customers = shifted(customers, &customer_shift);
        let items = shifted(items, &item_shift);
        let moved = shifted(&self.moved, &item_shift);
        let thinned = shifted(&self.thinned, &item_shift);
        if self.is_moved(&customers, &items, &moved, &later) {
            return Ok(Err(Obstacle::Moved));
        }
        let is_out_of_turn = |later: &Later| {
            let start = (later.fact.start, later.times.start_offset);
            let is_withdrawal = merged.classes[later.fact.class as usize].status == Status::Withdrawn;
            thinned.binary_search(&later.item).is_ok()
                && customers.binary_search(&later.customer).is_ok_and(|customer| {
                    self.is_out_of_turn(customer as u32, later.item, &items, start, is_withdrawal)
                })
        };
        if later.iter().any(is_out_of_turn) {
            return Ok(Err(Obstacle::OutOfTurn));
        }
        let facts = SubscriptionFacts {
            customer_ids: reading.customers.into_ids(),
            subscription_ids: reading.subscriptions.into_ids(),
            offers: merged.offers,
            shares: Vec::with_capacity(self.shares.len()),
            recorded: self.recorded.and(&parts.import_firsts),
            read: before.facts + later.len() as u32,
            conflicts: self.conflicts.clone(),
            times,
            classes: merged.classes,
            wide,
            stated_by,
            last_import: parts.last_import,
            moved,
            thinned,
            facts: Vec::with_capacity(self.facts.len() + later.len()),
            customer_ends: Vec::with_capacity(self.customer_ends.len() + later.len()),
            item_ends: Vec::with_capacity(self.item_ends.len() + later.len()),
        };
        let mut splice = Splice {
            old: self,
            old_customers: &customers,
            old_items: &items,
            facts,
            customers: Vec::with_capacity(customers.len() + later.len()),
            items: Vec::with_capacity(items.len() + later.len()),
            touched: Vec::new(),
            next: 0,
            next_item: 0,
            left_out: Vec::new(),
            thinned: Vec::new(),
        };
        for of_customer in later.chunk_by(|a, b| a.customer == b.customer) {
            splice.take_in(of_customer);
        }
        splice.copy_before(splice.old_customers.len());
        splice.share_out();
        let Splice { mut facts, customers, items, touched, mut left_out, thinned, .. } = splice;
        left_out.sort_unstable();
        facts.times.forget(&left_out);
        facts.thinned.extend(thinned);
        facts.thinned.sort_unstable();
        facts.thinned.dedup();
        let file_firsts = parts.file_firsts;
        Ok(Ok(Grown { facts, file_firsts, customers, items, touched, offers: merged.moved_offers }))
    }

    /// Where reading goes on behind these facts.
    #[must_use]
    pub fn reached(&self) -> Reached {
        let before = Before { facts: self.read, import: self.last_import };
        Reached { before, imports: self.recorded.imports() as u32, stated_by: self.stated_by.clone() }
    }

    /// The facts of a customer on their own, in no order, with the keys of their items as texts.
    #[must_use]
    pub fn loose(&self, customer: u32, items: &[Key]) -> Vec<Loose> {
        let end_of = |customer: u32| self.customer_ends.get(customer as usize).copied().unwrap_or_default();
        let (first, last) = (customer.checked_sub(1).map_or(0, end_of), end_of(customer));
        let mut item = self.item_ends.partition_point(|end| *end <= first);
        let mut loose = Vec::with_capacity((last - first) as usize);
        for index in first..last {
            item += usize::from(self.item_ends.get(item).is_some_and(|end| *end <= index));
            let fact = Fact::of(self.facts[index as usize]);
            let terms = self.terms(&fact);
            loose.push(Loose {
                item: self.subscription_ids.text(items[item]),
                import: self.recorded.import_of(fact.fact) as u32,
                offer: self.offers[terms.offer as usize].clone(),
                row: self.row(&fact, 0, 0, 0),
                terms,
            });
        }
        loose
    }

    /// Whether rows of a subscription item were left out, and a fact of it with such a start may ask for them again: one that
    /// begins before the last row that is left, or that takes something back. `items` are the keys that go with these facts.
    pub(in crate::books) fn is_out_of_turn(
        &self,
        customer: u32,
        item: Key,
        items: &[Key],
        start: (Tick, u32),
        is_withdrawal: bool,
    ) -> bool {
        let end_of = |customer: u32| self.customer_ends.get(customer as usize).copied().unwrap_or_default();
        let (first, last) = (customer.checked_sub(1).map_or(0, end_of), end_of(customer));
        let own =
            self.item_ends.partition_point(|end| *end <= first)..self.item_ends.partition_point(|end| *end < last) + 1;
        let Ok(place) = items.get(own.clone()).unwrap_or_default().binary_search(&item) else { return false };
        let place = own.start + place;
        let first = place.checked_sub(1).map_or(0, |before| self.item_ends[before]);
        let facts = self.facts.get(first as usize..self.item_ends[place] as usize).unwrap_or_default();
        let starts = facts.iter().map(|fact| {
            let fact = Fact::of(*fact);
            (fact.start, self.times.of(fact.fact).start_offset)
        });
        is_withdrawal || starts.max().is_some_and(|last| start < last)
    }

    /// Whether rows of a subscription item were left out.
    pub(in crate::books) fn was_thinned(&self, item: Key) -> bool {
        self.thinned.binary_search(&item).is_ok()
    }

    /// Whether the item of an id is, or was, claimed by several customers.
    pub(in crate::books) fn was_moved(&self, item: Key) -> bool {
        self.moved.binary_search(&item).is_ok()
    }

    /// Whether a later fact is of a subscription item that several customers claim, of those before or among themselves:
    /// their versions have to be weighed against each other, those that lost included.
    fn is_moved(&self, customers: &[Key], items: &[Key], moved: &[Key], later: &[Later]) -> bool {
        let mut owners: Vec<(Key, Key)> = later.iter().map(|later| (later.item, later.customer)).collect();
        owners.sort_unstable();
        owners.dedup();
        if owners.windows(2).any(|pair| pair[0].0 == pair[1].0)
            || owners.iter().any(|(item, _)| moved.binary_search(item).is_ok())
        {
            return true;
        }
        let owner_of = |index: usize| {
            let last = self.item_ends.get(index)?.checked_sub(1)?;
            customers.get(self.customer_ends.partition_point(|end| *end <= last))
        };
        // Few are looked for among many: a bit for each keeps most of the rest from a search.
        const BITS: usize = 16;
        let bit = |key: &Key| {
            let [first, second] = key.halves();
            (first ^ second.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize
                >> (usize::BITS as usize - BITS)
        };
        let mut wanted = vec![0u64; (1 << BITS) / 64];
        for (item, _) in &owners {
            wanted[bit(item) / 64] |= 1 << (bit(item) % 64);
        }
        items.iter().enumerate().any(|(index, item)| {
            let place = bit(item);
            wanted[place / 64] >> (place % 64) & 1 == 1
                && owners
                    .binary_search_by_key(item, |(item, _)| *item)
                    .is_ok_and(|found| owner_of(index) != Some(&owners[found].1))
        })
    }
}

/// Later files, and who states all facts with theirs; none where subscriptions have to be told apart by their sources from now on.
fn opened(
    files: &[FactFile],
    before: &StatedBy,
    opened: &Opened,
) -> Result<Option<(Vec<Source>, StatedBy)>, BooksError> {
    let sources = files.iter().map(|file| opened.open(&file.path)).collect::<Result<Vec<_>, _>>()?;
    let stated_by = before.and(&StatedBy::of(&sources)?);
    let is_as_before = (stated_by == StatedBy::Several) == (*before == StatedBy::Several);
    Ok(is_as_before.then_some((sources, stated_by)))
}

/// The facts of later files; none where an id does not fit.
fn read_later(sources: &[Source], parts: &Parts, reading: &Reading<'_>) -> Result<Option<Vec<Later>>, BooksError> {
    let (mut group, mut buffers, mut customers) = (Group::default(), Buffers::default(), Vec::new());
    let mut later = Vec::new();
    for part in &parts.parts {
        let source = &sources[part.source];
        if !customers_of(source, part, &reading.customers, &mut buffers, &mut customers)? {
            return Ok(None);
        }
        if !group.read(source, part.group, part.known.as_deref(), reading)? {
            return Ok(None);
        }
        part.each_fact(&group, &customers, |row, [customer, item], fact| {
            let times = group.times.get(row).copied().unwrap_or(NO_TIMES);
            later.push(Later { customer, item, fact, times });
        });
    }
    Ok(Some(later))
}

impl Reached {
    /// The facts that imports brought since, which are in `files`, in the order in which they were recorded. Not more than
    /// `most` of them.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read_on(
        &self,
        (files, sources): (&[FactFile], &Opened),
        is_later: &(dyn Fn(i64) -> bool + Sync),
        ticks: &Ticks,
        most: usize,
    ) -> Result<Result<ReadOn, Obstacle>, BooksError> {
        let Some((sources, stated_by)) = opened(files, &self.stated_by, sources)? else {
            return Ok(Err(Obstacle::AnotherSource));
        };
        let several_sources = stated_by == StatedBy::Several;
        let choice = Choice { is_known: is_later, is_wanted: None };
        let parts = parts_of(files, &sources, several_sources, &choice, self.before)?;
        if parts.parts.iter().map(|part| part.count as usize).sum::<usize>() > most {
            return Ok(Err(Obstacle::Much));
        }
        let (customer_ids, subscription_ids) = stated_ids(&sources, &parts, several_sources)?;
        let reading = Reading {
            ticks,
            customers: Keys::Known(Ids::ranked(&customer_ids)),
            subscriptions: Keys::Known(Ids::ranked(&subscription_ids)),
            several_sources,
            shared: std::sync::Mutex::default(),
        };
        let Some(later) = read_later(&sources, &parts, &reading)? else { return Ok(Err(Obstacle::OtherIds)) };
        let Shared { classes, wide } = reading.shared.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (offers, classes) = classes.settle()?;
        let (customers, items) = (reading.customers.into_ids(), reading.subscriptions.into_ids());
        let mut loose = Vec::with_capacity(later.len());
        for Later { customer, item, fact, times } in &later {
            let mut terms = classes[fact.class as usize].clone();
            terms.price.amount_picos = wide.picos(fact.amount);
            terms.price.quantity = fact.quantity;
            let import = self.imports + parts.import_firsts.partition_point(|first| *first <= fact.fact) as u32;
            let own = Loose {
                item: items.text(*item),
                import,
                offer: offers[terms.offer as usize].clone(),
                row: fact.row(*times, 0, 0, 0),
                terms,
            };
            loose.push((customers.text(*customer), own));
        }
        let reached = Reached {
            before: Before { facts: self.before.facts + later.len() as u32, import: parts.last_import },
            imports: self.imports + parts.import_firsts.len() as u32,
            stated_by,
        };
        Ok(Ok((loose, reached)))
    }
}

/// The different customers and subscriptions that files state, as texts, in order.
fn stated_ids(
    sources: &[Source],
    parts: &Parts,
    several_sources: bool,
) -> Result<(Vec<String>, Vec<String>), BooksError> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (mut customers, mut subscriptions) = (Vec::new(), Vec::new());
    for part in &parts.parts {
        let source = &sources[part.source];
        let rows = || (0..source.rows(part.group)).filter(|row| part.counts(*row));
        if let Some(pieces) = Pieces::read(source, part.group, "customer")? {
            customers.extend(rows().map(|row| text(pieces.text(row))));
        }
        if has_parts(source, part.group, several_sources)? {
            let mut row = 0;
            joined(source, part.group, several_sources, |id| {
                if part.counts(row) {
                    subscriptions.push(text(id));
                }
                row += 1;
                Ok(())
            })?;
        } else if let Some(pieces) = Pieces::read(source, part.group, "subscription")? {
            subscriptions.extend(rows().map(|row| text(pieces.text(row))));
        }
    }
    for ids in [&mut customers, &mut subscriptions] {
        ids.sort_unstable();
        ids.dedup();
    }
    Ok((customers, subscriptions))
}

fn shifted(keys: &[Key], shift: &Shift) -> Vec<Key> {
    if shift.is_none() { keys.to_vec() } else { keys.iter().map(|key| shift.of(*key)).collect() }
}

/// Offers and classes of facts with those of later ones.
struct Merged {
    offers: Vec<Offer>,
    classes: Vec<Terms>,
    /// For each class of later facts its number among all.
    later_classes: Vec<u32>,
    moved_offers: Option<Vec<u32>>,
}

impl Merged {
    fn of(known: &[Offer], classes: &[Terms], later: &[Offer], later_terms: &[Terms]) -> Self {
        let mut offers: Vec<Offer> = known.iter().chain(later).cloned().collect();
        offers.sort_unstable();
        offers.dedup();
        let number = |offer: &Offer| offers.partition_point(|other| other < offer) as u32;
        let known_numbers: Vec<u32> = known.iter().map(number).collect();
        let later_numbers: Vec<u32> = later.iter().map(number).collect();
        let renumbered = |terms: &Terms, numbers: &[u32]| Terms {
            offer: numbers.get(terms.offer as usize).copied().unwrap_or(terms.offer),
            ..terms.clone()
        };
        let have_moved = known_numbers.iter().zip(0..).any(|(now, before)| *now != before);
        let mut classes: Vec<Terms> = match have_moved {
            true => classes.iter().map(|terms| renumbered(terms, &known_numbers)).collect(),
            false => classes.to_vec(),
        };
        let mut later_classes = Vec::with_capacity(later_terms.len());
        for terms in later_terms {
            let terms = renumbered(terms, &later_numbers);
            let found = classes.iter().position(|known| *known == terms);
            later_classes.push(found.unwrap_or(classes.len()) as u32);
            if found.is_none() {
                classes.push(terms);
            }
        }
        Self { offers, classes, later_classes, moved_offers: have_moved.then_some(known_numbers) }
    }
}

/// Facts that are being put together of those before and later ones, customer by customer.
struct Splice<'a> {
    old: &'a SubscriptionFacts,
    old_customers: &'a [Key],
    old_items: &'a [Key],
    facts: SubscriptionFacts,
    customers: Vec<Key>,
    items: Vec<Key>,
    touched: Vec<Touched>,
    /// The next customer and item of those before.
    next: usize,
    next_item: usize,
    /// Facts that nothing depends on any more, in no order.
    left_out: Vec<u32>,
    /// Items of which rows were among those.
    thinned: Vec<Key>,
}

impl SubscriptionFacts {
    /// Which facts of an item nothing depends on any more.
    fn superseded(&self, of_item: &[(Key, Fact)]) -> Superseded {
        if of_item.len() < 2 {
            return Superseded::default();
        }
        let terms: Vec<Terms> = of_item.iter().map(|(_, fact)| self.terms(fact)).collect();
        let mut rows: Vec<Row> =
            of_item.iter().zip(0..).map(|((_, fact), terms)| self.row(fact, terms, 0, 0)).collect();
        superseded(&mut rows, &terms, &self.recorded)
    }
}

impl Splice<'_> {
    /// Where the facts of so many of the customers before end.
    fn end_of(&self, customers: usize) -> usize {
        customers.checked_sub(1).and_then(|last| self.old.customer_ends.get(last)).map_or(0, |end| *end as usize)
    }

    /// Moves the next customers over as they were, up to one.
    fn copy_before(&mut self, customer: usize) {
        let (first, last) = (self.end_of(self.next), self.end_of(customer));
        let (facts, old) = (&mut self.facts, self.old);
        // Facts may have been left out before these: then they stand that much further down, modulo 2^32.
        let gained = (facts.facts.len() as u32).wrapping_sub(first as u32);
        facts.facts.extend_from_slice(old.facts.get(first..last).unwrap_or_default());
        let ends = old.customer_ends.get(self.next..customer).unwrap_or_default();
        facts.customer_ends.extend(ends.iter().map(|end| end.wrapping_add(gained)));
        self.customers.extend_from_slice(self.old_customers.get(self.next..customer).unwrap_or_default());
        let items = old.item_ends.get(self.next_item..).unwrap_or_default();
        let last_item = self.next_item + items.partition_point(|end| *end as usize <= last);
        let ends = old.item_ends.get(self.next_item..last_item).unwrap_or_default();
        facts.item_ends.extend(ends.iter().map(|end| end.wrapping_add(gained)));
        self.items.extend_from_slice(self.old_items.get(self.next_item..last_item).unwrap_or_default());
        (self.next, self.next_item) = (customer, last_item);
    }

    /// Takes in the later facts of one customer among those that it had.
    fn take_in(&mut self, later: &[Later]) {
        let Some(customer) = later.first().map(|later| later.customer) else { return };
        let found = self.old_customers.binary_search(&customer);
        let place = found.unwrap_or_else(|place| place);
        self.copy_before(place);
        self.touched.push(Touched {
            before: found.is_ok().then_some(place as u32),
            customers_before: place as u32,
            now: self.customers.len() as u32,
            items_gained: (self.items.len() - self.next_item) as u32,
        });
        let mut own: Vec<(Key, Fact)> = later.iter().map(|later| (later.item, later.fact)).collect();
        if found.is_ok() {
            let (mut index, last) = (self.end_of(place), self.end_of(place + 1));
            while index < last {
                let end = self.old.item_ends.get(self.next_item).map_or(last, |end| *end as usize);
                let facts: &[Packed] = self.old.facts.get(index..end).unwrap_or_default();
                let item = self.old_items.get(self.next_item).copied().unwrap_or_default();
                own.extend(facts.iter().map(|fact| (item, Fact::of(*fact))));
                index = end;
                self.next_item += 1;
            }
            self.next += 1;
            own.sort_unstable_by_key(|(item, fact)| (*item, fact.start, fact.fact));
        }
        for of_item in own.chunk_by(|a, b| a.0 == b.0) {
            let Superseded { facts: left_out, has_rows } = self.facts.superseded(of_item);
            let left = of_item.iter().filter(|(_, fact)| left_out.binary_search(&fact.fact).is_err());
            self.facts.facts.extend(left.map(|(_, fact)| fact.pack()));
            self.left_out.extend(left_out);
            self.thinned.extend(of_item.first().filter(|_| has_rows).map(|(item, _)| *item));
            self.facts.item_ends.push(self.facts.facts.len() as u32);
            self.items.extend(of_item.first().map(|(item, _)| *item));
        }
        self.facts.customer_ends.push(self.facts.facts.len() as u32);
        self.customers.push(customer);
    }

    /// Shares the customers out as before: new ones belong to the share in which they come.
    fn share_out(&mut self) {
        let mut new = self.touched.iter().filter(|touched| touched.before.is_none()).peekable();
        let (mut first, mut gained) = (0, 0);
        for (index, share) in self.old.shares.iter().enumerate() {
            let is_last = index + 1 == self.old.shares.len();
            while new.next_if(|new| is_last || new.customers_before < share.customers.end).is_some() {
                gained += 1;
            }
            let end = share.customers.end + gained;
            let end_of = |customer: u32| {
                let last = customer.checked_sub(1).and_then(|last| self.facts.customer_ends.get(last as usize));
                last.copied().unwrap_or_default()
            };
            let facts = (end_of(end) - end_of(first)) as usize;
            self.facts.shares.push(Share { customers: first..end, facts });
            first = end;
        }
    }
}
