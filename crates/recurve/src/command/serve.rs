//! `recurve serve`: the dashboard and the HTTP API, from one data folder.

use std::{
    io::Write,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{CommandError, Outcome};
use crate::{
    alerts::Outside,
    api::{
        self, Choices, Role, Server,
        log::{self, Format, Level},
    },
    session::Options,
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The address to listen on; this machine alone unless set
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    bind: IpAddr,
    /// The port; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    port: u16,
    /// Let everybody on this machine in without a password, as a viewer or an editor
    #[arg(long, value_name = "ROLE", num_args = 0..=1, default_missing_value = "viewer")]
    open: Option<String>,
    /// A proxy in front speaks TLS; needed to listen to other machines, once a password was chosen
    #[arg(long)]
    behind_proxy: bool,
    /// A name under which the server is reached, besides localhost and addresses
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// How the log is written: json, a line an object, or text
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "json")]
    log: Format,
    /// What is logged at least: debug (every request), info, warn or error
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "info")]
    log_level: Level,
    /// Overviews that take at least so many milliseconds are shown of the version before while those of the newest are made
    #[arg(long, value_name = "MS", default_value_t = 100, hide = true)]
    lag_from: u64,
    #[command(flatten)]
    outside: Outside,
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
    log::set(arguments.log, arguments.log_level);
    let choices = choices(arguments)?;
    let server = Server::open(options, &choices)?;
    let setup = server.gate.setup_token();
    if !arguments.bind.is_loopback() && setup.is_some() {
        return Err(CommandError::Usage(
            "nobody has chosen a password yet, so the server listens to this machine alone; start it without --bind, set it \
             up, and start it again"
                .to_owned(),
        ));
    }
    api::run(&server, &choices, |address| {
        // Whoever started it without an output knows the address.
        let _ = writeln!(out, "Recurve is at http://{address}");
        if let Some(token) = setup {
            let _ = writeln!(out, "Choose a password at http://{address}/setup#token={token}");
        }
        let _ = out.flush();
    })?;
    Ok(Outcome::Done)
}

/// What may be asked for, or why not.
fn choices(arguments: &Arguments) -> Result<Choices, CommandError> {
    let is_local = arguments.bind.is_loopback();
    let open = match arguments.open.as_deref() {
        None => None,
        Some(_) if !is_local => {
            return Err(CommandError::Usage(format!(
                "--open lets everybody in who reaches {}; leave --bind out, or --open",
                arguments.bind
            )));
        }
        Some(name) => Some(
            Role::parse(name)
                .filter(|role| *role < Role::Owner)
                .ok_or_else(|| CommandError::Usage(format!("--open takes viewer or editor, not `{name}`")))?,
        ),
    };
    if !is_local && !arguments.behind_proxy {
        return Err(CommandError::Usage(format!(
            "on {} passwords would travel in the clear; put a proxy with TLS in front and say --behind-proxy, or leave \
             --bind out",
            arguments.bind
        )));
    }
    Ok(Choices {
        address: SocketAddr::new(arguments.bind, arguments.port),
        open,
        is_behind_proxy: arguments.behind_proxy,
        hosts: arguments.host.clone(),
        outside: arguments.outside.clone(),
        lag_from: Duration::from_millis(arguments.lag_from),
    })
}
