//! `recurve target`: what should be reached by when and by whom, where it should be by now, and how likely it is.

use outlook::{playbook::Unit, target::Standing};
use revenue::money::print_scaled;
use warehouse::{lake::Access, playbook::metric_of};

use super::{CommandError, Outcome};
use crate::{
    judgement,
    listing::{self, Cell, Sheet},
    session::{Options, Session},
    targets::{self, Kept},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Set a target on a metric: at least that much, or at most where less is better
    Add {
        /// The metric, such as mrr or customer_churn.midpoint
        metric: String,
        /// What should be reached, such as 15000 or 5%
        wanted: String,
        /// The month at whose end it should be reached
        #[arg(long, value_name = "M")]
        by: String,
        /// The month from which the way is measured; the last full one unless set
        #[arg(long, value_name = "M")]
        from: Option<String>,
        /// Whose it is
        #[arg(long, default_value = "")]
        owner: String,
    },
    /// List targets with where they should be by now and the chance of being met
    List {
        /// As of the end of this month; the last full one unless set
        #[arg(long, value_name = "M")]
        period: Option<String>,
    },
    /// Take a target away
    Remove {
        /// Its name in the list
        target: String,
    },
}

/// Sets, lists or takes away.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    match &arguments.what {
        What::Add { metric, wanted, by, from, owner } => {
            let session = Session::open(options, Access::Write)?;
            add(&session, &Wanted { metric, wanted, by, from: from.as_deref(), owner })?;
            list(&session, None)
        }
        What::List { period } => list(&Session::open(options, Access::Read)?, period.as_deref()),
        What::Remove { target } => {
            let session = Session::open(options, Access::Write)?;
            remove(&session, target)?;
            list(&session, None)
        }
    }
}

/// A target as it is set.
pub struct Wanted<'a> {
    /// The metric.
    pub metric: &'a str,
    /// What should be reached.
    pub wanted: &'a str,
    /// The month at whose end.
    pub by: &'a str,
    /// The month from which the way is measured.
    pub from: Option<&'a str>,
    /// Whose it is.
    pub owner: &'a str,
}

/// Sets a target, and gives its name. The folder has to be open for writing.
pub fn add(session: &Session, asked: &Wanted<'_>) -> Result<String, CommandError> {
    let catalogue = session.catalogue()?;
    metric_of(&catalogue, asked.metric)?;
    if targets::number(asked.wanted).is_none() {
        return Err(CommandError::Usage(format!("`{}` is no number; write 15000 or 5%", asked.wanted)));
    }
    let from = match asked.from {
        Some(text) => targets::month_of(text, "from")?,
        None => judgement::month(session, None)?,
    };
    let by = targets::month_of(asked.by, "by")?;
    if by <= from {
        return Err(CommandError::Usage(format!("--by {by} is not after --from {from}, so there is no way to go")));
    }
    let id = targets::free_name(session)?;
    let kept = Kept {
        id: id.clone(),
        metric: asked.metric.to_owned(),
        wanted: asked.wanted.to_owned(),
        by,
        from: Some(from),
        owner: asked.owner.to_owned(),
        line: String::new(),
    };
    session.lake.set_setting(&format!("{}{id}", targets::PREFIX), &kept.text())?;
    Ok(id)
}

/// Takes a target away. The folder has to be open for writing.
pub fn remove(session: &Session, target: &str) -> Result<(), CommandError> {
    if session.lake.remove_setting(&format!("{}{target}", targets::PREFIX))? {
        return Ok(());
    }
    Err(CommandError::Usage(format!(
        "there is no target `{target}` that was set with `recurve target add`; those of the playbook are taken away with \
         `product_targets = false` in a playbook.toml of your own"
    )))
}

/// As of which month targets are looked at.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct AsOf {
    /// As of the end of this month; the last full one unless set
    #[arg(long, value_name = "M")]
    period: Option<String>,
}

fn list(session: &Session, period: Option<&str>) -> Result<Outcome, CommandError> {
    let as_of = AsOf { period: period.map(str::to_owned) };
    listing::write(&session.options, |sheet| answer(session, &as_of, sheet))
}

/// The targets, with where they should be by now and the chance of being met.
pub fn answer(session: &Session, asked: &AsOf, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let period = asked.period.as_deref();
    let (catalogue, books) = (session.catalogue()?, session.books()?);
    let month = judgement::month(session, period)?;
    let (currency, language) = (books.reporting, session.language()?);
    let stood = targets::all(session, &books, &catalogue, month)?;
    sheet.begin([
        "target", "metric", "by", "owner", "wanted", "now", "pace", "on_pace", "expected", "chance", "unit", "state",
        "says",
    ])?;
    for one in &stood {
        let number = |picos: i128| {
            // A figure is exact; where it should be is an estimate, and money needs no more than its cents.
            Cell::Number(print_scaled(picos, 12, if one.unit == Unit::Money { currency.decimals() } else { 0 }))
        };
        let estimate = |number: f64| Cell::Number(format!("{number:.4}"));
        let (pace, chance, expected) = match one.standing {
            Standing::Open { pace, chance, expected } => (pace, chance, expected),
            _ => (None, None, None),
        };
        let pace = pace.map_or(Cell::Empty, |picos| estimate(picos as f64 / outlook::condition::ONE as f64));
        let unit = if one.unit == Unit::Money { currency.code() } else { one.metric.variant.unit.name() };
        sheet.row(&[
            Cell::text(one.kept.id.as_str()),
            Cell::text(one.kept.metric.as_str()),
            Cell::Day(one.kept.by),
            Cell::text(one.kept.owner.as_str()),
            number(one.target.number),
            one.now.map_or(Cell::Empty, |(_, now)| number(now)),
            pace,
            one.is_on_pace().map_or(Cell::Empty, |on| Cell::text(if on { "yes" } else { "no" })),
            expected.map_or(Cell::Empty, estimate),
            chance.map_or(Cell::Empty, |chance| Cell::Number(format!("{chance:.2}"))),
            Cell::text(unit),
            Cell::text(one.state()),
            Cell::text(one.says(currency, language)),
        ])?;
    }
    Ok(Outcome::Done)
}
