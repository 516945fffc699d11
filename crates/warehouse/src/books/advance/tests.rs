//! Live equals rebuild: over random sequences of imports, books that went along with each are those that are opened anew.
//!
//! A sequence is decoded from bytes, and byte 0 means the plainest choice, so that proptest makes a failing one smaller.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{LazyLock, atomic::AtomicBool},
};

use proptest::{collection::vec, prelude::*};
use revenue::{
    calendar::{Day, Grain, Zone},
    fact::{Row, superseded},
    money::Currency,
    policy::{Policy, SettleWindow},
};
use tempfile::TempDir;

use super::*;
use crate::{
    books::{
        Origins,
        change::{Change, changes},
        origin,
        overlay::Overlay,
    },
    catalogue::Catalogue,
    engine::{self, Assumptions, Question, contribution::contributions, health::Model},
    import::{ImportRequest, import},
    kind::Kind,
    lake::Access,
};

const HEADER: &str = "subscription,item,customer,plan,currency,amount,interval,quantity,discount_percent,discount_duration,\
                      status,trial_end,cancel_at,cancel_reason,start,end\n";

/// A data folder that things happen to.
struct Company {
    _folder: TempDir,
    lake: Lake,
    files: std::path::PathBuf,
    imports: usize,
}

impl Company {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::create_or_open(&folder.path().join("data"), Access::Write).unwrap();
        Self { files: folder.path().to_owned(), _folder: folder, lake, imports: 0 }
    }

    fn import_from(&mut self, source: &str, kind: &str, text: &str, replace: bool) {
        self.imports += 1;
        let file = self.files.join(format!("{}.csv", self.imports));
        std::fs::write(&file, text).unwrap();
        let mut request = ImportRequest::new(Kind::parse(kind).unwrap(), &file, 1_700_000_000_000_000);
        source.clone_into(&mut request.source);
        request.replace = replace;
        import(&self.lake, &request, &mut |_| {}, &AtomicBool::new(false)).unwrap();
    }

    fn import(&mut self, kind: &str, text: &str) {
        self.import_from("file", kind, text, false);
    }

    fn subscriptions(&mut self, rows: &[&str]) {
        let mut text = "subscription,customer,plan,currency,amount,interval,start,end\n".to_owned();
        rows.iter().for_each(|row| writeln!(text, "{row}").unwrap());
        self.import("subscription", &text);
    }

    /// How the books are looked at, as known now.
    fn view(&self) -> View {
        View {
            policy: Policy::default(),
            policy_name: "default".to_owned(),
            zone: Zone::utc(),
            currency: Currency::parse("USD"),
            as_known_at: Some(self.lake.newest_snapshot().unwrap().1),
            now: Zone::utc().start_of_day(Day::parse("2025-06-15").unwrap()),
            health_weights: Vec::new(),
        }
    }
}

/// Everything that books say, where numbers are the same as in others that say the same.
fn said(books: &Books) -> String {
    let mut text = String::new();
    let ids = |count: usize, id: &dyn Fn(u32) -> String| (0..count as u32).map(id).collect::<Vec<String>>();
    let customers = ids(books.customers.len(), &|customer| books.customer_id(customer));
    let items = ids(books.subscriptions.len(), &|item| books.item_id(item));
    writeln!(text, "{customers:?}\n{items:?}\n{:?}", books.facts.offers).unwrap();
    writeln!(text, "{} {:?} {:?} {:?}", books.reporting, books.overlaps, books.conflicts, books.errors).unwrap();
    writeln!(text, "{:?} {:?}", books.facts.recorded, books.file_firsts).unwrap();
    let files: Vec<_> = books.files.iter().map(|file| (&file.path, file.import)).collect();
    writeln!(text, "{files:?} {:?}", books.revalue_until).unwrap();
    let mut portion = Portion::default();
    for customer in 0..books.customers.len() as u32 {
        books.facts.portion(customer..customer + 1, &books.view.policy, &mut portion).unwrap();
        let Portion { rows, terms, worth } = &mut portion;
        // Books that went along need not hold what was superseded.
        for of_item in rows.chunk_by_mut(|one, other| one.subscription == other.subscription) {
            let left_out = superseded(of_item, terms, &books.facts.recorded).facts;
            for row in of_item.iter().filter(|row| !left_out.contains(&row.fact)) {
                let (terms, worth) = (&terms[row.terms as usize], worth[row.terms as usize]);
                writeln!(text, "{:?} {terms:?} {worth:?}", Row { terms: 0, ..*row }).unwrap();
            }
        }
    }
    let shared: Vec<u32> = books.facts.shares.iter().flat_map(|share| share.customers.clone()).collect();
    assert_eq!(shared, (0..books.customers.len() as u32).collect::<Vec<_>>(), "each customer is in one share");
    assert_eq!(books.facts.shares.iter().map(|share| share.facts).sum::<usize>(), books.facts.len());
    for customer in &customers {
        assert!(books.customer_of_id(customer).is_some_and(|number| customers[number as usize] == *customer));
    }
    text
}

