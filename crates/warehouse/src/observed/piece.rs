//! One part of a table, read into columns; and the parts put together.

use std::collections::BTreeMap;

use arrow::array::{Array, RecordBatch};
use hashbrown::{HashMap, HashSet};
use revenue::calendar::Moment;

use super::{
    BusinessDays, Layout, NO_CODE, NO_DAY, NO_ID, NO_INSTANT, Numberings, Observed, ObservedError,
    numbering::{CUSTOMER, sort_of},
    versions::{KeyHasher, hash_keys},
};
use crate::{
    books::{Books, Decimals, Integers, Moments, Texts, is_true},
    kind::ValueKind,
    lake::Part,
};

/// The rows of one part.
#[derive(Default)]
pub(super) struct Piece {
    pub(super) hashes: Vec<u64>,
    /// Rows that withdraw a fact.
    pub(super) withdrawn: Vec<u32>,
    observed: Observed,
    /// For each column of texts what is known so far.
    known: BTreeMap<String, HashMap<String, u32>>,
}

impl Piece {
    pub(super) fn read(
        part: &Part,
        layout: &Layout,
        books: &Books,
        numberings: &Numberings,
        hasher: &KeyHasher,
    ) -> Result<Piece, ObservedError> {
        let mut piece = Piece { observed: Observed::empty(&layout.wanted), ..Piece::default() };
        for batch in part.rows()? {
            piece.add(&batch?, layout, books, numberings, hasher)?;
        }
        Ok(piece)
    }

    fn add(
        &mut self,
        batch: &RecordBatch,
        layout: &Layout,
        books: &Books,
        numberings: &Numberings,
        hasher: &KeyHasher,
    ) -> Result<(), ObservedError> {
        let rows = batch.num_rows();
        let before = self.observed.facts;
        hash_keys(batch, &layout.key, hasher, &mut self.hashes);
        if batch.column_by_name("withdrawn").is_some_and(|column| column.null_count() < column.len()) {
            self.withdrawn
                .extend((0..rows).filter(|row| is_true(batch, "withdrawn", *row)).map(|row| (before + row) as u32));
        }
        let zone = books.ticks.zone();
        for (name, days) in &mut self.observed.days {
            let moments = Moments::of(batch, name)?;
            let mut business = BusinessDays::new(zone);
            days.extend((0..rows).map(|row| match moments.get(row) {
                None => NO_DAY,
                Some(Moment::Day(day)) => day.0,
                Some(Moment::Instant(instant)) => business.of(instant),
            }));
        }
        for (name, instants) in &mut self.observed.instants {
            let moments = Moments::of(batch, name)?;
            instants.extend((0..rows).map(|row| moments.get(row).map_or(NO_INSTANT, |moment| zone.instant_of(moment))));
        }
        for (name, ids) in &mut self.observed.ids {
            let sort = sort_of(layout.kind.table, name);
            let numbering = numberings.of(&sort);
            let of_ledger = |id: &str| if sort == CUSTOMER { books.customer_of_id(id) } else { None };
            let texts = Texts::of(batch, name)?;
            ids.extend((0..rows).map(|row| texts.get(row).map_or(NO_ID, |id| numbering.number(id, of_ledger))));
        }
        for (name, coded) in &mut self.observed.texts {
            let known = self.known.entry(name.clone()).or_default();
            let mut code = |text: &str| {
                if let Some(code) = known.get(text) {
                    return *code;
                }
                let code = coded.texts.len() as u32;
                known.insert(text.to_owned(), code);
                coded.texts.push(text.to_owned());
                code
            };
            if layout.own_texts.contains(name) {
                let is_integer = layout
                    .kind
                    .columns
                    .iter()
                    .any(|column| column.name == name && matches!(column.value, ValueKind::Integer));
                if is_integer {
                    let integers = Integers::of(batch, name)?;
                    coded.codes.extend(
                        (0..rows).map(|row| integers.get(row).map_or(NO_CODE, |number| code(&number.to_string()))),
                    );
                } else {
                    let texts = Texts::of(batch, name)?;
                    coded.codes.extend(
                        (0..rows).map(|row| texts.get(row).filter(|t| !t.is_empty()).map_or(NO_CODE, &mut code)),
                    );
                }
            } else {
                let json = Texts::of(batch, "attributes")?;
                coded.codes.extend((0..rows).map(|row| {
                    let Some(json) = json.get(row) else { return NO_CODE };
                    let further: serde_json::Map<String, serde_json::Value> =
                        serde_json::from_str(json).unwrap_or_default();
                    match further.get(name) {
                        None | Some(serde_json::Value::Null) => NO_CODE,
                        Some(serde_json::Value::String(text)) if text.is_empty() => NO_CODE,
                        Some(serde_json::Value::String(text)) => code(text),
                        Some(other) => code(&other.to_string()),
                    }
                }));
            }
        }
        for (name, picos) in &mut self.observed.picos {
            let whole = layout.kind.columns.iter().any(|c| c.name == name && matches!(c.value, ValueKind::Integer));
            if whole {
                let integers = Integers::of(batch, name)?;
                picos.extend((0..rows).map(|row| integers.get(row).map(|number| i128::from(number) * PICOS)));
            } else {
                let decimals = Decimals::of(batch, name)?;
                picos.extend((0..rows).map(|row| decimals.picos(row)));
            }
        }
        if layout.wanted.origins {
            let (imports, places) = (Integers::of(batch, "import")?, Integers::of(batch, "row")?);
            let of_row = |row| (imports.get(row).unwrap_or_default(), places.get(row).unwrap_or_default());
            self.observed.origins.extend((0..rows).map(of_row));
        }
        self.observed.facts += rows;
        Ok(())
    }
}

