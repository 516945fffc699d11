//! How large anything in a file may be. Beyond a limit the row is refused, never the memory used up.

/// Bytes of one field.
pub const FIELD_BYTES: usize = 1 << 20;

/// Bytes of one record as it stands in the file.
pub const RECORD_BYTES: usize = 4 << 20;

/// Columns of one record.
pub const COLUMNS: usize = 10_000;

/// Bytes read at a time; a block of records is about this long.
pub const BLOCK_BYTES: usize = 1 << 20;

/// Bytes at the beginning of a file from which its habits are settled.
pub const SAMPLE_BYTES: usize = 256 << 10;

/// Bytes of a refused row that are kept; the rest can be found in the file by its line.
pub const RAW_BYTES: usize = 64 << 10;

/// A compressed file that grows by more than this factor ...
pub const INFLATION: u64 = 1_000;

/// ... and to more than this many bytes is taken for an attack.
pub const INFLATED_BYTES: u64 = 1 << 30;

/// Objects within objects that are flattened into dotted columns; deeper ones are kept as JSON text.
pub const JSON_DEPTH: usize = 8;

/// Rows of one staged file. They are encoded as they come, so that a file takes the memory of one row group.
pub const STAGED_ROWS: u64 = 1 << 20;

/// Bytes of refused rows that are held before they are staged.
pub const REFUSED_BYTES: usize = 8 << 20;

/// Lines that a report names of those that are no facts for one reason.
pub const REPORTED_LINES: usize = 5;

/// Issues that a report shows; the others are counted and kept with their rows.
pub const REPORTED_ISSUES: usize = 20;
