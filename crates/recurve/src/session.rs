//! What every command shares: where the data is, under which policy and at what time it is looked at.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use jiff::Timestamp;
use outlook::{health::Kept, wording::Language};
use revenue::{
    calendar::{Day, Grain, Zone},
    money::Currency,
};
use warehouse::{
    books::{Books, View},
    catalogue::{Catalogue, Setting},
    engine::{Assumptions, people::Attribution, segment::Filter},
    lake::{Access, Lake, LakeError},
    lead_rules,
};

use crate::{
    command::CommandError,
    listing::Format,
    policies,
    shelf::{Known, Shelf},
};

/// Settings of a data folder, which `recurve init` sets and options override.
pub const SETTINGS: &[(&str, &str)] = &[
    ("currency", "the currency to report in"),
    ("tz", "the business time zone"),
    ("policy", "the policy"),
    ("language", "the language of names and sentences: en, zh or fr"),
    ("gross_margin", "gross margin as a fraction, until it is known from costs"),
    ("discount_rate", "what a year's delay takes off the worth of money, as a fraction"),
    ("committed_months", "months ahead for which CMRR counts agreed changes"),
    ("login_events", "names of product events that are log-ins, separated by commas"),
    ("active_events", "names of product events that make a user active; all of them unless set"),
    ("interaction_events", "names of product events that count as interactions; all of them unless set"),
    ("activation_event", "names of product events that count as activation, separated by commas"),
    ("activation_days", "days from the sign-up within which they count"),
    ("attribution", "by which touch a customer belongs to a channel: stated, first_touch, last_touch or linear"),
    ("health_weights", "events and their weights in the health index, such as boards=3,login=1; learnt unless set"),
    ("burn_months", "months of which the burn is taken for the runway; 3 unless set"),
    ("cash_reserve", "cash that is to be left at the lowest point, for the funding that is needed"),
    (
        "launch",
        "the first day of the business, from which its age and the targets count; the first movement unless set",
    ),
    ("cac_lead_days", "days from spending money to the customers whom it brings, for CAC"),
    ("stripe_key_file", "the file with the restricted key to Stripe, which nobody else may read"),
    ("stripe_sync_minutes", "minutes between two syncs with Stripe while the server runs; 0 for none; 60 unless set"),
];

/// Options of every command. They may stand before or after it.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// The data folder
    #[arg(long, global = true, value_name = "DIR", env = "RECURVE_DATA", default_value = "recurve-data")]
    pub data: PathBuf,
    /// The policy: default, stripe, chartmogul, profitwell, one of your own, or a file
    #[arg(long, global = true, value_name = "NAME|FILE")]
    pub policy: Option<String>,
    /// Take this as now: a date or an instant (2024-07-01, 2024-07-01T10:00:00Z)
    #[arg(long, global = true, value_name = "T")]
    pub now: Option<String>,
    /// Only what was known at that time: a date (its beginning) or an instant
    #[arg(long, global = true, value_name = "T")]
    pub as_known_at: Option<String>,
    /// The business time zone, such as Europe/Paris
    #[arg(long, global = true, value_name = "ZONE")]
    pub tz: Option<String>,
    /// The currency to report in, such as USD
    #[arg(long, global = true, value_name = "CUR")]
    pub currency: Option<String>,
    /// By which touch a customer belongs to a channel: stated, first_touch, last_touch or linear
    #[arg(long, global = true, value_name = "TOUCH")]
    pub attribution: Option<String>,
    /// The language of names and sentences: en, zh or fr; the setting `language` of the data folder, else en
    #[arg(long, global = true, value_name = "LANG", env = "RECURVE_LANG")]
    pub lang: Option<String>,
    /// How lists are written: table on a terminal and csv in a pipe, unless set
    #[arg(long, global = true, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Write the list to this file instead
    #[arg(long, global = true, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Which periods a command looks at.
#[derive(Debug, Clone, clap::Args)]
pub struct Range {
    /// The first day; twelve full months before now unless set
    #[arg(long, value_name = "D")]
    pub from: Option<String>,
    /// The first day no more; the first of this month unless set
    #[arg(long, value_name = "D")]
    pub to: Option<String>,
}

/// An opened data folder with what it is looked at under.
pub struct Session {
    /// The options of the command line.
    pub options: Options,
    /// The lake.
    pub lake: Lake,
    /// The business time zone.
    pub zone: Zone,
    /// *Now* in microseconds.
    pub now: i64,
    /// What is kept between questions, where many are asked of one folder.
    kept: Option<(Arc<Shelf>, Known)>,
    /// The books, once they were opened.
    opened: OnceLock<Arc<Books>>,
    /// Whether who asks may not be told who the customers are.
    pub hides_customers: bool,
}

