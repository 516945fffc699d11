//! Lead scores: points by rules that the user writes, with what raised and lowered each.
//!
//! A rule asks for an attribute, for a number of events within some days, or for silence, and gives or takes points. Facts
//! may state points themselves. The score is the sum of both, within the bounds of the rule book. The events of old count
//! less where the book says that points fade.
//!
//! A lead may have done thousands of things that no rule asks for. So whoever gathers them asks once for each name which
//! rules count it ([`RuleBook::counted_by`]), and an event is a day and a word of bits.

use std::collections::BTreeMap;

use revenue::calendar::Day;

use crate::wording::Words;

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
    /// What becomes of points that facts state.
    pub stated_points: StatedPoints,
}

/// What becomes of points that facts state, beside those of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StatedPoints {
    /// They are added.
    #[default]
    Add,
    /// Where facts state points of a lead, the rules do not apply to it: whoever states them has rules already.
    Alone,
    /// They do not count.
    Ignore,
}

impl StatedPoints {
    /// Every choice, with its name.
    pub const ALL: [(StatedPoints, &'static str); 3] =
        [(StatedPoints::Add, "add"), (StatedPoints::Alone, "alone"), (StatedPoints::Ignore, "ignore")];
}

impl Default for RuleBook {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            least: 0.0,
            most: 100.0,
            half_life_days: None,
            stated_points: StatedPoints::default(),
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What it is called in explanations.
    pub name: Words,
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
        /// Which one: the page, the event's name, the stage; any where it is `None`. `*` stands for any text within it.
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
    /// What it is, in any order. Of several values of one attribute the one that was stated last holds.
    pub attributes: Vec<Attribute>,
    /// What it did and reached, in any order.
    pub events: Vec<Event>,
    /// Points that facts give or take themselves.
    pub stated: Vec<Stated>,
}

/// What a lead is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Such as `country`.
    pub name: String,
    /// Such as `FR`.
    pub value: String,
    /// When it was stated; `None` where nobody says when, which any dated statement replaces.
    pub since: Option<Day>,
}

/// Something that a lead did or reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub day: Day,
    /// The rules that count it, as [`RuleBook::counted_by`] says.
    pub rules: u64,
    /// How often on that day.
    pub times: u32,
    /// The number of the fact that says so, for explanations; of several the first.
    pub fact: u32,
}

/// Points that a fact gives or takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Stated {
    /// When.
    pub day: Day,
    /// How many.
    pub points: f64,
    /// What for.
    pub reason: String,
    /// The number of the fact.
    pub fact: u32,
}

/// A book may have so many rules.
pub const RULES: usize = 64;

/// A score.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The points, within the bounds of the book.
    pub points: f64,
    /// What raised and lowered it: rules in their order, then what facts stated.
    pub reasons: Vec<Reason>,
}

