//! The company's own money: what came in, what was spent on customers, what everything cost, and what is left.
//!
//! It counts by day while customers are told one after the other, so its size is that of the calendar, and is
//! written at the end. Sums are millionths of a dollar; foreign money counts at the rate of its day.

use crate::Company;
use crate::biography::Biography;
use crate::calendar::{Calendar, Day};
use crate::person::SignUps;
use crate::price::{Currency, share_of};
use crate::rates::Rates;
use crate::sheet::Surroundings;
use crate::story::{self, CAMPAIGNS_A_CHANNEL, CHANNELS_COUNT, Channel, Team};

const MICROS_A_CENT: i64 = 10_000;
/// When the tax of a month is passed on, in days after the month.
const TAX_DAYS: u32 = 19;
/// When servers and fees of a month are paid, in days after its first.
const HOSTING_DAY: u32 = 2;

/// What is counted of one day.
#[derive(Debug, Clone, Copy, Default)]
struct Today {
    /// Payments less refunds and disputes, tax included.
    received: i64,
    /// The tax in it.
    tax: i64,
    card_fees: i64,
    visits: [[u32; CAMPAIGNS_A_CHANNEL]; CHANNELS_COUNT],
    commissions: [i64; CHANNELS_COUNT],
    rewards: [i64; CHANNELS_COUNT],
    /// How many more customers and seats are paid for than the day before.
    customers_change: i64,
    seats_change: i64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Till {
    pub(crate) rates: Rates,
    days: Vec<Today>,
}

/// The place of a channel in every table by channel.
pub(crate) fn channel_index(channel: &Channel) -> usize {
    (0..CHANNELS_COUNT).find(|index| story::channel(*index).name == channel.name).unwrap_or(0)
}

impl Till {
    pub(crate) fn new(rates: Rates, calendar: &Calendar) -> Till {
        Till { rates, days: vec![Today::default(); calendar.end as usize + 1] }
    }

    fn on(&mut self, day: Day) -> &mut Today {
        let last = self.days.len() - 1;
        &mut self.days[(day as usize).min(last)]
    }

    pub(crate) fn receive(&mut self, day: Day, currency: Currency, total: i64, tax: i64, by_card: bool) {
        let micros = self.rates.dollar_micros(total, currency, day);
        let tax = self.rates.dollar_micros(tax, currency, day);
        let today = self.on(day);
        today.received += micros;
        today.tax += tax;
        if by_card {
            today.card_fees += share_of(micros, story::CARD_FEE_PER_MILLE, 1_000) + story::CARD_FEE * MICROS_A_CENT;
        }
    }

    pub(crate) fn give_back(&mut self, day: Day, currency: Currency, total: i64, tax: i64) {
        let micros = self.rates.dollar_micros(total, currency, day);
        let tax = self.rates.dollar_micros(tax, currency, day);
        let today = self.on(day);
        today.received -= micros;
        today.tax -= tax;
    }

    /// What the seller gets for a contract that is worth so much a year.
    pub(crate) fn commission(&mut self, day: Day, channel: &Channel, currency: Currency, yearly_amount: i64) {
        let micros = self.rates.dollar_micros(yearly_amount, currency, day);
        self.on(day).commissions[channel_index(channel)] += share_of(micros, story::COMMISSION_PERCENT, 100);
    }

    /// What whoever brought a customer gets once it pays.
    pub(crate) fn reward(&mut self, day: Day, channel: &Channel) {
        let cents = match channel.coupon {
            story::Coupon::PartnerForever => story::PARTNER_BOUNTY,
            story::Coupon::FriendOnce => story::FRIEND_REWARD,
            story::Coupon::None | story::Coupon::LaunchRepeating => 0,
        };
        self.on(day).rewards[channel_index(channel)] += cents * MICROS_A_CENT;
    }

    /// A visit, which a campaign may have to pay for.
    pub(crate) fn visit(&mut self, day: Day, channel: usize, campaign: usize) {
        self.on(day).visits[channel][campaign] += 1;
    }

    /// The customers and seats that support and servers have to carry.
    pub(crate) fn carry(&mut self, calendar: &Calendar, biography: &Biography) {
        for span in biography.spans(calendar).filter(|span| span.row.status.is_paying()) {
            let seats = i64::from(span.row.terms.seats);
            for (day, sign) in [(span.from, 1), (span.to, -1)] {
                let today = self.on(day);
                today.customers_change += sign;
                today.seats_change += sign * seats;
            }
        }
    }

