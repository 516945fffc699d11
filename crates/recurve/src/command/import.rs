//! `recurve import`: files into facts.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use indicatif::{ProgressBar, ProgressStyle};
use warehouse::{
    books::oddity,
    import::{self, ColumnUse, ImportReport, ImportRequest, Outcome as ImportOutcome, Phase},
    kind::{KINDS, Kind},
    lake::Access,
    source::{mapping::Instructions, reader::Format},
};

use super::{CommandError, Outcome};
use crate::session::{Options, Session, clock};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The kind of facts: customers, plans, subscriptions, contracts, invoices, payments, fx-rates, ...
    #[arg(value_parser = kind_of)]
    kind: &'static Kind,
    /// CSV, JSON lines or Parquet files, also gzipped
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Take a column from this header of the file
    #[arg(long, value_name = "COLUMN=HEADER")]
    map: Vec<String>,
    /// Give a column one value in all rows
    #[arg(long, value_name = "COLUMN=VALUE")]
    set: Vec<String>,
    /// Say what a word of the file means: --value 'category:Cloud services=cost_of_revenue'
    #[arg(long, value_name = "COLUMN:TEXT=WORD")]
    value: Vec<String>,
    /// Read the export of a well-known system by this preset (found by its header unless said; `none` for none)
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Show how the file would be read, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// What the facts come from; facts of one source correct each other
    #[arg(long, default_value = "file")]
    source: String,
    /// Take map and set from a mapping that was saved
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Save map, set and habits under a name
    #[arg(long, value_name = "NAME")]
    save_mapping: Option<String>,
    /// The file is the whole truth: facts of this kind and source that are not in it are withdrawn
    #[arg(long)]
    replace: bool,
    /// How numbers are written: point or comma
    #[arg(long, value_name = "SIGN")]
    decimal: Option<String>,
    /// How dates are written: iso, dmy, mdy, epoch or epoch_millis
    #[arg(long, value_name = "ORDER")]
    dates: Option<String>,
    /// The encoding of the text, such as windows-1252
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// What separates fields: one character, or tab
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<String>,
    /// What the file is, where its name does not say it: csv, jsonl or parquet
    #[arg(long, value_name = "FORMAT", value_parser = format_of)]
    file_format: Option<Format>,
}

/// A kind of facts by any of its names.
pub fn kind_of(name: &str) -> Result<&'static Kind, String> {
    Kind::parse(name)
        .ok_or_else(|| format!("it is one of {}", KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ")))
}

fn format_of(name: &str) -> Result<Format, String> {
    match name {
        "csv" => Ok(Format::Delimited),
        "jsonl" | "json" => Ok(Format::Lines),
        "parquet" => Ok(Format::Columnar),
        _ => Err("it is one of csv, jsonl, parquet".to_owned()),
    }
}

/// Imports the files, one after the other; each is visible as a whole or not at all.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let instructions = Instructions {
        map: pairs(&arguments.map, "map")?,
        set: pairs(&arguments.set, "set")?,
        values: words(&arguments.value)?,
        preset: arguments.preset.clone(),
        decimal: arguments.decimal.clone(),
        dates: arguments.dates.clone(),
        encoding: arguments.encoding.clone(),
        delimiter: arguments.delimiter.clone(),
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    // Without the handler Ctrl-C still ends the import, only later than the last staged chunk: no reason to stop.
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
    let session = if arguments.dry_run { None } else { Some(Session::open(options, Access::Write)?) };
    let mut outcome = Outcome::Done;
    for file in &arguments.files {
        let request = ImportRequest {
            instructions: instructions.clone(),
            source: arguments.source.clone(),
            format: arguments.file_format,
            mapping: arguments.mapping.clone(),
            save_mapping: arguments.save_mapping.clone(),
            replace: arguments.replace,
            ..ImportRequest::new(arguments.kind, file, clock())
        };
        if import_one(session.as_ref(), options, &request, &interrupted)? != Outcome::Done {
            outcome = Outcome::Refused;
        }
        if interrupted.load(Ordering::Relaxed) {
            break;
        }
    }
    Ok(outcome)
}

