//! revenue
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
pub mod timeline;
