//! `recurve anomalies`: what was off, how far, and which part drives it.

use std::io::Write;

use outlook::{
    anomaly::FALSE_ALARMS,
    playbook::Unit,
    wording::{Language, Value, Words, say_with},
};
use revenue::{
    calendar::{Day, Grain},
    money::Currency,
};
use warehouse::{
    books::Books,
    engine::anomalies::{Finding, Report, WATCHED, anomalies},
    lake::Access,
    playbook::unit_of,
};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Format, Sheet},
    session::{self, Options, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The metrics to look through; those that tell most unless named
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// The dimensions whose parts may drive them, for the metrics named
    #[arg(long, value_delimiter = ',', value_name = "DIM,...")]
    by: Vec<String>,
    /// How long a period is: day, week or month
    #[arg(long, value_parser = session::grain, default_value = "week")]
    grain: Grain,
    /// The first day that is reported; a year before now unless set
    #[arg(long, value_name = "D")]
    from: Option<String>,
    /// The first day no more; the beginning of this period unless set
    #[arg(long, value_name = "D")]
    to: Option<String>,
}

/// What was off as a whole.
const WHOLE: Words = Words::fixed(
    "{metric}, {period}: {value} instead of about {expected}.",
    "{period}{metric}：{value}，而预期约为 {expected}。",
    "{metric}, {period} : {value} au lieu d’environ {expected}.",
);
/// What was off in a part.
const PART: Words = Words::fixed(
    "{metric} of {dimension} {part}, {period}: {value} instead of about {expected}.",
    "{period}{metric}（{dimension}：{part}）：{value}，而预期约为 {expected}。",
    "{metric} ({dimension} : {part}), {period} : {value} au lieu d’environ {expected}.",
);
/// What drives it.
const DRIVER: Words = Words::fixed(
    "{dimension} {part} drives it: {value} instead of about {expected}, {share} of the difference.",
    "主要来自{dimension}：{part}，{value} 对比预期约 {expected}，占差异的 {share}。",
    "{dimension} {part} en est la cause : {value} au lieu d’environ {expected}, {share} de la différence.",
);
/// How long it lasted.
const LASTED: Words = Words::fixed(
    "It lasted from {first} to {last}.",
    "持续时间：{first}至{last}。",
    "Cela a duré de {first} à {last}.",
);
/// Under the list.
const RATE: Words = Words::fixed(
    "{points} points of {series} series were looked at; by chance alone {rate} of them would be expected here.",
    "共检查 {series} 个序列的 {points} 个数据点；仅凭偶然，预计此处会出现 {rate} 个。",
    "{points} points de {series} séries examinés ; le seul hasard en ferait attendre {rate} ici.",
);

/// What was found, and how it is said.
struct Looked {
    report: Report,
    grain: Grain,
    currency: Currency,
    language: Language,
}

/// Lists what was off, the latest first.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    let looked = looked(&session, arguments)?;
    if listing::format_of(options) == Format::Table {
        let mut out = listing::sink(options)?;
        for finding in &looked.report.findings {
            writeln!(out, "* {}", says(finding, looked.grain, looked.currency, looked.language))?;
        }
        writeln!(out, "{}", rate(&looked.report, looked.language))?;
        out.flush()?;
        return Ok(Outcome::Done);
    }
    listing::write(options, |sheet| list(&looked, sheet))
}

/// What was off, and how many false alarms are to be expected among it.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let looked = looked(session, arguments)?;
    sheet.note(&rate(&looked.report, looked.language));
    list(&looked, sheet)
}

fn looked(session: &Session, arguments: &Arguments) -> Result<Looked, CommandError> {
    let books = session.books()?;
    let grain = arguments.grain;
    if !matches!(grain, Grain::Day | Grain::Week | Grain::Month) {
        return Err(CommandError::Usage("--grain is one of day, week, month here".to_owned()));
    }
    let to = match &arguments.to {
        Some(text) => session::day(text, "to")?,
        None => session.today(),
    };
    let to = to.first_of(grain);
    let told_from = match &arguments.from {
        Some(text) => session::day(text, "from")?.first_of(grain),
        None => to.plus_months(-12).first_of(grain),
    };
    if told_from >= to {
        return Err(CommandError::Usage(format!("--from {told_from} is not before --to {to}, so there is no period")));
    }
    let watched: Vec<(String, Vec<String>)> = if arguments.ids.is_empty() {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        WATCHED.iter().map(|(metric, dimensions)| ((*metric).to_owned(), owned(dimensions))).collect()
    } else {
        arguments.ids.iter().map(|id| (id.clone(), arguments.by.clone())).collect()
    };
    let report = look(session, &books, &watched, grain, told_from, to)?;
    Ok(Looked { report, grain, currency: books.reporting, language: session.language()? })
}

