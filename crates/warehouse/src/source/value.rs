//! One text → one value: a parser for each [`ValueKind`](crate::kind::ValueKind), exact and without guessing.
//!
//! How a file writes numbers and dates comes in as a habit, settled once for the whole file (see
//! [`habit`](super::habit)). Instants written without an offset are in UTC; digits beyond microseconds are let go.
//! A year of 0 or from 9999 on is how sources write *never*.

use revenue::calendar::{Day, Moment};
use revenue::money::{Currency, parse_scaled};

use super::habit::{DateHabit, DecimalHabit};
use super::issue::Code;
use crate::kind::{Choice, DECIMAL_SCALE, normalised};

/// A number as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    /// The value, scaled by 10^[`DECIMAL_SCALE`].
    pub scaled: i128,
    /// The currency sign that stood by it, as a row of [`SIGNS`] or a code.
    pub sign: Option<Sign>,
}

/// What an amount says about its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// A sign that several currencies use.
    Symbol(&'static str),
    /// The code itself.
    Code(Currency),
}

/// Currency signs and the currencies that they may stand for.
pub const SIGNS: &[(&str, &[&str])] = &[
    ("US$", &["USD"]),
    ("C$", &["CAD"]),
    ("A$", &["AUD"]),
    ("R$", &["BRL"]),
    (
        "$",
        &[
            "USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN", "ARS", "CLP", "COP", "UYU", "BBD", "BMD", "BSD",
            "BZD", "FJD", "JMD", "KYD", "LRD", "NAD", "SBD", "TTD", "XCD",
        ],
    ),
    ("€", &["EUR"]),
    ("£", &["GBP", "EGP", "FKP", "GIP", "LBP", "SYP"]),
    ("¥", &["JPY", "CNY"]),
    ("₹", &["INR"]),
    ("₩", &["KRW", "KPW"]),
    ("₽", &["RUB"]),
    ("₺", &["TRY"]),
    ("₪", &["ILS"]),
    ("₫", &["VND"]),
    ("₦", &["NGN"]),
    ("₱", &["PHP"]),
    ("₴", &["UAH"]),
    ("zł", &["PLN"]),
];

impl Sign {
    /// Whether an amount with this sign may be in a currency.
    #[must_use]
    pub fn allows(self, currency: &str) -> bool {
        match self {
            Sign::Code(code) => code.code() == currency,
            Sign::Symbol(symbol) => {
                SIGNS.iter().any(|(listed, currencies)| *listed == symbol && currencies.contains(&currency))
            }
        }
    }
}

/// 10^0 … 10^[`DECIMAL_SCALE`].
const POWERS: [i128; DECIMAL_SCALE as usize + 1] = {
    let mut powers = [1; DECIMAL_SCALE as usize + 1];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// The largest magnitude that 38 digits hold.
const LARGEST: i128 = 10i128.pow(38) - 1;

/// Reads a number.
///
/// # Errors
/// The code of the issue when it is not a number, can be read in two ways, or does not fit.
#[inline]
pub fn decimal(text: &str, habit: DecimalHabit) -> Result<Number, Code> {
    if let Some(scaled) = plain_decimal(text.as_bytes(), habit) {
        return Ok(Number { scaled, sign: None });
    }
    written_decimal(text, habit)
}

/// Digits with at most one point, which nearly every number is; nothing for anything less plain.
#[inline]
fn plain_decimal(bytes: &[u8], habit: DecimalHabit) -> Option<i128> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value: u64 = 0;
    let mut point = digits.len();
    for (at, byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            value = value * 10 + u64::from(digit);
        } else if *byte == b'.' && point == digits.len() {
            point = at;
        } else {
            return None;
        }
    }
    let decimals = digits.len().saturating_sub(point + 1);
    if point < digits.len() {
        // `1.234` is a thousand and more in a file with decimal commas: the long way settles it.
        if decimals == 0 || point == 0 || (habit != DecimalHabit::Point && habit != DecimalHabit::AssumedPoint) {
            return None;
        }
    }
    let power = POWERS.get((DECIMAL_SCALE as usize).checked_sub(decimals)?)?;
    let scaled = i128::from(value) * power;
    Some(if negative { -scaled } else { scaled })
}

