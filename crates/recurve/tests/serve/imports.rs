//! Facts that come over the web, and what people keep.

use serde_json::{Value, json};

use crate::{folder::Folder, server::Server};

const GOOD: &str = "subscription,customer,currency,amount,interval,start\ns3,cleo,USD,5,month,2024-05-01\n";
const BROKEN: &str = "subscription,customer,currency,amount,interval,start\n\
                      s3,cleo,USD,5,month,2024-05-01\ns4,dan,QQQ,7,month,2024-05-01\ns5,eva,USD,many,month,2024-05-01\n";

#[test]
fn a_look_says_what_is_wrong_and_writes_nothing() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    let before = server.get("/session").json()["data_version"].clone();
    let look = server
        .upload(Some(("broken.csv", BROKEN)), &[("kind", "subscriptions"), ("dry_run", "true")], &[])
        .is(200)
        .json();
    assert_eq!(
        (&look["state"], &look["read"], &look["accepted"], &look["refused"]),
        (&json!("previewed"), &json!(3), &json!(1), &json!(2))
    );
    let codes: Vec<&str> =
        look["issues"].as_array().unwrap().iter().map(|issue| issue["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["currency-unknown", "number-unreadable"]);
    assert_eq!(look["issues"][0]["row"], 3);
    assert!(look["issues"][0]["help"].as_str().unwrap().contains("USD"));
    let mapped = look["mapping"].as_array().unwrap().iter().find(|column| column["column"] == "amount").unwrap();
    assert_eq!((&mapped["header"], &mapped["is_required"]), (&json!("amount"), &json!(true)));
    assert!(look["preview_columns"].as_array().unwrap().contains(&json!("customer")));
    assert!(look["preview"][0].as_array().unwrap().contains(&json!("cleo")));
    assert_eq!(server.get("/session").json()["data_version"], before);

    // The same upload becomes facts without being sent again.
    let upload = look["upload"].as_str().unwrap();
    let done = server.upload(None, &[("upload", upload), ("kind", "subscriptions")], &[]).is(200).json();
    assert_eq!((&done["state"], &done["accepted"], &done["refused"]), (&json!("done"), &json!(1), &json!(2)));
    let figures = server.get("/figures?metric=mrr&from=2024-05-01&to=2024-06-01").json();
    assert_eq!(figures["figures"][0]["value"], "35.00", "who imported sees it at once");
    assert_ne!(figures["data_version"], before);
    let shown = server.get(&format!("/imports/{}", done["id"])).is(200).json();
    assert_eq!(shown["import"], done["import"]);
    assert_eq!(server.get("/quarantine").json()["total"], 2);
    // What is kept in English is told in every language.
    let waiting = server.get("/quarantine").json()["rows"].clone();
    let known = server.get("/issues?lang=fr").is(200).json()["issues"].clone();
    let of = |code: &Value| known.as_array().unwrap().iter().find(|issue| issue["code"] == *code).unwrap().clone();
    let first = of(&waiting[0]["code"]);
    assert!(waiting[0]["message"].as_str().unwrap().contains(first["kept"].as_str().unwrap()));
    assert_eq!(first["means"], "Le texte n’est pas un code de devise ISO 4217.");
    assert_eq!(server.get("/sources").json()["rows"][0]["file"], "broken.csv");
    assert_eq!(
        server.upload(None, &[("upload", upload), ("kind", "subscriptions")], &[]).status,
        404,
        "it is gone once it is facts"
    );
}

#[test]
fn what_cannot_be_imported_is_refused_in_words() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    let refused = |file: Option<(&str, &str)>, parts: &[(&str, &str)], status: u16, code: &str| {
        assert_eq!(server.upload(file, parts, &[]).is(status).code(), code, "{parts:?}");
    };
    refused(None, &[("kind", "subscriptions")], 400, "usage");
    refused(Some(("export.csv", GOOD)), &[], 422, "kind_needed");
    refused(Some(("export.csv", GOOD)), &[("kind", "shoes")], 400, "usage");
    refused(Some(("export.csv", GOOD)), &[("kind", "subscriptions"), ("colour", "red")], 400, "usage");
    refused(Some(("export.csv", GOOD)), &[("kind", "subscriptions"), ("map", "amount=x")], 400, "usage");
    refused(
        Some(("export.csv", "a,b\n1,2\n")),
        &[("kind", "subscriptions"), ("dry_run", "true")],
        422,
        "not_importable",
    );
    refused(None, &[("upload", "../../etc"), ("kind", "subscriptions")], 404, "not_found");
    let failed = server.upload(Some(("export.csv", "a,b\n1,2\n")), &[("kind", "subscriptions")], &[]).is(422).json();
    assert_eq!((&failed["state"], &failed["error"]["code"]), (&json!("failed"), &json!("not_importable")));
    assert!(failed["upload"].is_string(), "it can be tried again with another mapping");
    let parts =
        [("kind", "subscriptions"), ("upload", failed["upload"].as_str().unwrap()), ("map", r#"{"subscription":"a"}"#)];
    assert!(server.upload(None, &parts, &[]).is(422).text.contains("customer"));
}

#[test]
fn the_same_file_twice_changes_nothing() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    let first = server.upload(Some(("subscriptions.csv", GOOD)), &[], &[]).is(200).json();
    assert_eq!((&first["state"], &first["kind"]), (&json!("done"), &json!("subscriptions")));
    let again = server.upload(Some(("subscriptions.csv", GOOD)), &[], &[]).is(200).json();
    assert_eq!((&again["state"], &again["import"]), (&json!("unchanged"), &first["import"]));
}

#[test]
fn notes_are_facts_and_can_be_withdrawn() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    let note = |day: &str, words: &str| server.post("/notes", &json!({ "day": day, "words": words })).is(200).json();
    let first = note("2024-02-01", "Prices, \"new\"");
    note("2024-01-01", "Launch");
    let rows = server.get("/notes").is(200).json();
    assert_eq!(rows["total"], 2);
    assert_eq!((&rows["rows"][1]["words"], &rows["rows"][1]["id"]), (&json!("Prices, \"new\""), &first["id"]));
    let exported = folder.run(&["export", "notes"]).ends_with(0);
    exported.says(&["Launch"]);
    let id = first["id"].as_str().unwrap();
    server.with("DELETE", &format!("/notes/{id}"), &[], None).is(200);
    let rows = server.get("/notes").is(200).json();
    assert_eq!((&rows["total"], &rows["rows"][0]["words"]), (&json!(1), &json!("Launch")));
    assert_eq!(server.with("DELETE", &format!("/notes/{id}"), &[], None).status, 404);
    assert_eq!(server.post("/notes", &json!({ "day": "soon", "words": "x" })).status, 422);
}

