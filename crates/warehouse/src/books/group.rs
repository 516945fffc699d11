//! One row group of subscription facts, read into columns of what the method needs.

use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashMap;
use revenue::{
    calendar::{Day, Moment},
    fact::{NEVER, Tick, Ticks},
};

use super::{
    BooksError,
    classes::{Class, Classes, Coded, TEXTS},
    ids::{JOINT, Key, Keys},
    pages::{Buffers, Raw, Shape, Source},
};

/// Times that few facts have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RareTimes {
    pub(super) start_offset: u32,
    pub(super) trial_end: Tick,
    pub(super) cancel_at: Tick,
    pub(super) cancel_requested_at: Tick,
}

pub(super) const NO_TIMES: RareTimes =
    RareTimes { start_offset: 0, trial_end: Tick::MIN, cancel_at: NEVER, cancel_requested_at: NEVER };

/// The rare times of facts, by the numbers of those.
#[derive(Debug, Clone, Default)]
pub(super) struct Times {
    /// Of the facts that were read together, up to the last one that has any.
    together: Arc<Vec<RareTimes>>,
    /// Of facts that came later and have any, in order of their numbers.
    later: Vec<(u32, RareTimes)>,
}

impl Times {
    /// Of facts that were read together.
    pub(super) fn together(times: Vec<RareTimes>) -> Self {
        Self { together: Arc::new(times), later: Vec::new() }
    }

    /// These, and those of facts that came later than all of them, in order of their numbers.
    pub(super) fn with(&self, later: impl Iterator<Item = (u32, RareTimes)>) -> Self {
        let own = self.later.iter().copied();
        Self { together: Arc::clone(&self.together), later: own.chain(later).collect() }
    }

    /// Forgets those of facts that are no longer there, which are in order.
    pub(super) fn forget(&mut self, facts: &[u32]) {
        self.later.retain(|(fact, _)| facts.binary_search(fact).is_err());
    }

    /// Whether no fact has any.
    pub(super) fn is_empty(&self) -> bool {
        self.together.is_empty() && self.later.is_empty()
    }

    /// Those of a fact.
    pub(super) fn of(&self, fact: u32) -> RareTimes {
        let later = || {
            let found = self.later.binary_search_by_key(&fact, |(fact, _)| *fact);
            found.ok().and_then(|place| self.later.get(place)).map_or(NO_TIMES, |(_, times)| *times)
        };
        self.together.get(fact as usize).copied().unwrap_or_else(later)
    }
}

/// What all groups are read by.
pub(super) struct Reading<'a> {
    pub(super) ticks: &'a Ticks,
    pub(super) customers: Keys,
    pub(super) subscriptions: Keys,
    /// Whether subscriptions must be told apart by their source.
    pub(super) several_sources: bool,
    pub(super) shared: Mutex<Shared>,
}

impl Reading<'_> {
    /// The code of an amount, which may be too wide for 64 bits.
    #[cold]
    fn code_of_amount(&self, picos: i128) -> Result<i64, BooksError> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).wide.code(picos)
    }
}

/// What all groups number together.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) classes: Classes,
    pub(super) wide: Wide,
}

/// Amounts that do not fit 64 bits, which are more than nine million for a unit: they are numbered, and the
/// lowest numbers of 64 bits stand for them.
#[derive(Debug, Clone, Default)]
pub(super) struct Wide(Vec<i128>);

/// Numbers below this are those of wide amounts.
const LEAST: i64 = i64::MIN + u32::MAX as i64;

impl Wide {
    fn code(&mut self, picos: i128) -> Result<i64, BooksError> {
        if let Some(narrow) = narrow(picos) {
            return Ok(narrow);
        }
        let number = self.0.iter().position(|known| *known == picos).unwrap_or_else(|| {
            self.0.push(picos);
            self.0.len() - 1
        });
        let number = u32::try_from(number).map_err(|_| BooksError::TooMany { what: "amounts" })?;
        Ok(i64::MIN + i64::from(number))
    }

    /// The amount that a number stands for, in pico-units.
    #[inline]
    pub(super) fn picos(&self, code: i64) -> i128 {
        if code >= LEAST {
            return i128::from(code);
        }
        self.0.get((i128::from(code) - i128::from(i64::MIN)) as usize).copied().unwrap_or_default()
    }
}

