//! Ids as numbers that sort as the ids do.
//!
//! Ten million rows are sorted by customer and subscription. Most systems give ids that differ in at most sixteen
//! characters after a common beginning (`cus_`…): such an id is its own 128-bit key, and the texts need not be kept.
//! Other ids are numbered by rank.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};
use rayon::prelude::*;

use super::BooksError;

/// A key: sixteen bytes in two halves, so that it needs no alignment of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(u64, u64);

impl Key {
    /// What no id has: no text holds such bytes, and no list is so long.
    pub const NONE: Key = Key(u64::MAX, u64::MAX);

    /// The half that decides first.
    pub(super) fn first_half(self) -> u64 {
        self.0
    }

    /// Both halves.
    pub(super) fn halves(self) -> [u64; 2] {
        [self.0, self.1]
    }

    /// What a key spells: the bytes and how many of them count.
    #[inline]
    pub(crate) fn spelled(self) -> ([u8; KEY_BYTES], usize) {
        let value = u128::from(self);
        (value.to_be_bytes(), KEY_BYTES - value.trailing_zeros() as usize / 8)
    }

    /// A number that is the same for the same key, and for another one only by chance.
    pub(super) fn mixed(self) -> u64 {
        let spread = |half: u64| {
            let half = (half ^ half >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (half ^ half >> 29).wrapping_mul(0xd6e8_feb8_6659_fd93)
        };
        spread(spread(self.0) ^ self.1.rotate_left(32))
    }

    /// The key of two halves.
    pub(super) fn of_halves([first, second]: [u64; 2]) -> Self {
        Key(first, second)
    }
}

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

impl Texts {
    /// In sorted texts, the place of the first that is not before a text.
    fn place_of(&self, text: &str) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle) < text {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Appends some of other texts.
    fn append(&mut self, other: &Texts, range: std::ops::Range<usize>) {
        let end_of = |place: usize| place.checked_sub(1).and_then(|last| other.ends.get(last)).copied().unwrap_or(0);
        let (start, end) = (end_of(range.start), end_of(range.end));
        let here = self.bytes.len() as u64;
        self.bytes.push_str(other.bytes.get(start as usize..end as usize).unwrap_or_default());
        let ends = other.ends.get(range).unwrap_or_default();
        self.ends.extend(ends.iter().map(|end| end - start + here));
    }
}

/// How keys that are ranks move where further ids came in between.
#[derive(Debug, Clone, Default)]
pub struct Shift {
    /// For each further id, in order, how many of the ids that were there lie before it.
    before: Vec<u64>,
}

impl Shift {
    /// Whether every key stays what it was.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.before.is_empty()
    }

    /// What became of a key.
    #[must_use]
    pub fn of(&self, key: Key) -> Key {
        if self.before.is_empty() {
            return key;
        }
        Key(key.0, key.1 + self.before.partition_point(|before| *before <= key.1) as u64)
    }
}

/// Characters of an id that fit a key.
const KEY_BYTES: usize = 16;

