//! `recurve levers`: what moves revenue most, played through on the contracts that there are, ranked, with what had to be
//! assumed.

use outlook::{
    lever::{
        BELIEFS, Effect, LEVERS, LeverEntry, Plan, Range, effects,
        words::{Source, of_effect},
    },
    wording::{Language, Value},
};
use revenue::money::{Currency, print_micros};
use warehouse::{
    engine::lever::{Ground, ground},
    lake::Access,
    lever_settings::{self, BUSINESS, LeverSettings, Setting},
};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Sheet},
    session::{Options, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Months to look ahead: the effects after 3, 6 and 12 months and after this many are listed, the ranks are those at the end
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=60))]
    months: u32,
    /// Say a setting otherwise, such as raise_prices.rise=0.5; of what is not known also a range, lower:likely:upper
    #[arg(long = "set", value_name = "LEVER.SETTING=VALUE")]
    set: Vec<String>,
    /// List instead what was chosen and what had to be assumed, and where each comes from
    #[arg(long)]
    assumptions: bool,
}

/// Months after which effects are listed.
const MILESTONES: [u32; 3] = [3, 6, 12];

/// A setting as it is used: the range, and where it comes from.
struct Used {
    section: &'static str,
    id: &'static str,
    range: Range,
    source: Source,
}

/// Lists the levers by rank, or their settings.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    listing::write(options, |sheet| answer(&session, arguments, sheet))
}

/// The levers by rank, or their settings.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let language = session.language()?;
    let settings = settings(session, arguments)?;
    let books = session.books()?;
    let mut ground = ground(&books, books.first_day_to_come())?;
    let used = used(&settings, &mut ground);
    if arguments.assumptions {
        return list_settings(sheet, &settings, &used, books.reporting, language);
    }
    let at: Vec<u32> =
        MILESTONES.into_iter().filter(|months| *months < arguments.months).chain([arguments.months]).collect();
    let mut played: Vec<(&LeverEntry, Vec<Effect>)> = LEVERS
        .iter()
        .map(|entry| (entry, effects(&ground.business, &ground.beliefs, &plan(entry, &used), &at)))
        .collect();
    let last = |effects: &[Effect]| effects.last().map_or((0.0, 0.0), |effect| (effect.mrr.likely, effect.cash.likely));
    let by_cash = |id: &str| {
        let cash = |effects: &[Effect]| last(effects).1;
        let own = played.iter().find(|(entry, _)| entry.id == id).map_or(0.0, |(_, effects)| cash(effects));
        1 + played.iter().filter(|(_, effects)| cash(effects) > own).count()
    };
    let ranks_by_cash: Vec<(&str, usize)> = played.iter().map(|(entry, _)| (entry.id, by_cash(entry.id))).collect();
    // A stable sort: of levers that do the same the document's first one comes first.
    played.sort_by(|(_, one), (_, other)| last(other).0.total_cmp(&last(one).0));
    let columns = [
        "rank",
        "rank_by_cash",
        "lever",
        "name",
        "months",
        "mrr_base",
        "mrr_effect",
        "mrr_lower",
        "mrr_upper",
        "cash_base",
        "cash_effect",
        "cash_lower",
        "cash_upper",
        "currency",
        "says",
        "given",
    ];
    sheet.begin(columns)?;
    let money = |value: f64| {
        let minor = 10f64.powi(i32::try_from(books.reporting.decimals()).unwrap_or(2));
        let micros = ((value * minor).round() / minor * 1e6).round() as i128;
        Cell::Number(print_micros(micros, books.reporting.decimals()))
    };
    let whole = |number: usize| Cell::Whole(i64::try_from(number).unwrap_or(i64::MAX));
    for (rank, (entry, effects)) in played.iter().enumerate() {
        let name = settings.names.get(entry.id).map_or(entry.id, |words| words.say(language));
        let by_cash = ranks_by_cash.iter().find(|(id, _)| *id == entry.id).map_or(0, |(_, rank)| *rank);
        let says = |effect: &Effect| {
            let name = settings.names.get(entry.id)?;
            Some(of_effect(name, effect, books.reporting)?.say(language))
        };
        for effect in effects {
            sheet.row(&[
                whole(rank + 1),
                whole(by_cash),
                Cell::text(entry.id),
                Cell::text(name),
                Cell::Whole(effect.months.into()),
                money(effect.base_mrr),
                money(effect.mrr.likely),
                money(effect.mrr.lower),
                money(effect.mrr.upper),
                money(effect.base_cash),
                money(effect.cash.likely),
                money(effect.cash.lower),
                money(effect.cash.upper),
                Cell::text(books.reporting.code()),
                Cell::text(says(effect).unwrap_or_default()),
                Cell::text(given(entry, &settings, &used, language)),
            ])?;
        }
    }
    Ok(Outcome::Done)
}