    /// Writes spend, costs and what is left at the end of each week and month.
    pub(crate) fn write(&self, company: &Company, calendar: &Calendar, sign_ups: &SignUps, to: &mut Surroundings) {
        let mut paid = vec![0; self.days.len()];
        let mut costs = Costs { calendar, written: 0, paid: &mut paid, to };
        let months: Vec<_> = (0..=company.months).map(|month| calendar.months_after(calendar.first, month)).collect();
        let (mut customers, mut seats) = (0, 0);
        for (bounds, month) in months.windows(2).zip(1..) {
            let (from, next) = (bounds[0], bounds[1]);
            let (mut customer_days, mut seat_days) = (0, 0);
            let (mut card_fees, mut tax) = (0, 0);
            for today in &self.days[from as usize..next as usize] {
                customers += today.customers_change;
                seats += today.seats_change;
                customer_days += customers;
                seat_days += seats;
                card_fees += today.card_fees;
                tax += today.tax;
            }
            let days = i64::from(next - from).max(1);
            let signed_up = sign_ups.before(next);
            self.spend(month, from, next, signed_up, &mut costs);
            costs.running(month, from, next, customer_days / days, seat_days / days, signed_up);
            costs.pay(next - 1, "cost_of_revenue", "Card processor", card_fees, "Fees on card payments");
            costs.pay(next + TAX_DAYS, "tax", "Tax office", tax, "Value added and sales tax that customers paid");
        }
        self.balances(company, calendar, &paid, to);
    }

    /// The spend of a month, by day, channel and campaign.
    fn spend(&self, month: u32, from: Day, next: Day, signed_up: u64, costs: &mut Costs<'_>) {
        let dearer = story::DEARER_CLICKS.has_begun(month);
        for (day, today) in (from..next).zip(&self.days[from as usize..]) {
            for index in 0..CHANNELS_COUNT {
                let channel = story::channel(index);
                for (campaign, visits) in channel.campaigns.iter().zip(today.visits[index]) {
                    let cents = if dearer { campaign.visit_cents_when_dearer } else { campaign.visit_cents };
                    let micros = i64::from(visits) * cents * MICROS_A_CENT;
                    let of = Purpose { channel: channel.name, campaign: campaign.name, category: "marketing" };
                    costs.spend(day, of, micros, Some(visits));
                }
                let campaign = channel.campaigns.first().map_or("", |campaign| campaign.name);
                let rewards = Purpose { channel: channel.name, campaign, category: "marketing" };
                costs.spend(day, rewards, today.rewards[index], None);
                let commissions = Purpose { channel: channel.name, campaign: "", category: "sales" };
                costs.spend(day, commissions, today.commissions[index], None);
            }
            if day + 1 == next {
                for (team, category) in [(&story::MARKETERS, "marketing"), (&story::SELLERS, "sales")] {
                    let of = Purpose { channel: "", campaign: "", category };
                    costs.spend(day, of, salaries(team, month, signed_up), None);
                }
            }
        }
    }

    fn balances(&self, company: &Company, calendar: &Calendar, paid: &[i64], to: &mut Surroundings) {
        let (a_month, a_sign_up) = story::SEED_ROUND;
        let planned = a_sign_up.saturating_mul(i64::try_from(company.customers).unwrap_or(i64::MAX));
        let planned = planned.saturating_add(a_month * i64::from(company.months));
        let seed = planned / story::SEED_ROUND_STEP * story::SEED_ROUND_STEP;
        let mut balance = seed.saturating_mul(MICROS_A_CENT);
        let opening = calendar.first - 1;
        for day in opening..calendar.end {
            balance += self.days[day as usize].received - paid[day as usize];
            let week_ends = (day + 1 - calendar.first).is_multiple_of(7);
            if week_ends || calendar.is_month_end(day) || day + 1 == calendar.end {
                to.cash
                    .day(calendar, day)
                    .text("operating")
                    .text(Currency::Usd.code())
                    .money(share_of(balance, 1, MICROS_A_CENT), Currency::Usd)
                    .end_row();
            }
        }
    }
}

/// What a team is paid in a month, in millionths.
fn salaries(team: &Team, month: u32, signed_up: u64) -> i64 {
    i64::try_from(heads(team, month, signed_up)).unwrap_or(i64::MAX).saturating_mul(team.month * MICROS_A_CENT)
}

fn heads(team: &Team, month: u32, signed_up: u64) -> u64 {
    if month < team.from_month { 0 } else { team.at_first + signed_up / team.sign_ups_a_head }
}

/// What is spent for.
#[derive(Debug, Clone, Copy)]
struct Purpose {
    channel: &'static str,
    campaign: &'static str,
    category: &'static str,
}

/// What is paid, written and counted.
#[derive(Debug)]
struct Costs<'a> {
    calendar: &'a Calendar,
    written: u64,
    /// By day, in millionths.
    paid: &'a mut [i64],
    to: &'a mut Surroundings,
}

