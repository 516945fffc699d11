//! Lead scores: points by rules that the user writes, with what raised and lowered each.
//!
//! A rule asks for an attribute, for a number of events within some days, or for silence, and gives or takes points. The
//! score is the sum over the rules that hold, within the bounds of the rule book. The events of old count less where the
//! book says that points fade.

use revenue::calendar::Day;

/// A set of rules.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleBook {
    /// The rules. Each gives its points once, or once an event.
    pub rules: Vec<Rule>,
    /// The lowest score.
    pub least: f64,
    /// The highest score.
    pub most: f64,
    /// Days after which the points of an event are half; `None` for never.
    pub half_life_days: Option<f64>,
}

impl Default for RuleBook {
    fn default() -> Self {
        Self { rules: Vec::new(), least: 0.0, most: 100.0, half_life_days: None }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What it is called in explanations.
    pub name: String,
    /// What it asks for.
    pub when: Condition,
    /// Points that it gives, or takes where below zero.
    pub points: f64,
}

/// What a rule asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// An attribute of the lead, such as its country or the size of its company.
    Attribute {
        /// The attribute.
        name: String,
        /// What it has to be.
        test: Test,
    },
    /// Something that the lead did or reached: visits, product events, stages.
    Events {
        /// Of which kind, in the caller's words: `visit`, `event`, `stage`.
        kind: String,
        /// Which one: the page, the event's name, the stage; any where it is `None`.
        name: Option<String>,
        /// How many of them at least, from 1.
        at_least: u32,
        /// Within so many days up to now; `None` for ever.
        within_days: Option<u32>,
        /// Whether each of them gives the points, for so many at the most; otherwise they give them once.
        each_up_to: Option<u32>,
    },
    /// Nothing done for so many days, or never.
    Inactive {
        /// The days.
        days: u32,
        /// Whether every further such span gives the points again.
        repeats: bool,
    },
}

/// What an attribute has to be. Texts are compared without regard to case.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// It is one of these.
    OneOf(Vec<String>),
    /// It holds this.
    Contains(String),
    /// It is a number from the first to the second, both included; an open end is `None`.
    Range(Option<f64>, Option<f64>),
    /// It is known at all.
    Known,
}

/// What is known of a lead.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lead {
    /// Attributes by name.
    pub attributes: Vec<(String, String)>,
    /// What it did and reached, in any order.
    pub events: Vec<Event>,
}

/// Something that a lead did or reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub day: Day,
    /// Of which kind.
    pub kind: String,
    /// Which one.
    pub name: String,
    /// The number of the fact that says so, for explanations.
    pub fact: u32,
}

/// A score.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The points, within the bounds of the book.
    pub points: f64,
    /// What raised and lowered it, in the order of the rules.
    pub reasons: Vec<Reason>,
}

/// A rule that held.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// The number of the rule.
    pub rule: usize,
    /// What it gave or took.
    pub points: f64,
    /// What made it hold, in words: `country = FR`, `3 × visit pricing`, `nothing for 40 days`.
    pub because: String,
    /// The facts of the events that counted, the latest first.
    pub facts: Vec<u32>,
}

/// A rule book that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RuleError {
    /// A number that is none.
    #[error("the rule `{rule}` has {what} that are no number")]
    NotANumber {
        /// The rule.
        rule: String,
        /// Its points, or its bounds.
        what: &'static str,
    },
    /// A condition that nothing can meet, or everything.
    #[error("the rule `{rule}` can never hold: {why}")]
    Impossible {
        /// The rule.
        rule: String,
        /// Why.
        why: &'static str,
    },
    /// Bounds in the wrong order.
    #[error("the lowest score {least} is above the highest {most}")]
    Bounds {
        /// The lowest.
        least: f64,
        /// The highest.
        most: f64,
    },
    /// A half-life that is none.
    #[error("points are half after {days} days; that has to be a number above 0")]
    HalfLife {
        /// The days.
        days: f64,
    },
}

