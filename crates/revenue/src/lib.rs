//! The method: from billing facts to MRR, its movements and the ledger.
//!
//! ```text
//! rows that hold on [start, end)         fact::Row, fact::Terms     what a source stated, ids as numbers, times as ticks
//!   │ fact::resolve                      the version that holds     corrections, repetitions, withdrawals, conflicts
//!   │ timeline::timeline                 timeline::Span             worth so much a month from then to then (price, policy)
//!   │ movement::movements                movement::Movement         new, expansion, contraction, churn, reactivation, ...
//!   ▼ ledger::build                      ledger::Ledger             every movement of every customer, as columns
//! law · cohort                           what must hold; what is left of those who came together
//!
//! recognition                            beside it, from invoice lines: what of the money billed has been earned
//! ```
//!
//! One function makes the movements of one customer. Bulk is that function over all of them, a live update is the
//! same over one, a cluster the same over a share: they cannot disagree. [`naive`] makes the same ledger a second time,
//! straight from the definitions and slowly, and judges it.
//!
//! What is deliberately not here: input and output, a clock, the environment, wire formats, floating point in money.
//! *Now*, the policy, the time zone and the rates are arguments; `clippy.toml` refuses the rest. Money is an integer
//! number of micro-units ([`money`]); what is not yet a whole number of them stays an exact quotient ([`price`]).

pub mod calendar;
pub mod cohort;
pub mod fact;
pub mod fx;
pub mod law;
pub mod ledger;
pub mod money;
pub mod movement;
pub mod naive;
pub mod policy;
pub mod price;
pub mod recognition;
pub mod timeline;