impl Ids {
    /// Keys of these ids alone, which are sorted and all different.
    #[must_use]
    pub fn ranked(ids: &[String]) -> Self {
        let mut sorted = Texts::default();
        for id in ids {
            sorted.push(id);
        }
        Ids::Ranked { sorted }
    }

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
                let (text, length) = key.spelled();
                out.extend_from_slice(beginning.as_bytes());
                out.extend_from_slice(&text[..length]);
            }
            Ids::Ranked { sorted } => {
                out.extend_from_slice(sorted.get(usize::try_from(u128::from(key)).unwrap_or(usize::MAX)).as_bytes());
            }
        }
    }

    /// The same with further ids, and where they lie among those that were there. None where one of them cannot have a
    /// key of this sort.
    #[must_use]
    pub fn with(&self, further: &[String]) -> Option<(Ids, Shift)> {
        let sorted = match self {
            Ids::Spelled { .. } => {
                return further.iter().all(|id| self.key(id).is_some()).then(|| (self.clone(), Shift::default()));
            }
            Ids::Ranked { sorted } => sorted,
        };
        let mut new: Vec<&str> = further.iter().map(String::as_str).filter(|id| self.key(id).is_none()).collect();
        new.sort_unstable();
        new.dedup();
        if new.is_empty() {
            return Some((self.clone(), Shift::default()));
        }
        let mut grown = Texts {
            bytes: String::with_capacity(sorted.bytes.len() + new.iter().map(|id| id.len()).sum::<usize>()),
            ends: Vec::with_capacity(sorted.len() + new.len()),
        };
        let mut shift = Shift::default();
        let mut next = 0;
        for id in new {
            let place = sorted.place_of(id);
            grown.append(sorted, next..place);
            next = place;
            grown.push(id);
            shift.before.push(place as u64);
        }
        grown.append(sorted, next..sorted.len());
        Some((Ids::Ranked { sorted: grown }, shift))
    }

    /// The key of an id, if an id like it can have one.
    pub fn key(&self, text: &str) -> Option<Key> {
        match self {
            Ids::Spelled { beginning } => spelled_key(text.strip_prefix(beginning.as_str())?.as_bytes()),
            Ids::Ranked { sorted } => {
                let place = sorted.place_of(text);
                (place < sorted.len() && sorted.get(place) == text).then_some(Key(0, place as u64))
            }
        }
    }
}

/// The key that spells at most [`KEY_BYTES`] bytes of text; none when they do not fit, or hold a zero byte, which would
/// read as padding.
fn spelled_key(text: &[u8]) -> Option<Key> {
    if text.len() > KEY_BYTES || text.contains(&0) || std::str::from_utf8(text).is_err() {
        return None;
    }
    let mut spelled = [0; KEY_BYTES];
    spelled[..text.len()].copy_from_slice(text);
    Some(u128::from_be_bytes(spelled).into())
}

/// As [`spelled_key`], of at least eight bytes of letters and digits, as nearly all ids have them; none of any other text.
#[inline]
fn spelled_key_of_most(text: &[u8]) -> Option<Key> {
    const ONES: u64 = u64::MAX / 255;
    let (first, last) = (text.first_chunk::<8>()?, text.last_chunk::<8>()?);
    let (first, last) = (u64::from_be_bytes(*first), u64::from_be_bytes(*last));
    // The last eight bytes repeat some of the first eight, which are shifted out.
    let missing = 8 * KEY_BYTES.checked_sub(text.len())? as u32;
    let (rest, padding) = (last.checked_shl(missing).unwrap_or(0), !u64::MAX.checked_shl(missing).unwrap_or(0));
    // No byte of theirs is zero or has its highest bit.
    let padded = rest | padding & ONES;
    let odd = first.wrapping_sub(ONES) | first | padded.wrapping_sub(ONES) | padded;
    if odd & ONES << 7 == 0 { Some(Key(first, rest)) } else { None }
}

/// What ids like most begin with: at most eight bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShortBeginning {
    length: usize,
    /// The bytes, padded with zeros.
    word: u64,
    /// Ones where `word` has bytes.
    mask: u64,
}

impl ShortBeginning {
    /// What no id begins with.
    const NONE: Self = Self { length: 0, word: 1, mask: 0 };

    fn of(text: &str) -> Self {
        let mut word = [0; 8];
        let mut mask = [0; 8];
        let (Some(own), Some(ones)) = (word.get_mut(..text.len()), mask.get_mut(..text.len())) else {
            return Self::NONE;
        };
        own.copy_from_slice(text.as_bytes());
        ones.fill(u8::MAX);
        Self { length: text.len(), word: u64::from_le_bytes(word), mask: u64::from_le_bytes(mask) }
    }

