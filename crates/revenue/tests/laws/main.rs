//! The laws, over random companies: whatever the facts and whatever the policy, they hold.
//!
//! `PROPTEST_CASES=100000 cargo nextest run -p revenue --test laws` looks for longer.

#[cfg(test)]
mod books;
#[cfg(test)]
mod company;
#[cfg(test)]
mod found;
#[cfg(test)]
mod recognition;
#[cfg(test)]
mod wrong;

use std::collections::{BTreeMap, BTreeSet};

use books::{Books, Line};
use company::{Company, Fact, companies, company};
use proptest::{collection::vec, prelude::*};
use revenue::{
    calendar::{Day, Grain, Moment},
    cohort::{Cell, Kept, Member, cohorts_add_up, part_of, triangle, triangle_of},
    fact::{Reason, Row, Status, Superseded, superseded},
    law,
    ledger::Ledger,
    movement::{self, Context, Kind, Scratch},
    naive,
    policy::{Policy, SettleWindow},
    price::DiscountDuration,
    timeline::Span,
};

/// So many cases, or as many as `PROPTEST_CASES` asks for (256 is what proptest would take by itself).
fn cases(usual: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    let cases = if config.cases == 256 { usual } else { config.cases };
    ProptestConfig { cases, ..config }
}

/// Some days within and around the life of a company.
fn days(ledger: &Ledger) -> impl Iterator<Item = i32> {
    let first = ledger.day.iter().min().copied().unwrap_or_default();
    let last = ledger.day.iter().max().copied().unwrap_or_default();
    (first - 1..=last + 1).step_by(13).chain([last])
}

/// Every customer's spans.
fn spans(books: &Books<'_>) -> Vec<Vec<Span>> {
    let mut all = Vec::new();
    books.build_share(books.everybody(), |_, spans| all.push(spans.to_vec()));
    all
}

/// The facts of each import without those that contradict another of the same import: which of two contradicting
/// facts is meant depends on whether they came in one import or two.
fn without_conflicts(company: &Company) -> Vec<Vec<Fact>> {
    let zone = company.zone();
    company
        .imports
        .iter()
        .map(|import| {
            let mut keys = BTreeSet::new();
            let key = |fact: &Fact| (fact.subscription.clone(), zone.instant_of(fact.start) / 32);
            import.iter().filter(|fact| keys.insert(key(fact))).cloned().collect()
        })
        .collect()
}

/// Any order of any numbers: a shuffle that a seed decides.
fn shuffled<T>(mut things: Vec<T>, mut seed: u64) -> Vec<T> {
    for index in (1..things.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        things.swap(index, (seed >> 33) as usize % (index + 1));
    }
    things
}

fn lines_of(company: &Company, imports: &[Vec<Fact>]) -> Vec<Line> {
    let books = Books::known(company, imports, imports.len());
    books.lines(&books.build().ledger)
}

