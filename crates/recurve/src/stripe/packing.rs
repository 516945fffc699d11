//! Bodies of events and their gists are kept packed: nearly all that stands in one stands in every other one too, so that
//! beside a typical one a fifth is left of it. What is unpacked is what was packed, to the byte.

use std::sync::LazyLock;

use rusqlite::{
    ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Type, Value, ValueRef},
};
use stripe::gist::Gist;
use zstd::{
    bulk::{Compressor, Decompressor},
    dict::{DecoderDictionary, EncoderDictionary},
    zstd_safe::get_frame_content_size,
};

/// What bodies are packed beside. What was packed beside it is not to be read without it: a better one gets another number in
/// [`Packing`], and this one stays as it is, to the byte.
const TYPICAL: &[u8] = include_bytes!("events.dictionary");
/// The fastest of all: a better one leaves a few bytes less.
const LEVEL: i32 = 1;

/// What is packed beside the same.
pub struct Beside {
    packing: EncoderDictionary<'static>,
    unpacking: DecoderDictionary<'static>,
}

impl Beside {
    fn these(typical: &[u8]) -> Self {
        Self { packing: EncoderDictionary::copy(typical, LEVEL), unpacking: DecoderDictionary::copy(typical) }
    }
}

/// Bodies of events.
pub static BODIES: LazyLock<Beside> = LazyLock::new(|| Beside::these(TYPICAL));
/// Gists of events: beside those of the typical ones. They are made anew where a program makes other ones.
pub static GISTS: LazyLock<Beside> = LazyLock::new(|| {
    let typical = TYPICAL.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    let gists: Vec<u8> = typical.filter_map(|event| Gist::of_event(&event)).flat_map(|gist| gist.to_bytes()).collect();
    Beside::these(&gists)
});

/// How bytes are packed, by the number that stands beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As they came.
    None = 0,
    /// By Zstandard, beside [`TYPICAL`].
    Typical = 1,
}

impl ToSql for Packing {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Integer(*self as i64)))
    }
}

impl FromSql for Packing {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        let known = [Self::None, Self::Typical].into_iter().find(|packing| *packing as i64 == number);
        known.ok_or(FromSqlError::OutOfRange(number))
    }
}

