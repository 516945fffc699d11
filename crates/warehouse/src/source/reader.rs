//! One way to read a file, whatever its format: a header (where it has one) and blocks of records.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use encoding_rs::Encoding;

use super::block::{Block, Position};
use super::columnar::Columnar;
use super::delimited::{self, Delimited};
use super::issue::Code;
use super::limits;
use super::lines::Lines;
use super::preset::Beginning;
use super::stream::{self, Magic, Packing, Stream};

/// Why a file cannot be read at all. Nothing of it is imported then.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be opened.
    #[error("cannot open {}: {cause}. Check the name and that you may read it", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// It cannot be read.
    #[error("cannot read {}: {cause}. Check the disk or the connection and import it again", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// It is packed in something else.
    #[error("{} is {packing}: unpack it and import what is inside (gzip is read as it is)", path.display())]
    Packed {
        /// The file.
        path: PathBuf,
        /// What it is packed in.
        packing: &'static str,
    },
    /// It ends in the middle of its gzip stream.
    #[error("{} is cut short: its gzip stream ends before its end. Fetch the file again", path.display())]
    CutShort {
        /// The file.
        path: PathBuf,
    },
    /// Its packing is damaged.
    #[error("{} is damaged and cannot be unpacked: {cause}. Fetch the file again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the unpacker says.
        cause: io::Error,
    },
    /// It inflates out of proportion.
    #[error("{} inflates to more than {} times its size, which real data does not: nothing of it was imported. \
             If it is what you mean, unpack it and import the text", path.display(), limits::INFLATION)]
    Inflates {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing in it.
    #[error("{} is empty: not even a header is there. Export it again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// It is not text.
    #[error("{} is not text in a known encoding (it is full of NUL bytes). Give `--encoding utf-16le` if it is \
             UTF-16 without a mark, or export it as CSV", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// Its first line cannot be a header.
    #[error("the header of {} cannot be read: {} Mend: {}", path.display(), code.words().means, code.words().mend)]
    Header {
        /// The file.
        path: PathBuf,
        /// Why.
        code: Code,
    },
    /// Two columns have one name.
    #[error("the header of {} names `{name}` twice (columns {first} and {second}), so a value could be taken from \
             the wrong one. Rename one of them", path.display())]
    HeaderTwice {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
        /// The first column of that name, from 1.
        first: usize,
        /// The second.
        second: usize,
    },
    /// It is one JSON array.
    #[error("{} is one JSON array. Write one object a line, for instance with `jq -c '.[]'`", path.display())]
    JsonArray {
        /// The file.
        path: PathBuf,
    },
    /// It is not a Parquet file that can be read.
    #[error("cannot read {} as Parquet: {cause}. Write the file again", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        cause: String,
    },
    /// No such encoding.
    #[error("no encoding is called `{name}`. Use a name such as utf-8, latin1, windows-1252 or utf-16le")]
    Encoding {
        /// The name given.
        name: String,
    },
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text with a header and a delimiter.
    Delimited,
    /// One JSON object a line.
    Lines,
    /// Parquet.
    Columnar,
}

impl Format {
    /// Every format with its name.
    pub const ALL: &'static [(Format, &'static str)] =
        &[(Format::Delimited, "csv"), (Format::Lines, "jsonl"), (Format::Columnar, "parquet")];

    /// A format by its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, listed)| *listed == name).map(|(format, _)| *format)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(format, _)| *format == self).map_or("", |(_, name)| name)
    }
}

/// What the user says about a file; the rest is found by looking.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Its format.
    pub format: Option<Format>,
    /// The name of its encoding.
    pub encoding: Option<String>,
    /// The delimiter of a CSV file.
    pub delimiter: Option<u8>,
    /// Records of a CSV file that stand above its header.
    pub above: usize,
}

/// A file being read.
pub struct Reader {
    path: PathBuf,
    options: ReadOptions,
    names: Vec<String>,
    inner: Inner,
    taken: Arc<AtomicU64>,
}

enum Inner {
    Delimited(Delimited),
    Lines(Box<Lines>),
    Columnar(Box<Columnar>),
}

