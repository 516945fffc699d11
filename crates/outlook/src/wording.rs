//! Sentences in the three languages of the product, with numbers, money and dates in the habits of each.
//!
//! ```text
//! template   "MRR grew by {growth} in {month}, to {mrr} from {customers} {customers?customer|customers}."
//! {mrr}      the value that is named so; which values a phrase may name is said when it is read
//! {+change}  the same with its sign also where it is above zero
//! {n?a|b}    the word a where the language speaks of n as one, else b: 1 in English; 0 and up to 2 in French
//! ```
//!
//! A [`Phrase`] is such a template in each language, checked when it is read: a language that is missing, a place that
//! nothing fills, or one that stands in one language only, is a fault, not a gap in somebody's report. A [`Sentence`] is
//! a phrase with its values, and can be said in any language at any time, so what is kept is never a translated text.
//! Money and shares are exact integers here too, and rounded once, for reading.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use revenue::{
    calendar::{Day, Grain},
    money::{Currency, print_scaled, round_half_even},
};

/// A language that the product speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Language {
    /// English, also the answer to a tag that is not known.
    #[default]
    English,
    /// Chinese, in simplified characters.
    Chinese,
    /// French.
    French,
}

impl Language {
    /// The three, in the order in which the catalogue writes them.
    pub const ALL: [Language; 3] = [Language::English, Language::Chinese, Language::French];

    /// The key under which texts of this language are kept: `en`, `zh` or `fr`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh",
            Language::French => "fr",
        }
    }

    /// The language of a tag such as `fr`, `fr-CA` or `zh_CN.UTF-8`; nothing when it is another.
    #[must_use]
    pub fn parse(tag: &str) -> Option<Language> {
        let main = tag.split(['-', '_', '.']).next().unwrap_or_default();
        Language::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(main))
    }

    /// A number with that many decimals, as the language writes it.
    #[must_use]
    pub fn decimals(self, number: f64, decimals: usize) -> String {
        let plain = format!("{number:.decimals$}");
        if self == Language::French { plain.replace('.', ",") } else { plain }
    }
}

/// One text in every language of the product.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Words {
    /// English.
    pub en: Cow<'static, str>,
    /// Chinese.
    pub zh: Cow<'static, str>,
    /// French.
    pub fr: Cow<'static, str>,
}

impl Words {
    /// Words that are part of the program.
    #[must_use]
    pub const fn fixed(en: &'static str, zh: &'static str, fr: &'static str) -> Words {
        Words { en: Cow::Borrowed(en), zh: Cow::Borrowed(zh), fr: Cow::Borrowed(fr) }
    }

    /// Words that were read or put together.
    #[must_use]
    pub fn owned(en: String, zh: String, fr: String) -> Words {
        Words { en: Cow::Owned(en), zh: Cow::Owned(zh), fr: Cow::Owned(fr) }
    }

    /// What is said alike in every language, such as a name that people gave.
    #[must_use]
    pub fn alike(text: String) -> Words {
        Words::owned(text.clone(), text.clone(), text)
    }

    /// The same with a placeholder filled in; as it is where it has none.
    #[must_use]
    pub fn with(self, placeholder: &str, text: impl FnOnce() -> String) -> Words {
        if !self.en.contains(placeholder) {
            return self;
        }
        let text = text();
        let fill = |words: &str| words.replace(placeholder, &text);
        Words::owned(fill(&self.en), fill(&self.zh), fill(&self.fr))
    }

    /// The same with a placeholder filled in for each language.
    #[must_use]
    pub fn with_each(self, placeholder: &str, text: impl Fn(Language) -> String) -> Words {
        if !self.en.contains(placeholder) {
            return self;
        }
        let fill = |language| self.say(language).replace(placeholder, &text(language));
        Words::owned(fill(Language::English), fill(Language::Chinese), fill(Language::French))
    }

    /// The text in one language.
    #[must_use]
    pub fn say(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Chinese => &self.zh,
            Language::French => &self.fr,
        }
    }
}

/// The English text: what logs and errors print.
impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en)
    }
}