/// Packs.
pub struct Packer(Option<Compressor<'static>>);

impl Packer {
    /// Packs what is of a kind.
    pub fn of(kind: &'static Beside) -> Self {
        Self(Compressor::with_prepared_dictionary(&kind.packing).ok())
    }

    /// Bytes packed, with the number of the way before them.
    pub fn pack_with_number(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (packing, packed) = self.pack(bytes);
        let mut numbered = vec![packing as u8];
        numbered.extend_from_slice(packed.as_deref().unwrap_or(bytes));
        numbered
    }

    /// A body packed, or as it is where that is no larger.
    pub fn pack(&mut self, body: &[u8]) -> (Packing, Option<Vec<u8>>) {
        let packed = self.0.as_mut().and_then(|packer| packer.compress(body).ok());
        match packed.filter(|packed| packed.len() < body.len()) {
            Some(packed) => (Packing::Typical, Some(packed)),
            None => (Packing::None, None),
        }
    }
}

/// Unpacks.
pub struct Unpacker {
    kind: &'static Beside,
    unpacker: Option<Decompressor<'static>>,
}

impl Unpacker {
    /// Unpacks what is of a kind.
    pub fn of(kind: &'static Beside) -> Self {
        Self { kind, unpacker: None }
    }

    /// What [`Packer::pack_with_number`] packed into a column of a row.
    pub fn numbered(&mut self, row: &rusqlite::Row<'_>, column: usize) -> Result<Vec<u8>, rusqlite::Error> {
        let kept = row.get_ref(column)?.as_blob().map_err(|error| unreadable(column, error))?;
        let (number, packed) = kept.split_first().unwrap_or((&0, &[]));
        match Packing::column_result(ValueRef::Integer(i64::from(*number)))
            .map_err(|error| unreadable(column, error))?
        {
            Packing::None => Ok(packed.to_vec()),
            Packing::Typical => self.unpack(packed).map_err(|error| unreadable(column, error)),
        }
    }

    /// The body in a column of a row, with how it is packed in the next one.
    pub fn body(&mut self, row: &rusqlite::Row<'_>, column: usize) -> Result<Vec<u8>, rusqlite::Error> {
        let kept = row.get_ref(column)?;
        let packed = kept.as_blob().map_err(|error| unreadable(column, error))?;
        match row.get(column + 1)? {
            Packing::None => Ok(packed.to_vec()),
            Packing::Typical => self.unpack(packed).map_err(|error| unreadable(column, error)),
        }
    }

    fn unpack(&mut self, packed: &[u8]) -> std::io::Result<Vec<u8>> {
        let unpacker = match &mut self.unpacker {
            Some(unpacker) => unpacker,
            none => none.insert(Decompressor::with_prepared_dictionary(&self.kind.unpacking)?),
        };
        let size = get_frame_content_size(packed).ok().flatten();
        let size = size.ok_or_else(|| std::io::Error::other("the packed bytes do not say how many they were"))?;
        let size = usize::try_from(size).map_err(std::io::Error::other)?;
        unpacker.decompress(packed, size)
    }
}

fn unreadable(column: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, error.into())
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// Bodies are kept for ever, and what they are packed beside with them.
    #[test]
    fn what_bodies_are_packed_beside_never_changes() {
        let digest: String = Sha256::digest(TYPICAL).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, "29d6f8f776ce7da90884fd7e003ae1c835ffee79749ade1327104850f2d1cebc");
    }

    #[test]
    fn a_body_comes_out_as_it_went_in_and_takes_little_room() {
        let (mut packer, mut unpacker) = (Packer::of(&BODIES), Unpacker::of(&BODIES));
        let typical = std::str::from_utf8(TYPICAL).unwrap().lines().last().unwrap();
        let changed = typical.replace("sub_1", "sub_1PgafmB7WZ01zgkW6dKueIc5").replace("1000", "2350");
        let noise: Vec<u8> = (0..2_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for body in [changed.as_bytes(), b"{", b"", "é".repeat(100_000).as_bytes(), &noise] {
            match packer.pack(body) {
                (Packing::Typical, Some(packed)) => {
                    assert!(packed.len() < body.len());
                    assert_eq!(unpacker.unpack(&packed).unwrap(), body);
                }
                (packing, packed) => assert_eq!((packing, packed), (Packing::None, None)),
            }
        }
        let packed = packer.pack(changed.as_bytes()).1.unwrap();
        assert!(packed.len() * 10 < changed.len(), "{} bytes of {}", packed.len(), changed.len());
        assert!(unpacker.unpack(&packed[..packed.len() - 3]).is_err());
    }

    #[test]
    fn gists_of_one_customer_take_little_room() {
        let mut typical = std::str::from_utf8(TYPICAL).unwrap().lines();
        let subscription = typical.rfind(|line| line.contains("customer.subscription.updated")).unwrap();
        let event = subscription.replace("sub_", "sub_1PgafmB7WZ01zgkW").replace("1000", "2350");
        let gist = Gist::of_event(&serde_json::from_str(&event).unwrap()).unwrap().to_bytes();
        let packed = Packer::of(&GISTS).pack_with_number(&gist);
        assert!(packed.len() * 3 < gist.len(), "{} bytes of {}", packed.len(), gist.len());
        assert_eq!(packed[0], Packing::Typical as u8);
        assert_eq!(Unpacker::of(&GISTS).unpack(&packed[1..]).unwrap(), gist);
        assert_eq!(Packer(None).pack_with_number(b"abc"), b"\0abc");
    }
}