impl RuleBook {
    /// Looks the book through before it is used.
    ///
    /// # Errors
    /// At the first thing that cannot be meant.
    pub fn check(&self) -> Result<(), RuleError> {
        let (least, most) = (self.least, self.most);
        if least.is_nan() || most.is_nan() || least > most {
            return Err(RuleError::Bounds { least, most });
        }
        if let Some(days) = self.half_life_days.filter(|days| !days.is_finite() || *days <= 0.0) {
            return Err(RuleError::HalfLife { days });
        }
        for rule in &self.rules {
            let impossible = |why| Err(RuleError::Impossible { rule: rule.name.clone(), why });
            let no_number = |what| Err(RuleError::NotANumber { rule: rule.name.clone(), what });
            if !rule.points.is_finite() {
                return no_number("points");
            }
            match &rule.when {
                Condition::Attribute { test: Test::OneOf(texts), .. } if texts.is_empty() => {
                    return impossible("it lists no value");
                }
                Condition::Attribute { test: Test::Range(from, to), .. } => {
                    if from.is_some_and(f64::is_nan) || to.is_some_and(f64::is_nan) {
                        return no_number("bounds");
                    }
                    if from.zip(*to).is_some_and(|(from, to)| from > to) {
                        return impossible("its range ends before it begins");
                    }
                }
                Condition::Events { at_least: 0, .. } => return impossible("it asks for 0 events; ask for 1 or more"),
                Condition::Events { within_days: Some(0), .. } => return impossible("it looks at 0 days"),
                Condition::Events { each_up_to: Some(0), .. } => return impossible("it counts 0 events at the most"),
                Condition::Inactive { days: 0, .. } => return impossible("it waits for 0 days"),
                _ => {}
            }
        }
        Ok(())
    }

    /// The score of a lead at the end of the day before `now`: what comes later does not count.
    #[must_use]
    pub fn score(&self, lead: &Lead, now: Day) -> Score {
        let reasons: Vec<Reason> = self
            .rules
            .iter()
            .enumerate()
            .filter_map(|(number, rule)| {
                let (factor, because, facts) = self.holds(&rule.when, lead, now)?;
                Some(Reason { rule: number, points: rule.points * factor, because, facts })
            })
            .collect();
        let points: f64 = reasons.iter().map(|reason| reason.points).sum();
        Score { points: points.max(self.least).min(self.most), reasons }
    }

    /// How often a rule gives its points, why, and by which facts; `None` where it does not hold.
    fn holds(&self, when: &Condition, lead: &Lead, now: Day) -> Option<(f64, String, Vec<u32>)> {
        match when {
            Condition::Attribute { name, test } => {
                let same = |other: &str| other.eq_ignore_ascii_case(name);
                let (name, value) = lead.attributes.iter().find(|(other, _)| same(other))?;
                test.holds(value).then(|| (1.0, format!("{name} = {value}"), Vec::new()))
            }
            Condition::Events { kind, name, at_least, within_days, each_up_to } => {
                let fits = |event: &&Event| {
                    event.day < now
                        && within_days.is_none_or(|days| i64::from(now.0) - i64::from(event.day.0) <= i64::from(days))
                        && event.kind.eq_ignore_ascii_case(kind)
                        && name.as_ref().is_none_or(|name| lowered(&event.name) == lowered(name))
                };
                let mut found: Vec<&Event> = lead.events.iter().filter(fits).collect();
                if found.len() < *at_least as usize {
                    return None;
                }
                let because = match name {
                    Some(name) => format!("{} × {kind} {name}", found.len()),
                    None => format!("{} × {kind}", found.len()),
                };
                found.sort_by_key(|event| (std::cmp::Reverse(event.day), event.fact));
                found.truncate(each_up_to.unwrap_or(*at_least) as usize);
                // Points that are given once fade with the last event that was needed for them.
                let factor = match each_up_to {
                    Some(_) => found.iter().map(|event| self.freshness(event.day, now)).sum(),
                    None => found.first().map_or(0.0, |event| self.freshness(event.day, now)),
                };
                Some((factor, because, found.iter().map(|event| event.fact).collect()))
            }
            Condition::Inactive { days, repeats } => {
                let last = lead.events.iter().filter(|event| event.day < now).max_by_key(|event| event.day);
                let Some(last) = last else { return Some((1.0, "nothing ever".to_owned(), Vec::new())) };
                // Yesterday's event leaves no day without one.
                let silent = now.0.saturating_sub(last.day.0).saturating_sub(1).max(0) as u32;
                let spans = silent / (*days).max(1);
                let factor = if *repeats { spans } else { spans.min(1) };
                (spans > 0).then(|| (f64::from(factor), format!("nothing for {silent} days"), vec![last.fact]))
            }
        }
    }