#[inline]
fn narrow(picos: i128) -> Option<i64> {
    i64::try_from(picos).ok().filter(|picos| *picos >= LEAST)
}

/// The columns of one row group, and room for the next.
#[derive(Default)]
pub(super) struct Group {
    pub(super) subscriptions: Vec<Key>,
    pub(super) classes: Vec<u32>,
    pub(super) amounts: Vec<i64>,
    pub(super) quantities: Vec<i64>,
    pub(super) starts: Vec<Tick>,
    pub(super) ends: Vec<Tick>,
    /// Trials and cancellations by row; empty when no row has any.
    pub(super) times: Vec<RareTimes>,
    buffers: Buffers,
    codes: Vec<u32>,
    mixtures: Mixtures,
}

/// A column in few values.
#[derive(Default)]
struct Few {
    values: Coded,
    /// Its place among the columns that were mixed; none where it is empty, or says the same throughout.
    column: Option<usize>,
}

impl Few {
    /// What it says in a mixture of such codes.
    fn code(&self, codes: &[u32]) -> u32 {
        let of_all = self.values.values().len() as u32;
        self.column.and_then(|column| codes.get(column)).copied().unwrap_or(of_all)
    }
}

impl Group {
    /// Reads a row group, all but its customers. `known` says of each row whether it counts; without it all do. False
    /// when the id of a subscription does not fit the way in which keys are made.
    pub(super) fn read(
        &mut self,
        source: &Source,
        group: usize,
        known: Option<&[bool]>,
        reading: &Reading<'_>,
    ) -> Result<bool, BooksError> {
        let rows = source.rows(group);
        let missing = |name: &str| BooksError::MissingColumn { column: name.to_owned() };
        let all_have_keys = if has_parts(source, group, reading.several_sources)? {
            self.subscriptions.clear();
            let keys = &mut self.subscriptions;
            joined(source, group, reading.several_sources, |id| {
                keys.push(reading.subscriptions.of(id).unwrap_or(Key::NONE));
                Ok(())
            })?;
            false
        } else {
            let (keys, out) = (&reading.subscriptions, &mut self.subscriptions);
            read_ids(source, group, "subscription", keys, &mut self.buffers, out)?
                .ok_or_else(|| missing("subscription"))?
        };
        let counts = |row: usize| known.is_none_or(|known| known.get(row).copied().unwrap_or(false));
        let is_unfit = |(row, key): (usize, &Key)| *key == Key::NONE && counts(row);
        if !all_have_keys && self.subscriptions.iter().enumerate().any(is_unfit) {
            return Ok(false);
        }

        self.amounts.clear();
        match source.chunk(group, "amount")? {
            None => self.amounts.resize(rows, 0),
            Some(chunk) => {
                let to_picos = to_picos(chunk.shape, "amount")?;
                chunk.read(0, &mut self.buffers, &mut self.amounts, &mut |raw| {
                    // Nearly all fit 64 bits.
                    let picos = raw.narrow().and_then(|number| number.checked_mul(to_picos));
                    match picos.filter(|picos| *picos >= LEAST) {
                        Some(picos) => Ok(picos),
                        None => reading.code_of_amount(raw.number().saturating_mul(i128::from(to_picos))),
                    }
                })?;
            }
        }
        self.quantities.clear();
        match source.chunk(group, "quantity")? {
            None => self.quantities.resize(rows, 1),
            Some(chunk) => chunk.read(1, &mut self.buffers, &mut self.quantities, &mut |raw| whole(raw, "quantity"))?,
        }
        let has_instants = self.read_times(source, group, reading.ticks)?;
        self.read_classes(source, group, known, reading)?;
        let of = |name: &str| moments(source, group, name);
        let (trial_end, cancel_at, requested) = (of("trial_end")?, of("cancel_at")?, of("cancel_requested_at")?);
        self.times.clear();
        if has_instants || trial_end.is_some() || cancel_at.is_some() || requested.is_some() {
            let starts = if has_instants { of("start")? } else { None };
            let tick = |column: &Option<Vec<Option<Moment>>>, row: usize, none: Tick| {
                let moment = column.as_ref().and_then(|moments| moments.get(row).copied().flatten());
                moment.map_or(none, |moment| reading.ticks.of(moment))
            };
            self.times.extend((0..rows).map(|row| {
                RareTimes {
                    // A start that is a day begins its tick; only instants lie within one.
                    start_offset: starts
                        .as_ref()
                        .and_then(|starts| starts.get(row).copied().flatten())
                        .map_or(0, |moment| reading.ticks.offset(moment)),
                    trial_end: tick(&trial_end, row, Tick::MIN),
                    cancel_at: tick(&cancel_at, row, NEVER),
                    cancel_requested_at: tick(&requested, row, NEVER),
                }
            }));
            if self.times.iter().all(|times| *times == NO_TIMES) {
                self.times.clear();
            }
        }
        Ok(true)
    }

