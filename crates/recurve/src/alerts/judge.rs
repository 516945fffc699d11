//! What a rule sees: the figures of the periods that it judges, as the facts of today have them.

use std::collections::BTreeMap;

use outlook::{
    alert::{self, Against, Limit, Look, Memory},
    condition::{ONE, Read, Reading},
    playbook::{Case, Unit},
    signal::{State, find},
    wording::{Language, Words},
};
use revenue::{
    calendar::{Day, Grain},
    money::Currency,
};
use warehouse::{
    engine::{self, Question, judgement::reading},
    playbook::{metric_of, unit_of},
};

use super::{Rule, Watch};
use crate::{
    command::{CommandError, anomalies},
    judgement::{self, Judged, playbook},
    session::{self, Session},
    targets,
};

/// How many periods are made up for that nobody looked at.
const CATCH_UP: usize = 62;
/// How many months, where each is a judgement of its own.
const CATCH_UP_MONTHS: usize = 3;
/// How far back what was said is looked at again, in periods.
const LOOK_BACK: usize = 400;

/// A rule with what it sees.
pub struct Seen {
    /// When it fires.
    pub limit: Limit,
    /// The periods.
    pub looks: Vec<Look>,
    /// How long they are.
    pub grain: Grain,
    /// What the figure is compared with.
    pub against: Against,
    /// How the figure is said.
    pub unit: Unit,
    /// The currency of money.
    pub currency: Currency,
    /// What it is about.
    pub name: Words,
    /// What is said of a period, where the rule has more to say than a figure.
    pub says: BTreeMap<Day, Words>,
}

/// The periods that are looked at.
struct Span {
    grain: Grain,
    from: Day,
    /// The first day of the last one.
    last: Day,
    full_until: Day,
}

fn before(period: Day, grain: Grain, count: usize) -> Day {
    (0..count).fold(period, |day, _| day.plus_days(-1).first_of(grain))
}

/// The periods to look at; nothing where none is over yet.
fn span(
    session: &Session,
    rule: &Rule,
    memory: Option<&Memory>,
    running: u32,
    catch_up: usize,
) -> Result<Span, CommandError> {
    let grain = rule.grain()?;
    let waited = i64::from(rule.wait_hours.unwrap_or(0)) * 3_600_000_000;
    let full_until = session.zone.day_of_instant(session.now.saturating_sub(waited));
    let last = match rule.with_open {
        true => session.today().first_of(grain),
        false => before(full_until.first_of(grain), grain, 1),
    };
    let from = match memory {
        None => before(last, grain, usize::try_from(running.saturating_sub(1)).unwrap_or_default()),
        Some(memory) => {
            let judged = memory.period.max(before(last, grain, catch_up));
            let said = memory.said.first().map_or(judged, |said| said.period);
            judged.min(said.max(before(last, grain, catch_up.max(LOOK_BACK.min(catch_up * 6)))))
        }
    };
    Ok(Span { grain, from: from.min(last), last, full_until })
}

impl Span {
    fn periods(&self) -> Vec<Day> {
        std::iter::successors(Some(self.from), |day| Some(day.next_of(self.grain)))
            .take_while(|day| *day <= self.last)
            .collect()
    }
}

/// Looks at what a rule watches.
pub fn see(session: &Session, rule: &Rule, memory: Option<&Memory>) -> Result<Seen, CommandError> {
    let mut seen = match rule.watch()? {
        Watch::Metric { metric, against, limit } => {
            let span = span(session, rule, memory, limit.running, CATCH_UP)?;
            of_metric(session, rule, &metric, against, limit, &span)?
        }
        Watch::Anomaly(metric) => {
            let span = span(session, rule, memory, 1, CATCH_UP)?;
            of_anomalies(session, &metric, &span)?
        }
        Watch::Signal(id) => of_playbook(session, &span(session, rule, memory, 1, CATCH_UP)?, Of::Signal(&id))?,
        Watch::When(when) => of_playbook(session, &span(session, rule, memory, 1, CATCH_UP)?, Of::When(&when))?,
        Watch::Target(id) => of_target(session, &id, &span(session, rule, memory, 1, CATCH_UP_MONTHS)?)?,
    };
    if let Some(title) = &rule.title {
        seen.name = Words::owned(title.clone(), title.clone(), title.clone());
    }
    Ok(seen)
}

