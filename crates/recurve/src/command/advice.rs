//! `recurve advice`: what to do, in the order in which the numbers ask for it, and whom to call today.

use std::io::Write;

use outlook::{
    advice::{Advised, advise},
    playbook::Group,
    verdict::judge,
    wording::{Value, Words, say_with},
};
use revenue::money::{print_micros, print_scaled};
use warehouse::engine::judgement::Call;

use super::{CommandError, Outcome, verdict::heading};
use crate::{
    judgement::{Asked, Judged, evidence},
    listing::{self, Cell, Format, Sheet},
    session::{Options, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// List whom to call instead: large customers whose health falls, failed payments, trials about to end
    #[arg(long)]
    calls: bool,
}

/// Above the customers to call.
const CALLS: Words = Words::fixed("Whom to call", "应联系的客户", "Qui appeler");

/// So many customers of each group are shown to people.
const CALLS_SHOWN: usize = 10;
/// For the rest.
const MORE_CALLS: Words = Words::fixed(
    "... and {more} more: recurve advice --calls --format csv lists them all",
    "……另有 {more} 个：recurve advice --calls --format csv 可列出全部",
    "... et {more} de plus : recurve advice --calls --format csv les liste tous",
);

/// What is said of a customer of each group.
const REASONS: &[(Group, Words)] = &[
    (
        Group::WhalesAtRisk,
        Words::fixed(
            "{customer}: pays {mrr} a month, and its health is {now} (four weeks before: {before})",
            "{customer}：每月付 {mrr}，健康度为 {now}（四周前：{before}）",
            "{customer} : paie {mrr} par mois, et sa santé est de {now} (quatre semaines avant : {before})",
        ),
    ),
    (
        Group::PaymentsFailed,
        Words::fixed(
            "{customer}: pays {mrr} a month, and a payment has failed since {day}",
            "{customer}：每月付 {mrr}，自{day}起有付款失败",
            "{customer} : paie {mrr} par mois, et un paiement échoue depuis le {day}",
        ),
    ),
    (
        Group::TrialsEnding,
        Words::fixed(
            "{customer}: the trial ends on {day}",
            "{customer}：试用将于{day}结束",
            "{customer} : l’essai se termine le {day}",
        ),
    ),
    (
        Group::Lost,
        Words::fixed(
            "{customer}: left on {day}, with {mrr} a month",
            "{customer}：{day}离开，原每月付 {mrr}",
            "{customer} : parti le {day}, avec {mrr} par mois",
        ),
    ),
];

/// Lists the advice, or the customers to call.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let judged = Judged::open(options, &arguments.asked)?;
    let case = judged.case();
    let verdict = judge(&case);
    let advised = verdict.stage.map(|stage| advise(&case, stage)).unwrap_or_default();
    let language = judged.language;
    if listing::format_of(options) == Format::Table {
        let mut out = listing::sink(options)?;
        if !arguments.calls {
            writeln!(out, "{}", heading(&judged, &verdict))?;
            for (place, advised) in advised.iter().enumerate() {
                let says = advised.sentence.as_ref().map(|sentence| sentence.say(language)).unwrap_or_default();
                writeln!(out, "\n{}. {}\n   {says}", place + 1, advised.advice.title.say(language))?;
            }
        }
        let calls: Vec<&Call> = to_call(&judged).collect();
        if !calls.is_empty() {
            writeln!(out, "\n{}", CALLS.say(language))?;
            for (group, _) in Group::ALL {
                let of_group: Vec<_> = calls.iter().filter(|call| call.group == group).collect();
                for call in of_group.iter().take(CALLS_SHOWN) {
                    writeln!(out, "  {}", said(&judged, call))?;
                }
                if of_group.len() > CALLS_SHOWN {
                    let more = Value::Count((of_group.len() - CALLS_SHOWN) as i128);
                    writeln!(out, "  {}", say_with(&MORE_CALLS, language, &[("more", more)]))?;
                }
            }
        }
        out.flush()?;
        return Ok(Outcome::Done);
    }
    listing::write(options, |sheet| match arguments.calls {
        true => list_calls(&judged, sheet),
        false => list(&judged, &advised, sheet),
    })
}