    /// Reads starts and ends; says whether some start may be an instant.
    pub(super) fn read_times(&mut self, source: &Source, group: usize, ticks: &Ticks) -> Result<bool, BooksError> {
        let rows = source.rows(group);
        let mut has_instants = false;
        for (name, none) in [("start", Tick::MIN), ("end", NEVER)] {
            let out = if name == "start" { &mut self.starts } else { &mut self.ends };
            out.clear();
            let [days, instants] = halves(source, group, name)?;
            match (days, instants) {
                (None, None) => out.resize(rows, none),
                (Some(days), None) => {
                    let chunk = source.chunk(group, &days)?;
                    if let Some(chunk) = chunk {
                        chunk.read(none, &mut self.buffers, out, &mut |raw| Ok(ticks.of(Moment::Day(day(raw)))))?;
                    }
                }
                _ => {
                    has_instants |= name == "start";
                    match moments(source, group, name)? {
                        Some(moments) => {
                            out.extend(moments.iter().map(|moment| moment.map_or(none, |moment| ticks.of(moment))));
                        }
                        // The file does not say so, but no row has one.
                        None => out.resize(rows, none),
                    }
                }
            }
        }
        Ok(has_instants)
    }

    /// Numbers everything that few rows have of their own.
    fn read_classes(
        &mut self,
        source: &Source,
        group: usize,
        known: Option<&[bool]>,
        reading: &Reading<'_>,
    ) -> Result<(), BooksError> {
        let rows = source.rows(group);
        let mut texts: Vec<Few> = Vec::new();
        let Self { mixtures, codes, .. } = self;
        mixtures.begin(std::mem::take(&mut self.classes), rows);
        for name in TEXTS {
            let mut few = Few::default();
            if let Some(chunk) = source.chunk(group, name)? {
                if chunk.shape != Shape::Text {
                    return Err(wrong(name, "text"));
                }
                if let Some(value) = chunk.constant() {
                    few.values.number(value.bytes());
                } else {
                    let values = &mut few.values;
                    chunk.read(0, &mut self.buffers, codes, &mut |raw| Ok(values.number(raw.bytes())))?;
                    few.column = Some(mixtures.add(codes, few.values.values().len() + 1));
                }
            }
            texts.push(few);
        }
        let mut numbers: Vec<Few> = Vec::new();
        for name in NUMBERS {
            let mut few = Few::default();
            codes.clear();
            let values = &mut few.values;
            if name == "discount_end" {
                if let Some(moments) = moments(source, group, name)? {
                    codes.extend(moments.iter().map(|moment| match moment.map(|moment| reading.ticks.of(moment)) {
                        None => 0,
                        Some(tick) => values.number(&i128::from(tick).to_le_bytes()),
                    }));
                }
            } else if let Some(chunk) = source.chunk(group, name)? {
                let times: i64 = match name {
                    "discount_percent" | "discount_amount" => to_picos(chunk.shape, name)?,
                    "withdrawn" if chunk.shape == Shape::Flag => 1,
                    _ if chunk.shape == Shape::Integer => 1,
                    _ => return Err(wrong(name, "a number")),
                };
                // Of small numbers the code is at hand.
                let mut small = [0; 64];
                let mut last = (i128::MIN, 0);
                let mut number_of = |number: i128| values.number(&number.saturating_mul(times.into()).to_le_bytes());
                chunk.read(0, &mut self.buffers, codes, &mut |raw| {
                    let narrow = raw.narrow().and_then(|number| usize::try_from(number).ok());
                    if let Some(code) = narrow.and_then(|number| small.get_mut(number)) {
                        if *code == 0 {
                            *code = number_of(raw.number());
                        }
                        return Ok(*code);
                    }
                    let number = raw.number();
                    if number != last.0 {
                        last = (number, number_of(number));
                    }
                    Ok(last.1)
                })?;
            }
            if !codes.is_empty() {
                few.column = Some(mixtures.add(codes, few.values.values().len() + 1));
            }
            numbers.push(few);
        }
        if let Some(known) = known {
            mixtures.leave_out(known);
        }

        let mut shared = reading.shared.lock().unwrap_or_else(PoisonError::into_inner);
        // Texts that rows of unknown imports alone have are numbered as well, which gives no class.
        let of_text: Vec<Vec<u32>> = texts
            .iter()
            .zip(&mut shared.classes.texts)
            .map(|(few, all)| few.values.values().iter().map(|value| all.number(value)).collect())
            .collect();
        let mut of_mixture = Vec::with_capacity(mixtures.len());
        for mixture in 0..mixtures.len() {
            mixtures.codes(mixture, codes);
            let number = |index: usize| {
                let few = numbers.get(index)?;
                let bytes = few.values.value(few.code(codes))?;
                Some(i128::from_le_bytes(bytes.try_into().ok()?))
            };
            let narrow = |index: usize, none: i64| {
                number(index).map_or(none, |number| i64::try_from(number).unwrap_or(i64::MAX))
            };
            let (percent, discount) = (number(PERCENT), number(DISCOUNT));
            let class = Class {
                texts: std::array::from_fn(|column| {
                    let code = texts[column].code(codes);
                    (code as usize).checked_sub(1).and_then(|code| of_text[column].get(code)).copied().unwrap_or(0)
                }),
                discount_end: number(DISCOUNT_END).and_then(|tick| Tick::try_from(tick).ok()).unwrap_or(NEVER),
                has_discount: percent.is_some() || discount.is_some(),
                withdrawn: number(WITHDRAWN) == Some(1),
                package_size: narrow(PACKAGE, 1),
                interval_count: narrow(COUNT, 1),
                discount_amount_picos: discount.unwrap_or(0),
                discount_percent_picos: percent.unwrap_or(0),
            };
            of_mixture.push(shared.classes.number(class)?);
        }
        drop(shared);
        self.classes = std::mem::take(&mut mixtures.of_rows);
        for class in &mut self.classes {
            *class = of_mixture.get(*class as usize).copied().unwrap_or_default();
        }
        Ok(())
    }
}

