//! Time: instants are UTC with microseconds; a day is a day of the business time zone; periods are half open.
//!
//! Nothing here reads the clock: *now* is always an argument.

use std::fmt;

use jiff::{Timestamp, civil, tz::TimeZone};

/// Microseconds in a minute.
pub const MICROS_PER_MINUTE: i64 = 60_000_000;

/// A calendar day of the business time zone: days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Day {
    /// The day before which nothing is accepted: 1900-01-01.
    pub const EARLIEST: Day = Day(-25_567);
    /// The day after which nothing is accepted: 9999-01-01. Sources write 9999-12-31 for "never".
    pub const LATEST: Day = Day(2_932_532);

    /// A day from its year, month (1–12) and day of the month; `None` when the calendar has no such day.
    #[must_use]
    pub fn from_civil(year: i32, month: u32, day: u32) -> Option<Self> {
        if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
            return None;
        }
        // Howard Hinnant's days_from_civil: years begin in March, so that the leap day comes last.
        let shifted_year = i64::from(year) - i64::from(month <= 2);
        let era = shifted_year.div_euclid(400);
        let year_of_era = shifted_year.rem_euclid(400);
        let day_of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        i32::try_from(era * 146_097 + day_of_era - 719_468).ok().map(Day)
    }

    /// Year, month (1–12) and day of the month.
    #[must_use]
    pub fn civil(self) -> (i32, u32, u32) {
        let shifted = i64::from(self.0) + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        (year as i32, month as u32, day as u32)
    }

    /// Reads `YYYY-MM-DD`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return None;
        }
        let number = |range: std::ops::Range<usize>| -> Option<u32> {
            bytes
                .get(range)?
                .iter()
                .try_fold(0u32, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
        };
        Self::from_civil(i32::try_from(number(0..4)?).ok()?, number(5..7)?, number(8..10)?)
    }

    /// This many days later (or earlier).
    #[must_use]
    pub fn plus_days(self, days: i32) -> Self {
        Day(self.0.saturating_add(days))
    }

    /// The same day of the month this many months later, or the month's last day where it is shorter.
    #[must_use]
    pub fn plus_months(self, months: i32) -> Self {
        let (year, month, day) = self.civil();
        let index = i64::from(year) * 12 + i64::from(month) - 1 + i64::from(months);
        let year = index.div_euclid(12) as i32;
        let month = index.rem_euclid(12) as u32 + 1;
        Self::from_civil(year, month, day.min(days_in_month(year, month))).unwrap_or(self)
    }

    /// The day that begins the period of `grain` which holds this day. Weeks begin on Monday (ISO 8601).
    #[must_use]
    pub fn first_of(self, grain: Grain) -> Self {
        let (year, month, _) = self.civil();
        let first = match grain {
            Grain::Day => Some(self),
            // 1970-01-01 was a Thursday, three days after a Monday.
            Grain::Week => Some(Day(self.0 - (self.0 + 3).rem_euclid(7))),
            Grain::Month => Self::from_civil(year, month, 1),
            Grain::Quarter => Self::from_civil(year, (month - 1) / 3 * 3 + 1, 1),
            Grain::Year => Self::from_civil(year, 1, 1),
        };
        first.unwrap_or(self)
    }

    /// The first day of the period after the one that begins here.
    #[must_use]
    pub fn next_of(self, grain: Grain) -> Self {
        match grain {
            Grain::Day => self.plus_days(1),
            Grain::Week => self.plus_days(7),
            Grain::Month => self.plus_months(1),
            Grain::Quarter => self.plus_months(3),
            Grain::Year => self.plus_months(12),
        }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// How many days a month has; 0 for a month that does not exist.
#[must_use]
pub fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0) => 29,
        2 => 28,
        _ => 0,
    }
}

