//! Files that are the whole truth: facts of their kind and source that they no longer have are withdrawn.
//!
//! Also what both this and the export need: which version of a fact is the latest.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use hashbrown::{HashMap, HashSet};

use super::ImportError;
use super::export::printed as printed_value;
use crate::kind::Kind;
use crate::lake::{Import, Lake, Progress};

/// A fact's identity: the hash of its source and the values of its key. Sixteen bytes never meet by chance.
pub(super) type Identity = [u8; 16];

/// The facts that a file has.
#[derive(Default)]
pub(super) struct Keys {
    identities: HashSet<Identity>,
}

impl Keys {
    pub(super) fn add(&mut self, kind: &Kind, batch: &RecordBatch) {
        if let Ok(identities) = identities(kind, batch) {
            self.identities.extend(identities);
        }
    }
}

/// Rows of one file that state one fact differently, for kinds without ids: of such rows only the last holds, so that
/// part of a total would be gone without a word.
#[derive(Default)]
pub(super) struct Repeats {
    seen: HashMap<Identity, (Identity, i64)>,
}

impl Repeats {
    /// Looks at further rows; each that states a fact again, differently, with the row that stated it before.
    pub(super) fn add(&mut self, kind: &Kind, batch: &RecordBatch) -> Result<Vec<(u64, u64)>, ArrowError> {
        let identities = identities(kind, batch)?;
        let contents = contents(kind, batch)?;
        let places = Places::of(batch)?;
        let mut repeats = Vec::new();
        for (row, (identity, content)) in identities.into_iter().zip(contents).enumerate() {
            let line = places.rows.value(row);
            if let Some((before, first)) = self.seen.insert(identity, (content, line))
                && before != content
            {
                repeats.push((first as u64, line as u64));
            }
        }
        Ok(repeats)
    }
}

/// The latest version of each fact: in which import (by commit order) and row.
///
/// As in the ledger, the latest import holds, and the same content again changes nothing.
pub(super) struct Latest {
    versions: HashMap<Identity, (usize, i64)>,
    ranks: HashMap<i64, usize>,
}

/// What was last said of a fact, and since when.
struct Said {
    content: Identity,
    version: (usize, i64),
}

impl Latest {
    /// Finds them among what was known at a time.
    pub(super) fn find(
        lake: &Lake,
        kind: &Kind,
        source: Option<&str>,
        as_known_at: Option<i64>,
    ) -> Result<Self, ImportError> {
        Self::find_among(lake, kind, source, as_known_at, None)
    }

    /// The same of some facts alone.
    pub(super) fn find_among(
        lake: &Lake,
        kind: &Kind,
        source: Option<&str>,
        as_known_at: Option<i64>,
        among: Option<&HashSet<Identity>>,
    ) -> Result<Self, ImportError> {
        let ranks: HashMap<i64, usize> =
            lake.import_numbers(as_known_at)?.into_iter().enumerate().map(|(rank, import)| (import, rank)).collect();
        let mut latest = Self { versions: HashMap::new(), ranks };
        let mut said: HashMap<Identity, Said> = HashMap::new();
        let stored = stored_columns(kind);
        for batch in lake.read(kind.table, &[], as_known_at)? {
            let batch = batch?;
            let identities = identities(kind, &batch).map_err(fault)?;
            let contents = hashes(&stored, &batch).map_err(fault)?;
            let places = Places::of(&batch).map_err(fault)?;
            for (row, (identity, content)) in identities.into_iter().zip(contents).enumerate() {
                let is_meant = among.is_none_or(|among| among.contains(&identity));
                if !is_meant || source.is_some_and(|source| places.sources.value(row) != source) {
                    continue;
                }
                let version = latest.version(&places, row);
                // Rows come in the order of their recording.
                let known = said.entry(identity).or_insert_with(|| Said { content, version });
                if known.content != content {
                    *known = Said { content, version };
                }
            }
        }
        latest.versions = said.into_iter().map(|(identity, said)| (identity, said.version)).collect();
        Ok(latest)
    }

    fn version(&self, places: &Places<'_>, row: usize) -> (usize, i64) {
        let rank = self.ranks.get(&places.imports.value(row)).copied().unwrap_or(0);
        (rank, places.rows.value(row))
    }

    /// The rows of a batch that are the latest version of their fact and not withdrawn; each once.
    pub(super) fn of(
        &mut self,
        kind: &Kind,
        batch: &RecordBatch,
        wanted: impl Fn(&Identity) -> bool,
    ) -> Result<RecordBatch, ArrowError> {
        let identities = identities(kind, batch)?;
        let places = Places::of(batch)?;
        let withdrawn = column(batch, "withdrawn")?.as_boolean_opt().ok_or_else(|| wrong("withdrawn"))?;
        let mut kept = Vec::with_capacity(batch.num_rows());
        for (row, identity) in identities.iter().enumerate() {
            let latest = self.versions.get(identity) == Some(&self.version(&places, row));
            if latest {
                // A row that stands twice in the lake is one version.
                self.versions.remove(identity);
            }
            kept.push(latest && !withdrawn.value(row) && wanted(identity));
        }
        filter_record_batch(batch, &BooleanArray::from(kept))
    }
}