/// What may stand in a place of a phrase.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// An exact amount, said with the decimals that people write for its currency.
    Money {
        /// The amount.
        micros: i128,
        /// Its currency.
        currency: Currency,
    },
    /// A fraction, said as per cent.
    Share {
        /// The fraction times 10¹²: 0.05 is 50,000,000,000.
        picos: i128,
    },
    /// A number of things.
    Count(i128),
    /// Any other number, such as a ratio or points.
    Decimal {
        /// The number times 10¹².
        picos: i128,
    },
    /// The day, week, month, quarter or year that begins with a day.
    Period(Grain, Day),
    /// A name, said as it stands.
    Name(String),
    /// A list of names: the first of them, and how many more there are.
    Names(Vec<String>),
    /// Words of each language, such as the name of a metric.
    Words(Words),
}

/// The kinds of values, which a phrase names for its places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// [`Value::Money`].
    Money,
    /// [`Value::Share`].
    Share,
    /// [`Value::Count`].
    Count,
    /// [`Value::Decimal`].
    Decimal,
    /// [`Value::Period`].
    Period,
    /// [`Value::Name`].
    Name,
    /// [`Value::Names`].
    Names,
    /// [`Value::Words`].
    Words,
    /// A figure of a metric, whose unit is not known until it is: money, a share, a count or a decimal.
    Figure,
}

/// How many names of a list are said before the rest is counted.
const NAMES_SAID: usize = 5;
/// Between the groups of a French number, and before a percent sign or a currency: a narrow space that does not break.
const NARROW_SPACE: &str = "\u{202f}";
/// Before a French colon and within quotation marks: a space that does not break.
const FIRM_SPACE: &str = "\u{a0}";
const PICOS: f64 = 1e12;

impl Value {
    /// An estimated fraction.
    #[must_use]
    pub fn share(fraction: f64) -> Value {
        Value::Share { picos: (fraction * PICOS).round() as i128 }
    }

    /// An estimated number.
    #[must_use]
    pub fn decimal(number: f64) -> Value {
        Value::Decimal { picos: (number * PICOS).round() as i128 }
    }

    /// A day.
    #[must_use]
    pub fn day(day: Day) -> Value {
        Value::Period(Grain::Day, day)
    }

    /// A month, of its first day.
    #[must_use]
    pub fn month(first: Day) -> Value {
        Value::Period(Grain::Month, first)
    }

    /// What kind of value it is.
    #[must_use]
    pub fn form(&self) -> Form {
        match self {
            Value::Money { .. } => Form::Money,
            Value::Share { .. } => Form::Share,
            Value::Count(_) => Form::Count,
            Value::Decimal { .. } => Form::Decimal,
            Value::Period(..) => Form::Period,
            Value::Name(_) => Form::Name,
            Value::Names(_) => Form::Names,
            Value::Words(_) => Form::Words,
        }
    }

    /// The value as a person of that language would write it.
    #[must_use]
    pub fn say(&self, language: Language) -> String {
        match self {
            Value::Money { micros, currency } => money(*micros, *currency, language),
            Value::Share { picos } => {
                let number = number(*picos * 100, 12, share_decimals(*picos), 0, language);
                if language == Language::French { format!("{number}{NARROW_SPACE}%") } else { format!("{number}%") }
            }
            Value::Count(count) => number(*count, 0, 0, 0, language),
            Value::Decimal { picos } => number(*picos, 12, 2, 0, language),
            Value::Period(grain, first) => period(*grain, *first, language),
            Value::Name(name) => name.clone(),
            Value::Names(names) => list(names, language),
            Value::Words(words) => words.say(language).to_owned(),
        }
    }

    /// Whether it is above zero, for the sign of a change.
    fn is_positive(&self) -> bool {
        match self {
            Value::Money { micros: number, .. }
            | Value::Share { picos: number }
            | Value::Count(number)
            | Value::Decimal { picos: number } => *number > 0,
            _ => false,
        }
    }

    /// Whether the language speaks of it as of one thing.
    fn is_singular(&self, language: Language) -> bool {
        let (number, one) = match self {
            Value::Count(count) => (*count, 1),
            Value::Decimal { picos } => (*picos, PICOS as i128),
            Value::Names(names) => (names.len() as i128, 1),
            _ => return false,
        };
        match language {
            Language::English => number == one,
            // Zero and a half are singular, two are many.
            Language::French => number.abs() < 2 * one,
            Language::Chinese => true,
        }
    }
}

