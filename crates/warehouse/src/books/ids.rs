//! Ids as numbers that sort as the ids do.
//!
//! Ten million rows are sorted by customer and subscription. Most systems give ids that differ in at most sixteen
//! characters after a common beginning (`cus_`…): such an id is its own 128-bit key, and the texts need not be kept.
//! Other ids are numbered by rank.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};

use super::BooksError;

/// A key: sixteen bytes in two halves, so that it needs no alignment of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(u64, u64);

impl From<u128> for Key {
    fn from(value: u128) -> Self {
        Key((value >> 64) as u64, value as u64)
    }
}

impl From<Key> for u128 {
    fn from(key: Key) -> Self {
        u128::from(key.0) << 64 | u128::from(key.1)
    }
}

/// Ids of one kind, by key.
#[derive(Debug, Clone)]
pub enum Ids {
    /// Keys hold the characters after a common beginning, padded with zero bytes.
    Spelled {
        /// What all ids begin with.
        beginning: String,
    },
    /// Keys are ranks in the sorted list of ids.
    Ranked {
        /// The ids, sorted.
        sorted: Texts,
    },
}

/// Texts one after the other in one piece of memory.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    bytes: String,
    ends: Vec<u64>,
}

impl Texts {
    /// Appends a text and returns its index.
    pub fn push(&mut self, text: &str) -> usize {
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len() as u64);
        self.ends.len() - 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text of an index; empty when there is none.
    pub fn get(&self, index: usize) -> &str {
        let end = self.ends.get(index).copied().unwrap_or_default() as usize;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default() as usize;
        self.bytes.get(start..end).unwrap_or_default()
    }
}

/// Characters of an id that fit a key.
const KEY_BYTES: usize = 16;

impl Ids {
    /// The id of a key.
    pub fn text(&self, key: Key) -> String {
        let mut bytes = Vec::new();
        self.append(key, &mut bytes);
        // Keys are made of whole ids, so the bytes are the text that they came from.
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// Appends the id of a key to texts that are being put together.
    pub fn append(&self, key: Key, out: &mut Vec<u8>) {
        match self {
            Ids::Spelled { beginning } => {
                let value = u128::from(key);
                let length = KEY_BYTES - value.trailing_zeros() as usize / 8;
                out.extend_from_slice(beginning.as_bytes());
                out.extend_from_slice(&value.to_be_bytes()[..length]);
            }
            Ids::Ranked { sorted } => {
                out.extend_from_slice(sorted.get(usize::try_from(u128::from(key)).unwrap_or(usize::MAX)).as_bytes());
            }
        }
    }

    /// The key of an id, if an id like it can have one.
    pub fn key(&self, text: &str) -> Option<Key> {
        match self {
            Ids::Spelled { beginning } => {
                let rest = text.strip_prefix(beginning.as_str())?;
                (rest.len() <= KEY_BYTES && !rest.contains('\0')).then(|| spelled_key(text.as_bytes(), beginning.len()))
            }
            Ids::Ranked { sorted } => {
                let (mut low, mut high) = (0, sorted.len());
                while low < high {
                    let middle = low + (high - low) / 2;
                    match sorted.get(middle).cmp(text) {
                        std::cmp::Ordering::Less => low = middle + 1,
                        std::cmp::Ordering::Greater => high = middle,
                        std::cmp::Ordering::Equal => return Some(Key(0, middle as u64)),
                    }
                }
                None
            }
        }
    }
}

fn spelled_key(text: &[u8], beginning: usize) -> Key {
    let rest = text.get(beginning..).unwrap_or_default();
    let mut bytes = [0; KEY_BYTES];
    let length = rest.len().min(KEY_BYTES);
    bytes[..length].copy_from_slice(&rest[..length]);
    u128::from_be_bytes(bytes).into()
}

/// Ids of many rows, made keys as they come.
pub struct IdColumn {
    keys: Vec<Key>,
    form: Form,
    /// Bytes of the longest id so far.
    longest: usize,
}

enum Form {
    /// Every id so far fits a key after this beginning; nothing has come yet where it is `None`.
    Spelled(Option<String>),
    /// Ids are numbered in the order in which they come.
    Numbered { texts: Texts, known: HashTable<u32>, hasher: DefaultHashBuilder },
}

impl IdColumn {
    /// Room for so many ids.
    pub fn with_capacity(rows: usize) -> Self {
        Self { keys: Vec::with_capacity(rows), form: Form::Spelled(None), longest: 0 }
    }

    /// Takes in a batch of ids.
    pub fn push(&mut self, column: &ArrayRef) -> Result<(), BooksError> {
        let texts = texts_of(column)?;
        if let Form::Spelled(beginning) = &self.form {
            let common = common_beginning(beginning.as_deref(), texts, &mut self.longest);
            match common.filter(|shorter| self.longest - shorter.len() <= KEY_BYTES) {
                None => self.number_all()?,
                Some(shorter) => {
                    if beginning.as_ref().is_some_and(|known| *known != shorter) {
                        let before = Ids::Spelled { beginning: beginning.clone().unwrap_or_default() };
                        for key in &mut self.keys {
                            *key = spelled_key(before.text(*key).as_bytes(), shorter.len());
                        }
                    }
                    let length = shorter.len();
                    self.form = Form::Spelled(Some(shorter));
                    self.keys.extend(texts.iter().map(|text| spelled_key(text.unwrap_or_default().as_bytes(), length)));
                    return Ok(());
                }
            }
        }
        for text in texts.iter() {
            let key = self.number(text.unwrap_or_default())?;
            self.keys.push(key);
        }
        Ok(())
    }

