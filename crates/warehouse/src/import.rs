//! Imports: a file becomes facts in the lake, in bounded memory, and can be stopped and gone on with.
//!
//! ```text
//! thread 1                 thread 2                      the caller's thread
//! file ─▶ records ─▶(4 blocks of 1 MiB)─▶ values, rules ─▶(4 batches)─▶ Parquet file, staged every 2^20 rows ─▶ commit
//! ```
//!
//! The whole takes under 150 MB however long the file is (92 MB were seen): the blocks and batches in the two
//! channels, and one row group being encoded. `--replace` adds about 30 bytes for each row of the file. A file is hashed before it is read: whether it was imported before, and where an
//! interrupted import of it goes on, must be known before the first row is staged. A refused row is kept with its
//! text in the quarantine; rows accepted and rows refused add up to the rows read, always.

pub(crate) mod export;
mod known;
mod pipeline;
mod quarantine;
mod statement;
mod withdrawal;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use serde::{Deserialize, Serialize};

pub(crate) use export::printed;
pub use export::{Export, ExportColumn, export, export_of};
pub use quarantine::{ReplayReport, quarantined, replay};
pub use statement::{Answer, SEVERAL, Says, Stated, Statement, Statements, state};

use crate::kind::{Kind, ValueKind};
use crate::lake::{self, Lake, LakeError, Progress as Stage, RefusedRow};
use crate::source::block::{Block, Position};
use crate::source::habit::{DateHabit, DecimalHabit};
use crate::source::issue::{Code, Issue};
use crate::source::limits;
use crate::source::mapping::{self, Instructions, Mapping, MappingError, Origin};
use crate::source::preset::{self, Beginning, Found, Preset};
use crate::source::reader::{Format, ReadError, ReadOptions, Reader};
use crate::source::reshape::Reshape;
use crate::source::rows::{Habits, Refusal, RowReader, Rows};

/// What is to be imported, and how.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// The kind of facts that the file holds.
    pub kind: &'static Kind,
    /// The file.
    pub file: PathBuf,
    /// Where its facts come from; `file` unless the user says otherwise.
    pub source: String,
    /// What the file holds, where its name and first bytes do not say it.
    pub format: Option<Format>,
    /// What the user says about its columns and values.
    pub instructions: Instructions,
    /// A saved mapping that completes the instructions.
    pub mapping: Option<String>,
    /// The name under which the instructions are saved once the import is done.
    pub save_mapping: Option<String>,
    /// Whether the file is the whole truth: facts of its kind and source that are not in it are withdrawn.
    pub replace: bool,
    /// Now, in microseconds since 1970.
    pub now_micros: i64,
}

impl ImportRequest {
    /// A request with nothing but what must be said.
    #[must_use]
    pub fn new(kind: &'static Kind, file: &Path, now_micros: i64) -> Self {
        Self {
            kind,
            file: file.to_owned(),
            source: "file".to_owned(),
            format: None,
            instructions: Instructions::default(),
            mapping: None,
            save_mapping: None,
            replace: false,
            now_micros,
        }
    }
}

/// How far an import has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it does.
    pub phase: Phase,
    /// Bytes of the file taken so far (rows for Parquet count as none).
    pub bytes: u64,
    /// Bytes of the file.
    pub bytes_total: u64,
    /// Rows read.
    pub read: u64,
    /// Rows refused.
    pub refused: u64,
}

/// What an import does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Finding out which file it is.
    Hashing,
    /// Reading and staging rows.
    Reading,
    /// Looking for facts that the file no longer has.
    Withdrawing,
    /// Making everything visible at once.
    Committing,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its columns cannot be settled.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// The lake does not take it.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Rows could not be put together.
    #[error("the rows of {} could not be put together: {cause}. This is a fault of recurve: report it", file.display())]
    Batch {
        /// The file.
        file: PathBuf,
        /// What Arrow says.
        cause: ArrowError,
    },
    /// A thread ended without an answer.
    #[error("the import of {} stopped unexpectedly. Nothing of it is visible; report it and try again", file.display())]
    Stopped {
        /// The file.
        file: PathBuf,
    },
    /// A staged import holds a resume point that this program does not understand.
    #[error("import {import} cannot be gone on with: its resume point is damaged. Import the file again")]
    ResumePoint {
        /// The import.
        import: i64,
    },
    /// The options of an earlier import cannot be understood.
    #[error("the options of import {import} cannot be understood: {cause}. Import the file again instead")]
    Options {
        /// The import.
        import: i64,
        /// Why.
        cause: String,
    },
}

