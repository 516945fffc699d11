//! `recurve check`: the laws on the user's own data, and the files that hold it.

mod words;

use std::{collections::HashSet, fmt::Display, io::Write};

use outlook::wording::Words;
use revenue::{
    calendar::{Day, Grain},
    cohort::{cohorts_add_up, triangle},
    fact::Row,
    fx::Rates,
    law::{
        Breach, Seen, billed_is_recognised_or_deferred, currencies_are_conserved, movements_add_up, segments_add_up,
        service_is_earned_out,
    },
    ledger::Ledger,
    money::Currency,
    movement::Context,
    naive,
    policy::{Exchange, Policy},
    recognition::Position,
};
use warehouse::{
    books::{Books, Origins, Portion, View, oddity},
    engine::{
        EngineError,
        billing::{BilledLine, billed_lines},
    },
    import,
    lake::{Access, LakeFault, LakeFaultKind},
};

use super::{CommandError, Outcome};
use crate::{
    listing::{self, Cell, Format, Sheet, format_of},
    session::{Options, Session},
};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Judge every customer by the naive evaluator, however long it takes
    #[arg(long)]
    thorough: bool,
}

/// A law, as lists and people call it.
struct Law {
    /// Its number in the rules.
    number: u8,
    /// The key in lists.
    key: &'static str,
    /// A short name.
    name: Words,
    /// What it says.
    words: Words,
}

/// The laws, in order.
const LAWS: &[Law] = &[
    Law {
        number: 1,
        key: "movements",
        name: Words::fixed("Movements add up", "变动相加无误", "Les mouvements s’additionnent"),
        words: Words::fixed(
            "opening MRR + movements = closing MRR, to the micro-unit; for the whole, each customer, each segment",
            "期初 MRR + 各项变动 = 期末 MRR，精确到百万分之一货币单位；对整体、每位客户、每个分组都成立",
            "MRR d’ouverture + mouvements = MRR de clôture, au millionième près ; pour le tout, chaque client, chaque \
             segment",
        ),
    },
    Law {
        number: 2,
        key: "segments",
        name: Words::fixed("Segments add up", "分组之和等于整体", "Les segments font le tout"),
        words: Words::fixed(
            "the segments of one dimension add up to the whole",
            "同一维度的各个分组之和等于整体",
            "les segments d’une dimension font ensemble le tout",
        ),
    },
    Law {
        number: 3,
        key: "order",
        name: Words::fixed("Order does not matter", "与顺序无关", "L’ordre ne compte pas"),
        words: Words::fixed(
            "the same facts in any order, in any batches, any number of times: the same ledger, byte for byte",
            "相同的事实，无论以何种顺序、分几批、导入几次，账本逐字节相同",
            "les mêmes faits dans n’importe quel ordre, en lots quelconques, autant de fois que l’on veut : le même \
             grand livre, octet pour octet",
        ),
    },
    Law {
        number: 4,
        key: "rebuild",
        name: Words::fixed("Counted twice, the same", "两种算法结果一致", "Compté deux fois, pareil"),
        words: Words::fixed(
            "the fast ledger = the naive reference evaluator's ledger",
            "快速账本 = 逐条推算的参照账本",
            "le grand livre rapide = celui de l’évaluateur de référence, qui suit la règle pas à pas",
        ),
    },
    Law {
        number: 5,
        key: "as-known-at",
        name: Words::fixed("The past stays known", "过去所知不变", "Le passé reste connu"),
        words: Words::fixed(
            "what was known at T stays so, whatever arrives later",
            "某一时刻所知的结果不因之后到来的数据而改变",
            "ce qui était connu à un instant le reste, quoi qu’il arrive ensuite",
        ),
    },
    Law {
        number: 6,
        key: "cohorts",
        name: Words::fixed("Cohorts only shrink", "同期群只减不增", "Les cohortes ne font que décroître"),
        words: Words::fixed(
            "a cohort never grows in customers beyond its start, and the cohorts' MRR adds up to the whole",
            "同期群的客户数从不超过起始数，各同期群的 MRR 之和等于整体",
            "une cohorte ne dépasse jamais son nombre de clients de départ, et les MRR des cohortes font le tout",
        ),
    },
    Law {
        number: 7,
        key: "currencies",
        name: Words::fixed("Currencies are conserved", "各币种金额守恒", "Les devises sont conservées"),
        words: Words::fixed(
            "currency totals before conversion are conserved",
            "折算前各币种的合计保持不变",
            "les totaux par devise, avant conversion, sont conservés",
        ),
    },
    Law {
        number: 8,
        key: "recognition",
        name: Words::fixed("Billed is earned or owed", "开票额 = 已确认 + 递延", "Le facturé est acquis ou différé"),
        words: Words::fixed(
            "money recognised + money deferred = money billed, for each invoice line and in total",
            "已确认收入 + 递延收入 = 已开票金额，每条发票明细与合计都成立",
            "produits acquis + produits différés = montants facturés, pour chaque ligne de facture et au total",
        ),
    },
];