fn of_metric(
    session: &Session,
    rule: &Rule,
    metric: &str,
    against: Against,
    limit: Limit,
    span: &Span,
) -> Result<Seen, CommandError> {
    let (catalogue, books) = (session.catalogue()?, session.books()?);
    let metric = metric_of(&catalogue, metric)?;
    let question = Question {
        metrics: vec![std::sync::Arc::clone(&metric)],
        grain: span.grain,
        from: against.period(span.from, span.grain).unwrap_or(span.from),
        // Of a period that runs still no more is known than up to today.
        to: span.last.next_of(span.grain).min(session.today().plus_days(1)),
        by: Vec::new(),
        filters: session::filters(&rule.filters)?,
        assumptions: session.assumptions()?,
    };
    let figures = engine::answer(&books, &question)?;
    let series: Vec<(Day, Reading)> =
        figures.iter().map(|figure| (figure.period.label, reading(&figure.value))).collect();
    let mut looks = alert::looks(&series, against, span.grain, span.full_until, rule.with_open);
    looks.retain(|look| look.period >= span.from && look.period <= span.last);
    let mut name = metric.metric.name.clone();
    if !rule.filters.is_empty() {
        let of = |text: &str| format!("{text} ({})", rule.filters.join(", "));
        name = Words::owned(of(&name.en), of(&name.zh), of(&name.fr));
    }
    Ok(Seen {
        limit,
        looks,
        grain: span.grain,
        against,
        unit: unit_of(metric.variant.unit),
        currency: books.reporting,
        name,
        says: BTreeMap::new(),
    })
}

/// What holds or not, as a number.
fn truth(holds: bool) -> Reading {
    Ok(if holds { ONE } else { 0 })
}

fn look(period: Day, reading: Reading) -> Look {
    Look { period, is_open: false, reading, figure: None, compared: None }
}

fn in_every_language(say: impl Fn(Language) -> String) -> Words {
    let [en, zh, fr] = Language::ALL.map(say);
    Words::owned(en, zh, fr)
}

fn of_anomalies(session: &Session, metric: &str, span: &Span) -> Result<Seen, CommandError> {
    let (catalogue, books) = (session.catalogue()?, session.books()?);
    let watched = [(metric.to_owned(), Vec::new())];
    let to = span.last.next_of(span.grain);
    let report = anomalies::look(session, &books, &watched, span.grain, span.from, to)?;
    let mut says = BTreeMap::new();
    let looks = span.periods().into_iter().map(|period| {
        if report.points == 0 {
            return look(period, Err(TOO_SHORT));
        }
        let finding = report.findings.iter().filter(|finding| finding.part.is_none()).find(|finding| {
            let (first, last, _) = finding.periods;
            (first..=last).contains(&period)
        });
        if let Some(finding) = finding {
            let say = |language| anomalies::says(finding, span.grain, books.reporting, language);
            says.insert(period, in_every_language(say));
        }
        look(period, truth(finding.is_some()))
    });
    let looks = looks.collect();
    let name = metric_of(&catalogue, metric)?.metric.name.clone();
    Ok(Seen {
        limit: Limit::HOLDS,
        looks,
        grain: span.grain,
        against: Against::Nothing,
        unit: Unit::Count,
        currency: books.reporting,
        name,
        says,
    })
}

const TOO_SHORT: Words = Words::fixed("the past is too short", "历史太短", "l’historique est trop court");

