//! What commands that judge a month share: the playbook with the user's own, the figures, and how findings are said.

use std::path::{Path, PathBuf};

use outlook::{
    condition::{History, Reading},
    playbook::{Case, Evidence, Playbook, Source},
    signal::{Finding, Record, State},
    wording::{Language, Value, Words, say_with},
};
use revenue::{
    calendar::{Day, Grain},
    money::{Currency, parse_scaled, print_scaled},
};
use warehouse::{
    books::Books,
    catalogue::Catalogue,
    engine::judgement::{Ground, ground},
    lake::Access,
    playbook,
};

use crate::{
    command::CommandError,
    listing::Cell,
    session::{self, Options, Session},
};

/// Which month is judged, and by which figures.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Asked {
    /// The month; the last full one unless set
    #[arg(long, value_name = "M")]
    pub period: Option<String>,
    /// Take the figures from this CSV file: a column `month`, and one for each figure of the playbook
    #[arg(long, value_name = "FILE")]
    pub series: Option<PathBuf>,
}

/// A month with what it is judged by.
pub struct Judged {
    /// The playbook.
    pub playbook: Playbook,
    /// The figures and the customers.
    pub ground: Ground,
    /// The currency of money.
    pub currency: Currency,
    /// The language of sentences.
    pub language: Language,
    /// The month.
    pub month: Day,
}

/// The playbook of the product with the one of the data folder laid over it.
pub fn playbook(data: &Path, catalogue: &Catalogue) -> Result<Playbook, CommandError> {
    let file = data.join(playbook::BUILT_IN.0);
    let over = match file.is_file() {
        true => vec![(file.display().to_string(), std::fs::read_to_string(&file)?)],
        false => Vec::new(),
    };
    Ok(playbook::read(&over, catalogue)?)
}

/// The day from which the age of the business counts, where it is set.
pub fn launch(session: &Session) -> Result<Option<Day>, CommandError> {
    session.setting("launch")?.map(|text| session::day(&text, "launch")).transpose()
}

/// The month that is asked for: the last full one unless it is named.
pub fn month(session: &Session, period: Option<&str>) -> Result<Day, CommandError> {
    let this = session.today().first_of(Grain::Month);
    match period {
        None => Ok(this.plus_months(-1)),
        Some(text) => {
            let month = session::day(text, "period")?.first_of(Grain::Month);
            if month > this {
                return Err(CommandError::Usage(format!("--period {text} has not begun; the figures end with {this}")));
            }
            Ok(month)
        }
    }
}

impl Judged {
    /// Gathers what is asked for.
    pub fn open(options: &Options, asked: &Asked) -> Result<Self, CommandError> {
        if let Some(file) = &asked.series {
            return Self::of_file(options, asked, file);
        }
        Self::of_session(&Session::open(options, Access::Read)?, asked)
    }

    /// Gathers what is asked for from the facts of a folder.
    pub fn of_session(session: &Session, asked: &Asked) -> Result<Self, CommandError> {
        let books = session.books()?;
        let month = month(session, asked.period.as_deref())?;
        Self::of_books(session, &books, month)
    }

    /// Gathers what a month of some books is judged by.
    pub fn of_books(session: &Session, books: &Books, month: Day) -> Result<Self, CommandError> {
        let catalogue = session.catalogue()?;
        let playbook = playbook(&session.options.data, &catalogue)?;
        let ground = ground(books, &catalogue, &playbook, &session.assumptions()?, month, launch(session)?)?;
        Ok(Self { playbook, ground, currency: books.reporting, language: session.language()?, month })
    }

    fn of_file(options: &Options, asked: &Asked, file: &Path) -> Result<Self, CommandError> {
        let catalogue = session::catalogue(&options.data)?;
        let playbook = playbook(&options.data, &catalogue)?;
        let given = figures(file, &playbook)?;
        let last = given.month(given.months.saturating_sub(1));
        let month = match &asked.period {
            None => last,
            Some(text) => session::day(text, "period")?.first_of(Grain::Month),
        };
        let place = given.place(month).ok_or_else(|| {
            CommandError::Usage(format!("{} has no row for the month {month}; the last one is {last}", file.display()))
        })?;
        let history = playbook.complete(&given);
        let currency = options.currency.as_deref().map_or(Ok(Currency::USD), session::currency_of)?;
        let ground = Ground { history, place, picked: Default::default(), calls: Default::default() };
        Ok(Self { playbook, ground, currency, language: session::language(options)?, month })
    }

