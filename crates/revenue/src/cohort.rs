//! Cohorts: those who first paid, or signed up, in one period, and what is left of them after 0, 1, 2, … periods.
//!
//! A stock is taken at the end of each period, so age 0 is the end of the period in which the cohort began: it may
//! already be smaller than the cohort was. Only whole periods are shown; the running one has no end yet.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    ops::{AddAssign, Range},
};

use crate::{
    calendar::{Day, Grain},
    law::{
        Breach, COHORT_GROWS, COHORTS_CUSTOMERS, COHORTS_MRR, FIRST_PAYMENTS, FIRST_PAYMENTS_MRR, NO_SUCH_PERIOD, Seen,
    },
    ledger::Ledger,
    movement::Kind,
};

/// What is left of one cohort, or of one segment of it, at one age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// The first day of the period in which its members began: first paid, or signed up.
    pub cohort: Day,
    /// The segment, as numbered by the caller.
    pub segment: u32,
    /// How many whole periods later: 0 is the end of the cohort's own period.
    pub age: u32,
    /// How many members began in the cohort's period.
    pub size_customers: u64,
    /// What they paid a month when they first paid, in micro-units: the sum of their first `new` movements.
    pub size_micros: i128,
    /// How many of them pay at the end of that period.
    pub customers: u64,
    /// Their MRR at the end of that period, in micro-units.
    pub micros: i128,
    /// The same without what anybody pays beyond the first payment, as gross retention counts.
    pub gross_micros: i128,
    /// What is left of those who paid at the end of the period before; at age 0 of all, since they began.
    pub kept: Kept,
}

/// What is left of the customers who paid at the end of one period at the end of the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kept {
    /// How many they were.
    pub of_customers: u64,
    /// What they paid a month, in micro-units.
    pub of_micros: i128,
    /// How many of them still pay.
    pub customers: u64,
    /// Their MRR, in micro-units.
    pub micros: i128,
    /// The same without what anybody pays beyond the period before.
    pub gross_micros: i128,
}

impl AddAssign for Kept {
    fn add_assign(&mut self, other: Self) {
        self.of_customers += other.of_customers;
        self.of_micros += other.of_micros;
        self.customers += other.customers;
        self.micros += other.micros;
        self.gross_micros += other.gross_micros;
    }
}

/// Where one customer stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether they pay.
    pub pays: bool,
    /// Their MRR, in micro-units.
    pub micros: i128,
}

/// One customer's part of a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Part {
    /// What they paid a month when they first paid, in micro-units.
    pub first_micros: i128,
    /// At the end of the period before; nothing at age 0.
    pub before: Option<Standing>,
    /// At the end of the period.
    pub now: Standing,
}

impl Part {
    /// Their part of [`Cell::gross_micros`].
    #[must_use]
    pub fn gross_micros(&self) -> i128 {
        self.now.micros.min(self.first_micros)
    }

    /// Their part of [`Cell::kept`].
    #[must_use]
    pub fn kept(&self) -> Kept {
        let (counts, of_micros) = self.before.map_or((true, self.first_micros), |before| (before.pays, before.micros));
        match counts {
            true => Kept {
                of_customers: 1,
                of_micros,
                customers: u64::from(self.now.pays),
                micros: self.now.micros,
                gross_micros: self.now.micros.min(of_micros),
            },
            false => Kept::default(),
        }
    }
}

/// The part that a customer of a ledger has in the cell of a period with this last day and the one after it.
#[must_use]
pub fn part_of(ledger: &Ledger, customer: u32, before: Option<Day>, end: Day) -> Part {
    let rows = ledger.of_customer(customer as usize);
    let standing = |until: Day| {
        let mut standing = Standing::default();
        for row in rows.clone().take_while(|row| ledger.day[*row] < until.0) {
            standing.pays = pays_after(standing.pays, ledger.kind[row]);
            standing.micros += i128::from(ledger.delta_micros[row]);
        }
        standing
    };
    Part { first_micros: first_micros(ledger, rows.clone()), before: before.map(standing), now: standing(end) }
}

/// Someone who belongs to a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The day on which they began.
    pub start: Day,
    /// The segment, as numbered by the caller.
    pub segment: u32,
    /// The customer whom they became; nothing for those who never paid.
    pub customer: Option<u32>,
}

