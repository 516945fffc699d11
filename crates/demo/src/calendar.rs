//! Days as plain numbers, with everything about a day looked up in tables.
//!
//! Lives are simulated over tens of millions of customers; asking a date
//! library for each day would cost more than all the rest.

use jiff::ToSpan;
use jiff::civil::Date;

/// A day, counted from the first day of the calendar.
pub(crate) type Day = u32;

/// A second of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) day: Day,
    /// Since midnight.
    pub(crate) second: u32,
}

impl Moment {
    /// So many minutes after that hour of the day.
    pub(crate) fn new(day: Day, hour: u32, minutes: u32) -> Moment {
        Moment { day, second: hour * SECONDS_AN_HOUR }.plus_minutes(minutes)
    }

    pub(crate) fn plus_minutes(self, minutes: u32) -> Moment {
        let second = self.second + minutes * 60;
        Moment { day: self.day + second / SECONDS_A_DAY, second: second % SECONDS_A_DAY }
    }
}

const SECONDS_AN_HOUR: u32 = 3_600;
const SECONDS_A_DAY: u32 = 86_400;

/// The longest reach beyond the end of the story: a contract of three years,
/// signed on the last day, with time to begin.
const MONTHS_BEYOND_END: i32 = 42;

/// The days from one month before the company starts until well after its end.
#[derive(Debug)]
pub(crate) struct Calendar {
    /// The day on which the company opens.
    pub(crate) first: Day,
    /// The day after the last one that the files know about.
    pub(crate) end: Day,
    days: Vec<DayFacts>,
    months: Vec<CalendarMonth>,
}

#[derive(Debug)]
struct DayFacts {
    text: [u8; 10],
    /// Index into `months`.
    calendar_month: u32,
    day_of_month: u8,
    /// 1 for the month that begins on the first day, 0 before it.
    story_month: u32,
    /// January is 1.
    month_of_year: u8,
    weekend: bool,
}

#[derive(Debug)]
struct CalendarMonth {
    /// The day number of its first day; may lie before the calendar.
    first: i64,
    length_days: u8,
}

impl Calendar {
    /// `None` when the dates leave the range that a civil date can express.
    pub(crate) fn new(start: Date, months: u32) -> Option<Calendar> {
        let months = i32::try_from(months).ok()?;
        let origin = start.checked_sub(1.month()).ok()?;
        let last = start.checked_add((months + MONTHS_BEYOND_END).months()).ok()?;
        let number = |date: Date| -> Option<i64> { Some(i64::from((date - origin).get_days())) };

        let mut calendar_months = Vec::new();
        let mut month = origin.first_of_month();
        while month <= last {
            calendar_months.push(CalendarMonth { first: number(month)?, length_days: month.days_in_month() as u8 });
            month = month.checked_add(1.month()).ok()?;
        }

        let mut days = Vec::new();
        let mut date = origin;
        let mut calendar_month = 0;
        let mut story_month = 0;
        let mut story_month_end = start;
        while date <= last {
            if date == story_month_end {
                story_month += 1;
                story_month_end = start.checked_add(i64::from(story_month).months()).ok()?;
            }
            if date.day() == 1 && date != origin {
                calendar_month += 1;
            }
            days.push(DayFacts {
                text: text_of(date),
                calendar_month,
                day_of_month: date.day() as u8,
                story_month,
                month_of_year: date.month() as u8,
                weekend: date.weekday().to_monday_zero_offset() >= 5,
            });
            date = date.tomorrow().ok()?;
        }

        let first = Day::try_from(number(start)?).ok()?;
        let end = start.checked_add(months.months()).ok()?;
        let end = Day::try_from(number(end)?).ok()?;
        Some(Calendar { first, end, days, months: calendar_months })
    }

    fn facts(&self, day: Day) -> &DayFacts {
        // Days past the calendar's last are never printed or billed; they read as the last.
        let last = self.days.len() - 1;
        &self.days[(day as usize).min(last)]
    }

    /// The day as `2025-01-31`.
    pub(crate) fn text(&self, day: Day) -> &[u8; 10] {
        &self.facts(day).text
    }

    /// Which month of the story a day falls in: the first month is 1.
    pub(crate) fn story_month(&self, day: Day) -> u32 {
        self.facts(day).story_month
    }

    /// January is 1.
    pub(crate) fn month_of_year(&self, day: Day) -> u8 {
        self.facts(day).month_of_year
    }

    pub(crate) fn is_weekend(&self, day: Day) -> bool {
        self.facts(day).weekend
    }

    /// Whether it is the last day of its calendar month.
    pub(crate) fn is_month_end(&self, day: Day) -> bool {
        self.facts(day).calendar_month != self.facts(day + 1).calendar_month
    }

    /// The same day so many months later, or the last day of a shorter month.
    pub(crate) fn months_after(&self, day: Day, months: u32) -> Day {
        let facts = self.facts(day);
        let index = (facts.calendar_month + months) as usize;
        let Some(month) = self.months.get(index) else {
            return self.days.len() as Day;
        };
        let day_of_month = facts.day_of_month.min(month.length_days);
        (month.first + i64::from(day_of_month) - 1).max(0) as Day
    }
}

fn text_of(date: Date) -> [u8; 10] {
    let year = date.year().clamp(0, 9_999) as u16;
    let digit = |value: u16| b'0' + (value % 10) as u8;
    let (month, day) = (date.month() as u16, date.day() as u16);
    [
        digit(year / 1_000),
        digit(year / 100),
        digit(year / 10),
        digit(year),
        b'-',
        digit(month / 10),
        digit(month),
        b'-',
        digit(day / 10),
        digit(day),
    ]
}
