//! What to do: every action of the stage that the business is in, in the order in which its numbers ask for it.

use crate::{
    condition::{Ground, Read, Unknown},
    playbook::{Advice, Case, Evidence, Kind, holds},
    wording::Sentence,
};

/// A piece of advice in a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advised<'a> {
    /// The advice.
    pub advice: &'a Advice,
    /// How much the numbers ask for it, times 10¹²; or the figures for want of which that is not known.
    pub weight: Result<i128, Unknown>,
    /// What is said, where it can be said.
    pub sentence: Option<Sentence>,
    /// The figures that it read.
    pub evidence: Vec<Evidence>,
}

/// The advice of a stage: what weighs most first, then, in the order of the document, what could not be weighed. What
/// has a condition that does not hold, or is not known to, is left out.
#[must_use]
pub fn advise<'a>(case: &Case<'a>, stage: Kind) -> Vec<Advised<'a>> {
    let mut found: Vec<Advised<'a>> = Vec::new();
    for advice in case.playbook.advice.iter().filter(|advice| advice.stage == stage) {
        let thresholds = Case::numbers(&advice.thresholds);
        let mut read = Read::default();
        if let Some(condition) = &advice.when
            && holds(case, condition, &thresholds, case.place, &mut read) != Ok(true)
        {
            continue;
        }
        let ground = Ground { history: case.history, thresholds: &thresholds };
        let weight = advice.weight.number(&ground, case.place, &mut read);
        let sentence = case.sentence(&advice.says, &advice.thresholds, advice.customers).ok();
        found.push(Advised { advice, weight, sentence, evidence: case.evidence(&read) });
    }
    // The sort is stable: equals keep the order of the document.
    found.sort_by_key(|advised| std::cmp::Reverse(advised.weight.as_ref().ok().copied().unwrap_or(i128::MIN)));
    found
}