/// A rule that held, or points that facts stated.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// The number of the rule; `None` for points that facts stated.
    pub rule: Option<usize>,
    /// What it gave or took.
    pub points: f64,
    /// What made it hold, in words: `country = FR`, `3 × visit pricing`, `nothing for 40 days`; or the reason that the
    /// facts state.
    pub because: Words,
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
    /// More rules than an event can be told apart by.
    #[error("there are {count} rules; a rule book has {RULES} at the most")]
    TooMany {
        /// How many there are.
        count: usize,
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
        if self.rules.len() > RULES {
            return Err(RuleError::TooMany { count: self.rules.len() });
        }
        for rule in &self.rules {
            let impossible = |why| Err(RuleError::Impossible { rule: rule.name.to_string(), why });
            let no_number = |what| Err(RuleError::NotANumber { rule: rule.name.to_string(), what });
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

    /// Which rules count an event of a kind and name, a bit for each: bit 0 is the first rule.
    #[must_use]
    pub fn counted_by(&self, event_kind: &str, event_name: &str) -> u64 {
        let counts = |rule: &Rule| match &rule.when {
            Condition::Events { kind, name, .. } => {
                kind.eq_ignore_ascii_case(event_kind) && name.as_ref().is_none_or(|name| fits(name, event_name))
            }
            _ => false,
        };
        self.rules.iter().take(RULES).enumerate().filter(|(_, rule)| counts(rule)).map(|(place, _)| 1 << place).sum()
    }

    /// Whether some rule asks for silence, so that events which no rule counts matter as well.
    #[must_use]
    pub fn asks_for_silence(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.when, Condition::Inactive { .. }))
    }

    /// The score of a lead at the end of the day before `now`: what comes later does not count.
    #[must_use]
    pub fn score(&self, lead: &Lead, now: Day) -> Score {
        let stated = match self.stated_points {
            StatedPoints::Ignore => Vec::new(),
            StatedPoints::Add | StatedPoints::Alone => self.stated(lead, now),
        };
        let alone = self.stated_points == StatedPoints::Alone && !stated.is_empty();
        let rules = if alone { &[] } else { self.rules.as_slice() };
        let by_rule = rules.iter().take(RULES).enumerate().filter_map(|(number, rule)| {
            let (factor, because, facts) = self.holds(number, &rule.when, lead, now)?;
            Some(Reason { rule: Some(number), points: rule.points * factor, because, facts })
        });
        let mut reasons: Vec<Reason> = by_rule.collect();
        reasons.extend(stated);
        let points: f64 = reasons.iter().map(|reason| reason.points).sum();
        Score { points: points.max(self.least).min(self.most), reasons }
    }

    /// What facts gave and took until now, by the reason that they state.
    fn stated(&self, lead: &Lead, now: Day) -> Vec<Reason> {
        let mut by_reason: BTreeMap<&str, Vec<&Stated>> = BTreeMap::new();
        for stated in lead.stated.iter().filter(|stated| stated.day < now) {
            by_reason.entry(&stated.reason).or_default().push(stated);
        }
        let told = by_reason.into_iter().map(|(reason, mut all)| {
            all.sort_unstable_by_key(|stated| (std::cmp::Reverse(stated.day), stated.fact));
            let because = match all.len() {
                1 => Words::alike(reason.to_owned()),
                times => Words::alike(format!("{times} × {reason}")),
            };
            let points = all.iter().map(|stated| stated.points * self.freshness(stated.day, now)).sum();
            Reason { rule: None, points, because, facts: all.iter().map(|stated| stated.fact).collect() }
        });
        told.collect()
    }

    /// How often a rule gives its points, why, and by which facts; `None` where it does not hold.
    fn holds(&self, number: usize, when: &Condition, lead: &Lead, now: Day) -> Option<(f64, Words, Vec<u32>)> {
        match when {
            Condition::Attribute { name, test } => {
                let known = lead.attributes.iter().filter(|attribute| {
                    attribute.name.eq_ignore_ascii_case(name) && attribute.since.is_none_or(|since| since < now)
                });
                let Attribute { name, value, .. } = known.max_by_key(|attribute| attribute.since)?;
                test.holds(value).then(|| (1.0, Words::alike(format!("{name} = {value}")), Vec::new()))
            }
            Condition::Events { kind, name, at_least, within_days, each_up_to } => {
                let counts = |event: &&Event| {
                    event.rules >> number & 1 == 1
                        && event.day < now
                        && within_days.is_none_or(|days| i64::from(now.0) - i64::from(event.day.0) <= i64::from(days))
                };
                let mut found: Vec<&Event> = lead.events.iter().filter(counts).collect();
                let times: u32 = found.iter().map(|event| event.times).sum();
                if times < *at_least {
                    return None;
                }
                let which = name.as_ref().map_or_else(String::new, |name| format!(" {name}"));
                let because = kind_words(kind).with("{}", || format!("{times} ×"));
                let because = Words::owned(
                    format!("{}{which}", because.en),
                    format!("{}{which}", because.zh),
                    format!("{}{which}", because.fr),
                );
                found.sort_by_key(|event| (std::cmp::Reverse(event.day), event.fact));
                let mut left = each_up_to.unwrap_or(*at_least);
                let (mut factor, mut facts) = (0.0, Vec::new());
                for event in found {
                    let counted = event.times.min(left);
                    if counted == 0 {
                        break;
                    }
                    left -= counted;
                    factor += f64::from(counted) * self.freshness(event.day, now);
                    facts.push(event);
                }
                // Points that are given once fade with the latest of the events.
                if each_up_to.is_none() {
                    factor = facts.first().map_or(0.0, |event| self.freshness(event.day, now));
                }
                Some((factor, because, facts.into_iter().map(|event| event.fact).collect()))
            }
            Condition::Inactive { days, repeats } => {
                let last = lead.events.iter().filter(|event| event.day < now).max_by_key(|event| event.day);
                let Some(last) = last else { return Some((1.0, NOTHING_EVER, Vec::new())) };
                // Yesterday's event leaves no day without one.
                let silent = now.0.saturating_sub(last.day.0).saturating_sub(1).max(0) as u32;
                let spans = silent / (*days).max(1);
                let factor = if *repeats { spans } else { spans.min(1) };
                (spans > 0).then(|| (f64::from(factor), NOTHING_FOR.with("{}", || silent.to_string()), vec![last.fact]))
            }
        }
    }

    /// What is left of the points of an event of a day: all on the day before `now`, half a half-life earlier.
    fn freshness(&self, day: Day, now: Day) -> f64 {
        let age = f64::from(now.0.saturating_sub(day.0).saturating_sub(1).max(0));
        self.half_life_days.map_or(1.0, |half| 0.5f64.powf(age / half))
    }
}

