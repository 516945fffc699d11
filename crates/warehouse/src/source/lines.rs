//! JSON lines: one object a line, nested objects flattened into dotted names, numbers kept digit by digit.

use std::borrow::Cow;
use std::fmt;

use hashbrown::HashMap;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::block::{Block, Position, Record, Span};
use super::issue::Code;
use super::limits;
use super::reader::ReadError;
use super::stream::Stream;

/// A file of JSON lines being read.
pub struct Lines {
    stream: Stream,
    seen: Names,
    rest: Vec<u8>,
    at: Position,
    ended: bool,
}

impl Lines {
    /// Begins to read a file.
    ///
    /// # Errors
    /// When it cannot be read, or is one array.
    pub fn open(mut stream: Stream) -> Result<Self, ReadError> {
        let mut rest = Vec::new();
        let ended = stream.fill(&mut rest, limits::BLOCK_BYTES)?;
        let path = || stream.path().to_owned();
        match rest.trim_ascii_start().first() {
            None if ended => return Err(ReadError::Empty { path: path() }),
            Some(b'[') => return Err(ReadError::JsonArray { path: path() }),
            _ => {}
        }
        let at = Position { offset: 0, line: 1 };
        Ok(Self { stream, seen: Names::default(), rest, at, ended })
    }

    /// The names seen so far, in the order of their first appearance.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.seen.names
    }

    /// The text that is read.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Goes on at a boundary between lines that an earlier reading gave out.
    ///
    /// # Errors
    /// When the file cannot be read or is shorter than that.
    pub fn enter(&mut self, mut stream: Stream, at: Position, names: Vec<String>) -> Result<(), ReadError> {
        stream.enter(at.offset)?;
        (self.stream, self.at, self.ended) = (stream, at, false);
        self.rest.clear();
        self.seen = Names::of(names);
        Ok(())
    }

    /// The next lines; nothing at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn block(&mut self) -> Result<Option<Block>, ReadError> {
        let mut wanted = limits::BLOCK_BYTES;
        loop {
            if !self.ended && self.rest.len() < wanted {
                self.ended = self.stream.fill(&mut self.rest, wanted)?;
            }
            if self.rest.is_empty() {
                return Ok(None);
            }
            let end = if self.ended {
                self.rest.len()
            } else if let Some(end) = memchr::memrchr(b'\n', &self.rest) {
                end + 1
            } else if self.rest.len() < limits::RECORD_BYTES {
                wanted = self.rest.len() * 2;
                continue;
            } else {
                return self.pass_over().map(Some);
            };
            let rest = self.rest.split_off(end);
            let bytes = std::mem::replace(&mut self.rest, rest);
            let block = self.read(bytes);
            if block.records.is_empty() {
                continue;
            }
            return Ok(Some(block));
        }
    }

    fn read(&mut self, mut bytes: Vec<u8>) -> Block {
        let mut block = Block::default();
        let mut start = 0;
        let mut line = self.at.line;
        let mut spans = Vec::new();
        for end in memchr::memchr_iter(b'\n', &bytes).chain([bytes.len()]) {
            let text = bytes.get(start..end).unwrap_or(&[]);
            if !text.trim_ascii().is_empty() {
                spans.push((line, start, end));
            }
            line += u64::from(end < bytes.len());
            start = end + 1;
        }
        self.at = Position { offset: self.at.offset + bytes.len() as u64, line };
        let mut damages = vec![None; spans.len()];
        for (index, (_, start, end)) in spans.iter().enumerate() {
            let Some(raw) = bytes.get_mut(*start..*end) else { continue };
            if raw.len() > limits::RECORD_BYTES {
                damages[index] = Some(Code::RecordTooLong);
            } else if raw.contains(&0) {
                damages[index] = Some(Code::NulByte);
            }
            if std::str::from_utf8(raw).is_err() {
                block.unreadable.push((index, raw.get(..limits::RAW_BYTES.min(raw.len())).unwrap_or(&[]).to_vec()));
                raw.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
                damages[index] = Some(Code::NotText);
            }
        }
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|error| error.into_bytes().iter().map(|byte| char::from(byte & 0x7f)).collect());
        block.text = text;
        let known = self.seen.names.len();
        self.seen.read(&mut block, spans, damages);
        block.names = self.seen.names.get(known..).unwrap_or(&[]).to_vec();
        block.next = self.at;
        block
    }

    /// A line beyond the limit: its beginning is kept, the rest is read and let go.
    fn pass_over(&mut self) -> Result<Block, ReadError> {
        let kept = self.rest.get(..limits::RAW_BYTES.min(self.rest.len())).unwrap_or(&[]).to_vec();
        let line = self.at.line;
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.rest) {
                self.rest.drain(..=end);
                self.at = Position { offset: self.at.offset + end as u64 + 1, line: line + 1 };
                break;
            }
            self.at.offset += self.rest.len() as u64;
            self.rest.clear();
            if self.ended {
                break;
            }
            self.ended = self.stream.fill(&mut self.rest, limits::BLOCK_BYTES)?;
        }
        let text = String::from_utf8_lossy(&kept).into_owned();
        let raw = Span { start: 0, end: text.len() as u32 };
        let record = Record { line, raw, first: 0, count: 0, damage: Some(Code::RecordTooLong) };
        Ok(Block { text, records: vec![record], next: self.at, ..Block::default() })
    }
}