    /// Gives up on spelling: the ids so far are numbered as well. The keys that came before may no longer fit the new
    /// ids' beginning, so they are read back first.
    fn number_all(&mut self) -> Result<(), BooksError> {
        let Form::Spelled(beginning) = &self.form else { return Ok(()) };
        let before = Ids::Spelled { beginning: beginning.clone().unwrap_or_default() };
        self.form =
            Form::Numbered { texts: Texts::default(), known: HashTable::new(), hasher: DefaultHashBuilder::default() };
        for index in 0..self.keys.len() {
            self.keys[index] = self.number(&before.text(self.keys[index]))?;
        }
        Ok(())
    }

    fn number(&mut self, text: &str) -> Result<Key, BooksError> {
        let Form::Numbered { texts, known, hasher } = &mut self.form else { return Ok(Key::default()) };
        let entry = known.entry(
            hasher.hash_one(text),
            |number| texts.get(*number as usize) == text,
            |number| hasher.hash_one(texts.get(*number as usize)),
        );
        let number = match entry {
            Entry::Occupied(found) => *found.get(),
            Entry::Vacant(free) => {
                let number = u32::try_from(texts.len()).map_err(|_| BooksError::TooMany { what: "ids" })?;
                free.insert(number);
                texts.push(text);
                number
            }
        };
        Ok(Key(0, u64::from(number)))
    }

    /// The keys, which sort as the ids do, and what reads them.
    pub fn finish(self) -> (Ids, Vec<Key>) {
        let mut keys = self.keys;
        let texts = match self.form {
            Form::Spelled(beginning) => return (Ids::Spelled { beginning: beginning.unwrap_or_default() }, keys),
            Form::Numbered { texts, .. } => texts,
        };
        let mut order: Vec<u32> = (0..texts.len() as u32).collect();
        order.sort_unstable_by(|a, b| texts.get(*a as usize).cmp(texts.get(*b as usize)));
        let mut sorted = Texts::default();
        let mut ranks = vec![0u64; order.len()];
        for (rank, number) in order.iter().enumerate() {
            sorted.push(texts.get(*number as usize));
            ranks[*number as usize] = rank as u64;
        }
        for key in &mut keys {
            *key = Key(0, ranks[key.1 as usize]);
        }
        (Ids::Ranked { sorted }, keys)
    }
}

/// What the ids before (which begin with `known`) and these all begin with; `None` when an id cannot be spelled.
fn common_beginning(known: Option<&str>, texts: &StringArray, longest: &mut usize) -> Option<String> {
    // A zero byte would read as padding.
    let (first, last) = (*texts.offsets().first()? as usize, *texts.offsets().last()? as usize);
    if memchr::memchr(0, texts.value_data().get(first..last)?).is_some() {
        return None;
    }
    let mut beginning: Option<&str> = known;
    for text in texts.iter() {
        let text = text.unwrap_or_default();
        *longest = (*longest).max(text.len());
        beginning = Some(match beginning {
            None => text,
            Some(found) if text.as_bytes().starts_with(found.as_bytes()) => found,
            Some(found) => {
                let same = found.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
                let same = (0..=same).rev().find(|end| found.is_char_boundary(*end)).unwrap_or(0);
                &found[..same]
            }
        });
    }
    Some(beginning.unwrap_or_default().to_owned())
}

fn texts_of(column: &ArrayRef) -> Result<&StringArray, BooksError> {
    column.as_string_opt::<i32>().ok_or_else(|| BooksError::WrongColumn {
        column: "id".to_owned(),
        found: column.data_type().to_string(),
        wanted: "text".to_owned(),
    })
}

/// Ids with a second part in each row (a subscription's item), or that come from several sources. The parts are
/// joined by [`JOINT`], which no id has and which sorts before what ids have.
pub fn joined(first: &ArrayRef, second: impl Fn(usize) -> Option<String>) -> Result<ArrayRef, BooksError> {
    let texts = texts_of(first)?;
    let joined: StringArray = (0..texts.len())
        .map(|row| {
            let id = if texts.is_valid(row) { texts.value(row) } else { "" };
            Some(second(row).map_or_else(|| id.to_owned(), |part| format!("{id}{JOINT}{part}")))
        })
        .collect();
    Ok(Arc::new(joined))
}

/// What stands between the parts of a joined id.
pub const JOINT: char = '\u{1f}';

#[cfg(test)]
mod tests {
    use super::*;

    fn column(texts: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(texts.to_vec()))
    }

    #[test]
    fn keys_sort_as_ids_do_and_read_back() {
        for texts in [
            vec!["cus_9", "cus_10", "cus_1", "cus_"],
            vec!["客户甲", "客户乙", "客", "a"],
            vec!["a-very-long-identifier-of-one-kind", "b-very-long-identifier-of-another-kind", "a"],
            vec!["a\u{0}", "a", "a\u{0}b"],
            vec![""],
        ] {
            let mut ids = IdColumn::with_capacity(0);
            // Each id in a batch of its own: what is known of the ids changes with every one.
            for text in &texts {
                ids.push(&column(&[text])).unwrap();
            }
            let (ids, keys) = ids.finish();
            let read: Vec<String> = keys.iter().map(|key| ids.text(*key)).collect();
            assert_eq!(read, texts);
            let mut by_text = texts.clone();
            by_text.sort_unstable();
            let mut sorted = keys.clone();
            sorted.sort_unstable();
            assert_eq!(sorted.iter().map(|key| ids.text(*key)).collect::<Vec<_>>(), by_text);
            for (text, key) in texts.iter().zip(&keys) {
                assert_eq!(ids.key(text), Some(*key));
            }
        }
    }
}