#[test]
fn a_note_is_changed_as_a_newer_version_and_what_was_known_before_keeps_it() {
    let folder = Folder::small();
    folder.file("notes.csv", "note,day,title,body,mood\nn1,2024-02-01,Asked for less,on the phone,calm\n");
    folder.run(&["import", "notes", "notes.csv"]).ends_with(0);
    let server = Server::open(&folder);
    let noted = |query: &str| server.get(&format!("/notes{query}")).is(200).json()["rows"].clone();
    let before = server.get("/session").is(200).json()["data_as_of"].as_str().unwrap().to_owned();
    assert_eq!(
        (&noted("")[0]["words"], &noted("")[0]["source"]),
        (&json!("Asked for less: on the phone"), &json!("file"))
    );

    let put = |body: Value| server.with("PUT", "/notes/n1", &[], Some(&body));
    put(json!({ "words": "Asked for more", "day": "2024-02-02" })).is(200);
    let now = noted("");
    assert_eq!(
        (&now[0]["words"], &now[0]["day"], &now[0]["body"]),
        (&json!("Asked for more"), &json!("2024-02-02"), &json!(null))
    );
    assert_eq!(now.as_array().unwrap().len(), 1, "it is a version of the same fact: {now}");
    // Nothing of the file's own is lost, and nothing of what was known.
    folder.run(&["export", "notes"]).ends_with(0).says(&["calm", "Asked for more"]);
    assert_eq!(noted(&format!("?as_known_at={before}"))[0]["words"], "Asked for less: on the phone");
    put(json!({ "title": "Call", "words": "about prices" })).is(200);
    assert_eq!(noted("")[0]["words"], "Call: about prices");

    assert_eq!(put(json!({ "words": "  " })).is(422).code(), "not_kept");
    assert_eq!(put(json!({ "title": "alone" })).is(422).code(), "not_kept");
    assert_eq!(put(json!({ "kind": "poem" })).is(422).code(), "not_kept");
    assert_eq!(server.with("PUT", "/notes/none", &[], Some(&json!({ "words": "x" }))).is(404).code(), "not_found");

    // Facts of one source correct each other: whose note is meant has to be said where two have it.
    folder.file("other.csv", "note,day,title\nn1,2024-02-03,Another\n");
    folder.run(&["import", "notes", "other.csv", "--source", "crm"]).ends_with(0);
    let both = || noted("").as_array().unwrap().len();
    for _ in 0..200 {
        if both() == 2 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(put(json!({ "words": "x" })).is(409).code(), "several_sources");
    server.with("DELETE", "/notes/n1?source=crm", &[], None).is(200);
    assert_eq!((both(), &noted("")[0]["words"]), (1, &json!("Call: about prices")));
}

#[test]
fn answers_to_the_questions_of_a_month_are_facts_and_its_close_keeps_them() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    let path = |question: &str| format!("/closes/2024-02/notes/{question}");
    let put = |question: &str, words: &str| server.with("PUT", &path(question), &[], Some(&json!({ "words": words })));
    let rows = || server.get("/closes/notes?month=2024-02").is(200).json()["rows"].clone();
    assert_eq!(rows(), json!([]));
    put("churn", "Ben left:\nno use any more.").is(200);
    put("targets", "There were none.").is(200);
    let asked: Vec<_> = rows().as_array().unwrap().iter().map(|row| row["question"].clone()).collect();
    assert_eq!(asked, ["targets", "churn"], "in the order of the questions");
    assert_eq!((&rows()[1]["words"], &rows()[1]["reported"]), (&json!("Ben left:\nno use any more."), &json!(null)));
    // They are notes, and the review of the month has them, on the command line too.
    folder.run(&["export", "notes"]).ends_with(0).says(&["churn", "There were none."]);
    folder
        .run(&["review", "monthly", "--period", "2024-02", "--format", "html"])
        .ends_with(0)
        .says(&["<blockquote>There were none."]);
    assert_eq!(
        server.get("/review?of=monthly&period=2024-02").is(200).json()["sections"][1]["notes"][0],
        "There were none. (anybody on this machine)"
    );

    server.post("/closes", &json!({ "month": "2024-02" })).is(200);
    put("churn", "Ben comes back.").is(200);
    server.with("DELETE", &path("targets"), &[], None).is(200);
    assert_eq!((&rows()[0]["words"], &rows()[0]["reported"]), (&json!(null), &json!("There were none.")));
    assert_eq!(
        (&rows()[1]["words"], &rows()[1]["reported"]),
        (&json!("Ben comes back."), &json!("Ben left:\nno use any more."))
    );

    assert_eq!(put("weather", "fine").is(404).code(), "not_found");
    assert_eq!(put("churn", " ").is(422).code(), "not_kept");
    assert_eq!(server.with("PUT", "/closes/2999-01/notes/churn", &[], Some(&json!({ "words": "x" }))).status, 400);
}