/// The columns of numbers that make a class.
const NUMBERS: [&str; 6] =
    ["interval_count", "package_size", "discount_percent", "discount_amount", "discount_end", "withdrawn"];
const COUNT: usize = 0;
const PACKAGE: usize = 1;
const PERCENT: usize = 2;
const DISCOUNT: usize = 3;
const DISCOUNT_END: usize = 4;
const WITHDRAWN: usize = 5;

/// Which codes of several columns rows have together: each mixture that occurs has a number, in the order of first rows.
#[derive(Debug, Default)]
struct Mixtures {
    of_rows: Vec<u32>,
    /// For each column, what its mixtures are made of: the mixture of the columns before it and its code.
    made_of: Vec<Vec<(u32, u32)>>,
    /// The mixtures of rows that count, by the numbers that they had before others were left out.
    kept: Vec<u32>,
    /// Numbers of mixtures, by what they were before a column and by its code.
    table: Vec<u32>,
}

impl Mixtures {
    /// No number of a mixture: there are no more of them than rows.
    const NONE: u32 = u32::MAX;

    /// All rows are alike as yet.
    fn begin(&mut self, mut of_rows: Vec<u32>, rows: usize) {
        of_rows.clear();
        of_rows.resize(rows, 0);
        self.of_rows = of_rows;
        self.made_of.clear();
        self.kept.clear();
        self.kept.extend((rows > 0).then_some(0));
    }

    /// How many there are.
    fn len(&self) -> usize {
        self.kept.len()
    }