proptest! {
    #![proptest_config(cases(4_000))]

    /// Law 1. What is there is taken from the spans, not from the movements.
    #[test]
    fn law_1_opening_and_movements_are_closing(company in company()) {
        let books = Books::of(&company);
        let share = books.build();
        let ledger = share.ledger;
        prop_assert_eq!(law::movements_add_up(&ledger), vec![]);
        // Customers whose amounts could not be converted have no movements.
        let failed: BTreeSet<u32> = share.errors.iter().map(|(customer, _, _)| *customer).collect();
        let customer_of: BTreeMap<u32, u32> = books.rows.iter().map(|row| (row.subscription, row.customer)).collect();
        let by_day = company.policy.settle_window == SettleWindow::BusinessDay;
        let all_spans = spans(&books);
        for day in days(&ledger) {
            let mut booked: BTreeMap<(u32, u32), i64> = BTreeMap::new();
            for row in (0..ledger.rows()).filter(|row| ledger.day[*row] <= day) {
                *booked.entry((ledger.subscription[row], ledger.offer[row])).or_default() += ledger.delta_micros[row];
            }
            for ((subscription, offer), micros) in &booked {
                prop_assert!(*micros >= 0, "subscription {} of offer {} holds {}", subscription, offer, micros);
            }
            // With windows of minutes what happens after midnight may count for the day before.
            for span in all_spans.iter().flatten().filter(|span| by_day && !span.trial) {
                let mrr = booked.remove(&(span.subscription, span.offer));
                let own_currency = books.offers[span.offer as usize].currency == company.reporting;
                if span.from <= day && day < span.to {
                    if own_currency && !failed.contains(&customer_of[&span.subscription]) {
                        prop_assert_eq!(mrr.unwrap_or(0), span.monthly_micros);
                    }
                } else if let Some(mrr) = mrr {
                    // Another span of the same part may be the one that is there.
                    booked.insert((span.subscription, span.offer), mrr);
                }
            }
            if by_day {
                prop_assert!(booked.values().all(|micros| *micros == 0), "left over on day {}: {:?}", day, booked);
            }
        }
    }

    /// Law 2: by plan, by product, by interval, by currency, by customer.
    #[test]
    fn law_2_segments_add_up_to_the_whole(company in company()) {
        let books = Books::of(&company);
        let ledger = books.build().ledger;
        for day in days(&ledger) {
            prop_assert_eq!(law::segments_add_up(&ledger, &books.offers, day), vec![]);
        }
    }

    /// Law 3, within imports: any order, any number of times.
    #[test]
    fn law_3_order_and_repetition_change_nothing(company in company(), seed in any::<u64>(), again in any::<[u8; 4]>()) {
        let books = Books::of(&company);
        let share = books.build();
        let repeated: Vec<Vec<Fact>> = company
            .imports
            .iter()
            .enumerate()
            .map(|(number, import)| {
                let twice = import.iter().skip(usize::from(again[number % 4] % 4)).step_by(2).cloned();
                shuffled(import.iter().cloned().chain(twice).collect(), seed ^ number as u64)
            })
            .collect();
        let shuffled_books = Books::known(&company, &repeated, repeated.len());
        let other = shuffled_books.build();
        prop_assert_eq!(books.lines(&share.ledger), shuffled_books.lines(&other.ledger));
        prop_assert_eq!(&share.ledger.offsets, &other.ledger.offsets);
        prop_assert_eq!(books.oddities(&share), shuffled_books.oddities(&other));
        // What the latest import said changes nothing when it is said again. (An older file that comes again is known by
        // its content and not imported; an older fact in a new file is a correction back.)
        let mut late = company.imports.clone();
        late.extend(company.imports.last().cloned());
        prop_assert_eq!(books.lines(&share.ledger), lines_of(&company, &late));
    }

    /// Law 3, across batches: an import may arrive in pieces.
    #[test]
    fn law_3_batches_change_nothing(company in company(), seed in any::<u64>(), cuts in any::<[u8; 4]>()) {
        let imports = without_conflicts(&company);
        let mut batches = Vec::new();
        for (number, import) in imports.iter().enumerate() {
            let import = shuffled(import.clone(), seed ^ number as u64);
            let size = 1 + usize::from(cuts[number % 4]) % 5;
            batches.extend(import.chunks(size).map(<[Fact]>::to_vec));
        }
        prop_assert_eq!(lines_of(&company, &imports), lines_of(&company, &batches));
    }

    /// Rows that only say again what holds make no movement: a row may be stated in two.
    #[test]
    fn adjacent_rows_of_one_state_are_one_row(company in company(), which in any::<u16>(), at in any::<u8>()) {
        let zone = company.zone();
        let before = zone.instant_of(Moment::Day(Day(0)));
        let micros = |moment: Moment| zone.instant_of(moment) - before;
        let facts = without_conflicts(&Company { imports: vec![company.imports.concat()], ..company.clone() }).concat();
        let whole = lines_of(&company, std::slice::from_ref(&facts));
        let Some(fact) = facts.get(usize::from(which) % facts.len().max(1)) else { return Ok(()) };
        // A discount of some months counts from the start of its row, and each row of usage is a period.
        let counted_from_its_start = matches!(
            fact.price.discount,
            Some(discount) if matches!(discount.duration, DiscountDuration::Months(_))
        );
        let cut = match fact.start {
            Moment::Day(day) => Moment::Day(day.plus_days(1 + i32::from(at % 64))),
            Moment::Instant(start) => Moment::Instant(start + 3_600_000_000 * (1 + i64::from(at) * 5)),
        };
        let claims_it = |other: &&Fact| {
            let same = other.subscription == fact.subscription;
            same && micros(other.start) > micros(fact.start) && micros(other.start) / 32 <= micros(cut) / 32
        };
        let within = fact.end.is_none_or(|end| micros(end) > micros(cut));
        if !within || fact.metered || counted_from_its_start || facts.iter().any(|other| claims_it(&other)) {
            return Ok(());
        }
        let mut parts: Vec<Fact> = facts.iter().filter(|other| *other != fact).cloned().collect();
        parts.push(Fact { end: Some(cut), ..fact.clone() });
        parts.push(Fact { start: cut, ..fact.clone() });
        let judged = |lines: Vec<Line>| -> Vec<_> {
            lines.into_iter().map(|l| (l.customer, l.day, l.subscription, l.offer, l.kind, l.delta_micros)).collect()
        };
        prop_assert_eq!(judged(whole), judged(lines_of(&company, &[parts])));
    }

    /// Law 4: one customer at a time and shares of customers give what bulk gives.
    #[test]
    fn law_4_live_and_shares_are_bulk(company in company(), cut in any::<u8>()) {
        let books = Books::of(&company);
        let bulk = books.build().ledger;
        let mut live = Ledger::default();
        for customer in books.everybody() {
            live.append(books.build_share(customer..customer + 1, |_, _| {}).ledger);
        }
        prop_assert_eq!(&bulk, &live);
        let cut = u32::from(cut) % (books.everybody().end + 1);
        let mut shares = books.build_share(0..cut, |_, _| {}).ledger;
        shares.append(books.build_share(cut..books.everybody().end, |_, _| {}).ledger);
        prop_assert_eq!(&bulk, &shares);
    }

    /// Law 5: what arrives later changes numbers of things, but nothing that was known.
    #[test]
    fn law_5_what_was_known_stays(company in company(), known in any::<u8>()) {
        let known = 1 + usize::from(known) % company.imports.len();
        let then = lines_of(&company, &company.imports[..known]);
        let books = Books::known(&company, &company.imports, known);
        prop_assert_eq!(then, books.lines(&books.build().ledger));
    }

    /// Law 6, and every cell of the triangle counted by hand.
    #[test]
    fn law_6_cohorts_add_up(company in company(), grain in 0usize..5, through in 0i32..500) {
        let books = Books::of(&company);
        let ledger = books.build().ledger;
        let Some(first) = ledger.day.iter().min().copied() else { return Ok(()) };
        let (grain, _) = Grain::ALL[grain];
        let through = Day(first + through);
        let segment_of = |customer: u32| customer % 2;
        let cells = triangle(&ledger, grain, Day(first), through, |customer| Some(segment_of(customer)));
        prop_assert_eq!(cohorts_add_up(&ledger, &cells, grain, through), vec![]);
        prop_assert_eq!(&cells, &cells_by_hand(&ledger, grain, Day(first), through, &segment_of));
        let later = Day(first + 40);
        let last_cohorts = triangle(&ledger, grain, later, through, |customer| Some(segment_of(customer)));
        let expected: Vec<Cell> = cells.into_iter().filter(|cell| cell.cohort >= later.first_of(grain)).collect();
        prop_assert_eq!(last_cohorts, expected);
    }

    /// Law 6 for cohorts that begin before or after the first payment, as those by sign-up do; some never pay.
    #[test]
    fn law_6_cohorts_of_any_beginning_add_up(company in company(), before in 0i32..200, through in 0i32..500) {
        let books = Books::of(&company);
        let ledger = books.build().ledger;
        let Some(first) = ledger.day.iter().min().copied() else { return Ok(()) };
        let (from, through) = (Day(first - 200), Day(first + through));
        let customers = ledger.customers() as u32;
        // Every third member became no customer.
        let members: Vec<Member> = (0..customers)
            .flat_map(|customer| {
                let start = Day(first - before + (customer as i32 * 37) % 250);
                let one = Member { start, segment: customer % 2, customer: Some(customer) };
                [Some(one), (customer % 3 == 0).then_some(Member { customer: None, ..one })]
            })
            .flatten()
            .collect();
        let cells = triangle_of(&ledger, Grain::Month, from, through, members.iter().copied());
        let (mut left, mut sizes) = ((0, 0), 0);
        for cell in &cells {
            prop_assert!(cell.customers <= cell.size_customers, "{cell:?}");
            let end = (0..=cell.age).fold(cell.cohort, |end, _| end.next_of(Grain::Month));
            if end.next_of(Grain::Month) > through {
                left = (left.0 + cell.customers, left.1 + cell.micros);
                sizes += cell.size_customers;
            }
        }
        // Of those who began in whole periods all that is worth anything at the end of the last one.
        let end = Day(through.first_of(Grain::Month).0);
        let begun = |member: &&Member| member.start < end;
        prop_assert_eq!(sizes as usize, members.iter().filter(begun).count());
        let mut there = (0, 0);
        for customer in members.iter().filter(begun).filter_map(|member| member.customer) {
            let rows = ledger.of_customer(customer as usize).filter(|row| ledger.day[*row] < end.0);
            let (mut pays, mut micros) = (false, 0i128);
            for row in rows {
                micros += i128::from(ledger.delta_micros[row]);
                pays = match ledger.kind[row] {
                    Kind::New | Kind::Reactivation => true,
                    Kind::Churn => false,
                    _ => pays,
                };
            }
            there = (there.0 + u64::from(pays), there.1 + micros);
        }
        prop_assert_eq!(left, there);
    }

    /// Law 7: each currency's ledger holds what is stated in that currency.
    #[test]
    fn law_7_currencies_are_conserved(company in company()) {
        let books = Books::of(&company);
        let all_spans = spans(&books);
        let currencies: BTreeSet<_> = books.offers.iter().map(|offer| offer.currency).collect();
        let in_currency = |span: &Span, currency| books.offers[span.offer as usize].currency == currency;
        let mut ledgers = Vec::new();
        for currency in &currencies {
            let context = Context { reporting: *currency, ..books.context() };
            let mut ledger = Ledger::default();
            for spans in &all_spans {
                let own: Vec<Span> = spans.iter().filter(|span| in_currency(span, *currency)).copied().collect();
                let mut made = Vec::new();
                movement::movements(&own, &context, &mut Scratch::default(), &mut made).unwrap();
                ledger.push_customer(&made);
            }
            prop_assert_eq!(law::movements_add_up(&ledger), vec![]);
            prop_assert!(ledger.kind.iter().all(|kind| *kind != Kind::Fx), "no rates in one's own currency");
            ledgers.push((*currency, ledger));
        }
        let by_day = company.policy.settle_window == SettleWindow::BusinessDay;
        let end = company::day("2400-01-01").0;
        let days: BTreeSet<i32> = ledgers.iter().filter(|_| by_day).flat_map(|(_, ledger)| days(ledger)).collect();
        for day in days.into_iter().chain([end]) {
            let tick = books.ticks.of_day(Day(day));
            let stated: Vec<_> = currencies
                .iter()
                .map(|currency| {
                    let live = all_spans.iter().flatten().filter(|span| {
                        in_currency(span, *currency) && !span.trial && span.from <= tick && tick < span.to
                    });
                    (*currency, live.map(|span| i128::from(span.monthly_micros)).sum::<i128>())
                })
                .collect();
            let booked: Vec<_> = ledgers
                .iter()
                .map(|(currency, ledger)| {
                    let rows = (0..ledger.rows()).filter(|row| ledger.day[*row] <= day);
                    (*currency, rows.map(|row| i128::from(ledger.delta_micros[row])).sum::<i128>())
                })
                .collect();
            prop_assert_eq!(law::currencies_are_conserved(&stated, &booked), vec![]);
        }
    }
}

