//! Killed, crowded out, out of disk or of time: what was acknowledged stays, nothing is doubled, and the same command again
//! finishes the work. Imports here; the server in `faults/`.
//!
//! `RECURVE_FULL=1` kills a hundred times instead of twelve; `RECURVE_SEED` chooses other instants. In a release
//! build the file has 200,000 rows, otherwise 40,000.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may end at what it did not expect")]
#![allow(clippy::print_stderr, reason = "a sweep says how far it is")]
#![cfg(unix)]

#[path = "cli/folder.rs"]
mod folder;

#[path = "serve/server.rs"]
mod server;

#[path = "cli/sink.rs"]
mod sink;

#[path = "faults/clock.rs"]
mod clock;

#[path = "faults/crashes.rs"]
mod crashes;

#[path = "faults/crowd.rs"]
mod crowd;

#[path = "faults/shim.rs"]
mod shim;

#[path = "faults/turns.rs"]
mod turns;

use std::{
    fmt::Write,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use folder::{Folder, Said};

const HEADER: &str = "subscription,customer,currency,amount,interval,start,end\n";
const ROWS: usize = if cfg!(debug_assertions) { 40_000 } else { 200_000 };
/// Rows that were acknowledged before anything goes wrong.
const BEFORE: usize = 100;

/// Rows of customers who each pay 1 a month: MRR is the number of rows.
fn rows(prefix: &str, count: usize) -> String {
    let mut text = HEADER.to_owned();
    for row in 0..count {
        writeln!(text, "{prefix}-s{row},{prefix}-c{row},USD,1,month,2024-01-{:02},", row % 28 + 1).unwrap();
    }
    text
}

/// A folder with acknowledged rows, and a large file beside it.
fn prepared() -> Folder {
    let folder = Folder::empty();
    folder.file("before.csv", rows("before", BEFORE));
    folder.file("large.csv", rows("large", ROWS));
    folder.run(&["import", "subscriptions", "before.csv"]).ends_with(0);
    folder
}

fn begin(folder: &Folder) -> Child {
    folder
        .command(&["import", "subscriptions", "large.csv"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The facts of the folder, by the word of `check`, which has to hold.
fn facts(folder: &Folder) -> usize {
    let said = folder.run(&["check", "--format", "table"]).ends_with(0);
    let told = said.out.lines().find(|line| line.starts_with("Every law holds on ")).unwrap_or_else(|| {
        panic!("check did not say how many facts there are:\n{}", said.out);
    });
    told.split_whitespace().nth(4).unwrap().parse().unwrap()
}

/// MRR at the end of January, which is the number of customers of whom a fact is known.
fn mrr(folder: &Folder) -> String {
    let said = folder.run(&["metric", "mrr", "customers", "--from", "2024-01", "--to", "2024-02"]).ends_with(0);
    let values: Vec<&str> = said.out.lines().skip(1).filter_map(|line| line.split(',').nth(3)).collect();
    assert_eq!(values[0], format!("{}.00", values[1]), "each customer pays 1");
    values[1].to_owned()
}

fn finishes(folder: &Folder) {
    folder.run(&["import", "subscriptions", "large.csv"]).ends_with(0);
    assert_eq!(facts(folder), BEFORE + ROWS);
    assert_eq!(mrr(folder), (BEFORE + ROWS).to_string());
    // Once more changes nothing.
    folder.run(&["import", "subscriptions", "large.csv"]).ends_with(0).says(&["unchanged"]);
    assert_eq!(facts(folder), BEFORE + ROWS);
}

/// A small generator of numbers from a seed (xorshift64*).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end.max(1)
    }
}

#[test]
fn an_import_that_is_killed_loses_and_doubles_nothing() {
    let kills = if std::env::var_os("RECURVE_FULL").is_some() { 100 } else { 12 };
    let seed: u64 = std::env::var("RECURVE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_240_229);
    let mut chance = Chance(seed | 1);
    let calm = prepared();
    let begun = Instant::now();
    assert!(begin(&calm).wait().unwrap().success());
    let whole = u64::try_from(begun.elapsed().as_micros()).unwrap();
    finishes(&calm);
    let large = std::fs::read(calm.path().join("large.csv")).unwrap();

    let (mut killed, mut before_the_end) = (0, 0);
    while killed < kills {
        let folder = Folder::empty();
        folder.file("before.csv", rows("before", BEFORE));
        folder.file("large.csv", &large);
        folder.run(&["import", "subscriptions", "before.csv"]).ends_with(0);
        let mut told = Vec::new();
        // Up to three times in a row in one folder: going on may be killed as well.
        for _ in 0..=chance.below(3) {
            // Every other time near the end, where the rows become visible.
            let delay = match chance.below(2) {
                0 => chance.below(whole),
                _ => whole * 7 / 10 + chance.below(whole * 4 / 10),
            };
            let mut child = begin(&folder);
            std::thread::sleep(Duration::from_micros(delay));
            child.kill().unwrap();
            let status = child.wait().unwrap();
            killed += 1;
            told.push(format!("after {delay} µs of {whole}: {status}"));
            let words = format!("seed {seed}, kill {killed}: {}", told.join(", "));
            let found: usize = mrr(&folder).parse().unwrap();
            if status.success() {
                assert_eq!(found, BEFORE + ROWS, "{words}: acknowledged rows are missing");
            } else {
                before_the_end += 1;
                assert!(found == BEFORE || found == BEFORE + ROWS, "{words}: a part of the file is visible: {found}");
            }
            if found > BEFORE {
                break;
            }
        }
        finishes(&folder);
    }
    assert!(before_the_end > 0, "no import was killed before its end: the delays are too long");
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn two_writers_at_once() {
    let folder = prepared();
    folder.file("small.csv", rows("small", 3));
    for patience in 1.. {
        let mut first = begin(&folder);
        std::thread::sleep(Duration::from_millis(20 * patience));
        if first.try_wait().unwrap().is_some() {
            panic!("the first writer was never seen writing");
        }
        signal(&first, "STOP");
        let second = folder.run(&["import", "subscriptions", "small.csv"]);
        // A reader is not in the way, nor is it held up.
        let read = folder.run(&["metric", "mrr", "--from", "2024-01", "--to", "2024-02"]);
        let pid = first.id().to_string();
        signal(&first, "CONT");
        let status = first.wait().unwrap();
        assert_eq!(read.code, Some(0), "{}{}", read.out, read.error);
        assert!(status.success(), "the first writer goes on undisturbed");
        match second.code {
            // It came before the first had begun to write.
            Some(0) if patience < 20 => {
                std::fs::remove_dir_all(folder.data()).unwrap();
                folder.run(&["import", "subscriptions", "before.csv"]).ends_with(0);
            }
            _ => {
                second.ends_with(4).says(&[&pid]);
                assert_eq!(facts(&folder), BEFORE + ROWS, "of the second nothing was written");
                folder.run(&["import", "subscriptions", "small.csv"]).ends_with(0);
                assert_eq!(facts(&folder), BEFORE + ROWS + 3);
                return;
            }
        }
    }
}

#[test]
fn a_writer_that_was_killed_leaves_no_lock() {
    let folder = prepared();
    let mut first = begin(&folder);
    std::thread::sleep(Duration::from_millis(50));
    first.kill().unwrap();
    first.wait().unwrap();
    folder.file("small.csv", rows("small", 3));
    folder.run(&["import", "subscriptions", "small.csv"]).ends_with(0);
}

#[test]
fn a_full_disk_is_an_error_that_can_be_mended() {
    // A limit on the size of files stands for the full disk; with the signal ignored a write fails as on a full one.
    for blocks in [1, 64, 256] {
        let folder = prepared();
        let limited = Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f \"$1\" && exec \"$2\" import subscriptions large.csv", "sh"])
            .args([blocks.to_string().as_str(), env!("CARGO_BIN_EXE_recurve")])
            .current_dir(folder.path())
            .env("RECURVE_DATA", folder.data())
            .output()
            .unwrap();
        let said = Said::from(limited);
        assert!(!said.error.contains("panicked"), "{blocks} blocks: {}", said.error);
        let found: usize = mrr(&folder).parse().unwrap();
        match said.code {
            Some(0) => assert_eq!(found, BEFORE + ROWS, "{blocks} blocks: acknowledged rows are missing"),
            Some(4) => {
                assert!(!said.error.trim().is_empty(), "{blocks} blocks: an error without words");
                assert_eq!(found, BEFORE, "{blocks} blocks: a part of the file is visible");
            }
            code => panic!("{blocks} blocks: ended with {code:?}: {}{}", said.out, said.error),
        }
        finishes(&folder);
    }
}
