//! Block → Arrow batch: each column in one loop over the block's records, then the rules between columns, then the
//! rows that stand. Nothing is allocated for a value; a row with an issue is refused whole, the others go on.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, BooleanBuilder, Date32Array, Date32Builder, Decimal128Builder, Int64Array, Int64Builder,
    RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use revenue::calendar::{Day, Moment};
use revenue::money::Currency;

use super::block::{Block, Position, Record, Span};
use super::habit::{DateHabit, DecimalHabit};
use super::issue::{Code, Issue, shown};
use super::limits;
use super::mapping::{Mapping, Origin, is_null_word};
use super::reshape::{Passed, Reshape};
use super::value::{self, Sign};
use crate::kind::{Choice, DECIMAL_PRECISION, DECIMAL_SCALE, Need, Rule, ValueKind};

/// A row that was refused, with every reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The line on which it begins.
    pub row: u64,
    /// Its text as it stands in the file (for Parquet a JSON object). Where it is not text in the file's encoding
    /// every byte is the character of its number, so that nothing is lost.
    pub raw: String,
    /// Why; never empty.
    pub issues: Vec<Issue>,
}

/// What became of a block.
#[derive(Debug)]
pub struct Rows {
    /// The rows that stand, in the schema of the kind.
    pub batch: RecordBatch,
    /// The others.
    pub refused: Vec<Refusal>,
    /// Records of the block that were to become rows.
    pub read: u64,
    /// Lines that are no rows: why, and which.
    pub passed: Passed,
    /// Where reading goes on.
    pub next: Position,
}

/// How a file writes its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// Its numbers.
    pub decimal: DecimalHabit,
    /// Its dates.
    pub dates: DateHabit,
    /// Whether cells may carry the apostrophe that keeps a spreadsheet from taking text for a formula.
    pub spreadsheet: bool,
}

/// Turns the blocks of one file into batches.
pub struct RowReader {
    reshape: Option<Reshape>,
    mapping: Mapping,
    habits: Habits,
    schema: SchemaRef,
    source: String,
    import: i64,
    /// `"name":` of each attribute, as JSON.
    labels: Vec<String>,
}

