//! The ledger as it is made, some customers at a time and never all of it.
//!
//! Whoever writes the ledger down or sums it looks at each customer once. Then neither the ledger nor the sorted facts
//! need room of their own: the facts lie on piles as they were read, and each pile is sorted, worked out and handed on
//! within the cache.

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

use revenue::{
    fact::Ticks,
    ledger::{Builder, Share},
    movement::{Context, Movement},
    policy::Policy,
    timeline::{Plain, PlainRow},
};

use super::{
    BooksError,
    ids::Key,
    subscriptions::{
        Choice, FactFile, OnPiles, Portion, SubscriptionFacts,
        piles::{Piles, Room},
        read,
    },
};

/// Facts that were read and wait to be worked out.
pub struct Flow {
    /// What is said of all facts, without the facts.
    facts: SubscriptionFacts,
    piles: Piles,
    /// What facts of each class state, where it is plain.
    plain: Vec<Option<Plain>>,
    /// A number for each subscription item of each customer that was worked out.
    items: Mutex<Vec<u64>>,
}

/// Room that is used again for each pile.
#[derive(Default)]
pub struct Basin {
    room: Room,
    portion: Portion,
    plain_rows: Vec<PlainRow>,
    builder: Builder,
}

/// Of what a pile was made, besides its movements. In those, customers and subscription items are numbered from 0.
pub struct Made<'a> {
    /// What was odd about the facts; its ledger is empty.
    pub odd: &'a Share,
    /// Keys of the customers.
    pub customers: &'a [Key],
    /// Keys of the subscription items.
    pub items: &'a [Key],
}

impl Flow {
    /// Reads facts from files.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn open(files: &[FactFile], policy: &Policy, ticks: &Ticks, choice: &Choice<'_>) -> Result<Self, BooksError> {
        let OnPiles { facts, piles, .. } = read(files, ticks, choice)?;
        let plain = facts.plain_classes(policy);
        // Of room that is not used nothing is touched, and a list that grows is copied.
        let items = Mutex::new(Vec::with_capacity((0..piles.len()).map(|pile| piles.size(pile)).sum()));
        Ok(Self { facts, piles, plain, items })
    }

    /// What is said of all facts: what is sold, and what reads keys.
    #[must_use]
    pub fn facts(&self) -> &SubscriptionFacts {
        &self.facts
    }

    /// Runs of piles with at most about so many facts each.
    #[must_use]
    pub fn runs(&self, facts: usize) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        let mut size = 0;
        for pile in 0..self.piles.len() {
            let own = self.piles.size(pile);
            match runs.last_mut().filter(|_| size + own <= facts) {
                Some(run) => {
                    run.end = pile + 1;
                    size += own;
                }
                None => {
                    runs.push(pile..pile + 1);
                    size = own;
                }
            }
        }
        runs
    }

    /// Works out a pile: `take` sees the movements of each customer, in order. Of `context` all but the terms is used; its
    /// policy is the one that the flow was opened with.
    ///
    /// # Errors
    /// When a price is worth more a month than the ledger holds.
    pub fn make<'a>(
        &self,
        pile: usize,
        context: &Context<'_>,
        basin: &'a mut Basin,
        mut take: impl FnMut(&[Movement]),
    ) -> Result<Made<'a>, BooksError> {
        let Basin { room, portion, plain_rows, builder } = basin;
        self.piles.sort(pile, room);
        builder.share.clear();
        let sorted = &room.sorted;
        let stand = sorted.stand();
        let (mut first, mut item) = (0, 0);
        for (customer, end) in (0u32..).zip(stand.customer_ends) {
            let facts = first..*end as usize;
            first = facts.end;
            match self.facts.work_out_plain(stand, facts, item, (&self.plain, context), plain_rows, builder) {
                Some(movements) => take(movements),
                None => {
                    self.facts
                        .fill(stand, customer..customer + 1, context.policy, portion)
                        .map_err(|too_dear| self.facts.too_large(too_dear))?;
                    let Portion { rows, terms, worth } = &mut *portion;
                    let context = Context { terms, ..*context };
                    take(builder.work_out(customer, rows, worth, &self.facts.recorded, &context, |_, _| {}));
                }
            }
            while stand.item_ends.get(item).is_some_and(|item_end| item_end <= end) {
                item += 1;
            }
        }
        let mixed = sorted.items.iter().map(|key| key.mixed());
        self.items.lock().unwrap_or_else(PoisonError::into_inner).extend(mixed);
        Ok(Made { odd: &builder.share, customers: &sorted.customers, items: &sorted.items })
    }

    /// Whether, of what was worked out, several customers may claim one subscription item. Then versions of one fact
    /// have to be weighed against each other across customers, which only whole books do, and what was made here does
    /// not hold.
    #[must_use]
    pub fn has_moved(self) -> bool {
        let items = self.items.into_inner().unwrap_or_else(PoisonError::into_inner);
        super::subscriptions::has_twice(&items)
    }
}