/// The settings of the product, with those of the data folder and of the command line laid over them.
fn settings(session: &Session, arguments: &Arguments) -> Result<LeverSettings, CommandError> {
    let mut settings = LeverSettings::built_in();
    let file = session.options.data.join(lever_settings::BUILT_IN.0);
    if file.is_file() {
        settings.overlay(&file.display().to_string(), &std::fs::read_to_string(&file)?)?;
    }
    for text in &arguments.set {
        settings.set(text)?;
    }
    Ok(settings)
}

/// What each setting is, and where that comes from: what the user says first, then what facts say, then what is assumed.
fn used(settings: &LeverSettings, ground: &mut Ground) -> Vec<Used> {
    let mut used = Vec::new();
    for ((id, range), seen) in BELIEFS.into_iter().zip(ground.beliefs.ranges()).zip(ground.sources) {
        let stated = settings.get(BUSINESS, id).and_then(|setting| setting.stated);
        let (range, source) = stated.map_or((range, seen), |stated| (stated, Source::Stated));
        ground.beliefs.set(id, range);
        used.push(Used { section: BUSINESS, id, range, source });
    }
    for entry in LEVERS {
        for (id, setting) in settings.of(entry.id) {
            let learnt = ground.leaving.filter(|_| setting.is_learnt && (entry.id, id) == ("raise_prices", "leaving"));
            let (range, source) = match (learnt, setting.stated) {
                (Some((range, source)), _) => (range, source),
                (None, Some(range)) => (range, if setting.is_chosen { Source::Chosen } else { Source::Stated }),
                (None, None) => continue,
            };
            used.push(Used { section: entry.id, id, range, source });
        }
    }
    used
}

fn plan(entry: &LeverEntry, used: &[Used]) -> Plan {
    let range = |id: &&str| {
        let own = used.iter().find(|used| used.section == entry.id && used.id == *id);
        own.map_or(Range::exactly(0.0), |used| used.range)
    };
    Plan {
        lever: entry.lever,
        choices: entry.choices.iter().map(|id| range(id).likely).collect(),
        assumptions: entry.assumptions.iter().map(range).collect(),
    }
}

fn number(value: f64, language: Language) -> String {
    Value::decimal((value * 1e4).round() / 1e4).say(language)
}

/// `0.25 (0.05–0.6)`, or the value alone where it is known.
fn range_words(range: &Range, language: Language) -> String {
    let number = |value: f64| number(value, language);
    if range.upper - range.lower > 0.0 {
        format!("{} ({}–{})", number(range.likely), number(range.lower), number(range.upper))
    } else {
        number(range.likely)
    }
}

/// How far a lever is moved and what is assumed of it, in words.
fn given(entry: &LeverEntry, settings: &LeverSettings, used: &[Used], language: Language) -> String {
    let own = used.iter().filter(|used| used.section == entry.id);
    let (colon, next) = match language {
        Language::English => (": ", "; "),
        Language::Chinese => ("：", "；"),
        Language::French => ("\u{a0}: ", "\u{202f}; "),
    };
    let words = own.filter_map(|used| {
        let name = settings.get(entry.id, used.id)?.name.say(language).to_owned();
        let source = match used.source {
            Source::Chosen => String::new(),
            source => format!(" [{}]", source.sentence()?.say(language)),
        };
        Some(format!("{name}{colon}{}{source}", range_words(&used.range, language)))
    });
    words.collect::<Vec<_>>().join(next)
}

fn list_settings(
    sheet: &mut dyn Sheet,
    settings: &LeverSettings,
    used: &[Used],
    currency: Currency,
    language: Language,
) -> Result<Outcome, CommandError> {
    let unit = |used: &Used| match lever_settings::unit(used.section, used.id) {
        "money" => currency.code(),
        unit => unit,
    };
    sheet.begin(["lever", "setting", "name", "value", "lower", "upper", "unit", "source", "says"])?;
    for used in used {
        let decimal = |value: f64| Cell::Number(format!("{value:.6}"));
        let setting: Option<&Setting> = settings.get(used.section, used.id);
        let is_range = used.range.upper - used.range.lower > 0.0;
        let end = |value: f64| if is_range { decimal(value) } else { Cell::Empty };
        sheet.row(&[
            Cell::text(used.section),
            Cell::text(used.id),
            Cell::text(setting.map_or("", |setting| setting.name.say(language))),
            decimal(used.range.likely),
            end(used.range.lower),
            end(used.range.upper),
            Cell::text(unit(used)),
            Cell::text(used.source.name()),
            Cell::text(used.source.sentence().map_or(String::new(), |says| says.say(language))),
        ])?;
    }
    Ok(Outcome::Done)
}
