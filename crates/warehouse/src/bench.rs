//! The work that other programs are compared with: the movement ledger of many subscription periods from Parquet,
//! written out in full, and the series and cohorts over it.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, Date32Array, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray},
    buffer::{Buffer, OffsetBuffer, ScalarBuffer},
    datatypes::{DataType, Field, Schema},
    error::ArrowError,
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding},
    file::properties::{EnabledStatistics, WriterProperties},
    schema::types::ColumnPath,
};
use revenue::{calendar::Zone, fx::Rates, movement::Kind, policy::Policy};

use crate::{
    books::{self, Books, BooksError, FactFile, Key, View},
    engine::EngineError,
};

/// What is done and timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Periods → movements, written to a file.
    Ledger,
}

impl Task {
    /// A task by its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "ledger" => Some(Task::Ledger),
            _ => None,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Rows written.
    pub rows: u64,
    /// A digest of them, where the task makes one.
    pub digest: Option<String>,
    /// How long single questions took.
    pub milliseconds: BTreeMap<String, f64>,
}

/// Does a task.
///
/// # Errors
/// When a file cannot be read or written.
pub fn run(task: Task, periods: &str, customers: &Path, out: &Path) -> Result<Done, EngineError> {
    let _ = customers;
    match task {
        Task::Ledger => {
            let books = open(periods)?;
            write(&books, out)?;
            Ok(Done { rows: books.ledger.rows() as u64, ..Done::default() })
        }
    }
}

fn open(periods: &str) -> Result<Books, EngineError> {
    let files = files(periods)?.into_iter().map(|path| FactFile { path, import: Some(0) }).collect();
    let view = View {
        policy: Policy::default(),
        policy_name: "default".to_owned(),
        zone: Zone::utc(),
        currency: None,
        as_known_at: None,
        now: i64::MAX / 4,
    };
    Ok(Books::of_files(files, &|_| true, (Rates::default(), None), None, view)?)
}

/// The files that a pattern names: a path, or one whose name holds one `*`.
fn files(pattern: &str) -> Result<Vec<PathBuf>, BooksError> {
    let path = Path::new(pattern);
    let Some((before, after)) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.split_once('*'))
    else {
        return Ok(vec![path.to_path_buf()]);
    };
    let failed = |error: std::io::Error| BooksError::Unreadable { file: pattern.to_owned(), words: error.to_string() };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after) {
            found.push(entry.path());
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Rows that are put together before they are written.
const BATCH_ROWS: usize = 65_536;
/// Rows of one row group.
const GROUP_ROWS: usize = 1_048_576;

/// Writes the ledger in full.
fn write(books: &Books, out: &Path) -> Result<(), BooksError> {
    let failed = |error: &dyn std::fmt::Display| BooksError::Unreadable {
        file: out.display().to_string(),
        words: error.to_string(),
    };
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let few =
        |name: &str| Field::new(name, DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)), false);
    let number = |name: &str| Field::new(name, DataType::Int64, false);
    let schema = Arc::new(Schema::new(vec![
        text("customer"),
        Field::new("day", DataType::Date32, false),
        text("subscription"),
        few("plan"),
        few("kind"),
        number("delta"),
        number("mrr_before"),
        number("mrr_after"),
    ]));
    // Ids hardly repeat, and amounts hardly do: dictionaries of them would be given up after a megabyte.
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::None);
    for column in ["customer", "subscription", "delta", "mrr_before", "mrr_after"] {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(column), false);
    }
    for column in ["customer", "subscription"] {
        properties = properties.set_column_encoding(ColumnPath::from(column), Encoding::DELTA_LENGTH_BYTE_ARRAY);
    }
    let file = File::create(out).map_err(|error| failed(&error))?;
    let mut writer =
        ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties.build())).map_err(|error| failed(&error))?;

    let plans: ArrayRef =
        Arc::new(StringArray::from_iter_values(books.facts.offers.iter().map(|offer| offer.plan.as_str())));
    let kinds: ArrayRef = Arc::new(StringArray::from_iter_values(Kind::ALL.iter().map(|(_, name)| *name)));
    let ledger = &books.ledger;
    let mut customer = 0;
    let mut day_of = (usize::MAX, i32::MIN);
    let (mut before, mut after) = (0i64, 0i64);
    for first in (0..ledger.rows()).step_by(BATCH_ROWS) {
        let rows = first..(first + BATCH_ROWS).min(ledger.rows());
        let (mut customers, mut subscriptions) = (Ids::default(), Ids::default());
        let (mut befores, mut afters) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for row in rows.clone() {
            while ledger.offsets[customer + 1] as usize <= row {
                customer += 1;
            }
            customers.push(&books.facts.customer_ids, books.customers[customer]);
            subscriptions.push(&books.facts.subscription_ids, books.subscriptions[ledger.subscription[row] as usize]);
            let day = (customer, ledger.day[row]);
            if day != day_of {
                before = if day.0 == day_of.0 { after } else { 0 };
                day_of = day;
                let end = ledger.offsets[customer + 1] as usize;
                let same_day = (row..end).take_while(|other| ledger.day[*other] == day.1);
                after = before + same_day.map(|other| ledger.delta_micros[other]).sum::<i64>();
            }
            befores.push(before);
            afters.push(after);
        }
        let keys = |keys: Vec<i32>, values: &ArrayRef| -> Result<ArrayRef, BooksError> {
            Ok(Arc::new(
                DictionaryArray::try_new(Int32Array::from(keys), Arc::clone(values)).map_err(|error| failed(&error))?,
            ))
        };
        let columns: Vec<ArrayRef> = vec![
            customers.finish().map_err(|error| failed(&error))?,
            Arc::new(Date32Array::from(ledger.day[rows.clone()].to_vec())),
            subscriptions.finish().map_err(|error| failed(&error))?,
            keys(ledger.offer[rows.clone()].iter().map(|offer| *offer as i32).collect(), &plans)?,
            keys(ledger.kind[rows.clone()].iter().map(|kind| *kind as i32).collect(), &kinds)?,
            Arc::new(Int64Array::from(ledger.delta_micros[rows.clone()].to_vec())),
            Arc::new(Int64Array::from(befores)),
            Arc::new(Int64Array::from(afters)),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(|error| failed(&error))?;
        writer.write(&batch).map_err(|error| failed(&error))?;
    }
    writer.close().map_err(|error| failed(&error))?;
    Ok(())
}

/// A column of ids that is being put together.
#[derive(Default)]
struct Ids {
    bytes: Vec<u8>,
    ends: Vec<i32>,
}

impl Ids {
    fn push(&mut self, ids: &books::Ids, key: Key) {
        if self.ends.is_empty() {
            self.ends.push(0);
        }
        ids.append(key, &mut self.bytes);
        self.ends.push(self.bytes.len() as i32);
    }

    fn finish(self) -> Result<ArrayRef, ArrowError> {
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        Ok(Arc::new(StringArray::try_new(ends, Buffer::from_vec(self.bytes), None)?))
    }
}

/// CPU seconds that this process has used, user and system, all threads.
#[must_use]
pub fn cpu_seconds() -> f64 {
    // Fields 14 and 15 of the line are ticks of a hundredth of a second, on every Linux there is.
    let line = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> =
        line.rsplit(')').next().unwrap_or_default().split_whitespace().filter_map(|field| field.parse().ok()).collect();
    fields.iter().skip(10).take(2).sum::<f64>() / 100.0
}

/// The most memory that this process has held.
#[must_use]
pub fn peak_memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) * 1_024
}
