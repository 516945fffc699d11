//! The quarantine: refused rows with their reasons, and reading them again once the cause is mended.

use std::collections::BTreeMap;

use encoding_rs::Encoding;

use super::statement::{Answer, Statement, Statements};
use super::{ImportError, Reading};
use crate::kind::Kind;
use crate::lake::{ImportRecord, ImportRequest, Lake, Progress, RefusedFilter, RefusedRow};
use crate::source::block::Block;
use crate::source::delimited;
use crate::source::habit::{DateHabit, DecimalHabit};
use crate::source::issue::{Code, Issue};
use crate::source::limits;
use crate::source::lines;
use crate::source::mapping::{Instructions, Mapping};
use crate::source::preset;
use crate::source::reader::{Format, ReadError};
use crate::source::reshape::Reshape;
use crate::source::rows::{Habits, RowReader};

/// What reading refused rows again did.
#[derive(Debug, Clone, Default)]
pub struct ReplayReport {
    /// Rows read again.
    pub read: u64,
    /// Rows that are facts now.
    pub settled: u64,
    /// Rows that still wait.
    pub waiting: u64,
    /// The imports that this made, one for each import whose rows were read.
    pub imports: Vec<i64>,
    /// The first issues of those that still wait.
    pub issues: Vec<Issue>,
}

/// Refused rows, oldest first.
///
/// # Errors
/// When the lake cannot be read.
pub fn quarantined(lake: &Lake, filter: &RefusedFilter) -> Result<Vec<RefusedRow>, ImportError> {
    Ok(lake.refused_rows(filter)?)
}

/// Reads waiting rows again, as their import did and as `instructions` now say. Rows that pass become facts of the
/// same kind and source, recorded now; the others go on waiting. A fact that a later import brought is older than
/// what a replay brings: the newest import wins.
///
/// # Errors
/// When the instructions do not fit, or the lake does not take it. Imports replayed before that stay.
pub fn replay(
    lake: &Lake,
    filter: &RefusedFilter,
    instructions: &Instructions,
    now_micros: i64,
) -> Result<ReplayReport, ImportError> {
    let filter = RefusedFilter { settled: Some(false), ..filter.clone() };
    let mut waiting: BTreeMap<i64, Vec<RefusedRow>> = BTreeMap::new();
    for row in lake.refused_rows(&filter)? {
        waiting.entry(row.import).or_default().push(row);
    }
    let mut report = ReplayReport::default();
    for (id, rows) in waiting {
        match lake.import(id)? {
            Some(record) if record.is_of_statements() => replay_statements(lake, &rows, now_micros, &mut report)?,
            Some(record) => replay_import(lake, &record, &rows, instructions, now_micros, &mut report)?,
            None => {}
        }
    }
    Ok(report)
}

/// States again what was refused: a fact may be withdrawn by now that was not known then, or a newer program may read
/// what an older one did not.
fn replay_statements(
    lake: &Lake,
    waiting: &[RefusedRow],
    now_micros: i64,
    report: &mut ReplayReport,
) -> Result<(), ImportError> {
    report.read += waiting.len() as u64;
    let mut ids = Vec::new();
    let mut statements = Vec::new();
    for row in waiting {
        // What was cut for its length cannot be read again from here.
        if let Some(statement) = Statement::kept(&row.raw, &row.file.as_str().into()) {
            ids.push(row.id);
            statements.push(statement);
        }
    }
    let stated = Statements::open(lake)?.state_again(&statements, now_micros)?;
    let mut passed = Vec::new();
    for (id, answer) in ids.into_iter().zip(stated.answers) {
        match answer {
            Answer::Refused(issues) => {
                let room = limits::REPORTED_ISSUES.saturating_sub(report.issues.len());
                report.issues.extend(issues.into_iter().take(room));
            }
            _ => passed.push(id),
        }
    }
    let committed = stated.committed.map(|committed| committed.import);
    // What was stated meanwhile needs no import of its own: it is settled by the newest that there is. Killed before
    // this, the rows go on waiting, and the next replay finds them stated.
    let newest = || Ok::<_, ImportError>(lake.newest_import(None)?.map(|import| import.id));
    if let Some(import) = committed.map_or_else(newest, |import| Ok(Some(import)))? {
        lake.settle_refused(&passed, import)?;
    }
    report.settled += passed.len() as u64;
    report.waiting += (waiting.len() - passed.len()) as u64;
    report.imports.extend(committed);
    Ok(())
}

