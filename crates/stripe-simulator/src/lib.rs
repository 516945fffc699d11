//! A small billing world with the shapes of Stripe and a truth of its own.
//!
//! ```text
//! Settings (a seed) ──▶ World: customers live ──┬──▶ truth: rows as they were ───────────────▶ ledger ──┐
//!                                               └──▶ Account: lists, events ──▶ stripe::rebuild ─▶ ledger ──▶ judge
//! ```
//!
//! Stripe does more than this world: see the page of the judge's figures for what it covers.

pub mod api;
pub mod delivery;
mod dice;
mod goods;
pub mod judge;
mod life;
mod render;
#[cfg(feature = "server")]
pub mod server;
mod truth;
mod whim;

pub use life::{Settings, World};
pub use render::{Shape, Told};
pub use truth::Booked;