/// One decimal of a per cent, and as many as it takes to tell a small share from nothing.
fn share_decimals(picos: i128) -> u32 {
    match picos.abs() {
        0 | 500_000_000.. => 1,
        50_000_000.. => 2,
        _ => 4,
    }
}

/// A scaled integer rounded once to at most `most` decimals, grouped as the language does.
fn number(scaled: i128, scale: u32, most: u32, least: u32, language: Language) -> String {
    let kept = most.min(scale);
    let rounded = round_half_even(scaled, 10i128.pow(scale - kept)).unwrap_or(scaled);
    let plain = print_scaled(rounded, kept, least);
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain.as_str()), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, ""), |(whole, fraction)| (whole, fraction));
    let (group, point) = if language == Language::French { (NARROW_SPACE, ",") } else { (",", ".") };
    let mut said = sign.to_owned();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            said.push_str(group);
        }
        said.push(digit);
    }
    if !fraction.is_empty() {
        said.push_str(point);
        said.push_str(fraction);
    }
    said
}

/// How each language marks the commonest currencies, as in Unicode CLDR and so as the browser writes them too: a bare sign
/// is that of the country of the language (`$`, in Chinese `¥`). All others go by their code.
const SIGNS: &[(&str, [&str; 3])] = &[
    ("USD", ["$", "US$", "$US"]),
    ("EUR", ["€", "€", "€"]),
    ("GBP", ["£", "£", "£GB"]),
    ("JPY", ["¥", "JP¥", "JPY"]),
    ("CNY", ["CN¥", "¥", "CNY"]),
    ("CAD", ["CA$", "CA$", "$CA"]),
    ("AUD", ["A$", "AU$", "$AU"]),
    ("NZD", ["NZ$", "NZ$", "$NZ"]),
    ("HKD", ["HK$", "HK$", "$HK"]),
    ("INR", ["₹", "₹", "₹"]),
    ("BRL", ["R$", "R$", "R$"]),
];

/// An amount; whole ones without decimals.
fn money(micros: i128, currency: Currency, language: Language) -> String {
    let decimals = currency.decimals();
    let minor = round_half_even(micros, 10i128.pow(6 - decimals.min(6))).unwrap_or(micros);
    let least = if minor % 10i128.pow(decimals) == 0 { 0 } else { decimals };
    let amount = number(micros, 6, decimals, least, language);
    let (sign, amount) = amount.strip_prefix('-').map_or(("", amount.as_str()), |amount| ("-", amount));
    let mark = SIGNS.iter().find(|(code, _)| *code == currency.code()).map(|(_, marks)| match language {
        Language::English => marks[0],
        Language::Chinese => marks[1],
        Language::French => marks[2],
    });
    match (language, mark) {
        (Language::French, mark) => format!("{sign}{amount}{NARROW_SPACE}{}", mark.unwrap_or(currency.code())),
        (_, Some(mark)) => format!("{sign}{mark}{amount}"),
        (_, None) => format!("{sign}{amount}{FIRM_SPACE}{}", currency.code()),
    }
}

const MONTHS_EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const MONTHS_FR: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];