/// The whole calendar periods from the one that holds `from` to the last that ends by `through`, and which of them a
/// day is in, without a search.
struct Periods {
    firsts: Vec<Day>,
    /// For each day from the first one on, the index of its period.
    of_day: Vec<u32>,
}

impl Periods {
    fn new(from: Day, through: Day, grain: Grain) -> Self {
        let mut periods = Self { firsts: Vec::new(), of_day: Vec::new() };
        let mut first = from.max(Day::EARLIEST).first_of(grain);
        let mut next = first.next_of(grain);
        while next <= through.min(Day::LATEST) && first < next {
            let index = periods.firsts.len() as u32;
            periods.of_day.extend((first.0..next.0).map(|_| index));
            periods.firsts.push(first);
            (first, next) = (next, next.next_of(grain));
        }
        periods
    }

    fn of(&self, day: i32) -> Option<usize> {
        let since = i64::from(day) - i64::from(self.firsts.first()?.0);
        self.of_day.get(usize::try_from(since).ok()?).map(|index| *index as usize)
    }

    fn ages(&self, cohort: usize) -> usize {
        self.firsts.len() - cohort
    }
}

/// What changed in one period of a cohort.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    customers: i64,
    micros: i128,
    gross_micros: i128,
    /// Those who pay and did not at the end of the period before, and what they pay.
    joined_customers: i64,
    joined_micros: i128,
    /// What the others pay less than at the end of the period before.
    lost_micros: i128,
}

impl Step {
    /// Adds what one customer did in a period of some age.
    fn add(&mut self, before: Standing, now: Standing, first_micros: i128) {
        self.customers += i64::from(now.pays) - i64::from(before.pays);
        self.micros += now.micros - before.micros;
        self.gross_micros += now.micros.min(first_micros) - before.micros.min(first_micros);
        if before.pays {
            self.lost_micros += (before.micros - now.micros).max(0);
        } else {
            self.joined_customers += i64::from(now.pays);
            self.joined_micros += now.micros;
        }
    }
}

/// The rows of one cohort and segment, while they are summed.
struct Slot {
    cohort: usize,
    segment: u32,
    size_customers: u64,
    size_micros: i128,
    steps: Range<usize>,
}

/// The cohort triangle of a ledger, sorted by cohort, segment and age.
///
/// Cohorts are the whole periods of `grain` from the one that holds `from` on; ages are the whole periods that end by
/// `through` (the first day no longer counted). `segment_of` numbers each customer's segment, which stays the same
/// through all ages; nothing for one who is not looked at. A customer who came back after so long that the policy calls it
/// new again stays in the cohort of the first payment: a cohort never grows.
pub fn triangle(
    ledger: &Ledger,
    grain: Grain,
    from: Day,
    through: Day,
    segment_of: impl Fn(u32) -> Option<u32>,
) -> Vec<Cell> {
    let mut sums = Sums::new(ledger, Periods::new(from, through, grain));
    for customer in 0..u32::try_from(ledger.customers()).unwrap_or(u32::MAX) {
        let rows = ledger.of_customer(customer as usize);
        let Some(first) = first_payment(ledger, rows.clone()) else { continue };
        // Most began at another time, which costs less to see than where they are.
        let Some(cohort) = sums.periods.of(ledger.day[first]) else { continue };
        if let Some(segment) = segment_of(customer) {
            sums.add(cohort, segment, rows);
        }
    }
    sums.cells()
}

/// The triangle of members who may begin before they pay, such as those who signed up; who never paid counts in the size
/// of the cohort. Each customer is one member at the most. Who paid already when they began is there from age 0 on.
pub fn triangle_of(
    ledger: &Ledger,
    grain: Grain,
    from: Day,
    through: Day,
    members: impl Iterator<Item = Member>,
) -> Vec<Cell> {
    let mut sums = Sums::new(ledger, Periods::new(from, through, grain));
    for Member { start, segment, customer } in members {
        let Some(cohort) = sums.periods.of(start.0) else { continue };
        sums.add(cohort, segment, customer.map_or(0..0, |customer| ledger.of_customer(customer as usize)));
    }
    sums.cells()
}

/// A triangle while it is summed.
struct Sums<'a> {
    ledger: &'a Ledger,
    periods: Periods,
    /// The slot of each cohort and segment.
    numbers: HashMap<(usize, u32), usize>,
    /// Of each cohort the segment that was looked for last, and its slot.
    latest: Vec<Option<(u32, usize)>>,
    slots: Vec<Slot>,
    steps: Vec<Step>,
}

