//! Facts that were read for earlier questions, so that the next one finds them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Numberings, Observed, ObservedError, Wanted};
use crate::books::Books;

/// The facts of some books, by kind. Books never change, so nothing in here grows old.
#[derive(Debug, Default)]
pub struct Shelf {
    numberings: Numberings,
    announced: Mutex<BTreeMap<String, Wanted>>,
    kept: Mutex<BTreeMap<String, (Wanted, Arc<Observed>)>>,
}

impl Shelf {
    /// The numbers of ids, the same for all kinds.
    pub fn numberings(&self) -> &Numberings {
        &self.numberings
    }

    /// Says that columns of a kind will be wanted, so that they are read together with others of it.
    pub fn announce(&self, table: &str, wanted: Wanted) {
        let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        announced.entry(table.to_owned()).or_default().extend(wanted);
    }

    /// The facts of a kind with at least these columns; none where there are no facts of it.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn get(&self, books: &Books, table: &str, mut wanted: Wanted) -> Result<Arc<Observed>, ObservedError> {
        // One question reads at a time: another one that wants the same is served when it is there.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // What was announced is read now, also where the rest is here already: whoever announced it counts on it.
        let announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner).remove(table);
        wanted.extend(announced.unwrap_or_default());
        if let Some((has, observed)) = kept.get(table) {
            if has.covers(&wanted) {
                return Ok(Arc::clone(observed));
            }
            wanted.extend(has.clone());
        }
        kept.remove(table);
        let observed = Arc::new(Observed::load(books, &self.numberings, table, &wanted)?);
        kept.insert(table.to_owned(), (wanted, Arc::clone(&observed)));
        Ok(observed)
    }
}
