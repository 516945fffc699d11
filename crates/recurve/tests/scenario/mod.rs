//! Reads a page, plays it against the real binary, and tells what differs.

pub mod amount;
pub mod compare;
pub mod page;

use std::{
    path::Path,
    process::{Command, Output},
};

use page::{Page, Step, What};

/// What the steps so far have set.
struct Stage<'a> {
    folder: &'a Path,
    options: Vec<String>,
    policy: Option<String>,
    marks: Vec<(String, String)>,
    files: usize,
    said: String,
}

/// *Now* for pages that do not set it: nothing that a page says may depend on the day it is played.
const NOW: &str = "2025-01-01";

/// Plays a page from an empty data folder; returns every difference, in words.
pub fn play(page: &Page) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage {
        folder: folder.path(),
        options: Vec::new(),
        policy: None,
        marks: Vec::new(),
        files: 0,
        said: String::new(),
    };
    let mut differences = Vec::new();
    for step in &page.steps {
        if let Err(difference) = stage.play(step) {
            differences.push(format!("line {}: # {}\n{difference}", step.line, step.heading));
        }
    }
    differences
}

impl Stage<'_> {
    fn play(&mut self, step: &Step) -> Result<(), String> {
        match &step.what {
            What::Options(words) => {
                self.options.clone_from(words);
                Ok(())
            }
            What::Policy(lines) => {
                self.policy = (!lines.is_empty()).then(|| {
                    let settings: Vec<String> = lines.iter().map(|line| setting(line)).collect();
                    let file = self.folder.join("policy.toml");
                    std::fs::write(&file, format!("[settings]\n{}\n", settings.join("\n"))).unwrap();
                    file.display().to_string()
                });
                Ok(())
            }
            What::File { name, text } => {
                let folder = self.folder.join("data");
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(folder.join(name), text).unwrap();
                Ok(())
            }
            What::Mark(name) => {
                // Imports are told apart by their microsecond; a mark stands clear of both its neighbours.
                std::thread::sleep(std::time::Duration::from_millis(3));
                let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
                self.marks.push((format!("{{{name}}}"), instant(now.as_micros())));
                std::thread::sleep(std::time::Duration::from_millis(3));
                Ok(())
            }
            What::Facts { kind, options, table } => {
                let csv: String = table
                    .iter()
                    .map(|row| {
                        let fields: Vec<String> = row.iter().map(|cell| field(cell)).collect();
                        fields.join(",") + "\n"
                    })
                    .collect();
                self.import(kind, "csv", options, csv.as_bytes(), step)
            }
            What::Raw { kind, extension, options, text } => {
                self.import(kind, extension, options, text.as_bytes(), step)
            }
            What::Says { lines, wanted } => {
                let odd: Vec<String> = lines
                    .iter()
                    .filter(|line| self.said.contains(line.as_str()) != *wanted)
                    .map(|line| format!("  {} {line}", if *wanted { "not said:" } else { "said:" }))
                    .collect();
                if odd.is_empty() { Ok(()) } else { Err(format!("{}\n{}", odd.join("\n"), indented(&self.said))) }
            }
            What::Command { words, table } => {
                let mut words = words.clone();
                if !table.is_empty() && !words.iter().any(|word| word == "--format") {
                    words.extend(["--format".to_owned(), "csv".to_owned()]);
                }
                let output = self.run(&words);
                self.ended(&output, step)?;
                if table.is_empty() {
                    return Ok(());
                }
                compare::compare(table, &String::from_utf8_lossy(&output.stdout))
            }
        }
    }

    fn import(
        &mut self,
        kind: &str,
        extension: &str,
        options: &[String],
        text: &[u8],
        step: &Step,
    ) -> Result<(), String> {
        self.files += 1;
        let file = self.folder.join(format!("{kind}-{}.{extension}", self.files));
        std::fs::write(&file, text).unwrap();
        let mut words = vec!["import".to_owned(), kind.to_owned(), file.display().to_string()];
        words.extend_from_slice(options);
        let output = self.run(&words);
        self.ended(&output, step)
    }

    fn run(&mut self, words: &[String]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recurve"));
        command.env_remove("RECURVE_DATA").current_dir(self.folder).arg("--data").arg(self.folder.join("data"));
        let given = |option: &str| words.iter().chain(&self.options).any(|word| word == option);
        if !given("--now") {
            command.args(["--now", NOW]);
        }
        if let Some(policy) = self.policy.as_ref().filter(|_| !given("--policy")) {
            command.args(["--policy", policy]);
        }
        command.args(&self.options);
        for word in words {
            let mut word = word.clone();
            for (mark, instant) in &self.marks {
                word = word.replace(mark, instant);
            }
            command.arg(word);
        }
        let output = command.output().unwrap();
        self.said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        output
    }

    fn ended(&self, output: &Output, step: &Step) -> Result<(), String> {
        match output.status.code() {
            Some(code) if code == step.exit => Ok(()),
            code => Err(format!("  ended with {code:?} instead of {}:\n{}", step.exit, indented(&self.said))),
        }
    }
}

/// `fx = revalue` → `fx = "revalue"`.
fn setting(line: &str) -> String {
    match line.split_once('=') {
        Some((name, value)) => format!("{} = \"{}\"", name.trim(), value.trim()),
        None => line.to_owned(),
    }
}

/// A cell as a field of CSV: `-` is empty.
fn field(cell: &str) -> String {
    match cell {
        "-" => String::new(),
        cell if cell.contains([',', '"', '\n']) => format!("\"{}\"", cell.replace('"', "\"\"")),
        cell => cell.to_owned(),
    }
}

/// Microseconds since 1970 as an instant of RFC 3339.
fn instant(micros: u128) -> String {
    let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
    let (days, second) = (i64::try_from(seconds / 86_400).unwrap(), seconds % 86_400);
    // Howard Hinnant's days to civil date, for days after 1970.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{rest:06}Z", second / 3_600, second / 60 % 60, second % 60)
}

pub fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