    /// The key of an id that begins so and goes on as [`spelled_key_of_most`] likes it. None of any other id, which may have
    /// one all the same.
    #[inline]
    pub(super) fn key(self, text: &[u8]) -> Option<Key> {
        let eight = text.first_chunk::<8>()?;
        let begins = u64::from_le_bytes(*eight) & self.mask == self.word;
        spelled_key_of_most(text.get(self.length..).filter(|_| begins)?)
    }
}

/// Makes keys of ids that are read.
pub enum Keys {
    /// Ids are spelled by their keys.
    Spelled {
        /// What all ids begin with.
        beginning: String,
    },
    /// Ids are looked up.
    Ranked {
        /// The ids, sorted.
        sorted: Texts,
        /// Ranks by id.
        known: HashTable<u32>,
        /// What the table is hashed by.
        hasher: DefaultHashBuilder,
    },
    /// All ids are known; few are asked for.
    Known(Ids),
}

impl Keys {
    /// Keys for ids that all begin so, as long as they fit.
    pub fn spelled(beginning: &str) -> Self {
        Keys::Spelled { beginning: beginning.to_owned() }
    }

    /// Keys for these ids.
    pub fn ranked(ids: &Distinct) -> Self {
        let texts = &ids.texts;
        let mut order: Vec<u32> = (0..texts.len() as u32).collect();
        order.par_sort_unstable_by(|a, b| texts.get(*a as usize).cmp(texts.get(*b as usize)));
        let mut sorted = Texts::default();
        for number in order {
            sorted.push(texts.get(number as usize));
        }
        let hasher = DefaultHashBuilder::default();
        let mut known = HashTable::with_capacity(sorted.len());
        for rank in 0..sorted.len() {
            let hash_of = |rank: &u32| hasher.hash_one(sorted.get(*rank as usize).as_bytes());
            known.insert_unique(hash_of(&(rank as u32)), rank as u32, hash_of);
        }
        Keys::Ranked { sorted, known, hasher }
    }

    /// What tells the keys of most ids at once.
    pub(super) fn of_most(&self) -> ShortBeginning {
        match self {
            Keys::Spelled { beginning } => ShortBeginning::of(beginning),
            _ => ShortBeginning::NONE,
        }
    }

    /// The key of an id; none when it does not fit the way in which keys are made.
    #[inline(never)]
    pub fn of(&self, text: &[u8]) -> Option<Key> {
        match self {
            Keys::Spelled { beginning } => {
                let text = text.strip_prefix(beginning.as_bytes())?;
                spelled_key_of_most(text).or_else(|| spelled_key(text))
            }
            Keys::Ranked { sorted, known, hasher } => {
                let found = known.find(hasher.hash_one(text), |rank| sorted.get(*rank as usize).as_bytes() == text)?;
                Some(Key(0, u64::from(*found)))
            }
            Keys::Known(ids) => ids.key(std::str::from_utf8(text).ok()?),
        }
    }

    /// What reads the keys.
    pub fn into_ids(self) -> Ids {
        match self {
            Keys::Spelled { beginning } => Ids::Spelled { beginning },
            Keys::Ranked { sorted, .. } => Ids::Ranked { sorted },
            Keys::Known(ids) => ids,
        }
    }
}

/// Different ids, in the order in which they come.
#[derive(Default)]
pub struct Distinct {
    texts: Texts,
    known: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Distinct {
    /// Takes in an id.
    pub fn push(&mut self, text: &str) -> Result<(), BooksError> {
        let Self { texts, known, hasher } = self;
        let entry = known.entry(
            hasher.hash_one(text),
            |number| texts.get(*number as usize) == text,
            |number| hasher.hash_one(texts.get(*number as usize)),
        );
        if let Entry::Vacant(free) = entry {
            free.insert(u32::try_from(texts.len()).map_err(|_| BooksError::TooMany { what: "ids" })?);
            texts.push(text);
        }
        Ok(())
    }
}

/// What two texts both begin with: and with them every text that lies between them.
pub fn common_beginning<'a>(one: &'a [u8], other: &[u8]) -> &'a str {
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let whole = (0..=same).rev().find_map(|end| std::str::from_utf8(one.get(..end)?).ok());
    whole.unwrap_or_default()
}