/// The clock, read once, here.
pub fn clock() -> i64 {
    Timestamp::now().as_microsecond()
}

impl Session {
    /// Opens the data folder. For writing it is made if it is not there.
    pub fn open(options: &Options, access: Access) -> Result<Self, CommandError> {
        let lake = match access {
            Access::Write | Access::InTurns => Lake::create_or_open(&options.data, access)?,
            Access::Read => Lake::open(&options.data, access)?,
        };
        Self::of(options.clone(), lake, None)
    }

    /// Looks at a folder that stays open, at a version of its data: what was made for earlier questions is used again.
    pub fn of_kept(options: Options, lake: Lake, shelf: Arc<Shelf>, known: Known) -> Result<Self, CommandError> {
        Self::of(options, lake, Some((shelf, known)))
    }

    /// The same folder and version under other options.
    pub fn again(&self, options: Options) -> Result<Self, CommandError> {
        let session = Self::of(options, self.lake.clone(), self.kept.clone())?;
        Ok(Self { hides_customers: self.hides_customers, ..session })
    }

    /// The same folder, version and options with books of its own, for what depends on which facts were read before.
    pub fn apart(&self) -> Result<Self, CommandError> {
        let kept = self.kept.as_ref().map(|(_, known)| (Arc::default(), *known));
        Self::of(self.options.clone(), self.lake.clone(), kept)
    }

    fn of(options: Options, lake: Lake, kept: Option<(Arc<Shelf>, Known)>) -> Result<Self, CommandError> {
        let zone = match &options.tz {
            Some(name) => Some(name.clone()),
            None => lake.setting("tz")?,
        };
        let zone = match zone {
            None => Zone::utc(),
            Some(name) => Zone::parse(&name).ok_or_else(|| {
                CommandError::Usage(format!("`{name}` is no time zone; use an IANA name such as Europe/Paris or UTC"))
            })?,
        };
        let now = match &options.now {
            None => clock(),
            Some(text) => instant(text, "now", &zone)?,
        };
        Ok(Self { options, lake, zone, now, kept, opened: OnceLock::new(), hides_customers: false })
    }

    /// A setting of the data folder.
    pub fn setting(&self, key: &str) -> Result<Option<String>, CommandError> {
        Ok(self.lake.setting(key)?)
    }

    /// The language in which names and sentences are said.
    pub fn language(&self) -> Result<Language, CommandError> {
        match &self.options.lang {
            Some(tag) => language_of(tag),
            None => self.setting("language")?.map_or(Ok(Language::default()), |tag| language_of(&tag)),
        }
    }

    /// The view that the options ask for, under a policy (the one of the options or the folder unless named).
    pub fn view(&self, policy: Option<&str>) -> Result<View, CommandError> {
        let policy_name = match policy.map(str::to_owned).or_else(|| self.options.policy.clone()) {
            Some(name) => name,
            None => self.setting("policy")?.unwrap_or_else(|| "default".to_owned()),
        };
        let policy = policies::find(&policy_name, &self.options.data)?;
        let currency = match self.options.currency.clone() {
            Some(code) => Some(code),
            None => self.setting("currency")?,
        };
        let currency = currency.map(|code| currency_of(&code)).transpose()?;
        let as_known_at =
            self.options.as_known_at.as_ref().map(|text| instant(text, "as-known-at", &self.zone)).transpose()?;
        // What became known since is the next version's.
        let as_known_at = match &self.kept {
            Some((_, known)) => Some(as_known_at.map_or(known.at_micros, |asked: i64| asked.min(known.at_micros))),
            None => as_known_at,
        };
        let health_weights = self.setting("health_weights")?.map_or(Ok(Vec::new()), |text| health_weights(&text))?;
        Ok(View { policy, policy_name, zone: self.zone.clone(), currency, as_known_at, now: self.now, health_weights })
    }

    /// Opens the books.
    pub fn books(&self) -> Result<Arc<Books>, CommandError> {
        if let Some(books) = self.opened.get() {
            return Ok(Arc::clone(books));
        }
        let view = self.view(None)?;
        let books = match &self.kept {
            Some((shelf, known)) => shelf.books(&self.lake, *known, view)?,
            None => Arc::new(Books::open(&self.lake, view)?),
        };
        Ok(Arc::clone(self.opened.get_or_init(|| books)))
    }

