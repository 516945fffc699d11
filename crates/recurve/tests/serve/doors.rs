//! Who may do what.

use serde_json::{Value, json};

use crate::{
    folder::Folder,
    server::{PASSWORD, Reply, Server},
};

/// Somebody who asks: what they are called, and the header by which they are known.
struct Caller {
    role: &'static str,
    header: Option<(&'static str, String)>,
}

impl Caller {
    fn ask(&self, server: &Server, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let headers: Vec<(&str, &str)> = self.header.iter().map(|(name, value)| (*name, value.as_str())).collect();
        server.with(method, path, &headers, body)
    }
}

fn log_in(server: &Server, name: &str) -> String {
    server.post("/login", &json!({ "name": name, "password": PASSWORD })).is(200).cookie()
}

/// One of each role.
fn callers(server: &Server) -> Vec<Caller> {
    let owner = server.set_up();
    let asks = |method: &str, path: &str, body: Value| {
        server.with(method, path, &[("cookie", &owner)], Some(&body)).is(200).json()
    };
    for (name, role) in [("Ed", "editor"), ("Vi", "viewer")] {
        asks("POST", "/users", json!({ "name": name, "role": role, "password": PASSWORD }));
    }
    let share = asks("POST", "/shares", json!({ "label": "board" }));
    assert!(share["path"].as_str().unwrap().starts_with("/#share=recurve_share_"));
    let opened = server.post("/shares/open", &json!({ "secret": share["secret"] })).is(200).cookie();
    let token = asks("POST", "/tokens", json!({ "label": "billing", "kind": "ingest" }));
    let token = format!("Bearer {}", token["secret"].as_str().unwrap());
    vec![
        Caller { role: "nobody", header: None },
        Caller { role: "ingest", header: Some(("authorization", token)) },
        Caller { role: "shared", header: Some(("cookie", opened)) },
        Caller { role: "viewer", header: Some(("cookie", log_in(server, "Vi"))) },
        Caller { role: "editor", header: Some(("cookie", log_in(server, "Ed"))) },
        Caller { role: "owner", header: Some(("cookie", owner)) },
    ]
}

/// Which roles a route admits, by what the description says of it. This is the policy, stated a second time.
fn admits(who: &str, role: &str) -> bool {
    let admitted: &[&str] = match who {
        "anyone" => return true,
        "shared" => &["shared", "viewer", "editor", "owner"],
        "viewer" => &["viewer", "editor", "owner"],
        "ingest" => &["ingest", "editor", "owner"],
        "editor" => &["editor", "owner"],
        "owner" => &["owner"],
        other => panic!("nobody knows the role {other}"),
    };
    admitted.contains(&role)
}

#[test]
fn every_route_admits_whom_it_says_and_nobody_else() {
    let folder = Folder::small();
    let server = Server::start(&folder, &[]);
    let callers = callers(&server);
    let description = server.get("/openapi.json").is(200).json();
    let mut routes = 0;
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let who = operation["x-role"].as_str().unwrap();
            // What anybody may is tried elsewhere: it logs in and out.
            if who == "anyone" {
                continue;
            }
            routes += 1;
            // Names that nobody has, so that nothing is changed by those who may.
            let mut asked = path.clone();
            for (name, value) in
                [("{kind}", "subscriptions"), ("{dimension}", "plan"), ("{customer}", "ann"), ("{id}", "99999")]
            {
                asked = asked.replace(name, value);
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                if parameter["required"] == true && parameter["in"] == "query" {
                    let value = match name {
                        "period" => "2024-03",
                        "metric" => "mrr",
                        "step" => "visit",
                        _ => "2024-01-01",
                    };
                    asked += &format!("{}{name}={value}", if asked.contains('?') { '&' } else { '?' });
                }
            }
            let method = method.to_uppercase();
            let body = (method == "POST").then(|| json!({}));
            for caller in &callers {
                let reply = caller.ask(&server, &method, &asked, body.as_ref());
                let expected = admits(who, caller.role);
                let admitted = !matches!(reply.status, 401 | 403);
                assert_eq!(admitted, expected, "{method} {asked} by {}: {} {}", caller.role, reply.status, reply.text);
                assert!(reply.status < 500, "{method} {asked} by {}: {}", caller.role, reply.text);
                if !expected {
                    let code = if caller.role == "nobody" { "login_needed" } else { "forbidden" };
                    assert_eq!(reply.code(), code, "{method} {asked} by {}", caller.role);
                }
            }
        }
    }
    assert!(routes > 35, "{routes} routes");
}

#[test]
fn the_first_owner_needs_the_token_and_is_the_only_first() {
    let folder = Folder::small();
    let server = Server::start(&folder, &[]);
    assert_eq!(server.get("/overview").is(401).code(), "setup_needed");
    let wrong = json!({ "token": "0".repeat(64), "name": "Eve", "password": PASSWORD });
    assert_eq!(server.post("/setup", &wrong).is(403).code(), "setup_token");
    let short = json!({ "token": server.setup, "name": "Ada", "password": "short" });
    assert_eq!(server.post("/setup", &short).is(422).code(), "password");
    let reply = server.post("/setup", &json!({ "token": server.setup, "name": "Ada", "password": PASSWORD })).is(200);
    let cookie = reply.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let session = server.with("GET", "/session", &[("cookie", &reply.cookie())], None).is(200).json();
    assert_eq!(session["user"], json!({ "name": "Ada", "role": "owner" }));
    assert_eq!(
        server.post("/setup", &json!({ "token": server.setup, "name": "Eve", "password": PASSWORD })).status,
        403
    );
    assert_eq!(server.get("/overview").is(401).code(), "login_needed");
    drop(server);
    let again = Server::start(&folder, &[]);
    assert_eq!(again.setup, None, "who is set up needs no token");
    log_in(&again, "ada");
}

