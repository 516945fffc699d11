//! Facts as they came: the latest version of each fact that is not withdrawn, as text, in the kind's columns.
//!
//! Importing an export adds nothing new in meaning: what was not given is empty, defaults are not filled in, and
//! attributes are columns after those of the kind.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{SortColumn, concat_batches, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use revenue::calendar::{Day, Moment};
use revenue::money::print_scaled;

use super::ImportError;
use super::withdrawal::{Identity, Latest, fault, naming, rows_with};
use crate::kind::{DECIMAL_SCALE, Kind, ValueKind};
use crate::lake::Lake;
use crate::source::rows::needs_guard;

/// A column of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportColumn {
    /// Its name.
    pub name: String,
    /// Whether it is free text, which a spreadsheet could take for a formula; numbers stay numbers.
    pub text: bool,
}

/// The rows of an export, sorted by key.
pub struct Export {
    kind: &'static Kind,
    columns: Vec<ExportColumn>,
    attributes: Vec<String>,
    batches: VecDeque<RecordBatch>,
    row: usize,
}

/// The facts of a kind as they were known at a time (now when none is given), of one source or of all.
///
/// # Errors
/// When the lake cannot be read.
pub fn export(
    lake: &Lake,
    kind: &'static Kind,
    source: Option<&str>,
    as_known_at: Option<i64>,
) -> Result<Export, ImportError> {
    gather(lake, kind, source, as_known_at, None)
}

/// As [`export`], of the facts alone that have a text in a column, such as those of one customer.
///
/// # Errors
/// When the lake cannot be read.
pub fn export_of(
    lake: &Lake,
    kind: &'static Kind,
    having: (&str, &str),
    as_known_at: Option<i64>,
) -> Result<Export, ImportError> {
    gather(lake, kind, None, as_known_at, Some(having))
}

fn gather(
    lake: &Lake,
    kind: &'static Kind,
    source: Option<&str>,
    as_known_at: Option<i64>,
    having: Option<(&str, &str)>,
) -> Result<Export, ImportError> {
    let mut facts = Vec::new();
    let mut attributes: BTreeSet<String> = BTreeSet::new();
    if lake.tables()?.iter().any(|table| table == kind.table) {
        // A later version may have another text there: all versions of a fact are looked at, once it is meant.
        let among = having.map(|having| naming(lake, kind, as_known_at, having)).transpose()?;
        let mut latest = Latest::find_among(lake, kind, source, as_known_at, among.as_ref())?;
        for batch in lake.read(kind.table, &[], as_known_at)? {
            let is_meant = |identity: &Identity| among.as_ref().is_none_or(|among| among.contains(identity));
            let mut batch = latest.of(kind, &batch?, is_meant).map_err(fault)?;
            if let Some((name, text)) = having {
                batch = rows_with(&batch, name, text).map_err(fault)?;
            }
            if batch.num_rows() == 0 {
                continue;
            }
            if let Some(objects) = batch.column_by_name("attributes").and_then(|array| array.as_string_opt::<i32>()) {
                for object in objects.iter().flatten() {
                    attributes.extend(object_of(object).into_iter().map(|(name, _)| name));
                }
            }
            facts.push(batch);
        }
    }
    let mut batches = VecDeque::new();
    if let Some(first) = facts.first() {
        let all = concat_batches(&first.schema(), &facts).map_err(fault)?;
        drop(facts);
        batches.push_back(sorted(kind, &all).map_err(fault)?);
    }
    let attributes: Vec<String> = attributes.into_iter().collect();
    let columns = kind
        .columns
        .iter()
        .map(|column| ExportColumn {
            name: column.name.to_owned(),
            text: matches!(column.value, ValueKind::Text | ValueKind::Id),
        })
        .chain(attributes.iter().map(|name| ExportColumn { name: name.clone(), text: true }))
        .collect();
    Ok(Export { kind, columns, attributes, batches, row: 0 })
}

fn sorted(kind: &Kind, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut keys = Vec::new();
    let names = kind.key.iter().filter_map(|key| kind.columns.get(kind.position(key)?)).flat_map(|key| key.storage());
    // Two sources may name a fact alike; then the source decides.
    for name in names.map(|(name, _)| name).chain(["source".to_owned()]) {
        if let Some(values) = batch.column_by_name(&name) {
            keys.push(SortColumn { values: values.clone(), options: None });
        }
    }
    take_record_batch(batch, &lexsort_to_indices(&keys, None)?)
}

impl Export {
    /// The columns of each row.
    #[must_use]
    pub fn columns(&self) -> &[ExportColumn] {
        &self.columns
    }