/// The sign between whole units and decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Separator {
    Point,
    Comma,
}

/// Reads a number with signs, groups and exponents.
fn written_decimal(text: &str, habit: DecimalHabit) -> Result<Number, Code> {
    let (body, negative, sign) = undressed(text).ok_or(Code::NumberUnreadable)?;
    let point = read_body(body, Separator::Point);
    let comma = read_body(body, Separator::Comma);
    let differ = match (&point, &comma) {
        (Ok(point), Ok(comma)) => point != comma,
        _ => false,
    };
    let magnitude = match habit {
        DecimalHabit::Point => point.map_err(|code| if comma.is_ok() { Code::NumberHabit } else { code }),
        DecimalHabit::Comma => comma.map_err(|code| if point.is_ok() { Code::NumberHabit } else { code }),
        // Without evidence `1.234` is what it is everywhere in computing, but `1,234` is anybody's guess.
        DecimalHabit::AssumedPoint if differ && body.contains(',') => Err(Code::NumberAmbiguous),
        DecimalHabit::AssumedPoint => point.map_err(|code| if comma.is_ok() { Code::NumberHabit } else { code }),
        // A file that mixes both is read only where a number says by itself which it is.
        DecimalHabit::Mixed if differ => Err(Code::NumberAmbiguous),
        DecimalHabit::Mixed => point.or(comma),
    }?;
    Ok(Number { scaled: if negative { -magnitude } else { magnitude }, sign })
}

/// Which separators a number can be read with: by point, by comma.
#[must_use]
pub fn readings(text: &str) -> (bool, bool) {
    let Some((body, _, _)) = undressed(text) else { return (false, false) };
    let (point, comma) = (read_body(body, Separator::Point), read_body(body, Separator::Comma));
    match (point, comma) {
        (Ok(point), Ok(comma)) if point != comma => (true, true),
        // Whole numbers without groups read the same and are evidence of nothing.
        (Ok(_), Ok(_)) => (false, false),
        (point, comma) => (point.is_ok(), comma.is_ok()),
    }
}

/// A number's digits without its sign, its parentheses (an accountant's minus) and its currency.
fn undressed(text: &str) -> Option<(&str, bool, Option<Sign>)> {
    let mut body = text.trim();
    let mut negative = false;
    if let Some(inner) = body.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        (body, negative) = (inner.trim(), true);
    }
    let mut sign = None;
    let mut signed = false;
    // A minus may stand before the currency or after it: -$5, $-5.
    for _ in 0..2 {
        if !signed && let Some(rest) = body.strip_prefix('-').or_else(|| body.strip_prefix('\u{2212}')) {
            (body, negative, signed) = (rest.trim_start(), !negative, true);
        } else if !signed && let Some(rest) = body.strip_prefix('+') {
            (body, signed) = (rest.trim_start(), true);
        }
        if sign.is_none() {
            for (symbol, _) in SIGNS {
                if let Some(rest) = body.strip_prefix(symbol).or_else(|| body.strip_suffix(symbol)) {
                    (body, sign) = (rest.trim(), Some(Sign::Symbol(symbol)));
                    break;
                }
            }
        }
        if sign.is_none() && body.len() > 3 {
            let codes = [(body.get(..3), body.get(3..)), (body.get(body.len() - 3..), body.get(..body.len() - 3))];
            for (code, rest) in codes {
                if let (Some(code), Some(rest)) = (code.and_then(Currency::parse), rest) {
                    (body, sign) = (rest.trim(), Some(Sign::Code(code)));
                    break;
                }
            }
        }
    }
    // Two signs, as in (-5), say nothing certain.
    if text.trim_start().starts_with('(') && signed {
        return None;
    }
    (!body.is_empty()).then_some((body, negative, sign))
}