#[test]
fn follow_ups_are_facts_and_the_newest_of_a_customer_holds() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    let say = |of: serde_json::Value| server.post("/follow-ups", &of).is(200);
    say(json!({ "customer": "ann", "owner": "Ada", "snoozed_until": "2024-03-01", "words": "wants \"more\", soon" }));
    say(json!({ "customer": "ben", "owner": "Bob" }));
    let rows = || server.get("/follow-ups").is(200).json()["rows"].as_array().unwrap().clone();
    let [ann, ben] = &rows()[..] else { panic!("{:?}", rows()) };
    assert_eq!((&ann["owner"], &ann["snoozed_until"]), (&json!("Ada"), &json!("2024-03-01")));
    assert_eq!((&ann["words"], &ben["snoozed_until"]), (&json!("wants \"more\", soon"), &json!(null)));
    // What is not said any more does not hold any more; what held before is still known.
    say(json!({ "customer": "ann", "owner": "Bob" }));
    let found = server.get("/follow-ups?customer=ann").is(200).json();
    assert_eq!((&found["total"], &found["rows"][0]["owner"]), (&json!(1), &json!("Bob")));
    assert_eq!(found["rows"][0]["snoozed_until"], json!(null));
    say(json!({ "customer": "ann" }));
    assert_eq!(rows().len(), 1);
    folder.run(&["export", "follow-ups"]).ends_with(0).says(&["ben,Bob"]);
    for wrong in [json!({ "customer": " " }), json!({ "customer": "ann", "snoozed_until": "soon" })] {
        assert_eq!(server.post("/follow-ups", &wrong).status, 422);
    }
}

#[test]
fn targets_and_views_are_kept() {
    let folder = Folder::small();
    let server = Server::open(&folder);
    let target = json!({ "metric": "mrr", "wanted": "7500", "by": "2024-12", "owner": "Ada" });
    let id = server.post("/targets", &target).is(200).json()["id"].as_str().unwrap().to_owned();
    let named = || {
        let rows = server.get("/targets").is(200).json()["rows"].clone();
        rows.as_array().unwrap().iter().find(|row| row["target"] == id.as_str()).cloned()
    };
    let kept = named().unwrap();
    assert_eq!(
        (&kept["wanted"], &kept["owner"], &kept["by"]),
        (&json!("7500.00"), &json!("Ada"), &json!("2024-12-01"))
    );
    folder.run(&["target", "list"]).ends_with(0).says(&["Ada"]);
    assert_eq!(server.post("/targets", &json!({ "metric": "mrrr", "wanted": "1", "by": "2024-12" })).status, 404);
    assert_eq!(server.post("/targets", &json!({ "metric": "mrr", "wanted": "much", "by": "2024-12" })).status, 400);
    server.with("DELETE", &format!("/targets/{id}"), &[], None).is(200);
    assert_eq!(named(), None);
    server.post("/views", &json!({ "name": "France", "address": "/mrr?f=country:is:FR" })).is(200);
    assert_eq!(server.get("/views").is(200).json()["rows"][0]["name"], "France");
    for address in ["//evil.example", "https://evil.example", "javascript:alert(1)"] {
        assert_eq!(server.post("/views", &json!({ "name": "x", "address": address })).status, 422);
    }
}