/// What became of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is visible.
    Imported {
        /// Its number.
        import: i64,
    },
    /// The same file was imported before in the same way: nothing was added.
    Unchanged {
        /// The number of the import that did it.
        import: i64,
    },
    /// It was stopped; importing the same file again goes on from there.
    Interrupted {
        /// Its number.
        import: i64,
    },
    /// Nothing was to be written.
    Previewed,
}

/// What a column of the kind was taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnUse {
    /// A column of the file.
    Header(String),
    /// One value for all rows.
    Constant(String),
    /// Nothing.
    Unused,
}

/// The report of an import.
#[derive(Debug, Clone)]
pub struct ImportReport {
    /// What became of it.
    pub outcome: Outcome,
    /// Rows read; those of an interrupted part included.
    pub read: u64,
    /// Rows that became facts.
    pub accepted: u64,
    /// Rows that were refused and are kept in the quarantine.
    pub refused: u64,
    /// Facts that were withdrawn because the file no longer has them.
    pub withdrawn: u64,
    /// How often each issue was met (in this run), most frequent first.
    pub counts: Vec<(Code, u64)>,
    /// The first issues (of this run).
    pub issues: Vec<Issue>,
    /// The kind's columns and where each was taken from.
    pub columns: Vec<(&'static str, ColumnUse)>,
    /// Columns of the file that are kept as attributes.
    pub attributes: Vec<String>,
    /// What was found about the file: its format, encoding, numbers and dates.
    pub habits: Vec<String>,
    /// The preset that was used.
    pub preset: Option<&'static Preset>,
    /// Presets for other kinds of facts that the same file holds.
    pub also: Vec<&'static Preset>,
    /// Lines that are no facts: why, how many (in this run), and the first of them.
    pub passed: Vec<(String, u64, Vec<u64>)>,
    /// How many rows state a fact of the file again, differently (in this run), and the first of them with the rows
    /// before them; looked at where no ids tell facts apart.
    pub repeats: (u64, Vec<(u64, u64)>),
    /// The first rows as they were understood, for a preview.
    pub first_rows: Option<RecordBatch>,
    /// The line at which an interrupted import was gone on with.
    pub resumed_at: Option<u64>,
    /// Where the mapping was saved.
    pub mapping_file: Option<PathBuf>,
    /// Bytes of the file.
    pub bytes: u64,
    /// How long it took.
    pub seconds: f64,
}

/// How a file is read, as it was settled: with it any row of the file can be read again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reading {
    pub(crate) format: String,
    pub(crate) delimiter: Option<u8>,
    pub(crate) encoding: Option<String>,
    pub(crate) decimal: String,
    pub(crate) dates: String,
    /// The header, where the file has one.
    pub(crate) names: Vec<String>,
    pub(crate) instructions: Instructions,
    pub(crate) replace: bool,
    /// The preset that was used, in which version, and what stood above the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) preset: Option<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) above: Vec<Vec<String>>,
}

/// The resume point: a boundary between records, and the names known there.
#[derive(Debug, Serialize, Deserialize)]
struct ResumePoint {
    offset: u64,
    line: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
}

/// A file that is opened and whose columns and habits are settled.
pub(crate) struct Opened {
    pub(crate) reader: Reader,
    pub(crate) first: Option<Block>,
    pub(crate) reshape: Option<Reshape>,
    pub(crate) mapping: Mapping,
    pub(crate) habits: Habits,
    pub(crate) reading: Reading,
    /// The preset that is used.
    pub(crate) preset: Option<&'static Preset>,
    /// Presets of other kinds that fit the file as well.
    pub(crate) also: Vec<&'static Preset>,
}