    /// What rules are held against.
    pub fn case(&self) -> Case<'_> {
        self.ground.case(&self.playbook, self.currency)
    }

    /// Whether the playbook has all rules of these names.
    pub fn knows(&self, rules: &[String]) -> Result<(), CommandError> {
        match rules.iter().find(|id| !self.playbook.rules.iter().any(|rule| rule.id == **id)) {
            None => Ok(()),
            Some(id) => {
                let known = self.playbook.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>().join(", ");
                Err(CommandError::Usage(format!("the playbook has no rule `{id}`; there are {known}")))
            }
        }
    }

    /// What a finding says in the language asked for: its sentence, why it is not known, or what it would ask for.
    pub fn says(&self, finding: &Finding<'_>) -> String {
        match (&finding.state, &finding.sentence) {
            (State::NotKnown(unknown), _) => {
                let why = self.playbook.why(unknown, self.month);
                say_with(&NOT_KNOWN, self.language, &[("why", Value::Words(why))])
            }
            (_, Some(sentence)) => sentence.say(self.language),
            (_, None) => String::new(),
        }
    }

    /// Since when a finding holds, and how it did in the past.
    pub fn past(&self, finding: &Finding<'_>) -> String {
        let since = i32::try_from(finding.months).unwrap_or(i32::MAX).saturating_sub(1);
        let mut said = String::new();
        if finding.fired() {
            let since = Value::month(self.month.plus_months(-since));
            said = say_with(&SINCE, self.language, &[("month", since), ("months", count(finding.months))]);
        }
        let record = finding.record;
        if record.judged > 0 {
            if !said.is_empty() {
                said.push_str(if self.language == Language::Chinese { "" } else { " " });
            }
            said.push_str(&record_in_words(&record, finding.rule.kind.warns(), self.language));
        }
        said
    }
}

fn count(number: usize) -> Value {
    Value::Count(number as i128)
}

/// What is said where a rule could not be judged.
pub const NOT_KNOWN: Words = Words::fixed("Not known: {why}.", "未知：{why}。", "Inconnu : {why}.");
/// Since when a rule fires.
pub const SINCE: Words = Words::fixed(
    "Since {month} ({months} {months?month|months} running).",
    "自{month}起（连续 {months} 个月）。",
    "Depuis {month} ({months} mois de suite).",
);
/// The back-test of a rule that announces a fall.
pub const RECORD_OF_WARNING: Words = Words::fixed(
    "It fired in {fired} of the last {judged} {judged?month|months}; MRR fell within three months after {followed} of the {over} that can be judged by now ({anyway} of all {all}).",
    "近 {judged} 个月中触发 {fired} 次；在已可判断的 {over} 次中，有 {followed} 次之后三个月内 MRR 下降（全部 {all} 个月中为 {anyway} 个）。",
    "Déclenchée {fired} fois sur les {judged} derniers mois ; le MRR a baissé dans les trois mois après {followed} des {over} que l’on peut juger ({anyway} sur {all} en tout).",
);
/// The back-test of a rule that announces a rise.
pub const RECORD_OF_PROMISE: Words = Words::fixed(
    "It fired in {fired} of the last {judged} {judged?month|months}; MRR rose within three months after {followed} of the {over} that can be judged by now ({anyway} of all {all}).",
    "近 {judged} 个月中触发 {fired} 次；在已可判断的 {over} 次中，有 {followed} 次之后三个月内 MRR 上升（全部 {all} 个月中为 {anyway} 个）。",
    "Déclenchée {fired} fois sur les {judged} derniers mois ; le MRR a monté dans les trois mois après {followed} des {over} que l’on peut juger ({anyway} sur {all} en tout).",
);

fn record_in_words(record: &Record, warns: bool, language: Language) -> String {
    let words = if warns { RECORD_OF_WARNING } else { RECORD_OF_PROMISE };
    let values = [
        ("fired", count(record.fired)),
        ("judged", count(record.judged)),
        ("followed", count(record.followed)),
        ("over", count(record.fired_and_over)),
        ("anyway", count(record.came_anyway)),
        ("all", count(record.over)),
    ];
    say_with(&words, language, &values)
}

/// The columns of a list of findings.
pub const COLUMNS: [&str; 14] = [
    "kind", "rule", "state", "months", "says", "fired", "judged", "followed", "of", "anyway", "all", "evidence",
    "line", "title",
];