/// The advice for a month of the folder, or whom to call, a row each.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let judged = Judged::of_session(session, &arguments.asked)?;
    if arguments.calls {
        return list_calls(&judged, sheet);
    }
    let case = judged.case();
    let advised = judge(&case).stage.map(|stage| advise(&case, stage)).unwrap_or_default();
    list(&judged, &advised, sheet)
}

fn list_calls(judged: &Judged, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let columns = ["group", "customer", "mrr", "currency", "day", "health", "health_before", "says"];
    sheet.begin(columns)?;
    for call in to_call(judged) {
        let points = |points: f64| Cell::Number(format!("{points:.1}"));
        sheet.row(&[
            Cell::text(call.group.name()),
            Cell::text(call.customer.as_str()),
            Cell::Number(print_micros(call.mrr_micros.into(), judged.currency.decimals())),
            Cell::text(judged.currency.code()),
            call.day.map_or(Cell::Empty, Cell::Day),
            call.health.map_or(Cell::Empty, |(now, _)| points(now)),
            call.health.and_then(|(_, before)| before).map_or(Cell::Empty, points),
            Cell::text(said(judged, call)),
        ])?;
    }
    Ok(Outcome::Done)
}

fn list(judged: &Judged, advised: &[Advised<'_>], sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let language = judged.language;
    sheet.begin(["rank", "stage", "advice", "title", "weight", "says", "evidence", "line"])?;
    for (place, advised) in advised.iter().enumerate() {
        let weight = match &advised.weight {
            Ok(weight) => Cell::Number(print_scaled(*weight, 12, 0)),
            Err(_) => Cell::Empty,
        };
        sheet.row(&[
            Cell::Whole(i64::try_from(place + 1).unwrap_or(i64::MAX)),
            Cell::text(advised.advice.stage.name()),
            Cell::text(advised.advice.id.as_str()),
            Cell::text(advised.advice.title.say(language)),
            weight,
            Cell::text(advised.sentence.as_ref().map(|sentence| sentence.say(language)).unwrap_or_default()),
            Cell::text(evidence(&advised.evidence)),
            Cell::text(advised.advice.line.as_str()),
        ])?;
    }
    Ok(Outcome::Done)
}

/// Those who are still to be won or kept.
pub fn to_call(judged: &Judged) -> impl Iterator<Item = &Call> {
    judged.ground.calls.iter().filter(|call| call.group != Group::Lost)
}

/// Why a customer should be called.
pub fn said(judged: &Judged, call: &Call) -> String {
    let Some((_, words)) = REASONS.iter().find(|(group, _)| *group == call.group) else { return String::new() };
    let (now, before) = call.health.map_or((0.0, None), |(now, before)| (now, before));
    let points = |points: f64| Value::decimal((points * 10.0).round() / 10.0);
    let mut values = vec![
        ("customer", Value::Name(call.customer.clone())),
        ("mrr", Value::Money { micros: call.mrr_micros.into(), currency: judged.currency }),
        ("now", points(now)),
        ("before", before.map_or(Value::Words(Words::fixed("not known", "未知", "inconnue")), points)),
    ];
    values.extend(call.day.map(|day| ("day", Value::day(day))));
    say_with(words, judged.language, &values)
}

#[cfg(test)]
mod tests {
    use outlook::wording::Language;
    use revenue::calendar::Day;

    use super::*;

    #[test]
    fn every_reason_to_call_can_be_said_in_every_language() {
        assert_eq!(REASONS.len(), Group::ALL.len());
        let values = [
            ("customer", Value::Name("acme".to_owned())),
            ("mrr", Value::Money { micros: 5_000_000, currency: revenue::money::Currency::USD }),
            ("now", Value::decimal(30.0)),
            ("before", Value::decimal(61.5)),
            ("day", Value::day(Day(19_800))),
        ];
        for (_, words) in REASONS {
            for language in Language::ALL {
                let said = say_with(words, language, &values);
                assert!(said.contains("acme") && !said.contains(['{', '}']), "{said}");
            }
        }
    }
}
