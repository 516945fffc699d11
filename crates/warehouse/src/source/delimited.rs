//! CSV and its relatives: text split into records and fields, with nothing allocated for a field.
//!
//! Quotation marks count only where a field begins (RFC 4180). Records end with LF, CRLF or CR; lines without
//! anything on them are passed over. A field that holds doubled quotation marks is the only one that is copied.
//!
//! This is not csv-core, which copies every field and keeps neither a record's own text nor its place: the first is
//! kept for the quarantine, the second is where an interrupted import goes on. A test holds the two against each other.

use super::block::{Block, Position, Record, Span};
use super::issue::Code;
use super::limits;
use super::reader::ReadError;
use super::stream::Stream;

/// Delimiters that are looked for, in the order in which a tie is decided.
pub const DELIMITERS: &[u8] = b",;\t|";

/// A CSV file being read.
pub struct Delimited {
    stream: Stream,
    delimiter: u8,
    /// Columns of the header, which every record must have.
    columns: usize,
    /// Bytes read and not yet given out; they begin with a record.
    rest: Vec<u8>,
    at: Position,
    ended: bool,
}

/// What became of a record.
enum Scanned {
    /// It ends before this byte, its terminator included.
    Ends(usize),
    /// The bytes ran out before it ended.
    Open,
}

impl Delimited {
    /// Reads the header of a file, which has so many records above it.
    ///
    /// # Errors
    /// When the file cannot be read, is empty or is not text.
    pub fn open(mut stream: Stream, delimiter: Option<u8>, above: usize) -> Result<(Self, Vec<String>), ReadError> {
        let mut rest = Vec::new();
        let ended = stream.fill(&mut rest, limits::BLOCK_BYTES)?;
        let path = stream.path().to_owned();
        let sample = rest.get(..limits::SAMPLE_BYTES.min(rest.len())).unwrap_or(&[]);
        let delimiter = delimiter.unwrap_or_else(|| sniff(sample));
        let mut file = Self { stream, delimiter, columns: 0, rest, at: Position { offset: 0, line: 1 }, ended };
        for _ in 0..above {
            file.block(1)?;
        }
        let Some(header) = file.block(1)? else {
            return Err(ReadError::Empty { path });
        };
        let Some(record) = header.records.first() else {
            return Err(ReadError::Empty { path });
        };
        // Letters with a NUL beside each are UTF-16; a header has no other reason to hold any.
        if record.damage == Some(Code::NulByte) {
            return Err(ReadError::NotText { path });
        }
        if let Some(code) = record.damage.filter(|code| *code != Code::FieldsMissing && *code != Code::FieldsExtra) {
            return Err(ReadError::Header { path, code });
        }
        let names: Vec<String> = header.fields_of(record).iter().map(|span| header.slice(*span).to_owned()).collect();
        file.columns = names.len();
        Ok((file, names))
    }

    /// The delimiter, given or found.
    #[must_use]
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Bytes taken from the file so far.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Goes on at a boundary between records that an earlier reading of the same file gave out.
    ///
    /// # Errors
    /// When the file cannot be read or is shorter than that.
    pub fn enter(&mut self, mut stream: Stream, at: Position) -> Result<(), ReadError> {
        stream.enter(at.offset)?;
        (self.stream, self.at, self.ended) = (stream, at, false);
        self.rest.clear();
        Ok(())
    }

