//! Books at a newer snapshot from books at an older one, by reading only what came in between.
//!
//! Facts are only added, so what a commit changes is the timelines of the customers that its subscription facts speak of.
//! Those are worked out by the functions that work out all; everything else moves over as it is, with numbers that make
//! room for new customers, items and offers. The outcome is the same, byte for byte, as opening the books anew. Where it
//! could not be, or where so much came that it would be no quicker, the books are opened: [`Obstacle`] says why.

use std::{collections::HashSet, sync::Arc};

use revenue::ledger::{self, Builder, Ledger};

use super::{
    Books, BooksError, FactFile, Portion, View, currencies,
    pages::Opened,
    rates, reporting_currency, revalue_until,
    subscriptions::growth::{Grown, Touched},
};
use crate::{
    cores,
    lake::{DataFile, Lake},
};

pub use super::subscriptions::growth::Obstacle;

/// Books that came after others.
pub struct Advanced {
    /// The books.
    pub books: Books,
    /// Why they were opened anew, where they were.
    pub obstacle: Option<Obstacle>,
}

/// Some customers, by the numbers of the books before and of those after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Customers {
    /// It may be anybody.
    Any,
    /// These, in order; new ones have no number before.
    These(Vec<(Option<u32>, u32)>),
}

/// The files of subscription facts at a newer time.
struct Files {
    /// All of them.
    files: Vec<FactFile>,
    /// The first fact of each of those that hold facts of the books.
    firsts: Vec<u32>,
    /// Whether the last of those holds later facts as well.
    is_last_longer: bool,
}

impl Books {
    /// The books as they are at a newer time: with the facts that came since, and without reading the others again.
    ///
    /// # Errors
    /// As [`Books::open`].
    pub fn advance(&self, lake: &Lake, view: View) -> Result<Advanced, BooksError> {
        match self.step(lake, &view)? {
            Ok(books) => Ok(Advanced { books, obstacle: None }),
            Err(obstacle) => Ok(Advanced { books: Self::open(lake, view)?, obstacle: Some(obstacle) }),
        }
    }

    /// The customers whose ledger may be another one than in these books before.
    #[must_use]
    pub fn touched_since(&self, before: &Books) -> Customers {
        match &self.touched {
            _ if Arc::ptr_eq(&self.ledger, &before.ledger) => Customers::These(Vec::new()),
            Some((since, touched)) if Some(*since) == before.snapshot => touched.clone(),
            _ => Customers::Any,
        }
    }

    fn step(&self, lake: &Lake, view: &View) -> Result<Result<Books, Obstacle>, BooksError> {
        let (Some(before), true) = (self.snapshot, self.is_seen_alike(lake, view)) else {
            return Ok(Err(Obstacle::OtherView));
        };
        // Looked up first: what comes meanwhile is then taken for new, which it may be, and never for old.
        let snapshot = lake.snapshot(view.as_known_at)?;
        if snapshot < before {
            return Ok(Err(Obstacle::OtherView));
        }
        let changed = lake.tables_changed(before, view.as_known_at)?;
        let has_changed = |table: &str| changed.iter().any(|changed| changed == table);

        let mut books = self.at(lake, view);
        books.snapshot = Some(snapshot);
        let mut grown = None;
        let listed = match lake.table_schema("subscription")? {
            Some(_) => lake.files("subscription", view.as_known_at)?,
            None => Vec::new(),
        };
        let Some(Files { files, mut firsts, is_last_longer }) = self.files_now(&listed) else {
            return Ok(Err(Obstacle::OtherFiles));
        };
        let later = &files[firsts.len() - usize::from(is_last_longer)..];
        if !later.is_empty() {
            let imports = lake.imports_between(before, snapshot)?;
            let is_later = |import| imports.contains(&import);
            let later = (later, &self.opened);
            let found = match self.facts.grow(&self.customers, &self.subscriptions, later, &is_later, &self.ticks)? {
                Ok(found) => found,
                Err(obstacle) => return Ok(Err(obstacle)),
            };
            let Grown { facts, file_firsts, customers, items, touched, offers } = found;
            firsts.extend_from_slice(&file_firsts[usize::from(is_last_longer)..]);
            books.facts = Arc::new(facts);
            books.customers = Arc::new(customers);
            books.subscriptions = Arc::new(items);
            grown = Some((touched, offers));
        }
        books.opened = self.opened.without(files.iter().map(|file| file.path.as_path()));
        (books.files, books.file_firsts) = (files, firsts);
        if has_changed("fx_rate") {
            let (rates, last_rate) = rates::load(lake, view.as_known_at)?;
            books.rates = Arc::new(rates);
            books.revalue_until = revalue_until(&books.ticks, last_rate);
        }
        let found = currencies(&books.facts, Some(lake), view.as_known_at)?;
        if reporting_currency(found, &books.rates, view.currency) != Ok(self.reporting) {
            return Ok(Err(Obstacle::OtherCurrency));
        }
        let (grown, offers) = grown.unwrap_or_default();
        // What was read of other facts stays, where nothing of their kind came.
        let added: Vec<u32> =
            grown.iter().filter(|touched| touched.before.is_none()).map(|touched| touched.now).collect();
        books.cubes = self.cubes.next(self, &changed, &added);
        books.shelf = self.shelf.next(&changed, added);
        let touched = if has_changed("fx_rate") {
            // Any amount may be worth something else.
            books.conflicts = books.facts.conflicts.clone();
            books.work_out(true)?;
            Customers::Any
        } else {
            if !grown.is_empty() && books.take_over(self, &grown, offers.as_deref()).is_err() {
                return Ok(Err(Obstacle::Unvalued));
            }
            Customers::These(grown.iter().map(|touched| (touched.before, touched.now)).collect())
        };
        books.touched = Some((before, touched));
        Ok(if books.errors.is_empty() { Ok(books) } else { Err(Obstacle::Unvalued) })
    }

