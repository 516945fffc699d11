//! Stripe as facts: pure readers of its objects, and the history that it does not keep.
//!
//! ```text
//! lists, events, webhooks ──▶ object::facts ─────────────────────────▶ customers, plans, invoices, payments, ...
//!                       ├───▶ cash::months ────────────────────────▶ what was asked for, came in and went back
//!                       └───▶ Evidence ──▶ history::rebuild ──▶ Row ──▶ subscriptions
//! ```
//!
//! Nothing here does input or output or reads a clock. Bad input is a value: an [`issue::Issue`] with its reason.

pub mod amount;
pub mod cash;
pub mod discount;
pub mod event;
pub mod evidence;
pub mod fact;
mod field;
pub mod gist;
pub mod history;
pub mod invoice;
pub mod issue;
pub mod letters;
mod lines;
pub mod object;
pub mod poison;
pub mod price;
pub mod signature;
pub mod subscription;
mod track;

pub use evidence::Evidence;
pub use subscription::Catalogue;