fn period(grain: Grain, first: Day, language: Language) -> String {
    let (year, month, day) = first.civil();
    let name = |names: &[&'static str; 12]| names.get(month as usize - 1).copied().unwrap_or_default();
    let quarter = (month - 1) / 3 + 1;
    match (grain, language) {
        (Grain::Day, Language::English) => format!("{day} {} {year}", name(&MONTHS_EN)),
        (Grain::Day, Language::Chinese) => format!("{year}年{month}月{day}日"),
        (Grain::Day, Language::French) => {
            let day = if day == 1 { "1er".to_owned() } else { day.to_string() };
            format!("{day}{FIRM_SPACE}{} {year}", name(&MONTHS_FR))
        }
        (Grain::Week, Language::English) => format!("the week of {}", period(Grain::Day, first, language)),
        (Grain::Week, Language::Chinese) => format!("{}开始的一周", period(Grain::Day, first, language)),
        (Grain::Week, Language::French) => format!("semaine du {}", period(Grain::Day, first, language)),
        (Grain::Month, Language::English) => format!("{} {year}", name(&MONTHS_EN)),
        (Grain::Month, Language::Chinese) => format!("{year}年{month}月"),
        (Grain::Month, Language::French) => format!("{} {year}", name(&MONTHS_FR)),
        (Grain::Quarter, Language::English) => format!("Q{quarter} {year}"),
        (Grain::Quarter, Language::Chinese) => format!("{year}年第{quarter}季度"),
        (Grain::Quarter, Language::French) => format!("T{quarter} {year}"),
        (Grain::Year, Language::Chinese) => format!("{year}年"),
        (Grain::Year, _) => year.to_string(),
    }
}

fn list(names: &[String], language: Language) -> String {
    let (comma, and) = match language {
        Language::English => (", ", " and "),
        Language::Chinese => ("、", "和"),
        Language::French => (", ", " et "),
    };
    // Six names are said rather than five and one more.
    let said = if names.len() <= NAMES_SAID + 1 { names.len() } else { NAMES_SAID };
    let (shown, more) = names.split_at(said);
    match (shown, more.len()) {
        ([], _) => "–".to_owned(),
        ([one], 0) => one.clone(),
        ([most @ .., last], 0) => format!("{}{and}{last}", most.join(comma)),
        (shown, more) => {
            let shown = shown.join(comma);
            match language {
                Language::English => format!("{shown} and {more} more"),
                Language::Chinese => format!("{shown}等{}个", names.len()),
                Language::French => format!("{shown} et {more} autres"),
            }
        }
    }
}

/// What is wrong with a phrase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhraseFault {
    /// A language has no text.
    #[error("`{0}` is missing: every sentence is said in en, zh and fr")]
    Missing(&'static str),
    /// A brace has no partner, or nothing stands between two.
    #[error("`{language}` has a brace that names no place: write {{name}}, {{+name}} or {{name?one|many}}")]
    Brace {
        /// The language.
        language: &'static str,
    },
    /// Nothing fills a place.
    #[error("`{language}` names `{{{place}}}`, and the places of this sentence are {known}")]
    UnknownPlace {
        /// The language.
        language: &'static str,
        /// The place.
        place: String,
        /// What there is.
        known: String,
    },
    /// A place stands in some languages only.
    #[error("`{{{place}}}` does not stand in `{language}`, as it does in another language")]
    OnlyElsewhere {
        /// The language that lacks it.
        language: &'static str,
        /// The place.
        place: String,
    },
    /// Words for one and many of what is not counted, or a sign of what has none.
    #[error("`{language}` asks of `{{{place}}}` what it has not: it is no number")]
    NoNumber {
        /// The language.
        language: &'static str,
        /// The place.
        place: String,
    },
}

/// Why a phrase could not be made a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing was given for `{{{place}}}`, or not what it takes ({form:?})")]
pub struct Unfilled {
    /// The place.
    pub place: String,
    /// What it takes.
    pub form: Form,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Place { name: String, is_signed: bool },
    Plural { name: String, one: String, many: String },
}

/// A checked template in each language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    /// In the order of [`Language::ALL`].
    parts: [Vec<Part>; 3],
    /// The places that it names, with what each takes.
    places: BTreeMap<String, Form>,
}

