//! A block: some thousand records of a file as ranges of one text, whatever the file's format.

use super::issue::Code;

/// Where a field's text stands in its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}

impl Span {
    /// The field is not there at all (a key that a JSON object does not have).
    pub const ABSENT: Span = Span { start: 0, end: 0 };
}

/// One record of a block.
#[derive(Debug, Clone)]
pub struct Record {
    /// The line on which it begins, from 1 (for Parquet the number of the row).
    pub line: u64,
    /// Its text as it stands in the file.
    pub raw: Span,
    /// Its first field within [`Block::fields`].
    pub first: u32,
    /// How many fields it has.
    pub count: u32,
    /// Why it cannot be read, if it cannot.
    pub damage: Option<Code>,
}

/// Records of a file. Fields are ranges of `text`, so that nothing is allocated for a field.
#[derive(Debug, Clone, Default)]
pub struct Block {
    /// The file's own text, followed by fields that had to be rewritten (doubled quotes, JSON escapes).
    pub text: String,
    /// The fields of all records, one record after the other.
    pub fields: Vec<Span>,
    /// The records in the order of the file.
    pub records: Vec<Record>,
    /// Raw bytes of records that are not text; in `text` a `?` stands for what could not be read.
    pub unreadable: Vec<(usize, Vec<u8>)>,
    /// Names of columns that appear in this block for the first time (JSON lines may bring new ones anywhere).
    pub names: Vec<String>,
    /// Where reading goes on after this block.
    pub next: Position,
}

/// A boundary between two records: where an interrupted import goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// Bytes of the decoded text before it (for Parquet rows).
    pub offset: u64,
    /// The line that begins here, from 1.
    pub line: u64,
}

impl Block {
    /// The text of a span; empty for one that does not belong to this block.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// The fields of a record.
    #[must_use]
    pub fn fields_of(&self, record: &Record) -> &[Span] {
        self.fields.get(record.first as usize..(record.first + record.count) as usize).unwrap_or(&[])
    }

    /// The text of a record's field, without the white space around it; empty where it has no such field.
    #[must_use]
    pub fn field(&self, record: &Record, index: usize) -> &str {
        self.fields_of(record).get(index).map_or("", |span| self.slice(*span).trim())
    }
}