/// Reads digits with groups of thousands, decimals and an exponent; the magnitude, scaled.
fn read_body(body: &str, separator: Separator) -> Result<i128, Code> {
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        None => (body, 0),
        Some(at) => {
            let digits = body.get(at + 1..).unwrap_or("");
            let digits = digits.strip_prefix('+').unwrap_or(digits);
            let exponent: i32 = digits.parse().map_err(|_| Code::NumberUnreadable)?;
            if exponent.unsigned_abs() > 60 {
                return Err(if exponent > 0 { Code::NumberTooLarge } else { Code::NumberTooFine });
            }
            (body.get(..at).unwrap_or(""), exponent)
        }
    };
    let (decimal, grouping) = match separator {
        Separator::Point => ('.', ','),
        Separator::Comma => (',', '.'),
    };
    let (whole, fraction) = match mantissa.split_once(decimal) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    if fraction.is_some_and(|fraction| fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(Code::NumberUnreadable);
    }
    let mut digits: Vec<u8> = Vec::with_capacity(mantissa.len());
    let mut group_sign = None;
    let (mut group, mut groups) = (0, 0);
    for character in whole.chars() {
        if character.is_ascii_digit() {
            digits.push(character as u8 - b'0');
            group += 1;
        } else if character == grouping || matches!(character, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '\'' | '’')
        {
            // The first group has one to three digits without a leading zero, the others three, one sign for all.
            let first_bad = groups == 0 && (group > 3 || digits.first() == Some(&0));
            if group == 0 || first_bad || (groups > 0 && group != 3) || group_sign.is_some_and(|sign| sign != character)
            {
                return Err(Code::NumberUnreadable);
            }
            group_sign = Some(character);
            (group, groups) = (0, groups + 1);
        } else {
            return Err(Code::NumberUnreadable);
        }
    }
    if (groups > 0 && (group != 3 || exponent != 0)) || (digits.is_empty() && fraction.is_none()) {
        return Err(Code::NumberUnreadable);
    }
    let fraction = fraction.unwrap_or("");
    digits.extend(fraction.bytes().map(|byte| byte - b'0'));
    // The value is digits × 10^(exponent − decimals), wanted as a multiple of 10^−12.
    let mut scale = exponent - i32::try_from(fraction.len()).map_err(|_| Code::NumberTooFine)? + DECIMAL_SCALE as i32;
    while scale < 0 {
        match digits.pop() {
            Some(0) => scale += 1,
            Some(_) => return Err(Code::NumberTooFine),
            None => return Ok(0),
        }
    }
    let mut value: i128 = 0;
    for digit in digits {
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(i128::from(digit)))
            .filter(|value| *value <= LARGEST)
            .ok_or(Code::NumberTooLarge)?;
    }
    if value == 0 {
        return Ok(0);
    }
    for _ in 0..scale {
        value = value.checked_mul(10).filter(|value| *value <= LARGEST).ok_or(Code::NumberTooLarge)?;
    }
    Ok(value)
}

/// Reads a whole number; `3.0` is one.
///
/// # Errors
/// The code of the issue when it is not a number, not whole, or does not fit.
#[inline]
pub fn integer(text: &str, habit: DecimalHabit) -> Result<i64, Code> {
    let bytes = text.as_bytes();
    if !bytes.is_empty() && bytes.len() <= 18 && bytes.iter().all(u8::is_ascii_digit) {
        return Ok(bytes.iter().fold(0, |value, byte| value * 10 + i64::from(byte - b'0')));
    }
    let number = decimal(text, habit)?;
    if number.sign.is_some() {
        return Err(Code::NumberUnreadable);
    }
    let one = POWERS[DECIMAL_SCALE as usize];
    if number.scaled % one != 0 {
        return Err(Code::NumberNotWhole);
    }
    i64::try_from(number.scaled / one).map_err(|_| Code::NumberTooLarge)
}

/// Reads a percentage, `20` or `20%`, scaled like any decimal.
///
/// # Errors
/// The code of the issue when it is not a number from 0 to 100.
pub fn percent(text: &str, habit: DecimalHabit) -> Result<i128, Code> {
    let number = decimal(text.trim_end().strip_suffix('%').unwrap_or(text).trim_end(), habit)?;
    if number.sign.is_some() {
        return Err(Code::NumberUnreadable);
    }
    if number.scaled < 0 || number.scaled > 100 * POWERS[DECIMAL_SCALE as usize] {
        return Err(Code::PercentOutside);
    }
    Ok(number.scaled)
}

