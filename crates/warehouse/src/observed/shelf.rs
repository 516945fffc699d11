//! Facts that were read for earlier questions, so that the next one finds them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use super::{Numberings, Observed, ObservedError, Wanted, numbering::Renumbered};
use crate::books::Books;

/// The facts of some books, by kind. Books never change, so nothing in here grows old: books at a newer snapshot have a
/// shelf of their own, on which facts of kinds that did not change are the same.
#[derive(Debug, Default)]
pub struct Shelf {
    announced: Mutex<BTreeMap<String, Wanted>>,
    /// Made when it is first needed.
    state: OnceLock<Arc<State>>,
    /// What it is made from, where there were books before.
    before: Option<Before>,
}

#[derive(Debug, Default)]
struct State {
    numberings: Arc<Numberings>,
    places: Mutex<BTreeMap<String, Arc<Place>>>,
}

/// Where the facts of a kind stand once they are read; whoever reads them holds it.
#[derive(Debug, Default)]
struct Place(Mutex<Stands>);

#[derive(Debug, Default)]
enum Stands {
    #[default]
    Nothing,
    Facts(Wanted, Arc<Observed>),
    /// Facts in which customers have other numbers now.
    Older(Wanted, Arc<Observed>, Arc<Renumbered>),
}

/// The shelf of books before, and what changed since.
#[derive(Debug, Clone)]
struct Before {
    state: Arc<State>,
    changed: BTreeSet<String>,
    /// The numbers of customers that are new in the ledger, in order.
    added: Vec<u32>,
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shelf {
    /// The shelf of books at a newer snapshot, by which facts of some kinds changed and the ledger got further customers.
    pub(crate) fn next(&self, changed: &[String], added: Vec<u32>) -> Self {
        let changed = changed.iter().cloned();
        let before = match (self.state.get(), &self.before) {
            (Some(state), _) => Some(Before { state: Arc::clone(state), changed: changed.collect(), added }),
            (None, Some(before)) => {
                let mut before = before.clone();
                before.changed.extend(changed);
                before.added = joined(&before.added, &added);
                Some(before)
            }
            (None, None) => None,
        };
        Self { before, ..Self::default() }
    }

    fn state(&self, books: &Books) -> &Arc<State> {
        self.state.get_or_init(|| match &self.before {
            None => Arc::default(),
            Some(before) => Arc::new(before.carried(books)),
        })
    }

    /// The numbers of ids, the same for all kinds.
    pub fn numberings(&self, books: &Books) -> &Numberings {
        &self.state(books).numberings
    }

    /// Says that columns of a kind will be wanted, so that they are read together with others of it.
    pub fn announce(&self, table: &str, wanted: Wanted) {
        hold(&self.announced).entry(table.to_owned()).or_default().extend(wanted);
    }

    /// The facts of a kind with at least these columns; none where there are no facts of it.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn get(&self, books: &Books, table: &str, mut wanted: Wanted) -> Result<Arc<Observed>, ObservedError> {
        let state = self.state(books);
        let place = Arc::clone(hold(&state.places).entry(table.to_owned()).or_default());
        // One question reads a kind at a time: another one that wants the same is served when it is there.
        let mut stands = hold(&place.0);
        // What was announced is read now, also where the rest is here already: whoever announced it counts on it.
        let announced = hold(&self.announced).remove(table);
        wanted.extend(announced.unwrap_or_default());
        if let Stands::Older(has, observed, numbers) = &*stands {
            *stands = Stands::Facts(has.clone(), Arc::new(observed.renumbered(table, numbers)));
        }
        if let Stands::Facts(has, observed) = &*stands {
            if has.covers(&wanted) {
                return Ok(Arc::clone(observed));
            }
            wanted.extend(has.clone());
        }
        *stands = Stands::Nothing;
        let observed = Arc::new(Observed::load(books, &state.numberings, table, &wanted)?);
        *stands = Stands::Facts(wanted, Arc::clone(&observed));
        Ok(observed)
    }
}

impl Before {
    /// What of the shelf before stands on the next one.
    fn carried(&self, books: &Books) -> State {
        let places = hold(&self.state.places);
        let same = places.iter().filter(|(table, _)| !self.changed.contains(*table));
        if self.added.is_empty() {
            // The same place: what one of them reads, the other has.
            let places = same.map(|(table, place)| (table.clone(), Arc::clone(place))).collect();
            return State { numberings: Arc::clone(&self.state.numberings), places: Mutex::new(places) };
        }
        let mut taken = Vec::new();
        for (table, place) in same {
            // What is being read right now would have to be waited for.
            let Ok(stands) = place.0.try_lock() else { continue };
            match &*stands {
                Stands::Nothing => {}
                Stands::Facts(wanted, observed) => {
                    taken.push((table.clone(), wanted.clone(), Arc::clone(observed), None));
                }
                Stands::Older(wanted, observed, numbers) => {
                    taken.push((table.clone(), wanted.clone(), Arc::clone(observed), Some(Arc::clone(numbers))));
                }
            }
        }
        drop(places);
        // Facts are taken first: every number in them was given by now.
        let (numberings, numbers) = self.state.numberings.with_customers(books, &self.added);
        let places = taken.into_iter().map(|(table, wanted, observed, older)| {
            let stands = match (&numbers, older) {
                (None, _) => Stands::Facts(wanted, observed),
                (Some(numbers), None) => Stands::Older(wanted, observed, Arc::clone(numbers)),
                (Some(numbers), Some(older)) => Stands::Older(wanted, observed, Arc::new(older.then(numbers))),
            };
            (table, Arc::new(Place(Mutex::new(stands))))
        });
        State { numberings: Arc::new(numberings), places: Mutex::new(places.collect()) }
    }
}

/// The numbers of customers that came in two steps, those of the first by what they became in the second.
pub(crate) fn joined(first: &[u32], second: &[u32]) -> Vec<u32> {
    let mut moved: Vec<u32> = Vec::with_capacity(first.len() + second.len());
    let mut later = second.iter().copied().peekable();
    let mut gained = 0;
    for number in first {
        while let Some(came) = later.next_if(|came| *came <= number + gained) {
            moved.push(came);
            gained += 1;
        }
        moved.push(number + gained);
    }
    moved.extend(later);
    moved
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn those_who_came_in_two_steps_are_found_where_they_are() {
        // Of a b c d: x came before b, then w before x and z at the end, then nobody.
        assert_eq!(joined(&[1], &[1, 6]), [1, 2, 6]);
        assert_eq!(joined(&[], &[0, 3]), [0, 3]);
        assert_eq!(joined(&[0, 3], &[]), [0, 3]);
        assert_eq!(joined(&[0, 1], &[0, 2, 4]), [0, 1, 2, 3, 4]);
    }
}