impl<'a> Sums<'a> {
    fn new(ledger: &'a Ledger, periods: Periods) -> Self {
        let latest = vec![None; periods.firsts.len()];
        Self { ledger, periods, numbers: HashMap::new(), latest, slots: Vec::new(), steps: Vec::new() }
    }

    fn slot(&mut self, cohort: usize, segment: u32) -> usize {
        if let Some((latest, slot)) = self.latest[cohort]
            && latest == segment
        {
            return slot;
        }
        let slot = match self.numbers.entry((cohort, segment)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => {
                let begin = self.steps.len();
                self.steps.resize(begin + self.periods.ages(cohort), Step::default());
                let steps = begin..self.steps.len();
                self.slots.push(Slot { cohort, segment, size_customers: 0, size_micros: 0, steps });
                *unknown.insert(self.slots.len() - 1)
            }
        };
        self.latest[cohort] = Some((segment, slot));
        slot
    }

    /// Adds a member by the rows of the customer whom they became.
    fn add(&mut self, cohort: usize, segment: u32, rows: Range<usize>) {
        let slot = self.slot(cohort, segment);
        let Self { ledger, periods, slots, steps, .. } = self;
        let slot = &mut slots[slot];
        let ages = &mut steps[slot.steps.clone()];
        slot.size_customers += 1;
        let first_micros = first_micros(ledger, rows.clone());
        slot.size_micros += first_micros;
        let begin = periods.firsts[cohort].0;
        let mut now = Standing::default();
        // The age that is gone through, and where the customer stood before it.
        let mut current: Option<(usize, Standing)> = None;
        for row in rows {
            // What lies beyond the last whole period is not shown yet.
            let Some(period) = periods.of(ledger.day[row].max(begin)) else { break };
            let age = period - cohort;
            if current.is_none_or(|(known, _)| known != age) {
                if let Some((age, before)) = current {
                    ages[age].add(before, now, first_micros);
                }
                current = Some((age, now));
            }
            now.pays = pays_after(now.pays, ledger.kind[row]);
            now.micros += i128::from(ledger.delta_micros[row]);
        }
        if let Some((age, before)) = current {
            ages[age].add(before, now, first_micros);
        }
    }

    fn cells(mut self) -> Vec<Cell> {
        self.slots.sort_unstable_by_key(|slot| (slot.cohort, slot.segment));
        let mut cells = Vec::with_capacity(self.steps.len());
        for slot in &self.slots {
            let mut standing = Step::default();
            for (age, step) in (0u32..).zip(&self.steps[slot.steps.clone()]) {
                let before = standing;
                standing.customers += step.customers;
                standing.micros += step.micros;
                standing.gross_micros += step.gross_micros;
                let count = |customers: i64| u64::try_from(customers).unwrap_or(0);
                let kept = match age {
                    0 => Kept {
                        of_customers: slot.size_customers,
                        of_micros: slot.size_micros,
                        customers: count(standing.customers),
                        micros: standing.micros,
                        gross_micros: standing.gross_micros,
                    },
                    _ => Kept {
                        of_customers: count(before.customers),
                        of_micros: before.micros,
                        customers: count(standing.customers - step.joined_customers),
                        micros: standing.micros - step.joined_micros,
                        gross_micros: before.micros - step.lost_micros,
                    },
                };
                cells.push(Cell {
                    cohort: self.periods.firsts[slot.cohort],
                    segment: slot.segment,
                    age,
                    size_customers: slot.size_customers,
                    size_micros: slot.size_micros,
                    customers: count(standing.customers),
                    micros: standing.micros,
                    gross_micros: standing.gross_micros,
                    kept,
                });
            }
        }
        cells
    }
}

/// The row of a customer's first payment.
fn first_payment(ledger: &Ledger, mut rows: Range<usize>) -> Option<usize> {
    rows.find(|row| ledger.kind[*row] == Kind::New)
}

