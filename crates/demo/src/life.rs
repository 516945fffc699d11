//! The life of one customer: trial, payments, growth, pauses, leaving, coming back.
//!
//! Time moves in months since the billing day. In each, the customer first
//! pays if a renewal is due, then may decide to leave, then to pause, then to
//! grow, so that a month tells at most one story.

use crate::Company;
use crate::billing::{Billing, Outcome, Service};
use crate::biography::Biography;
use crate::calendar::{Calendar, Day};
use crate::dice::{Chance, Dice, Purpose};
use crate::person::Person;
use crate::price::{Discount, Interval, PriceList, Terms};
use crate::sheet::Sheets;
use crate::story::{self, Coupon, PLANS};
use crate::till::Till;
use crate::timeline::{Reason, Status, Timeline};

/// The two subscriptions being told, kept from customer to customer for their memory, and what has been told
/// of the customer.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    desk: Timeline,
    add_on: Timeline,
    pub(crate) biography: Biography,
}

/// How a subscription to the desk came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It goes on, as far as the files know.
    Open,
    /// The trial did not convince.
    TrialLost,
    Left(Day),
    LostToCard(Day),
    /// Disputed, or never resumed: no return is to be expected.
    Gone,
}

/// What the customer decided at the end of a term.
#[derive(Debug, Clone, Copy)]
struct Departure {
    asked: Day,
    reason: Reason,
}

/// Tells the life of one customer into the sheets, and leaves its biography in the pages.
pub(crate) fn live(
    company: &Company,
    calendar: &Calendar,
    person: Person,
    sheets: &mut Sheets,
    till: &mut Till,
    pages: &mut Pages,
) {
    pages.biography.clear();
    let dice = |purpose| Dice::new(company.seed, person.number, purpose);
    let mut life = Life {
        calendar,
        person,
        dice: dice(Purpose::Life),
        add_on_dice: dice(Purpose::AddOn),
        billing: Billing::new(calendar, person, sheets, till, dice(Purpose::Billing)),
        subscriptions: 0,
        contracts: 0,
    };
    life.tell(pages);
    pages.biography.card_failed.append(&mut life.billing.failed);
}

#[derive(Debug)]
struct Life<'a> {
    calendar: &'a Calendar,
    person: Person,
    dice: Dice,
    add_on_dice: Dice,
    billing: Billing<'a>,
    /// Numbers given so far.
    subscriptions: u32,
    contracts: u32,
}

