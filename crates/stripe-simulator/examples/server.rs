//! The account of a simulated world over HTTP, until it is interrupted:
//! `cargo run -p stripe-simulator --example server -- --port 0 --seed 7 --months 26 --lived 24`.
//!
//! `--customers N` join, `--start SECOND` says when the world begins (or `--ends-now`, when it ends), `--version classic|basil|clover` chooses the
//! account's own version, `--limit N` the requests a second, `--faults 3:429/2,5:500,8:timeout` what goes wrong.
//! `--webhook URL --secret whsec_...` sends every event that there is and, once a second, those that came since.
//! `POST /control/live?days=7` lets time pass; `POST /control/deliver?url=...&secret=...&order=shuffled&copies=2&one_lost_of=100`
//! sends webhooks by a script; `GET /control/state` and `/control/truth` say how it stands.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stripe_simulator::{
    Shape, Told,
    server::{Choices, Delivery, NARROW_KEY, READ_KEY, SECRET_KEY, WRITE_KEY, faults_of, serve},
};

fn main() -> Result<(), String> {
    let mut choices = Choices::of(0);
    let (mut webhook, mut secret, mut ends_now) = (None, None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--ends-now" {
            ends_now = true;
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{name} takes a value"))?;
        let number = || value.parse::<i64>().map_err(|_| format!("{name} takes a number, not `{value}`"));
        let count = || number().map(|number| usize::try_from(number).unwrap_or(0));
        let months = || number().map(|number| i32::try_from(number).unwrap_or(0));
        match name.as_str() {
            "--port" => choices.port = value.parse().map_err(|_| format!("`{value}` is no port"))?,
            "--seed" => choices.settings.seed = number()?.unsigned_abs(),
            "--months" => choices.settings.months = months()?,
            "--lived" => choices.lived_months = Some(months()?),
            "--customers" => choices.settings.customers = count()?,
            "--start" => choices.settings.start = number()?,
            "--limit" => choices.requests_a_second = Some(count()?),
            "--faults" => choices.faults = faults_of(&value)?,
            "--silence" => choices.silence = Duration::from_secs(number()?.unsigned_abs()),
            "--version" => {
                choices.events_in = match value.as_str() {
                    "classic" => Told::In(Shape::Classic),
                    "basil" => Told::In(Shape::Basil),
                    "clover" => Told::In(Shape::Clover),
                    "newest" => Told::InTheNewestOfTheirDay,
                    _ => return Err(format!("there is no version `{value}`: classic, basil, clover or newest")),
                };
            }
            "--webhook" => webhook = Some(value),
            "--secret" => secret = Some(value),
            _ => return Err(format!("there is no option {name}")),
        }
    }
    if ends_now {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?.as_secs();
        let months = i64::from(choices.lived_months.unwrap_or(choices.settings.months));
        // Mean months: it ends within a day of now.
        choices.settings.start = i64::try_from(now).unwrap_or(0) - months * 2_629_746;
    }
    let server = serve(choices).map_err(|error| error.to_string())?;
    println!("the account is at {}", server.url());
    println!(
        "keys: {READ_KEY} reads, {WRITE_KEY} writes too, {NARROW_KEY} reads no disputes, {SECRET_KEY} may everything"
    );
    loop {
        if let (Some(url), Some(secret)) = (&webhook, &secret) {
            let delivered = server.deliver(&Delivery { repeats: 3, ..Delivery::to(url, secret) });
            if delivered.sent > 0 {
                eprintln!("webhooks sent: {} {:?}", delivered.sent, delivered.answers);
            }
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}