/// A finding as a row of such a list.
pub fn row(judged: &Judged, finding: &Finding<'_>) -> Vec<Cell> {
    let state = match finding.state {
        State::Fired => "fired",
        State::Quiet => "quiet",
        State::NotKnown(_) => "not_known",
    };
    let whole = |number: usize| Cell::Whole(i64::try_from(number).unwrap_or(i64::MAX));
    let record = finding.record;
    vec![
        Cell::text(finding.rule.kind.name()),
        Cell::text(finding.rule.id.as_str()),
        Cell::text(state),
        whole(finding.months),
        Cell::text(judged.says(finding)),
        whole(record.fired),
        whole(record.judged),
        whole(record.followed),
        whole(record.fired_and_over),
        whole(record.came_anyway),
        whole(record.over),
        Cell::text(evidence(&finding.evidence)),
        Cell::text(finding.rule.line.as_str()),
        Cell::text(finding.rule.title.say(judged.language)),
    ]
}

/// Figures for machines: `mrr 2024-02 1000; mrr 2024-03 900`.
pub fn evidence(evidence: &[Evidence]) -> String {
    let figures = evidence.iter().map(|one| {
        let (year, month, _) = one.month.civil();
        let number = match &one.reading {
            Ok(picos) => print_scaled(*picos, 12, 0),
            Err(_) => "not_known".to_owned(),
        };
        format!("{} {year:04}-{month:02} {number}", one.figure)
    });
    figures.collect::<Vec<_>>().join("; ")
}

/// Reads monthly figures from a CSV file: a column `month`, and one for each figure. An empty cell is not known.
fn figures(file: &Path, playbook: &Playbook) -> Result<History, CommandError> {
    let place = file.display();
    let unreadable = |error: csv::Error| CommandError::Usage(format!("{place} cannot be read as CSV: {error}"));
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(file).map_err(unreadable)?;
    let headers = reader.headers().map_err(unreadable)?.clone();
    let rows = reader.records().collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    if headers.get(0) != Some("month") || rows.is_empty() {
        return Err(CommandError::Usage(format!("{place} takes a first column `month` and a row for each month")));
    }
    for header in headers.iter().skip(1) {
        if !playbook.figures.iter().any(|figure| figure.id == header && matches!(figure.source, Source::Metric { .. }))
        {
            let known = playbook.figures.iter().filter(|figure| matches!(figure.source, Source::Metric { .. }));
            let known = known.map(|figure| figure.id.as_str()).collect::<Vec<_>>().join(", ");
            return Err(CommandError::Usage(format!(
                "{place}: the playbook has no figure `{header}` that can be given; there are {known}"
            )));
        }
    }
    let not_given = || Err(Words::fixed("it is not given", "未提供", "il n’est pas fourni"));
    let mut history = History {
        first_month: Day(0),
        launch: Day(0),
        months: rows.len(),
        figures: headers.iter().skip(1).map(|header| (header.to_owned(), Vec::new())).collect(),
    };
    for (index, row) in rows.iter().enumerate() {
        let line = row.position().map_or(0, csv::Position::line);
        let month = session::day(row.get(0).unwrap_or_default(), "series")?.first_of(Grain::Month);
        if index == 0 {
            (history.first_month, history.launch) = (month, month);
        }
        if month != history.month(index) {
            return Err(CommandError::Usage(format!(
                "{place}, line {line}: {month} does not follow the month before; write a row for each month, in order"
            )));
        }
        for (column, header) in headers.iter().enumerate().skip(1) {
            let text = row.get(column).unwrap_or_default();
            let reading: Reading = match text.strip_suffix('%') {
                _ if text.is_empty() => not_given(),
                Some(share) => number(share, &place.to_string(), line, header).map(|picos| Ok(picos / 100))?,
                None => number(text, &place.to_string(), line, header).map(Ok)?,
            };
            history.figures.entry(header.to_owned()).or_default().push(reading);
        }
    }
    Ok(history)
}

fn number(text: &str, place: &str, line: u64, header: &str) -> Result<i128, CommandError> {
    parse_scaled(text.trim(), 12).ok_or_else(|| {
        CommandError::Usage(format!("{place}, line {line}: `{text}` of `{header}` is no number (write 12.5 or 5%)"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_rules_can_be_said_in_every_language() {
        let record = Record { judged: 12, fired: 7, fired_and_over: 6, followed: 5, over: 9, came_anyway: 6 };
        let said = Language::ALL.map(|language| record_in_words(&record, true, language));
        assert!(
            said[0].starts_with("It fired in 7 of the last 12 months; MRR fell within three months after 5 of the 6")
        );
        for language in Language::ALL {
            let why = Words::fixed("a", "b", "c");
            for said in [
                record_in_words(&record, true, language),
                record_in_words(&record, false, language),
                say_with(&NOT_KNOWN, language, &[("why", Value::Words(why))]),
                say_with(&SINCE, language, &[("month", Value::month(Day(0))), ("months", Value::Count(2))]),
            ] {
                assert!(!said.contains(['{', '}']), "{said}");
            }
        }
    }
}