/// The name of the check of files, and what it says when it holds.
const FILES: Words = Words::fixed("Files", "文件", "Fichiers");
const FILES_HOLD: Words = Words::fixed(
    "every file is as it was written",
    "每个文件都与写入时一致",
    "chaque fichier est tel qu’il a été écrit",
);
/// The name of what facts say against each other.
const FACTS: Words = Words::fixed("Facts", "事实", "Faits");
/// How far law 4 was judged.
const JUDGED: Words = Words::fixed("({count} facts judged)", "（已核对 {count} 条事实）", "({count} faits jugés)");
/// Under the list, when every law holds.
const ALL_HOLD: Words = Words::fixed(
    "Every law holds on {facts} facts of {customers} customers.",
    "每条定律都成立：{customers} 位客户的 {facts} 条事实。",
    "Chaque loi tient, sur {facts} faits de {customers} clients.",
);

/// Facts that the naive evaluator judges unless it is asked for all: it is slow by design.
const JUDGED_FACTS: usize = 20_000;

/// Checks everything, lists it, and ends with 3 when a law is broken or a file damaged.
pub fn run(options: &Options, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let session = Session::open(options, Access::Read)?;
    let outcome = listing::write(options, |sheet| answer(&session, arguments, sheet))?;
    if format_of(options) == Format::Table && outcome == Outcome::Done {
        let books = session.books()?;
        let words = ALL_HOLD
            .with("{facts}", || books.facts.len().to_string())
            .with("{customers}", || books.customers.len().to_string());
        writeln!(std::io::stdout(), "{}", words.say(session.language()?))?;
    }
    Ok(outcome)
}

/// Checks everything; the outcome says whether all holds.
pub fn answer(session: &Session, arguments: &Arguments, sheet: &mut dyn Sheet) -> Result<Outcome, CommandError> {
    let faults = session.lake.verify()?;
    let language = session.language()?;
    sheet.begin(["check", "result", "name", "words"])?;
    // A file that nobody names harms nobody: an import may be writing it now.
    let harmless = |fault: &LakeFault| fault.kind == LakeFaultKind::Orphan;
    let broken = faults.iter().any(|fault| !harmless(fault));
    let files = if broken { "broken" } else { "holds" };
    let of_files = Cell::text(FILES.say(language));
    sheet.row(&[Cell::text("files"), Cell::text(files), of_files.clone(), Cell::text(FILES_HOLD.say(language))])?;
    for fault in &faults {
        sheet.row(&[
            Cell::text("files"),
            Cell::text(if harmless(fault) { "issue" } else { "broken" }),
            of_files.clone(),
            Cell::text(format!(
                "{}: {}. {}",
                fault.path.display(),
                fault.message.say(language),
                fault.help.say(language)
            )),
        ])?;
    }
    if broken {
        return Ok(Outcome::Breach);
    }
    let books = session.books()?;
    let mut breaches = movements_add_up(&books.ledger);
    let through = books.ledger.day.iter().max().map_or(0, |day| *day);
    breaches.extend(segments_add_up(&books.ledger, &books.facts.offers, through));
    let (again, shuffled) = (Books::open(&session.lake, session.view(None)?)?, judge_order(&books));
    if again.ledger != books.ledger {
        breaches.push(Breach { law: 3, customer: None, seen: Seen::of(words::ANOTHER_LEDGER, []) });
    }
    breaches.extend(shuffled);
    let judged = judge_by_naive(&books, arguments.thorough, &mut breaches);
    judge_history(session, &books, &mut breaches)?;
    let first = books.first_movement().unwrap_or(session.today());
    let last = Day(through).plus_days(1).next_of(Grain::Month).first_of(Grain::Month);
    let cells = triangle(&books.ledger, Grain::Month, first, last, |_| Some(0));
    breaches.extend(cohorts_add_up(&books.ledger, &cells, Grain::Month, last));
    judge_currencies(&books, &mut breaches);
    judge_recognition(&books, session.today(), &mut breaches)?;

    for law in LAWS {
        let found: Vec<&Breach> = breaches.iter().filter(|breach| breach.law == law.number).collect();
        let (key, name) = (format!("law {} {}", law.number, law.key), law.name.say(language));
        let mut words = law.words.say(language).to_owned();
        if law.number == 4 {
            words = format!("{words} {}", JUDGED.with("{count}", || judged.to_string()).say(language));
        }
        let result = if found.is_empty() { "holds" } else { "broken" };
        sheet.row(&[Cell::text(key.as_str()), Cell::text(result), Cell::text(name), Cell::text(words)])?;
        for breach in found.iter().take(20) {
            let seen = match breach.customer {
                None => breach.seen.clone(),
                Some(customer) => {
                    let of_customer = Seen::of(words::OF_CUSTOMER, [("customer", &books.customer_id(customer))]);
                    of_customer.with("seen", breach.seen.clone())
                }
            };
            sheet.row(&[
                Cell::text(key.as_str()),
                Cell::text("broken"),
                Cell::text(name),
                Cell::text(words::say(&seen, language)),
            ])?;
        }
    }
    let origins = Origins::load(&books)?;
    for oddity in oddity::of_books(&books, &origins) {
        sheet.row(&[
            Cell::text("facts"),
            Cell::text("issue"),
            Cell::text(FACTS.say(language)),
            Cell::text(oddity.words(origins.imports()).say(language)),
        ])?;
    }
    Ok(if breaches.is_empty() { Outcome::Done } else { Outcome::Breach })
}