/// What a customer paid a month when they first paid: the sum of the first `new` movements.
fn first_micros(ledger: &Ledger, rows: Range<usize>) -> i128 {
    let Some(first) = first_payment(ledger, rows.clone()) else { return 0 };
    let first_day = ledger.day[first];
    let is_first = |row: &usize| ledger.day[*row] == first_day && ledger.kind[*row] == Kind::New;
    (first..rows.end).take_while(is_first).map(|row| i128::from(ledger.delta_micros[row])).sum()
}

/// Whether a customer pays after a movement.
fn pays_after(paid: bool, kind: Kind) -> bool {
    match kind {
        Kind::New | Kind::Reactivation => true,
        Kind::Churn => false,
        Kind::Expansion | Kind::Contraction | Kind::Transfer | Kind::Fx => paid,
    }
}

/// Law 6: no cohort has more customers left than it began with, the cohorts' MRR at each period's end adds up to
/// that of the whole, their customers to all that pay, and their sizes to all first payments.
///
/// `cells` are a triangle of the same ledger, in whatever segments, from its first day on.
#[must_use]
pub fn cohorts_add_up(ledger: &Ledger, cells: &[Cell], grain: Grain, through: Day) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut breach = |seen: Seen| breaches.push(Breach { law: 6, customer: None, seen });

    // Each sum is made a second way here: by going through the ledger, without cohorts.
    let Some(first_day) = ledger.day.iter().min() else { return breaches };
    let mut ends: Vec<Day> = Vec::new();
    let mut end = Day(*first_day).first_of(grain).next_of(grain);
    while end <= through {
        ends.push(end);
        end = end.next_of(grain);
    }
    let period_of = |day: i32| ends.partition_point(|end| end.0 <= day);
    let mut whole = vec![Step::default(); ends.len() + 1];
    let mut begun = vec![Step::default(); ends.len() + 1];
    for customer in 0..ledger.customers() {
        let mut pays = false;
        let mut first: Option<i32> = None;
        let mut since_first = true;
        for row in ledger.of_customer(customer) {
            let (day, kind, micros) = (ledger.day[row], ledger.kind[row], i128::from(ledger.delta_micros[row]));
            let step = &mut whole[period_of(day)];
            step.micros += micros;
            let pays_now = pays_after(pays, kind);
            step.customers += i64::from(pays_now) - i64::from(pays);
            pays = pays_now;
            since_first &= kind == Kind::New && first.is_none_or(|first| first == day);
            if since_first {
                let step = &mut begun[period_of(day)];
                step.micros += micros;
                step.customers += i64::from(first.is_none());
                first = Some(day);
            }
        }
    }

    let mut left: BTreeMap<Day, Step> = BTreeMap::new();
    let mut sizes: BTreeMap<Day, Step> = BTreeMap::new();
    for cell in cells {
        if cell.customers > cell.size_customers {
            let (size, left) = (&cell.size_customers, &cell.customers);
            breach(Seen::of(
                COHORT_GROWS,
                [("size", size), ("cohort", &cell.cohort), ("left", left), ("age", &cell.age)],
            ));
        }
        let mut end = cell.cohort.next_of(grain);
        for _ in 0..cell.age {
            end = end.next_of(grain);
        }
        let sum = left.entry(end).or_default();
        sum.customers += i64::try_from(cell.customers).unwrap_or(i64::MAX);
        sum.micros += cell.micros;
        if cell.age == 0 {
            let size = sizes.entry(end).or_default();
            size.customers += i64::try_from(cell.size_customers).unwrap_or(i64::MAX);
            size.micros += cell.size_micros;
        }
    }

    let mut standing = Step::default();
    for (index, end) in ends.iter().enumerate() {
        standing.customers += whole[index].customers;
        standing.micros += whole[index].micros;
        let found = left.remove(end).unwrap_or_default();
        let size = sizes.remove(end).unwrap_or_default();
        for (sentence, found, wanted) in [
            (COHORTS_MRR, found.micros, standing.micros),
            (COHORTS_CUSTOMERS, found.customers.into(), standing.customers.into()),
            (FIRST_PAYMENTS, size.customers.into(), begun[index].customers.into()),
            (FIRST_PAYMENTS_MRR, size.micros, begun[index].micros),
        ] {
            if found != wanted {
                breach(Seen::of(sentence, [("day", end), ("found", &found), ("wanted", &wanted)]));
            }
        }
    }
    for end in left.keys() {
        breach(Seen::of(NO_SUCH_PERIOD, [("day", end)]));
    }
    breaches
}
