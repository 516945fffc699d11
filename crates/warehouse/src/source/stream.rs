//! Opening a file: what it is packed in and how its text is encoded, down to plain UTF-8 bytes.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

use super::limits;
use super::reader::ReadError;

/// What the bytes of a file are packed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Nothing: the file is its own text.
    Plain,
    /// One or more gzip members.
    Gzip,
}

/// A file as UTF-8 bytes. Bytes that its encoding does not know arrive as `0xFF`, which no UTF-8 holds, so that
/// the row they stand in is refused further on.
pub struct Stream {
    bytes: Box<dyn Read + Send>,
    /// Bytes taken from the file so far, packed ones where it is packed.
    pub taken: Arc<AtomicU64>,
    /// What the file is packed in.
    pub packing: Packing,
    /// The encoding of its text.
    pub encoding: &'static Encoding,
    /// Whether the text can be entered at an offset without reading what comes before.
    seekable: Option<(File, u64)>,
    path: PathBuf,
}

/// The first bytes of a file, which say what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Magic {
    /// A Parquet file.
    Parquet,
    /// A gzip file.
    Gzip,
    /// Anything else, which is read as text.
    Text,
}

/// Looks at the first bytes of a file.
///
/// # Errors
/// When the file cannot be opened, or is an archive that must be unpacked first.
pub fn magic(path: &Path) -> Result<Magic, ReadError> {
    let mut first = Vec::with_capacity(8);
    let file = File::open(path).map_err(|cause| ReadError::Open { path: path.to_owned(), cause })?;
    file.take(8).read_to_end(&mut first).map_err(|cause| ReadError::Read { path: path.to_owned(), cause })?;
    for (sign, packing) in PACKINGS {
        if first.starts_with(sign) {
            return Err(ReadError::Packed { path: path.to_owned(), packing });
        }
    }
    Ok(match first.as_slice() {
        [b'P', b'A', b'R', b'1', ..] => Magic::Parquet,
        [0x1f, 0x8b, ..] => Magic::Gzip,
        _ => Magic::Text,
    })
}

/// Packings that are recognised only to say what to do.
const PACKINGS: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "a zip archive (or a spreadsheet: save that as CSV)"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "packed with zstd"),
    (b"BZh", "packed with bzip2"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "packed with xz"),
    (&[0xd0, 0xcf, 0x11, 0xe0], "an old spreadsheet: save it as CSV"),
];

impl Stream {
    /// Opens a file as text. Without `encoding` it is UTF-8, or UTF-16 where a byte order mark says so.
    ///
    /// # Errors
    /// When the file cannot be read, or is packed in something that is not read here.
    pub fn open(path: &Path, encoding: Option<&'static Encoding>) -> Result<Self, ReadError> {
        let failed = |cause| ReadError::Read { path: path.to_owned(), cause };
        let magic = magic(path)?;
        let open = || File::open(path).map_err(|cause| ReadError::Open { path: path.to_owned(), cause });
        let taken = Arc::new(AtomicU64::new(0));
        let counted = Counted { file: open()?, taken: Arc::clone(&taken) };
        let (packing, mut unpacked): (_, Box<dyn Read + Send>) = match magic {
            Magic::Gzip => {
                let buffered = BufReader::with_capacity(128 << 10, counted);
                let gunzip = flate2::bufread::MultiGzDecoder::new(buffered);
                (Packing::Gzip, Box::new(Bounded { inner: gunzip, taken: Arc::clone(&taken), given: 0 }))
            }
            Magic::Text | Magic::Parquet => (Packing::Plain, Box::new(counted)),
        };
        let mut first = Vec::with_capacity(4);
        (&mut unpacked).take(3).read_to_end(&mut first).map_err(failed)?;
        let (marked, mark) = Encoding::for_bom(&first).map_or((None, 0), |(encoding, mark)| (Some(encoding), mark));
        let encoding = marked.or(encoding).unwrap_or(UTF_8);
        let seekable = if packing == Packing::Plain && encoding == UTF_8 { Some((open()?, mark as u64)) } else { None };
        let rest = io::Cursor::new(first.split_off(mark)).chain(unpacked);
        let bytes: Box<dyn Read + Send> = if encoding == UTF_8 {
            Box::new(rest)
        } else {
            Box::new(Recoded::new(rest, encoding.new_decoder_without_bom_handling()))
        };
        Ok(Self { bytes, taken, packing, encoding, seekable, path: path.to_owned() })
    }

