//! The account over HTTP answers as Stripe does: what it gives, and how it refuses.

// Helpers of tests may stop a test as loudly as the tests themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(feature = "server")]

use std::time::Duration;

use serde_json::Value;
use stripe_simulator::{
    Settings, World,
    api::{Fault, LISTS},
    server::{Choices, NARROW_KEY, READ_KEY, SECRET_KEY, Server, WRITE_KEY, serve},
};

struct Answer {
    status: u16,
    body: Value,
    retry_after: Option<String>,
    version: Option<String>,
}

fn ask(server: &Server, key: &str, method: &str, path: &str, version: Option<&str>) -> Answer {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let url = format!("{}{path}", server.url());
    let version = version.unwrap_or("2025-09-30.clover");
    let answer = match method {
        "GET" => {
            agent.get(&url).header("authorization", format!("Bearer {key}")).header("stripe-version", version).call()
        }
        _ => agent.post(&url).header("authorization", format!("Bearer {key}")).send("nothing=1"),
    };
    let mut answer = answer.unwrap();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (retry_after, version) = (header("retry-after"), header("stripe-version"));
    let body = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    Answer { status: answer.status().as_u16(), body, retry_after, version }
}

fn get(server: &Server, path: &str) -> Value {
    let answer = ask(server, READ_KEY, "GET", path, None);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|object| object["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn lists_come_in_pages_from_both_ends_and_objects_one_by_one() {
    let server = serve(Choices::of(3)).unwrap();
    for list in LISTS {
        let all = get(&server, &format!("{list}?limit=100"));
        let first = get(&server, &format!("{list}?limit=2"));
        let (all_ids, first_ids) = (ids(&all), ids(&first));
        assert_eq!(all_ids.iter().take(2).collect::<Vec<_>>(), first_ids.iter().collect::<Vec<_>>(), "{list}");
        if let [_, .., last] = &all_ids[..] {
            let after = get(&server, &format!("{list}?limit=2&starting_after={}", all_ids[0]));
            assert_eq!(ids(&after)[0], all_ids[1], "{list}");
            let before = get(&server, &format!("{list}?limit=1&ending_before={last}"));
            assert_eq!(ids(&before), [all_ids[all_ids.len() - 2].clone()], "{list}");
            assert_eq!(before["has_more"], all_ids.len() > 2, "{list}");
            assert_eq!(get(&server, &format!("{list}/{last}"))["id"], last.as_str(), "{list}");
        }
    }
    let invoice = ids(&get(&server, "/v1/invoices?limit=1")).remove(0);
    assert_eq!(get(&server, &format!("/v1/invoices/{invoice}/lines"))["object"], "list");
    assert_eq!(get(&server, "/v1/account")["object"], "account");
    let events = get(&server, "/v1/events?limit=100&type=invoice.paid");
    assert!(events["data"].as_array().unwrap().iter().all(|event| event["type"] == "invoice.paid"));
    let created = get(&server, "/v1/invoices?limit=1")["data"][0]["created"].as_i64().unwrap();
    let window = format!("/v1/invoices?limit=100&created[gte]={created}&created[lt]={}", created + 1);
    assert!(ids(&get(&server, &window)).contains(&invoice));
}

#[test]
fn refusals_have_the_shape_of_stripes() {
    let server = serve(Choices::of(3)).unwrap();
    for (key, method, path, status, code, words) in [
        ("rk_test_nobody_knows", "GET", "/v1/customers", 401, None, "Invalid API Key provided: rk_test_********nows"),
        (READ_KEY, "POST", "/v1/customers", 403, None, "'rak_customer_write' permission"),
        (NARROW_KEY, "GET", "/v1/disputes", 403, None, "'rak_dispute_read' permission"),
        (WRITE_KEY, "POST", "/v1/customers", 400, Some("parameter_unknown"), "nothing"),
        (SECRET_KEY, "POST", "/v1/customers", 400, Some("parameter_unknown"), "nothing"),
        (READ_KEY, "GET", "/v1/customers/cus_0", 404, Some("resource_missing"), "No such customer: 'cus_0'"),
        (READ_KEY, "GET", "/v1/nothing", 404, None, "Unrecognized request URL (GET: /v1/nothing)"),
        (READ_KEY, "GET", "/v1/invoices?limit=101", 400, Some("parameter_invalid_integer"), "100"),
        (READ_KEY, "GET", "/v1/invoices?colour=1", 400, Some("parameter_unknown"), "colour"),
        (READ_KEY, "GET", "/v1/invoices?starting_after=in_0", 400, Some("resource_missing"), "No such invoice"),
    ] {
        let answer = ask(&server, key, method, path, None);
        let error = &answer.body["error"];
        assert_eq!(answer.status, status, "{path}: {error}");
        assert_eq!(error["code"].as_str(), code, "{path}: {error}");
        assert_eq!(error["type"], "invalid_request_error");
        assert!(error["message"].as_str().unwrap().contains(words), "{path}: {error}");
    }
}

#[test]
fn the_version_of_a_request_chooses_the_shape() {
    let server = serve(Choices::of(3)).unwrap();
    for (version, said, has_period) in [
        ("2024-06-20", "2024-06-20", true),
        ("2025-03-31.basil", "2025-03-31.basil", false),
        ("2025-12-15.clover", "2025-09-30.clover", false),
    ] {
        let answer = ask(&server, READ_KEY, "GET", "/v1/subscriptions?status=all&limit=1", Some(version));
        assert_eq!(answer.version.as_deref(), Some(said));
        assert_eq!(answer.body["data"][0].get("current_period_end").is_some(), has_period, "{version}");
    }
    assert_eq!(ask(&server, READ_KEY, "GET", "/v1/customers", Some("newest")).status, 400);
}

#[test]
fn limits_and_faults_befall_requests() {
    let limited = serve(Choices { requests_a_second: Some(3), ..Choices::of(3) }).unwrap();
    let statuses: Vec<u16> = (0..4).map(|_| ask(&limited, READ_KEY, "GET", "/v1/account", None).status).collect();
    assert_eq!(statuses, [200, 200, 200, 429]);

    let server = serve(Choices {
        faults: vec![(0, Fault::RateLimited(Some(2))), (1, Fault::ServerError), (2, Fault::Timeout)],
        silence: Duration::from_millis(50),
        ..Choices::of(3)
    })
    .unwrap();
    let answers: Vec<Answer> = (0..4).map(|_| ask(&server, READ_KEY, "GET", "/v1/account", None)).collect();
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [429, 500, 504, 200]);
    assert_eq!(answers[0].retry_after.as_deref(), Some("2"));
    assert_eq!(server.requests(), 4);
}

#[test]
fn a_world_that_stops_on_the_way_lives_the_same_life() {
    let whole = World::live(Settings::of(5));
    let server = serve(Choices { lived_months: Some(20), ..Choices::of(5) }).unwrap();
    let before = server.all_events().len();
    server.live_days(30);
    assert!(server.all_events().len() >= before);
    let days_left = server.world(|world| (whole.now - world.now) / 86_400);
    server.live_days(days_left);
    assert_eq!(server.world(|world| world.now), whole.now);
    assert_eq!(server.world(World::truth), whole.truth());
}