#[test]
fn a_login_ends_and_a_new_one_has_a_new_secret() {
    let folder = Folder::small();
    let server = Server::start(&folder, &[]);
    let first = server.set_up();
    let as_first = |path: &str| server.with("GET", path, &[("cookie", &first)], None).status;
    assert_eq!(as_first("/users"), 200);
    let asked = json!({ "name": "Ada", "password": PASSWORD });
    let second = server.with("POST", "/login", &[("cookie", &first)], Some(&asked)).is(200).cookie();
    assert_ne!(first, second);
    assert_eq!(as_first("/users"), 401, "the login before ended");
    server.with("POST", "/logout", &[("cookie", &second)], None).is(200);
    assert_eq!(server.with("GET", "/users", &[("cookie", &second)], None).status, 401);
}

#[test]
fn who_guesses_passwords_waits() {
    let folder = Folder::small();
    let server = Server::start(&folder, &[]);
    server.set_up();
    let guess = json!({ "name": "Ada", "password": "a wrong password" });
    for _ in 0..5 {
        assert_eq!(server.post("/login", &guess).is(401).code(), "wrong_login");
    }
    let reply = server.post("/login", &json!({ "name": "Ada", "password": PASSWORD })).is(429);
    assert!(reply.header("retry-after").unwrap().parse::<u32>().unwrap() > 60);
}

#[test]
fn a_link_shows_figures_and_names_nobody_until_it_is_revoked() {
    let folder = Folder::small();
    folder.file("customers.csv", "customer,name\nann,Anna Ltd\n");
    folder.file("notes.csv", "note,day,title,customer\nn1,2024-02-01,Asked for less,ann\n");
    folder.run(&["import", "customers", "customers.csv"]).ends_with(0);
    folder.run(&["import", "notes", "notes.csv"]).ends_with(0);
    let server = Server::start(&folder, &[]);
    let callers = callers(&server);
    let (shared, owner) = (&callers[2], &callers[5]);
    let notes = |who: &Caller| who.ask(&server, "GET", "/notes", None).is(200).text;
    assert!(notes(owner).contains("Anna Ltd"), "{}", notes(owner));
    assert!(!notes(shared).contains("Anna"), "{}", notes(shared));
    let get = |path: &str| shared.ask(&server, "GET", path, None);
    get("/figures?metric=mrr&by=plan").is(200);
    for path in
        ["/figures?metric=mrr&by=customer", "/figures?metric=mrr&where=customer=ann", "/figures?metric=mrr&by=email"]
    {
        assert!(get(path).is(400).text.contains("does not show"), "{path}");
    }
    assert_eq!(get("/figures?metric=mrr&policy=stripe").status, 400, "no other books than those that are open");
    let overview = get("/overview").is(200);
    assert!(overview.json()["at_risk"].is_null() && !overview.text.contains("\"ann\""), "{}", overview.text);
    assert!(!overview.text.contains("Anna"), "{}", overview.text);
    assert_eq!(get("/customers").status, 403);
    let id = owner.ask(&server, "GET", "/shares", None).is(200).json()["passes"][0]["id"].clone();
    owner.ask(&server, "DELETE", &format!("/shares/{id}"), None).is(200);
    assert_eq!(get("/overview").status, 401);
    let deeds = owner.ask(&server, "GET", "/audit", None).is(200).text;
    assert!(deeds.contains("\"revoked\"") && deeds.contains("share board"), "{deeds}");
}

#[test]
fn somebody_who_is_disabled_is_out_at_once_and_the_last_owner_stays() {
    let folder = Folder::small();
    let server = Server::start(&folder, &[]);
    let callers = callers(&server);
    let (viewer, owner) = (&callers[3], &callers[5]);
    let users = owner.ask(&server, "GET", "/users", None).is(200).json();
    let id =
        |name: &str| users["users"].as_array().unwrap().iter().find(|user| user["name"] == name).unwrap()["id"].clone();
    owner.ask(&server, "POST", &format!("/users/{}", id("Vi")), Some(&json!({ "is_disabled": true }))).is(200);
    assert_eq!(viewer.ask(&server, "GET", "/overview", None).status, 401);
    assert_eq!(server.post("/login", &json!({ "name": "Vi", "password": PASSWORD })).status, 401);
    let demoted = owner.ask(&server, "POST", &format!("/users/{}", id("Ada")), Some(&json!({ "role": "viewer" })));
    assert_eq!(demoted.is(409).code(), "last_owner");
}

#[test]
fn the_server_listens_to_others_only_behind_a_proxy_and_with_a_password() {
    let folder = Folder::small();
    let refused = |words: &[&str], says: &str| {
        let said = folder.run(&[&["serve", "--port", "0"], words].concat()).ends_with(2);
        said.says(&[says]);
    };
    refused(&["--bind", "0.0.0.0"], "--behind-proxy");
    refused(&["--bind", "0.0.0.0", "--behind-proxy"], "nobody has chosen a password");
    refused(&["--bind", "0.0.0.0", "--behind-proxy", "--open"], "--open");
    refused(&["--open", "owner"], "viewer or editor");
}