impl Phrase {
    /// Reads a template in each language, which may name the `places` given.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(words: &Words, places: &[(&str, Form)]) -> Result<Phrase, Vec<PhraseFault>> {
        let mut faults = Vec::new();
        let mut used: BTreeMap<String, Form> = BTreeMap::new();
        let parts = Language::ALL.map(|language| {
            let text = words.say(language);
            if text.trim().is_empty() {
                faults.push(PhraseFault::Missing(language.tag()));
                return Vec::new();
            }
            let text = if language == Language::French { firm(text) } else { text.to_owned() };
            let Some(parts) = split(&text) else {
                faults.push(PhraseFault::Brace { language: language.tag() });
                return Vec::new();
            };
            for part in &parts {
                let (Part::Place { name, .. } | Part::Plural { name, .. }) = part else { continue };
                let place = name.clone();
                let Some((_, form)) = places.iter().find(|(known, _)| known == name) else {
                    let known = places.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
                    faults.push(PhraseFault::UnknownPlace { language: language.tag(), place, known });
                    continue;
                };
                let has_number = match part {
                    Part::Plural { .. } => matches!(form, Form::Count | Form::Decimal | Form::Names),
                    Part::Place { is_signed: true, .. } => {
                        matches!(form, Form::Money | Form::Share | Form::Count | Form::Decimal | Form::Figure)
                    }
                    _ => true,
                };
                if !has_number {
                    faults.push(PhraseFault::NoNumber { language: language.tag(), place: name.clone() });
                }
                used.insert(place, *form);
            }
            parts
        });
        let said = |parts: &[Part]| -> BTreeSet<String> {
            let names = parts.iter().filter_map(|part| match part {
                Part::Place { name, .. } => Some(name.clone()),
                Part::Text(_) | Part::Plural { .. } => None,
            });
            names.collect()
        };
        let anywhere: BTreeSet<String> = parts.iter().flat_map(|parts| said(parts)).collect();
        for (language, parts) in Language::ALL.iter().zip(&parts).filter(|(_, parts)| !parts.is_empty()) {
            let here = said(parts);
            let lacking = anywhere.iter().filter(|place| !here.contains(*place) && used.contains_key(*place));
            faults.extend(
                lacking.map(|place| PhraseFault::OnlyElsewhere { language: language.tag(), place: place.clone() }),
            );
        }
        if faults.is_empty() { Ok(Phrase { parts, places: used }) } else { Err(faults) }
    }

    /// The places that it names, with what each takes.
    pub fn places(&self) -> impl Iterator<Item = (&str, Form)> {
        self.places.iter().map(|(name, form)| (name.as_str(), *form))
    }

    /// The phrase with its values. Values that it does not name are left out.
    ///
    /// # Errors
    /// When a place is left without a value, or has one of another form.
    pub fn with(&self, values: &BTreeMap<String, Value>) -> Result<Sentence, Unfilled> {
        let mut filled = BTreeMap::new();
        for (place, form) in &self.places {
            let unfilled = || Unfilled { place: place.clone(), form: *form };
            let value = values.get(place).ok_or_else(unfilled)?;
            let fits = match form {
                // A figure that cannot be said as a number says in words why.
                Form::Figure => !matches!(value, Value::Names(_)),
                form => value.form() == *form,
            };
            if !fits {
                return Err(unfilled());
            }
            filled.insert(place.clone(), value.clone());
        }
        Ok(Sentence { phrase: self.clone(), values: filled })
    }
}

/// A phrase with its values: the same statement in every language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    phrase: Phrase,
    values: BTreeMap<String, Value>,
}

impl Sentence {
    /// The sentence in one language.
    #[must_use]
    pub fn say(&self, language: Language) -> String {
        let [en, zh, fr] = &self.phrase.parts;
        let parts = match language {
            Language::English => en,
            Language::Chinese => zh,
            Language::French => fr,
        };
        let mut said = String::new();
        for part in parts {
            match part {
                Part::Text(text) => said.push_str(text),
                Part::Place { name, is_signed } => {
                    let Some(value) = self.values.get(name) else { continue };
                    if *is_signed && value.is_positive() {
                        said.push('+');
                    }
                    said.push_str(&value.say(language));
                }
                Part::Plural { name, one, many } => {
                    let is_one = self.values.get(name).is_some_and(|value| value.is_singular(language));
                    said.push_str(if is_one { one } else { many });
                }
            }
        }
        said
    }

    /// What stands in its places.
    #[must_use]
    pub fn values(&self) -> &BTreeMap<String, Value> {
        &self.values
    }

    /// The sentence in every language, as words.
    #[must_use]
    pub fn words(&self) -> Words {
        let [en, zh, fr] = Language::ALL.map(|language| self.say(language));
        Words::owned(en, zh, fr)
    }
}

/// Words of the program with values in their places, in one language. Words whose places are not all filled are said as
/// they stand: a test of each such text holds that this does not happen.
#[must_use]
pub fn say_with(words: &Words, language: Language, values: &[(&str, Value)]) -> String {
    let places: Vec<(&str, Form)> = values.iter().map(|(name, value)| (*name, value.form())).collect();
    let given: BTreeMap<String, Value> =
        values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let sentence = Phrase::parse(words, &places).ok().and_then(|phrase| phrase.with(&given).ok());
    sentence.map_or_else(|| words.say(language).to_owned(), |sentence| sentence.say(language))
}