/// Imports one file, or shows how it would be read where there is no session, and says what became of it.
pub fn import_one(
    session: Option<&Session>,
    options: &Options,
    request: &ImportRequest,
    interrupted: &AtomicBool,
) -> Result<Outcome, CommandError> {
    let bar = progress_bar(&request.file);
    let mut progress = |progress: import::Progress| {
        bar.set_length(progress.bytes_total);
        bar.set_position(progress.bytes);
        bar.set_message(match progress.phase {
            Phase::Hashing => "looking at the file".to_owned(),
            Phase::Reading if progress.refused > 0 => {
                format!("{} rows, {} refused", progress.read, progress.refused)
            }
            Phase::Reading => format!("{} rows", progress.read),
            Phase::Withdrawing => "looking for what the file no longer has".to_owned(),
            Phase::Committing => "committing".to_owned(),
        });
    };
    let report = match session {
        Some(session) => import::import(&session.lake, request, &mut progress, interrupted)?,
        None => import::preview(&options.data, request, &mut progress, interrupted)?,
    };
    bar.finish_and_clear();
    let mut out = std::io::stdout().lock();
    describe(&mut out, request, &report)?;
    let mut outcome = if report.refused > 0 || report.repeats.0 > 0 { Outcome::Refused } else { Outcome::Done };
    if let (Some(session), ImportOutcome::Imported { import }) = (session, report.outcome)
        && request.kind.table == "subscription"
        && describe_odd_facts(&mut out, session, import)? > 0
    {
        outcome = Outcome::Refused;
    }
    Ok(outcome)
}

fn progress_bar(file: &Path) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template(
        "{prefix} {wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} left, {msg}",
    );
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_prefix(file.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned()));
    bar
}

/// `COLUMN=VALUE` pairs.
pub fn pairs(texts: &[String], option: &str) -> Result<BTreeMap<String, String>, CommandError> {
    texts
        .iter()
        .map(|text| match text.split_once('=') {
            Some((column, value)) if !column.is_empty() => Ok((column.trim().to_owned(), value.to_owned())),
            _ => Err(CommandError::Usage(format!("--{option} {text} is no pair; write --{option} COLUMN=..."))),
        })
        .collect()
}

/// `COLUMN:TEXT=WORD` triples.
fn words(texts: &[String]) -> Result<BTreeMap<String, BTreeMap<String, String>>, CommandError> {
    let mut words: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for text in texts {
        let parts = text.split_once(':').and_then(|(column, rest)| Some((column, rest.rsplit_once('=')?)));
        let Some((column, (from, to))) = parts else {
            let usage = format!("--value {text} says nothing; write --value COLUMN:TEXT=WORD");
            return Err(CommandError::Usage(usage));
        };
        words.entry(column.trim().to_owned()).or_default().insert(from.trim().to_owned(), to.trim().to_owned());
    }
    Ok(words)
}