proptest! {
    // Each case builds a ledger for each of some dozen imports.
    #![proptest_config(cases(400))]

    /// Law 5, where facts come one after the other: what nothing depends on any more can be left out.
    #[test]
    fn law_5_superseded_facts_can_be_left_out(company in company(), changes in vec(any::<[u8; 4]>(), 0..24)) {
        let imports = company.with_changes(&changes);
        let (mut left_out, mut thinned) = (BTreeSet::new(), BTreeSet::new());
        for known in 1..=imports.len() {
            let all = Books::known(&company, &imports, known);
            let first = imports[..known - 1].iter().map(Vec::len).sum::<usize>() as u32;
            let is_later = |row: &&Row| row.fact >= first;
            let start = |row: &Row| (row.start, row.start_offset);
            // What is stated out of turn needs what was left out.
            for row in all.rows.iter().filter(is_later).filter(|row| thinned.contains(&row.subscription)) {
                let left = |other: &&Row| other.fact < first && !left_out.contains(&other.fact);
                let of_item = all.rows.iter().filter(|other| other.subscription == row.subscription);
                let is_withdrawal = all.terms[row.terms as usize].status == Status::Withdrawn;
                if is_withdrawal || of_item.clone().filter(left).any(|other| start(row) < start(other)) {
                    of_item.for_each(|other| { left_out.remove(&other.fact); });
                }
            }
            let mut books = Books::known(&company, &imports, known);
            books.rows.retain(|row| !left_out.contains(&row.fact));
            let (whole, thin) = (all.build(), books.build());
            prop_assert_eq!(all.lines(&whole.ledger), books.lines(&thin.ledger));
            prop_assert_eq!(&whole.ledger, &thin.ledger);
            prop_assert_eq!((&whole.conflicts, &whole.overlaps), (&thin.conflicts, &thin.overlaps));
            for of_item in books.rows.chunk_by(|one, other| one.subscription == other.subscription) {
                let Superseded { facts, has_rows } = superseded(&mut of_item.to_vec(), &all.terms, &all.recorded);
                left_out.extend(facts);
                if has_rows {
                    thinned.insert(of_item[0].subscription);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(12_000))]

    /// Law 4: the fast kernel and the slow evaluator, under every policy.
    #[test]
    fn law_4_the_kernel_says_what_the_reference_evaluator_says(company in company()) {
        let books = Books::of(&company);
        let share = books.build();
        let evaluation = books.judge();
        prop_assert_eq!(
            share.errors.iter().map(|(customer, _, _)| *customer).collect::<Vec<_>>(),
            evaluation.errors.iter().map(|(customer, _)| *customer).collect::<Vec<_>>()
        );
        prop_assert_eq!(naive::agrees(&share.ledger, &evaluation), vec![]);
    }
}

/// Law 4 once more for what most facts are: without trials within a row, cancellations announced, usage and other currencies,
/// rows that follow each other. The reference evaluator judges [`Books::build`], which the short way must equal.
#[test]
fn law_4_holds_of_plain_customers_the_short_way() {
    let (mut plain, mut movements) = (0, 0);
    for mut company in companies(3_000) {
        let reporting = company.reporting;
        company.imports.truncate(1);
        company.policy.settle_window = SettleWindow::BusinessDay;
        company.policy.trial_counts = false;
        company.policy.free_is_customer = false;
        for import in &mut company.imports {
            for fact in import.iter_mut() {
                fact.offer.currency = reporting;
                fact.metered = false;
                (fact.trial_end, fact.cancel_at, fact.cancel_requested_at, fact.discount_end) =
                    (None, None, None, None);
            }
            // Each row ends where the next of its subscription begins, but for every fifth, which leaves a gap or claims
            // the same time, as it did.
            import.sort_by(|a, b| (&a.subscription, a.start).cmp(&(&b.subscription, b.start)));
            for place in 1..import.len() {
                let (before, after) = import.split_at_mut(place);
                if let ([.., one], [next, ..]) = (before, after)
                    && one.subscription == next.subscription
                    && place % 5 != 0
                {
                    one.end = Some(next.start);
                }
            }
        }
        let books = Books::of(&company);
        let share = books.build();
        assert_eq!(naive::agrees(&share.ledger, &books.judge()), vec![]);
        plain += books.build_plain(&books.rows, books.everybody()).1;
        movements += share.ledger.rows();
    }
    assert!(plain > 500 && movements > 10_000, "{plain} plain customers, {movements} movements");
}

/// The triangle from its definition: for each cohort, segment and age all customers are gone through.
fn cells_by_hand(
    ledger: &Ledger,
    grain: Grain,
    first: Day,
    through: Day,
    segment_of: &dyn Fn(u32) -> u32,
) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut cohort = first.first_of(grain);
    while cohort.next_of(grain) <= through {
        let begins = |customer: usize| ledger.of_customer(customer).next().map(|row| Day(ledger.day[row]));
        for segment in 0..2 {
            let members: Vec<usize> = (0..ledger.customers())
                .filter(|customer| segment_of(*customer as u32) == segment)
                .filter(|customer| begins(*customer).is_some_and(|day| day.first_of(grain) == cohort))
                .collect();
            let mut end = cohort.next_of(grain);
            let mut age = 0;
            while end <= through && !members.is_empty() {
                let (mut customers, mut micros, mut size_micros) = (0, 0, 0);
                let (mut gross_micros, mut kept) = (0, Kept::default());
                let (mut gross_parts, mut parts) = (0, Kept::default());
                for customer in &members {
                    let until_end = || ledger.of_customer(*customer).filter(|row| Day(ledger.day[*row]) < end);
                    micros += until_end().map(|row| i128::from(ledger.delta_micros[row])).sum::<i128>();
                    let comings = [Kind::New, Kind::Reactivation, Kind::Churn];
                    let last = until_end().rfind(|row| comings.contains(&ledger.kind[*row]));
                    customers += u64::from(last.is_some_and(|row| ledger.kind[row] != Kind::Churn));
                    let first: i128 = ledger
                        .of_customer(*customer)
                        .take_while(|row| {
                            ledger.kind[*row] == Kind::New && Some(Day(ledger.day[*row])) == begins(*customer)
                        })
                        .map(|row| i128::from(ledger.delta_micros[row]))
                        .sum();
                    size_micros += first;
                    // Where the customer stood at the beginning of the period: at age 0, at the first payment.
                    let begin = (0..age).fold(cohort, |day, _| day.next_of(grain));
                    let until_begin = || ledger.of_customer(*customer).filter(|row| Day(ledger.day[*row]) < begin);
                    let sum = |rows: &mut dyn Iterator<Item = usize>| {
                        rows.map(|row| i128::from(ledger.delta_micros[row])).sum::<i128>()
                    };
                    let (mrr, mrr_before) = (sum(&mut until_end()), sum(&mut until_begin()));
                    let pays = last.is_some_and(|row| ledger.kind[row] != Kind::Churn);
                    let last_before = until_begin().rfind(|row| comings.contains(&ledger.kind[*row]));
                    let paid = age == 0 || last_before.is_some_and(|row| ledger.kind[row] != Kind::Churn);
                    gross_micros += mrr.min(first);
                    if paid {
                        let of = if age == 0 { first } else { mrr_before };
                        kept = Kept {
                            of_customers: kept.of_customers + 1,
                            of_micros: kept.of_micros + of,
                            customers: kept.customers + u64::from(pays),
                            micros: kept.micros + mrr,
                            gross_micros: kept.gross_micros + mrr.min(of),
                        };
                    }
                    let part = part_of(ledger, *customer as u32, (age > 0).then_some(begin), end);
                    parts += part.kept();
                    gross_parts += part.gross_micros();
                }
                assert_eq!((parts, gross_parts), (kept, gross_micros), "the parts of customers make the cell");
                let size_customers = members.len() as u64;
                cells.push(Cell {
                    cohort,
                    segment,
                    age,
                    size_customers,
                    size_micros,
                    customers,
                    micros,
                    gross_micros,
                    kept,
                });
                age += 1;
                end = end.next_of(grain);
            }
        }
        cohort = cohort.next_of(grain);
    }
    cells
}

/// Laws over companies in which nothing happens would hold as well.
#[test]
fn a_subscription_that_changes_all_day_needs_little_room() {
    let mut company = companies(1).next().unwrap();
    company.imports.truncate(1);
    company.imports[0].truncate(1);
    company.policy = Policy::default();
    let fact = &mut company.imports[0][0];
    (fact.status, fact.end, fact.cancel_at, fact.cancel_reason) = (Status::Active, None, None, Reason::Unknown);
    // One more seat every six minutes, for two days.
    let imports = company.with_changes(&[[0, 0, 6, 0]; 480]);
    let books = Books::known(&company, &imports, imports.len());
    let Superseded { facts, has_rows } = superseded(&mut books.rows.clone(), &books.terms, &books.recorded);
    let days: BTreeSet<i32> = books.rows.iter().map(|row| row.start).collect();
    assert!(has_rows && books.rows.len() > 900, "{}", books.rows.len());
    assert!(
        books.rows.len() - facts.len() <= 2 * days.len(),
        "{} of {} days",
        books.rows.len() - facts.len(),
        days.len()
    );
}

#[test]
fn random_companies_do_all_that_companies_do() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut see = |what: String| *seen.entry(what).or_default() += 1;
    let number = 1_500;
    for company in companies(number) {
        let books = Books::of(&company);
        let share = books.build();
        for (setting, value) in company.policy.settings() {
            see(format!("{setting} = {value}"));
        }
        see(format!("zone {}", company.zone));
        let kinds: BTreeSet<_> = share.ledger.kind.iter().map(|kind| kind.name()).collect();
        kinds.iter().for_each(|kind| see(format!("kind {kind}")));
        let causes: BTreeSet<_> = share.ledger.cause.iter().map(|cause| cause.name()).collect();
        causes.iter().for_each(|cause| see(format!("cause {cause}")));
        let statuses: BTreeSet<_> =
            books.rows.iter().map(|row| books.terms[row.terms as usize].status.name()).collect();
        statuses.iter().for_each(|status| see(format!("status {status}")));
        for (what, happens) in [
            ("overlap", !share.overlaps.is_empty()),
            ("conflict", !share.conflicts.is_empty()),
            ("missing rate", !share.errors.is_empty()),
            ("several imports", company.imports.len() > 1),
            ("withdrawal", books.terms.iter().any(|terms| terms.status == Status::Withdrawn)),
            ("trial", spans(&books).iter().flatten().any(|span| span.trial)),
            ("usage", spans(&books).iter().flatten().any(|span| books.terms[span.terms as usize].metered)),
            ("discount that runs out", spans(&books).iter().flatten().any(|span| span.discount_ended)),
            ("customer with two items", share.ledger.rows() > 0 && books.subscriptions.len() > books.customers.len()),
            ("nothing at all", share.ledger.rows() == 0),
            ("twenty movements", share.ledger.rows() >= 20),
        ] {
            if happens {
                see(what.to_owned());
            }
        }
    }
    let often = |what: &str| seen.get(what).copied().unwrap_or(0);
    let mut wanted: Vec<(String, usize)> =
        Kind::ALL.iter().map(|(_, name)| (format!("kind {name}"), number / 25)).collect();
    wanted.extend(movement::Cause::ALL.iter().map(|(_, name)| (format!("cause {name}"), number / 50)));
    wanted.extend(Status::ALL.iter().map(|(_, name)| (format!("status {name}"), number / 10)));
    for what in ["overlap", "several imports", "trial", "discount that runs out", "customer with two items"] {
        wanted.push((what.to_owned(), number / 10));
    }
    for what in ["conflict", "missing rate", "usage", "twenty movements", "free = customer", "fx = revalue"] {
        wanted.push((what.to_owned(), number / 50));
    }
    for (what, times) in wanted {
        assert!(often(&what) >= times, "`{what}` in {} of {number} companies; all: {seen:#?}", often(&what));
    }
    assert!(often("nothing at all") < number / 4, "too many companies without any movement: {seen:#?}");
}