/// The values of one column, row for row; refused rows hold anything.
enum Cells {
    Text(Vec<Span>),
    Currency(Vec<Option<Currency>>),
    /// Position of the word, or [`NO_WORD`].
    Word(Vec<u16>, &'static [Choice]),
    /// A word as −1 − position, or months from 1, or 0 for nothing.
    WordOrMonths(Vec<i64>, &'static [Choice]),
    Number(Vec<i128>, Vec<bool>),
    Whole(Vec<i64>, Vec<bool>),
    Day(Vec<i32>, Vec<bool>),
    Moment(Vec<Option<Moment>>),
    Flag(Vec<Option<bool>>),
}

const NO_WORD: u16 = u16::MAX;

/// What is found out while the columns of a block are read.
struct Findings {
    bad: Vec<bool>,
    issues: Vec<(usize, Issue)>,
    /// Currency signs beside amounts: row, column, sign.
    signs: Vec<(usize, usize, Sign)>,
    /// Words that mean several of theirs: row, column, how many.
    multiples: Vec<(usize, usize, i64)>,
}

impl Findings {
    fn refuse(&mut self, row: usize, line: u64, column: Option<&'static str>, code: Code, message: String) {
        if let Some(bad) = self.bad.get_mut(row) {
            *bad = true;
        }
        self.issues.push((row, Issue { code, row: line, column, message }));
    }
}

impl RowReader {
    /// A reader of the rows of one import.
    #[must_use]
    pub fn new(reshape: Option<Reshape>, mapping: Mapping, habits: Habits, source: &str, import: i64) -> Self {
        let schema = mapping.kind.schema();
        let mut reader =
            Self { reshape, mapping, habits, schema, source: source.to_owned(), import, labels: Vec::new() };
        reader.label();
        reader
    }

    /// The columns as they are settled by now.
    #[must_use]
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Takes in names that appeared before the next block.
    pub fn extend(&mut self, names: &[String]) {
        if !names.is_empty() {
            self.mapping.extend(names);
            self.label();
        }
    }

    fn label(&mut self) {
        let names = &self.mapping.names;
        self.labels = self
            .mapping
            .attributes
            .iter()
            .map(|index| {
                let mut label = String::new();
                push_json(&mut label, names.get(*index).map_or("", String::as_str));
                label.push(':');
                label
            })
            .collect();
    }

    /// Reads the rows of a block.
    ///
    /// # Errors
    /// Only when Arrow does not take the columns, which would be a fault of this program.
    pub fn read(&mut self, mut block: Block) -> Result<Rows, ArrowError> {
        let mut passed = Passed::new();
        if let Some(reshape) = &mut self.reshape {
            (block, passed) = reshape.apply(block);
        }
        self.extend(&block.names);
        let count = block.records.len();
        let mut findings =
            Findings { bad: vec![false; count], issues: Vec::new(), signs: Vec::new(), multiples: Vec::new() };
        for (row, record) in block.records.iter().enumerate() {
            if let Some(code) = record.damage {
                let message = match code {
                    Code::FieldsMissing | Code::FieldsExtra => {
                        format!(
                            "{} fields instead of {}",
                            record.count,
                            self.mapping.names.len() - self.mapping.computed
                        )
                    }
                    _ => code.words().means.to_string(),
                };
                findings.refuse(row, record.line, None, code, message);
            }
        }
        let mut columns = Vec::with_capacity(self.mapping.kind.columns.len());
        for at in 0..self.mapping.kind.columns.len() {
            let cells = self.column(at, &mut block, &mut findings);
            columns.push(cells);
        }
        self.check_signs(&block, &columns, &mut findings);
        for rule in self.mapping.kind.rules {
            self.check_rule(*rule, &block, &mut columns, &mut findings);
        }
        let standing: Vec<usize> =
            findings.bad.iter().enumerate().filter(|(_, bad)| !**bad).map(|(row, _)| row).collect();
        let batch = self.batch(&block, columns, &standing)?;
        let refused = self.refusals(&block, findings.issues);
        Ok(Rows { batch, refused, read: count as u64, passed, next: block.next })
    }

    /// Reads one column of a block.
    fn column(&self, at: usize, block: &mut Block, findings: &mut Findings) -> Cells {
        let Some(column) = self.mapping.kind.columns.get(at) else { return Cells::Flag(Vec::new()) };
        let mut place = Place::Nowhere;
        let mut habits = self.habits;
        match self.mapping.origins.get(at) {
            Some(Origin::Field { index, dates, decimal }) => {
                place = Place::Field(*index);
                habits.dates = dates.unwrap_or(habits.dates);
                habits.decimal = decimal.unwrap_or(habits.decimal);
            }
            Some(Origin::Constant(text)) => {
                // The constant becomes text of the block, as if every record held it.
                let start = block.text.len() as u32;
                block.text.push_str(text);
                place = Place::Everywhere(Span { start, end: block.text.len() as u32 });
                // It was written by the user, not by the file.
                (habits.decimal, habits.dates, habits.spreadsheet) = (DecimalHabit::Mixed, DateHabit::Unsettled, false);
            }
            _ => {}
        }
        let block = &*block;
        let required = column.need == Need::Required;
        let mut walk = Walk { block, place, required, column: column.name, value: column.value, findings };
        match column.value {
            ValueKind::Text | ValueKind::Id => {
                let id = column.value == ValueKind::Id;
                let mut cells = vec![Span::ABSENT; block.records.len()];
                walk.rows(id, |row, span, text| {
                    let mut span = span;
                    if habits.spreadsheet && text.starts_with('\'') && is_guarded(text) {
                        span.start += 1;
                    }
                    set(&mut cells, row, span);
                    Ok(())
                });
                Cells::Text(cells)
            }
            ValueKind::Tiers => {
                let mut cells = vec![Span::ABSENT; block.records.len()];
                walk.rows(true, |row, span, text| {
                    value::tiers(text)?;
                    set(&mut cells, row, span);
                    Ok(())
                });
                Cells::Text(cells)
            }
            ValueKind::Currency => {
                let mut cells = vec![None; block.records.len()];
                let mut seen = Seen::new();
                walk.rows(true, |row, _, text| {
                    let currency = seen.of(text, || value::currency(text))?;
                    set(&mut cells, row, Some(currency));
                    Ok(())
                });
                Cells::Currency(cells)
            }
            ValueKind::Choice(choices) => {
                let mut cells = vec![NO_WORD; block.records.len()];
                let mut seen = Seen::new();
                let mut multiples = Vec::new();
                walk.rows(true, |row, _, text| {
                    let (word, times) = seen.of(text, || value::word(text, choices))?;
                    if times != 1 {
                        multiples.push((row, at, times));
                    }
                    set(&mut cells, row, word as u16);
                    Ok(())
                });
                findings.multiples.append(&mut multiples);
                Cells::Word(cells, choices)
            }
            ValueKind::ChoiceOrMonths(choices) => {
                let mut cells = vec![0; block.records.len()];
                let mut seen = Seen::new();
                walk.rows(true, |row, _, text| {
                    let cell = seen.of(text, || match value::word(text, choices) {
                        Ok((word, _)) => Ok(-1 - word as i64),
                        Err(code) => match value::integer(text, habits.decimal) {
                            Ok(months @ 1..) => Ok(months),
                            Ok(_) => Err(Code::NumberBelowOne),
                            Err(_) => Err(code),
                        },
                    })?;
                    set(&mut cells, row, cell);
                    Ok(())
                });
                Cells::WordOrMonths(cells, choices)
            }
            ValueKind::Decimal => {
                let (mut cells, mut present) = (vec![0; block.records.len()], vec![false; block.records.len()]);
                let mut signs = Vec::new();
                walk.rows(true, |row, _, text| {
                    let number = value::decimal(text, habits.decimal)?;
                    if let Some(sign) = number.sign {
                        signs.push((row, at, sign));
                    }
                    set(&mut cells, row, number.scaled);
                    set(&mut present, row, true);
                    Ok(())
                });
                findings.signs.append(&mut signs);
                Cells::Number(cells, present)
            }
            ValueKind::Percent => {
                let (mut cells, mut present) = (vec![0; block.records.len()], vec![false; block.records.len()]);
                walk.rows(true, |row, _, text| {
                    set(&mut cells, row, value::percent(text, habits.decimal)?);
                    set(&mut present, row, true);
                    Ok(())
                });
                Cells::Number(cells, present)
            }
            ValueKind::Integer => {
                let (mut cells, mut present) = (vec![0; block.records.len()], vec![false; block.records.len()]);
                walk.rows(true, |row, _, text| {
                    set(&mut cells, row, value::integer(text, habits.decimal)?);
                    set(&mut present, row, true);
                    Ok(())
                });
                Cells::Whole(cells, present)
            }
            ValueKind::Moment => {
                let mut cells = vec![None; block.records.len()];
                walk.rows(true, |row, _, text| {
                    let moment = value::moment(text, habits.dates)?;
                    if moment.is_none() && required {
                        return Err(Code::DateOutside);
                    }
                    set(&mut cells, row, moment);
                    Ok(())
                });
                Cells::Moment(cells)
            }
            ValueKind::Day => {
                let (mut cells, mut present) = (vec![0; block.records.len()], vec![false; block.records.len()]);
                walk.rows(true, |row, _, text| {
                    match value::day(text, habits.dates)? {
                        Some(day) => {
                            set(&mut cells, row, day.0);
                            set(&mut present, row, true);
                        }
                        None if required => return Err(Code::DateOutside),
                        None => {}
                    }
                    Ok(())
                });
                Cells::Day(cells, present)
            }
            ValueKind::Boolean => {
                let mut cells = vec![None; block.records.len()];
                walk.rows(true, |row, _, text| {
                    set(&mut cells, row, Some(value::boolean(text)?));
                    Ok(())
                });
                Cells::Flag(cells)
            }
        }
    }

    /// An amount's currency sign must fit the currency of its row.
    fn check_signs(&self, block: &Block, columns: &[Cells], findings: &mut Findings) {
        let kind = self.mapping.kind;
        let currencies = kind.position("currency").and_then(|at| columns.get(at));
        for (row, at, sign) in std::mem::take(&mut findings.signs) {
            let currency = match currencies {
                Some(Cells::Currency(cells)) => cells.get(row).copied().flatten(),
                _ => None,
            };
            if currency.is_some_and(|currency| sign.allows(currency.code())) {
                continue;
            }
            let (Some(column), Some(record)) = (kind.columns.get(at), block.records.get(row)) else { continue };
            let text = self.text_of(at, block, record);
            let beside = currency.map_or_else(|| "no currency".to_owned(), |currency| currency.to_string());
            let message = format!("`{}` beside {beside}", shown(text));
            findings.refuse(row, record.line, Some(column.name), Code::SymbolContradicts, message);
        }
    }

    /// Checks one rule on every row that stands so far.
    fn check_rule(&self, rule: Rule, block: &Block, columns: &mut [Cells], findings: &mut Findings) {
        let kind = self.mapping.kind;
        let at = |name: &str| kind.position(name).unwrap_or(usize::MAX);
        if let Rule::Multiplies(word, count) = rule {
            let (word, count) = (at(word), at(count));
            for (row, column, times) in findings.multiples.clone() {
                let Some(Cells::Whole(values, present)) = columns.get_mut(count) else { continue };
                if column != word {
                    continue;
                }
                let before = if present.get(row) == Some(&true) { values.get(row).copied().unwrap_or(1) } else { 1 };
                match (before.checked_mul(times), block.records.get(row)) {
                    (Some(product), _) => {
                        set(values, row, product);
                        set(present, row, true);
                    }
                    (None, Some(record)) => {
                        let name = kind.columns.get(count).map(|column| column.name);
                        let message = format!("{before} × {times}");
                        findings.refuse(row, record.line, name, Code::NumberTooLarge, message);
                    }
                    (None, None) => {}
                }
            }
            return;
        }
        let mut broken: Vec<(usize, usize, Code, String)> = Vec::new();
        let columns = &*columns;
        let number = |column: usize, row: usize| -> Option<i128> {
            match columns.get(column)? {
                Cells::Number(values, present) => present.get(row)?.then(|| values.get(row).copied())?,
                Cells::Whole(values, present) => {
                    let value = present.get(row)?.then(|| values.get(row).copied())??;
                    Some(i128::from(value) * 10i128.pow(DECIMAL_SCALE))
                }
                _ => None,
            }
        };
        let moment = |column: usize, row: usize| -> Option<Moment> {
            match columns.get(column)? {
                Cells::Moment(cells) => cells.get(row).copied().flatten(),
                Cells::Day(cells, present) => {
                    present.get(row)?.then(|| cells.get(row).map(|day| Moment::Day(Day(*day))))?
                }
                _ => None,
            }
        };
        let text = |column: usize, row: usize| -> Option<&str> {
            match columns.get(column)? {
                Cells::Text(cells) => {
                    cells.get(row).filter(|span| **span != Span::ABSENT).map(|span| block.slice(*span))
                }
                Cells::Currency(cells) => cells.get(row)?.as_ref().map(Currency::code),
                _ => None,
            }
        };
        let standing = findings.bad.iter().enumerate().filter(|(_, bad)| !**bad).map(|(row, _)| row);
        match rule {
            Rule::Multiplies(..) => {}
            Rule::NotNegative(name) | Rule::AboveZero(name) | Rule::AtLeastOne(name) => {
                let column = at(name);
                let (least, code) = match rule {
                    Rule::AboveZero(_) => (1, Code::NumberNotPositive),
                    Rule::AtLeastOne(_) => (10i128.pow(DECIMAL_SCALE), Code::NumberBelowOne),
                    _ => (0, Code::NumberNegative),
                };
                for row in standing {
                    if number(column, row).is_some_and(|value| value < least) {
                        broken.push((row, column, code, String::new()));
                    }
                }
            }
            Rule::FitsLedger(amount, quantity) => {
                let (column, quantity) = (at(amount), quantity.map(at));
                // Amounts are scaled by 10^12, the ledger's micro-units by 10^6, quantities here by 10^12 again.
                let most = i128::from(i64::MAX) * 10i128.pow(DECIMAL_SCALE - 6);
                for row in standing {
                    let Some(value) = number(column, row) else { continue };
                    let units = quantity
                        .and_then(|quantity| number(quantity, row))
                        .map_or(1, |scaled| scaled / 10i128.pow(DECIMAL_SCALE));
                    if value
                        .checked_abs()
                        .and_then(|value| value.checked_mul(units.max(1)))
                        .is_none_or(|all| all > most)
                    {
                        broken.push((row, column, Code::AmountTooLarge, String::new()));
                    }
                }
            }
            Rule::After(first, second) | Rule::NotBefore(first, second) => {
                let (first, second) = (at(first), at(second));
                for row in standing {
                    let (Some(from), Some(to)) = (moment(first, row), moment(second, row)) else { continue };
                    let code = match order(from, to) {
                        std::cmp::Ordering::Less => continue,
                        std::cmp::Ordering::Equal if matches!(rule, Rule::NotBefore(..)) => continue,
                        std::cmp::Ordering::Equal => Code::SpanEmpty,
                        std::cmp::Ordering::Greater => Code::SpanBackwards,
                    };
                    broken.push((row, second, code, format!("from {from} to {to}")));
                }
            }
            Rule::Differs(first, second) => {
                let (first, second) = (at(first), at(second));
                for row in standing {
                    if let (Some(one), Some(other)) = (text(first, row), text(second, row))
                        && one == other
                    {
                        broken.push((row, second, Code::SameTwice, String::new()));
                    }
                }
            }
        }
        for (row, column, code, message) in broken {
            let (Some(record), Some(named)) = (block.records.get(row), kind.columns.get(column)) else { continue };
            let message = if message.is_empty() {
                format!("`{}`: {}", shown(self.text_of(column, block, record)), code.words().means)
            } else {
                format!("{message}: {}", code.words().means)
            };
            findings.refuse(row, record.line, Some(named.name), code, message);
        }
    }

    /// What stands in the file for a column, for messages.
    fn text_of<'a>(&'a self, column: usize, block: &'a Block, record: &Record) -> &'a str {
        match self.mapping.origins.get(column) {
            Some(Origin::Field { index, .. }) => block.field(record, *index),
            Some(Origin::Constant(text)) => text,
            _ => "",
        }
    }

    /// The rows that stand, in the kind's schema.
    fn batch(&self, block: &Block, columns: Vec<Cells>, standing: &[usize]) -> Result<RecordBatch, ArrowError> {
        let count = standing.len();
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for cells in columns {
            let array: ArrayRef = match cells {
                Cells::Text(cells) => {
                    let mut builder = StringBuilder::with_capacity(count, count * 12);
                    for row in standing {
                        let span = cells.get(*row).copied().unwrap_or(Span::ABSENT);
                        builder.append_option((span != Span::ABSENT).then(|| block.slice(span)));
                    }
                    Arc::new(builder.finish())
                }
                Cells::Currency(cells) => {
                    let mut builder = StringBuilder::with_capacity(count, count * 3);
                    for row in standing {
                        builder.append_option(cells.get(*row).and_then(Option::as_ref).map(Currency::code));
                    }
                    Arc::new(builder.finish())
                }
                Cells::Word(cells, choices) => {
                    let mut builder = StringBuilder::with_capacity(count, count * 6);
                    for row in standing {
                        let word = cells.get(*row).and_then(|word| choices.get(usize::from(*word)));
                        builder.append_option(word.map(|choice| choice.canonical));
                    }
                    Arc::new(builder.finish())
                }
                Cells::WordOrMonths(cells, choices) => {
                    let mut builder = StringBuilder::with_capacity(count, count * 6);
                    for row in standing {
                        match cells.get(*row).copied().unwrap_or(0) {
                            0 => builder.append_null(),
                            months @ 1.. => builder.append_value(months.to_string()),
                            word => {
                                builder.append_option(choices.get((-1 - word) as usize).map(|choice| choice.canonical))
                            }
                        }
                    }
                    Arc::new(builder.finish())
                }
                Cells::Number(cells, present) => {
                    let mut builder = Decimal128Builder::with_capacity(count);
                    for row in standing {
                        builder.append_option(given(&cells, &present, *row));
                    }
                    Arc::new(builder.finish().with_precision_and_scale(DECIMAL_PRECISION, DECIMAL_SCALE as i8)?)
                }
                Cells::Whole(cells, present) => {
                    let mut builder = Int64Builder::with_capacity(count);
                    for row in standing {
                        builder.append_option(given(&cells, &present, *row));
                    }
                    Arc::new(builder.finish())
                }
                Cells::Day(cells, present) => {
                    let mut builder = Date32Builder::with_capacity(count);
                    for row in standing {
                        builder.append_option(given(&cells, &present, *row));
                    }
                    Arc::new(builder.finish())
                }
                Cells::Moment(cells) => {
                    let mut days = Date32Builder::with_capacity(count);
                    let mut instants = TimestampMicrosecondBuilder::with_capacity(count);
                    for row in standing {
                        let (day, instant) = match cells.get(*row).copied().flatten() {
                            None => (None, None),
                            Some(Moment::Day(day)) => (Some(day.0), None),
                            Some(Moment::Instant(micros)) => (None, Some(micros)),
                        };
                        days.append_option(day);
                        instants.append_option(instant);
                    }
                    let days: Date32Array = days.finish();
                    arrays.push(Arc::new(days));
                    Arc::new(instants.finish().with_timezone("UTC"))
                }
                Cells::Flag(cells) => {
                    let mut builder = BooleanBuilder::with_capacity(count);
                    for row in standing {
                        builder.append_option(cells.get(*row).copied().flatten());
                    }
                    Arc::new(builder.finish())
                }
            };
            arrays.push(array);
        }
        let mut sources = StringBuilder::with_capacity(count, count * self.source.len());
        for _ in standing {
            sources.append_value(&self.source);
        }
        arrays.push(Arc::new(sources.finish()));
        arrays.push(Arc::new(Int64Array::from(vec![self.import; count])));
        arrays.push(Arc::new(Int64Array::from_iter_values(
            standing.iter().map(|row| block.records.get(*row).map_or(0, |record| record.line as i64)),
        )));
        arrays.push(Arc::new(BooleanArray::from(vec![false; count])));
        arrays.push(Arc::new(self.attributes(block, standing)));
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
    }

    /// What the kind does not know, as one JSON object a row; nothing where there is nothing.
    fn attributes(&self, block: &Block, standing: &[usize]) -> arrow::array::StringArray {
        let mut builder = StringBuilder::with_capacity(standing.len(), 0);
        let mut object = String::new();
        for row in standing {
            object.clear();
            if let Some(record) = block.records.get(*row) {
                for (index, label) in self.mapping.attributes.iter().zip(&self.labels) {
                    let text = block.field(record, *index);
                    if text.is_empty() {
                        continue;
                    }
                    object.push(if object.is_empty() { '{' } else { ',' });
                    object.push_str(label);
                    let text =
                        if self.habits.spreadsheet && is_guarded(text) { text.get(1..).unwrap_or("") } else { text };
                    push_json(&mut object, text);
                }
            }
            if object.is_empty() {
                builder.append_null();
            } else {
                object.push('}');
                builder.append_value(&object);
            }
        }
        builder.finish()
    }

    /// The refused rows with all their reasons, in the order of the file.
    fn refusals(&self, block: &Block, mut issues: Vec<(usize, Issue)>) -> Vec<Refusal> {
        issues.sort_by_key(|(row, _)| *row);
        let mut refusals: Vec<Refusal> = Vec::new();
        let mut before = None;
        for (row, issue) in issues {
            match refusals.last_mut() {
                Some(refusal) if before == Some(row) => refusal.issues.push(issue),
                _ => refusals.push(Refusal { row: issue.row, raw: self.raw(block, row), issues: vec![issue] }),
            }
            before = Some(row);
        }
        refusals
    }

    fn raw(&self, block: &Block, row: usize) -> String {
        if let Some((_, bytes)) = block.unreadable.iter().find(|(unreadable, _)| *unreadable == row) {
            return bytes.iter().map(|byte| char::from(*byte)).collect();
        }
        let Some(record) = block.records.get(row) else { return String::new() };
        let text = block.slice(record.raw);
        let mut end = text.len().min(limits::RAW_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        if !text.is_empty() {
            return text.get(..end).unwrap_or("").to_owned();
        }
        let mut object = String::new();
        for (index, name) in self.mapping.names.iter().enumerate() {
            let text = block.field(record, index);
            if !text.is_empty() && object.len() < limits::RAW_BYTES {
                object.push(if object.is_empty() { '{' } else { ',' });
                push_json(&mut object, name);
                object.push(':');
                push_json(&mut object, text);
            }
        }
        object.push_str(if object.is_empty() { "{}" } else { "}" });
        object
    }
}

/// Where the text of a column stands.
#[derive(Clone, Copy)]
enum Place {
    Nowhere,
    Field(usize),
    Everywhere(Span),
}

/// A walk down one column.
struct Walk<'a> {
    block: &'a Block,
    place: Place,
    required: bool,
    column: &'static str,
    value: ValueKind,
    findings: &'a mut Findings,
}

impl<'a> Walk<'a> {
    /// Hands each value that is there to `take`, trimmed; what is missing or cannot be taken refuses its row.
    #[inline]
    fn rows(&mut self, null_words: bool, mut take: impl FnMut(usize, Span, &'a str) -> Result<(), Code>) {
        let block = self.block;
        if matches!(self.place, Place::Nowhere) && !self.required {
            return;
        }
        for (row, record) in block.records.iter().enumerate() {
            if record.damage.is_some() {
                continue;
            }
            let span = match self.place {
                Place::Nowhere => Span::ABSENT,
                Place::Field(index) if index < record.count as usize => {
                    block.fields.get(record.first as usize + index).copied().unwrap_or(Span::ABSENT)
                }
                Place::Field(_) => Span::ABSENT,
                Place::Everywhere(span) => span,
            };
            let (span, text) = trimmed(block, span);
            if text.is_empty() || (null_words && is_null_word(text)) {
                if self.required {
                    let message = format!("{} is empty", self.column);
                    self.findings.refuse(row, record.line, Some(self.column), Code::ValueMissing, message);
                }
                continue;
            }
            if let Err(code) = take(row, span, text) {
                let message = match code {
                    Code::WordUnknown => format!("`{}` is not {}", shown(text), self.value.words()),
                    _ => format!("`{}`: {}", shown(text), code.words().means),
                };
                self.findings.refuse(row, record.line, Some(self.column), code, message);
            }
        }
    }
}

/// A field without the white space around it.
#[inline]
fn trimmed(block: &Block, span: Span) -> (Span, &str) {
    let text = block.slice(span);
    match text.as_bytes() {
        // Most fields begin and end with a visible ASCII character.
        [b'!'..=b'~'] | [b'!'..=b'~', .., b'!'..=b'~'] => (span, text),
        _ => {
            let start = text.len() - text.trim_start().len();
            let text = text.trim();
            let start = span.start + start as u32;
            (Span { start, end: start + text.len() as u32 }, text)
        }
    }
}

#[inline]
fn set<T>(cells: &mut [T], row: usize, value: T) {
    if let Some(cell) = cells.get_mut(row) {
        *cell = value;
    }
}

#[inline]
fn given<T: Copy>(cells: &[T], present: &[bool], row: usize) -> Option<T> {
    if present.get(row) == Some(&true) { cells.get(row).copied() } else { None }
}

/// Values of texts that come again and again: currencies, intervals, statuses.
struct Seen<'a, T> {
    values: Vec<(&'a str, Result<T, Code>)>,
}

impl<'a, T: Copy> Seen<'a, T> {
    /// Beyond so many different texts looking them up costs more than reading them.
    const TEXTS: usize = 16;

    fn new() -> Self {
        Self { values: Vec::new() }
    }

    #[inline]
    fn of(&mut self, text: &'a str, read: impl FnOnce() -> Result<T, Code>) -> Result<T, Code> {
        if let Some((_, value)) = self.values.iter().find(|(seen, _)| *seen == text) {
            return *value;
        }
        let value = read();
        if self.values.len() < Self::TEXTS {
            self.values.push((text, value));
        }
        value
    }
}

/// Which of two moments is first. A day and an instant are compared only as far as any time zone allows: whoever
/// reads the facts knows the zone.
fn order(from: Moment, to: Moment) -> std::cmp::Ordering {
    const MICROS_A_DAY: i64 = 86_400_000_000;
    let loose = |day: i32, instant: i64, day_is_first: bool| {
        let start = i64::from(day) * MICROS_A_DAY;
        let after = if day_is_first { instant - start } else { start - instant };
        // Offsets reach from −12 to +14 hours, and a day lasts at most 25.
        if after < -2 * MICROS_A_DAY { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less }
    };
    match (from, to) {
        (Moment::Day(from), Moment::Day(to)) => from.cmp(&to),
        (Moment::Instant(from), Moment::Instant(to)) => from.cmp(&to),
        (Moment::Day(from), Moment::Instant(to)) => loose(from.0, to, true),
        (Moment::Instant(from), Moment::Day(to)) => loose(to.0, from, false),
    }
}

/// Text that a spreadsheet would take for a formula, kept from it by an apostrophe in front (OWASP ASVS 1.2.10).
/// An export adds one to any text that begins so, after apostrophes or not; an import takes one away.
#[must_use]
pub fn is_guarded(text: &str) -> bool {
    text.strip_prefix('\'').is_some_and(needs_guard)
}

/// Whether a text needs the apostrophe in a CSV file. Numbers do not: they are columns of their own type.
#[must_use]
pub fn needs_guard(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// Appends a text as a JSON string.
pub(crate) fn push_json(to: &mut String, text: &str) {
    to.push('"');
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        to.push_str(text);
    } else {
        for character in text.chars() {
            match character {
                '"' => to.push_str("\\\""),
                '\\' => to.push_str("\\\\"),
                '\n' => to.push_str("\\n"),
                '\r' => to.push_str("\\r"),
                '\t' => to.push_str("\\t"),
                control if u32::from(control) < 0x20 => to.push_str(&format!("\\u{:04x}", u32::from(control))),
                other => to.push(other),
            }
        }
    }
    to.push('"');
}