    /// What is left of the points of an event of a day: all on the day before `now`, half a half-life earlier.
    fn freshness(&self, day: Day, now: Day) -> f64 {
        let age = f64::from(now.0.saturating_sub(day.0).saturating_sub(1).max(0));
        self.half_life_days.map_or(1.0, |half| 0.5f64.powf(age / half))
    }
}

fn lowered(text: &str) -> String {
    text.trim().to_lowercase()
}

impl Test {
    fn holds(&self, value: &str) -> bool {
        match self {
            Test::OneOf(texts) => texts.iter().any(|text| lowered(text) == lowered(value)),
            Test::Contains(part) => lowered(value).contains(&lowered(part)),
            Test::Range(from, to) => value
                .trim()
                .parse::<f64>()
                .is_ok_and(|number| from.is_none_or(|from| number >= from) && to.is_none_or(|to| number <= to)),
            Test::Known => !value.trim().is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(name: &str, test: Test, points: f64) -> Rule {
        Rule { name: name.to_owned(), when: Condition::Attribute { name: name.to_owned(), test }, points }
    }

    fn events(
        name: Option<&str>,
        at_least: u32,
        within_days: Option<u32>,
        each_up_to: Option<u32>,
        points: f64,
    ) -> Rule {
        let when = Condition::Events {
            kind: "visit".to_owned(),
            name: name.map(str::to_owned),
            at_least,
            within_days,
            each_up_to,
        };
        Rule { name: name.unwrap_or("any visit").to_owned(), when, points }
    }

    fn inactive(days: u32, repeats: bool, points: f64) -> Rule {
        Rule { name: "silence".to_owned(), when: Condition::Inactive { days, repeats }, points }
    }

    /// A lead in France with 40 people, who looked at prices on 1, 20 and 28 March and at the blog on 5 March.
    fn lead() -> Lead {
        let visit = |day: &str, name: &str, fact| Event {
            day: Day::parse(day).unwrap(),
            kind: "visit".to_owned(),
            name: name.to_owned(),
            fact,
        };
        let attribute = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Lead {
            attributes: vec![
                attribute("country", "FR"),
                attribute("people", "40"),
                attribute("mail", "ann@acme.example"),
            ],
            events: vec![
                visit("2024-03-01", "pricing", 1),
                visit("2024-03-28", "Pricing", 4),
                visit("2024-03-05", "blog", 2),
                visit("2024-03-20", "pricing", 3),
            ],
        }
    }

    fn told(rules: Vec<Rule>, half_life_days: Option<f64>) -> (f64, Vec<(f64, String)>) {
        let book = RuleBook { rules, half_life_days, ..RuleBook::default() };
        book.check().unwrap();
        let score = book.score(&lead(), Day::parse("2024-03-31").unwrap());
        (score.points, score.reasons.into_iter().map(|reason| (reason.points, reason.because)).collect())
    }

    #[test]
    fn attributes_raise_and_lower() {
        let (points, reasons) = told(
            vec![
                attribute("Country", Test::OneOf(vec!["de".to_owned(), "fr".to_owned()]), 10.0),
                attribute("people", Test::Range(Some(20.0), Some(200.0)), 25.0),
                attribute("people", Test::Range(Some(41.0), None), 50.0),
                attribute("mail", Test::Contains("@ACME".to_owned()), 5.0),
                attribute("mail", Test::Contains("gmail".to_owned()), -20.0),
                attribute("phone", Test::Known, 5.0),
            ],
            None,
        );
        assert_eq!(points.to_string(), "40");
        assert_eq!(
            reasons,
            [
                (10.0, "country = FR".to_owned()),
                (25.0, "people = 40".to_owned()),
                (5.0, "mail = ann@acme.example".to_owned()),
            ]
        );
    }

    #[test]
    fn events_count_within_their_days() {
        let (points, reasons) = told(
            vec![
                events(Some("pricing"), 2, Some(14), None, 30.0),
                events(Some("pricing"), 3, Some(14), None, 99.0),
                events(Some("pricing"), 1, None, Some(2), 4.0),
                events(None, 4, None, None, 1.0),
                events(Some("docs"), 1, None, None, 99.0),
            ],
            None,
        );
        assert_eq!(points.to_string(), "39");
        assert_eq!(
            reasons,
            [
                (30.0, "2 × visit pricing".to_owned()),
                (8.0, "3 × visit pricing".to_owned()),
                (1.0, "4 × visit".to_owned()),
            ]
        );
    }

    /// Half after ten days: on the 30th the visits of 28 and 20 March are two and ten days old.
    #[test]
    fn points_fade() {
        let (points, _) = told(vec![events(Some("pricing"), 1, Some(12), Some(9), 8.0)], Some(10.0));
        let wanted = 8.0 * 0.5f64.powf(0.2) + 8.0 * 0.5;
        assert!((points - wanted).abs() < 1e-9, "{points} is not {wanted}");
    }

    #[test]
    fn silence_takes_points() {
        let book =
            |repeats| RuleBook { rules: vec![inactive(10, repeats, -5.0)], least: -100.0, ..RuleBook::default() };
        let at = |repeats, day: &str| book(repeats).score(&lead(), Day::parse(day).unwrap());
        assert!(at(true, "2024-04-05").reasons.is_empty());
        // 28 March was the last: on 30 April 32 days have gone by without anything.
        assert_eq!(at(true, "2024-04-30").reasons[0].points.to_string(), "-15");
        let once = at(false, "2024-04-30");
        assert_eq!((once.points.to_string(), once.reasons[0].facts.as_slice()), ("-5".to_owned(), &[4][..]));
        assert_eq!(once.reasons[0].because, "nothing for 32 days");
        assert_eq!(book(true).score(&Lead::default(), Day(0)).reasons[0].because, "nothing ever");
    }

    #[test]
    fn a_score_keeps_within_its_bounds_and_knows_nothing_of_the_future() {
        let book = RuleBook { rules: vec![events(None, 1, None, Some(9), 60.0)], ..RuleBook::default() };
        let score = book.score(&lead(), Day::parse("2024-03-10").unwrap());
        // Two visits until then: 120 points, and 100 at the most; the reasons say what was given.
        assert_eq!(
            (score.points.to_string(), score.reasons[0].points.to_string()),
            ("100".to_owned(), "120".to_owned())
        );
        assert_eq!(score.reasons[0].facts, [2, 1]);
    }

    #[test]
    fn a_wrong_book_says_what_is_wrong() {
        for (rule, words) in [
            (attribute("x", Test::OneOf(vec![]), 1.0), "lists no value"),
            (attribute("x", Test::Range(Some(3.0), Some(2.0)), 1.0), "ends before"),
            (attribute("x", Test::Known, f64::NAN), "no number"),
            (events(None, 0, None, None, 1.0), "0 events"),
            (events(None, 1, Some(0), None, 1.0), "0 days"),
            (inactive(0, false, 1.0), "0 days"),
        ] {
            let error = RuleBook { rules: vec![rule], ..RuleBook::default() }.check().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let bounds = RuleBook { least: 5.0, most: 1.0, ..RuleBook::default() };
        assert_eq!(bounds.check(), Err(RuleError::Bounds { least: 5.0, most: 1.0 }));
        let fades = RuleBook { half_life_days: Some(0.0), ..RuleBook::default() };
        assert!(fades.check().is_err());
    }
}