/// When something happened, as the source said it: a day of the business, or an instant.
/// A day stays that day whatever the business time zone becomes; an instant may move to another day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// A calendar day of the business.
    Day(Day),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Instant(i64),
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Day(day) => day.fmt(f),
            Moment::Instant(micros) => match Timestamp::from_microsecond(*micros) {
                Ok(timestamp) => timestamp.fmt(f),
                Err(_) => write!(f, "{micros} µs"),
            },
        }
    }
}

/// The business time zone.
#[derive(Debug, Clone)]
pub struct Zone {
    zone: TimeZone,
    name: String,
}

impl Zone {
    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self { zone: TimeZone::UTC, name: "UTC".to_owned() }
    }

    /// A zone by its IANA name (`Europe/Paris`); `None` when the database does not list it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let zone = TimeZone::get(name).ok()?;
        let name = zone.iana_name().unwrap_or(name).to_owned();
        Some(Self { zone, name })
    }

    /// The IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The business day of an instant.
    #[must_use]
    pub fn day_of_instant(&self, micros: i64) -> Day {
        let offset_seconds = Timestamp::from_microsecond(micros)
            .map_or(0, |timestamp| i64::from(self.zone.to_offset(timestamp).seconds()));
        Day((micros.div_euclid(1_000_000) + offset_seconds).div_euclid(86_400) as i32)
    }

    /// The instant at which a business day begins (the first one that exists, where a clock change skips midnight).
    #[must_use]
    pub fn start_of_day(&self, day: Day) -> i64 {
        let (year, month, day_of_month) = day.civil();
        civil::Date::new(year as i16, month as i8, day_of_month as i8)
            .and_then(|date| date.to_zoned(self.zone.clone()))
            .map_or(i64::from(day.0) * 86_400_000_000, |zoned| zoned.timestamp().as_microsecond())
    }

    /// Microseconds from the beginning of an instant's business day to the instant.
    #[must_use]
    pub fn since_start_of_day(&self, micros: i64) -> i64 {
        let offset_micros = |micros| {
            Timestamp::from_microsecond(micros)
                .map_or(0, |timestamp| i64::from(self.zone.to_offset(timestamp).seconds()) * 1_000_000)
        };
        let offset = offset_micros(micros);
        let by_the_clock = (micros + offset).rem_euclid(86_400_000_000);
        // Where the clock has not been changed since midnight it tells; else the day's beginning is looked up.
        if offset_micros(micros - by_the_clock) == offset {
            by_the_clock
        } else {
            micros - self.start_of_day(self.day_of_instant(micros))
        }
    }

    /// The instant at which the clock of a day shows a minute, 0 at midnight: the first one where it is shown twice, and
    /// where the clock skips it as long after midnight as without that change.
    #[must_use]
    pub fn instant_at(&self, day: Day, minute: u32) -> i64 {
        let (year, month, day_of_month) = day.civil();
        let (hour, minute) = (minute / 60, minute % 60);
        civil::Date::new(year as i16, month as i8, day_of_month as i8)
            .and_then(|date| civil::Time::new(hour as i8, minute as i8, 0, 0).map(|time| date.to_datetime(time)))
            .and_then(|clock| clock.to_zoned(self.zone.clone()))
            .map_or_else(
                |_| self.start_of_day(day) + i64::from(hour * 60 + minute) * 60_000_000,
                |zoned| zoned.timestamp().as_microsecond(),
            )
    }

    /// The business day of a moment.
    #[must_use]
    #[inline]
    pub fn day_of(&self, moment: Moment) -> Day {
        match moment {
            Moment::Day(day) => day,
            Moment::Instant(micros) => self.day_of_instant(micros),
        }
    }

    /// The instant of a moment: a day counts from its beginning.
    #[must_use]
    pub fn instant_of(&self, moment: Moment) -> i64 {
        match moment {
            Moment::Day(day) => self.start_of_day(day),
            Moment::Instant(micros) => micros,
        }
    }
}

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    /// A business day.
    Day,
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// Three calendar months from January, April, July or October.
    Quarter,
    /// A calendar year.
    Year,
}

