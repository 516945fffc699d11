//! The threads of an import: one reads and splits, one reads values, the caller's writes.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use super::{ImportError, asked_to_stop};
use crate::source::block::Block;
use crate::source::mapping::Mapping;
use crate::source::reader::Reader;
use crate::source::rows::{RowReader, Rows};

/// Blocks, and batches, that wait between two threads: enough to even out their pace.
const WAITING: usize = 4;

/// A batch as it arrives at the caller's thread.
pub(super) struct Arrived {
    /// The rows of one block.
    pub(super) rows: Rows,
    /// The names known after it.
    pub(super) names: Vec<String>,
    /// Bytes of the file taken so far.
    pub(super) bytes: u64,
}

/// How a run ended.
pub(super) struct Ended {
    /// The columns as they were settled in the end.
    pub(super) mapping: Mapping,
    /// Whether it was stopped before the end of the file.
    pub(super) interrupted: bool,
}

/// Runs a file through the threads and hands each batch to `take`, in the order of the file.
pub(super) fn run(
    mut reader: Reader,
    first: Option<Block>,
    mut rows: RowReader,
    interrupted: &AtomicBool,
    file: &Path,
    take: &mut dyn FnMut(Arrived) -> Result<(), ImportError>,
) -> Result<Ended, ImportError> {
    let stopped = || ImportError::Stopped { file: file.to_owned() };
    let taken = reader.taken();
    let cut = AtomicBool::new(false);
    // The first block's names are settled already; its batch must not bring them a second time.
    let first = first.map(|mut block| {
        block.names.clear();
        block
    });
    thread::scope(|scope| {
        let (send_block, blocks) = sync_channel::<Result<Block, ImportError>>(WAITING);
        let (send_rows, arrived) = sync_channel::<Result<(Rows, Vec<String>), ImportError>>(WAITING);
        let cut = &cut;
        let splitting = scope.spawn(move || {
            let mut next = first;
            loop {
                let block = match next.take() {
                    Some(block) => block,
                    None => match reader.block() {
                        Ok(Some(block)) => block,
                        Ok(None) => return,
                        Err(error) => {
                            // Nobody listens any more when the other threads have ended: their error is told then.
                            let _ = send_block.send(Err(error.into()));
                            return;
                        }
                    },
                };
                if asked_to_stop(interrupted) {
                    cut.store(true, Ordering::Relaxed);
                    return;
                }
                if send_block.send(Ok(block)).is_err() {
                    return;
                }
            }
        });
        let valuing = scope.spawn(move || {
            for block in blocks {
                let read = block.and_then(|block| {
                    rows.read(block).map_err(|cause| ImportError::Batch { file: file.to_owned(), cause })
                });
                let failed = read.is_err();
                // Names change only with JSON lines, where a few are copied a block.
                let names = rows.mapping().names.clone();
                if send_rows.send(read.map(|read| (read, names))).is_err() || failed {
                    break;
                }
            }
            rows
        });
        let mut outcome = Ok(());
        for batch in &arrived {
            outcome =
                batch.and_then(|(rows, names)| take(Arrived { rows, names, bytes: taken.load(Ordering::Relaxed) }));
            if outcome.is_err() {
                break;
            }
        }
        // With nobody to listen the other threads end at their next block.
        drop(arrived);
        let rows = valuing.join().map_err(|_| stopped());
        let split = splitting.join().map_err(|_| stopped());
        outcome?;
        split?;
        Ok(Ended { mapping: rows?.mapping().clone(), interrupted: cut.load(Ordering::Relaxed) })
    })
}