    /// What people call customers; whoever has no name is not among them, and nobody is where who asks may not be told.
    pub fn names<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> Result<HashMap<String, String>, CommandError> {
        if self.hides_customers {
            return Ok(HashMap::new());
        }
        Ok(self.books()?.names(ids)?)
    }

    /// The customers who are called something with a text in it; none where who asks may not be told.
    pub fn called(&self, text: &str) -> Result<HashSet<String>, CommandError> {
        if self.hides_customers {
            return Ok(HashSet::new());
        }
        Ok(self.books()?.customers_called(text)?)
    }

    /// The version of the data that is looked at, where it is kept open.
    pub fn known(&self) -> Option<Known> {
        self.kept.as_ref().map(|(_, known)| *known)
    }

    /// What figures need besides facts.
    pub fn assumptions(&self) -> Result<Assumptions, CommandError> {
        let mut assumptions = Assumptions::default();
        let number = |key: &str, text: &str| {
            CommandError::Usage(format!(
                "the setting `{key}` is `{text}`, which is no number; set it with `recurve init`"
            ))
        };
        if let Some(text) = self.setting("gross_margin")? {
            let picos = revenue::money::parse_scaled(&text, 12).ok_or_else(|| number("gross_margin", &text))?;
            assumptions.gross_margin = Some(warehouse::engine::fraction(picos, 1_000_000_000_000));
        }
        if let Some(text) = self.setting("cash_reserve")? {
            let micros = revenue::money::parse_scaled(&text, 6).ok_or_else(|| number("cash_reserve", &text))?;
            assumptions.cash_reserve = warehouse::engine::fraction(micros, 1_000_000);
        }
        if let Some(text) = self.setting("burn_months")? {
            let months = text.parse().ok().filter(|months| (1..=120).contains(months));
            assumptions.burn_months = months.ok_or_else(|| {
                CommandError::Usage(format!("the setting `burn_months` is `{text}`, and has to be from 1 to 120"))
            })?;
        }
        if let Some(text) = self.setting("discount_rate")? {
            assumptions.discount_rate_yearly = text.parse().map_err(|_| number("discount_rate", &text))?;
        }
        if let Some(text) = self.setting("committed_months")? {
            assumptions.committed_months = text.parse().map_err(|_| number("committed_months", &text))?;
        }
        for (key, days) in
            [("activation_days", &mut assumptions.activation_days), ("cac_lead_days", &mut assumptions.cac_lead_days)]
        {
            if let Some(text) = self.setting(key)? {
                *days = text.parse().map_err(|_| number(key, &text))?;
            }
        }
        if let Some(text) =
            self.options.attribution.clone().map_or_else(|| self.setting("attribution"), |t| Ok(Some(t)))?
        {
            assumptions.attribution = Attribution::parse(&text).ok_or_else(|| {
                let known = Attribution::ALL.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
                CommandError::Usage(format!("`{text}` is no attribution; it is one of {known}"))
            })?;
        }
        for (key, names) in [
            ("login_events", Setting::LoginEvents),
            ("active_events", Setting::ActiveEvents),
            ("interaction_events", Setting::InteractionEvents),
            ("activation_event", Setting::ActivationEvents),
        ] {
            if let Some(text) = self.setting(key)? {
                let listed = text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
                assumptions.names.insert(names, listed.collect());
            }
        }
        let rules = self.options.data.join(lead_rules::BUILT_IN.0);
        if rules.is_file() {
            let text = std::fs::read_to_string(&rules)?;
            assumptions.lead_rules = Arc::new(lead_rules::read(&rules.display().to_string(), &text)?);
        }
        Ok(assumptions)
    }

    /// The metrics of the product and those of the data folder.
    pub fn catalogue(&self) -> Result<Arc<Catalogue>, CommandError> {
        match &self.kept {
            Some((shelf, known)) => shelf.catalogue(&self.options.data, *known),
            None => Ok(Arc::new(catalogue(&self.options.data)?)),
        }
    }

    /// The day that is today.
    pub fn today(&self) -> Day {
        self.zone.day_of_instant(self.now)
    }

    /// The days of a range, with the defaults of the contract: the last twelve full months.
    pub fn range(&self, range: &Range, grain: Grain) -> Result<(Day, Day), CommandError> {
        let this_month = self.today().first_of(Grain::Month);
        let from = range.from.as_ref().map(|text| day(text, "from")).transpose()?;
        let to = match &range.to {
            Some(text) => day(text, "to")?,
            None if from.is_some_and(|from| from >= this_month) => self.today().plus_days(1),
            None => this_month,
        };
        let from = from.unwrap_or_else(|| to.first_of(Grain::Month).plus_months(-12).first_of(grain));
        if from >= to {
            return Err(CommandError::Usage(format!("--from {from} is not before --to {to}, so there is no period")));
        }
        Ok((from, to))
    }
}