/// Why silence lost points.
const NOTHING_EVER: Words = Words::fixed("nothing ever", "从未有过任何活动", "jamais rien");
const NOTHING_FOR: Words = Words::fixed("nothing for {} days", "已 {} 天没有活动", "rien depuis {} jours");

/// What leads do, how often in the place of `{}`. Other kinds are the caller's words, and stand as they are.
fn kind_words(kind: &str) -> Words {
    match kind {
        "visit" => Words::fixed("{} visit", "{} 访问", "{} visite"),
        "event" => Words::fixed("{} event", "{} 产品事件", "{} événement"),
        "stage" => Words::fixed("{} stage", "{} 阶段", "{} étape"),
        other => Words::alike(format!("{{}} {other}")),
    }
}

fn lowered(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Whether a text is what a pattern says, without regard to case; `*` stands for any text.
#[must_use]
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (lowered(pattern), lowered(text));
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        // The earliest place leaves the most for what follows.
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
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
    use crate::wording::Language;

    fn attribute(name: &str, test: Test, points: f64) -> Rule {
        Rule { name: Words::alike(name.to_owned()), when: Condition::Attribute { name: name.to_owned(), test }, points }
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
        Rule { name: Words::alike(name.unwrap_or("any visit").to_owned()), when, points }
    }

    fn inactive(days: u32, repeats: bool, points: f64) -> Rule {
        Rule { name: Words::alike("silence".to_owned()), when: Condition::Inactive { days, repeats }, points }
    }

    fn attribute_of(name: &str, value: &str, since: Option<&str>) -> Attribute {
        let since = since.map(|day| Day::parse(day).unwrap());
        Attribute { name: name.to_owned(), value: value.to_owned(), since }
    }

    /// A lead in France with 40 people, who looked at prices on 1, 20 and 28 March and at the blog on 5 March.
    fn lead(book: &RuleBook) -> Lead {
        let visit = |day: &str, name: &str, fact| Event {
            day: Day::parse(day).unwrap(),
            rules: book.counted_by("Visit", name),
            times: 1,
            fact,
        };
        Lead {
            attributes: vec![
                attribute_of("country", "FR", None),
                attribute_of("people", "40", Some("2024-03-20")),
                attribute_of("people", "8", Some("2024-03-01")),
                attribute_of("mail", "ann@acme.example", None),
            ],
            events: vec![
                visit("2024-03-01", "pricing", 1),
                visit("2024-03-28", "Pricing", 4),
                visit("2024-03-05", "blog", 2),
                visit("2024-03-20", "pricing", 3),
            ],
            stated: Vec::new(),
        }
    }

    fn told(rules: Vec<Rule>, half_life_days: Option<f64>) -> (f64, Vec<(f64, String)>) {
        let book = RuleBook { rules, half_life_days, ..RuleBook::default() };
        book.check().unwrap();
        let score = book.score(&lead(&book), Day::parse("2024-03-31").unwrap());
        (score.points, score.reasons.into_iter().map(|reason| (reason.points, reason.because.to_string())).collect())
    }

    /// Ten points for a form on 1 March, five each for mails on 2 and 30 March, of which the second is not seen yet.
    #[test]
    fn facts_may_state_points() {
        let stated = |day: &str, points, reason: &str, fact| Stated {
            day: Day::parse(day).unwrap(),
            points,
            reason: reason.to_owned(),
            fact,
        };
        let rules = vec![attribute("country", Test::Known, 3.0)];
        let book = RuleBook { rules, ..RuleBook::default() };
        let mut lead = lead(&book);
        lead.stated = vec![
            stated("2024-03-02", 5.0, "opened a mail", 8),
            stated("2024-03-30", 5.0, "opened a mail", 9),
            stated("2024-03-01", 10.0, "filled the form", 7),
        ];
        lead.events.clear();
        let at = |day: &str| book.score(&lead, Day::parse(day).unwrap());
        assert_eq!(at("2024-03-30").points.to_string(), "18");
        let score = at("2024-03-31");
        assert_eq!(score.points.to_string(), "23");
        let reasons: Vec<(Option<usize>, &str, &[u32])> = score
            .reasons
            .iter()
            .map(|reason| (reason.rule, reason.because.say(Language::English), reason.facts.as_slice()))
            .collect();
        assert_eq!(
            reasons,
            [
                (Some(0), "country = FR", &[][..]),
                (None, "filled the form", &[7][..]),
                (None, "2 × opened a mail", &[9, 8][..])
            ]
        );
    }

    #[test]
    fn points_that_facts_state_may_stand_alone_or_not_count() {
        let points = |stated_points, stated: &[f64]| {
            let rules = vec![attribute("country", Test::Known, 3.0)];
            let book = RuleBook { rules, stated_points, ..RuleBook::default() };
            let day = Day::parse("2024-03-01").unwrap();
            let told = stated.iter().map(|points| Stated { day, points: *points, reason: String::new(), fact: 0 });
            let lead = Lead { stated: told.collect(), ..lead(&book) };
            book.score(&lead, Day::parse("2024-03-31").unwrap()).points.to_string()
        };
        assert_eq!(points(StatedPoints::Add, &[5.0]), "8");
        assert_eq!(points(StatedPoints::Alone, &[5.0]), "5");
        assert_eq!(points(StatedPoints::Alone, &[]), "3");
        assert_eq!(points(StatedPoints::Ignore, &[5.0]), "3");
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, wanted) in [
            ("pricing", "Pricing", true),
            ("pricing", "/pricing", false),
            ("*pricing", "/pricing", true),
            ("*pricing*", "/en/pricing?utm=x", true),
            ("invite_*", "invite_sent", true),
            ("invite_*", "reinvite_sent", false),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, text), wanted, "{pattern} {text}");
        }
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
                attribute("people", Test::Range(None, Some(10.0)), 50.0),
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
        let at = |repeats, day: &str| book(repeats).score(&lead(&book(repeats)), Day::parse(day).unwrap());
        assert!(at(true, "2024-04-05").reasons.is_empty());
        // 28 March was the last: on 30 April 32 days have gone by without anything.
        assert_eq!(at(true, "2024-04-30").reasons[0].points.to_string(), "-15");
        let once = at(false, "2024-04-30");
        assert_eq!((once.points.to_string(), once.reasons[0].facts.as_slice()), ("-5".to_owned(), &[4][..]));
        assert_eq!(once.reasons[0].because.to_string(), "nothing for 32 days");
        assert_eq!(book(true).score(&Lead::default(), Day(0)).reasons[0].because.to_string(), "nothing ever");
        let said = Language::ALL.map(|language| once.reasons[0].because.say(language));
        assert_eq!(said, ["nothing for 32 days", "已 32 天没有活动", "rien depuis 32 jours"]);
    }

    #[test]
    fn a_score_keeps_within_its_bounds_and_knows_nothing_of_the_future() {
        let book = RuleBook { rules: vec![events(None, 1, None, Some(9), 60.0)], ..RuleBook::default() };
        let score = book.score(&lead(&book), Day::parse("2024-03-10").unwrap());
        // Two visits until then: 120 points, and 100 at the most; the reasons say what was given.
        assert_eq!(
            (score.points.to_string(), score.reasons[0].points.to_string()),
            ("100".to_owned(), "120".to_owned())
        );
        assert_eq!(score.reasons[0].facts, [2, 1]);
    }

    /// Three visits of one day are one entry; with one more the day before, five points each for three at the most.
    #[test]
    fn events_of_a_day_count_each() {
        let book = RuleBook { rules: vec![events(Some("pricing"), 4, None, Some(3), 5.0)], ..RuleBook::default() };
        let event = |day, times, fact| Event { day: Day(day), rules: 1, times, fact };
        let mut lead = Lead { events: vec![event(10, 3, 7), event(9, 1, 6)], ..Lead::default() };
        let score = book.score(&lead, Day(11));
        assert_eq!((score.points.to_string(), score.reasons[0].facts.as_slice()), ("15".to_owned(), &[7][..]));
        assert_eq!(score.reasons[0].because.to_string(), "4 × visit pricing");
        lead.events.pop();
        assert!(book.score(&lead, Day(11)).reasons.is_empty());
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
