//! Stripe at the edge: what came from it, as it came, beside the facts that are made of it.

#[allow(dead_code, reason = "what fetches events comes next")]
pub mod arrival;
pub mod secrets;
#[allow(dead_code, reason = "what makes facts of it comes next")]
pub mod store;
