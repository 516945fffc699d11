//! Stripe at the edge: what came from it, as it came, beside the facts that are made of it.

pub mod account;
pub mod arrival;
pub mod client;
pub mod key;
pub mod objects;
pub mod packing;
pub mod reconciliation;
pub mod secrets;
pub mod store;
pub mod sync;
