//! `recurve leads`: leads with their scores, and what raised and lowered them.

use std::{collections::HashMap, io::Write};

use outlook::wording::Language;
use warehouse::{
    engine::lead_score::{self, Choice, ScoredLead, Told},
    lake::{Access, ImportRecord, Lake},
    lead_rules,
};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Sheet},
    session::{self, Options, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Open one lead: each reason of its score, with the facts under it
    #[arg(value_name = "LEAD")]
    lead: Option<String>,
    /// The end of this day; now unless set
    #[arg(long, value_name = "D")]
    at: Option<String>,
    /// Only leads in these stages: lead, mql, pql, sql, customer or lost; the open ones unless set
    #[arg(long, value_delimiter = ',', value_name = "STAGE,...")]
    stage: Vec<String>,
    /// Look only at this, such as channel=ads
    #[arg(long = "where", value_name = "DIM=VALUE")]
    filters: Vec<String>,
    /// Show the rules instead, as a file to begin with
    #[arg(long)]
    rules: bool,
}

/// The stages that a lead can be in.
const STAGES: &[&str] = &["lead", "mql", "pql", "sql", "customer", "lost"];

/// Lists them, the highest score first.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    if arguments.rules {
        return show_rules(options);
    }
    let session = Session::open(options, Access::Read)?;
    listing::write(options, |sheet| answer(&session, arguments, sheet))
}

/// The leads, or the reasons of one.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    if let Some(stage) = arguments.stage.iter().find(|stage| !STAGES.contains(&stage.as_str())) {
        return Err(CommandError::Usage(format!("there is no stage `{stage}`; it is one of {}", STAGES.join(", "))));
    }
    let books = session.books()?;
    let language = session.language()?;
    let choice = Choice {
        end: match &arguments.at {
            Some(text) => session::day(text, "at")?.plus_days(1),
            None => books.first_day_to_come(),
        },
        stages: arguments.stage.clone(),
        filters: session::filters(&arguments.filters)?,
        only: arguments.lead.clone(),
    };
    let leads = lead_score::list(&books, &session.assumptions()?, &choice)?;
    if let Some(id) = &arguments.lead {
        let Some(lead) = leads.first() else {
            return Err(CommandError::Usage(format!(
                "there is no lead `{id}` by then; `recurve leads --at D` lists those that there are"
            )));
        };
        return open(sheet, &session.lake, lead, language);
    }
    let columns = ["lead", "customer", "stage", "channel", "created", "score", "raised", "lowered"];
    sheet.begin(columns)?;
    for lead in &leads {
        let (raised, lowered): (Vec<&Told>, Vec<&Told>) = lead.reasons.iter().partition(|told| told.points >= 0.0);
        sheet.row(&[
            Cell::text(lead.lead.as_str()),
            lead.customer.as_deref().map_or(Cell::Empty, Cell::text),
            Cell::text(lead.stage.as_str()),
            Cell::text(lead.channel.as_str()),
            Cell::Day(lead.created),
            Cell::Number(points(lead.points)),
            Cell::text(words(&raised, language)),
            Cell::text(words(&lowered, language)),
        ])?;
    }
    Ok(Outcome::Done)
}

/// The reasons of one score, each with the facts that made it.
fn open(sheet: &mut dyn Sheet, lake: &Lake, lead: &ScoredLead, language: Language) -> Result<Outcome, CommandError> {
    let imports: HashMap<i64, ImportRecord> =
        lake.imports(None)?.into_iter().map(|import| (import.id, import)).collect();
    sheet.begin(["lead", "stage", "score", "points", "because", "rule", "facts"])?;
    for told in &lead.reasons {
        let facts = told.facts.iter().map(|(kind, import, row)| {
            let origin = imports.get(import).map_or("?".into(), |import| import.origin(row.unsigned_abs()));
            format!("{kind} {origin}:{row}")
        });
        sheet.row(&[
            Cell::text(lead.lead.as_str()),
            Cell::text(lead.stage.as_str()),
            Cell::Number(points(lead.points)),
            Cell::Number(points(told.points)),
            Cell::text(told.because.say(language)),
            told.rule.as_ref().map_or(Cell::Empty, |rule| Cell::text(rule.say(language))),
            Cell::text(facts.collect::<Vec<_>>().join(", ")),
        ])?;
    }
    Ok(Outcome::Done)
}

/// The file that is used, or that of the product.
fn show_rules(options: &Options) -> Result<Outcome, CommandError> {
    let (name, built_in) = lead_rules::BUILT_IN;
    let own = options.data.join(name);
    let text = if own.is_file() { std::fs::read_to_string(own)? } else { built_in.to_owned() };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Outcome::Done)
}

/// Points with at most two decimals, none where they are whole.
fn points(points: f64) -> String {
    let text = format!("{points:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// `10 looked at prices (2 × visit pricing); 5 country = FR`, the most first.
fn words(reasons: &[&Told], language: Language) -> String {
    let mut reasons = reasons.to_vec();
    reasons.sort_by(|one, other| other.points.abs().total_cmp(&one.points.abs()));
    let told = reasons.iter().map(|told| match &told.rule {
        Some(rule) => {
            let (rule, because) = (rule.say(language), told.because.say(language));
            match language {
                Language::Chinese => format!("{} {rule}（{because}）", points(told.points)),
                _ => format!("{} {rule} ({because})", points(told.points)),
            }
        }
        None => format!("{} {}", points(told.points), told.because.say(language)),
    });
    told.collect::<Vec<_>>().join(match language {
        Language::English => "; ",
        Language::Chinese => "；",
        Language::French => " ; ",
    })
}