    /// Mixes in a column with so many different codes, and says its place among those that were.
    fn add(&mut self, codes: &[u32], different: usize) -> usize {
        /// Places of a table that stays in the cache.
        const PLACES: usize = 1 << 18;
        let before = self.kept.len();
        let mut made_of = Vec::new();
        let rows = self.of_rows.iter_mut().zip(codes);
        if before.saturating_mul(different) <= PLACES {
            self.table.clear();
            self.table.resize(before * different, Self::NONE);
            let table = self.table.as_mut_slice();
            for (mixture, code) in rows {
                let known = &mut table[*mixture as usize * different + *code as usize];
                if *known == Self::NONE {
                    *known = further(&mut made_of, *mixture, *code);
                }
                *mixture = *known;
            }
        } else {
            let mut known: HashMap<(u32, u32), u32> = HashMap::new();
            for (mixture, code) in rows {
                *mixture = *known.entry((*mixture, *code)).or_insert_with(|| further(&mut made_of, *mixture, *code));
            }
        }
        self.kept.clear();
        self.kept.extend(0..made_of.len() as u32);
        self.made_of.push(made_of);
        self.made_of.len() - 1
    }

    /// The codes that a mixture is made of, column by column.
    fn codes(&self, mixture: usize, codes: &mut Vec<u32>) {
        codes.clear();
        codes.resize(self.made_of.len(), 0);
        let mut mixture = self.kept[mixture];
        for (code, made_of) in codes.iter_mut().zip(&self.made_of).rev() {
            (mixture, *code) = made_of[mixture as usize];
        }
    }

    /// Rows that do not count make no mixture; they are given the number of the first.
    fn leave_out(&mut self, known: &[bool]) {
        let mut numbers = vec![Self::NONE; self.kept.len()];
        self.kept.clear();
        for (row, mixture) in self.of_rows.iter_mut().enumerate() {
            if !known.get(row).copied().unwrap_or(false) {
                *mixture = 0;
                continue;
            }
            let number = &mut numbers[*mixture as usize];
            if *number == Self::NONE {
                self.kept.push(*mixture);
                *number = self.kept.len() as u32 - 1;
            }
            *mixture = *number;
        }
    }
}

/// Takes in a mixture that has not occurred yet, and gives its number. Apart from the loop over rows, which is as short as
/// what it does not need lets it be.
#[cold]
#[inline(never)]
fn further(made_of: &mut Vec<(u32, u32)>, mixture: u32, code: u32) -> u32 {
    made_of.push((mixture, code));
    made_of.len() as u32 - 1
}

/// Reads a column of ids as keys; none when there is no such column. An id that cannot have a key is [`Key::NONE`]; says
/// whether surely none is.
pub(super) fn read_ids(
    source: &Source,
    group: usize,
    name: &str,
    keys: &Keys,
    buffers: &mut Buffers,
    out: &mut Vec<Key>,
) -> Result<Option<bool>, BooksError> {
    let of_nothing = keys.of(b"").unwrap_or(Key::NONE);
    match source.chunk(group, name)? {
        Some(chunk) if chunk.shape == Shape::Text => {
            let mut all_have_keys = of_nothing != Key::NONE || chunk.is_full();
            let of_most = keys.of_most();
            chunk.read(of_nothing, buffers, out, &mut |raw| {
                Ok(of_most.key(raw.bytes()).unwrap_or_else(|| {
                    let key = keys.of(raw.bytes());
                    all_have_keys &= key.is_some();
                    key.unwrap_or(Key::NONE)
                }))
            })?;
            Ok(Some(all_have_keys))
        }
        Some(_) => Err(wrong(name, "text")),
        None if source.has(name) => {
            out.clear();
            out.resize(source.rows(group), of_nothing);
            Ok(Some(of_nothing != Key::NONE))
        }
        None => Ok(None),
    }
}

/// Whether the subscriptions of a group are told apart by more than their ids.
pub(super) fn has_parts(source: &Source, group: usize, several_sources: bool) -> Result<bool, BooksError> {
    Ok(several_sources || source.chunk(group, "item")?.is_some())
}

