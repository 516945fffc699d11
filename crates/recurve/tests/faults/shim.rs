//! Faults for the unchanged program: `shim.c`, made into a library by the compiler of C and laid before the C library.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The library; nothing on systems where it means nothing. Where Recurve is built there is a compiler of C, so that one that
/// cannot be made is a fault, and no reason to see nothing.
pub fn library() -> Option<&'static Path> {
    static MADE: OnceLock<Option<(tempfile::TempDir, PathBuf)>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        if !cfg!(target_os = "linux") {
            return None;
        }
        let place = tempfile::tempdir().unwrap();
        let (library, source) =
            (place.path().join("shim.so"), Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/shim.c"));
        let made =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).status().unwrap();
        assert!(made.success(), "the compiler of C does not take {}: {made}", source.display());
        Some((place, library))
    });
    made.as_ref().map(|(_, library)| library.as_path())
}

/// The clock of a program.
pub struct Clock {
    file: PathBuf,
}

impl Clock {
    /// One that runs with the clock of the machine, kept in a file of this folder.
    pub fn new(folder: &Path) -> Self {
        let clock = Self { file: folder.join("clock") };
        fs::write(&clock.file, 0_i64.to_le_bytes()).unwrap();
        clock
    }

    /// Has it run so many seconds ahead of the clock of the machine, from now on.
    pub fn set_ahead(&self, seconds: i64) {
        // In place: the program has the file mapped.
        let mut file = fs::OpenOptions::new().write(true).open(&self.file).unwrap();
        std::io::Write::write_all(&mut file, &seconds.to_le_bytes()).unwrap();
    }

    /// Has a program go by it.
    pub fn rule(&self, command: &mut Command) {
        command.env("LD_PRELOAD", library().unwrap()).env("FAULT_CLOCK", &self.file);
    }
}

/// A write of the program to its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The name of the thread.
    pub thread: String,
    /// Which write of threads of that name it is, from 1.
    pub at: u64,
    /// What is called.
    pub call: String,
    /// The file in the folder.
    pub path: String,
}

/// The writes that were noted.
pub fn noted(log: &Path) -> Vec<Point> {
    let text = fs::read_to_string(log).unwrap_or_default();
    let read = |line: &str| {
        let mut parts = line.split('\t').map(str::to_owned);
        let (thread, at) = (parts.next()?, parts.next()?.parse().ok()?);
        Some(Point { thread, at, call: parts.next()?, path: parts.next()? })
    };
    text.lines().filter_map(read).collect()
}

/// Where a program is killed.
#[derive(Debug, Clone, Copy)]
pub struct Kill<'a> {
    /// The threads of this name ...
    pub thread: &'a str,
    /// ... before their write of this number ...
    pub at: u64,
    /// ... or after the first half of it.
    pub is_torn: bool,
}

/// Has a program note its writes to a folder, and be killed.
pub fn watch(command: &mut Command, folder: &Path, log: &Path, kill: Option<Kill<'_>>) {
    command.env("LD_PRELOAD", library().unwrap()).env("FAULT_LOG", log);
    command.env("FAULT_UNDER", folder.canonicalize().unwrap());
    if let Some(kill) = kill {
        command.env("FAULT_THREAD", kill.thread).env("FAULT_AT", kill.at.to_string());
        if kill.is_torn {
            command.env("FAULT_TORN", "1");
        }
    }
}