    /// The next records, at most `most` of them; nothing at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn block(&mut self, most: usize) -> Result<Option<Block>, ReadError> {
        let mut wanted = limits::BLOCK_BYTES;
        loop {
            if !self.ended && self.rest.len() < wanted {
                self.ended = self.stream.fill(&mut self.rest, wanted)?;
            }
            let mut block = Block::default();
            let (consumed, line) = self.scan(&mut block, most);
            if block.records.is_empty() && !self.ended {
                if consumed > 0 {
                    // Nothing but empty lines: they are let go, so that a file of them takes no memory.
                    self.rest.drain(..consumed);
                    self.at = Position { offset: self.at.offset + consumed as u64, line };
                    continue;
                }
                if self.rest.len() < limits::RECORD_BYTES {
                    // The record is longer than what was read: read twice as much and look again.
                    wanted = (self.rest.len() * 2).max(limits::BLOCK_BYTES);
                    continue;
                }
                return self.pass_over(line).map(Some);
            }
            let rest = self.rest.split_off(consumed);
            let bytes = std::mem::replace(&mut self.rest, rest);
            self.at = Position { offset: self.at.offset + consumed as u64, line };
            block.next = self.at;
            if block.records.is_empty() {
                return Ok(None);
            }
            finish(&mut block, bytes);
            return Ok(Some(block));
        }
    }

    /// Splits what was read into whole records; the bytes consumed and the line after them.
    fn scan(&self, block: &mut Block, most: usize) -> (usize, u64) {
        let bytes = self.rest.as_slice();
        let mut at = 0;
        let mut line = self.at.line;
        block.records.reserve(bytes.len() / 64);
        block.fields.reserve(bytes.len() / 6);
        while at < bytes.len() && block.records.len() < most {
            match bytes[at] {
                b'\n' => {
                    at += 1;
                    line += 1;
                    continue;
                }
                b'\r' => {
                    // Whether a line feed follows is not known yet when the bytes end here.
                    if at + 1 == bytes.len() && !self.ended {
                        break;
                    }
                    at += if bytes.get(at + 1) == Some(&b'\n') { 2 } else { 1 };
                    line += 1;
                    continue;
                }
                _ => {}
            }
            let first = block.fields.len();
            let begins = line;
            let mut damage = None;
            match split(bytes, at, self.delimiter, self.ended, &mut block.fields, &mut line, &mut damage) {
                Scanned::Ends(end) => {
                    let raw_end = end - terminator(bytes, at, end);
                    if raw_end - at > limits::RECORD_BYTES {
                        damage = Some(Code::RecordTooLong);
                    }
                    let count = block.fields.len() - first;
                    let record = Record {
                        line: begins,
                        raw: Span { start: at as u32, end: raw_end as u32 },
                        first: first as u32,
                        count: count as u32,
                        damage: damage.or_else(|| miscounted(bytes, &mut block.fields, first, self.columns)),
                    };
                    block.records.push(Record { count: (block.fields.len() - first) as u32, ..record });
                    at = end;
                }
                Scanned::Open => {
                    block.fields.truncate(first);
                    line = begins;
                    break;
                }
            }
        }
        (at, line)
    }

    /// A record beyond the limit: its beginning is kept, the rest is read and let go.
    fn pass_over(&mut self, line: u64) -> Result<Block, ReadError> {
        let mut passing = Passing { state: State::FieldBegins, carriage: false, lines: 0, delimiter: self.delimiter };
        let kept = self.rest.get(..limits::RAW_BYTES.min(self.rest.len())).unwrap_or(&[]).to_vec();
        let mut offset = self.at.offset;
        loop {
            if let Some(end) = passing.pass(&self.rest) {
                self.rest.drain(..end);
                offset += end as u64;
                break;
            }
            offset += self.rest.len() as u64;
            self.rest.clear();
            if self.ended {
                break;
            }
            self.ended = self.stream.fill(&mut self.rest, limits::BLOCK_BYTES)?;
        }
        // An open quotation mark at the end of the file is why the record is so long.
        let code = if passing.state == State::Quoted { Code::QuoteUnclosed } else { Code::RecordTooLong };
        let end = line + passing.lines;
        self.at = Position { offset, line: end };
        let mut block = Block { next: self.at, ..Block::default() };
        block.records.push(Record {
            line,
            raw: Span { start: 0, end: kept.len() as u32 },
            first: 0,
            count: 0,
            damage: Some(code),
        });
        finish(&mut block, kept);
        Ok(block)
    }
}

/// Splits one record that begins at `at`. Fields still hold their doubled quotation marks and, where they were
/// quoted, begin after the opening one; [`finish`] mends the first.
#[inline]
fn split(
    bytes: &[u8],
    mut at: usize,
    delimiter: u8,
    ended: bool,
    fields: &mut Vec<Span>,
    line: &mut u64,
    damage: &mut Option<Code>,
) -> Scanned {
    let first = fields.len();
    loop {
        let (start, end);
        if bytes.get(at) == Some(&b'"') {
            start = at + 1;
            let mut search = start;
            let closing = loop {
                let Some(found) = memchr::memchr(b'"', bytes.get(search..).unwrap_or(&[])) else {
                    break None;
                };
                let found = search + found;
                if bytes.get(found + 1) == Some(&b'"') {
                    search = found + 2;
                    continue;
                }
                break Some(found);
            };
            let Some(closing) = closing else {
                if !ended {
                    return Scanned::Open;
                }
                *line += lines_within(bytes.get(start..).unwrap_or(&[]));
                *damage = Some(Code::QuoteUnclosed);
                return Scanned::Ends(bytes.len());
            };
            // A quotation mark that ends the bytes may be the first of two.
            if closing + 1 == bytes.len() && !ended {
                return Scanned::Open;
            }
            end = closing;
            *line += lines_within(bytes.get(start..end).unwrap_or(&[]));
            at = closing + 1;
            while matches!(bytes.get(at), Some(b' ' | b'\t')) && bytes.get(at) != Some(&delimiter) {
                at += 1;
            }
            if bytes.get(at).is_some_and(|byte| *byte != delimiter && *byte != b'\n' && *byte != b'\r') {
                *damage = Some(Code::QuoteStray);
                at += plain_length(bytes.get(at..).unwrap_or(&[]), delimiter);
            }
        } else {
            start = at;
            at += plain_length(bytes.get(at..).unwrap_or(&[]), delimiter);
            end = at;
        }
        if end - start > limits::FIELD_BYTES {
            *damage = Some(Code::FieldTooLong);
        }
        if fields.len() - first < limits::COLUMNS {
            fields.push(Span { start: start as u32, end: end as u32 });
        } else {
            *damage = Some(Code::TooManyColumns);
        }
        match bytes.get(at) {
            None if ended => return Scanned::Ends(at),
            None => return Scanned::Open,
            Some(b'\n') => {
                *line += 1;
                return Scanned::Ends(at + 1);
            }
            Some(b'\r') => {
                if at + 1 == bytes.len() && !ended {
                    return Scanned::Open;
                }
                *line += 1;
                return Scanned::Ends(at + if bytes.get(at + 1) == Some(&b'\n') { 2 } else { 1 });
            }
            Some(_) => at += 1,
        }
    }
}