fn describe(out: &mut impl Write, request: &ImportRequest, report: &ImportReport) -> Result<(), CommandError> {
    let file = request.file.display();
    let rate = report.read as f64 / report.seconds.max(1e-6);
    match report.outcome {
        ImportOutcome::Imported { import } => writeln!(
            out,
            "{file}: import {import}, {} rows read, {} accepted, {} refused{} ({:.2} s, {rate:.0} rows/s)",
            report.read,
            report.accepted,
            report.refused,
            if report.withdrawn > 0 { format!(", {} facts withdrawn", report.withdrawn) } else { String::new() },
            report.seconds,
        )?,
        ImportOutcome::Unchanged { import } => writeln!(
            out,
            "{file}: unchanged, imported before as import {import} ({} rows, {} refused then)",
            report.read, report.refused
        )?,
        ImportOutcome::Interrupted { import } => writeln!(
            out,
            "{file}: stopped after {} rows; nothing is visible yet. The same command goes on from there (import {import})",
            report.read
        )?,
        ImportOutcome::Previewed => writeln!(
            out,
            "{file}: {} rows, {} would be accepted, {} refused; nothing was written",
            report.read, report.accepted, report.refused
        )?,
    }
    if let Some(preset) = report.preset {
        let refusable = if request.instructions.preset.is_some() { "" } else { " (`--preset none` reads it plainly)" };
        writeln!(out, "  read as {} by the preset {}{refusable}", preset.title, preset.name)?;
    }
    if let Some(line) = report.resumed_at {
        writeln!(out, "  gone on from line {line}, where the import was stopped")?;
    }
    if report.outcome == ImportOutcome::Previewed {
        for habit in &report.habits {
            writeln!(out, "  found: {habit}")?;
        }
    }
    for (why, count, lines) in &report.passed {
        let mut places = lines.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        if *count > lines.len() as u64 {
            places.push_str(", ...");
        }
        let what = if *count == 1 { "line is" } else { "lines are" };
        writeln!(out, "  {count} {what} no fact: {why} (line {places})")?;
    }
    let taken = |wanted: &ColumnUse| match wanted {
        ColumnUse::Header(header) => Some(header.clone()),
        ColumnUse::Constant(value) => Some(format!("`{value}` in all rows")),
        ColumnUse::Unused => None,
    };
    let renamed = report.columns.iter().filter_map(|(column, origin)| Some((*column, taken(origin)?)));
    for (column, origin) in renamed.filter(|(column, origin)| column != origin) {
        writeln!(out, "  {column} is taken from {origin}")?;
    }
    if !report.attributes.is_empty() {
        writeln!(out, "  kept as attributes: {}", report.attributes.join(", "))?;
    }
    if let Some(rows) = &report.first_rows {
        let shown: Vec<usize> = (0..rows.num_columns())
            .filter(|column| arrow::array::Array::null_count(rows.column(*column)) < rows.num_rows())
            .collect();
        if let Ok(rows) = rows.project(&shown)
            && let Ok(table) = arrow::util::pretty::pretty_format_batches(&[rows])
        {
            writeln!(out, "{table}")?;
        }
    }
    for issue in &report.issues {
        writeln!(out, "  {issue}")?;
    }
    let (repeats, lines) = &report.repeats;
    if *repeats > 0 {
        let lines: Vec<String> = lines.iter().map(|(before, line)| format!("{line} after {before}")).collect();
        let more = if *repeats > lines.len() as u64 { ", ..." } else { "" };
        writeln!(
            out,
            "  repeated: {repeats} rows say something else of what a row before them said, and of each only the last \
             holds (line {}{more}): {} are told apart by {}. Mend: export fewer dimensions, or map one of them to \
             these columns",
            lines.join(", "),
            request.kind.name,
            request.kind.key.join(", "),
        )?;
    }
    let shown: u64 = report.issues.len() as u64;
    let all: u64 = report.counts.iter().map(|(_, count)| count).sum();
    if all > shown {
        let counts: Vec<String> = report.counts.iter().map(|(code, count)| format!("{count} {code}")).collect();
        writeln!(out, "  ... {} issues in all: {}", all, counts.join(", "))?;
    }
    if report.refused > 0 && matches!(report.outcome, ImportOutcome::Imported { .. }) {
        writeln!(
            out,
            "  refused rows are kept: `recurve quarantine` lists them, `recurve quarantine --replay` reads them again"
        )?;
    }
    for preset in &report.also {
        writeln!(out, "  the file also holds {0}: `recurve import {0} {file}`", preset.kind)?;
    }
    if let Some(file) = &report.mapping_file {
        writeln!(out, "  mapping saved in {}", file.display())?;
    }
    Ok(())
}

/// How many odd facts are told one by one.
const ODD_FACTS_SHOWN: usize = 20;

/// Says which facts of an import contradict others, and how many there are.
fn describe_odd_facts(out: &mut impl Write, session: &Session, import: i64) -> Result<usize, CommandError> {
    let oddities = oddity::of_import(&session.lake, &session.view(None)?, import, ODD_FACTS_SHOWN)?;
    for oddity in &oddities.first {
        writeln!(out, "  {}", oddity.words(&oddities.imports).say(session.language()?))?;
    }
    if oddities.count > oddities.first.len() {
        writeln!(out, "  ... {} in all; `recurve check` lists them", oddities.count)?;
    }
    Ok(oddities.count)
}