/// Reads a currency code in any case.
///
/// # Errors
/// The code of the issue when ISO 4217 does not list it.
pub fn currency(text: &str) -> Result<Currency, Code> {
    Currency::parse(text).ok_or(Code::CurrencyUnknown)
}

/// Reads yes or no.
///
/// # Errors
/// The code of the issue when it is neither.
pub fn boolean(text: &str) -> Result<bool, Code> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" => Ok(true),
        "false" | "f" | "no" | "n" | "0" => Ok(false),
        _ => Err(Code::BooleanUnknown),
    }
}

/// Reads one of a few words: its position, and how many of it are meant (`biannual` is six months).
///
/// # Errors
/// The code of the issue when it is none of them.
pub fn word(text: &str, choices: &[Choice]) -> Result<(usize, i64), Code> {
    let word = normalised(text);
    for (at, choice) in choices.iter().enumerate() {
        if choice.canonical == word || choice.synonyms.contains(&word.as_str()) {
            return Ok((at, 1));
        }
        if let Some((_, times)) = choice.multiples.iter().find(|(listed, _)| *listed == word) {
            return Ok((at, *times));
        }
    }
    Err(Code::WordUnknown)
}

/// Checks price tiers: `up_to:unit:flat` separated by semicolons, rising, the last one up to `inf`. They are kept as
/// they stand, so their numbers are plain whatever the file's habit is.
///
/// # Errors
/// The code of the issue when they cannot be read.
pub fn tiers(text: &str) -> Result<(), Code> {
    let unreadable = Code::TiersUnreadable;
    let mut before: Option<i64> = Some(0);
    for tier in text.trim().trim_end_matches(';').split(';') {
        let mut parts = tier.split(':').map(str::trim);
        let (Some(up_to), Some(unit), flat, None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(unreadable);
        };
        // Nothing comes after the tier without an end.
        let last = before.ok_or(unreadable)?;
        before = if up_to == "inf" {
            None
        } else {
            Some(up_to.parse().ok().filter(|up_to| *up_to > last).ok_or(unreadable)?)
        };
        for amount in [unit, flat.unwrap_or("0")] {
            if parse_scaled(amount, DECIMAL_SCALE).is_none_or(|picos| picos < 0) {
                return Err(unreadable);
            }
        }
    }
    if before.is_none() { Ok(()) } else { Err(unreadable) }
}

/// Reads a calendar day; nothing for one that means never.
///
/// # Errors
/// The code of the issue when it is not a day, or has a time other than midnight without an offset.
#[inline]
pub fn day(text: &str, habit: DateHabit) -> Result<Option<Day>, Code> {
    match moment(text, habit)? {
        None => Ok(None),
        Some(Moment::Day(day)) => Ok(Some(day)),
        // Exports write days as midnights; in UTC that is the day it says.
        Some(Moment::Instant(micros)) if micros.rem_euclid(MICROS_A_DAY) == 0 => {
            Ok(i32::try_from(micros.div_euclid(MICROS_A_DAY)).ok().map(Day))
        }
        Some(Moment::Instant(_)) => Err(Code::DateHasTime),
    }
}

const MICROS_A_DAY: i64 = 86_400_000_000;

/// Reads a day or an instant; nothing for one that means never.
///
/// # Errors
/// The code of the issue when it is neither, or can be read in two ways.
#[inline]
pub fn moment(text: &str, habit: DateHabit) -> Result<Option<Moment>, Code> {
    let bytes = text.as_bytes();
    // The common form first: 2024-01-31.
    if let [a, b, c, d, b'-', e, f, b'-', g, h] = bytes {
        let digits = [a, b, c, d, e, f, g, h].map(|byte| byte.wrapping_sub(b'0'));
        if digits.iter().all(|digit| *digit < 10) {
            let [a, b, c, d, e, f, g, h] = digits.map(u32::from);
            return calendar_day(a * 1000 + b * 100 + c * 10 + d, e * 10 + f, g * 10 + h)
                .map(|day| day.map(Moment::Day));
        }
    }
    written_moment(text.trim(), habit)
}