impl Costs<'_> {
    /// Amounts are whole cents: what is below is not owed.
    fn spend(&mut self, day: Day, of: Purpose, micros: i64, clicks: Option<u32>) {
        let cents = micros / MICROS_A_CENT;
        if cents == 0 {
            return;
        }
        self.paid[day as usize] += cents * MICROS_A_CENT;
        let sheet = self
            .to
            .spend
            .day(self.calendar, day)
            .text(of.channel)
            .text(of.campaign)
            .text(of.category)
            .text(Currency::Usd.code())
            .money(cents, Currency::Usd);
        match clicks {
            Some(clicks) => sheet.number(clicks),
            None => sheet.empty(),
        };
        sheet.end_row();
    }

    fn pay(&mut self, day: Day, category: &str, vendor: &str, micros: i64, description: &str) {
        let cents = micros / MICROS_A_CENT;
        if cents <= 0 || day >= self.calendar.end {
            return;
        }
        self.written += 1;
        self.paid[day as usize] += cents * MICROS_A_CENT;
        self.to
            .costs
            .id(b'o', self.written, 0, 0)
            .day(self.calendar, day)
            .text(category)
            .text(vendor)
            .text(Currency::Usd.code())
            .money(cents, Currency::Usd)
            .text(description)
            .end_row();
    }

    /// Everything that a month costs by itself.
    fn running(&mut self, month: u32, from: Day, next: Day, customers: i64, seats: i64, signed_up: u64) {
        let count = |heads: u64| i64::try_from(heads).unwrap_or(i64::MAX);
        let cents = |cents: i64| cents.saturating_mul(MICROS_A_CENT);
        let supporters = customers / story::CUSTOMERS_A_SUPPORTER as i64;
        let teams = [&story::DEVELOPERS, &story::OFFICE, &story::MARKETERS, &story::SELLERS];
        let heads = teams.map(|team| count(heads(team, month, signed_up))).iter().sum::<i64>() + supporters;

        self.pay(from, "general", "Landlord", cents(heads * story::RENT_A_HEAD), "Office");
        if (month - 1).is_multiple_of(12) {
            self.pay(from + 4, "general", "Insurer", cents(story::INSURANCE_YEAR), "Liability for a year");
        }
        let (fixed, a_customer, a_seat) = story::HOSTING_MONTH;
        let full = fixed + customers * a_customer + seats * a_seat;
        let cheaper = story::CHEAPER_HOSTING.has_begun(month);
        let hosting = if cheaper { share_of(full, story::CHEAPER_HOSTING_PERCENT, 100) } else { full };
        let day = (from + HOSTING_DAY).min(next - 1);
        self.pay(day, "cost_of_revenue", "Cloud hosting", cents(hosting), "Servers of the month");
        let day = (from + 14).min(next - 1);
        self.pay(day, "development", "Software tools", cents(heads * story::TOOLS_A_HEAD), "Programs that we rent");
        self.pay(day, "general", "Accountant", cents(story::ACCOUNTANT_MONTH), "Books and filings");
        let support = cents(supporters * story::SUPPORTER_MONTH);
        self.pay(next - 1, "cost_of_revenue", "Payroll", support, "Salaries: support");
        for (team, category) in [(&story::DEVELOPERS, "development"), (&story::OFFICE, "general")] {
            self.pay(next - 1, category, "Payroll", salaries(team, month, signed_up), team.name);
        }
    }
}