    /// The header as a line of CSV, with its line end.
    #[must_use]
    pub fn csv_header(&self) -> String {
        let mut line = String::new();
        for (at, column) in self.columns.iter().enumerate() {
            push_csv(&mut line, at, &column.name);
        }
        line.push('\n');
        line
    }

    /// A row as a line of CSV, with its line end. Text that a spreadsheet would take for a formula gets an
    /// apostrophe in front, which the import takes away again.
    #[must_use]
    pub fn csv_line(&self, row: &[Option<String>]) -> String {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let text = cell.as_deref().unwrap_or("");
            let guarded = self.columns.get(at).is_some_and(|column| column.text) && needs_guard(text);
            let text = if guarded { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) };
            push_csv(&mut line, at, &text);
        }
        line.push('\n');
        line
    }

    /// The next row with the import and the row of its file that stated it.
    pub fn next_with_place(&mut self) -> Option<(Vec<Option<String>>, i64, i64)> {
        self.next_read(|batch, row| {
            let number = |name: &str| {
                let numbers = batch.column_by_name(name).and_then(|array| array.as_primitive_opt::<Int64Type>());
                numbers.map_or(0, |numbers| numbers.value(row))
            };
            (number("import"), number("row"))
        })
        .map(|(cells, (import, row))| (cells, import, row))
    }

    /// The next row with the source whose fact it is.
    pub fn next_with_source(&mut self) -> Option<(Vec<Option<String>>, String)> {
        self.next_read(|batch, row| {
            let sources = batch.column_by_name("source").and_then(|array| array.as_string_opt::<i32>());
            sources
                .filter(|sources| !sources.is_null(row))
                .map_or_else(String::new, |sources| sources.value(row).into())
        })
    }

    /// The next row with what is read of it besides.
    fn next_read<R>(&mut self, read: impl Fn(&RecordBatch, usize) -> R) -> Option<(Vec<Option<String>>, R)> {
        loop {
            let batch = self.batches.front()?;
            if self.row < batch.num_rows() {
                let of_row = (self.cells(batch, self.row), read(batch, self.row));
                self.row += 1;
                return Some(of_row);
            }
            self.batches.pop_front();
            self.row = 0;
        }
    }

    fn cells(&self, batch: &RecordBatch, row: usize) -> Vec<Option<String>> {
        let mut cells = Vec::with_capacity(self.columns.len());
        for column in self.kind.columns {
            let mut cell = None;
            for (name, _) in column.storage() {
                if let Some(array) = batch.column_by_name(&name).filter(|array| !array.is_null(row)) {
                    cell = printed(array.as_ref(), row);
                }
            }
            cells.push(cell);
        }
        if !self.attributes.is_empty() {
            let object = batch
                .column_by_name("attributes")
                .and_then(|array| array.as_string_opt::<i32>())
                .filter(|texts| !texts.is_null(row))
                .map(|texts| object_of(texts.value(row)))
                .unwrap_or_default();
            for name in &self.attributes {
                cells.push(object.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone()));
            }
        }
        cells
    }
}

impl Iterator for Export {
    type Item = Vec<Option<String>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_with_place().map(|(cells, _, _)| cells)
    }
}

/// A stored value as an import reads it.
pub(crate) fn printed(array: &dyn Array, row: usize) -> Option<String> {
    if let Some(texts) = array.as_string_opt::<i32>() {
        return Some(texts.value(row).to_owned());
    }
    if let Some(numbers) = array.as_primitive_opt::<Decimal128Type>() {
        return Some(print_scaled(numbers.value(row), DECIMAL_SCALE, 0));
    }
    if let Some(numbers) = array.as_primitive_opt::<Int64Type>() {
        return Some(numbers.value(row).to_string());
    }
    if let Some(days) = array.as_primitive_opt::<Date32Type>() {
        return Some(Moment::Day(Day(days.value(row))).to_string());
    }
    if let Some(instants) = array.as_primitive_opt::<TimestampMicrosecondType>() {
        return Some(Moment::Instant(instants.value(row)).to_string());
    }
    array.as_boolean_opt().map(|flags| flags.value(row).to_string())
}

fn object_of(text: &str) -> Vec<(String, String)> {
    // The column is written by the import alone, always an object of texts.
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
    object
        .into_iter()
        .map(|(name, value)| match value {
            serde_json::Value::String(text) => (name, text),
            other => (name, other.to_string()),
        })
        .collect()
}

/// Appends a field as RFC 4180 wants it.
fn push_csv(line: &mut String, at: usize, text: &str) {
    if at > 0 {
        line.push(',');
    }
    let quoted = text.contains(['"', ',', '\n', '\r']) || text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']);
    if quoted {
        line.push('"');
        line.push_str(&text.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(text);
    }
}