/// Whether a record has as many fields as the header. Further fields that are empty say nothing and are let go.
fn miscounted(bytes: &[u8], fields: &mut Vec<Span>, first: usize, columns: usize) -> Option<Code> {
    let count = fields.len() - first;
    if columns == 0 || count == columns {
        return None;
    }
    if count < columns {
        return Some(Code::FieldsMissing);
    }
    let further = fields.get(first + columns..).unwrap_or(&[]);
    let empty = further
        .iter()
        .all(|span| bytes.get(span.start as usize..span.end as usize).is_none_or(|text| text.trim_ascii().is_empty()));
    if !empty {
        return Some(Code::FieldsExtra);
    }
    fields.truncate(first + columns);
    None
}

/// Records that stand alone, as a block: each with the line that it once stood on.
#[must_use]
pub fn block_of(texts: &[(u64, String)], delimiter: u8, columns: usize) -> Block {
    let mut block = Block::default();
    let mut bytes: Vec<u8> = Vec::new();
    for (line, text) in texts {
        let start = bytes.len();
        bytes.extend_from_slice(text.as_bytes());
        let first = block.fields.len();
        let mut damage = None;
        // A raw record has no line end of its own; what follows its first end of line is not part of it.
        let _ = split(&bytes, start, delimiter, true, &mut block.fields, &mut 0, &mut damage);
        let damage = damage.or_else(|| miscounted(&bytes, &mut block.fields, first, columns));
        block.records.push(Record {
            line: *line,
            raw: Span { start: start as u32, end: bytes.len() as u32 },
            first: first as u32,
            count: (block.fields.len() - first) as u32,
            damage,
        });
        bytes.push(b'\n');
    }
    finish(&mut block, bytes);
    block
}

/// Bytes before the next delimiter or end of line.
#[inline]
fn plain_length(bytes: &[u8], delimiter: u8) -> usize {
    bytes.iter().position(|byte| *byte == delimiter || *byte == b'\n' || *byte == b'\r').unwrap_or(bytes.len())
}

/// How many bytes of `bytes[start..end]` are the line ending at its end.
fn terminator(bytes: &[u8], start: usize, end: usize) -> usize {
    match bytes.get(start..end) {
        Some([.., b'\r', b'\n']) => 2,
        Some([.., b'\n' | b'\r']) => 1,
        _ => 0,
    }
}

/// Ends of lines within a text: LF, CRLF and CR count one each.
fn lines_within(bytes: &[u8]) -> u64 {
    let mut lines = memchr::memchr_iter(b'\n', bytes).count() as u64;
    for at in memchr::memchr_iter(b'\r', bytes) {
        lines += u64::from(bytes.get(at + 1) != Some(&b'\n'));
    }
    lines
}

