//! Facts of any kind as known at a time, one row a fact, in columns.
//!
//! The ledger is made of subscription facts; everything else that Recurve counts (visits, leads, tickets, spend) is
//! counted over these columns. Only what a question needs is read: moments as business days, ids as numbers that are
//! the same in every kind of fact, texts as codes. Several statements of one fact leave the latest, withdrawn facts are
//! gone, whatever files they came in.

mod numbering;
mod piece;
mod shelf;
mod versions;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;
use revenue::calendar::{Day, Zone};

use crate::{
    books::{Books, BooksError},
    kind::{Kind, ValueKind},
    lake::{LakeError, Part},
};

use numbering::{CUSTOMER, Renumbered};
pub use numbering::{NO_ID, Numbering, Numberings, sort_of as numbering_sort};
use piece::{Piece, Places};
pub use shelf::Shelf;
pub(crate) use shelf::joined;

/// The day of a moment that a fact does not state.
pub const NO_DAY: i32 = i32::MIN;
/// The instant of a moment that a fact does not state.
pub const NO_INSTANT: i64 = i64::MIN;
/// The code of a text that a fact does not state.
pub const NO_CODE: u32 = u32::MAX;

/// Why facts cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ObservedError {
    /// The lake could not be read.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A column is not what an import writes.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// No such kind of fact.
    #[error("there is no kind of fact `{0}`; `recurve import --help` lists them")]
    NoKind(String),
}

/// Which columns of a kind of fact are to be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Moments of which the business day is wanted.
    pub days: BTreeSet<String>,
    /// Moments of which the instant is wanted; of a day it is its beginning.
    pub instants: BTreeSet<String>,
    /// Columns of ids.
    pub ids: BTreeSet<String>,
    /// Columns of texts, and further columns that a file had beyond those of the kind.
    pub texts: BTreeSet<String>,
    /// Columns of numbers.
    pub numbers: BTreeSet<String>,
    /// Whether it is wanted from which import and row each fact came.
    pub origins: bool,
}

impl Wanted {
    /// Whether whoever has read these columns has those as well.
    #[must_use]
    pub fn covers(&self, other: &Wanted) -> bool {
        other.days.is_subset(&self.days)
            && other.instants.is_subset(&self.instants)
            && other.ids.is_subset(&self.ids)
            && other.texts.is_subset(&self.texts)
            && other.numbers.is_subset(&self.numbers)
            && (self.origins || !other.origins)
    }

    /// What is wanted by either.
    pub fn extend(&mut self, other: Wanted) {
        self.days.extend(other.days);
        self.instants.extend(other.instants);
        self.ids.extend(other.ids);
        self.texts.extend(other.texts);
        self.numbers.extend(other.numbers);
        self.origins |= other.origins;
    }
}

/// Texts by code.
#[derive(Debug, Clone, Default)]
pub struct Coded {
    /// For each fact the index of its text; [`NO_CODE`] when it states none.
    pub codes: Vec<u32>,
    /// The texts, in no order.
    pub texts: Vec<String>,
}

impl Coded {
    /// The text of a fact.
    #[must_use]
    pub fn of(&self, fact: usize) -> Option<&str> {
        let code = *self.codes.get(fact)?;
        self.texts.get(code as usize).map(String::as_str)
    }
}

/// The facts of one kind. Columns are shared with what differs from them in others alone.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    facts: usize,
    days: Columns<i32>,
    instants: Columns<i64>,
    ids: Columns<u32>,
    texts: BTreeMap<String, Arc<Coded>>,
    picos: Columns<Option<i128>>,
    origins: Arc<Vec<(i64, i64)>>,
}

/// Columns by name.
type Columns<T> = BTreeMap<String, Arc<Vec<T>>>;