fn written_moment(text: &str, habit: DateHabit) -> Result<Option<Moment>, Code> {
    let bytes = text.as_bytes();
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let numeric = !digits.is_empty() && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    if let (true, Some(micros_in_one)) = (numeric, habit.epoch_micros()) {
        return from_epoch(text, micros_in_one);
    }
    if numeric && !text.contains('.') {
        if let (8, Some(year), Some(month), Some(day)) =
            (bytes.len(), number(bytes.get(..4)), number(bytes.get(4..6)), number(bytes.get(6..8)))
        {
            return calendar_day(year, month, day).map(|day| day.map(Moment::Day));
        }
        return Err(if bytes.len() >= 9 { Code::EpochUnmapped } else { Code::DateUnreadable });
    }
    // The date ends where the time begins: at a T or a space.
    let end = bytes.iter().position(|byte| matches!(byte, b'T' | b't' | b' ')).unwrap_or(bytes.len());
    let (date, time) = (text.get(..end).unwrap_or(""), text.get(end..).unwrap_or(""));
    let day = written_day(date, habit)?;
    let time = time.strip_prefix(['T', 't']).unwrap_or(time).trim();
    let Some(day) = day else { return Ok(None) };
    if time.is_empty() {
        return if end == bytes.len() { Ok(Some(Moment::Day(day))) } else { Err(Code::DateUnreadable) };
    }
    let micros = time_of_day(time).ok_or(Code::DateUnreadable)?;
    Ok(Some(Moment::Instant(i64::from(day.0) * MICROS_A_DAY + micros)))
}

/// A date in any of the written forms, its parts separated by one sign.
fn written_day(text: &str, habit: DateHabit) -> Result<Option<Day>, Code> {
    let [first, second, third] = date_parts(text).ok_or(Code::DateUnreadable)?;
    let (year, month, day) = match (first.0, third.0) {
        (4, _) => (first.1, second.1, third.1),
        (_, 4) => match habit {
            DateHabit::DayFirst => (third.1, second.1, first.1),
            DateHabit::MonthFirst => (third.1, first.1, second.1),
            DateHabit::Unsettled if first.1 > 12 && second.1 <= 12 => (third.1, second.1, first.1),
            DateHabit::Unsettled if second.1 > 12 && first.1 <= 12 => (third.1, first.1, second.1),
            DateHabit::Unsettled if first.1 == second.1 => (third.1, first.1, second.1),
            DateHabit::Unsettled if first.1 > 12 => return Err(Code::DateNotOnCalendar),
            DateHabit::Unsettled => return Err(Code::DateAmbiguous),
            DateHabit::YearFirst | DateHabit::EpochSeconds | DateHabit::EpochMillis => return Err(Code::DateHabit),
        },
        // A year of two digits could be any of three parts.
        _ => return Err(Code::DateUnreadable),
    };
    let outcome = calendar_day(year, month, day);
    // 31/02 is no day in either order; 13/14 under month-first is a day written the other way round.
    if outcome == Err(Code::DateNotOnCalendar) && third.0 == 4 && month > 12 && day <= 12 {
        return Err(Code::DateHabit);
    }
    outcome
}

/// Three numbers with their counts of digits.
fn date_parts(text: &str) -> Option<[(usize, u32); 3]> {
    let separator = text.chars().find(|character| matches!(character, '-' | '/' | '.'))?;
    let mut parts = text.split(separator);
    let mut next = || -> Option<(usize, u32)> {
        let part = parts.next()?;
        (part.len() <= 4).then_some((part.len(), number(Some(part.as_bytes()))?))
    };
    let all = [next()?, next()?, next()?];
    parts.next().is_none().then_some(all)
}

/// Whether a date of the form 31/12/2024 shows its order: day first, month first.
#[must_use]
pub fn orders(text: &str) -> (bool, bool) {
    let date = text.trim().split([' ', 'T']).next().unwrap_or("");
    match date_parts(date) {
        Some([(1..=2, first), (1..=2, second), (4, _)]) => {
            (first > 12 && first <= 31 && second <= 12, second > 12 && second <= 31 && first <= 12)
        }
        _ => (false, false),
    }
}

