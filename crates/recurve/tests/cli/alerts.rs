//! Rules, channels and the outbox, played against the real program and real servers of this machine. MRR of the small
//! company is 30 in January 2024, 10 in February, 30 from March on.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    folder::{Folder, Said},
    sink::{AUTHORITY, Answer, Request, Sink, Tls},
};

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The program on a day, with secrets in its environment, and this machine allowed as a target.
fn command(folder: &Folder, day: &str, words: &[&str]) -> Command {
    let mut command = folder.command(&[words, &["--now", day]].concat());
    command
        .env("RECURVE_SECRET_HOOK", KEY)
        .env("RECURVE_SECRET_MAIL", "pa55word-of-mail")
        .env("RECURVE_ALLOW_TARGETS", "127.0.0.0/8");
    command
}

fn run(folder: &Folder, day: &str, words: &[&str]) -> Said {
    command(folder, day, words).output().unwrap().into()
}

fn with_webhook(sink: &Sink<Request>) -> Folder {
    let folder = Folder::small();
    let url = sink.url();
    run(
        &folder,
        "2024-02-01",
        &["alert", "set-channel", "ops", "--kind", "webhook", "--url", &url, "--secret", "hook"],
    )
    .ends_with(0);
    folder
}

fn with_rule(sink: &Sink<Request>) -> Folder {
    let folder = with_webhook(sink);
    run(&folder, "2024-02-01", &["alert", "set", "low", "--metric", "mrr", "--below", "20"]).ends_with(0);
    folder
}

fn why(request: &Request) -> Vec<String> {
    let body: Value = serde_json::from_str(&request.body).unwrap();
    let changes = body["data"]["changes"].as_array().cloned().unwrap_or_default();
    changes
        .iter()
        .map(|change| format!("{} {}", change["period"].as_str().unwrap(), change["why"].as_str().unwrap()))
        .collect()
}

#[test]
fn a_rule_speaks_once_for_each_change_of_its_state() {
    let sink = Sink::web();
    let folder = with_rule(&sink);
    // January: 30 is not below 20, whichever day of February one looks.
    run(&folder, "2024-02-10", &["alert", "run"]).ends_with(0);
    assert!(sink.got().is_empty());
    // February: 10 is. The next looks and the days after say nothing new.
    for day in ["2024-03-01", "2024-03-01", "2024-03-02", "2024-03-31"] {
        run(&folder, day, &["alert", "run"]).ends_with(0);
    }
    assert_eq!(why(&sink.wait_for(1)[0]), ["2024-02-01 fired"]);
    run(&folder, "2024-04-01", &["alert", "run"]).ends_with(0);
    run(&folder, "2024-05-01", &["alert", "run"]).ends_with(0);
    let got = sink.got();
    assert_eq!(got.len(), 2);
    assert_eq!(why(&got[1]), ["2024-03-01 over"]);
    // What is sent says what it is, and is signed.
    let body: Value = serde_json::from_str(&got[0].body).unwrap();
    assert_eq!(body["type"], "recurve.alert");
    assert_eq!((&body["data"]["unit"], &body["data"]["limit"]), (&"USD".into(), &"20".into()));
    assert_eq!(body["data"]["changes"][0]["figure"], "10");
    assert_eq!(body["data"]["changes"][0]["says"], "Monthly recurring revenue (MRR), February 2024: $10, below $20.");
    assert!(got[0].header("webhook-signature").starts_with("v1,"));
    assert_ne!(got[0].header("webhook-id"), got[1].header("webhook-id"));
    run(&folder, "2024-05-01", &["alert", "list"]).ends_with(0).says(&["low,mrr < 20,month,quiet,2024-04-01,30"]);
    run(&folder, "2024-05-01", &["alert", "log"]).ends_with(0).says(&["sent"]);
}

