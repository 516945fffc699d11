//! What can go wrong in a lake. Every message says what happened, to which thing, and how to mend it.

use std::io;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;

/// Why the lake could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// The folder holds no catalogue.
    #[error(
        "{folder} holds no facts: there is no catalog.sqlite in it. \
         Import something first (`recurve import`), or name the right folder with --data"
    )]
    Missing {
        /// The folder that was named.
        folder: PathBuf,
    },
    /// Another process writes to this folder.
    #[error(
        "process {pid} is writing to {folder}, and only one may. \
         Wait until it is done, or stop it, and try again; reading goes on meanwhile"
    )]
    Locked {
        /// The data folder.
        folder: PathBuf,
        /// The process that holds the lock, as it wrote itself down.
        pid: String,
    },
    /// The lake was opened for reading only.
    #[error("the lake {folder} was opened for reading, so it cannot {doing}. Open it with Access::Write")]
    ReadOnly {
        /// The data folder.
        folder: PathBuf,
        /// What was wanted.
        doing: &'static str,
    },
    /// The lake is written in turns, and it is nobody's turn in this process.
    #[error(
        "the lake {folder} is written in turns, so it cannot {doing} now. Take a turn first. This is a fault of recurve: report it"
    )]
    OutOfTurn {
        /// The data folder.
        folder: PathBuf,
        /// What was wanted.
        doing: &'static str,
    },
    /// A newer program made this lake.
    #[error(
        "the catalogue {path} has {what} {found}, and this program knows {known}. \
         Use the version of recurve that wrote it, or a newer one; nothing was changed"
    )]
    Version {
        /// The catalogue.
        path: PathBuf,
        /// Which of the two formats.
        what: &'static str,
        /// The version that was found.
        found: String,
        /// The version that is known here.
        known: &'static str,
    },
    /// The disk has no room left.
    #[error(
        "the disk is full: {what} ({source}). Nothing that was acknowledged is lost, \
         and an interrupted import goes on where it stopped: make room and run it again"
    )]
    DiskFull {
        /// What could not be done.
        what: String,
        /// What the system said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The system refused an operation on a file.
    #[error("could not {doing} {path}: {source}. {}", mend(source))]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The catalogue refused a statement.
    #[error("the catalogue {path} could not {doing}: {source}. {}", mend_catalogue(source))]
    Catalogue {
        /// What was being done.
        doing: &'static str,
        /// The catalogue.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A Parquet file could not be written or read.
    #[error(
        "could not {doing} the Parquet file {path}: {source}. Run `recurve doctor` to see what is damaged, and restore that file from a backup"
    )]
    Parquet {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the Parquet library said.
        source: ParquetError,
    },
    /// Writing stopped after a write to the disk that failed.
    #[error(
        "writing to this lake stopped after an earlier failure: {reason}. \
         What the disk holds is uncertain until it is read again: look after the disk, restart, and run the import again"
    )]
    Broken {
        /// The failure that stopped it.
        reason: String,
    },
    /// A table has no such name.
    #[error("the lake has no table named {table}. It has: {known}")]
    UnknownTable {
        /// The name that was asked for.
        table: String,
        /// The names there are.
        known: String,
    },
    /// A column has no such name.
    #[error("the table {table} has no column named {column}. It has: {known}")]
    UnknownColumn {
        /// The table.
        table: String,
        /// The name that was asked for.
        column: String,
        /// The names there are.
        known: String,
    },
    /// A definition or a batch does not fit the table.
    #[error("{what} does not fit the table {table}: {why}")]
    Shape {
        /// The table.
        table: String,
        /// Which definition, batch or column.
        what: String,
        /// Why, and what would fit.
        why: String,
    },
    /// An import is not in the state that the call needs.
    #[error("import {import} {why}")]
    Import {
        /// The import.
        import: i64,
        /// What is wrong with it and what to do.
        why: &'static str,
    },
    /// Another program left something in the catalogue that this one does not read.
    #[error("the table {table} holds {what}, made by another program, which recurve does not read. {mend}")]
    Foreign {
        /// The table.
        table: String,
        /// What was found.
        what: &'static str,
        /// How to mend it.
        mend: &'static str,
    },
    /// A row of the catalogue makes no sense.
    #[error("the catalogue is damaged: {what}. Run `recurve doctor`, and restore catalog.sqlite from a backup")]
    Damaged {
        /// What makes no sense.
        what: String,
    },
}

fn mend(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => "Give this user the right to it, or name another folder with --data",
        io::ErrorKind::ReadOnlyFilesystem => {
            "The file system is mounted for reading only: mount it for writing, or name another folder with --data"
        }
        io::ErrorKind::NotFound => "Was it moved or removed? Run `recurve doctor`, and restore it from a backup",
        _ => "Look after the disk, then run `recurve doctor`",
    }
}

fn mend_catalogue(source: &rusqlite::Error) -> &'static str {
    use rusqlite::ErrorCode as Code;
    match source.sqlite_error_code() {
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => "Another program holds it: close that one and try again",
        Some(Code::DatabaseCorrupt | Code::NotADatabase) => "Restore it from a backup together with files/",
        Some(Code::PermissionDenied | Code::ReadOnly | Code::CannotOpen) => {
            "Give this user the right to the folder, or name another one with --data"
        }
        Some(Code::SystemIoFailure) => "Look after the disk, then run `recurve doctor`",
        _ => "Run `recurve doctor`",
    }
}

/// Whether the failure says that there is no room, which passes once there is.
fn says_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

impl LakeError {
    /// A failed operation on a file.
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        if says_full(&source) {
            Self::DiskFull { what: format!("could not {doing} {}", path.display()), source: Box::new(source) }
        } else {
            Self::Io { doing, path: path.to_path_buf(), source }
        }
    }

    /// A failed Parquet operation; the system's own error is taken out of it when there is one.
    pub(super) fn parquet(doing: &'static str, path: &Path, source: ParquetError) -> Self {
        match source {
            ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(source) => Self::io(doing, path, *source),
                Err(inner) => Self::Parquet { doing, path: path.to_path_buf(), source: ParquetError::External(inner) },
            },
            source => Self::Parquet { doing, path: path.to_path_buf(), source },
        }
    }

    /// A failed statement in the catalogue, or in a file of SQLite beside it.
    pub(crate) fn catalogue(doing: &'static str, path: &Path, source: rusqlite::Error) -> Self {
        if source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) {
            Self::DiskFull {
                what: format!("the catalogue {} could not {doing}", path.display()),
                source: Box::new(source),
            }
        } else {
            Self::Catalogue { doing, path: path.to_path_buf(), source }
        }
    }

    /// Whether writing must stop: after a failed write nobody knows what the disk holds. A full disk
    /// is no such failure, since the file that met it is thrown away whole.
    pub fn leaves_disk_uncertain(&self) -> bool {
        match self {
            Self::Io { source, .. } => !matches!(
                source.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ),
            Self::Catalogue { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(
                    rusqlite::ErrorCode::SystemIoFailure
                        | rusqlite::ErrorCode::DatabaseCorrupt
                        | rusqlite::ErrorCode::NotADatabase
                )
            ),
            _ => false,
        }
    }
}
