//! `recurve serve`: the dashboard and the HTTP API, from one data folder.

use std::{
    io::Write,
    net::{IpAddr, SocketAddr},
};

use super::{CommandError, Outcome};
use crate::{
    api::{self, Choices, Server},
    session::Options,
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    bind: IpAddr,
    /// The port; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    port: u16,
    /// Write the description of the API (OpenAPI 3.1) instead, and end
    #[arg(long)]
    openapi: bool,
}

/// Serves until it is told to stop.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let mut out = std::io::stdout();
    if arguments.openapi {
        let description = serde_json::to_string_pretty(&api::description());
        writeln!(out, "{}", description.map_err(|error| CommandError::Output(error.into()))?)?;
        return Ok(Outcome::Done);
    }
    let server = Server::open(options)?;
    let choices = Choices { address: SocketAddr::new(arguments.bind, arguments.port) };
    api::run(&server, &choices, |address| {
        // Whoever started it without an output knows the address.
        let _ = writeln!(out, "Recurve is at http://{address}");
        let _ = out.flush();
    })?;
    Ok(Outcome::Done)
}