/// Makes the bytes of a block its text: refuses records that are not text and undoubles quotation marks.
fn finish(block: &mut Block, mut bytes: Vec<u8>) {
    if memchr::memchr(0, &bytes).is_some() {
        for record in &mut block.records {
            let raw = bytes.get(record.raw.start as usize..record.raw.end as usize).unwrap_or(&[]);
            if record.damage.is_none() && raw.contains(&0) {
                record.damage = Some(Code::NulByte);
            }
        }
    }
    let invalid = std::str::from_utf8(&bytes).is_err();
    if invalid {
        for (index, record) in block.records.iter_mut().enumerate() {
            let Some(raw) = bytes.get_mut(record.raw.start as usize..record.raw.end as usize) else { continue };
            if std::str::from_utf8(raw).is_err() {
                block.unreadable.push((index, raw.get(..limits::RAW_BYTES.min(raw.len())).unwrap_or(&[]).to_vec()));
                raw.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
                record.damage.get_or_insert(Code::NotText);
            }
        }
    }
    // Bytes outside of records are line ends, so this holds; were it not so, the rows would read as damaged text.
    let mut text = String::from_utf8(bytes)
        .unwrap_or_else(|error| error.into_bytes().iter().map(|byte| char::from(byte & 0x7f)).collect());
    if memchr::memchr(b'"', text.as_bytes()).is_some() {
        for field in &mut block.fields {
            let Some(doubled) = text.get(field.start as usize..field.end as usize) else { continue };
            // Only a field that was quoted is undoubled: elsewhere a quotation mark is a letter like any other.
            let quoted = field.start > 0 && text.as_bytes().get(field.start as usize - 1) == Some(&b'"');
            if quoted && memchr::memchr(b'"', doubled.as_bytes()).is_some() {
                let single = doubled.replace("\"\"", "\"");
                let start = text.len() as u32;
                text.push_str(&single);
                *field = Span { start, end: text.len() as u32 };
            }
        }
    }
    block.text = text;
}

/// Where in a record a byte stands, for records that are too long to be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    FieldBegins,
    Plain,
    Quoted,
    QuoteSeen,
}

/// Passes over a record byte by byte.
struct Passing {
    state: State,
    carriage: bool,
    lines: u64,
    delimiter: u8,
}

impl Passing {
    /// Passes over bytes of the record; where it ends, if it ends among them.
    fn pass(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            if self.carriage && self.state != State::Quoted {
                // A carriage return ended the record, together with a line feed that may follow.
                return Some(if *byte == b'\n' { at + 1 } else { at });
            }
            let ends_line = *byte == b'\r' || (*byte == b'\n' && !self.carriage);
            self.carriage = *byte == b'\r';
            self.lines += u64::from(ends_line);
            self.state = match (self.state, *byte) {
                (State::FieldBegins | State::QuoteSeen, b'"') => State::Quoted,
                (State::Quoted, b'"') => State::QuoteSeen,
                (State::Quoted, _) => State::Quoted,
                (_, b'\n') => return Some(at + 1),
                (_, byte) if byte == self.delimiter => State::FieldBegins,
                (_, _) => State::Plain,
            };
        }
        None
    }
}

/// The first records of a text, for whoever looks for a header among them.
#[must_use]
pub fn beginning(sample: &[u8], delimiter: u8, most: usize) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    let (mut at, mut fields, mut line) = (0, Vec::new(), 1);
    while at < sample.len() && records.len() < most {
        if matches!(sample.get(at), Some(b'\n' | b'\r')) {
            at += 1;
            continue;
        }
        fields.clear();
        match split(sample, at, delimiter, true, &mut fields, &mut line, &mut None) {
            Scanned::Ends(end) => at = end,
            Scanned::Open => break,
        }
        let text = |span: &Span| sample.get(span.start as usize..span.end as usize).map(String::from_utf8_lossy);
        let texts = fields.iter().filter_map(text);
        records.push(texts.map(|text| text.replace("\"\"", "\"").trim().to_owned()).collect());
    }
    records
}

/// The delimiter under which the header has most columns and nearly all rows have as many.
#[must_use]
pub fn sniff(sample: &[u8]) -> u8 {
    const ROWS: usize = 50;
    let mut best = (1, b',');
    for delimiter in DELIMITERS {
        let mut counts = Vec::new();
        let (mut at, mut fields, mut line) = (0, Vec::new(), 1);
        while at < sample.len() && counts.len() < ROWS {
            if matches!(sample.get(at), Some(b'\n' | b'\r')) {
                at += 1;
                continue;
            }
            fields.clear();
            match split(sample, at, *delimiter, false, &mut fields, &mut line, &mut None) {
                Scanned::Ends(end) => at = end,
                // The last record of the sample may be cut; it counts only when it is the only one.
                Scanned::Open if counts.is_empty() => at = sample.len(),
                Scanned::Open => break,
            }
            counts.push(fields.len());
        }
        let Some(header) = counts.first().copied() else { continue };
        let alike = counts.iter().filter(|count| **count == header).count();
        if header > best.0 && alike * 5 >= counts.len() * 4 {
            best = (header, *delimiter);
        }
    }
    best.1
}