#[test]
fn a_sink_that_is_down_or_slow_or_fails_is_tried_again_under_the_same_number() {
    let sink = Sink::web_that(Box::new(|number, _| match number {
        1 => Answer::Status(500, ""),
        2 => Answer::HangUp,
        3 => Answer::Status(429, "retry-after: 7200\r\n"),
        _ => Answer::Status(200, ""),
    }));
    let folder = with_rule(&sink);
    run(&folder, "2024-03-01", &["alert", "run"]).ends_with(1).says(&["failed", "the target answered 500"]);
    // Too early.
    run(&folder, "2024-03-01T00:00:20Z", &["alert", "run"]).ends_with(0);
    assert_eq!(sink.got().len(), 1);
    run(&folder, "2024-03-01T00:00:31Z", &["alert", "run"]).ends_with(1);
    run(&folder, "2024-03-01T00:03:00Z", &["alert", "run"]).ends_with(1).says(&["answered 429"]);
    // The sink asked for two hours.
    run(&folder, "2024-03-01T01:30:00Z", &["alert", "run"]).ends_with(0);
    assert_eq!(sink.got().len(), 3);
    run(&folder, "2024-03-01T02:30:00Z", &["alert", "run"]).ends_with(0);
    let got = sink.got();
    assert_eq!(got.len(), 4);
    assert!(got.iter().all(|request| request.header("webhook-id") == got[0].header("webhook-id")));
    assert!(got.iter().all(|request| request.body == got[0].body), "the same message each time");
    let log = run(&folder, "2024-03-02", &["alert", "log"]).ends_with(0).says(&["sent,4"]);
    assert!(!log.out.contains("nobody-repeats"), "{}", log.out);
}