/// Law 3 on a share of the data: the rows in another order and twice give the same movements.
fn judge_order(books: &Books) -> Vec<Breach> {
    let Some(share) = books.facts.shares.first() else { return Vec::new() };
    let Some(Portion { rows, terms, worth }) = whole(books, share) else { return Vec::new() };
    let context = books.context(&terms);
    let ledger_of = |mut rows: Vec<Row>| -> Ledger {
        rows.sort_by_key(|row| (row.customer, row.subscription));
        let customers = customers_of(share);
        revenue::ledger::build(&mut rows, customers, &worth, &books.facts.recorded, &context, |_, _| {}).ledger
    };
    let mut turned: Vec<Row> = rows.iter().rev().copied().collect();
    turned.extend(rows.iter().copied());
    if ledger_of(rows) == ledger_of(turned) {
        return Vec::new();
    }
    vec![Breach { law: 3, customer: None, seen: Seen::of(words::ANOTHER_ORDER, []) }]
}

/// The customers of a share, numbered within it.
fn customers_of(share: &warehouse::books::subscriptions::Share) -> std::ops::Range<u32> {
    0..share.customers.end - share.customers.start
}

/// A whole share in the shape that the method takes; nothing for one whose prices do not fit, of which there are no books.
fn whole(books: &Books, share: &warehouse::books::subscriptions::Share) -> Option<Portion> {
    let mut portion = Portion::default();
    let made = books.facts.portion(share.customers.clone(), &books.view.policy, &mut portion);
    // The ledger of a share begins with its first customer.
    for row in &mut portion.rows {
        row.customer -= share.customers.start;
    }
    made.is_ok().then_some(portion)
}

/// Law 4: the naive evaluator says what the ledger says.
fn judge_by_naive(books: &Books, thorough: bool, breaches: &mut Vec<Breach>) -> usize {
    let mut judged = 0;
    for share in &books.facts.shares {
        if judged >= JUDGED_FACTS && !thorough {
            break;
        }
        let Some(Portion { rows, terms, worth }) = whole(books, share) else { continue };
        let context = books.context(&terms);
        let (mut own, customers) = (rows.clone(), customers_of(share));
        let built = revenue::ledger::build(&mut own, customers, &worth, &books.facts.recorded, &context, |_, _| {});
        let evaluation = naive::ledger(&rows, &books.facts.recorded, &context);
        breaches.extend(naive::agrees(&built.ledger, &evaluation).into_iter().map(|breach| Breach {
            customer: breach.customer.map(|customer| share.customers.start + customer),
            ..breach
        }));
        judged += rows.len();
    }
    judged
}

/// Law 5: what was known after each import is still told the same way: the facts of that time, taken from what is
/// known now, give the ledger that opening the books as known at that time gives.
fn judge_history(session: &Session, books: &Books, breaches: &mut Vec<Breach>) -> Result<(), CommandError> {
    let imports = session.lake.imports(books.view.as_known_at)?;
    // Where facts come row by row, an import may have brought several kinds.
    let of_subscriptions =
        imports.iter().filter(|import| ["subscription", import::SEVERAL].contains(&import.kind.as_str()));
    // The last times that differ from now: more would take as many times as long.
    for import in of_subscriptions.rev().skip(1).take(3) {
        let known = View {
            as_known_at: Some(import.recorded_at_micros),
            currency: Some(books.reporting),
            ..books.view.clone()
        };
        let earlier = imports.iter().filter(|other| other.recorded_at_micros <= import.recorded_at_micros);
        let earlier: HashSet<i64> = earlier.map(|other| other.id).collect();
        let then = Books::survey(&session.lake, known.clone())?;
        let again = Books::survey_of_imports(&session.lake, known, &earlier)?;
        if then.ledger != again.ledger {
            breaches.push(Breach {
                law: 5,
                customer: None,
                seen: Seen::of(words::ANOTHER_PAST, [("import", &import.id)]),
            });
        }
    }
    Ok(())
}

