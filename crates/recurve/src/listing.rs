//! Lists, written for people on a terminal and for machines in a pipe, row by row.

use std::{
    fs::File,
    io::{BufWriter, IsTerminal, Write},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use parquet::arrow::ArrowWriter;
use revenue::calendar::Day;

use crate::{command::CommandError, session::Options};

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns, or text, for reading.
    #[value(alias = "text")]
    Table,
    /// RFC 4180, with a header.
    Csv,
    /// One array of objects.
    Json,
    /// One object a line.
    Jsonl,
    /// Parquet, all columns as text.
    Parquet,
    /// A page of its own, for reviews.
    Html,
    /// Markdown, for reviews.
    Md,
}

/// One value of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// A text.
    Text(String),
    /// An exact decimal.
    Number(String),
    /// A whole number.
    Whole(i64),
    /// A day.
    Day(Day),
}

impl Cell {
    /// A text, or nothing where it is empty.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() { Cell::Empty } else { Cell::Text(text) }
    }

    /// The value as a text; empty where there is nothing.
    pub fn print(&self) -> String {
        match self {
            Cell::Empty => String::new(),
            Cell::Text(text) | Cell::Number(text) => text.clone(),
            Cell::Whole(number) => number.to_string(),
            Cell::Day(day) => day.to_string(),
        }
    }

    /// The value as JSON: exact decimals as texts.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Cell::Empty => serde_json::Value::Null,
            // Decimals are written as text: a JSON number would be read as a float, which no money survives.
            Cell::Text(text) | Cell::Number(text) => serde_json::Value::String(text.clone()),
            Cell::Whole(number) => (*number).into(),
            Cell::Day(day) => serde_json::Value::String(day.to_string()),
        }
    }
}

/// Where the rows of a list go: to a terminal or a file, or over the web.
pub trait Sheet {
    /// Begins the list with the names of its columns.
    fn head(&mut self, columns: Vec<String>) -> Result<(), CommandError>;

    /// Takes a row.
    fn row(&mut self, cells: &[Cell]) -> Result<(), CommandError>;

    /// Takes words about the list as a whole, such as what has no row in it and why. Who writes a file has no place for it.
    fn note(&mut self, _words: &str) {}
}

impl dyn Sheet + '_ {
    /// Begins the list.
    pub fn begin<C: Into<String>>(&mut self, columns: impl IntoIterator<Item = C>) -> Result<(), CommandError> {
        self.head(columns.into_iter().map(Into::into).collect())
    }
}

/// Writes a list as the options say.
pub fn write<T>(
    options: &Options,
    fill: impl FnOnce(&mut dyn Sheet) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let mut written = Written { options, listing: None };
    let outcome = fill(&mut written)?;
    if let Some(listing) = written.listing {
        listing.end()?;
    }
    Ok(outcome)
}

/// A list that is begun once its columns are known.
struct Written<'a> {
    options: &'a Options,
    listing: Option<Listing>,
}

impl Sheet for Written<'_> {
    fn head(&mut self, columns: Vec<String>) -> Result<(), CommandError> {
        self.listing = Some(Listing::begin(self.options, columns)?);
        Ok(())
    }

    fn row(&mut self, cells: &[Cell]) -> Result<(), CommandError> {
        self.listing.as_mut().map_or(Ok(()), |listing| listing.row(cells))
    }
}

/// Rows that Parquet is written in at a time.
const BATCH_ROWS: usize = 65_536;

/// A list that is being written.
pub struct Listing {
    columns: Vec<String>,
    sink: Sink,
    rows: u64,
}

enum Sink {
    Table(comfy_table::Table, Box<dyn Write>),
    Csv(csv::Writer<Box<dyn Write>>),
    Json(Box<dyn Write>),
    Jsonl(Box<dyn Write>),
    Parquet(Box<ArrowWriter<Box<dyn Write + Send>>>, SchemaRef, Vec<Vec<Option<String>>>),
}

/// The format that the options ask for, or that fits where the list goes.
pub fn format_of(options: &Options) -> Format {
    options.format.unwrap_or_else(|| {
        let terminal = options.output.is_none() && std::io::stdout().is_terminal();
        if terminal { Format::Table } else { Format::Csv }
    })
}

/// Where text for people goes.
pub fn sink(options: &Options) -> Result<Box<dyn Write>, CommandError> {
    Ok(match &options.output {
        Some(file) => Box::new(BufWriter::new(File::create(file)?)),
        None => Box::new(BufWriter::new(std::io::stdout())),
    })
}

