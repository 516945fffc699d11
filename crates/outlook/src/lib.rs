//! The judgement: estimates, choices and scores over what the method worked out.
//!
//! ```text
//! identity      which visitors, leads and users are one person, and whose customer they became
//! funnel        how far they went
//! lead_score    which of those who asked are worth a call
//! survival      how long customers stay, from lives of which most have not ended
//! runway        how long cash lasts, when revenue covers costs, and what is lacking until then
//! retention     how a cohort will go on, from how it went
//! health        who is about to leave, and why
//! experiment    which arm of a test does better, and whether that may be said yet
//! forecast      what comes next in a series, with intervals that its own past bears out
//! lever         what moves revenue most, played through on the contracts that there are
//! segment       what each customer is to the business, and how much few of them hold
//! condition     the small language of rules over monthly figures, in which a missing figure decides nothing
//! playbook      figures, rules, targets and advice as data, and the case that they are held against
//! signal        whether a rule fires, since when, on what evidence, and how it did before
//! verdict       where the business is, and the worst that has to be said of it
//! anomaly       which points of a series are off, and which part drives them
//! target        whether a figure gets where it should be in time
//! alert         whether a rule speaks, once for each change of its state
//! advice        what to do, in the order in which the numbers ask for it
//! wording       sentences in three languages, with numbers and dates in the habits of each
//! ```
//!
//! Everything is a function of its arguments: no input or output, no clock, and no chance, so that the same question has
//! the same answer on every machine. Estimates use floats, and say how sure they are; money and counts stay integers.
//! What is too little to judge by says so, as a value.

pub mod advice;
pub mod alert;
pub mod anomaly;
pub mod condition;
pub mod experiment;
pub mod forecast;
pub mod funnel;
pub mod health;
pub mod identity;
pub mod lead_score;
pub mod lever;
pub mod normal;
pub mod playbook;
pub mod retention;
pub mod runway;
pub mod segment;
pub mod signal;
pub mod student;
pub mod survival;
pub mod target;
pub mod verdict;
pub mod wording;