impl Observed {
    /// Reads the facts of a kind.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn load(
        books: &Books,
        numberings: &Numberings,
        table: &str,
        wanted: &Wanted,
    ) -> Result<Observed, ObservedError> {
        let kind = Kind::parse(table).ok_or_else(|| ObservedError::NoKind(table.to_owned()))?;
        let Some(lake) = books.lake() else { return Ok(Observed::empty(wanted)) };
        let Some(schema) = lake.table_schema(kind.table)? else { return Ok(Observed::empty(wanted)) };
        let there = |name: &str| schema.field_with_name(name).is_ok();
        let layout = Layout::new(kind, wanted, &there);
        let projection: Vec<&str> = layout.projection.iter().map(String::as_str).collect();
        let parts = lake.parts(kind.table, &projection, books.view.as_known_at)?;
        let rows = parts.iter().map(Part::row_count).collect::<Result<Vec<usize>, LakeError>>()?;
        let all: usize = rows.iter().sum();
        let hasher = versions::KeyHasher::default();
        // Each part is read into its place, so that nothing is moved afterwards.
        let mut observed = Observed::with_room(wanted, all);
        let mut hashes = vec![0u64; all];
        let places = observed.places(&mut hashes, &rows);
        let pieces = parts
            .par_iter()
            .zip(places)
            .map(|(part, places)| piece::read(part, &layout, books, numberings, &hasher, places))
            .collect::<Result<Vec<Piece>, ObservedError>>()?;
        let mut rest = hashes.as_slice();
        let mut of_piece = Vec::with_capacity(rows.len());
        for rows in &rows {
            let (own, others) = rest.split_at(*rows);
            of_piece.push(own);
            rest = others;
        }
        let dropped = versions::superseded(lake, kind, books.view.as_known_at, &pieces, &of_piece, &hasher)?;
        drop(hashes);
        observed.join_codes(&pieces, &rows);
        observed.leave_out(&pieces, &rows, dropped.as_deref());
        Ok(observed)
    }

    fn empty(wanted: &Wanted) -> Observed {
        Observed::with_room(wanted, 0)
    }

    /// Columns for so many facts, to be filled in.
    fn with_room(wanted: &Wanted, facts: usize) -> Observed {
        fn columns<T: Clone>(names: &BTreeSet<String>, nothing: &T, facts: usize) -> Columns<T> {
            names.iter().map(|name| (name.clone(), Arc::new(vec![nothing.clone(); facts]))).collect()
        }
        Observed {
            facts,
            // Zeroed memory costs nothing until it is written.
            days: columns(&wanted.days, &0, facts),
            instants: columns(&wanted.instants, &0, facts),
            ids: columns(&wanted.ids, &0, facts),
            texts: wanted
                .texts
                .iter()
                .map(|name| (name.clone(), Arc::new(Coded { codes: vec![0; facts], texts: Vec::new() })))
                .collect(),
            picos: columns(&wanted.numbers, &None, facts),
            origins: Arc::new(if wanted.origins { vec![(0, 0); facts] } else { Vec::new() }),
        }
    }

    /// The places of the rows of each part.
    fn places<'a>(&'a mut self, hashes: &'a mut [u64], rows: &[usize]) -> Vec<Places<'a>> {
        fn cut<'a, T>(mut column: &'a mut [T], rows: &[usize]) -> Vec<&'a mut [T]> {
            let mut pieces = Vec::with_capacity(rows.len());
            for rows in rows {
                // A column that is not wanted has no place at all.
                let at = (*rows).min(column.len());
                let (own, rest) = column.split_at_mut(at);
                pieces.push(own);
                column = rest;
            }
            pieces
        }
        let mut places: Vec<Places<'a>> = rows.iter().map(|_| Places::default()).collect();
        for (place, own) in places.iter_mut().zip(cut(hashes, rows)) {
            place.hashes = own;
        }
        for (place, own) in places.iter_mut().zip(cut(Arc::make_mut(&mut self.origins).as_mut_slice(), rows)) {
            place.origins = own;
        }
        for (name, column) in &mut self.days {
            places
                .iter_mut()
                .zip(cut(Arc::make_mut(column).as_mut_slice(), rows))
                .for_each(|(place, own)| place.days.push((name, own)));
        }
        for (name, column) in &mut self.instants {
            places
                .iter_mut()
                .zip(cut(Arc::make_mut(column).as_mut_slice(), rows))
                .for_each(|(place, own)| place.instants.push((name, own)));
        }
        for (name, column) in &mut self.ids {
            places
                .iter_mut()
                .zip(cut(Arc::make_mut(column).as_mut_slice(), rows))
                .for_each(|(place, own)| place.ids.push((name, own)));
        }
        for (name, column) in &mut self.texts {
            places
                .iter_mut()
                .zip(cut(&mut Arc::make_mut(column).codes, rows))
                .for_each(|(place, own)| place.texts.push((name, own)));
        }
        for (name, column) in &mut self.picos {
            places
                .iter_mut()
                .zip(cut(Arc::make_mut(column).as_mut_slice(), rows))
                .for_each(|(place, own)| place.picos.push((name, own)));
        }
        places
    }

    /// Brings the codes of all parts to one list of texts.
    fn join_codes(&mut self, pieces: &[Piece], rows: &[usize]) {
        for (column, coded) in self.texts.values_mut().enumerate() {
            let coded = Arc::make_mut(coded);
            let mut known: HashMap<&str, u32> = HashMap::new();
            let mut start = 0;
            for (piece, rows) in pieces.iter().zip(rows) {
                let texts = piece.texts.get(column).map_or(&[][..], Vec::as_slice);
                let codes: Vec<u32> = texts
                    .iter()
                    .map(|text| {
                        *known.entry(text).or_insert_with(|| {
                            coded.texts.push(text.clone());
                            coded.texts.len() as u32 - 1
                        })
                    })
                    .collect();
                if codes.iter().enumerate().any(|(code, joined)| code as u32 != *joined) {
                    for code in &mut coded.codes[start..start + piece.rows] {
                        *code = codes.get(*code as usize).copied().unwrap_or(NO_CODE);
                    }
                }
                start += rows;
            }
        }
    }

    /// Leaves out rows that do not hold, and places that no row came to.
    fn leave_out(&mut self, pieces: &[Piece], rows: &[usize], dropped: Option<&[HashSet<u32>]>) {
        let is_full = pieces.iter().zip(rows).all(|(piece, rows)| piece.rows == *rows);
        if is_full && dropped.is_none() {
            return;
        }
        let mut holds = Vec::with_capacity(self.facts);
        for (index, (piece, rows)) in pieces.iter().zip(rows).enumerate() {
            let gone = dropped.and_then(|dropped| dropped.get(index));
            let is_there = |row: usize| row < piece.rows && gone.is_none_or(|gone| !gone.contains(&(row as u32)));
            holds.extend((0..*rows).map(is_there));
        }
        fn keep<T: Clone>(column: &mut Arc<Vec<T>>, holds: &[bool]) {
            keep_of(Arc::make_mut(column), holds);
        }
        fn keep_of<T>(column: &mut Vec<T>, holds: &[bool]) {
            let mut holds = holds.iter();
            column.retain(|_| holds.next().copied().unwrap_or(false));
        }
        self.days.values_mut().for_each(|column| keep(column, &holds));
        self.instants.values_mut().for_each(|column| keep(column, &holds));
        self.ids.values_mut().for_each(|column| keep(column, &holds));
        self.texts.values_mut().for_each(|coded| keep_of(&mut Arc::make_mut(coded).codes, &holds));
        self.picos.values_mut().for_each(|column| keep(column, &holds));
        keep(&mut self.origins, &holds);
        self.facts = holds.iter().filter(|holds| **holds).count();
    }

    /// The same facts, where customers have other numbers.
    fn renumbered(&self, table: &str, numbers: &Renumbered) -> Observed {
        let mut observed = self.clone();
        for (column, ids) in &mut observed.ids {
            if numbering_sort(table, column) == CUSTOMER {
                let now = ids.par_iter().map(|id| if *id == NO_ID { NO_ID } else { numbers.of(*id) });
                *ids = Arc::new(now.collect());
            }
        }
        observed
    }

    /// How many facts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.facts
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facts == 0
    }

    /// The business days of a moment; [`NO_DAY`] where it is not stated.
    #[must_use]
    pub fn days(&self, moment: &str) -> &[i32] {
        self.days.get(moment).map_or(&[], |column| column)
    }

    /// The instants of a moment in microseconds; [`NO_INSTANT`] where it is not stated.
    #[must_use]
    pub fn instants(&self, moment: &str) -> &[i64] {
        self.instants.get(moment).map_or(&[], |column| column)
    }

    /// The numbers of ids; [`NO_ID`] where none is stated.
    #[must_use]
    pub fn ids(&self, column: &str) -> &[u32] {
        self.ids.get(column).map_or(&[], |column| column)
    }

    /// Texts by code.
    #[must_use]
    pub fn texts(&self, column: &str) -> Option<&Coded> {
        self.texts.get(column).map(Arc::as_ref)
    }

    /// Numbers in units of 10⁻¹².
    #[must_use]
    pub fn picos(&self, column: &str) -> &[Option<i128>] {
        self.picos.get(column).map_or(&[], |column| column)
    }

    /// The import and the row of each fact.
    #[must_use]
    pub fn origins(&self) -> &[(i64, i64)] {
        &self.origins
    }
}