impl Listing {
    /// Begins a list.
    pub fn begin<C: Into<String>>(
        options: &Options,
        columns: impl IntoIterator<Item = C>,
    ) -> Result<Self, CommandError> {
        let columns: Vec<String> = columns.into_iter().map(Into::into).collect();
        let out: Box<dyn Write + Send> = match &options.output {
            Some(file) => Box::new(BufWriter::new(File::create(file)?)),
            None => Box::new(BufWriter::with_capacity(1 << 16, std::io::stdout())),
        };
        let sink = match format_of(options) {
            Format::Table => {
                let mut table = comfy_table::Table::new();
                table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
                table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
                table.set_header(columns.clone());
                Sink::Table(table, out)
            }
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(out as Box<dyn Write>);
                writer.write_record(&columns).map_err(output_error)?;
                Sink::Csv(writer)
            }
            Format::Json => Sink::Json(out),
            Format::Jsonl => Sink::Jsonl(out),
            Format::Html | Format::Md => {
                return Err(CommandError::Usage(
                    "only reviews are written as html or md; a list takes table, csv, json, jsonl or parquet"
                        .to_owned(),
                ));
            }
            Format::Parquet => {
                if options.output.is_none() && std::io::stdout().is_terminal() {
                    return Err(CommandError::Usage(
                        "Parquet is not for a terminal: add --output FILE, or send it to a file or a pipe".to_owned(),
                    ));
                }
                let fields: Vec<Field> = columns.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
                let schema = Arc::new(Schema::new(fields));
                let writer = ArrowWriter::try_new(out, Arc::clone(&schema), None).map_err(parquet_error)?;
                Sink::Parquet(Box::new(writer), schema, vec![Vec::new(); columns.len()])
            }
        };
        Ok(Self { columns, sink, rows: 0 })
    }

    /// Writes a row.
    pub fn row(&mut self, cells: &[Cell]) -> Result<(), CommandError> {
        match &mut self.sink {
            Sink::Table(table, _) => {
                table.add_row(cells.iter().map(|cell| {
                    let printed = comfy_table::Cell::new(cell.print());
                    match cell {
                        Cell::Number(_) | Cell::Whole(_) => printed.set_alignment(comfy_table::CellAlignment::Right),
                        _ => printed,
                    }
                }));
            }
            Sink::Csv(writer) => {
                for cell in cells {
                    match cell {
                        Cell::Text(text) | Cell::Number(text) => writer.write_field(text),
                        other => writer.write_field(other.print()),
                    }
                    .map_err(output_error)?;
                }
                writer.write_record(None::<&[u8]>).map_err(output_error)?;
            }
            Sink::Json(out) => {
                out.write_all(if self.rows == 0 { b"[\n  " } else { b",\n  " })?;
                write_object(out, &self.columns, cells)?;
            }
            Sink::Jsonl(out) => {
                write_object(out, &self.columns, cells)?;
                out.write_all(b"\n")?;
            }
            Sink::Parquet(writer, schema, waiting) => {
                for (column, cell) in waiting.iter_mut().zip(cells) {
                    column.push((*cell != Cell::Empty).then(|| cell.print()));
                }
                if waiting.first().is_some_and(|column| column.len() >= BATCH_ROWS) {
                    write_batch(writer, schema, waiting)?;
                }
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Ends the list.
    pub fn end(self) -> Result<(), CommandError> {
        match self.sink {
            Sink::Table(table, mut out) => {
                writeln!(out, "{table}")?;
                out.flush()?;
            }
            Sink::Csv(mut writer) => writer.flush()?,
            Sink::Json(mut out) => {
                out.write_all(if self.rows == 0 { b"[]\n" } else { b"\n]\n" })?;
                out.flush()?;
            }
            Sink::Jsonl(mut out) => out.flush()?,
            Sink::Parquet(mut writer, schema, mut waiting) => {
                write_batch(&mut writer, &schema, &mut waiting)?;
                writer.close().map_err(parquet_error)?;
            }
        }
        Ok(())
    }
}

fn write_object(out: &mut Box<dyn Write>, columns: &[String], cells: &[Cell]) -> Result<(), CommandError> {
    let object: serde_json::Map<String, serde_json::Value> =
        columns.iter().zip(cells).map(|(name, cell)| (name.clone(), cell.json())).collect();
    serde_json::to_writer(out, &object).map_err(|error| CommandError::Output(error.into()))
}

fn write_batch(
    writer: &mut ArrowWriter<Box<dyn Write + Send>>,
    schema: &SchemaRef,
    waiting: &mut [Vec<Option<String>>],
) -> Result<(), CommandError> {
    let columns: Vec<ArrayRef> =
        waiting.iter_mut().map(|column| Arc::new(StringArray::from(std::mem::take(column))) as ArrayRef).collect();
    let batch = RecordBatch::try_new(Arc::clone(schema), columns)
        .map_err(|error| CommandError::Output(std::io::Error::other(error)))?;
    writer.write(&batch).map_err(parquet_error)
}

fn parquet_error(error: parquet::errors::ParquetError) -> CommandError {
    CommandError::Output(std::io::Error::other(error))
}

fn output_error(error: csv::Error) -> CommandError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => CommandError::Output(error),
        other => CommandError::Output(std::io::Error::other(format!("{other:?}"))),
    }
}