/// The metrics of the product and those in `metrics/` of a data folder.
pub fn catalogue(data: &Path) -> Result<Catalogue, CommandError> {
    let folder = data.join("metrics");
    let mut files: Vec<(String, String)> = Vec::new();
    if folder.is_dir() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                files.push((path.display().to_string(), std::fs::read_to_string(&path)?));
            }
        }
    }
    files.sort_unstable();
    Ok(Catalogue::load(&files)?)
}

/// A language by its tag.
pub fn language_of(tag: &str) -> Result<Language, CommandError> {
    Language::parse(tag).ok_or_else(|| {
        let known = Language::ALL.map(Language::tag).join(", ");
        CommandError::Usage(format!("`{tag}` is no language that Recurve speaks; use one of {known}"))
    })
}

/// The language of commands that need no data folder: the one asked for, that of the folder if there is one, or English.
pub fn language(options: &Options) -> Result<Language, CommandError> {
    match &options.lang {
        Some(tag) => language_of(tag),
        None => match Session::open(options, Access::Read) {
            Ok(session) => session.language(),
            Err(CommandError::Lake(LakeError::Missing { .. })) => Ok(Language::default()),
            Err(error) => Err(error),
        },
    }
}

/// A currency by its code.
pub fn currency_of(code: &str) -> Result<Currency, CommandError> {
    Currency::parse(code).ok_or_else(|| {
        CommandError::Usage(format!("`{code}` is no currency that ISO 4217 lists; use a code such as USD, EUR or JPY"))
    })
}

/// A day: `2024-01-31`, or the first day of `2024-01` or `2024`.
pub fn day(text: &str, option: &str) -> Result<Day, CommandError> {
    let completed = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    Day::parse(&completed).ok_or_else(|| {
        CommandError::Usage(format!("--{option} {text} is no day; write it as 2024-01-31 (or 2024-01, or 2024)"))
    })
}

/// An instant, or the beginning of a day of the business.
pub fn instant(text: &str, option: &str, zone: &Zone) -> Result<i64, CommandError> {
    if let Some(day) = Day::parse(text) {
        return Ok(zone.start_of_day(day));
    }
    text.parse::<Timestamp>().map(|timestamp| timestamp.as_microsecond()).map_err(|_| {
        CommandError::Usage(format!(
            "--{option} {text} is neither a date (2024-07-01) nor an instant (2024-07-01T10:00:00Z)"
        ))
    })
}

/// Events and their weights: `boards=3,login=1`. Nothing where the text is empty.
pub fn health_weights(text: &str) -> Result<Vec<(String, f64)>, CommandError> {
    let wrong = |words: String| CommandError::Usage(format!("the setting `health_weights` is `{text}`: {words}"));
    let mut weights: Vec<(String, f64)> = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (event, weight) = part
            .rsplit_once('=')
            .and_then(|(event, weight)| Some((event.trim().to_owned(), weight.trim().parse().ok()?)))
            .ok_or_else(|| wrong(format!("`{part}` is no event with a weight; write boards=3,login=1")))?;
        if weights.iter().any(|(other, _)| *other == event) {
            return Err(wrong(format!("`{event}` has two weights")));
        }
        weights.push((event, weight));
    }
    let numbered: Vec<(usize, f64)> = weights.iter().map(|(_, weight)| *weight).enumerate().collect();
    if !numbered.is_empty() {
        Kept::by_hand(&numbered).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(weights)
}

/// `DIM=VALUE` conditions.
pub fn filters(texts: &[String]) -> Result<Vec<Filter>, CommandError> {
    texts
        .iter()
        .map(|text| match text.split_once('=') {
            Some((dimension, value)) if !dimension.is_empty() => {
                Ok(Filter { dimension: dimension.trim().to_owned(), value: value.trim().to_owned() })
            }
            _ => {
                Err(CommandError::Usage(format!("--where {text} is no condition; write DIM=VALUE, such as plan=team")))
            }
        })
        .collect()
}

/// A grain by name.
pub fn grain(name: &str) -> Result<Grain, String> {
    Grain::parse(name).ok_or_else(|| {
        let known = Grain::ALL.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
        format!("it is one of {known}")
    })
}