/// Subscriptions' ids joined with the items that they are of, and with their source where there are several.
pub(super) fn joined(
    source: &Source,
    group: usize,
    several_sources: bool,
    mut visit: impl FnMut(&[u8]) -> Result<(), BooksError>,
) -> Result<(), BooksError> {
    let ids = Pieces::read(source, group, "subscription")?;
    if ids.is_none() && !source.has("subscription") {
        return Err(BooksError::MissingColumn { column: "subscription".to_owned() });
    }
    let items = Pieces::read(source, group, "item")?;
    let origins = if several_sources { Pieces::read(source, group, "source")? } else { None };
    let mut joint = [0; 4];
    let joint = JOINT.encode_utf8(&mut joint).as_bytes();
    let mut id = Vec::new();
    for row in 0..source.rows(group) {
        let piece = |pieces: &'_ Option<Pieces>| pieces.as_ref().and_then(|pieces| pieces.range(row));
        let append = |id: &mut Vec<u8>, pieces: &Option<Pieces>| {
            if let (Some(range), Some(pieces)) = (piece(pieces), pieces) {
                id.extend_from_slice(pieces.bytes.get(range).unwrap_or_default());
            }
        };
        id.clear();
        append(&mut id, &ids);
        let (has_item, has_source) = (piece(&items).is_some(), piece(&origins).is_some());
        if has_item || has_source {
            id.extend_from_slice(joint);
            append(&mut id, &items);
        }
        if has_source {
            id.extend_from_slice(joint);
            append(&mut id, &origins);
        }
        visit(&id)?;
    }
    Ok(())
}

/// A column of text: its different texts one after the other, and where each row's lies.
pub(super) struct Pieces {
    bytes: Vec<u8>,
    /// Where a text begins and how long it is; [`u32::MAX`] where there is none.
    cells: Vec<(u32, u32)>,
}

impl Pieces {
    pub(super) fn read(source: &Source, group: usize, name: &str) -> Result<Option<Self>, BooksError> {
        let Some(chunk) = source.chunk(group, name)? else { return Ok(None) };
        if chunk.shape != Shape::Text {
            return Err(wrong(name, "text"));
        }
        let mut pieces = Pieces { bytes: Vec::new(), cells: Vec::new() };
        let bytes = &mut pieces.bytes;
        chunk.read((u32::MAX, 0), &mut Buffers::default(), &mut pieces.cells, &mut |raw| {
            let begin = u32::try_from(bytes.len()).map_err(|_| BooksError::TooMany { what: "bytes of ids" })?;
            bytes.extend_from_slice(raw.bytes());
            Ok((begin, raw.bytes().len() as u32))
        })?;
        Ok(Some(pieces))
    }

    /// The text of a row; empty where there is none.
    pub(super) fn text(&self, row: usize) -> &[u8] {
        self.range(row).and_then(|range| self.bytes.get(range)).unwrap_or_default()
    }

    fn range(&self, row: usize) -> Option<std::ops::Range<usize>> {
        let (begin, length) = self.cells.get(row).copied().filter(|(begin, _)| *begin != u32::MAX)?;
        Some(begin as usize..begin as usize + length as usize)
    }
}

/// The columns that a moment is kept in: of days and of instants. It is one column of either, or a pair.
fn halves(source: &Source, group: usize, name: &str) -> Result<[Option<String>; 2], BooksError> {
    let mut found = [None, None];
    let stem = name.strip_suffix("_at").unwrap_or(name);
    for column in [name.to_owned(), format!("{stem}_day"), format!("{stem}_at")] {
        match source.chunk(group, &column)?.map(|chunk| chunk.shape) {
            None => {}
            Some(Shape::Day) => found[0] = Some(column),
            Some(Shape::Instant) => found[1] = Some(column),
            Some(_) => return Err(wrong(&column, "a date or an instant in microseconds")),
        }
    }
    Ok(found)
}

/// The moments of a group's rows; none when no row has one.
fn moments(source: &Source, group: usize, name: &str) -> Result<Option<Vec<Option<Moment>>>, BooksError> {
    let [days, instants] = halves(source, group, name)?;
    if days.is_none() && instants.is_none() {
        return Ok(None);
    }
    let mut moments = vec![None; source.rows(group)];
    let mut buffers = Buffers::default();
    let mut some = false;
    // Where a row has both, the day holds.
    for (column, is_day) in [(instants, false), (days, true)] {
        let Some(column) = column else { continue };
        let Some(chunk) = source.chunk(group, &column)? else { continue };
        let mut cells = Vec::new();
        chunk.read(None, &mut buffers, &mut cells, &mut |raw| {
            Ok(Some(if is_day { Moment::Day(day(raw)) } else { Moment::Instant(raw.number() as i64) }))
        })?;
        for (moment, cell) in moments.iter_mut().zip(cells) {
            some |= cell.is_some();
            *moment = cell.or(*moment);
        }
    }
    Ok(some.then_some(moments))
}