/// How the wanted columns lie in the batches that are read.
struct Layout {
    kind: &'static Kind,
    wanted: Wanted,
    /// Wanted texts that are columns of the kind; the others are looked for among the further columns.
    own_texts: BTreeSet<String>,
    /// Columns to read.
    projection: Vec<String>,
    /// Stored columns of the key, the source among them.
    key: Vec<String>,
}

impl Layout {
    fn new(kind: &'static Kind, wanted: &Wanted, there: &dyn Fn(&str) -> bool) -> Layout {
        let mut projection: BTreeSet<String> = BTreeSet::new();
        projection.insert("withdrawn".to_owned());
        let key = key_columns(kind).into_iter().filter(|name| there(name)).collect::<Vec<_>>();
        projection.extend(key.iter().cloned());
        let mut own_texts = BTreeSet::new();
        for column in kind.columns {
            let is_wanted = [&wanted.days, &wanted.instants, &wanted.ids, &wanted.numbers]
                .iter()
                .any(|names| names.contains(column.name));
            let text = wanted.texts.contains(column.name);
            if text {
                own_texts.insert(column.name.to_owned());
            }
            if is_wanted || text {
                projection.extend(column.storage().into_iter().map(|(name, _)| name).filter(|name| there(name)));
            }
        }
        if wanted.texts.contains("source") {
            own_texts.insert("source".to_owned());
        }
        if wanted.texts.iter().any(|name| !own_texts.contains(name)) {
            projection.insert("attributes".to_owned());
        }
        if wanted.origins {
            projection.extend(["import".to_owned(), "row".to_owned()]);
        }
        Layout { kind, wanted: wanted.clone(), own_texts, projection: projection.into_iter().collect(), key }
    }
}