impl Reader {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// When it cannot be opened, or is nothing that can be read.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, ReadError> {
        let format = match (options.format, stream::magic(path)?) {
            (Some(format), _) => format,
            (None, Magic::Parquet) => Format::Columnar,
            (None, Magic::Gzip | Magic::Text) => text_format(path),
        };
        let (inner, names, taken) = match format {
            Format::Columnar => {
                let (file, names) = Columnar::open(path)?;
                (Inner::Columnar(Box::new(file)), names, Arc::new(AtomicU64::new(0)))
            }
            Format::Delimited => {
                let stream = open_text(path, options)?;
                let taken = Arc::clone(&stream.taken);
                let (file, names) = Delimited::open(stream, options.delimiter, options.above)?;
                (Inner::Delimited(file), named(path, names)?, taken)
            }
            Format::Lines => {
                let stream = open_text(path, options)?;
                let taken = Arc::clone(&stream.taken);
                (Inner::Lines(Box::new(Lines::open(stream)?)), Vec::new(), taken)
            }
        };
        Ok(Self { path: path.to_owned(), options: options.clone(), names, inner, taken })
    }

    /// The beginning of a file, by which presets recognise it. A CSV file may begin with titles, and its delimiter is
    /// not known before its header is: it is split by each that it may have.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn beginnings(path: &Path, options: &ReadOptions) -> Result<Vec<Beginning>, ReadError> {
        const RECORDS: usize = 40;
        let format = match (options.format, stream::magic(path)?) {
            (Some(format), _) => format,
            (None, Magic::Parquet) => Format::Columnar,
            (None, Magic::Gzip | Magic::Text) => text_format(path),
        };
        if format != Format::Delimited {
            let mut reader = Self::open(path, options)?;
            reader.block()?;
            return Ok(vec![Beginning { delimiter: None, records: vec![reader.names().to_vec()] }]);
        }
        let mut sample = Vec::new();
        open_text(path, options)?.fill(&mut sample, limits::SAMPLE_BYTES)?;
        sample.truncate(limits::SAMPLE_BYTES);
        let delimiters = match options.delimiter {
            Some(delimiter) => vec![delimiter],
            None => delimited::DELIMITERS.to_vec(),
        };
        let split = |delimiter| Beginning {
            delimiter: Some(delimiter),
            records: delimited::beginning(&sample, delimiter, RECORDS),
        };
        Ok(delimiters.into_iter().map(split).collect())
    }

    /// What the file holds.
    #[must_use]
    pub fn format(&self) -> Format {
        match self.inner {
            Inner::Delimited(_) => Format::Delimited,
            Inner::Lines(_) => Format::Lines,
            Inner::Columnar(_) => Format::Columnar,
        }
    }

    /// The names of the columns known so far. A CSV file knows all of them; JSON lines may bring more at any line.
    #[must_use]
    pub fn names(&self) -> &[String] {
        match &self.inner {
            Inner::Lines(lines) => lines.names(),
            Inner::Delimited(_) | Inner::Columnar(_) => &self.names,
        }
    }

    /// The delimiter of a CSV file.
    #[must_use]
    pub fn delimiter(&self) -> Option<u8> {
        match &self.inner {
            Inner::Delimited(file) => Some(file.delimiter()),
            Inner::Lines(_) | Inner::Columnar(_) => None,
        }
    }

    /// What the text is packed in and how it is encoded; nothing for Parquet.
    #[must_use]
    pub fn encoding(&self) -> Option<(&'static str, Packing)> {
        let stream = match &self.inner {
            Inner::Delimited(file) => file.stream(),
            Inner::Lines(file) => file.stream(),
            Inner::Columnar(_) => return None,
        };
        Some((stream.encoding.name(), stream.packing))
    }

    /// Counts the bytes taken from the file, for whoever shows the progress.
    #[must_use]
    pub fn taken(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.taken)
    }

    /// The next records; nothing at the end.
    ///
    /// # Errors
    /// When the file cannot be read further.
    pub fn block(&mut self) -> Result<Option<Block>, ReadError> {
        match &mut self.inner {
            Inner::Delimited(file) => file.block(usize::MAX),
            Inner::Lines(file) => file.block(),
            Inner::Columnar(file) => file.block(),
        }
    }

    /// Goes on where an earlier reading of the same file stopped, with the names that it knew then.
    ///
    /// # Errors
    /// When the file cannot be read or is shorter than that.
    pub fn enter(&mut self, at: Position, names: Vec<String>) -> Result<(), ReadError> {
        match &mut self.inner {
            Inner::Delimited(file) => file.enter(open_text(&self.path, &self.options)?, at),
            Inner::Lines(file) => file.enter(open_text(&self.path, &self.options)?, at, names),
            Inner::Columnar(file) => file.enter(at),
        }
    }
}

fn open_text(path: &Path, options: &ReadOptions) -> Result<Stream, ReadError> {
    let encoding = match &options.encoding {
        Some(name) => Some(
            Encoding::for_label(name.trim().as_bytes()).ok_or_else(|| ReadError::Encoding { name: name.clone() })?,
        ),
        None => None,
    };
    Stream::open(path, encoding)
}

/// JSON lines are told by the file's name; a CSV header may begin with anything.
fn text_format(path: &Path) -> Format {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    if [".jsonl", ".ndjson", ".json", ".jl"].iter().any(|ending| name.ends_with(ending)) {
        Format::Lines
    } else {
        Format::Delimited
    }
}

/// The header's names; a column without one is called by its number.
fn named(path: &Path, names: Vec<String>) -> Result<Vec<String>, ReadError> {
    let names: Vec<String> = names
        .into_iter()
        .enumerate()
        .map(|(at, name)| if name.trim().is_empty() { format!("column_{}", at + 1) } else { name.trim().to_owned() })
        .collect();
    let mut seen = hashbrown::HashMap::new();
    for (at, name) in names.iter().enumerate() {
        if let Some(first) = seen.insert(name.as_str(), at) {
            return Err(ReadError::HeaderTwice {
                path: path.to_owned(),
                name: name.clone(),
                first: first + 1,
                second: at + 1,
            });
        }
    }
    drop(seen);
    Ok(names)
}