#[test]
fn what_is_given_up_is_said_in_the_log_and_to_other_channels() {
    let sink = Sink::web_that(Box::new(|_, request| {
        Answer::Status(if request.path.contains("gone") { 410 } else { 200 }, "")
    }));
    let folder = with_rule(&sink);
    let gone = format!("http://127.0.0.1:{}/gone", sink.port);
    run(
        &folder,
        "2024-02-01",
        &["alert", "set-channel", "old", "--kind", "webhook", "--url", &gone, "--secret", "hook"],
    )
    .ends_with(0);
    run(&folder, "2024-03-01", &["alert", "run"])
        .ends_with(1)
        .says(&["given_up", "the target answered 410: it is gone"]);
    run(&folder, "2024-03-01T00:01:00Z", &["alert", "run"]).ends_with(0);
    run(&folder, "2024-03-01", &["alert", "channels"]).ends_with(0).says(&["old,webhook", "2024-03-01T00:00:00Z"]);
    let kinds: Vec<String> = sink
        .got()
        .iter()
        .filter(|request| !request.path.contains("gone"))
        .map(|request| serde_json::from_str::<Value>(&request.body).unwrap()["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["recurve.alert", "recurve.notice"]);
}

#[test]
fn after_twelve_attempts_a_message_is_given_up() {
    let sink = Sink::web_that(Box::new(|_, _| Answer::Status(503, "")));
    let folder = with_rule(&sink);
    for hour in 0..48 {
        let at = format!("2024-03-{:02}T{:02}:{:02}:40Z", 1 + hour / 24, hour % 24, 0);
        run(&folder, &at, &["alert", "run"]);
        if hour == 0 {
            for minute in [2, 5, 16, 50] {
                run(&folder, &format!("2024-03-01T00:{minute:02}:59Z"), &["alert", "run"]);
            }
        }
    }
    assert_eq!(sink.got().len(), 12);
    run(&folder, "2024-03-04", &["alert", "log"]).ends_with(0).says(&["given_up,12"]);
}

#[test]
fn private_addresses_are_refused_and_redirects_are_not_followed() {
    let sink =
        Sink::web_that(Box::new(|_, _| Answer::Status(301, "location: http://169.254.169.254/latest/meta-data\r\n")));
    let folder = with_rule(&sink);
    run(&folder, "2024-03-01", &["alert", "run"])
        .ends_with(1)
        .says(&["the target answered 301; redirects are not followed"]);
    assert_eq!(sink.got().len(), 1);
    // Nobody allows this machine: it is not even knocked at.
    let refused = |words: &[&str]| -> Said {
        let mut command = command(&folder, "2024-03-02", words);
        command.env_remove("RECURVE_ALLOW_TARGETS").output().unwrap().into()
    };
    refused(&["alert", "run"]).ends_with(1).says(&["the target has a private address"]);
    assert_eq!(sink.got().len(), 1);
    // By whatever name it goes, and as a mail server too.
    for (number, host) in
        ["localhost", "127.1.1.1", "[::1]", "[::ffff:10.0.0.1]", "10.0.0.1", "2130706433"].into_iter().enumerate()
    {
        let (name, url) = (format!("w{number}"), format!("http://{host}:{}/", sink.port));
        refused(&["alert", "set-channel", &name, "--kind", "webhook", "--url", &url, "--secret", "hook"]).ends_with(0);
        let said = refused(&["alert", "test", &name]).ends_with(1);
        assert!(said.out.contains("private address") || said.out.contains("no address"), "{host}: {}", said.out);
    }
    let mail =
        ["alert", "set-channel", "mail", "--kind", "email", "--to", "ann@example.com", "--from", "r@example.com"];
    refused(&[&mail[..], &["--smtp", "127.0.0.1:25", "--security", "none"]].concat()).ends_with(0);
    refused(&["alert", "test", "mail"]).ends_with(1).says(&["private address"]);
    assert_eq!(sink.got().len(), 1);
}

fn with_mail(port: u16, more: &[&str]) -> Folder {
    let folder = Folder::small();
    let server = format!("127.0.0.1:{port}");
    let words = [
        "alert",
        "set-channel",
        "team",
        "--kind",
        "email",
        "--from",
        "recurve@example.com",
        "--smtp",
        &server,
        "--user",
        "me",
        "--secret",
        "mail",
    ];
    let plain: &[&str] = if more.contains(&"--security") { &[] } else { &["--security", "none"] };
    run(&folder, "2024-02-02", &[&words[..], plain, more].concat()).ends_with(0);
    run(&folder, "2024-02-02", &["alert", "set", "low", "--metric", "mrr", "--below", "20"]).ends_with(0);
    folder
}

#[test]
fn letters_go_to_each_by_itself_in_the_language_of_the_channel() {
    let sink = Sink::mail(&[("bad@example.com", "550 5.1.1 <bad@example.com> is nobody here")]);
    let to = ["--to", "ann@example.com", "--to", "bad@example.com", "--to", "zoe@example.com", "--language", "fr"];
    let folder = with_mail(sink.port, &to);
    let said = run(&folder, "2024-03-01", &["--lang", "en", "alert", "run"]).ends_with(1);
    assert!(!said.out.contains("example.com") && said.out.contains("the mail server answered 550"), "{}", said.out);
    let got = sink.wait_for(2);
    let to: Vec<&String> = got.iter().flat_map(|letter| &letter.to).collect();
    assert_eq!(to, ["RCPT TO:<ann@example.com>", "RCPT TO:<zoe@example.com>"]);
    let data = &got[0].data;
    assert!(data.contains("Message-ID: <msg_") && data.contains("Auto-Submitted: auto-generated"), "{data}");
    assert!(data.contains("multipart/alternative") && !data.contains("zoe@"), "{data}");
    assert!(data.replace("=\r\n", "").contains("en dessous de"), "{data}");
    // Who logs in does so with the secret; neither it nor an address is told on.
    assert!(got[0].login.starts_with("AUTH PLAIN "), "{}", got[0].login);
    for words in [["alert", "log"], ["alert", "channels"], ["alert", "list"]] {
        let said = run(&folder, "2024-03-01", &words).ends_with(0);
        for hidden in ["pa55word", "ann@", "bad@", "nobody here"] {
            assert!(!said.out.contains(hidden), "{hidden}: {}", said.out);
        }
    }
}

#[test]
fn a_digest_is_the_review_of_the_period_that_is_over() {
    let sink = Sink::mail(&[]);
    let folder = with_mail(sink.port, &["--to", "ann@example.com", "--digest", "monthly", "--only-digests"]);
    let at = |day: &str| {
        let mut command = command(&folder, day, &["alert", "run", "--public-url", "https://recurve.example.com/"]);
        Said::from(command.output().unwrap()).ends_with(0)
    };
    at("2024-03-01T07:59:00Z");
    assert!(sink.got().is_empty(), "not before eight");
    for _ in 0..2 {
        at("2024-03-01T08:00:00Z");
        at("2024-03-20T08:00:00Z");
    }
    let got = sink.wait_for(1);
    assert_eq!(got.len(), 1);
    let data = got[0].data.replace("=\r\n", "");
    assert!(data.contains("Subject: Monthly review, February 2024"), "{data}");
    assert!(data.contains("https://recurve.example.com/month"), "{data}");
    assert!(data.contains("<h1>Monthly review"), "{data}");
}

#[test]
fn quiet_hours_hold_messages_and_send_them_as_one_by_the_clock_of_the_business() {
    let sink = Sink::web();
    let folder = with_webhook(&sink);
    let url = sink.url();
    let quiet = ["--url", &url, "--secret", "hook", "--quiet", "22:00-07:00", "--language", "zh"];
    run(&folder, "2024-02-01", &[&["alert", "set-channel", "ops", "--kind", "webhook"][..], &quiet].concat())
        .ends_with(0);
    for (name, limit) in [("low", "20"), ("lower", "15")] {
        run(&folder, "2024-02-01", &["alert", "set", name, "--metric", "mrr", "--below", limit]).ends_with(0);
    }
    let at = |instant: &str| run(&folder, instant, &["--tz", "Europe/Paris", "alert", "run"]).ends_with(0);
    // March 1 begins in Paris at 23:00 UTC of February 29: it is night, and both rules speak.
    at("2024-02-29T23:30:00Z").says(&["held"]);
    at("2024-03-01T05:59:00Z");
    assert!(sink.got().is_empty());
    at("2024-03-01T06:00:00Z");
    let got = sink.wait_for(1);
    assert_eq!(got.len(), 1);
    let body: Value = serde_json::from_str(&got[0].body).unwrap();
    assert_eq!((&body["type"], body["data"]["messages"].as_array().unwrap().len()), (&"recurve.bundle".into(), 2));
    assert!(got[0].body.contains("低于"), "{}", got[0].body);
    // On March 31 the clock goes forward: seven is at 05:00 UTC. April begins a night later, with both rules over.
    at("2024-03-31T22:30:00Z").says(&["held"]);
    at("2024-04-01T04:59:00Z");
    assert_eq!(sink.got().len(), 1);
    at("2024-04-01T05:00:00Z");
    assert_eq!(sink.wait_for(2).len(), 2);
}

#[test]
fn signals_targets_conditions_and_anomalies_speak_as_metrics_do() {
    let sink = Sink::web();
    let folder = with_webhook(&sink);
    run(&folder, "2024-02-01", &["target", "add", "mrr", "100", "--by", "2024-02", "--from", "2024-01"]).ends_with(0);
    for words in [
        &["when", "--when", "mrr < 20 and months_since_launch > 1"][..],
        &["goal", "--target", "t1"],
        &["odd", "--metric", "customers", "--anomaly", "--grain", "day"],
        &["fall", "--metric", "mrr", "--compare", "period_before", "--below", "-10%"],
        &["team", "--metric", "mrr", "--where", "plan=team", "--above", "20"],
    ] {
        run(&folder, "2024-02-01", &[&["alert", "set"][..], words].concat()).ends_with(0);
    }
    let said = run(&folder, "2024-03-01", &["alert", "run"]).ends_with(0);
    for rule in ["when", "goal", "fall"] {
        assert!(said.out.contains(&format!("fired,{rule},")), "{rule}: {}", said.out);
    }
    for rule in ["odd", "team"] {
        assert!(!said.out.contains(rule), "{rule}: {}", said.out);
    }
    let bodies: String = sink.wait_for(3).iter().map(|request| request.body.clone()).collect();
    assert!(bodies.contains("$10 after $30 (January 2024), which is -66.7%; below -10%"), "{bodies}");
    assert!(bodies.contains("mrr < 20 and months_since_launch > 1 (mrr 2024-02 10)"), "{bodies}");
    assert!(bodies.contains("the target of $100 is missed"), "{bodies}");
    run(&folder, "2024-04-01", &["alert", "run"]).ends_with(0).says(&["over,when", "over,fall", "fired,team"]);
}

#[test]
fn what_cannot_be_set_says_how_to_mend_it() {
    let folder = Folder::small();
    for (words, part) in [
        (&["set", "x", "--metric", "mmr", "--below", "1"][..], "mrr"),
        (&["set", "x", "--metric", "mrr"], "either below or above"),
        (&["set", "X", "--metric", "mrr", "--below", "1"], "small letters"),
        (&["set", "x", "--signal", "doom"], "the playbook has no rule `doom`"),
        (&["set", "x", "--target", "t9"], "there is no target `t9`"),
        (&["set", "x", "--when", "mmr < 5"], "no figure `mmr`"),
        (&["set", "x", "--metric", "mrr", "--below", "1", "--channel", "ops"], "there is no channel `ops`"),
        (&["set-channel", "x", "--kind", "slack"], "is a secret"),
        (&["set-channel", "x", "--kind", "webhook", "--url", "https://a:b@example.com"], "no address of a webhook"),
    ] {
        run(&folder, "2024-03-01", &[&["alert"][..], words].concat()).ends_with(2).says(&[part]);
    }
    run(&folder, "2024-03-01", &["alert", "remove", "x"]).ends_with(2).says(&["there is no rule `x`"]);
}

#[test]
fn facts_that_come_late_restate_what_was_said_and_take_back_what_is_not_so() {
    const LATE: &str = "subscription,customer,plan,currency,amount,interval,start,end\n\
                        s3,zoe,solo,USD,50,month,2024-02-10,2024-03-10\n";
    let sink = Sink::web();
    let folder = with_rule(&sink);
    run(&folder, "2024-03-01", &["alert", "run"]).ends_with(0);
    // Zoe paid 50 in February: it was 60, not 10.
    folder.file("late.csv", LATE);
    run(&folder, "2024-03-20", &["import", "subscriptions", "late.csv"]).ends_with(0);
    run(&folder, "2024-03-20", &["alert", "run"]).ends_with(0).says(&["restated_over,low"]);
    run(&folder, "2024-03-21", &["alert", "run"]).ends_with(0);
    let got = sink.wait_for(2);
    assert_eq!(got.len(), 2);
    assert!(got[1].body.contains("were stated anew by facts that came later; before it was $10."), "{}", got[1].body);

    // In another company February fired and March was over, before Zoe was known: what was said is taken back, once.
    let folder = with_rule(&sink);
    run(&folder, "2024-03-01", &["alert", "run"]).ends_with(0);
    run(&folder, "2024-04-01", &["alert", "run"]).ends_with(0);
    folder.file("late.csv", LATE);
    run(&folder, "2024-04-20", &["import", "subscriptions", "late.csv"]).ends_with(0);
    for _ in 0..2 {
        run(&folder, "2024-04-20", &["alert", "run"]).ends_with(0);
    }
    let got = sink.wait_for(5);
    assert_eq!((got.len(), why(&got[4])), (5, vec!["2024-02-01 taken_back".to_owned()]));
    assert!(got[4].body.contains("$60 instead of $10"), "{}", got[4].body);
}

#[test]
fn letters_go_by_tls_to_whoever_has_the_right_certificate() {
    for (tls, security) in [(Tls::AtOnce, "tls"), (Tls::WhenAsked, "starttls")] {
        let sink = Sink::mail_by(tls, &[]);
        let folder = Folder::small();
        folder.file("authority.pem", AUTHORITY);
        let set = |host: &str| {
            let server = format!("{host}:{}", sink.port);
            let words = [
                "alert",
                "set-channel",
                "team",
                "--kind",
                "email",
                "--from",
                "r@example.com",
                "--to",
                "ann@example.com",
                "--smtp",
                &server,
                "--security",
                security,
                "--user",
                "me",
                "--secret",
                "mail",
            ];
            run(&folder, "2024-02-01", &words).ends_with(0);
        };
        let allowed = |day: &str, words: &[&str]| -> Said {
            command(&folder, day, words).env("RECURVE_ALLOW_TARGETS", "127.0.0.1,::1").output().unwrap().into()
        };
        set("localhost");
        // Nobody knows whoever signed it.
        allowed("2024-02-01", &["alert", "test", "team"]).ends_with(1).says(&["certificate"]);
        let trusting = ["alert", "test", "team", "--smtp-ca", "authority.pem"];
        allowed("2024-02-02", &trusting).ends_with(0);
        let got = sink.wait_for(1);
        assert!(got.iter().all(|letter| letter.is_secret && letter.login.starts_with("AUTH ")), "{got:?}");
        // The certificate is that of another name.
        let before = got.len();
        set("127.0.0.1");
        allowed("2024-02-03", &trusting).ends_with(1).says(&["certificate"]);
        assert_eq!(sink.got().len(), before);
    }
    // Who asks for TLS sends nothing without it.
    let sink = Sink::mail(&[]);
    let folder = with_mail(sink.port, &["--to", "ann@example.com", "--security", "starttls"]);
    run(&folder, "2024-03-01", &["alert", "test", "team"]).ends_with(1);
    assert!(sink.got().is_empty());
}

#[test]
fn a_slow_sink_is_not_waited_for_and_holds_no_other_up() {
    let slow = Sink::web_that(Box::new(|_, _| Answer::Slow(Duration::from_secs(60))));
    let quick = Sink::web();
    let folder = with_rule(&quick);
    let url = slow.url();
    let words = ["alert", "set-channel", "a-slow-one", "--kind", "webhook", "--url", &url, "--secret", "hook"];
    run(&folder, "2024-02-01", &words).ends_with(0);
    let begun = Instant::now();
    run(&folder, "2024-03-01", &["alert", "run"]).ends_with(1).says(&["did not answer in time", "sent,,ops,1"]);
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
    assert_eq!(quick.got().len(), 1);
}