impl Life<'_> {
    fn tell(&mut self, pages: &mut Pages) {
        let mut ending = if self.person.size.contract {
            let (low, high) = story::CONTRACT_NEGOTIATION_DAYS;
            let start = self.person.signed_up + self.dice.between(low, high);
            let terms = self.first_terms(self.person.signed_up);
            self.subscribe(pages, terms, start, None)
        } else {
            let signed_up = self.person.signed_up;
            let terms = self.first_terms(signed_up);
            self.subscribe(pages, terms, signed_up + story::TRIAL_DAYS, Some(signed_up))
        };

        for _ in 1..story::SUBSCRIPTIONS_A_CUSTOMER {
            let (left, chance, (low, high)) = match ending {
                Ending::Left(day) => (day, story::RETURN, story::RETURN_DAYS),
                Ending::LostToCard(day) => {
                    (day, story::RETURN_AFTER_FAILED_PAYMENT, story::RETURN_AFTER_FAILED_PAYMENT_DAYS)
                }
                Ending::Open | Ending::TrialLost | Ending::Gone => return,
            };
            if !self.dice.happens(chance) {
                return;
            }
            let back = left + self.dice.between(low, high);
            // A return that is not yet signed is not yet a fact.
            if back >= self.calendar.end {
                return;
            }
            let mut terms = self.first_terms(back);
            if !matches!(terms.discount, Discount::PercentForever(_)) {
                terms.discount = Discount::None;
            }
            ending = self.subscribe(pages, terms, back, None);
        }
    }

    fn first_terms(&mut self, day: Day) -> Terms {
        let size = self.person.size;
        let coupon = self.person.channel.coupon;
        let plans = [story::STARTER, story::TEAM, story::BUSINESS];
        let plan = *self.dice.choose(&plans, |plan| size.first_plan[*plan]);
        let (low, high) = if self.person.is_whale { story::WHALE_SEATS } else { size.seats };
        let seats = self.dice.between(low, high).min(PLANS[plan].seats_limit);
        let interval = if coupon == Coupon::LaunchRepeating {
            Interval::Month
        } else if self.dice.happens(size.yearly) {
            Interval::Year
        } else if Interval::Quarter.sold_for(plan) && self.dice.happens(size.quarterly) {
            Interval::Quarter
        } else {
            Interval::Month
        };
        let discount = match coupon {
            Coupon::PartnerForever => Discount::PercentForever(story::PARTNER_DISCOUNT_PERCENT),
            Coupon::LaunchRepeating => Discount::PercentRepeating(story::LAUNCH_DISCOUNT_PERCENT),
            Coupon::FriendOnce if !size.contract && self.dice.happens(story::FRIEND_COUPON_USED) => {
                Discount::AmountOnce(story::FRIEND_COUPON[self.person.country.currency.column()])
            }
            Coupon::FriendOnce | Coupon::None => Discount::None,
        };
        Terms { plan, interval, seats, list: PriceList::of_month(self.calendar.story_month(day)), discount }
    }

    /// One subscription to the desk, and the add-on that may come with it.
    fn subscribe(&mut self, pages: &mut Pages, terms: Terms, paid_from: Day, trial_from: Option<Day>) -> Ending {
        self.subscriptions += 1;
        let subscription = self.subscriptions;
        let mut add_on_from = None;
        let ending = match trial_from {
            Some(start) => {
                pages.desk.begin(start, terms, Status::Trialing, Some(paid_from));
                if self.dice.happens(self.person.channel.trial_conversion) {
                    pages.desk.change(paid_from, |row| {
                        row.status = Status::Active;
                        row.trial_end = None;
                    });
                    self.pay_month_by_month(&mut pages.desk, subscription, terms, paid_from, &mut add_on_from)
                } else {
                    let reason = self.given_reason(&story::LEAVING_REASONS);
                    pages.desk.end_at(paid_from, reason);
                    Ending::TrialLost
                }
            }
            None => {
                pages.desk.begin(paid_from, terms, Status::Active, None);
                self.pay_month_by_month(&mut pages.desk, subscription, terms, paid_from, &mut add_on_from)
            }
        };
        pages.desk.write(subscription, &self.person, self.calendar, &mut self.billing.sheets.subscriptions);
        pages.biography.chapters.push(pages.desk.clone());

        if let Some(from) = add_on_from.filter(|from| *from < self.calendar.end) {
            self.add_on(pages, from);
        }
        ending
    }

    fn pay_month_by_month(
        &mut self,
        desk: &mut Timeline,
        subscription: u32,
        mut terms: Terms,
        paid_from: Day,
        add_on_from: &mut Option<Day>,
    ) -> Ending {
        let by_card = !self.person.size.contract;
        // Renewals are counted from the anchor, so that a 31st stays a 31st after February.
        let mut anchor = paid_from;
        let mut months_since_anchor = 0;
        let mut age_months = 0;
        let mut contract_ends_month = 0;
        let mut period = Service { from: paid_from, to: paid_from };

        loop {
            let day = self.calendar.months_after(anchor, months_since_anchor);
            // The first term of a contract is told even when it begins beyond the end: it is signed.
            if day >= self.calendar.end && (by_card || age_months > 0) {
                return Ending::Open;
            }
            // From when on this month's decisions may fall, so that none falls into a failed payment.
            let mut settled = day;

            if months_since_anchor % terms.interval.months() == 0 {
                let term_over = by_card || months_since_anchor == contract_ends_month;
                if age_months > 0 && term_over {
                    let renewed = self.terms_at_renewal(terms, day, age_months);
                    if renewed.interval != terms.interval {
                        anchor = day;
                        months_since_anchor = 0;
                    }
                    terms = renewed;
                    desk.change(day, |row| row.terms = renewed);
                }
                if !by_card && term_over {
                    let years = self.sign_contract(desk, &mut terms, day);
                    contract_ends_month = months_since_anchor + 12 * years;
                    if age_months == 0 {
                        self.billing.bill_onboarding(subscription, terms.plan, day);
                    }
                }
                let months_to_renewal = months_since_anchor + terms.interval.months();
                period = Service { from: day, to: self.calendar.months_after(anchor, months_to_renewal) };
                match self.billing.bill_period(subscription, &terms, period, by_card) {
                    Outcome::Paid => {}
                    Outcome::Recovered(recovered) => {
                        desk.change(day, |row| row.status = Status::PastDue);
                        desk.change(recovered, |row| row.status = Status::Active);
                        settled = recovered;
                    }
                    Outcome::Unpaid => {
                        let unpaid = day + story::PAST_DUE_DAYS;
                        let end = unpaid + story::UNPAID_DAYS;
                        desk.change(day, |row| row.status = Status::PastDue);
                        desk.change(unpaid, |row| row.status = Status::Unpaid);
                        desk.end_at(end, Reason::PaymentFailed);
                        return Ending::LostToCard(end);
                    }
                    Outcome::Disputed(disputed) => {
                        desk.end_at(disputed, Reason::Dispute);
                        return Ending::Gone;
                    }
                }
            }

            let next = self.calendar.months_after(anchor, months_since_anchor + 1);
            let may_leave = if by_card {
                (months_since_anchor + 1) % terms.interval.months() == 0
            } else {
                months_since_anchor + 1 == contract_ends_month
            };
            if may_leave {
                if let Some(departure) = self.departure(&terms, settled, next, age_months) {
                    desk.schedule_end(departure.asked, next, departure.reason);
                    return Ending::Left(next);
                }
                if by_card && terms.interval == Interval::Month && age_months > 0 && self.dice.happens(story::PAUSE) {
                    let (low, high) = story::PAUSE_MONTHS;
                    let resumes = self.calendar.months_after(next, self.dice.between(low, high));
                    desk.change(next, |row| row.status = Status::Paused);
                    if !self.dice.happens(story::PAUSE_RESUMED) {
                        desk.end_at(resumes, Reason::NoLongerNeeded);
                        return Ending::Gone;
                    }
                    desk.change(resumes, |row| row.status = Status::Active);
                    anchor = resumes;
                    months_since_anchor = 0;
                    age_months += 1;
                    continue;
                }
            }

            let grown_on = settled + 1 + self.dice.below(next - settled - 1);
            if let Some(grown) = self.growth(&terms, grown_on) {
                self.billing.bill_change(subscription, &terms, &grown, grown_on, period, by_card);
                desk.change(grown_on, |row| row.terms = grown);
                terms = grown;
            } else if add_on_from.is_none()
                && terms.plan != story::STARTER
                && age_months >= 2
                && self.dice.happens(story::ADD_ON_BOUGHT)
            {
                *add_on_from = Some(grown_on);
            }
            months_since_anchor += 1;
            age_months += 1;
        }
    }

    /// What changes for the customer when a term is over and a new one begins.
    fn terms_at_renewal(&mut self, mut terms: Terms, day: Day, age_months: u32) -> Terms {
        if self.calendar.story_month(day) >= story::OLD_PRICES_END.first_month {
            terms.list = PriceList::AfterRise;
        }
        match terms.discount {
            Discount::AmountOnce(_) => terms.discount = Discount::None,
            Discount::PercentRepeating(_) if age_months >= story::LAUNCH_DISCOUNT_MONTHS => {
                terms.discount = Discount::None;
            }
            Discount::None | Discount::PercentForever(_) | Discount::PercentRepeating(_) => {}
        }

        let seats_now = terms.seats;
        if self.dice.happens(story::SEATS_SHRINK) && seats_now > 1 {
            terms.seats = seats_now - self.dice.between(1, (seats_now / 4).max(1));
        } else if terms.plan != story::STARTER && !self.person.size.contract && self.dice.happens(story::DOWNGRADE) {
            terms.plan -= 1;
            terms.seats = terms.seats.min(PLANS[terms.plan].seats_limit);
            if !terms.interval.sold_for(terms.plan) {
                terms.interval = Interval::Month;
            }
        } else if terms.interval == Interval::Month
            && terms.discount == Discount::None
            && age_months >= 3
            && self.dice.happens(story::TO_YEARLY)
        {
            terms.interval = Interval::Year;
        }
        terms
    }

    /// Whether the customer leaves when the term ends on `end`, when they say so, and why.
    fn departure(&mut self, terms: &Terms, settled: Day, end: Day, age_months: u32) -> Option<Departure> {
        let raised =
            terms.list == PriceList::First && self.calendar.story_month(end) >= story::OLD_PRICES_END.first_month;
        if self.person.size.contract {
            let (low, high) = story::CONTRACT_NOTICE_DAYS;
            let asked = end - self.dice.between(low, high);
            if raised && self.dice.happens(story::PRICE_RISE_LEAVING_YEARLY) {
                return Some(Departure { asked, reason: Reason::TooExpensive });
            }
            if self.dice.happens(story::CONTRACT_LEAVING) {
                return Some(Departure { asked, reason: self.given_reason(&story::LEAVING_REASONS) });
            }
            return None;
        }

        let asked = settled + self.dice.below(end - settled);
        let raise_leaving = match terms.interval {
            Interval::Month | Interval::Quarter => story::PRICE_RISE_LEAVING,
            Interval::Year => story::PRICE_RISE_LEAVING_YEARLY,
        };
        if raised && self.dice.happens(raise_leaving) {
            return Some(Departure { asked, reason: Reason::TooExpensive });
        }

        let leaving = self.leaving(terms, age_months);
        let month = self.calendar.story_month(asked);
        if terms.plan == story::TEAM
            && story::BAD_RELEASE.covers(month)
            && self.dice.happens(leaving.times(story::BAD_RELEASE_LEAVING_PERCENT))
        {
            let reason = self.given_reason(&story::BAD_RELEASE_LEAVING_REASONS);
            return Some(Departure { asked, reason });
        }
        if self.dice.happens(leaving) {
            let reasons = match self.person.channel.coupon {
                Coupon::LaunchRepeating => &story::LAUNCH_LEAVING_REASONS,
                Coupon::None | Coupon::PartnerForever | Coupon::FriendOnce => &story::LEAVING_REASONS,
            };
            return Some(Departure { asked, reason: self.given_reason(reasons) });
        }
        None
    }

    /// How likely a customer is to leave at the end of a term, on an ordinary day.
    fn leaving(&self, terms: &Terms, age_months: u32) -> Chance {
        let settled =
            PLANS[terms.plan].leaving.times(self.person.channel.leaving_percent).times(self.person.fit_leaving_percent);
        match terms.interval {
            Interval::Month => {
                let ages = story::AGE_LEAVING_PERCENT;
                settled.times(ages[(age_months as usize).min(ages.len() - 1)])
            }
            Interval::Quarter => settled.times(story::LEAVING_PER_QUARTER_PERCENT),
            Interval::Year => settled.times(story::LEAVING_PER_YEAR_PERCENT),
        }
    }

    fn given_reason(&mut self, shares: &[u32; 4]) -> Reason {
        let reasons = [0, 1, 2, 3];
        Reason::GIVEN[*self.dice.choose(&reasons, |index: &usize| shares[*index])]
    }

    /// A larger plan or more seats, from `day` on.
    fn growth(&mut self, terms: &Terms, day: Day) -> Option<Terms> {
        let percent = self.person.size.growth_percent;
        let mut grown = *terms;
        // Whoever moves up buys at today's prices; more of the same keeps its price.
        let list_today = PriceList::of_month(self.calendar.story_month(day));
        if terms.plan == story::STARTER && self.dice.happens(story::UPGRADE_STARTER.times(percent)) {
            let (low, high) = story::UPGRADE_SEATS;
            grown.plan = story::TEAM;
            grown.seats = self.dice.between(low, high).max(terms.seats);
            grown.list = list_today;
            return Some(grown);
        }
        if terms.plan == story::TEAM && terms.seats > 2 && self.dice.happens(story::UPGRADE_TEAM.times(percent)) {
            grown.plan = story::BUSINESS;
            grown.list = list_today;
            return Some(grown);
        }
        if self.dice.happens(story::SEATS_GROW.times(percent)) {
            let most = (terms.seats * story::SEATS_GROW_PERCENT / 100).max(1);
            let seats = terms.seats + self.dice.between(1, most);
            grown.seats = seats.min(PLANS[terms.plan].seats_limit);
            return (grown.seats > terms.seats).then_some(grown);
        }
        None
    }

    /// Signs a contract from `day` on, gives it its discount, and says how many years it runs.
    fn sign_contract(&mut self, desk: &mut Timeline, terms: &mut Terms, day: Day) -> u32 {
        let years = *self.dice.choose(&[1_u32, 2, 3], |years| story::CONTRACT_YEARS_SHARE[*years as usize - 1]);
        let partner = self.person.channel.coupon == Coupon::PartnerForever;
        let by_term = story::CONTRACT_DISCOUNT_PERCENT[years as usize - 1];
        let percent = if partner { story::PARTNER_DISCOUNT_PERCENT } else { by_term };
        terms.discount = if percent > 0 { Discount::PercentForever(percent) } else { Discount::None };
        let signed = *terms;
        desk.change(day, |row| row.terms = signed);

        let currency = self.person.country.currency;
        let value = terms.net_amount(currency) * i64::from(years);
        let renewal_of = self.contracts;
        self.contracts += 1;
        self.billing.commission(day, terms.yearly_amount(currency));
        let sheet = &mut self.billing.sheets.contracts;
        sheet
            .id(b'k', self.person.number, self.contracts, 0)
            .id(b'c', self.person.number, 0, 0)
            .text(PLANS[terms.plan].id)
            .text(currency.code())
            .money(value, currency)
            .day(self.calendar, day)
            .day(self.calendar, self.calendar.months_after(day, 12 * years));
        if renewal_of > 0 {
            sheet.id(b'k', self.person.number, renewal_of, 0);
        } else {
            sheet.empty();
        }
        sheet.end_row();
        years
    }

    /// The add-on lives as a monthly subscription of its own, and never longer than the desk.
    fn add_on(&mut self, pages: &mut Pages, from: Day) {
        self.subscriptions += 1;
        let subscription = self.subscriptions;
        let terms = Terms {
            plan: story::INSIGHTS,
            interval: Interval::Month,
            seats: 1,
            list: PriceList::of_month(self.calendar.story_month(from)),
            discount: Discount::None,
        };
        let page = &mut pages.add_on;
        page.begin(from, terms, Status::Active, None);
        let stops = pages.desk.stops_after(from);
        for month in 0.. {
            let day = self.calendar.months_after(from, month);
            if day >= self.calendar.end || stops.is_some_and(|(stop, ..)| day >= stop) {
                break;
            }
            let next = self.calendar.months_after(from, month + 1);
            self.billing.bill_add_on(subscription, &terms, Service { from: day, to: next });
            let goes_first = stops.is_none_or(|(stop, ..)| next < stop);
            if goes_first && self.add_on_dice.happens(PLANS[story::INSIGHTS].leaving) {
                let asked = day + self.add_on_dice.below(next - day);
                let reasons = [0, 1, 2, 3];
                let reason = *self.add_on_dice.choose(&reasons, |index: &usize| story::LEAVING_REASONS[*index]);
                page.schedule_end(asked, next, Reason::GIVEN[reason]);
                page.write(subscription, &self.person, self.calendar, &mut self.billing.sheets.subscriptions);
                return;
            }
        }
        match stops {
            Some((stop, reason, Some(asked))) => page.schedule_end(asked.max(from), stop, reason),
            Some((stop, reason, None)) => page.end_at(stop, reason),
            None => {}
        }
        page.write(subscription, &self.person, self.calendar, &mut self.billing.sheets.subscriptions);
    }
}
