//! Killed while it decides, sends or records: a rule speaks once for each change of its state, and what was decided
//! arrives at least once, always under the same number.
//!
//! `RECURVE_FULL=1` kills a hundred times instead of twelve; `RECURVE_SEED` chooses other instants.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may end at what it did not expect")]
#![cfg(unix)]

#[path = "cli/folder.rs"]
mod folder;

#[path = "cli/sink.rs"]
mod sink;

use std::{
    collections::BTreeSet,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use folder::Folder;
use sink::{Answer, Request, Sink};

fn command(folder: &Folder, at: &str, words: &[&str]) -> Command {
    let mut command = folder.command(&[words, &["--now", at]].concat());
    command.env("RECURVE_SECRET_HOOK", "a-key-of-some-length").env("RECURVE_ALLOW_TARGETS", "127.0.0.1");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A company with as many rules as are given, each of which fires on March 1.
fn prepared(sink: &Sink<Request>, rules: usize) -> Folder {
    let folder = Folder::small();
    let url = sink.url();
    let channel = ["alert", "set-channel", "ops", "--kind", "webhook", "--url", &url, "--secret", "hook"];
    assert!(command(&folder, "2024-02-01", &channel).status().unwrap().success());
    for number in 0..rules {
        let (name, limit) = (format!("r{number}"), format!("{}", 15 + number));
        let rule = ["alert", "set", &name, "--metric", "mrr", "--below", &limit];
        assert!(command(&folder, "2024-02-01", &rule).status().unwrap().success());
    }
    folder
}

/// The numbers of the messages that came, each once.
fn numbers(sink: &Sink<Request>) -> BTreeSet<String> {
    sink.got().iter().map(|request| request.header("webhook-id").to_owned()).collect()
}

fn kill(child: &mut Child) {
    // One that has ended already is no obstacle.
    let _ = child.kill();
    child.wait().unwrap();
}

#[test]
fn one_that_is_killed_after_sending_and_before_recording_sends_again_under_the_same_number() {
    // The sink kills who sends, before it answers: the program never hears that the message arrived.
    let child: Arc<Mutex<Option<Child>>> = Arc::default();
    let of_sink = Arc::clone(&child);
    let sink = Sink::web_that(Box::new(move |number, _| {
        if number == 1 {
            for _ in 0..200 {
                if let Some(child) = of_sink.lock().unwrap().as_mut() {
                    kill(child);
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            return Answer::HangUp;
        }
        Answer::Status(200, "")
    }));
    let folder = prepared(&sink, 1);
    *child.lock().unwrap() = Some(command(&folder, "2024-03-01T00:00:00Z", &["alert", "run"]).spawn().unwrap());
    sink.wait_for(1);
    for _ in 0..500 {
        let ended = child.lock().unwrap().as_mut().is_some_and(|child| child.try_wait().unwrap().is_some());
        if ended {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    // Somebody may still be at it, until three minutes have passed.
    assert!(command(&folder, "2024-03-01T00:02:00Z", &["alert", "run"]).status().unwrap().success());
    assert_eq!(sink.got().len(), 1);
    for at in ["2024-03-01T00:04:00Z", "2024-03-02T00:00:00Z"] {
        assert!(command(&folder, at, &["alert", "run"]).status().unwrap().success());
    }
    let got = sink.got();
    assert_eq!((got.len(), numbers(&sink).len()), (2, 1), "twice the same message, and no other");
    assert_eq!(got[0].body, got[1].body);
}

#[test]
fn one_that_is_killed_before_sending_sends_what_it_decided_once() {
    // While nothing listens there, every attempt fails: what was decided waits in the outbox.
    let sink = Sink::web();
    let folder = prepared(&sink, 3);
    let nowhere =
        ["alert", "set-channel", "ops", "--kind", "webhook", "--url", "http://127.0.0.1:9/", "--secret", "hook"];
    assert!(command(&folder, "2024-02-01", &nowhere).status().unwrap().success());
    assert_eq!(command(&folder, "2024-03-01", &["alert", "run"]).status().unwrap().code(), Some(1));
    let url = sink.url();
    let there = ["alert", "set-channel", "ops", "--kind", "webhook", "--url", &url, "--secret", "hook"];
    assert!(command(&folder, "2024-03-01", &there).status().unwrap().success());
    for at in ["2024-03-01T01:00:00Z", "2024-03-01T02:00:00Z"] {
        assert!(command(&folder, at, &["alert", "run"]).status().unwrap().success());
    }
    assert_eq!((sink.got().len(), numbers(&sink).len()), (3, 3));
}

#[test]
fn killed_at_any_instant_each_rule_speaks_once() {
    const RULES: usize = 4;
    let kills = if std::env::var_os("RECURVE_FULL").is_some() { 100 } else { 12 };
    let seed: u64 = std::env::var("RECURVE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_240_301);
    let mut chance = seed | 1;
    let sink = Sink::web_that(Box::new(|_, _| {
        std::thread::sleep(Duration::from_millis(20));
        Answer::Status(200, "")
    }));
    let calm = prepared(&sink, RULES);
    let begun = std::time::Instant::now();
    assert!(command(&calm, "2024-03-01", &["alert", "run"]).status().unwrap().success());
    let whole = begun.elapsed().as_micros() as u64;
    let (mut killed, mut arrived) = (0, numbers(&sink).len());
    assert_eq!(arrived, RULES);
    while killed < kills {
        let folder = prepared(&sink, RULES);
        for minute in 0..3 {
            chance ^= chance >> 12;
            chance ^= chance << 25;
            chance ^= chance >> 27;
            let instant = (chance.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % whole.max(1);
            let at = format!("2024-03-01T00:{:02}:00Z", minute * 4);
            let mut child = command(&folder, &at, &["alert", "run"]).spawn().unwrap();
            std::thread::sleep(Duration::from_micros(instant));
            kill(&mut child);
            killed += 1;
        }
        for hour in 1..3 {
            let at = format!("2024-03-01T{hour:02}:00:00Z");
            assert!(command(&folder, &at, &["alert", "run"]).status().unwrap().success());
        }
        // However often it arrived: as many numbers as rules, not one more or less.
        let now = numbers(&sink).len();
        assert_eq!(now - arrived, RULES, "after {killed} kills with the seed {seed}");
        arrived = now;
    }
}