/// Law 7: what contracts are worth now in each currency, and what a ledger in that currency alone holds.
fn judge_currencies(books: &Books, breaches: &mut Vec<Breach>) {
    let mut currencies: Vec<_> = books.facts.offers.iter().map(|offer| offer.currency).collect();
    currencies.sort_unstable();
    currencies.dedup();
    let today = books.ticks.of_day(books.first_day_to_come());
    let stated = std::sync::Mutex::new(std::collections::BTreeMap::new());
    books.over_shares(|_, spans| {
        for span in spans.iter().filter(|span| !span.trial && span.from < today && span.to >= today) {
            if let Some(offer) = books.facts.offers.get(span.offer as usize) {
                let mut stated = stated.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *stated.entry(offer.currency).or_insert(0i128) += i128::from(span.monthly_micros);
            }
        }
    });
    let stated: Vec<_> = stated.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).into_iter().collect();
    // The same ledger with every rate at 1: each currency's parts then add up in that currency.
    let Some(reporting) = currencies.first().copied() else { return };
    let mut rates = Rates::default();
    for currency in &currencies {
        rates.insert(*currency, reporting, Day::EARLIEST, 1_000_000_000_000);
    }
    let policy = Policy { exchange: Exchange::AtMovement, ..books.view.policy.clone() };
    let mut booked: Vec<(Currency, i128)> = currencies.iter().map(|currency| (*currency, 0)).collect();
    for share in &books.facts.shares {
        let Some(Portion { mut rows, terms, worth }) = whole(books, share) else { continue };
        let context = Context { policy: &policy, rates: &rates, reporting, ..books.context(&terms) };
        let customers = customers_of(share);
        let built = revenue::ledger::build(&mut rows, customers, &worth, &books.facts.recorded, &context, |_, _| {});
        let ledger = &built.ledger;
        for row in (0..ledger.rows()).filter(|row| ledger.day[*row] < books.first_day_to_come().0) {
            let currency = books.facts.offers.get(ledger.offer[row] as usize).map(|offer| offer.currency);
            if let Some((_, sum)) = booked.iter_mut().find(|(known, _)| Some(*known) == currency) {
                *sum += i128::from(ledger.delta_micros[row]);
            }
        }
    }
    breaches.extend(currencies_are_conserved(&stated, &booked));
}

/// Law 8, for each invoice line and in total, at the end of each month in which anything was billed or earned.
fn judge_recognition(books: &Books, today: Day, breaches: &mut Vec<Breach>) -> Result<(), CommandError> {
    let lines = billed_lines(books)?;
    let bounds =
        lines.iter().map(|billed| (billed.line.schedule.start().min(billed.line.issued), billed.line.schedule.end()));
    let Some((mut day, last)) = bounds.reduce(|(first, last), (start, end)| (first.min(start), last.max(end))) else {
        return Ok(());
    };
    let named = |billed: &BilledLine, breach: Breach| {
        let of_line =
            [("line", &billed.id as &dyn Display), ("invoice", &billed.invoice), ("customer", &billed.customer)];
        Breach { seen: Seen::of(words::OF_LINE, of_line).with("seen", breach.seen), ..breach }
    };
    for billed in &lines {
        let found = service_is_earned_out(&billed.line, &billed.changes).map_err(EngineError::from)?;
        breaches.extend(found.into_iter().map(|breach| named(billed, breach)));
    }
    // Beyond a year from now only what is served for longer is left, and the end of each line was judged above.
    let last = last.min(today.plus_months(12));
    while day <= last {
        day = day.next_of(Grain::Month).first_of(Grain::Month);
        let mut total = Position::default();
        for billed in &lines {
            let position = billed.position(day)?;
            let found = billed_is_recognised_or_deferred(&position);
            breaches.extend(found.into_iter().map(|breach| named(billed, breach)));
            total += position;
        }
        breaches.extend(billed_is_recognised_or_deferred(&total));
    }
    Ok(())
}