/// The spaces that a French line must not break at: before : ; ! ? and within « ».
fn firm(text: &str) -> String {
    let mut firm = text.to_owned();
    for (loose, tight, space) in [
        (" :", ":", FIRM_SPACE),
        (" ;", ";", NARROW_SPACE),
        (" !", "!", NARROW_SPACE),
        (" ?", "?", NARROW_SPACE),
        (" »", "»", FIRM_SPACE),
    ] {
        firm = firm.replace(loose, &format!("{space}{tight}"));
    }
    firm.replace("« ", &format!("«{FIRM_SPACE}"))
}

/// A template cut at its places; nothing where its braces make no sense.
fn split(text: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(open);
        let inside = from.strip_prefix('{')?;
        let (place, after) = inside.split_once('}')?;
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        // What a French line must not break at is no part of a place.
        let place = place.replace(NARROW_SPACE, "");
        let is_name =
            |name: &str| !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        let part = match place.split_once('?') {
            Some((name, forms)) => {
                let (one, many) = forms.split_once('|')?;
                Part::Plural { name: name.to_owned(), one: one.to_owned(), many: many.to_owned() }
            }
            None => match place.strip_prefix('+') {
                Some(name) => Part::Place { name: name.to_owned(), is_signed: true },
                None => Part::Place { name: place.clone(), is_signed: false },
            },
        };
        let (Part::Place { name, .. } | Part::Plural { name, .. }) = &part else { return None };
        if !is_name(name) {
            return None;
        }
        parts.push(part);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn said(value: &Value) -> [String; 3] {
        Language::ALL.map(|language| value.say(language))
    }

    #[test]
    fn a_number_stands_in_words_as_each_language_writes_it() {
        let words = Words::fixed("{n} of them", "其中 {n}", "dont {n}");
        let said = words.with_each("{n}", |language| language.decimals(0.5, 2));
        assert_eq!(Language::ALL.map(|language| said.say(language)), ["0.50 of them", "其中 0.50", "dont 0,50"]);
    }

    #[test]
    fn a_tag_names_its_language_with_or_without_a_region() {
        assert_eq!(Language::parse("fr-CA"), Some(Language::French));
        assert_eq!(Language::parse("zh_CN.UTF-8"), Some(Language::Chinese));
        assert_eq!(Language::parse("de"), None);
        assert_eq!(Language::parse(""), None);
    }

    #[test]
    fn money_is_said_as_each_language_writes_it() {
        let amount = |micros, code| Value::Money { micros, currency: Currency::parse(code).unwrap() };
        for (value, spoken) in [
            (amount(1_234_500_000, "USD"), ["$1,234.50", "US$1,234.50", "1\u{202f}234,50\u{202f}$US"]),
            (amount(-15_000_000_000, "EUR"), ["-€15,000", "-€15,000", "-15\u{202f}000\u{202f}€"]),
            (amount(1_234_500_000, "JPY"), ["¥1,234", "JP¥1,234", "1\u{202f}234\u{202f}JPY"]),
            (amount(2_500_000, "CHF"), ["2.50\u{a0}CHF", "2.50\u{a0}CHF", "2,50\u{202f}CHF"]),
            (amount(1_234_567, "KWD"), ["1.235\u{a0}KWD", "1.235\u{a0}KWD", "1,235\u{202f}KWD"]),
            // Half a cent goes to the even neighbour, once.
            (amount(125_000, "USD"), ["$0.12", "US$0.12", "0,12\u{202f}$US"]),
            (amount(999_999_000, "USD"), ["$1,000", "US$1,000", "1\u{202f}000\u{202f}$US"]),
        ] {
            assert_eq!(said(&value), spoken);
        }
    }

    #[test]
    fn shares_counts_and_other_numbers_keep_the_decimals_that_matter() {
        assert_eq!(said(&Value::share(0.125)), ["12.5%", "12.5%", "12,5\u{202f}%"]);
        assert_eq!(said(&Value::share(0.05)), ["5%", "5%", "5\u{202f}%"]);
        assert_eq!(said(&Value::share(-0.3333)), ["-33.3%", "-33.3%", "-33,3\u{202f}%"]);
        assert_eq!(said(&Value::share(0.0004)), ["0.04%", "0.04%", "0,04\u{202f}%"]);
        assert_eq!(said(&Value::Count(1_234_567)), ["1,234,567", "1,234,567", "1\u{202f}234\u{202f}567"]);
        assert_eq!(said(&Value::decimal(3.206)), ["3.21", "3.21", "3,21"]);
        assert_eq!(said(&Value::decimal(3.0)), ["3", "3", "3"]);
    }

    #[test]
    fn periods_are_said_as_each_language_says_them() {
        for (grain, first, spoken) in [
            (Grain::Day, "2024-03-01", ["1 March 2024", "2024年3月1日", "1er\u{a0}mars 2024"]),
            (
                Grain::Week,
                "2024-03-04",
                ["the week of 4 March 2024", "2024年3月4日开始的一周", "semaine du 4\u{a0}mars 2024"],
            ),
            (Grain::Month, "2024-08-01", ["August 2024", "2024年8月", "août 2024"]),
            (Grain::Quarter, "2024-10-01", ["Q4 2024", "2024年第4季度", "T4 2024"]),
            (Grain::Year, "2024-01-01", ["2024", "2024年", "2024"]),
        ] {
            assert_eq!(said(&Value::Period(grain, day(first))), spoken);
        }
    }

    #[test]
    fn names_are_listed_and_long_lists_are_counted() {
        let names = |count: usize| Value::Names((1..=count).map(|number| format!("c{number}")).collect());
        assert_eq!(said(&names(1)), ["c1", "c1", "c1"]);
        assert_eq!(said(&names(3)), ["c1, c2 and c3", "c1、c2和c3", "c1, c2 et c3"]);
        assert_eq!(
            said(&names(9)),
            ["c1, c2, c3, c4, c5 and 4 more", "c1、c2、c3、c4、c5等9个", "c1, c2, c3, c4, c5 et 4 autres"]
        );
    }

    #[test]
    fn a_sentence_says_its_values_with_signs_and_words_for_one_and_many() {
        let words = Words::fixed(
            "{n} {n?customer|customers} left in {month}: {+change}.",
            "{month}有{n}个客户流失：{+change}。",
            "{n} {n?client parti|clients partis} en {month} : {+change}.",
        );
        let places = [("n", Form::Count), ("month", Form::Period), ("change", Form::Share)];
        let phrase = Phrase::parse(&words, &places).unwrap();
        let sentence = |n, change| {
            let values = [
                ("n".to_owned(), Value::Count(n)),
                ("month".to_owned(), Value::month(day("2024-03-01"))),
                ("change".to_owned(), Value::share(change)),
            ];
            phrase.with(&values.into()).unwrap()
        };
        let say = |sentence: &Sentence| Language::ALL.map(|language| sentence.say(language));
        assert_eq!(
            say(&sentence(1, 0.1)),
            [
                "1 customer left in March 2024: +10%.",
                "2024年3月有1个客户流失：+10%。",
                "1 client parti en mars 2024\u{a0}: +10\u{202f}%.",
            ]
        );
        assert_eq!(
            say(&sentence(0, -0.1)),
            [
                "0 customers left in March 2024: -10%.",
                "2024年3月有0个客户流失：-10%。",
                "0 client parti en mars 2024\u{a0}: -10\u{202f}%.",
            ]
        );
        assert_eq!(
            phrase.with(&BTreeMap::new()).unwrap_err(),
            Unfilled { place: "change".to_owned(), form: Form::Share }
        );
    }

    #[test]
    fn a_phrase_with_a_fault_is_refused_with_what_is_wrong() {
        let places = [("mrr", Form::Money), ("month", Form::Period)];
        let faults = |en, zh, fr| {
            let found = Phrase::parse(&Words::fixed(en, zh, fr), &places).unwrap_err();
            found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert!(faults("{mrr}", "", "{mrr}").contains("`zh` is missing"));
        assert!(faults("{mrr", "{mrr}", "{mrr}").contains("`en` has a brace"));
        assert!(faults("{mrr}", "{mrr}", "{mrr} }").contains("`fr` has a brace"));
        assert!(
            faults("{mmr}", "{mmr}", "{mmr}")
                .contains("`en` names `{mmr}`, and the places of this sentence are mrr, month")
        );
        assert!(faults("{mrr} in {month}", "{mrr}", "{mrr} en {month}").contains("`{month}` does not stand in `zh`"));
        assert!(faults("{month?a|b}", "c", "d").contains("it is no number"));
        assert!(faults("{+month}", "{month}", "{month}").contains("it is no number"));
    }
}