impl Grain {
    /// Every grain with its name, shortest first.
    pub const ALL: &'static [(Grain, &'static str)] = &[
        (Grain::Day, "day"),
        (Grain::Week, "week"),
        (Grain::Month, "month"),
        (Grain::Quarter, "quarter"),
        (Grain::Year, "year"),
    ];

    /// A grain by its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, listed)| *listed == name).map(|(grain, _)| *grain)
    }

    /// The grain's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(grain, _)| *grain == self).map_or("", |(_, name)| name)
    }
}

/// A period `[start, end)` in business days. `label` is the first day of the whole calendar period, also when
/// the range that was asked for begins later or ends earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    /// The first day of the calendar period.
    pub label: Day,
    /// The first day counted.
    pub start: Day,
    /// The first day no longer counted.
    pub end: Day,
    /// Whether `[start, end)` is the whole calendar period.
    pub whole: bool,
}

/// The periods of a grain that overlap `[from, to)`, in order, each cut to that range.
#[must_use]
pub fn periods(from: Day, to: Day, grain: Grain) -> Vec<Period> {
    let mut periods = Vec::new();
    let mut label = from.first_of(grain);
    while label < to {
        let next = label.next_of(grain);
        if next <= label {
            break;
        }
        let (start, end) = (label.max(from), next.min(to));
        periods.push(Period { label, start, end, whole: start == label && end == next });
        label = next;
    }
    periods
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_printed_across_leap_years() {
        for text in ["1970-01-01", "2000-02-29", "2024-02-29", "1900-02-28", "2100-12-31", "1969-12-31"] {
            assert_eq!(Day::parse(text).unwrap().to_string(), text);
        }
        for text in ["2023-02-29", "2024-13-01", "2024-00-10", "2024-1-01", "24-01-01", "2024-01-32"] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_month_later_stays_in_the_next_month() {
        for (day, months, later) in
            [("2024-01-31", 1, "2024-02-29"), ("2023-11-30", 3, "2024-02-29"), ("2024-03-31", -1, "2024-02-29")]
        {
            assert_eq!(Day::parse(day).unwrap().plus_months(months).to_string(), later);
        }
    }

    #[test]
    fn periods_begin_where_the_calendar_says() {
        let day = Day::parse("2024-05-15").unwrap();
        for (grain, first) in [
            (Grain::Day, "2024-05-15"),
            (Grain::Week, "2024-05-13"),
            (Grain::Month, "2024-05-01"),
            (Grain::Quarter, "2024-04-01"),
            (Grain::Year, "2024-01-01"),
        ] {
            assert_eq!(day.first_of(grain).to_string(), first);
        }
        let found = periods(Day::parse("2024-01-15").unwrap(), Day::parse("2024-03-01").unwrap(), Grain::Month);
        assert_eq!(found.len(), 2);
        assert!(!found[0].whole && found[1].whole);
    }

    #[test]
    fn an_instant_belongs_to_the_day_of_the_business_also_across_daylight_saving() {
        let paris = Zone::parse("Europe/Paris").unwrap();
        for (instant, day) in [
            ("2024-03-30T22:59:59Z", "2024-03-30"),
            ("2024-03-30T23:00:00Z", "2024-03-31"),
            ("2024-03-31T21:59:59Z", "2024-03-31"),
            ("2024-03-31T22:00:00Z", "2024-04-01"),
        ] {
            let micros = instant.parse::<Timestamp>().unwrap().as_microsecond();
            assert_eq!(paris.day_of_instant(micros).to_string(), day, "{instant}");
        }
        let micros = paris.start_of_day(Day::parse("2024-03-31").unwrap());
        assert_eq!(Timestamp::from_microsecond(micros).unwrap().to_string(), "2024-03-30T23:00:00Z");
    }
}
