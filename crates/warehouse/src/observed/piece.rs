//! One part of a table, read into its place in the columns.

use arrow::array::{Array, AsArray, RecordBatch};
use hashbrown::HashMap;
use revenue::calendar::Moment;

use super::{
    BusinessDays, Layout, NO_CODE, NO_DAY, NO_INSTANT, Numberings, ObservedError,
    numbering::{Marks, sort_of},
    versions::{KeyHasher, hash_keys},
};
use crate::{
    books::{Books, Decimals, Integers, Moments, Texts},
    kind::ValueKind,
    lake::Part,
};

/// Units of 10⁻¹² in one.
const PICOS: i128 = 1_000_000_000_000;

/// The places of one part's rows in every column.
#[derive(Default)]
pub(super) struct Places<'a> {
    pub(super) days: Vec<(&'a str, &'a mut [i32])>,
    pub(super) instants: Vec<(&'a str, &'a mut [i64])>,
    pub(super) ids: Vec<(&'a str, &'a mut [u32])>,
    pub(super) texts: Vec<(&'a str, &'a mut [u32])>,
    pub(super) picos: Vec<(&'a str, &'a mut [Option<i128>])>,
    pub(super) origins: &'a mut [(i64, i64)],
    pub(super) hashes: &'a mut [u64],
}

/// What was read of one part besides its columns.
#[derive(Default)]
pub(super) struct Piece {
    /// How many rows it has: fewer than there was place for where rows of a later time are left out.
    pub(super) rows: usize,
    /// Rows that withdraw a fact.
    pub(super) withdrawn: Vec<u32>,
    /// For each column of texts the texts of its codes.
    pub(super) texts: Vec<Vec<String>>,
}

/// Texts of one column and their codes so far.
#[derive(Default)]
struct Codes {
    known: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Codes {
    fn of(&mut self, text: &str) -> u32 {
        if let Some(code) = self.known.get(text) {
            return *code;
        }
        let code = self.texts.len() as u32;
        self.known.insert(text.to_owned(), code);
        self.texts.push(text.to_owned());
        code
    }
}

/// Reads a part into its places.
pub(super) fn read(
    part: &Part,
    layout: &Layout,
    books: &Books,
    numberings: &Numberings,
    hasher: &KeyHasher,
    mut places: Places<'_>,
) -> Result<Piece, ObservedError> {
    let mut piece = Piece::default();
    let mut codes: Vec<Codes> = places.texts.iter().map(|_| Codes::default()).collect();
    let mut marks: Vec<Marks> = places.ids.iter().map(|_| Marks::default()).collect();
    for batch in part.rows()? {
        let batch = batch?;
        add(&batch, layout, books, hasher, &mut places, piece.rows, &mut codes, &mut marks, &mut piece.withdrawn)?;
        piece.rows += batch.num_rows();
    }
    // Ids are numbered when all of the part are there, so that those of one shard are looked up together.
    for ((name, ids), marks) in places.ids.iter_mut().zip(marks) {
        numberings.of(books, &sort_of(layout.kind.table, name)).number(&marks, ids);
    }
    piece.texts = codes.into_iter().map(|codes| codes.texts).collect();
    Ok(piece)
}

#[expect(clippy::too_many_arguments, reason = "what a part is read with and into, which only `read` has")]
fn add(
    batch: &RecordBatch,
    layout: &Layout,
    books: &Books,
    hasher: &KeyHasher,
    places: &mut Places<'_>,
    before: usize,
    codes: &mut [Codes],
    marks: &mut [Marks],
    withdrawn: &mut Vec<u32>,
) -> Result<(), ObservedError> {
    let rows = batch.num_rows();
    let range = before..before + rows;
    hash_keys(batch, &layout.key, hasher, &mut places.hashes[range.clone()]);
    let flags = batch.column_by_name("withdrawn").and_then(|column| column.as_boolean_opt());
    if let Some(flags) = flags.filter(|flags| flags.true_count() > 0) {
        let said = (0..rows).filter(|row| flags.is_valid(*row) && flags.value(*row));
        withdrawn.extend(said.map(|row| (before + row) as u32));
    }
    let zone = books.ticks.zone();
    for (name, days) in &mut places.days {
        let moments = Moments::of(batch, name)?;
        let mut business = BusinessDays::new(zone);
        for (row, day) in days[range.clone()].iter_mut().enumerate() {
            *day = match moments.get(row) {
                None => NO_DAY,
                Some(Moment::Day(day)) => day.0,
                Some(Moment::Instant(instant)) => business.of(instant),
            };
        }
    }
    for (name, instants) in &mut places.instants {
        let moments = Moments::of(batch, name)?;
        for (row, instant) in instants[range.clone()].iter_mut().enumerate() {
            *instant = moments.get(row).map_or(NO_INSTANT, |moment| zone.instant_of(moment));
        }
    }
    for ((name, _), marks) in places.ids.iter().zip(marks) {
        marks.extend(&Texts::of(batch, name)?, rows);
    }
    for ((name, places), codes) in places.texts.iter_mut().zip(codes) {
        let places = &mut places[range.clone()];
        if layout.own_texts.contains(*name) {
            if is_whole(layout, name) {
                let integers = Integers::of(batch, name)?;
                for (row, code) in places.iter_mut().enumerate() {
                    *code = integers.get(row).map_or(NO_CODE, |number| codes.of(&number.to_string()));
                }
            } else if let Some(flags) = batch.column_by_name(name).and_then(|column| column.as_boolean_opt()) {
                for (row, code) in places.iter_mut().enumerate() {
                    let flag = flags.is_valid(row).then(|| flags.value(row));
                    *code = flag.map_or(NO_CODE, |flag| codes.of(if flag { "true" } else { "false" }));
                }
            } else {
                let texts = Texts::of(batch, name)?;
                for (row, code) in places.iter_mut().enumerate() {
                    *code = texts.get(row).filter(|text| !text.is_empty()).map_or(NO_CODE, |text| codes.of(text));
                }
            }
        } else {
            let json = Texts::of(batch, "attributes")?;
            for (row, code) in places.iter_mut().enumerate() {
                let further = json.get(row).map(|json| {
                    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json).unwrap_or_default()
                });
                *code = match further.as_ref().and_then(|further| further.get(*name)) {
                    None | Some(serde_json::Value::Null) => NO_CODE,
                    Some(serde_json::Value::String(text)) if text.is_empty() => NO_CODE,
                    Some(serde_json::Value::String(text)) => codes.of(text),
                    Some(other) => codes.of(&other.to_string()),
                };
            }
        }
    }
    for (name, picos) in &mut places.picos {
        let places = picos[range.clone()].iter_mut().enumerate();
        if is_whole(layout, name) {
            let integers = Integers::of(batch, name)?;
            places.for_each(|(row, picos)| *picos = integers.get(row).map(|number| i128::from(number) * PICOS));
        } else {
            let decimals = Decimals::of(batch, name)?;
            places.for_each(|(row, picos)| *picos = decimals.picos(row));
        }
    }
    if layout.wanted.origins {
        let (imports, rows) = (Integers::of(batch, "import")?, Integers::of(batch, "row")?);
        for (row, origin) in places.origins[range].iter_mut().enumerate() {
            *origin = (imports.get(row).unwrap_or_default(), rows.get(row).unwrap_or_default());
        }
    }
    Ok(())
}

/// Whether a column of the kind holds whole numbers.
fn is_whole(layout: &Layout, name: &str) -> bool {
    layout.kind.columns.iter().any(|column| column.name == name && matches!(column.value, ValueKind::Integer))
}
