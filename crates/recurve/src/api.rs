//! The HTTP API: every route in one table, what every answer has in common, and the server that holds it together.
//!
//! An answer to a question about the data is a function from a session and the question to a value, the same function
//! that the command of its name prints. Here it gets what HTTP adds: who may ask, the version of the data as an `ETag`,
//! bodies that are kept until the data changes, a bound on what is worked on at a time, and a description in OpenAPI.

mod access;
mod alerts;
mod applier;
mod background;
mod closes;
mod company;
mod description;
mod doors;
mod facts;
mod figures;
mod follow_ups;
mod imports;
mod ingest;
mod kept;
mod lists;
pub mod log;
mod movements;
mod notes;
mod overview;
mod overviews;
mod patience;
pub mod people;
mod query;
mod refusal;
mod route;
mod server;
mod statements;
mod stream;
mod syncs;
mod telemetry;
mod web;
mod webhooks;

pub use description::description;
pub use people::Role;
pub use server::{Choices, Server, run};

use route::Route;

/// Every route. What is not in here is no route of the API, and what is in here is described and guarded.
fn routes() -> Vec<Route> {
    [
        company::routes(),
        figures::routes(),
        overview::routes(),
        lists::routes(),
        facts::routes(),
        statements::routes(),
        imports::routes(),
        syncs::routes(),
        follow_ups::routes(),
        notes::routes(),
        alerts::routes(),
        closes::routes(),
        stream::routes(),
        doors::routes(),
        description::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
