//! The verdict on a month: where the business is, and the worst that has to be said of it.

use crate::{
    playbook::{Case, Kind},
    signal::{Finding, State, find},
    wording::Words,
};

/// The verdict in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A rule fired that has to be acted on now.
    ActNow,
    /// Something is to be improved.
    Improve,
    /// Nothing is wrong, and not all that is good is known to be there.
    Fair,
    /// Nothing is wrong, and every rule of what is good holds.
    Good,
    /// Not one rule of the verdict could be judged.
    NotKnown,
}

impl Outcome {
    /// Every outcome, its name for machines and what it is called.
    pub const ALL: [(Outcome, &'static str, Words); 5] = [
        (Outcome::ActNow, "act_now", Words::fixed("act now", "需要果断处理", "agir maintenant")),
        (Outcome::Improve, "improve", Words::fixed("to improve", "需要改进", "à améliorer")),
        (Outcome::Fair, "fair", Words::fixed("all right, not yet good", "尚可，还不算良好", "correct, pas encore bon")),
        (Outcome::Good, "good", Words::fixed("good", "良好", "bon")),
        (Outcome::NotKnown, "not_known", Words::fixed("not known", "未知", "inconnu")),
    ];

    /// Its name for machines.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(outcome, ..)| *outcome == self).map_or("", |(_, name, _)| name)
    }

    /// What it is called.
    #[must_use]
    pub fn words(self) -> Words {
        Self::ALL
            .iter()
            .find(|(outcome, ..)| *outcome == self)
            .map_or(Words::fixed("", "", ""), |(.., words)| words.clone())
    }
}

/// What is to be said of a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// Where the business is: the first of the stages whose rule fires.
    pub stage: Option<Kind>,
    /// The worst that fired.
    pub outcome: Outcome,
    /// Every rule of the stages and of the verdict, in the order of the playbook.
    pub findings: Vec<Finding<'a>>,
}

/// Judges the month of a case.
#[must_use]
pub fn judge<'a>(case: &Case<'a>) -> Verdict<'a> {
    let is_asked = |kind: Kind| kind.is_stage() || matches!(kind, Kind::ActNow | Kind::Improve | Kind::Good);
    let findings: Vec<Finding<'a>> =
        case.playbook.rules.iter().filter(|rule| is_asked(rule.kind)).map(|rule| find(case, rule)).collect();
    let stage = findings.iter().find(|finding| finding.rule.kind.is_stage() && finding.fired());
    let of = |kind: Kind| findings.iter().filter(move |finding| finding.rule.kind == kind);
    let fired = |kind: Kind| of(kind).any(Finding::fired);
    let known =
        findings.iter().any(|finding| !finding.rule.kind.is_stage() && !matches!(finding.state, State::NotKnown(_)));
    let outcome = if fired(Kind::ActNow) {
        Outcome::ActNow
    } else if fired(Kind::Improve) {
        Outcome::Improve
    } else if fired(Kind::Good) && of(Kind::Good).all(Finding::fired) {
        Outcome::Good
    } else if known {
        Outcome::Fair
    } else {
        Outcome::NotKnown
    };
    Verdict { stage: stage.map(|finding| finding.rule.kind), outcome, findings }
}

/// The signals of a month, in the order of the playbook.
#[must_use]
pub fn signals<'a>(case: &Case<'a>) -> Vec<Finding<'a>> {
    let rules = case.playbook.rules.iter().filter(|rule| matches!(rule.kind, Kind::Danger | Kind::Promise));
    rules.map(|rule| find(case, rule)).collect()
}
