//! What is measured of the people in a test: each measure is a mean over some of them, and none changes once it is final.

use super::{Answer, Direction};
use crate::wording::Words;

/// A measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// The share of those who had not paid before that paid within the window.
    Conversion,
    /// MRR at the end of the window of everyone who saw the arm, whether they pay or not.
    MrrPerPerson,
    /// MRR at the end of the window of those who pay then.
    Arpa,
    /// The share of those who pay at the end of the window that pay by the year.
    Yearly,
    /// The share of those who paid that left within the days in which churn is looked at.
    Churn,
}

/// A measure as it is declared.
#[derive(Debug, Clone, Copy)]
pub struct MeasureEntry {
    /// Which one it is.
    pub measure: Measure,
    /// What it is called in lists and options.
    pub name: &'static str,
    /// What people call it.
    pub words: &'static Words,
    /// Whether more is better.
    pub direction: Direction,
    /// Whether it is an amount of money; otherwise a share of people.
    pub is_money: bool,
}

/// Every measure, those that decide first: of two that are known the earlier one is the answer of the test.
pub const MEASURES: &[MeasureEntry] = &[
    MeasureEntry {
        measure: Measure::MrrPerPerson,
        name: "mrr_per_person",
        words: &Words::fixed("MRR per person", "人均 MRR", "MRR par personne"),
        direction: Direction::More,
        is_money: true,
    },
    MeasureEntry {
        measure: Measure::Conversion,
        name: "conversion",
        words: &Words::fixed("conversion", "转化率", "conversion"),
        direction: Direction::More,
        is_money: false,
    },
    MeasureEntry {
        measure: Measure::Churn,
        name: "churn",
        words: &Words::fixed("churn", "流失率", "attrition"),
        direction: Direction::Less,
        is_money: false,
    },
    MeasureEntry {
        measure: Measure::Arpa,
        name: "arpa",
        words: &Words::fixed("ARPA", "每客户平均收入（ARPA）", "ARPA"),
        direction: Direction::More,
        is_money: true,
    },
    MeasureEntry {
        measure: Measure::Yearly,
        name: "yearly",
        words: &Words::fixed("share paying by the year", "按年付费占比", "part payant à l’année"),
        direction: Direction::More,
        is_money: false,
    },
];

impl Measure {
    /// How it is declared.
    #[must_use]
    pub fn entry(self) -> &'static MeasureEntry {
        MEASURES.iter().find(|entry| entry.measure == self).unwrap_or(&MEASURES[0])
    }

    /// The measure of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Measure> {
        MEASURES.iter().find(|entry| entry.name == name).map(|entry| entry.measure)
    }
}

/// The answer of an arm over its measures, with the one that decides: money per person where it is known, else conversion,
/// and so on down the table.
#[must_use]
pub fn overall(answers: &[(Measure, Answer)]) -> (Answer, Option<Measure>) {
    let known = MEASURES.iter().find_map(|entry| {
        let found =
            answers.iter().find(|(measure, answer)| *measure == entry.measure && *answer != Answer::NotYetKnown);
        found.map(|(measure, answer)| (*answer, Some(*measure)))
    });
    known.unwrap_or((Answer::NotYetKnown, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_decides_before_conversion() {
        let of = |answers: &[(Measure, Answer)]| overall(answers);
        // A cheaper price converts more and earns less: it is worse.
        assert_eq!(
            of(&[(Measure::Conversion, Answer::Better), (Measure::MrrPerPerson, Answer::Worse)]),
            (Answer::Worse, Some(Measure::MrrPerPerson))
        );
        assert_eq!(
            of(&[(Measure::Conversion, Answer::Better), (Measure::MrrPerPerson, Answer::NotYetKnown)]),
            (Answer::Better, Some(Measure::Conversion))
        );
        assert_eq!(of(&[(Measure::Arpa, Answer::NotYetKnown)]), (Answer::NotYetKnown, None));
    }

    #[test]
    fn each_measure_has_its_name() {
        for entry in MEASURES {
            assert_eq!((Measure::parse(entry.name), entry.measure.entry().name), (Some(entry.measure), entry.name));
        }
        assert_eq!(Measure::parse("luck"), None);
    }
}