    /// Goes forward to an offset of the decoded text, counted from its beginning; nothing may have been read before.
    ///
    /// # Errors
    /// When the file cannot be read or is shorter than that.
    pub fn enter(&mut self, offset: u64) -> Result<(), ReadError> {
        let failed = |cause| ReadError::Read { path: self.path.clone(), cause };
        if let Some((mut file, mark)) = self.seekable.take() {
            file.seek(SeekFrom::Start(mark + offset)).map_err(failed)?;
            self.taken.store(mark + offset, Ordering::Relaxed);
            self.bytes = Box::new(Counted { file, taken: Arc::clone(&self.taken) });
            return Ok(());
        }
        let skipped = io::copy(&mut (&mut self.bytes).take(offset), &mut io::sink()).map_err(failed)?;
        if skipped < offset {
            return Err(failed(io::Error::from(io::ErrorKind::UnexpectedEof)));
        }
        Ok(())
    }

    /// Reads until `buffer` holds `length` bytes or the text ends; true at the end.
    ///
    /// # Errors
    /// When the file cannot be read or unpacked.
    pub fn fill(&mut self, buffer: &mut Vec<u8>, length: usize) -> Result<bool, ReadError> {
        let wanted = length.saturating_sub(buffer.len());
        buffer.reserve(wanted);
        let read = (&mut self.bytes).take(wanted as u64).read_to_end(buffer).map_err(|cause| match cause.kind() {
            io::ErrorKind::UnexpectedEof => ReadError::CutShort { path: self.path.clone() },
            io::ErrorKind::FileTooLarge => ReadError::Inflates { path: self.path.clone() },
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                ReadError::Damaged { path: self.path.clone(), cause }
            }
            _ => ReadError::Read { path: self.path.clone(), cause },
        })?;
        Ok(read < wanted)
    }

    /// The file that is read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A file that counts what was taken from it.
struct Counted {
    file: File,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// An unpacker that stops when the text grows out of proportion to the file.
struct Bounded<R> {
    inner: R,
    taken: Arc<AtomicU64>,
    given: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.given += read as u64;
        let fair = self.taken.load(Ordering::Relaxed).saturating_mul(limits::INFLATION);
        if self.given > limits::INFLATED_BYTES && self.given > fair {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        Ok(read)
    }
}

/// Text of another encoding as UTF-8.
struct Recoded<R> {
    inner: R,
    decoder: Decoder,
    raw: Vec<u8>,
    raw_from: usize,
    text: Vec<u8>,
    text_from: usize,
    ended: bool,
    finished: bool,
}

impl<R: Read> Recoded<R> {
    fn new(inner: R, decoder: Decoder) -> Self {
        Self {
            inner,
            decoder,
            raw: Vec::new(),
            raw_from: 0,
            text: Vec::new(),
            text_from: 0,
            ended: false,
            finished: false,
        }
    }

    fn refill(&mut self) -> io::Result<()> {
        const BYTES: usize = 64 << 10;
        if self.raw_from >= self.raw.len() && !self.ended {
            self.raw.resize(BYTES, 0);
            let read = loop {
                match self.inner.read(&mut self.raw) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other?,
                }
            };
            self.raw.truncate(read);
            self.raw_from = 0;
            self.ended = read == 0;
        }
        let input = self.raw.get(self.raw_from..).unwrap_or(&[]);
        self.text.resize(BYTES * 4, 0);
        self.text_from = 0;
        let (result, read, written) =
            self.decoder.decode_to_utf8_without_replacement(input, &mut self.text, self.ended);
        self.raw_from += read;
        self.text.truncate(written);
        match result {
            DecoderResult::Malformed(_, _) => self.text.push(0xff),
            DecoderResult::InputEmpty => self.finished = self.ended,
            DecoderResult::OutputFull => {}
        }
        Ok(())
    }
}

impl<R: Read> Read for Recoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.text_from >= self.text.len() {
            if self.finished {
                return Ok(0);
            }
            self.refill()?;
        }
        let text = self.text.get(self.text_from..).unwrap_or(&[]);
        let length = text.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), text.get(..length)) {
            to.copy_from_slice(from);
        }
        self.text_from += length;
        Ok(length)
    }
}
