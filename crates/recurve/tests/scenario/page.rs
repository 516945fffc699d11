//! A page: prose, and steps that begin with `# `.

/// A page, read.
pub struct Page {
    /// What it does, in order.
    pub steps: Vec<Step>,
}

/// A heading with the lines right below it.
pub struct Step {
    /// Where it stands.
    pub line: usize,
    /// The heading without its sign.
    pub heading: String,
    /// How the program is to end: `=> 1` at the end of the heading.
    pub exit: i32,
    /// What it does.
    pub what: What,
}

/// Rows of cells.
pub type Table = Vec<Vec<String>>;

/// What a step does.
pub enum What {
    /// Options of all commands from here on.
    Options(Vec<String>),
    /// A policy file of these lines from here on; none when there is no line.
    Policy(Vec<String>),
    /// Writes the lines to a file of the data folder.
    File { name: String, text: String },
    /// Remembers this instant as `{NAME}`.
    Mark(String),
    /// Imports the table as a CSV file.
    Facts { kind: String, options: Vec<String>, table: Table },
    /// Imports the lines as they stand.
    Raw { kind: String, extension: String, options: Vec<String>, text: String },
    /// Whether each line is part of what the command before said.
    Says { lines: Vec<String>, wanted: bool },
    /// Any command of the program; with a table, what it lists.
    Command { words: Vec<String>, table: Table },
}

impl Page {
    /// Reads a page.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines: Vec<&str> = text.lines().collect();
        if lines.first().is_none_or(|line| line.trim().is_empty() || line.starts_with('#')) {
            return Err("a page begins with a sentence that says why it is there".to_owned());
        }
        let mut steps = Vec::new();
        let mut index = 0;
        while index < lines.len() {
            let line = index + 1;
            let Some(heading) = lines[index].strip_prefix("# ") else {
                index += 1;
                continue;
            };
            index += 1;
            let mut below = Vec::new();
            while index < lines.len() && !lines[index].trim().is_empty() && !lines[index].starts_with("# ") {
                below.push(lines[index]);
                index += 1;
            }
            steps.push(step(line, heading, &below).map_err(|fault| format!("line {line}: {fault}"))?);
        }
        if !steps.iter().any(|step| matches!(step.what, What::Command { .. } | What::Says { .. })) {
            return Err("a page that expects nothing shows nothing".to_owned());
        }
        Ok(Page { steps })
    }
}

fn step(line: usize, heading: &str, below: &[&str]) -> Result<Step, String> {
    let (words, exit) = match heading.rsplit_once("=>") {
        Some((words, exit)) => (words, exit.trim().parse().map_err(|_| format!("`{exit}` is no exit code"))?),
        None => (heading, 0),
    };
    let words = split_words(words)?;
    let owned = |lines: &[&str]| lines.iter().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    let first = words.first().map_or("", String::as_str);
    let second = || words.get(1).cloned().ok_or_else(|| format!("`{first}` of what?"));
    let what = match first {
        "options" => What::Options(words[1..].to_vec()),
        // `policy` with names is the command of that name.
        "policy" if words.len() == 1 => What::Policy(owned(below)),
        "file" => What::File { name: second()?, text: below.iter().map(|line| format!("{line}\n")).collect() },
        "mark" => What::Mark(second()?),
        "facts" => What::Facts { kind: second()?, options: words[2..].to_vec(), table: table(below)? },
        "raw" => {
            let (kind, extension) = (second()?, words.get(2).cloned().ok_or("`raw` of which extension?")?);
            let text: String = below.iter().map(|line| format!("{line}\n")).collect();
            What::Raw { kind, extension, options: words[3..].to_vec(), text }
        }
        "says" => What::Says { lines: owned(below), wanted: true },
        "never" => What::Says { lines: owned(below), wanted: false },
        _ => What::Command { words, table: table(below)? },
    };
    Ok(Step { line, heading: heading.to_owned(), exit, what })
}

/// Splits at spaces; what stands in single quotes stays together.
fn split_words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    if quoted { Err("a quote is not closed".to_owned()) } else { Ok(words) }
}

/// Cells are divided by `|` where the first line has one, and by two or more spaces otherwise.
fn table(lines: &[&str]) -> Result<Table, String> {
    let bars = lines.first().is_some_and(|line| line.contains('|'));
    let rows: Table = lines
        .iter()
        .map(|line| {
            let cells: Vec<&str> = if bars {
                line.trim().trim_matches('|').split('|').collect()
            } else {
                line.split("  ").filter(|cell| !cell.trim().is_empty()).collect()
            };
            cells.into_iter().map(|cell| cell.trim().to_owned()).collect()
        })
        .collect();
    let width = rows.first().map_or(0, Vec::len);
    match rows.iter().find(|row| row.len() != width) {
        Some(row) => Err(format!("a row has {} cells where the header has {width}: {}", row.len(), row.join(" | "))),
        None => Ok(rows),
    }
}