fn day(raw: Raw<'_>) -> Day {
    Day(raw.number() as i32)
}

fn whole(raw: Raw<'_>, name: &str) -> Result<i64, BooksError> {
    match raw {
        Raw::Number(number) => Ok(number),
        Raw::Bytes(_) => Err(wrong(name, "a whole number")),
    }
}

fn to_picos(shape: Shape, name: &str) -> Result<i64, BooksError> {
    match shape {
        Shape::Decimal { scale } => Ok(10i64.pow(12 - scale.min(12))),
        _ => Err(wrong(name, "a decimal of at most 12 decimals")),
    }
}

fn wrong(name: &str, wanted: &str) -> BooksError {
    BooksError::WrongColumn { column: name.to_owned(), found: "something else".to_owned(), wanted: wanted.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_instants_that_holds_none_leaves_every_row_its_end() {
        use parquet::{
            data_type::{Int32Type, Int64Type},
            file::{
                properties::{EnabledStatistics, WriterProperties},
                writer::SerializedFileWriter,
            },
            schema::parser::parse_message_type,
        };
        let schema = "message facts { REQUIRED INT32 start (DATE); OPTIONAL INT64 end (TIMESTAMP(MICROS, true)); }";
        // The file does not say how many rows have no value.
        let properties = WriterProperties::builder().set_statistics_enabled(EnabledStatistics::None).build();
        let file = tempfile::NamedTempFile::new().unwrap();
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut writer = SerializedFileWriter::new(file.reopen().unwrap(), schema, Arc::new(properties)).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int32Type>().write_batch(&[20_000, 20_001, 20_002], None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[], Some(&[0, 0, 0]), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();

        let ticks = Ticks::new(&revenue::policy::Policy::default(), revenue::calendar::Zone::utc());
        let mut read = Group::default();
        read.read_times(&Source::open(file.path()).unwrap(), 0, &ticks).unwrap();
        assert_eq!((read.starts, read.ends), (vec![20_000, 20_001, 20_002], vec![NEVER; 3]));
    }

    #[test]
    fn mixtures_are_numbered_in_the_order_of_their_first_rows() {
        let rows = 3_000;
        let column =
            |step: u32, different: u32| (0..rows).map(|row| row * row / step % different).collect::<Vec<u32>>();
        // The last two have too many codes for a table.
        let columns =
            [(3, 5), (17, 4), (1, 7), (5, 2_900), (2, 2_000)].map(|(step, different)| column(step, different));
        let known: Vec<bool> = (0..rows).map(|row| row % 11 > 2).collect();
        for count in 0..=columns.len() {
            for known in [None, Some(&known)] {
                let mut mixtures = Mixtures::default();
                mixtures.begin(vec![9; 4], rows as usize);
                for codes in &columns[..count] {
                    let different = codes.iter().max().map_or(1, |most| *most as usize + 1);
                    mixtures.add(codes, different);
                }
                known.into_iter().for_each(|known| mixtures.leave_out(known));
                let counts = |row: usize| known.is_none_or(|known| known[row]);
                let mut numbers: HashMap<Vec<u32>, u32> = HashMap::new();
                let mut read = Vec::new();
                for row in (0..rows as usize).filter(|row| counts(*row)) {
                    let mixture: Vec<u32> = columns[..count].iter().map(|codes| codes[row]).collect();
                    let next = numbers.len() as u32;
                    let number = *numbers.entry(mixture.clone()).or_insert(next);
                    assert_eq!(mixtures.of_rows[row], number, "row {row} of {count} columns");
                    mixtures.codes(number as usize, &mut read);
                    assert_eq!(read, mixture, "row {row} of {count} columns");
                }
                assert_eq!(mixtures.len(), numbers.len());
                assert_eq!(mixtures.of_rows.len(), rows as usize);
            }
        }
    }
}
