//! revenue
pub mod calendar;
pub mod money;