/// A day of the calendar within the years that are kept; nothing for one that means never.
fn calendar_day(year: u32, month: u32, day: u32) -> Result<Option<Day>, Code> {
    if year == 0 || year >= 9999 {
        return Ok(None);
    }
    let found = i32::try_from(year).ok().and_then(|year| Day::from_civil(year, month, day));
    let found = found.ok_or(Code::DateNotOnCalendar)?;
    if found < Day::EARLIEST || found >= Day::LATEST {
        return Err(Code::DateOutside);
    }
    Ok(Some(found))
}

/// Microseconds from midnight UTC: `10:00`, `10:00:00.25`, `10:00 PM`, with an offset or without.
fn time_of_day(text: &str) -> Option<i64> {
    let (clock, offset_minutes) = split_offset(text)?;
    let clock = clock.trim_end();
    let upper = clock.to_ascii_uppercase();
    let (clock, half) = match upper.strip_suffix("AM") {
        Some(rest) => (rest.trim_end(), Some(0)),
        None => match upper.strip_suffix("PM") {
            Some(rest) => (rest.trim_end(), Some(12)),
            None => (upper.as_str(), None),
        },
    };
    let mut parts = clock.split(':');
    let mut hour = number(parts.next().filter(|part| (1..=2).contains(&part.len())).map(str::as_bytes))?;
    let minute = number(parts.next().filter(|part| part.len() == 2).map(str::as_bytes))?;
    let (second, fraction) = match parts.next() {
        None => (0, 0),
        Some(seconds) => {
            let (whole, fraction) = seconds.split_once(['.', ',']).unwrap_or((seconds, "0"));
            if whole.len() != 2 || fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let micros = (0..6).fold(0, |micros, at| {
                micros * 10 + fraction.as_bytes().get(at).map_or(0, |byte| i64::from(byte - b'0'))
            });
            (number(Some(whole.as_bytes()))?, micros)
        }
    };
    if parts.next().is_some() {
        return None;
    }
    if let Some(half) = half {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + half;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from(hour) * 3600 + (i64::from(minute) - offset_minutes) * 60 + i64::from(second);
    Some(seconds * 1_000_000 + fraction)
}

/// A time without its offset, and the offset in minutes; none written means UTC.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    for utc in ["Z", "z", "UTC", "GMT"] {
        if let Some(clock) = text.strip_suffix(utc) {
            return Some((clock, 0));
        }
    }
    let Some(at) = text.rfind(['+', '-', '\u{2212}']) else { return Some((text, 0)) };
    let (clock, offset) = text.split_at(at);
    let negative = !offset.starts_with('+');
    let digits: String = offset.chars().skip(1).filter(|character| *character != ':').collect();
    let (hours, minutes) = match digits.len() {
        2 => (number(Some(digits.as_bytes()))?, 0),
        4 => (number(digits.as_bytes().get(..2))?, number(digits.as_bytes().get(2..))?),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let minutes = i64::from(hours) * 60 + i64::from(minutes);
    Some((clock, if negative { -minutes } else { minutes }))
}

/// Unix time in a unit; decimals are read down to microseconds.
fn from_epoch(text: &str, micros_in_one: i64) -> Result<Option<Moment>, Code> {
    let scaled = decimal(text, DecimalHabit::Point)?.scaled;
    let micros = scaled
        .checked_mul(i128::from(micros_in_one))
        .map(|value| value.div_euclid(POWERS[DECIMAL_SCALE as usize]))
        .ok_or(Code::DateOutside)?;
    let (earliest, latest) = (i128::from(Day::EARLIEST.0), i128::from(Day::LATEST.0));
    let day = micros.div_euclid(i128::from(MICROS_A_DAY));
    if day >= latest {
        return Ok(None);
    }
    if day < earliest {
        return Err(Code::DateOutside);
    }
    Ok(i64::try_from(micros).ok().map(Moment::Instant))
}

fn number(digits: Option<&[u8]>) -> Option<u32> {
    let digits = digits.filter(|digits| !digits.is_empty() && digits.len() <= 9)?;
    digits.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
}
