//! A data folder in a temporary place, and the real program run on it.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use revenue::{
    calendar::{Day, Zone},
    policy::Policy,
};
use warehouse::{
    books::{Books, View},
    lake::{Access, Lake},
};

/// The folder; gone when it is dropped.
pub struct Folder {
    place: tempfile::TempDir,
}

/// What the program said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub error: String,
}

impl Said {
    /// Ends the test unless the program ended so.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.error);
        assert!(!self.error.contains("panicked at"), "{}", self.error);
        self
    }

    /// Ends the test unless each part was said.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(
                self.out.contains(part) || self.error.contains(part),
                "`{part}` was not said:\n{}\n{}",
                self.out,
                self.error
            );
        }
        self
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            error: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Folder {
    /// Nothing in it yet.
    pub fn empty() -> Self {
        Self { place: tempfile::tempdir().unwrap() }
    }

    /// Two customers: ann pays 10 from January and 30 from 15 March 2024 (another plan); ben pays 20 in January only.
    pub fn small() -> Self {
        let folder = Self::empty();
        folder.file(
            "subscriptions.csv",
            "subscription,customer,plan,currency,amount,interval,start,end\n\
             s1,ann,solo,USD,10,month,2024-01-01,2024-03-15\n\
             s1,ann,team,USD,30,month,2024-03-15,\n\
             s2,ben,solo,USD,20,month,2024-01-01,2024-02-01\n",
        );
        folder.run(&["import", "subscriptions", "subscriptions.csv"]).ends_with(0);
        folder
    }

    /// The books of its data as of the beginning of a day.
    pub fn books(&self, now: &str) -> Books {
        let lake = Lake::open(&self.data(), Access::Read).unwrap();
        let view = View {
            policy: Policy::default(),
            policy_name: "default".to_owned(),
            zone: Zone::utc(),
            currency: None,
            as_known_at: None,
            now: Zone::utc().start_of_day(Day::parse(now).unwrap()),
            health_weights: Vec::new(),
        };
        Books::open(&lake, view).unwrap()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Writes a file beside the data.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.path().join(name);
        std::fs::write(&file, content).unwrap();
        file
    }

    /// The program with these words, on this folder, on 2024-07-01, not yet run.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = self.bare(words);
        command.env("RECURVE_DATA", self.data());
        if !words.contains(&"--now") {
            command.args(["--now", "2024-07-01"]);
        }
        command
    }

    /// The program with these words and nothing else, in the folder's place.
    pub fn bare(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recurve"));
        command.env_remove("RECURVE_DATA").current_dir(self.path()).args(words);
        command
    }

    /// Runs the program.
    pub fn run(&self, words: &[&str]) -> Said {
        self.command(words).output().unwrap().into()
    }
}