/// Units of 10⁻¹² in one.
const PICOS: i128 = 1_000_000_000_000;

/// Pieces one after the other, in the order of recording, without the rows that do not hold.
pub(super) fn put_together(pieces: Vec<Piece>, layout: &Layout, dropped: Option<&[HashSet<u32>]>) -> Observed {
    let rows: usize = pieces.iter().map(|piece| piece.observed.facts).sum();
    let mut whole = Observed::empty(&layout.wanted);
    whole.days.values_mut().for_each(|days| days.reserve_exact(rows));
    whole.instants.values_mut().for_each(|instants| instants.reserve_exact(rows));
    whole.ids.values_mut().for_each(|ids| ids.reserve_exact(rows));
    whole.texts.values_mut().for_each(|coded| coded.codes.reserve_exact(rows));
    let mut known: BTreeMap<String, HashMap<String, u32>> = BTreeMap::new();
    for (index, piece) in pieces.into_iter().enumerate() {
        let mut part = piece.observed;
        if let Some(gone) = dropped.and_then(|dropped| dropped.get(index)).filter(|gone| !gone.is_empty()) {
            let holds: Vec<bool> = (0..part.facts).map(|row| !gone.contains(&(row as u32))).collect();
            part.retain(&holds);
        }
        whole.facts += part.facts;
        for (name, mut days) in part.days {
            whole.days.entry(name).or_default().append(&mut days);
        }
        for (name, mut instants) in part.instants {
            whole.instants.entry(name).or_default().append(&mut instants);
        }
        for (name, mut ids) in part.ids {
            whole.ids.entry(name).or_default().append(&mut ids);
        }
        for (name, mut picos) in part.picos {
            whole.picos.entry(name).or_default().append(&mut picos);
        }
        whole.origins.append(&mut part.origins);
        for (name, coded) in part.texts {
            let known = known.entry(name.clone()).or_default();
            let joined = whole.texts.entry(name).or_default();
            let codes: Vec<u32> = coded
                .texts
                .into_iter()
                .map(|text| {
                    *known.entry(text).or_insert_with_key(|text| {
                        joined.texts.push(text.clone());
                        joined.texts.len() as u32 - 1
                    })
                })
                .collect();
            joined
                .codes
                .extend(coded.codes.into_iter().map(|code| codes.get(code as usize).copied().unwrap_or(NO_CODE)));
        }
    }
    whole
}

impl Observed {
    fn retain(&mut self, holds: &[bool]) {
        fn keep<T>(column: &mut Vec<T>, holds: &[bool]) {
            let mut holds = holds.iter();
            column.retain(|_| holds.next().copied().unwrap_or(false));
        }
        self.days.values_mut().for_each(|column| keep(column, holds));
        self.instants.values_mut().for_each(|column| keep(column, holds));
        self.ids.values_mut().for_each(|column| keep(column, holds));
        self.texts.values_mut().for_each(|coded| keep(&mut coded.codes, holds));
        self.picos.values_mut().for_each(|column| keep(column, holds));
        keep(&mut self.origins, holds);
        self.facts = holds.iter().filter(|holds| **holds).count();
    }
}