/// A handful of figures, what one is made of, and where all facts came from.
fn answers(books: &Books) -> String {
    static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::built_in().unwrap());
    let question = |metrics: &[&str], by: &[&str], from: &str| Question {
        metrics: metrics.iter().map(|id| CATALOGUE.resolve(id, None).unwrap()).collect(),
        grain: Grain::Month,
        from: Day::parse(from).unwrap(),
        to: Day::parse("2025-06-16").unwrap(),
        by: by.iter().map(|name| (*name).to_owned()).collect(),
        filters: Vec::new(),
        assumptions: Assumptions::default(),
    };
    let mut text = String::new();
    let metrics = ["mrr", "mrr_new", "mrr_churned", "customers", "customer_churn", "nrr", "arpa", "quick_ratio"];
    for by in [&[][..], &["plan"], &["country"]] {
        // A dimension that no customer has yet is refused by both alike.
        match engine::answer(books, &question(&metrics, by, "2024-10-01")) {
            Err(error) => writeln!(text, "{error}").unwrap(),
            Ok(figures) => {
                for figure in figures {
                    let (id, label) = (&figure.metric.metric.id, figure.period.label);
                    writeln!(text, "{id} {label} {:?} {} {:?}", figure.segment, figure.text(6), figure.note).unwrap();
                }
            }
        }
    }
    // What is counted over facts of other kinds, which stay on the shelf where nothing of theirs came.
    for by in [&[][..], &["country"]] {
        let other = question(&["revenue_cash", "payments_failed", "support_requests"], by, "2024-10-01");
        match engine::answer(books, &other) {
            Err(error) => writeln!(text, "{error}").unwrap(),
            Ok(figures) => {
                for figure in figures {
                    let (id, label) = (&figure.metric.metric.id, figure.period.label);
                    writeln!(text, "{id} {label} {:?} {} {:?}", figure.segment, figure.text(6), figure.note).unwrap();
                }
            }
        }
    }
    for opened in contributions(books, &question(&["mrr"], &[], "2025-06-01")).unwrap() {
        writeln!(text, "{:?} {:?}", opened.facts, opened.value).unwrap();
    }
    let origins = Origins::kept(books).unwrap();
    for fact in 0..books.facts.read() {
        write!(text, "{} ", origins.of(fact).unwrap().place()).unwrap();
    }
    text
}

/// Bytes that decide, and nothing once they are spent.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn of(&mut self, count: usize) -> usize {
        usize::from(*self.0.next().unwrap_or(&0)) % count
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.of(of.len())]
    }
}

/// What ids look like.
#[derive(Clone, Copy)]
enum Spelling {
    Short,
    Long,
    Mixed,
}

fn id(spelling: Spelling, sort: &str, number: usize) -> String {
    match spelling {
        Spelling::Short => format!("{sort}_{number}"),
        Spelling::Long => format!("{sort}_{number}-with-a-long-and-winding-name"),
        Spelling::Mixed if number == 7 => format!("another-beginning-{sort}"),
        Spelling::Mixed => format!("{sort}_{number}"),
    }
}

fn row(choices: &mut Choices<'_>, spelling: Spelling) -> String {
    let subscription = choices.of(9);
    // Most subscriptions stay with one customer.
    let customer = if choices.of(12) == 11 { choices.of(8) } else { subscription * 5 % 8 };
    let id = |sort: &str, number: usize| id(spelling, sort, number);
    let month = 1 + choices.of(10);
    let clock = choices.pick(&["", "", "", "T08:30:00Z", "T23:10:00Z"]);
    let start = format!("2025-{month:02}-{:02}{clock}", choices.pick(&[1, 1, 10, 20]));
    let end = choices.pick(&["", "", "2025-05-05", "2025-12-01"]);
    let end = if *end < *start { "" } else { end };
    let amount = choices.pick(&["10", "20", "99.99", "12000000", "0", "31.0000001"]);
    let trial = if choices.of(6) == 5 { "2025-04-20" } else { "" };
    let cancel = choices.pick(&[",", ",", ",", "2025-11-11,", "2025-11-11,card failed"]);
    format!(
        "{},{},{},{},{},{amount},{},{},{},{},{trial},{cancel},{start},{end}\n",
        id("sub", subscription),
        choices.pick(&["", "", "", "si_1", "si_2"]),
        id("cus", customer),
        choices.pick(&["m", "b", "z", "", "k"]),
        choices.pick(&["USD", "USD", "USD", "EUR"]),
        choices.pick(&["month", "year", "week"]),
        1 + choices.of(3),
        choices.pick(&[",", ",", "20,forever", "50,once"]),
        choices.pick(&["active", "active", "active", "paused", "past_due"]),
    )
}