fn replay_import(
    lake: &Lake,
    record: &ImportRecord,
    waiting: &[RefusedRow],
    instructions: &Instructions,
    now_micros: i64,
    report: &mut ReplayReport,
) -> Result<(), ImportError> {
    let damaged = |cause: String| ImportError::Options { import: record.id, cause };
    let Some(kind) = Kind::parse(&record.kind) else { return Err(damaged(format!("no kind {}", record.kind))) };
    let reading: Reading = serde_json::from_str(&record.options).map_err(|error| damaged(error.to_string()))?;
    let format = Format::parse(&reading.format).ok_or_else(|| damaged(format!("no format {}", reading.format)))?;
    let instructions = instructions.clone().over(reading.instructions.clone());
    let encoding = match &instructions.encoding {
        Some(name) => {
            Some(Encoding::for_label(name.as_bytes()).ok_or_else(|| ReadError::Encoding { name: name.clone() })?)
        }
        None => None,
    };
    let mut texts = Vec::with_capacity(waiting.len());
    let mut whole = Vec::with_capacity(waiting.len());
    for row in waiting {
        // What was cut for its length cannot be read again from here.
        if row.raw.len() < limits::RAW_BYTES {
            texts.push((row.row, text_of(row, encoding)));
            whole.push(row);
        }
    }
    let (block, names) = match format {
        Format::Delimited => {
            let delimiter = instructions.delimiter_byte()?.or(reading.delimiter).unwrap_or(b',');
            (delimited::block_of(&texts, delimiter, reading.names.len()), reading.names.clone())
        }
        Format::Lines => lines::block_of(&texts, &[]),
        Format::Columnar => lines::block_of(&texts, &reading.names),
    };
    let lines = format != Format::Delimited;
    let preset = reading.preset.as_ref().and_then(|(name, _)| preset::preset(name));
    let mut instructions = instructions;
    instructions.dates = instructions.dates.or_else(|| preset.and_then(|preset| preset.dates.clone()));
    instructions.decimal = instructions.decimal.or_else(|| preset.and_then(|preset| preset.decimal.clone()));
    let reshape = Reshape::new(preset, &instructions, &names, &reading.above);
    if reshape.as_ref().is_some_and(Reshape::needs_the_whole_file) {
        // What a line of a statement means is said by the headings above it.
        report.read += waiting.len() as u64;
        report.waiting += waiting.len() as u64;
        return Ok(());
    }
    let mut names = names;
    if let Some(reshape) = &reshape {
        names = reshape.names();
        instructions = reshape.instructions(instructions);
    }
    let computed = reshape.as_ref().map(Reshape::computed);
    let mut mapping =
        Mapping::settle(kind, &names, lines, &instructions, computed.filter(|_| preset.is_some()), &|_| Vec::new())?;
    mapping.hide(computed.unwrap_or(0));
    let habits = Habits {
        decimal: instructions
            .decimal_habit()?
            .or(named(DECIMALS, DecimalHabit::words, &reading.decimal))
            .unwrap_or(DecimalHabit::Mixed),
        dates: instructions
            .date_habit()?
            .or(named(DATES, DateHabit::words, &reading.dates))
            .unwrap_or(DateHabit::Unsettled),
        spreadsheet: format == Format::Delimited,
    };
    let lines_of: Vec<u64> = block.records.iter().map(|record| record.line).collect();
    let mut replay = lake.begin_import(&ImportRequest {
        kind: record.kind.clone(),
        source: record.source.clone(),
        file_name: record.file_name.clone(),
        file_bytes: texts.iter().map(|(_, text)| text.len() as u64).sum(),
        file_hash: None,
        options: serde_json::json!({ "replay_of": record.id, "instructions": instructions }).to_string(),
        started_at_micros: now_micros,
    })?;
    let rows = RowReader::new(reshape, mapping, habits, &record.source, replay.id())
        .read(Block { names: Vec::new(), ..block })
        .map_err(super::withdrawal::fault)?;
    let refused: Vec<u64> = rows.refused.iter().map(|refusal| refusal.row).collect();
    // A line that holds no fact any more settles nothing.
    let without: Vec<u64> = rows.passed.iter().map(|(_, line)| *line).collect();
    let stands = |line: &u64| !refused.contains(line) && !without.contains(line);
    let passed: Vec<i64> =
        whole.iter().zip(&lines_of).filter(|(_, line)| stands(line)).map(|(row, _)| row.id).collect();
    report.read += waiting.len() as u64;
    report.waiting += (waiting.len() - passed.len()) as u64;
    for issue in rows.refused.into_iter().flat_map(|refusal| refusal.issues) {
        if report.issues.len() < limits::REPORTED_ISSUES {
            report.issues.push(issue);
        }
    }
    if passed.is_empty() {
        replay.abandon()?;
        return Ok(());
    }
    let mut file = replay.file(kind.table)?;
    file.write(&rows.batch)?;
    let written = file.finish()?;
    let progress = Progress { resume_point: "", rows_read: passed.len() as u64, refused: &[] };
    replay.stage_files(written.into_iter().collect(), &progress)?;
    let id = replay.id();
    lake.settle_refused(&passed, id)?;
    replay.commit(now_micros)?;
    report.settled += passed.len() as u64;
    report.imports.push(id);
    Ok(())
}

/// A refused row's text; of one that was not text its bytes are read in the encoding that is given now.
fn text_of(row: &RefusedRow, encoding: Option<&'static Encoding>) -> String {
    if row.code != Code::NotText.name() {
        return row.raw.clone();
    }
    let bytes: Vec<u8> = row.raw.chars().filter_map(|character| u8::try_from(u32::from(character)).ok()).collect();
    match encoding {
        Some(encoding) => encoding.decode_without_bom_handling(&bytes).0.into_owned(),
        // Without an encoding it is refused again: a NUL byte stands for what cannot be read.
        None => "\0".to_owned(),
    }
}

const DECIMALS: &[DecimalHabit] =
    &[DecimalHabit::Point, DecimalHabit::Comma, DecimalHabit::AssumedPoint, DecimalHabit::Mixed];
const DATES: &[DateHabit] = &[
    DateHabit::YearFirst,
    DateHabit::DayFirst,
    DateHabit::MonthFirst,
    DateHabit::Unsettled,
    DateHabit::EpochSeconds,
    DateHabit::EpochMillis,
];

/// The habit that an import wrote down in words.
fn named<T: Copy>(all: &[T], words: fn(T) -> &'static str, wanted: &str) -> Option<T> {
    all.iter().copied().find(|habit| words(*habit) == wanted)
}
