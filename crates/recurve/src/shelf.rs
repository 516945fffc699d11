//! What is kept between questions, where many are asked of one folder: opened books and the catalogue.
//!
//! Books are made for a version of the data and a view of it (policy, currency, zone, day), once, and never change. Who
//! asks for books that somebody opens already waits for those. Those of a newer version go on from those of an older one
//! under the same view, where there are any: only what came in between is read.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
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
    books: Mutex<Vec<Entry>>,
    catalogue: Mutex<Option<(u64, Arc<Catalogue>)>>,
}

/// Books, or the place where they will stand.
struct Entry {
    key: Key,
    snapshot: i64,
    place: Weak<Place>,
    /// What keeps them here; nothing once only those look at them who asked before a newer version was served.
    kept: Option<Arc<Place>>,
}

/// What books differ by.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    /// The version of the data.
    version: String,
    /// As known when, and of *now* the day.
    time: String,
    /// Under which choices.
    choices: String,
}

/// Where books stand once they are opened; whoever opens them holds it.
#[derive(Default)]
pub struct Place(Mutex<Option<Arc<Books>>>);

impl Shelf {
    /// How many views are kept: each holds the ledger and what was counted from other facts.
    const KEPT: usize = 4;

    /// The books of a view.
    pub fn books(&self, lake: &Lake, known: Known, view: View) -> Result<Arc<Books>, CommandError> {
        Ok(self.open(lake, known, view)?.0)
    }

    /// The books of a view, and what keeps them here as long as somebody has it.
    pub fn open(&self, lake: &Lake, known: Known, view: View) -> Result<(Arc<Books>, Arc<Place>), CommandError> {
        let key = Key::of(known, &view);
        let (place, older) = {
            let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
            let found = books.iter().position(|entry| entry.key == key).map(|place| books.remove(place));
            let (place, kept) = match found.and_then(|entry| Some((entry.place.upgrade()?, entry.kept))) {
                // What only those look at who asked before goes with them.
                Some((place, kept)) => (place, kept),
                None => {
                    let place = Arc::default();
                    (Arc::clone(&place), Some(place))
                }
            };
            let is_before = |entry: &&Entry| entry.key.choices == key.choices && entry.snapshot <= known.snapshot;
            let mut alike: Vec<&Entry> = books.iter().filter(is_before).collect();
            // The newest first, whichever was used last: what came since is the least then.
            alike.sort_by_key(|entry| std::cmp::Reverse(entry.snapshot));
            let older: Vec<Arc<Place>> = alike.into_iter().filter_map(|entry| entry.place.upgrade()).collect();
            books.push(Entry { key, snapshot: known.snapshot, place: Arc::downgrade(&place), kept });
            let many = books.iter().filter(|entry| entry.kept.is_some()).count().saturating_sub(Self::KEPT);
            books.iter_mut().filter(|entry| entry.kept.is_some()).take(many).for_each(|entry| entry.kept = None);
            books.retain(|entry| entry.place.strong_count() > 0);
            (place, older)
        };
        let mut opened = place.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(books) = opened.as_ref() {
            let books = Arc::clone(books);
            drop(opened);
            return Ok((books, place));
        }
        // Books that somebody is opening right now are not waited for: they may be these.
        let before = older.iter().find_map(|place| place.0.try_lock().ok()?.clone());
        let books = Arc::new(match before {
            Some(before) => before.advance(lake, view)?.books,
            None => Books::open(lake, view)?,
        });
        *opened = Some(Arc::clone(&books));
        drop(opened);
        Ok((books, place))
    }

    /// The newest books that stand here for a view, those of a version or of one before it.
    pub fn newest(&self, known: Known, view: &View) -> Option<Arc<Books>> {
        let choices = Key::of(known, view).choices;
        let books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let alike = books.iter().filter(|entry| entry.key.choices == choices);
        let places: Vec<Arc<Place>> = alike.filter_map(|entry| entry.place.upgrade()).collect();
        drop(books);
        // Those that somebody is opening right now come later.
        let opened = places.iter().filter_map(|place| place.0.try_lock().ok()?.clone());
        let fit = opened.filter(|books| books.snapshot().is_some_and(|snapshot| snapshot.0 <= known.snapshot));
        fit.max_by_key(|books| books.snapshot())
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

    /// What keeps the books of a version, of whatever view, as long as somebody has it: a newer version may be served before
    /// a question is answered.
    pub fn hold(&self, known: Known) -> Vec<Arc<Place>> {
        let version = known.version();
        let books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let of_version = books.iter().filter(|entry| entry.key.version == version);
        of_version.filter_map(|entry| entry.place.upgrade()).collect()
    }

    /// Takes books off the shelf that no question of a version will ask for any more, but for those that books of that
    /// version may go on from.
    pub fn leave_only(&self, known: Known) {
        let version = known.version();
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<(Key, i64)> = books.iter().map(|entry| (entry.key.clone(), entry.snapshot)).collect();
        for (place, entry) in books.iter_mut().enumerate() {
            // Of one snapshot those that were used last; and books of an older one may have been used since.
            let has_successor = all.iter().enumerate().any(|(other, (key, snapshot))| {
                key.choices == entry.key.choices && (*snapshot, other) > (entry.snapshot, place)
            });
            let is_served = all.iter().any(|(key, _)| key.version == version && key.choices == entry.key.choices);
            if entry.key.version != version && (has_successor || is_served) {
                entry.kept = None;
            }
        }
        books.retain(|entry| entry.place.strong_count() > 0);
    }
}

impl Key {
    fn of(known: Known, view: &View) -> Self {
        let today = view.zone.day_of_instant(view.now);
        Self {
            version: known.version(),
            time: format!("{:?} {today}", view.as_known_at),
            choices: format!(
                "{:?} {} {:?} {:?} {:?}",
                view.policy_name,
                view.zone.name(),
                view.currency,
                view.policy.settings(),
                view.health_weights
            ),
        }
    }
}