/// What stands between the parts of a joined id.
pub const JOINT: char = '\u{1f}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_ids_do_and_read_back() {
        for texts in [
            vec!["cus_9", "cus_10", "cus_1", "cus_"],
            vec!["客户甲", "客户乙", "客", "a"],
            vec!["a-very-long-identifier-of-one-kind", "b-very-long-identifier-of-another-kind", "a"],
            vec!["a\u{0}", "a", "a\u{0}b"],
            vec![""],
        ] {
            let (least, greatest) = (texts.iter().min().unwrap(), texts.iter().max().unwrap());
            let spelled = Keys::spelled(common_beginning(least.as_bytes(), greatest.as_bytes()));
            let fits = texts.iter().all(|text| spelled.of(text.as_bytes()).is_some());
            let mut distinct = Distinct::default();
            for text in &texts {
                distinct.push(text).unwrap();
                distinct.push(text).unwrap();
            }
            for keys in [fits.then_some(spelled), Some(Keys::ranked(&distinct))].into_iter().flatten() {
                let made: Vec<Key> = texts.iter().map(|text| keys.of(text.as_bytes()).unwrap()).collect();
                assert_eq!(keys.of(b"never-seen-and-much-too-long-to-spell"), None);
                let ids = keys.into_ids();
                let read: Vec<String> = made.iter().map(|key| ids.text(*key)).collect();
                assert_eq!(read, texts);
                let mut by_text = texts.clone();
                by_text.sort_unstable();
                let mut sorted = made.clone();
                sorted.sort_unstable();
                assert_eq!(sorted.iter().map(|key| ids.text(*key)).collect::<Vec<_>>(), by_text);
                for (text, key) in texts.iter().zip(&made) {
                    assert_eq!(ids.key(text), Some(*key));
                }
            }
            assert_eq!(fits, texts.iter().all(|text| text.len() < 20 && !text.contains('\0')));
        }
    }

    #[test]
    fn ranks_make_room_for_further_ids() {
        let was = ["b-long-enough-to-be-ranked", "d-long-enough-to-be-ranked", "f-long-enough-to-be-ranked"];
        let mut distinct = Distinct::default();
        was.iter().for_each(|id| distinct.push(id).unwrap());
        let ids = Keys::ranked(&distinct).into_ids();
        for further in [vec![], vec!["a"], vec!["g"], vec!["e", "c", "c", "e2"], vec![was[1]], vec!["a", was[0], "z"]] {
            let further: Vec<String> = further.into_iter().map(str::to_owned).collect();
            let (grown, shift) = ids.with(&further).unwrap();
            let mut all: Vec<&str> = was.iter().copied().chain(further.iter().map(String::as_str)).collect();
            all.sort_unstable();
            all.dedup();
            let keys: Vec<Key> = all.iter().map(|id| grown.key(id).unwrap()).collect();
            assert!(keys.is_sorted());
            assert_eq!(keys.iter().map(|key| grown.text(*key)).collect::<Vec<_>>(), all);
            for id in was {
                assert_eq!(shift.of(ids.key(id).unwrap()), grown.key(id).unwrap(), "{id} among {all:?}");
            }
        }
        let spelled = Ids::Spelled { beginning: "cus_".to_owned() };
        assert!(spelled.with(&["cus_new".to_owned()]).is_some_and(|(_, shift)| shift.is_none()));
        assert!(spelled.with(&["new".to_owned()]).is_none());
    }

    #[test]
    fn what_lies_between_two_texts_begins_as_both_do() {
        assert_eq!(common_beginning("客户甲".as_bytes(), "客户乙".as_bytes()), "客户");
        assert_eq!(common_beginning(b"cus_10", b"cus_9"), "cus_");
        assert_eq!(common_beginning(b"cus_1", b"cus_1"), "cus_1");
        assert_eq!(common_beginning("é".as_bytes(), "è".as_bytes()), "");
    }
}
