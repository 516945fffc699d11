//! The HTTP API: every route in one table, what every answer has in common, and the server that holds it together.
//!
//! An answer to a question about the data is a function from a [`Session`] and the question to a value, the same function
//! that the command of its name prints. Here it gets what HTTP adds: who may ask, the version of the data as an `ETag`,
//! bodies that are kept until the data changes, a bound on what is worked on at a time, and a description in OpenAPI.

mod company;
mod description;
mod figures;
mod kept;
mod log;
mod overview;
mod query;
mod refusal;
mod route;
mod server;
mod web;

pub use description::description;
pub use server::{Choices, Server, run};

use route::Route;

/// Every route.
fn routes() -> Vec<Route> {
    [company::routes(), figures::routes(), overview::routes(), description::routes()].into_iter().flatten().collect()
}