fn happens(company: &mut Company, choices: &mut Choices<'_>, spelling: Spelling) -> &'static str {
    let rows = |choices: &mut Choices<'_>, most: usize| -> String {
        let rows = 1 + choices.of(most);
        std::iter::once(HEADER.to_owned()).chain((0..rows).map(|_| row(choices, spelling))).collect()
    };
    match choices.of(18) {
        0..9 => {
            let text = rows(choices, 4);
            company.import("subscription", &text);
            "rows"
        }
        9 => {
            let text = rows(choices, 6);
            company.import_from("file", "subscription", &text, true);
            "the whole truth"
        }
        10 => {
            let text = rows(choices, 2);
            company.import_from("another", "subscription", &text, false);
            "another source"
        }
        11 | 12 => {
            let day = format!("2025-{:02}-03", 1 + choices.of(6));
            let rate = choices.pick(&["1.1", "1.2", "0.9"]);
            company.import("fx_rate", &format!("day,base,quote,rate\n{day},EUR,USD,{rate}\n"));
            "a rate"
        }
        13 => {
            let (customer, country) = (id(spelling, "cus", choices.of(8)), choices.pick(&["FR", "DE", ""]));
            company.import("customer", &format!("customer,country\n{customer},{country}\n"));
            "a customer"
        }
        14 => {
            let (customer, payment) = (id(spelling, "cus", choices.of(8)), choices.of(5));
            let status = choices.pick(&["succeeded", "failed"]);
            let row = format!("p{payment},{customer},10,USD,2025-02-0{},{status}\n", 1 + payment);
            company.import("payment", &format!("payment,customer,amount,currency,paid_at,status\n{row}"));
            "a payment"
        }
        15 | 16 => {
            let (customer, ticket) = (id(spelling, "cus", choices.of(8)), choices.of(5));
            company.import(
                "ticket",
                &format!("ticket,customer,opened_at\nt{ticket},{customer},2025-03-0{}\n", 1 + ticket),
            );
            "a ticket"
        }
        _ => {
            let _ = company.lake.compact("subscription");
            "a compaction"
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn books_that_went_along_are_those_that_are_opened(bytes in vec(any::<u8>(), 40..400)) {
        let mut choices = Choices(bytes.iter());
        let spelling = choices.pick(&[Spelling::Short, Spelling::Long, Spelling::Mixed]);
        let in_minutes = choices.of(4) == 3;
        let zone = choices.pick(&["UTC", "America/New_York"]);
        let mut company = Company::new();
        let view = |company: &Company| {
            let mut view = company.view();
            view.zone = Zone::parse(zone).unwrap();
            if in_minutes {
                view.policy.settle_window = SettleWindow::Minutes(5);
            }
            view
        };
        company.import("fx_rate", "day,base,quote,rate\n2024-01-01,EUR,USD,1.05\n");
        for number in 0..4 {
            let customer = id(spelling, "cus", number * 2);
            company.import("customer", &format!("customer,country\n{customer},FR\n"));
            company.import("ticket", &format!("ticket,customer,opened_at\nu{number},{customer},2025-04-02\n"));
        }
        let first: String = std::iter::once(HEADER.to_owned()).chain((0..3).map(|_| row(&mut choices, spelling))).collect();
        company.import("subscription", &first);
        let mut live = Arc::new(Books::open(&company.lake, view(&company)).unwrap());
        let mut overlay: Option<Overlay> = None;
        for _ in 0..6 {
            let mut what = happens(&mut company, &mut choices, spelling).to_owned();
            // Several commits may come while one is read.
            for _ in 0..choices.of(3) {
                what = format!("{what}, {}", happens(&mut company, &mut choices, spelling));
            }
            let opened = Books::open(&company.lake, view(&company)).unwrap();
            let before = live.snapshot;
            let advanced = live.advance(&company.lake, view(&company)).unwrap();
            let how = format!("{what} after {before:?}: {:?}", advanced.obstacle);
            prop_assert_eq!(&*advanced.books.ledger, &*opened.ledger, "{}", how);
            prop_assert_eq!(said(&advanced.books), said(&opened), "{}", how);
            prop_assert_eq!(answers(&advanced.books), answers(&opened), "{}", how);
            let touched = advanced.books.touched_since(&live);
            if let Customers::These(touched) = &touched {
                prop_assert!(untouched_are_the_same(&live, &advanced.books, touched), "{}", how);
            }
            let all = changes(&live, &opened, &Customers::Any);
            prop_assert_eq!(&changes(&live, &advanced.books, &touched), &all, "{}", how);
            let now = Arc::new(advanced.books);
            // What lies over older books says the same, for as long as it can say anything.
            let laid = overlay.get_or_insert_with(|| Overlay::over(Arc::clone(&live)).unwrap());
            match laid.advance(&company.lake, &view(&company)).unwrap() {
                Ok(told) => {
                    prop_assert_eq!(told, in_order_of_ids(all), "{}", how);
                    prop_assert_eq!(laid.mrr_now_micros(), now.mrr_now_micros(), "{}", how);
                    prop_assert!(advanced.obstacle.is_none_or(|it| matches!(it, Obstacle::Much | Obstacle::OtherIds | Obstacle::OtherFiles)), "{}", how);
                    if choices.of(3) == 0 {
                        overlay = None;
                    }
                }
                Err(_) => overlay = None,
            }
            live = now;
        }
    }
}

fn in_order_of_ids(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_unstable_by(|one, other| one.customer.cmp(&other.customer));
    changes
}

/// Whether every customer that is not listed has the movements that it had.
fn untouched_are_the_same(before: &Books, now: &Books, touched: &[(Option<u32>, u32)]) -> bool {
    let of = |books: &Books| -> BTreeMap<String, Vec<(i32, String, i64, String)>> {
        let row = |row: usize| {
            let ledger = &books.ledger;
            let offer = &books.facts.offers[ledger.offer[row] as usize];
            (ledger.day[row], books.item_id(ledger.subscription[row]), ledger.delta_micros[row], offer.plan.clone())
        };
        let all = 0..books.customers.len();
        all.map(|customer| (books.customer_id(customer as u32), books.ledger.of_customer(customer).map(row).collect()))
            .collect()
    };
    let (mut one, mut other) = (of(before), of(now));
    for (was, is) in touched {
        assert_eq!(was.map(|was| before.customer_id(was)), was.map(|_| now.customer_id(*is)));
        one.remove(&now.customer_id(*is));
        other.remove(&now.customer_id(*is));
    }
    one == other
}

/// What became of books when a company's imports went on.
fn obstacle_of(first: &[&str], then: impl FnOnce(&mut Company)) -> Option<Obstacle> {
    let mut company = Company::new();
    company.subscriptions(first);
    let before = Books::open(&company.lake, company.view()).unwrap();
    then(&mut company);
    let opened = Books::open(&company.lake, company.view()).unwrap();
    let advanced = before.advance(&company.lake, company.view()).unwrap();
    assert_eq!(said(&advanced.books), said(&opened));
    assert_eq!(advanced.books.ledger, opened.ledger);
    advanced.obstacle
}

/// Why what came could not be laid over the books of a company, where it could not.
fn obstacle_to_laying(first: &[&str], then: impl FnOnce(&mut Company)) -> Option<Obstacle> {
    let mut company = Company::new();
    company.subscriptions(first);
    let before = Arc::new(Books::open(&company.lake, company.view()).unwrap());
    let mut overlay = Overlay::over(Arc::clone(&before)).unwrap();
    then(&mut company);
    let now = Books::open(&company.lake, company.view()).unwrap();
    let told = overlay.advance(&company.lake, &company.view()).unwrap();
    if let Ok(told) = &told {
        assert_eq!(*told, in_order_of_ids(changes(&before, &now, &Customers::Any)));
        assert_eq!(overlay.mrr_now_micros(), now.mrr_now_micros());
        assert_eq!(overlay.advance(&company.lake, &company.view()).unwrap(), Ok(Vec::new()), "nothing is told twice");
    }
    told.err()
}

const TWO: [&str; 2] = ["sub_1,cus_b,team,USD,10,month,2025-01-01,", "sub_2,cus_d,team,USD,20,month,2025-02-01,"];

#[test]
fn what_usually_comes_is_gone_along_with() {
    let usual: [&[&str]; 5] = [
        &["sub_1,cus_b,team,USD,15,month,2025-03-01,"],
        &["sub_1,cus_b,team,USD,12,month,2025-01-01,"],
        &["sub_3,cus_a,team,USD,30,month,2025-03-01,", "sub_4,cus_e,a-new-plan,USD,30,month,2025-03-01,"],
        &["sub_0,cus_c,solo,USD,3,year,2025-03-01,2025-05-01", "sub_1,cus_b,team,USD,0,month,2025-04-01,"],
        &["sub_5,cus_b,team,USD,15000000,month,2025-03-01,"],
    ];
    for rows in usual {
        assert_eq!(obstacle_of(&TWO, |company| company.subscriptions(rows)), None, "{rows:?}");
        assert_eq!(obstacle_to_laying(&TWO, |company| company.subscriptions(rows)), None, "{rows:?}");
    }
    let a_rate = |company: &mut Company| company.import("fx_rate", "day,base,quote,rate\n2025-01-01,EUR,USD,1.1\n");
    assert_eq!(obstacle_of(&TWO, a_rate), None);
    assert_eq!(obstacle_to_laying(&TWO, a_rate), Some(Obstacle::Unvalued), "any amount may be worth something else");
    let withdrawal = |company: &mut Company| {
        company.import_from(
            "file",
            "subscription",
            &format!("{HEADER}sub_1,,cus_b,team,USD,10,month,1,,,,,,,2025-01-01,\n"),
            true,
        );
    };
    assert_eq!(obstacle_of(&TWO, withdrawal), None);
    assert_eq!(obstacle_to_laying(&TWO, withdrawal), None);
    let long =
        ["sub-of-a-system-with-long-names-3,customer-of-a-system-with-long-names-b,team,USD,1,month,2025-01-01,"];
    let longer =
        ["sub-of-a-system-with-long-names-2,customer-of-a-system-with-long-names-a,team,USD,1,month,2025-01-01,"];
    let mixed = [long[0], "another-beginning,and-another-beginning,team,USD,1,month,2025-01-01,"];
    assert_eq!(obstacle_of(&mixed, |company| company.subscriptions(&longer)), None, "ranks make room");
    assert_eq!(obstacle_to_laying(&mixed, |company| company.subscriptions(&longer)), None);
}

#[test]
fn what_cannot_be_gone_along_with_is_read_anew() {
    let rows = |rows: &'static [&str]| obstacle_of(&TWO, move |company| company.subscriptions(rows));
    let laid = |rows: &'static [&str]| obstacle_to_laying(&TWO, move |company| company.subscriptions(rows));
    assert_eq!(laid(&["sub_1,cus_d,team,USD,10,month,2025-01-01,"]), Some(Obstacle::Moved));
    assert_eq!(
        laid(&["sub_9,cus_f,team,USD,10,month,2025-01-01,", "sub_9,cus_g,team,USD,1,month,2025-03-01,"]),
        Some(Obstacle::Moved)
    );
    assert_eq!(laid(&["sub_3,another,team,USD,10,month,2025-01-01,"]), None, "ids lie beside those of the books");
    assert_eq!(rows(&["sub_1,cus_d,team,USD,10,month,2025-01-01,"]), Some(Obstacle::Moved));
    assert_eq!(
        rows(&["sub_9,cus_f,team,USD,10,month,2025-01-01,", "sub_9,cus_g,team,USD,1,month,2025-03-01,"]),
        Some(Obstacle::Moved)
    );
    assert_eq!(rows(&["sub_3,another,team,USD,10,month,2025-01-01,"]), Some(Obstacle::OtherIds));
    let another = |company: &mut Company| {
        company.import_from(
            "another",
            "subscription",
            &format!("{HEADER}sub_7,,cus_b,team,USD,1,month,1,,,,,,,2025-01-01,\n"),
            false,
        );
    };
    assert_eq!(obstacle_of(&TWO, another), Some(Obstacle::AnotherSource));
    assert_eq!(obstacle_to_laying(&TWO, another), Some(Obstacle::AnotherSource));
    assert_eq!(obstacle_of(&[], |company| company.subscriptions(&TWO)), Some(Obstacle::NothingBefore));
}

#[test]
fn what_was_superseded_is_left_out_and_read_again_where_it_is_asked_for() {
    let mut company = Company::new();
    let at = |minute: usize| format!("2025-03-01T{:02}:{:02}:00Z", 8 + minute / 60, minute % 60);
    let state = |minute: usize, end: &str| format!("sub_1,cus_b,team,USD,{},month,{},{end}", 10 + minute, at(minute));
    company.subscriptions(&[&state(0, ""), TWO[1]]);
    let mut live = Arc::new(Books::open(&company.lake, company.view()).unwrap());
    let go_along = |live: &mut Arc<Books>, company: &Company, wanted: Option<Obstacle>| {
        let mut overlay = Overlay::over(Arc::clone(live)).unwrap();
        let told = overlay.advance(&company.lake, &company.view()).unwrap();
        let opened = Books::open(&company.lake, company.view()).unwrap();
        let advanced = live.advance(&company.lake, company.view()).unwrap();
        assert_eq!((advanced.obstacle, told.as_ref().err().copied()), (wanted, wanted));
        if let Ok(told) = told {
            assert_eq!(told, in_order_of_ids(changes(live, &opened, &Customers::Any)));
        }
        assert_eq!(said(&advanced.books), said(&opened));
        assert_eq!(answers(&advanced.books), answers(&opened));
        assert_eq!(advanced.books.ledger, opened.ledger);
        *live = Arc::new(advanced.books);
        opened.facts.len()
    };
    for minute in 1..40 {
        company.subscriptions(&[&state(minute - 1, &at(minute)), &state(minute, "")]);
        assert_eq!(go_along(&mut live, &company, None), 2 + 2 * minute);
        assert!(live.facts.len() <= 3, "{} facts are held after {minute} changes", live.facts.len());
    }
    // A state in the middle of the day was another one.
    company.subscriptions(&[&state(20, "2025-04-01")]);
    go_along(&mut live, &company, Some(Obstacle::OutOfTurn));
    company.subscriptions(&[&state(39, &at(45)), &state(45, "")]);
    go_along(&mut live, &company, None);
    assert!(live.facts.len() <= 44, "{} facts are held", live.facts.len());
}

#[test]
fn merged_files_are_gone_along_with_and_of_them_only_what_came_later_is_read() {
    let rows: [&[&str]; 3] = [
        &["sub_1,cus_b,team,USD,15,month,2025-03-01,"],
        &["sub_3,cus_a,team,EUR,30,month,2025-03-01,", "sub_4,cus_e,team,USD,30,week,2025-03-01,"],
        &["sub_5,cus_c,solo,USD,3,month,2025-03-01,2025-05-01"],
    ];
    let mut company = Company::new();
    company.import("fx_rate", "day,base,quote,rate\n2025-01-01,EUR,USD,1.1\n");
    company.subscriptions(&TWO);
    company.subscriptions(rows[0]);
    let opened = |company: &Company| Books::open(&company.lake, company.view()).unwrap();
    let mut live = opened(&company);
    let mut go_along = |company: &Company, files: usize| {
        let advanced = live.advance(&company.lake, company.view()).unwrap();
        let (books, anew) = (advanced.books, opened(company));
        assert_eq!((advanced.obstacle, books.files.len()), (None, files));
        assert_eq!((said(&books), &books.ledger), (said(&anew), &anew.ledger));
        for fact in 0..books.facts.read() {
            assert_eq!(origin::stated(&books, fact).unwrap(), origin::stated(&anew, fact).unwrap());
        }
        let touched = books.touched_since(&live);
        live = books;
        touched
    };
    company.lake.compact("subscription").unwrap();
    assert_eq!(go_along(&company, 1), Customers::These(Vec::new()), "nothing came");
    company.subscriptions(rows[1]);
    company.subscriptions(rows[2]);
    company.lake.compact("subscription").unwrap();
    let touched = Customers::These(vec![(None, 0), (None, 2), (None, 4)]);
    assert_eq!(go_along(&company, 1), touched, "the file that was merged holds facts that were known");
    company.subscriptions(&["sub_1,cus_b,team,USD,16,month,2025-03-01,"]);
    company.lake.compact("subscription").unwrap();
    company.subscriptions(&["sub_5,cus_c,solo,USD,4,month,2025-03-01,2025-05-01"]);
    assert_eq!(go_along(&company, 2), Customers::These(vec![(Some(1), 1), (Some(2), 2)]));
}

#[test]
fn of_a_merged_file_what_is_not_known_yet_is_read_later() {
    let mut company = Company::new();
    company.subscriptions(&TWO);
    let before = Books::open(&company.lake, company.view()).unwrap();
    company.subscriptions(&["sub_1,cus_b,team,USD,15,month,2025-03-01,"]);
    let (earlier, anew) = (company.view(), Books::open(&company.lake, company.view()).unwrap());
    company.subscriptions(&["sub_3,cus_a,team,USD,30,month,2025-03-01,"]);
    company.lake.compact("subscription").unwrap();
    let advanced = before.advance(&company.lake, earlier).unwrap();
    assert_eq!((advanced.obstacle, &advanced.books.ledger), (None, &anew.ledger));
    let advanced = advanced.books.advance(&company.lake, company.view()).unwrap();
    let opened = Books::open(&company.lake, company.view()).unwrap();
    assert_eq!((advanced.obstacle, said(&advanced.books)), (None, said(&opened)));
}

#[test]
fn other_choices_are_opened_anew_and_what_is_missing_is_said_as_ever() {
    let mut company = Company::new();
    company.subscriptions(&TWO);
    let before = Books::open(&company.lake, company.view()).unwrap();
    let mut view = company.view();
    view.policy.settle_window = SettleWindow::Minutes(5);
    assert_eq!(before.advance(&company.lake, view).unwrap().obstacle, Some(Obstacle::OtherView));
    let same = before.advance(&company.lake, company.view()).unwrap();
    assert_eq!((same.obstacle, same.books.touched_since(&before)), (None, Customers::These(Vec::new())));
    assert!(Arc::ptr_eq(&same.books.ledger, &before.ledger), "nothing is copied where nothing came");
    company.subscriptions(&["sub_3,cus_a,team,EUR,10,month,2025-01-01,"]);
    let missing = before.advance(&company.lake, company.view()).err().map(|error| error.to_string());
    assert_eq!(missing, Books::open(&company.lake, company.view()).err().map(|error| error.to_string()));
    assert!(missing.is_some_and(|words| words.contains("EUR to USD")));
}

#[test]
fn a_correction_takes_back_what_was_said_and_says_what_is() {
    let mut company = Company::new();
    company.subscriptions(&TWO);
    let before = Books::open(&company.lake, company.view()).unwrap();
    company.subscriptions(&["sub_1,cus_b,team,USD,12,month,2025-01-01,", "sub_0,cus_a,team,USD,5,month,2025-07-01,"]);
    let now = before.advance(&company.lake, company.view()).unwrap().books;
    let said: Vec<String> = changes(&before, &now, &now.touched_since(&before))
        .iter()
        .map(|change| {
            let lines = |sign: &str, moved: &[crate::books::change::Moved]| -> String {
                let line = |moved: &crate::books::change::Moved| {
                    format!(" {sign}{} {} {}", moved.day, moved.kind.name(), moved.delta_micros / 1_000_000)
                };
                moved.iter().map(line).collect()
            };
            let (before, now) = (change.before_micros / 1_000_000, change.now_micros / 1_000_000);
            format!("{} {before}->{now}{}{}", change.customer, lines("-", &change.went), lines("+", &change.came))
        })
        .collect();
    // What is to come is a movement, and no MRR yet.
    assert_eq!(said, ["cus_a 0->0 +2025-07-01 new 5", "cus_b 10->12 -2025-01-01 new 10 +2025-01-01 new 12"]);
    assert_eq!((before.mrr_now_micros(), now.mrr_now_micros()), (30_000_000, 32_000_000));
}

/// How health is judged by some books, and how every customer is.
fn health_said(books: &Books) -> String {
    let Some(model) = Model::of(books).unwrap() else { return "nothing".to_owned() };
    let mut text = format!("{:?} {:?} {:?}\n", model.way, model.ground, model.weights());
    for customer in 0..books.customers.len() as u32 {
        for day in ["2025-03-01", "2025-05-02", "2025-06-16"] {
            let judged = model.judge(customer, Day::parse(day).unwrap());
            writeln!(text, "{} {day} {judged:?}", books.customer_id(customer)).unwrap();
        }
    }
    text
}

const EVENTS: &str = "event,user,customer,name,occurred,feature\n";

/// Something that may bear on health happens.
fn bears_on_health(company: &mut Company, choices: &mut Choices<'_>) -> &'static str {
    let customer = format!("cus_{}", choices.of(9));
    let (user, month) = (choices.of(6), 1 + choices.of(5));
    match choices.of(8) {
        0..4 => {
            let end = choices.pick(&["", "", "2025-06-01"]);
            company.subscriptions(&[&format!("sub_{customer},{customer},team,USD,10,month,2025-0{month}-01,{end}")]);
            "a contract"
        }
        4 => {
            // Of some the customer is known by the user alone.
            let stated = if choices.of(2) == 1 { customer.as_str() } else { "" };
            let name = choices.pick(&["login", "boards", "share"]);
            let row = format!("e{},u{user},{stated},{name},2025-0{month}-1{},\n", company.imports, choices.of(9));
            company.import("product_event", &format!("{EVENTS}{row}"));
            "an event"
        }
        5 => {
            company.import("signup", &format!("signup,customer,signed_up\nu{user},{customer},2025-01-0{month}\n"));
            "a sign-up"
        }
        6 => {
            let country = choices.pick(&["FR", "DE"]);
            company.import("customer", &format!("customer,country\n{customer},{country}\n"));
            "a customer"
        }
        _ => {
            let row = format!("p{month},{customer},10,USD,2025-02-0{month},succeeded\n");
            company.import("payment", &format!("payment,customer,amount,currency,paid_at,status\n{row}"));
            "a payment"
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn health_that_went_along_is_that_of_books_that_are_opened(bytes in vec(any::<u8>(), 40..200)) {
        let mut choices = Choices(bytes.iter());
        let by_hand = choices.of(4) == 3;
        let mut company = Company::new();
        let view = |company: &Company| {
            let mut view = company.view();
            if by_hand {
                view.health_weights = vec![("boards".to_owned(), 2.0), ("login".to_owned(), 1.0)];
            }
            view
        };
        company.subscriptions(&TWO);
        let rows = "e1,u1,cus_b,login,2025-02-01,\ne2,u2,,boards,2025-03-01,\ne3,u3,cus_7,share,2025-05-01,\n";
        company.import("product_event", &format!("{EVENTS}{rows}"));
        let mut live = Books::open(&company.lake, view(&company)).unwrap();
        for _ in 0..6 {
            // Of some books nobody asks what health is.
            if choices.of(3) < 2 {
                health_said(&live);
            }
            let what = bears_on_health(&mut company, &mut choices);
            let opened = Books::open(&company.lake, view(&company)).unwrap();
            let advanced = live.advance(&company.lake, view(&company)).unwrap();
            if choices.of(2) == 0 {
                prop_assert_eq!(health_said(&advanced.books), health_said(&opened), "{}", what);
            }
            live = advanced.books;
        }
        let opened = Books::open(&company.lake, view(&company)).unwrap();
        prop_assert_eq!(health_said(&live), health_said(&opened));
    }
}

#[test]
fn events_of_the_product_are_read_again_only_where_they_may_say_something_else() {
    let mut company = Company::new();
    company.subscriptions(&TWO);
    let rows = "e1,u1,cus_b,login,2025-02-01,\ne2,u2,cus_x,boards,2025-03-01,\n";
    company.import("product_event", &format!("{EVENTS}{rows}"));
    let mut live = Books::open(&company.lake, company.view()).unwrap();
    let mut is_taken_over = |company: &Company| {
        let before = Model::of(&live).unwrap().unwrap();
        let advanced = live.advance(&company.lake, company.view()).unwrap();
        assert_eq!(advanced.obstacle, None);
        let opened = Books::open(&company.lake, company.view()).unwrap();
        assert_eq!(health_said(&advanced.books), health_said(&opened));
        let now = Model::of(&advanced.books).unwrap().unwrap();
        live = advanced.books;
        now.took_over(&before)
    };
    assert!(is_taken_over(&company), "nothing came");
    company.subscriptions(&["sub_1,cus_b,team,USD,15,month,2025-03-01,"]);
    assert!(is_taken_over(&company), "of somebody who is known");
    company.subscriptions(&["sub_3,cus_a,team,USD,10,month,2025-01-01,", "sub_5,cus_e,team,USD,10,month,2025-01-01,"]);
    assert!(is_taken_over(&company), "of somebody new, who did nothing");
    company
        .import("payment", "payment,customer,amount,currency,paid_at,status\np1,cus_b,10,USD,2025-02-01,succeeded\n");
    assert!(is_taken_over(&company), "nothing that bears on it");
    company.subscriptions(&["sub_6,cus_x,team,USD,10,month,2025-01-01,"]);
    assert!(!is_taken_over(&company), "somebody new did something before");
    company.import("signup", "signup,customer,signed_up\nu2,cus_b,2025-01-01\n");
    assert!(!is_taken_over(&company), "whose a user is may be another");
    company.import("product_event", &format!("{EVENTS}e3,u1,cus_b,login,2025-04-01,\n"));
    assert!(!is_taken_over(&company), "an event came");
}

#[test]
fn attributes_stay_where_nobody_came_and_nothing_was_stated_of_customers() {
    let mut company = Company::new();
    company.subscriptions(&TWO);
    company.import("customer", "customer,country\ncus_b,FR\ncus_x,DE\n");
    let country = |books: &Books| {
        let names = ["country".to_owned()].into();
        let found = books.cubes.attributes(names, |names| Ok(books.attributes(names)?)).unwrap();
        let attributes = Arc::clone(&found["country"]);
        let values = attributes.of_customer.iter().map(|code| Some(&attributes.values[(*code)? as usize]));
        (format!("{:?}", values.collect::<Vec<_>>()), Arc::clone(&attributes))
    };
    let mut live = Books::open(&company.lake, company.view()).unwrap();
    let mut is_taken_over = |company: &Company| {
        let now = live.advance(&company.lake, company.view()).unwrap().books;
        let opened = Books::open(&company.lake, company.view()).unwrap();
        assert_eq!(country(&now).0, country(&opened).0);
        let is_same = Arc::ptr_eq(&country(&live).1, &country(&now).1);
        live = now;
        is_same
    };
    country(&Books::open(&company.lake, company.view()).unwrap());
    assert!(!is_taken_over(&company), "nobody asked of the books before");
    company.subscriptions(&["sub_1,cus_b,team,USD,15,month,2025-03-01,"]);
    assert!(is_taken_over(&company));
    company.subscriptions(&["sub_9,cus_x,team,USD,15,month,2025-03-01,"]);
    assert!(!is_taken_over(&company), "somebody came of whom something was stated");
    company.import("customer", "customer,country\ncus_b,DE\n");
    assert!(!is_taken_over(&company), "something was stated");
}