/// What is asked of the playbook.
enum Of<'a> {
    Signal(&'a str),
    When(&'a outlook::condition::Condition),
}

fn of_playbook(session: &Session, span: &Span, of: Of<'_>) -> Result<Seen, CommandError> {
    let books = session.books()?;
    let mut judged = Judged::of_books(session, &books, span.last)?;
    let mut said: BTreeMap<Day, [String; 3]> = BTreeMap::new();
    let mut looks = Vec::new();
    let mut name = None;
    for (number, language) in Language::ALL.into_iter().enumerate() {
        judged.language = language;
        let case = judged.case();
        let places = span.periods().into_iter().map(|period| (period, judged.ground.history.place(period)));
        for (period, place) in places {
            let Some(place) = place else {
                looks.push(look(period, Err(TOO_SHORT)));
                continue;
            };
            let at = Case { place, ..case.clone() };
            let (reading, words) = match &of {
                Of::Signal(id) => {
                    let Some(rule) = judged.playbook.rules.iter().find(|rule| rule.id == **id) else {
                        return Err(CommandError::Usage(format!("the playbook has no rule `{id}` any more")));
                    };
                    name = Some(rule.title.clone());
                    let finding = find(&at, rule);
                    match &finding.state {
                        State::Fired => (truth(true), judged.says(&finding)),
                        State::Quiet => (truth(false), String::new()),
                        State::NotKnown(unknown) => (Err(judged.playbook.why(unknown, period)), String::new()),
                    }
                }
                Of::When(when) => {
                    name = Some(in_every_language(|_| when.text().to_owned()));
                    let (thresholds, mut read) = (BTreeMap::new(), Read::default());
                    let ground =
                        outlook::condition::Ground { history: &judged.ground.history, thresholds: &thresholds };
                    match when.holds(&ground, place, &mut read) {
                        Ok(holds) => {
                            let evidence = judgement::evidence(&at.evidence(&read));
                            (truth(holds), super::words::condition(when.text(), period, &evidence, language))
                        }
                        Err(unknown) => (Err(judged.playbook.why(&unknown, period)), String::new()),
                    }
                }
            };
            // The first language sees, the others only say it again.
            if number == 0 {
                looks.push(look(period, reading));
            }
            if let Some(place) = said.entry(period).or_default().get_mut(number) {
                *place = words;
            }
        }
    }
    looks.sort_by_key(|look| look.period);
    looks.dedup_by_key(|look| look.period);
    let says = said
        .into_iter()
        .filter(|(_, words)| words.iter().all(|words| !words.is_empty()))
        .map(|(period, [en, zh, fr])| (period, Words::owned(en, zh, fr)));
    Ok(Seen {
        limit: Limit::HOLDS,
        looks,
        grain: Grain::Month,
        against: Against::Nothing,
        unit: Unit::Count,
        currency: judged.currency,
        name: name.unwrap_or(TOO_SHORT),
        says: says.collect(),
    })
}

fn of_target(session: &Session, id: &str, span: &Span) -> Result<Seen, CommandError> {
    let (catalogue, books) = (session.catalogue()?, session.books()?);
    let mut says = BTreeMap::new();
    let mut looks = Vec::new();
    let mut name = None;
    for month in span.periods() {
        let stood = targets::all(session, &books, &catalogue, month)?;
        let Some(one) = stood.iter().find(|one| one.kept.id == id) else {
            return Err(CommandError::Usage(format!(
                "there is no target `{id}` any more; remove the rule, or set it anew"
            )));
        };
        let metric = one.metric.metric.name.clone();
        name = Some(metric);
        let reading = match one.state() {
            "met" => truth(false),
            "missed" => truth(true),
            _ => one.is_on_pace().map_or(Err(TOO_SHORT), |is_on_pace| truth(!is_on_pace)),
        };
        says.insert(month, in_every_language(|language| one.says(books.reporting, language)));
        looks.push(look(month, reading));
    }
    Ok(Seen {
        limit: Limit::HOLDS,
        looks,
        grain: Grain::Month,
        against: Against::Nothing,
        unit: Unit::Count,
        currency: books.reporting,
        name: name.unwrap_or(TOO_SHORT),
        says,
    })
}

/// The names of targets: those that people set, and those of the playbook.
pub fn target_names(session: &Session) -> Result<Vec<String>, CommandError> {
    let mut names: Vec<String> = targets::set_by_people(session)?.into_iter().map(|kept| kept.id).collect();
    let playbook = playbook(&session.options.data, &*session.catalogue()?)?;
    names.extend(playbook.milestones.iter().map(|stone| targets::milestone_name(&stone.metric, stone.month)));
    Ok(names)
}