/// The names seen so far, and where each stands.
#[derive(Default)]
struct Names {
    names: Vec<String>,
    positions: HashMap<String, usize>,
}

impl Names {
    fn of(names: Vec<String>) -> Self {
        Self { positions: names.iter().enumerate().map(|(at, name)| (name.clone(), at)).collect(), names }
    }

    /// Reads the objects that stand in a block's text on `spans` (line, start, end), and adds their values to it.
    fn read(&mut self, block: &mut Block, spans: Vec<(u64, usize, usize)>, damages: Vec<Option<Code>>) {
        let base = block.text.len();
        let mut rewritten = String::new();
        let mut values: Vec<Span> = Vec::new();
        for ((line, start, end), mut damage) in spans.into_iter().zip(damages) {
            let first = block.fields.len();
            let raw = block.text.get(start..end).unwrap_or("");
            values.clear();
            values.resize(self.names.len(), Span::ABSENT);
            if damage.is_none() {
                let mut take = |name: &str, value: &str| self.take(&mut values, name, value, base, &mut rewritten);
                damage = flatten(raw, "", 0, &mut take).err();
            }
            if damage.is_none() {
                block.fields.extend_from_slice(&values);
            }
            block.records.push(Record {
                line,
                raw: Span { start: start as u32, end: end as u32 },
                first: first as u32,
                count: (block.fields.len() - first) as u32,
                damage,
            });
        }
        block.text.push_str(&rewritten);
    }

    /// Takes one value of an object under its name.
    fn take(
        &mut self,
        values: &mut Vec<Span>,
        name: &str,
        value: &str,
        base: usize,
        rewritten: &mut String,
    ) -> Result<(), Code> {
        if value.len() > limits::FIELD_BYTES {
            return Err(Code::FieldTooLong);
        }
        let at = match self.positions.get(name) {
            Some(at) => *at,
            None if self.names.len() >= limits::COLUMNS => return Err(Code::TooManyColumns),
            None => {
                self.names.push(name.to_owned());
                self.positions.insert(name.to_owned(), self.names.len() - 1);
                values.push(Span::ABSENT);
                self.names.len() - 1
            }
        };
        let start = (base + rewritten.len()) as u32;
        rewritten.push_str(value);
        match values.get_mut(at) {
            Some(span) if *span == Span::ABSENT => {
                *span = Span { start, end: start + value.len() as u32 };
                Ok(())
            }
            _ => Err(Code::JsonKeyTwice),
        }
    }
}

/// Objects that stand alone, as a block: each with the line that it once stood on. Also all names.
#[must_use]
pub fn block_of(texts: &[(u64, String)], names: &[String]) -> (Block, Vec<String>) {
    let mut block = Block::default();
    let (mut spans, mut damages) = (Vec::new(), Vec::new());
    for (line, text) in texts {
        let start = block.text.len();
        block.text.push_str(text);
        spans.push((*line, start, block.text.len()));
        damages.push(text.contains('\0').then_some(Code::NulByte));
        block.text.push('\n');
    }
    let mut seen = Names::of(names.to_vec());
    seen.read(&mut block, spans, damages);
    (block, seen.names)
}

/// Hands every value of an object to `take`, under its dotted name.
fn flatten(
    text: &str,
    prefix: &str,
    depth: usize,
    take: &mut dyn FnMut(&str, &str) -> Result<(), Code>,
) -> Result<(), Code> {
    let entries: Entries<'_> = serde_json::from_str(text).map_err(|_| Code::JsonUnreadable)?;
    for (key, value) in entries.0 {
        let name = if prefix.is_empty() { key } else { Cow::Owned(format!("{prefix}.{key}")) };
        let value = value.get();
        match value.as_bytes().first() {
            Some(b'n') | None => {}
            Some(b'"') => {
                // Most strings have nothing to unescape and are taken as they stand.
                let inner = value.get(1..value.len() - 1).unwrap_or("");
                if inner.contains('\\') {
                    let string: String = serde_json::from_str(value).map_err(|_| Code::JsonUnreadable)?;
                    if string.contains('\0') {
                        return Err(Code::NulByte);
                    }
                    take(&name, &string)?;
                } else {
                    take(&name, inner)?;
                }
            }
            Some(b'{') if depth < limits::JSON_DEPTH => flatten(value, &name, depth + 1, take)?,
            Some(_) => take(&name, value)?,
        }
    }
    Ok(())
}

/// An object's entries in order, their values as they are written.
pub(crate) struct Entries<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

/// A key, borrowed from the text where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }
            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(Keys)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Objects;
        impl<'de> Visitor<'de> for Objects {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    entries.push((key, map.next_value()?));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Objects)
    }
}
