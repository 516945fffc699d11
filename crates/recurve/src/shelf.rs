//! What is kept between questions, where many are asked of one folder: opened books and the catalogue.
//!
//! Books are made for a version of the data and a view of it (policy, currency, zone, day), once, and never change. Who
//! asks for books that somebody opens already waits for those.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use warehouse::{
    books::{Books, View},
    catalogue::Catalogue,
    lake::Lake,
};

use crate::{command::CommandError, session};

/// A version of the data: what was known, and what the folder said besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The newest snapshot.
    pub snapshot: i64,
    /// When it was made, in microseconds since 1970.
    pub at_micros: i64,
    /// A digest of the settings and of the files with metrics, policies and rules.
    pub choices: u64,
}

impl Known {
    /// The version as a text: equal as long as every answer is.
    pub fn version(self) -> String {
        format!("{}-{:08x}", self.snapshot, self.choices as u32)
    }
}

/// What was opened for earlier questions.
#[derive(Default)]
pub struct Shelf {
    /// The books used last stand last.
    books: Mutex<Vec<(String, Arc<Place>)>>,
    catalogue: Mutex<Option<(u64, Arc<Catalogue>)>>,
}

/// Where books stand once they are opened; whoever opens them holds it.
#[derive(Default)]
struct Place(Mutex<Option<Arc<Books>>>);

impl Shelf {
    /// How many views are kept: each holds the ledger and what was counted from other facts.
    const KEPT: usize = 4;

    /// The books of a view.
    pub fn books(&self, lake: &Lake, known: Known, view: View) -> Result<Arc<Books>, CommandError> {
        let key = key(known, &view);
        let place = {
            let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
            let found = books.iter().position(|(other, _)| *other == key);
            let entry = found.map_or_else(|| (key, Arc::default()), |place| books.remove(place));
            if books.len() >= Self::KEPT {
                books.remove(0);
            }
            let place = Arc::clone(&entry.1);
            books.push(entry);
            place
        };
        let mut opened = place.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(books) = opened.as_ref() {
            return Ok(Arc::clone(books));
        }
        let books = Arc::new(Books::open(lake, view)?);
        *opened = Some(Arc::clone(&books));
        Ok(books)
    }

    /// The metrics of the product and of the folder.
    pub fn catalogue(&self, data: &Path, known: Known) -> Result<Arc<Catalogue>, CommandError> {
        let mut kept = self.catalogue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, catalogue)) = kept.as_ref().filter(|(choices, _)| *choices == known.choices) {
            return Ok(Arc::clone(catalogue));
        }
        let catalogue = Arc::new(session::catalogue(data)?);
        *kept = Some((known.choices, Arc::clone(&catalogue)));
        Ok(catalogue)
    }

    /// Takes books off the shelf that no question of a version will ask for any more.
    pub fn leave_only(&self, known: Known) {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        books.retain(|(key, _)| key.starts_with(&known.version()));
    }
}

/// What books differ by. Of *now* they see the day.
fn key(known: Known, view: &View) -> String {
    let today = view.zone.day_of_instant(view.now);
    format!(
        "{} {:?} {} {:?} {:?} {today} {:?} {:?}",
        known.version(),
        view.policy_name,
        view.zone.name(),
        view.currency,
        view.as_known_at,
        view.policy.settings(),
        view.health_weights
    )
}