/// The stored columns that say which fact a row is.
fn key_columns(kind: &Kind) -> Vec<String> {
    let of_kind = kind.key.iter().filter_map(|name| kind.columns.iter().find(|column| column.name == *name));
    let stored = of_kind.flat_map(|column| column.storage().into_iter().map(|(name, _)| name));
    std::iter::once("source".to_owned()).chain(stored).collect()
}

/// What a value of a kind's column is; nothing when the kind has no such column.
#[must_use]
pub fn value_of_column(table: &str, column: &str) -> Option<ValueKind> {
    let kind = Kind::parse(table)?;
    kind.columns.iter().find(|listed| listed.name == column).map(|listed| listed.value)
}

/// Instants to business days, for rows that mostly come in order of time: the day found last is tried first.
struct BusinessDays<'a> {
    zone: &'a Zone,
    day: i32,
    from: i64,
    to: i64,
}

impl<'a> BusinessDays<'a> {
    fn new(zone: &'a Zone) -> Self {
        BusinessDays { zone, day: NO_DAY, from: 0, to: 0 }
    }

    fn of(&mut self, instant: i64) -> i32 {
        if !(self.from..self.to).contains(&instant) {
            let day = self.zone.day_of_instant(instant);
            self.day = day.0;
            self.from = self.zone.start_of_day(day);
            self.to = self.zone.start_of_day(Day(day.0.saturating_add(1)));
        }
        self.day
    }
}