/// Stages a withdrawn version of every fact of a kind and source that the file does not have; how many.
pub(super) fn withdraw_absent(
    lake: &Lake,
    import: &mut Import,
    kind: &'static Kind,
    source: &str,
    keys: &Keys,
) -> Result<u64, ImportError> {
    let mut latest = Latest::find(lake, kind, Some(source), None)?;
    let mut file = import.file(kind.table)?;
    for batch in lake.read(kind.table, &[], None)? {
        let absent = latest.of(kind, &batch?, |identity| !keys.identities.contains(identity)).map_err(fault)?;
        if absent.num_rows() == 0 {
            continue;
        }
        let rows = vec![0; absent.num_rows()];
        file.write(&withdrawn(&absent, import.id(), rows).map_err(fault)?)?;
    }
    let withdrawn = file.rows();
    let resume_point = import.resume_point().unwrap_or("").to_owned();
    let written = file.finish()?;
    import.stage_files(
        written.into_iter().collect(),
        &Progress { resume_point: &resume_point, rows_read: 0, refused: &[] },
    )?;
    Ok(withdrawn)
}

/// The rows as withdrawn versions of themselves, by an import and its rows.
pub(super) fn withdrawn(batch: &RecordBatch, import: i64, rows: Vec<i64>) -> Result<RecordBatch, ArrowError> {
    let count = batch.num_rows();
    let rows: ArrayRef = Arc::new(Int64Array::from(rows));
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, array)| -> ArrayRef {
        match field.name().as_str() {
            "import" => Arc::new(Int64Array::from(vec![import; count])),
            "row" => Arc::clone(&rows),
            "withdrawn" => Arc::new(BooleanArray::from(vec![true; count])),
            _ => Arc::clone(array),
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect())
}

/// Where rows come from.
struct Places<'a> {
    sources: &'a arrow::array::StringArray,
    imports: &'a Int64Array,
    rows: &'a Int64Array,
}

impl<'a> Places<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
        Ok(Self {
            sources: column(batch, "source")?.as_string_opt::<i32>().ok_or_else(|| wrong("source"))?,
            imports: column(batch, "import")?.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong("import"))?,
            rows: column(batch, "row")?.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong("row"))?,
        })
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ArrowError> {
    batch.column_by_name(name).ok_or_else(|| wrong(name))
}

fn wrong(name: &str) -> ArrowError {
    ArrowError::SchemaError(format!("the column {name} is absent or of another type"))
}

pub(super) fn fault(cause: ArrowError) -> ImportError {
    ImportError::Batch { file: "the lake".into(), cause }
}

/// The columns that say what is stated, not by whom and when.
fn stored_columns(kind: &Kind) -> Vec<String> {
    let columns = kind.columns.iter().flat_map(|column| column.storage()).map(|(name, _)| name);
    columns.chain(["attributes", "withdrawn"].map(str::to_owned)).collect()
}

/// What each row states, as a hash.
pub(super) fn contents(kind: &Kind, batch: &RecordBatch) -> Result<Vec<Identity>, ArrowError> {
    hashes(&stored_columns(kind), batch)
}

/// The identity of each row.
pub(super) fn identities(kind: &Kind, batch: &RecordBatch) -> Result<Vec<Identity>, ArrowError> {
    let mut names = vec!["source".to_owned()];
    for key in kind.key {
        if let Some(column) = kind.position(key).and_then(|at| kind.columns.get(at)) {
            names.extend(column.storage().into_iter().map(|(name, _)| name));
        }
    }
    hashes(&names, batch)
}

/// The identities of the facts of which any version has a text in a column.
pub(super) fn naming(
    lake: &Lake,
    kind: &Kind,
    as_known_at: Option<i64>,
    (name, text): (&str, &str),
) -> Result<HashSet<Identity>, ImportError> {
    let mut found = HashSet::new();
    for batch in lake.read(kind.table, &[], as_known_at)? {
        let named = rows_with(&batch?, name, text).map_err(fault)?;
        if named.num_rows() > 0 {
            found.extend(identities(kind, &named).map_err(fault)?);
        }
    }
    Ok(found)
}

/// The rows of a batch that have a text in a column.
pub(super) fn rows_with(batch: &RecordBatch, name: &str, text: &str) -> Result<RecordBatch, ArrowError> {
    let texts = batch.column_by_name(name).and_then(|array| array.as_string_opt::<i32>());
    let has = (0..batch.num_rows())
        .map(|row| texts.is_some_and(|texts| texts.is_valid(row) && texts.value(row) == text))
        .collect::<Vec<bool>>();
    filter_record_batch(batch, &BooleanArray::from(has))
}

/// The hash of the values of some columns, for each row.
fn hashes(names: &[String], batch: &RecordBatch) -> Result<Vec<Identity>, ArrowError> {
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        // A table made before the kind had the column says nothing in it.
        columns.push(batch.column_by_name(name).map(|array| (array, array.as_string_opt::<i32>())));
    }
    let mut identities = Vec::with_capacity(batch.num_rows());
    let mut hashed: Vec<u8> = Vec::new();
    for row in 0..batch.num_rows() {
        hashed.clear();
        for column in &columns {
            let Some((array, texts)) = column.filter(|(array, _)| array.is_valid(row)) else {
                // No text has this length, so that nothing and an empty text differ.
                hashed.extend_from_slice(&u64::MAX.to_le_bytes());
                continue;
            };
            let printed;
            let text = match texts {
                Some(texts) => texts.value(row),
                None => {
                    printed = printed_value(array.as_ref(), row).unwrap_or_default();
                    &printed
                }
            };
            hashed.extend_from_slice(&(text.len() as u64).to_le_bytes());
            hashed.extend_from_slice(text.as_bytes());
        }
        let mut identity = [0; 16];
        identity.iter_mut().zip(blake3::hash(&hashed).as_bytes()).for_each(|(to, from)| *to = *from);
        identities.push(identity);
    }
    Ok(identities)
}