    /// Whether only what is known, and the clock, differ from how these books are looked at.
    pub(super) fn is_seen_alike(&self, lake: &Lake, view: &View) -> bool {
        let own = &self.view;
        self.errors.is_empty()
            && self.lake.as_ref().is_some_and(|own| own.folder() == lake.folder())
            && own.policy.settings() == view.policy.settings()
            && own.zone.name() == view.zone.name()
            && own.currency == view.currency
    }

    /// How the files that are listed now continue those of the books. Facts are numbered in the order in which they came,
    /// which merging leaves as it was: the first fact of a merged file is that of the first file that went into it. None
    /// where the files do not follow from those of the books.
    fn files_now(&self, listed: &[DataFile]) -> Option<Files> {
        let mut firsts = Vec::with_capacity(listed.len());
        let mut is_last_longer = false;
        // The next file of the books, and the next row of the table.
        let mut next = 0;
        for file in listed {
            let Some(first) = self.files.get(next) else { break };
            if first.first_row != file.first_row || is_last_longer {
                return None;
            }
            firsts.push(*self.file_firsts.get(next)?);
            let mut read = 0;
            while let Some(own) = self.files.get(next).filter(|own| own.first_row < file.first_row + file.rows) {
                if own.first_row != file.first_row + read {
                    return None;
                }
                let end = self.file_firsts.get(next + 1).copied().unwrap_or(self.facts.read());
                read += u64::from(end - self.file_firsts.get(next)?);
                next += 1;
            }
            // Only the newest facts can be in a file with some that are not known yet.
            is_last_longer = read < file.rows;
        }
        (next == self.files.len()).then(|| Files {
            files: listed.iter().map(FactFile::from).collect(),
            firsts,
            is_last_longer,
        })
    }

    /// The same facts and ledger, looked at under a view that they do not depend on; nothing that was made of them.
    fn at(&self, lake: &Lake, view: &View) -> Books {
        Books {
            view: view.clone(),
            reporting: self.reporting,
            ticks: self.ticks.clone(),
            facts: Arc::clone(&self.facts),
            ledger: Arc::clone(&self.ledger),
            customers: Arc::clone(&self.customers),
            subscriptions: Arc::clone(&self.subscriptions),
            rates: Arc::clone(&self.rates),
            overlaps: self.overlaps.clone(),
            conflicts: self.conflicts.clone(),
            errors: Vec::new(),
            files: Vec::new(),
            file_firsts: Vec::new(),
            revalue_until: self.revalue_until,
            lake: Some(lake.clone()),
            snapshot: self.snapshot,
            touched: None,
            cubes: crate::engine::Cubes::default(),
            shelf: crate::observed::Shelf::default(),
            origins: std::sync::OnceLock::new(),
            opened: Opened::default(),
        }
    }

    /// Takes over the ledger of the books before, and works out the customers that were touched.
    fn take_over(&mut self, before: &Books, touched: &[Touched], offers: Option<&[u32]>) -> Result<(), BooksError> {
        /// Customers whose ledgers are made on one thread.
        const CUSTOMERS: usize = 256;
        let own = |touched: &Touched| touched.now..touched.now + 1;
        let shares: Vec<&[Touched]> = touched.chunks(CUSTOMERS).collect();
        let several = shares.len() > 1;
        let made = cores::map(shares, several, |touched| {
            self.work_out_customers(touched.iter().map(own), true, &mut Builder::default(), &mut Portion::default())
        });
        let made = made.into_iter().collect::<Result<Vec<ledger::Share>, BooksError>>()?;

        let mut whole = Ledger::default();
        let new = made.iter().map(|share| share.ledger.rows()).sum::<usize>();
        whole.reserve(self.customers.len(), before.ledger.rows() + new);
        // Customers of the books before that are done with.
        let mut next = 0;
        for (of_share, share) in touched.chunks(CUSTOMERS).zip(&made) {
            for (index, touched) in of_share.iter().enumerate() {
                let place = touched.customers_before as usize;
                whole.append_renumbered(&before.ledger, next..place, touched.items_gained, offers);
                whole.append_renumbered(&share.ledger, index..index + 1, 0, None);
                next = place + usize::from(touched.before.is_some());
            }
        }
        let gained = (self.subscriptions.len() - before.subscriptions.len()) as u32;
        whole.append_renumbered(&before.ledger, next..before.ledger.customers(), gained, offers);

        // What was odd about the facts of a customer is found anew with them. Versions that several customers claim were
        // weighed apart from this: the facts that lost are nobody's.
        let facts_before = touched.iter().filter_map(|touched| touched.before);
        let facts_before = facts_before.flat_map(|customer| before.facts.of_customer(customer));
        let facts_now = touched.iter().flat_map(|touched| self.facts.of_customer(touched.now));
        let facts: HashSet<u32> = facts_before.chain(facts_now).collect();
        self.overlaps.retain(|overlap| !facts.contains(&overlap.cut));
        self.conflicts.retain(|conflict| !facts.contains(&conflict.refused));
        for mut share in made {
            self.errors.extend(share.errors.iter().map(|(customer, _, error)| (*customer, *error)));
            self.overlaps.append(&mut share.overlaps);
            self.conflicts.append(&mut share.conflicts);
        }
        self.overlaps.sort_unstable();
        self.conflicts.sort_unstable();
        self.ledger = Arc::new(whole);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