fn list(looked: &Looked, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    sheet.begin([
        "metric",
        "variant",
        "dimension",
        "part",
        "first",
        "last",
        "peak",
        "value",
        "expected",
        "unit",
        "deviations",
        "bad",
        "driver_dimension",
        "driver",
        "driver_share",
        "says",
    ])?;
    for finding in &looked.report.findings {
        let number = |number: f64| Cell::Number(format!("{number:.4}"));
        let (first, last, peak) = finding.periods;
        let of = |text: Option<&String>| text.map_or(Cell::Empty, |text| Cell::text(text.as_str()));
        let unit = finding.metric.variant.unit;
        sheet.row(&[
            Cell::text(finding.metric.metric.id.as_str()),
            Cell::text(finding.metric.variant.name.as_str()),
            of(finding.part.as_ref().map(|(dimension, _)| dimension)),
            of(finding.part.as_ref().map(|(_, part)| part)),
            Cell::Day(first),
            Cell::Day(last),
            Cell::Day(peak),
            number(finding.episode.peak.value),
            number(finding.episode.peak.expected),
            Cell::text(if unit_of(unit) == Unit::Money { looked.currency.code() } else { unit.name() }),
            Cell::Number(format!("{:.1}", finding.episode.peak.deviations)),
            finding.is_bad.map_or(Cell::Empty, |bad| Cell::text(if bad { "yes" } else { "no" })),
            of(finding.driver.as_ref().map(|(dimension, ..)| dimension)),
            of(finding.driver.as_ref().map(|(_, part, _)| part)),
            finding.driver.as_ref().map_or(Cell::Empty, |(.., driver)| Cell::Number(format!("{:.3}", driver.share))),
            Cell::text(says(finding, looked.grain, looked.currency, looked.language)),
        ])?;
    }
    Ok(Outcome::Done)
}

/// Looks metrics through, with as much of the past as says what was usual.
pub fn look(
    session: &Session,
    books: &Books,
    watched: &[(String, Vec<String>)],
    grain: Grain,
    told_from: Day,
    to: Day,
) -> Result<Report, CommandError> {
    let catalogue = session.catalogue()?;
    let began = books.first_movement().unwrap_or(told_from).first_of(grain);
    let past = match grain {
        Grain::Day => told_from.plus_days(-70),
        Grain::Week => told_from.plus_days(-26 * 7),
        _ => told_from.plus_months(-18),
    };
    let from = past.max(began).first_of(grain).min(told_from);
    Ok(anomalies(books, &catalogue, &session.assumptions()?, watched, grain, (from, told_from, to))?)
}

/// How many false alarms a report is to be expected to hold.
pub fn rate(report: &Report, language: Language) -> String {
    let count = |number: usize| Value::Count(number as i128);
    let values =
        [("points", count(report.points)), ("series", count(report.series)), ("rate", Value::decimal(FALSE_ALARMS))];
    say_with(&RATE, language, &values)
}

fn figure(number: f64, unit: Unit, currency: Currency) -> Value {
    match unit {
        // An estimate of money is said in whole units.
        Unit::Money => Value::Money { micros: (number.round() as i128) * revenue::money::MICROS, currency },
        Unit::Share => Value::share((number * 1000.0).round() / 1000.0),
        Unit::Count => Value::Count(number.round() as i128),
        Unit::Number => Value::decimal((number * 100.0).round() / 100.0),
    }
}

/// What was off, in words.
pub fn says(finding: &Finding, grain: Grain, currency: Currency, language: Language) -> String {
    let unit = unit_of(finding.metric.variant.unit);
    let (first, last, peak) = finding.periods;
    let number = |number: f64| figure(number, unit, currency);
    let of_peak = finding.episode.peak;
    let mut values = vec![
        ("metric", Value::Words(finding.metric.metric.name.clone())),
        ("period", Value::Period(grain, peak)),
        ("value", number(of_peak.value)),
        ("expected", number(of_peak.expected)),
    ];
    let words = match &finding.part {
        None => WHOLE,
        Some((dimension, part)) => {
            values.push(("dimension", Value::Name(dimension.clone())));
            values.push(("part", Value::Name(part.clone())));
            PART
        }
    };
    let space = if language == Language::Chinese { "" } else { " " };
    let mut said = say_with(&words, language, &values);
    if let Some((dimension, part, driver)) = &finding.driver {
        let values = [
            ("dimension", Value::Name(dimension.clone())),
            ("part", Value::Name(part.clone())),
            ("value", number(driver.value)),
            ("expected", number(driver.expected)),
            ("share", Value::share((driver.share * 100.0).round() / 100.0)),
        ];
        said = format!("{said}{space}{}", say_with(&DRIVER, language, &values));
    }
    if first != last {
        let values = [("first", Value::Period(grain, first)), ("last", Value::Period(grain, last))];
        said = format!("{said}{space}{}", say_with(&LASTED, language, &values));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_anomalies_can_be_said_in_every_language() {
        let values = [
            ("metric", Value::Words(Words::fixed("Sign-ups", "注册", "Inscriptions"))),
            ("period", Value::Period(Grain::Week, Day(19_783))),
            ("first", Value::Period(Grain::Week, Day(19_783))),
            ("last", Value::Period(Grain::Week, Day(19_790))),
            ("value", Value::Count(50)),
            ("expected", Value::Count(20)),
            ("dimension", Value::Name("channel".to_owned())),
            ("part", Value::Name("launch".to_owned())),
            ("share", Value::share(0.9)),
            ("points", Value::Count(1000)),
            ("series", Value::Count(20)),
            ("rate", Value::decimal(0.2)),
        ];
        for words in [WHOLE, PART, DRIVER, LASTED, RATE] {
            for language in Language::ALL {
                let said = say_with(&words, language, &values);
                assert!(!said.contains(['{', '}']), "{said}");
            }
        }
    }
}