/// Imports a file. Nothing of it is visible before all of it is; when `interrupted` becomes true what was read is
/// staged, and importing the same file in the same way goes on from there.
///
/// # Errors
/// When the file cannot be read as a whole, its columns cannot be settled or the lake does not take it. Rows that
/// cannot be read are no error: they are refused and counted.
pub fn import(
    lake: &Lake,
    request: &ImportRequest,
    progress: &mut dyn FnMut(Progress),
    interrupted: &AtomicBool,
) -> Result<ImportReport, ImportError> {
    let began = Instant::now();
    let instructions = instructions_of(request, lake.folder())?;
    let (hash, bytes) = hash(&request.file, progress)?;
    let mut opened = open(request, &instructions)?;
    let kind = request.kind;
    let to_stage = lake::ImportRequest {
        kind: kind.table.to_owned(),
        source: request.source.clone(),
        file_name: file_name(&request.file),
        file_bytes: bytes,
        file_hash: Some(hash),
        options: options_text(&opened.reading),
        started_at_micros: request.now_micros,
    };
    if let Some(before) = lake.import_of_file(&to_stage)? {
        let mut report = report_of(&opened, Outcome::Unchanged { import: before.id }, bytes);
        (report.read, report.refused) = (before.rows_read, before.rows_refused);
        report.accepted = before.rows_read.saturating_sub(before.rows_refused);
        report.mapping_file = save_mapping(request, &instructions, lake.folder())?;
        report.seconds = began.elapsed().as_secs_f64();
        return Ok(report);
    }
    lake.define_table(kind.table, &kind.schema())?;
    let mut resumed = lake.resumable_import(&to_stage)?;
    let from_the_start = request.replace || opened.reshape.as_ref().is_some_and(Reshape::needs_the_whole_file);
    if from_the_start && let Some(interrupted) = resumed.take() {
        // Which facts the file has, or what a heading says, must be known from its first row on: it is read from there.
        interrupted.abandon()?;
    }
    let mut staged = match resumed {
        Some(import) => import,
        None => lake.begin_import(&to_stage)?,
    };
    let mut resumed_at = None;
    if let Some(point) = staged.resume_point() {
        let point: ResumePoint =
            serde_json::from_str(point).map_err(|_| ImportError::ResumePoint { import: staged.id() })?;
        let known = opened.mapping.names.len() - opened.mapping.computed;
        let names = point.names.get(known..).unwrap_or(&[]).to_vec();
        if let Some(reshape) = &mut opened.reshape {
            reshape.extend(&names);
        }
        opened.mapping.extend(&names);
        opened.reader.enter(Position { offset: point.offset, line: point.line }, point.names)?;
        opened.first = None;
        resumed_at = Some(point.line);
    }
    let import = staged.id();
    let mut report = report_of(&opened, Outcome::Imported { import }, bytes);
    report.resumed_at = resumed_at;
    let mut keys = request.replace.then(withdrawal::Keys::default);
    let computed = opened.mapping.computed;
    let rows = RowReader::new(opened.reshape, opened.mapping, opened.habits, &request.source, import);
    let mut stager = Stager {
        lake_import: &mut staged,
        table: kind.table,
        file_name: to_stage.file_name.clone(),
        file: None,
        refused: Vec::new(),
        refused_bytes: 0,
        read: 0,
        open_names: opened.reader.format() == Format::Lines,
        names: opened.reader.names().to_vec(),
        next: Position::default(),
    };
    let mut tally = Tally::of(kind);
    let ended = pipeline::run(opened.reader, opened.first, rows, interrupted, &request.file, &mut |arrived| {
        tally.add(&arrived.rows, &mut report).map_err(withdrawal::fault)?;
        if let Some(keys) = &mut keys {
            keys.add(kind, &arrived.rows.batch);
        }
        stager.take(arrived.rows, arrived.names.get(computed..).unwrap_or(&[]).to_vec())?;
        progress(Progress {
            phase: Phase::Reading,
            bytes: arrived.bytes.min(bytes),
            bytes_total: bytes,
            read: stager.lake_import.rows_read() + stager.read,
            refused: tally.refused,
        });
        Ok(())
    });
    let ended = match ended {
        Ok(ended) => ended,
        // A file that ends badly would end badly again: nothing of it is kept.
        Err(error @ ImportError::Read(_)) => {
            drop(stager);
            staged.abandon()?;
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    stager.stage()?;
    drop(stager);
    tally.finish(&mut report);
    let mapping = ended.mapping;
    (report.columns, report.attributes) = columns_of(&mapping);
    (report.read, report.accepted, report.refused) =
        (staged.rows_read(), staged.rows_accepted(), staged.rows_refused());
    report.seconds = began.elapsed().as_secs_f64();
    if ended.interrupted {
        report.outcome = Outcome::Interrupted { import };
        return Ok(report);
    }
    let step = |phase| Progress { phase, bytes, bytes_total: bytes, read: report.read, refused: report.refused };
    if let Some(keys) = keys {
        progress(step(Phase::Withdrawing));
        report.withdrawn = withdrawal::withdraw_absent(lake, &mut staged, kind, &request.source, &keys)?;
    }
    progress(step(Phase::Committing));
    staged.commit(request.now_micros)?;
    report.mapping_file = save_mapping(request, &instructions, lake.folder())?;
    report.seconds = began.elapsed().as_secs_f64();
    Ok(report)
}

/// Reads a file without writing anything: what its columns and habits are, what would be refused, and how its first
/// rows are understood. `data` is the data folder, which need not be there.
///
/// # Errors
/// As [`import`].
pub fn preview(
    data: &Path,
    request: &ImportRequest,
    progress: &mut dyn FnMut(Progress),
    interrupted: &AtomicBool,
) -> Result<ImportReport, ImportError> {
    const ROWS: usize = 10;
    let began = Instant::now();
    let instructions = instructions_of(request, data)?;
    let bytes = std::fs::metadata(&request.file).map_or(0, |metadata| metadata.len());
    let opened = open(request, &instructions)?;
    let mut report = report_of(&opened, Outcome::Previewed, bytes);
    let rows = RowReader::new(opened.reshape, opened.mapping, opened.habits, &request.source, 0);
    let mut tally = Tally::of(request.kind);
    let mut read = 0;
    let mut first_rows = None;
    let ended = pipeline::run(opened.reader, opened.first, rows, interrupted, &request.file, &mut |arrived| {
        tally.add(&arrived.rows, &mut report).map_err(withdrawal::fault)?;
        read += arrived.rows.read;
        if first_rows.is_none() && arrived.rows.batch.num_rows() > 0 {
            first_rows = Some(arrived.rows.batch.slice(0, ROWS.min(arrived.rows.batch.num_rows())));
        }
        progress(Progress {
            phase: Phase::Reading,
            bytes: arrived.bytes.min(bytes),
            bytes_total: bytes,
            read,
            refused: tally.refused,
        });
        Ok(())
    })?;
    tally.finish(&mut report);
    (report.columns, report.attributes) = columns_of(&ended.mapping);
    (report.read, report.accepted, report.refused) = (read, read - tally.refused, tally.refused);
    report.first_rows = first_rows;
    report.seconds = began.elapsed().as_secs_f64();
    Ok(report)
}

fn instructions_of(request: &ImportRequest, data: &Path) -> Result<Instructions, ImportError> {
    let given = request.instructions.clone();
    Ok(match &request.mapping {
        Some(name) => given.over(Instructions::saved(data, name)?),
        None => given,
    })
}

fn save_mapping(
    request: &ImportRequest,
    instructions: &Instructions,
    data: &Path,
) -> Result<Option<PathBuf>, ImportError> {
    match &request.save_mapping {
        Some(name) => Ok(Some(instructions.save(data, name)?)),
        None => Ok(None),
    }
}

/// Opens a file and settles its preset, its columns and its habits, from its beginning.
pub(crate) fn open(request: &ImportRequest, instructions: &Instructions) -> Result<Opened, ImportError> {
    let mut options = ReadOptions {
        format: request.format,
        encoding: instructions.encoding.clone(),
        delimiter: instructions.delimiter_byte()?,
        above: 0,
    };
    let beginnings = Reader::beginnings(&request.file, &options)?;
    let (found, also) = choose_preset(request, instructions, &beginnings)?;
    let mut above = Vec::new();
    if let Some(found) = &found {
        (options.above, options.delimiter) = (found.above, found.delimiter);
        let beginning = beginnings.iter().find(|beginning| beginning.delimiter == found.delimiter);
        above = beginning.and_then(|beginning| beginning.records.get(..found.above)).unwrap_or(&[]).to_vec();
    }
    let preset = found.map(|found| found.preset);
    let mut reader = Reader::open(&request.file, &options)?;
    let first = reader.block()?;
    let format = reader.format();
    let open = format == Format::Lines;
    let given = instructions;
    let mut instructions = given.clone();
    if preset.is_none() && !instructions.values.is_empty() {
        // The words of a column that is found by its name: from then on it is named.
        let plain = Mapping::settle(request.kind, reader.names(), open, &instructions, None, &|_| Vec::new())?;
        for column in given.values.keys() {
            let header = request.kind.position(column).and_then(|at| plain.header_of(at));
            let header = header.ok_or_else(|| MappingError::Wordless { column: column.clone() })?;
            instructions.map.entry(column.clone()).or_insert_with(|| header.to_owned());
        }
    }
    instructions.dates = instructions.dates.or_else(|| preset.and_then(|preset| preset.dates.clone()));
    instructions.decimal = instructions.decimal.or_else(|| preset.and_then(|preset| preset.decimal.clone()));
    let reshape = Reshape::new(preset, &instructions, reader.names(), &above);
    let (mut shown, mut names) = (first.clone(), reader.names().to_vec());
    if let Some(reshape) = &reshape {
        names = reshape.names();
        instructions = reshape.instructions(instructions);
        // The columns of the first block are known already.
        shown = shown.map(|block| reshape.clone().apply(Block { names: Vec::new(), ..block }).0);
    }
    let instructions = &instructions;
    let (decimal, dates) = (instructions.decimal_habit()?, instructions.date_habit()?);
    let computed = reshape.as_ref().map(Reshape::computed).filter(|_| preset.is_some());
    let values = |index: usize, most: usize| -> Vec<String> {
        let Some(block) = &shown else { return Vec::new() };
        let texts = block.records.iter().filter(|record| record.damage.is_none());
        texts.map(|record| block.field(record, index).to_owned()).filter(|text| !text.is_empty()).take(most).collect()
    };
    let mut mapping =
        Mapping::settle(request.kind, &names, open, instructions, computed, &|index| values(index, SAMPLED_VALUES))
            .map_err(|error| hinted(error, &also))?;
    mapping.hide(reshape.as_ref().map_or(0, Reshape::computed));
    let sample = |wanted: &dyn Fn(ValueKind) -> bool| -> Vec<String> {
        let mut sample = Vec::new();
        for (column, origin) in request.kind.columns.iter().zip(&mapping.origins) {
            if let (true, Origin::Field { index, dates: None, decimal: None }) = (wanted(column.value), origin) {
                sample.extend(values(*index, usize::MAX));
            }
        }
        sample
    };
    let numbers = |value| matches!(value, ValueKind::Decimal | ValueKind::Percent | ValueKind::Integer);
    let moments = |value| matches!(value, ValueKind::Moment | ValueKind::Day);
    let habits = Habits {
        // JSON and Parquet have numbers of their own: their point is a point.
        decimal: decimal.unwrap_or_else(|| match format {
            Format::Delimited => DecimalHabit::sniff(sample(&numbers).iter().map(String::as_str)),
            Format::Lines | Format::Columnar => DecimalHabit::AssumedPoint,
        }),
        dates: dates.unwrap_or_else(|| DateHabit::sniff(sample(&moments).iter().map(String::as_str))),
        spreadsheet: format == Format::Delimited,
    };
    let reading = Reading {
        format: format.name().to_owned(),
        delimiter: reader.delimiter(),
        encoding: reader.encoding().map(|(encoding, _)| encoding.to_owned()),
        decimal: habits.decimal.words().to_owned(),
        dates: habits.dates.words().to_owned(),
        names: if open { Vec::new() } else { reader.names().to_vec() },
        instructions: given.clone(),
        replace: request.replace,
        preset: preset.map(|preset| (preset.name.to_owned(), preset.version.clone())),
        above,
    };
    Ok(Opened { reader, first, reshape, mapping, habits, reading, preset, also })
}

/// The error, with what the file looks like where it is the export of a system that is known.
fn hinted(error: MappingError, also: &[&Preset]) -> MappingError {
    match (error, also.first()) {
        (MappingError::Missing { missing, seen, help, .. }, Some(preset)) => {
            let hint = format!(". It looks like {}: `recurve import {} FILE` reads it", preset.title, preset.kind);
            MappingError::Missing { missing, seen, help, hint }
        }
        (error, _) => error,
    }
}

/// The preset that is named, or the best of those that fit; and those for other kinds of facts.
fn choose_preset(
    request: &ImportRequest,
    instructions: &Instructions,
    beginnings: &[Beginning],
) -> Result<(Option<Found>, Vec<&'static Preset>), ImportError> {
    let fitting = preset::suggest(beginnings);
    let mut also: Vec<&'static Preset> = Vec::new();
    for found in &fitting {
        let other = found.preset.kind != request.kind.name;
        if other && !also.iter().any(|known| known.kind == found.preset.kind) {
            also.push(found.preset);
        }
    }
    match instructions.preset.as_deref() {
        Some("none") => Ok((None, Vec::new())),
        Some(name) => {
            let of_kind = |preset: &&Preset| preset.kind == request.kind.name;
            let unknown = || MappingError::UnknownPreset {
                name: name.to_owned(),
                kind: request.kind.name,
                known: preset::presets()
                    .iter()
                    .filter(of_kind)
                    .map(|preset| preset.name)
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            let preset = preset::preset(name).filter(of_kind).ok_or_else(unknown)?;
            let elsewhere = || MappingError::PresetElsewhere {
                name: preset.name,
                wanted: preset.asks_for(),
                seen: mapping::listed(beginnings.first().and_then(|b| b.records.first()).map_or(&[], Vec::as_slice)),
            };
            Ok((Some(preset::locate(preset, beginnings).ok_or_else(elsewhere)?), also))
        }
        // A mapping of the user's own says what the file is.
        None if request.mapping.is_some() => Ok((None, Vec::new())),
        None => Ok((fitting.into_iter().find(|found| found.preset.kind == request.kind.name), also)),
    }
}

/// Values of a column that are looked at before it is mapped by a synonym.
const SAMPLED_VALUES: usize = 200;

fn options_text(reading: &Reading) -> String {
    // A struct of texts and maps with text keys always becomes JSON.
    serde_json::to_string(reading).unwrap_or_default()
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// The hash of a file's content and its size.
fn hash(path: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(String, u64), ImportError> {
    const BYTES: usize = 1 << 20;
    let mut file = File::open(path).map_err(|cause| ReadError::Open { path: path.to_owned(), cause })?;
    let total = file.metadata().map_or(0, |metadata| metadata.len());
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BYTES];
    let mut bytes = 0;
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(cause) => return Err(ReadError::Read { path: path.to_owned(), cause }.into()),
        };
        hasher.update(buffer.get(..read).unwrap_or(&[]));
        bytes += read as u64;
        progress(Progress { phase: Phase::Hashing, bytes, bytes_total: total, read: 0, refused: 0 });
    }
    Ok((hasher.finalize().to_hex().to_string(), bytes))
}

fn columns_of(mapping: &Mapping) -> (Vec<(&'static str, ColumnUse)>, Vec<String>) {
    let columns = mapping.kind.columns.iter().enumerate().map(|(at, column)| {
        let origin = match mapping.origins.get(at) {
            Some(Origin::Constant(text)) => ColumnUse::Constant(text.clone()),
            _ => mapping.header_of(at).map_or(ColumnUse::Unused, |header| ColumnUse::Header(header.to_owned())),
        };
        (column.name, origin)
    });
    let attributes = mapping.attributes.iter().filter_map(|index| mapping.names.get(*index).cloned());
    (columns.collect(), attributes.collect())
}

fn report_of(opened: &Opened, outcome: Outcome, bytes: u64) -> ImportReport {
    let (columns, attributes) = columns_of(&opened.mapping);
    let mut habits = vec![opened.reading.format.clone()];
    if let Some(delimiter) = opened.reading.delimiter {
        habits.push(format!(
            "delimiter `{}`",
            if delimiter == b'\t' { "tab".into() } else { char::from(delimiter).to_string() }
        ));
    }
    habits.extend(opened.reading.encoding.clone());
    if opened.reader.format() == Format::Delimited {
        habits.push(opened.reading.decimal.clone());
    }
    habits.push(format!("dates: {}", opened.reading.dates));
    ImportReport {
        outcome,
        read: 0,
        accepted: 0,
        refused: 0,
        withdrawn: 0,
        counts: Vec::new(),
        issues: Vec::new(),
        columns,
        attributes,
        habits,
        preset: opened.preset,
        also: opened.also.clone(),
        passed: Vec::new(),
        repeats: (0, Vec::new()),
        first_rows: None,
        resumed_at: None,
        mapping_file: None,
        bytes,
        seconds: 0.0,
    }
}

/// Counts what was refused, what was no fact, and what was said twice.
struct Tally {
    kind: &'static Kind,
    counts: BTreeMap<Code, u64>,
    refused: u64,
    repeats: Option<withdrawal::Repeats>,
}

impl Tally {
    fn of(kind: &'static Kind) -> Self {
        let repeats = kind.is_of_totals().then(withdrawal::Repeats::default);
        Self { kind, counts: BTreeMap::new(), refused: 0, repeats }
    }

    fn add(&mut self, rows: &Rows, report: &mut ImportReport) -> Result<(), ArrowError> {
        if let Some(repeats) = &mut self.repeats {
            let found = repeats.add(self.kind, &rows.batch)?;
            report.repeats.0 += found.len() as u64;
            let room = limits::REPORTED_LINES.saturating_sub(report.repeats.1.len());
            report.repeats.1.extend(found.into_iter().take(room));
        }
        for (why, line) in &rows.passed {
            let place = match report.passed.iter().position(|(known, ..)| known == why) {
                Some(place) => place,
                None => {
                    report.passed.push((why.clone(), 0, Vec::new()));
                    report.passed.len() - 1
                }
            };
            if let Some((_, count, lines)) = report.passed.get_mut(place) {
                *count += 1;
                if lines.len() < limits::REPORTED_LINES {
                    lines.push(*line);
                }
            }
        }
        let refusals = &rows.refused;
        self.refused += refusals.len() as u64;
        for issue in refusals.iter().flat_map(|refusal| &refusal.issues) {
            *self.counts.entry(issue.code).or_default() += 1;
            if report.issues.len() < limits::REPORTED_ISSUES {
                report.issues.push(issue.clone());
            }
        }
        Ok(())
    }

    fn finish(&self, report: &mut ImportReport) {
        report.counts = self.counts.iter().map(|(code, count)| (*code, *count)).collect();
        report.counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    }
}

/// Writes batches to a file of facts and stages it from time to time.
struct Stager<'a> {
    lake_import: &'a mut lake::Import,
    table: &'static str,
    file_name: String,
    file: Option<lake::FactFile>,
    refused: Vec<RefusedRow>,
    refused_bytes: usize,
    read: u64,
    /// Whether names may come with any block, and must be known to go on.
    open_names: bool,
    names: Vec<String>,
    next: Position,
}

impl Stager<'_> {
    fn take(&mut self, rows: Rows, names: Vec<String>) -> Result<(), ImportError> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(self.lake_import.file(self.table)?),
        };
        file.write(&rows.batch)?;
        let long = file.rows() >= limits::STAGED_ROWS;
        self.read += rows.read;
        self.next = rows.next;
        if self.open_names {
            self.names = names;
        }
        for refusal in rows.refused {
            self.refused_bytes += refusal.raw.len();
            self.refused.push(refused_row(&self.file_name, refusal));
        }
        // Refused rows are counted beside their bytes, since short ones take room too.
        if long || self.refused_bytes + self.refused.len() * 256 >= limits::REFUSED_BYTES {
            self.stage()?;
        }
        Ok(())
    }

    fn stage(&mut self) -> Result<(), ImportError> {
        if self.read == 0 {
            return Ok(());
        }
        let written = match self.file.take() {
            Some(file) => file.finish()?,
            None => None,
        };
        let names = if self.open_names { self.names.clone() } else { Vec::new() };
        let point = ResumePoint { offset: self.next.offset, line: self.next.line, names };
        let resume_point = serde_json::to_string(&point).unwrap_or_default();
        let stage = Stage { resume_point: &resume_point, rows_read: self.read, refused: &self.refused };
        self.lake_import.stage_files(written.into_iter().collect(), &stage)?;
        self.refused.clear();
        (self.read, self.refused_bytes) = (0, 0);
        Ok(())
    }
}

fn refused_row(file: &str, refusal: Refusal) -> RefusedRow {
    let first = refusal.issues.first();
    let message = refusal.issues.iter().map(|issue| issue.message.as_str()).collect::<Vec<_>>().join("; ");
    RefusedRow {
        id: 0,
        import: 0,
        file: file.to_owned(),
        row: refusal.row,
        column: first.and_then(|issue| issue.column).map(str::to_owned),
        code: first.map_or("", |issue| issue.code.name()).to_owned(),
        message,
        help: first.map_or("", |issue| issue.help()).to_owned(),
        raw: refusal.raw,
        settled_by: None,
    }
}

/// Whether the user asked to stop.
fn asked_to_stop(interrupted: &AtomicBool) -> bool {
    interrupted.load(Ordering::Relaxed)
}
