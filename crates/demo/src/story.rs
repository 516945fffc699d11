//! The story of the company: every number that shapes it, in one place.
//!
//! Nothing in the files happens without a cause that is written here, so a
//! reader who finds a bump in a chart can find its name, its month and its
//! reason. `STORY.md` tells the same in prose, and a test keeps the two equal.

// The last underscore of an amount stands where its cents begin.
#![allow(clippy::inconsistent_digit_grouping)]

mod company;
mod market;
mod product;

use crate::dice::Chance;
use crate::price::Currency;
pub use company::*;
pub use market::*;
pub use product::*;

/// Something that happened to the whole company in a certain month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// A short name, fit for a note on a chart.
    pub name: &'static str,
    /// The first month in which it works; the company's first month is 1.
    pub first_month: u32,
    /// For how many months it works.
    pub months: u32,
    /// What happened, in one or two sentences.
    pub words: &'static str,
    /// Where a reader finds it in the numbers.
    pub shows: &'static str,
    /// Whether the company knows of it, and has written it down among its notes.
    pub is_known: bool,
}

impl Event {
    /// Whether the event works in that month of the story.
    pub const fn covers(&self, month: u32) -> bool {
        month >= self.first_month && month < self.first_month + self.months
    }

    /// Whether the event has happened by that month, for what lasts.
    pub const fn has_begun(&self, month: u32) -> bool {
        month >= self.first_month
    }
}

/// Month 10: half price for three months, and many who never needed the product.
pub const LAUNCH: Event = Event {
    name: "launch campaign",
    first_month: 10,
    months: 1,
    words: "A launch campaign sells the monthly plans at half price for three months. Sign-ups more than \
            double; those it brings fit poorly, convert seldom and leave soon.",
    shows: "Sign-ups and trials of month 10 double, the spend of the campaign half_price_launch appears, the launch channel has \
            more customers leaving and a lower LTV than its CAC, and leavers who say no_longer_needed rise until month 14.",
    is_known: true,
};

/// Month 13: new customers pay the new prices at once.
pub const PRICE_RISE: Event = Event {
    name: "price rise",
    first_month: 13,
    months: 1,
    words: "List prices rise by about 15 %. Whoever signs up from now on pays the new price; those who are there keep \
            the old one for six months.",
    shows: "ASP and ARPA of new customers rise from month 13, and tickets of the category pricing appear.",
    is_known: true,
};

/// Month 15: the payment processor asks for strong authentication.
pub const CARD_FAILURES: Event = Event {
    name: "failed-card wave",
    first_month: 15,
    months: 1,
    words: "The payment processor starts to ask for strong authentication, and three times as many cards fail as in \
            other months. Most are recovered within three weeks, some are lost.",
    shows: "Failed payments with the reason authentication_required, a peak of the payment failure rate and then of \
            involuntary churn, and billing tickets that wait longer than usual. Usage does not fall before these customers go.",
    is_known: true,
};

/// Months 17 and 18: a release breaks what teams use most.
pub const BAD_RELEASE: Event = Event {
    name: "bad release",
    first_month: 17,
    months: 2,
    words: "A release breaks shared boards, which only the team plan has. For two months team customers leave about \
            three times as often, saying that a feature is missing or that they switched.",
    shows: "Bug tickets of team customers multiply and wait days, their NPS and CSAT fall, the use of the feature shared_boards \
            falls to a quarter, and churn of the team plan follows with the reasons missing_feature and switched.",
    is_known: true,
};

/// Month 19: those who were there before the price rise are raised at their next renewal.
pub const OLD_PRICES_END: Event = Event {
    name: "old prices end",
    first_month: 19,
    months: 1,
    words: "The six months of old prices are over: existing customers are raised at their first renewal from now on, \
            contracts when they run out. Most stay (expansion by price), some leave as too expensive.",
    shows: "Expansion by price from month 19, pricing tickets, lower NPS of those who were raised, and churn that says too_expensive.",
    is_known: true,
};

/// Month 4: large companies are talked to by somebody who is paid for it.
pub const SALES_HIRE: Event = Event {
    name: "first sales hire",
    first_month: 4,
    months: 1,
    words: "The first seller is hired. From now on large companies are sold to by people with a salary and a \
            commission on what they sign.",
    shows: "Spend of the category sales begins, and CAC splits into marketing and sales.",
    is_known: true,
};

/// Months 5 to 9: a test that worked.
pub const ANNUAL_TEST: Event = Event {
    name: "annual price test",
    first_month: 5,
    months: 5,
    words: "Half of those who sign up see the yearly price first. More of them come to pay, and more of those pay by the \
            year.",
    shows: "In the experiment annual_price_first the arm annual_first converts more trials than monthly_first, and has \
            more yearly subscriptions.",
    is_known: true,
};

/// Month 12: a feature that people come to love.
pub const AUTOMATIONS: Event = Event {
    name: "automations",
    first_month: 12,
    months: 1,
    words: "A new feature, automations, is released to all plans and is soon loved. Time tracking, which has been there \
            from the first day, is still used by almost nobody.",
    shows: "Feature adoption: automations is absent before month 12 and among the first after it, time_tracking is last.",
    is_known: true,
};

/// Month 14: the same words cost more.
pub const DEARER_CLICKS: Event = Event {
    name: "dearer clicks",
    first_month: 14,
    months: 1,
    words: "A rival begins to bid on the same words and audiences. From now on a visit costs about 60 % more in search and \
            40 % more in paid social.",
    shows: "Spend per visit and CAC of google_ads and meta_ads rise while their conversion holds.",
    is_known: true,
};

/// Months 20 to 22: a test that changed nothing.
pub const CHECKLIST_TEST: Event = Event {
    name: "checklist test",
    first_month: 20,
    months: 3,
    words: "Half of those who sign up see a checklist in their first days. It changes nothing.",
    shows: "In the experiment onboarding_checklist the two arms convert alike, within what chance allows.",
    is_known: true,
};

/// Month 21: the same seats cost less to host.
pub const CHEAPER_HOSTING: Event = Event {
    name: "cheaper hosting",
    first_month: 21,
    months: 1,
    words: "The product moves to cheaper servers. From now on a seat costs about a quarter less to host.",
    shows: "Costs of the vendor Cloud hosting fall in month 21 though seats rise, and the gross margin rises by two or \
            three points.",
    is_known: true,
};

/// Month 22: the largest risk, for those who look.
pub const QUIET_WHALE: Event = Event {
    name: "quiet whale",
    first_month: 22,
    months: 1,
    words: "The first whale that is still there loses heart: its people come less and less. Its contract runs on, and nobody \
            has said a word.",
    shows: "One of the largest customers by MRR, the whale with the lowest number, is used ever less from month 22 on, \
            scores low and has the worst health, while nothing in billing has changed. No note tells of it.",
    is_known: false,
};

/// Every event, in the order in which they happen.
pub const EVENTS: [Event; 12] = [
    SALES_HIRE,
    ANNUAL_TEST,
    LAUNCH,
    AUTOMATIONS,
    PRICE_RISE,
    DEARER_CLICKS,
    CARD_FAILURES,
    BAD_RELEASE,
    OLD_PRICES_END,
    CHECKLIST_TEST,
    CHEAPER_HOSTING,
    QUIET_WHALE,
];

/// How far sign-ups rise in the month of the launch, over what the season says.
pub const LAUNCH_SIGN_UPS_PERCENT: u32 = 230;
/// How many times more often cards fail in the wave.
pub const CARD_FAILURES_PERCENT: u32 = 300;
/// How much more often team customers leave because of the bad release, on top of the usual.
pub const BAD_RELEASE_LEAVING_PERCENT: u32 = 200;
/// Who leaves rather than pay the new price, when billed by the month or quarter.
pub const PRICE_RISE_LEAVING: Chance = Chance::per_mille(45);
/// The same for those who pay by the year or have a contract.
pub const PRICE_RISE_LEAVING_YEARLY: Chance = Chance::per_mille(80);

/// Sign-ups by calendar month, as a percentage of an ordinary one: a peak in
/// January, when budgets are new, and a dip in summer and at Christmas.
pub const SEASON_PERCENT: [u32; 12] = [135, 112, 108, 100, 98, 92, 78, 70, 110, 108, 102, 84];
/// Sign-ups on a Saturday or Sunday, as a percentage of a working day.
pub const WEEKEND_PERCENT: u32 = 40;
/// How much the sign-ups of a month exceed those of the month before, as a
/// share of the first month's: growth is a straight line, not a dream.
pub const SIGN_UP_GROWTH_PERCENT: u32 = 6;

/// How long a trial lasts.
pub const TRIAL_DAYS: u32 = 14;

/// What a customer who comes through a channel is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coupon {
    /// The full price.
    None,
    /// 20 % off for ever: the partners' terms.
    PartnerForever,
    /// 50 % off for three months, monthly plans only: the launch campaign.
    LaunchRepeating,
    /// A fixed amount off the first invoice: what a friend who refers may give.
    FriendOnce,
}

/// The partners' discount, percent.
pub const PARTNER_DISCOUNT_PERCENT: u32 = 20;
/// The launch campaign's discount, percent.
pub const LAUNCH_DISCOUNT_PERCENT: u32 = 50;
/// For how many months the launch discount is repeated.
pub const LAUNCH_DISCOUNT_MONTHS: u32 = 3;
/// Off the first invoice of a referred customer, in minor units by currency (USD, EUR, GBP, JPY).
pub const FRIEND_COUPON: [i64; 4] = [10_00, 10_00, 8_00, 1_500];
/// How many referred customers use the friend's coupon.
pub const FRIEND_COUPON_USED: Chance = Chance::per_cent(60);

/// A way by which customers come.
#[derive(Debug, Clone, Copy)]
pub struct Channel {
    /// Its name in `customers.csv`.
    pub name: &'static str,
    /// Share of the sign-ups, per mille.
    pub share: u32,
    /// How many of its trials become paying customers.
    pub trial_conversion: Chance,
    /// How often its customers leave, as a percentage of the usual.
    pub leaving_percent: u32,
    /// What its customers are offered.
    pub coupon: Coupon,
    /// How many visitors it takes until one signs up.
    pub visitors_a_sign_up: u32,
    /// What it is worked with; a channel that costs nothing may have none.
    pub campaigns: &'static [Campaign],
    /// The pages that its visitors come from.
    pub referrers: &'static [&'static str],
    /// The pages that they come to.
    pub pages: &'static [&'static str],
}

/// One campaign of a channel.
#[derive(Debug, Clone, Copy)]
pub struct Campaign {
    /// Its name in the files.
    pub name: &'static str,
    /// Its share of the channel's visits.
    pub share: u32,
    /// What a visit costs, in cents of the dollar.
    pub visit_cents: i64,
    /// The same once clicks are dearer.
    pub visit_cents_when_dearer: i64,
}

/// The everyday channels.
#[rustfmt::skip]
pub const CHANNELS: [Channel; 5] = [
    Channel { name: "organic", share: 360, trial_conversion: Chance::per_cent(46), leaving_percent: 90, coupon: Coupon::None, visitors_a_sign_up: 25, campaigns: &[], referrers: &["https://www.google.com/", "https://www.bing.com/", "https://news.ycombinator.com/"], pages: &["/", "/blog/weekly-planning", "/blog/kanban-for-agencies", "/pricing"] },
    Channel { name: "google_ads", share: 260, trial_conversion: Chance::per_cent(38), leaving_percent: 105, coupon: Coupon::None, visitors_a_sign_up: 22, campaigns: &GOOGLE_CAMPAIGNS, referrers: &["https://www.google.com/"], pages: &["/", "/compare", "/pricing"] },
    Channel { name: "meta_ads", share: 150, trial_conversion: Chance::per_cent(25), leaving_percent: 135, coupon: Coupon::None, visitors_a_sign_up: 145, campaigns: &META_CAMPAIGNS, referrers: &["https://www.facebook.com/", "https://www.instagram.com/"], pages: &["/start", "/"] },
    Channel { name: "referral", share: 130, trial_conversion: Chance::per_cent(58), leaving_percent: 70, coupon: Coupon::FriendOnce, visitors_a_sign_up: 6, campaigns: &REFERRAL_CAMPAIGNS, referrers: &["https://mail.example.com/"], pages: &["/invited"] },
    Channel { name: "partner", share: 100, trial_conversion: Chance::per_cent(62), leaving_percent: 75, coupon: Coupon::PartnerForever, visitors_a_sign_up: 9, campaigns: &PARTNER_CAMPAIGNS, referrers: &["https://partners.example.net/"], pages: &["/partners", "/pricing"] },
];

/// The channel of the launch campaign, open only while it runs.
pub const LAUNCH_CHANNEL: Channel = Channel {
    name: "launch",
    share: 0,
    trial_conversion: Chance::per_cent(34),
    leaving_percent: 230,
    coupon: Coupon::LaunchRepeating,
    visitors_a_sign_up: 45,
    campaigns: &LAUNCH_CAMPAIGNS,
    referrers: &["https://www.producthunt.com/", "https://www.youtube.com/"],
    pages: &["/half-price"],
};

/// The channel at that place of every table by channel: the everyday ones, then the launch.
pub fn channel(index: usize) -> &'static Channel {
    CHANNELS.get(index).unwrap_or(&LAUNCH_CHANNEL)
}

/// How many channels there are, the launch included.
pub const CHANNELS_COUNT: usize = CHANNELS.len() + 1;
/// How many campaigns a channel has at most.
pub const CAMPAIGNS_A_CHANNEL: usize = 3;

const GOOGLE_CAMPAIGNS: [Campaign; 3] = [
    Campaign { name: "brand", share: 20, visit_cents: 3_20, visit_cents_when_dearer: 5_10 },
    Campaign { name: "task_boards", share: 55, visit_cents: 10_50, visit_cents_when_dearer: 16_80 },
    Campaign { name: "competitor_names", share: 25, visit_cents: 14_00, visit_cents_when_dearer: 22_40 },
];
const META_CAMPAIGNS: [Campaign; 2] = [
    Campaign { name: "lookalike", share: 75, visit_cents: 10_40, visit_cents_when_dearer: 14_60 },
    Campaign { name: "retargeting", share: 25, visit_cents: 7_80, visit_cents_when_dearer: 10_90 },
];
const REFERRAL_CAMPAIGNS: [Campaign; 1] =
    [Campaign { name: "invite_a_friend", share: 1, visit_cents: 0, visit_cents_when_dearer: 0 }];
const PARTNER_CAMPAIGNS: [Campaign; 1] =
    [Campaign { name: "partner_programme", share: 1, visit_cents: 0, visit_cents_when_dearer: 0 }];
const LAUNCH_CAMPAIGNS: [Campaign; 1] =
    [Campaign { name: "half_price_launch", share: 1, visit_cents: 8_00, visit_cents_when_dearer: 8_00 }];

/// Where customers live.
#[derive(Debug, Clone, Copy)]
pub struct Country {
    /// ISO 3166-1 alpha-2.
    pub code: &'static str,
    /// Share of the sign-ups, per mille.
    pub share: u32,
    /// What they are billed in.
    pub currency: Currency,
    /// Value added tax, percent; nought where prices are shown without.
    pub tax_percent: u32,
}

/// The countries, by weight.
#[rustfmt::skip]
pub const COUNTRIES: [Country; 11] = [
    Country { code: "US", share: 400, currency: Currency::Usd, tax_percent: 0 },
    Country { code: "GB", share: 120, currency: Currency::Gbp, tax_percent: 20 },
    Country { code: "DE", share: 105, currency: Currency::Eur, tax_percent: 19 },
    Country { code: "FR", share: 85, currency: Currency::Eur, tax_percent: 20 },
    Country { code: "JP", share: 80, currency: Currency::Jpy, tax_percent: 10 },
    Country { code: "CA", share: 60, currency: Currency::Usd, tax_percent: 5 },
    Country { code: "NL", share: 40, currency: Currency::Eur, tax_percent: 21 },
    Country { code: "AU", share: 35, currency: Currency::Usd, tax_percent: 10 },
    Country { code: "ES", share: 35, currency: Currency::Eur, tax_percent: 21 },
    Country { code: "SE", share: 20, currency: Currency::Eur, tax_percent: 25 },
    Country { code: "IE", share: 20, currency: Currency::Eur, tax_percent: 23 },
];

/// What is sold.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Its id in every file.
    pub id: &'static str,
    /// What it is a plan of: the desk, or the add-on.
    pub product: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// A seat for a month, in minor units (USD, EUR, GBP, JPY), until the price rise.
    pub price: [i64; 4],
    /// The same from the price rise on.
    pub price_after_rise: [i64; 4],
    /// How many monthly prices make a yearly one, in tenths: 100 is two months free.
    pub year_in_month_tenths: i64,
    /// How often a settled customer of average fit leaves, in a month.
    pub leaving: Chance,
    /// The most seats that can be had.
    pub seats_limit: u32,
}

/// The index of the starter plan in [`PLANS`].
pub const STARTER: usize = 0;
/// The index of the team plan in [`PLANS`].
pub const TEAM: usize = 1;
/// The index of the business plan in [`PLANS`].
pub const BUSINESS: usize = 2;
/// The index of the add-on in [`PLANS`].
pub const INSIGHTS: usize = 3;

/// The price list.
pub const PLANS: [Plan; 4] = [
    Plan {
        id: "starter",
        product: "desk",
        name: "Starter",
        price: [19_00, 18_00, 16_00, 2_800],
        price_after_rise: [22_00, 21_00, 18_50, 3_200],
        year_in_month_tenths: 100,
        leaving: Chance::per_mille(48),
        seats_limit: 3,
    },
    Plan {
        id: "team",
        product: "desk",
        name: "Team",
        price: [49_00, 45_00, 42_00, 7_200],
        price_after_rise: [56_00, 52_00, 48_00, 8_300],
        year_in_month_tenths: 100,
        leaving: Chance::per_mille(28),
        seats_limit: 60,
    },
    Plan {
        id: "business",
        product: "desk",
        name: "Business",
        price: [199_00, 185_00, 169_00, 29_000],
        price_after_rise: [229_00, 213_00, 194_00, 33_000],
        year_in_month_tenths: 96,
        leaving: Chance::per_mille(14),
        seats_limit: 900,
    },
    Plan {
        id: "insights",
        product: "insights",
        name: "Insights add-on",
        price: [29_00, 27_00, 24_00, 4_200],
        price_after_rise: [29_00, 27_00, 24_00, 4_200],
        year_in_month_tenths: 100,
        leaving: Chance::per_mille(20),
        seats_limit: 1,
    },
];

/// How large a customer's company is, and what follows from it.
#[derive(Debug, Clone, Copy)]
pub struct CompanySize {
    /// Its name in `customers.csv`.
    pub name: &'static str,
    /// Share of the sign-ups, per mille.
    pub share: u32,
    /// Weights of the first plan: starter, team, business.
    pub first_plan: [u32; 3],
    /// The fewest and the most seats at the start.
    pub seats: (u32, u32),
    /// How many of them pay by the year from the start.
    pub yearly: Chance,
    /// How many of the others pay by the quarter (team and business only).
    pub quarterly: Chance,
    /// How often seats or plans grow, as a percentage of the usual.
    pub growth_percent: u32,
    /// Sold by a person, with a contract and an invoice instead of a trial and a card.
    pub contract: bool,
}

/// The sizes, by weight.
#[rustfmt::skip]
pub const COMPANY_SIZES: [CompanySize; 4] = [
    CompanySize { name: "solo", share: 440, first_plan: [90, 10, 0], seats: (1, 1), yearly: Chance::per_cent(14), quarterly: Chance::NEVER, growth_percent: 40, contract: false },
    CompanySize { name: "small", share: 380, first_plan: [32, 64, 4], seats: (2, 5), yearly: Chance::per_cent(20), quarterly: Chance::per_cent(5), growth_percent: 100, contract: false },
    CompanySize { name: "mid", share: 165, first_plan: [6, 70, 24], seats: (3, 9), yearly: Chance::per_cent(30), quarterly: Chance::per_cent(12), growth_percent: 140, contract: false },
    CompanySize { name: "large", share: 15, first_plan: [0, 0, 1], seats: (8, 24), yearly: Chance::per_cent(100), quarterly: Chance::NEVER, growth_percent: 120, contract: true },
];

/// One customer in so many is a whale: a large company with far more seats.
pub const WHALE_EVERY_CUSTOMERS: u64 = 500;
/// Which of them, so that even a small company has one early on.
pub const WHALE_OFFSET: u64 = 90;
/// The fewest and the most seats of a whale at the start.
pub const WHALE_SEATS: (u32, u32) = (45, 120);

/// How many days a contract takes from sign-up to its start.
pub const CONTRACT_NEGOTIATION_DAYS: (u32, u32) = (10, 45);
/// Weights of contracts over one, two and three years.
pub const CONTRACT_YEARS_SHARE: [u32; 3] = [60, 25, 15];
/// The discount on contracts over one, two and three years, percent.
pub const CONTRACT_DISCOUNT_PERCENT: [u32; 3] = [0, 5, 10];
/// How many contracts are not renewed.
pub const CONTRACT_LEAVING: Chance = Chance::per_mille(90);
/// How many days before the end of a contract its customer says that it will leave.
pub const CONTRACT_NOTICE_DAYS: (u32, u32) = (3, 27);
/// Set-up and training, invoiced once at the start of a first contract (USD, EUR, GBP, JPY).
pub const ONBOARDING_FEE: [i64; 4] = [1_500_00, 1_400_00, 1_200_00, 220_000];
/// How many days after the invoice a contract customer's transfer arrives.
pub const TRANSFER_DAYS: (u32, u32) = (8, 48);

/// How often customers leave by age in months, as a percentage of the settled:
/// the first three months decide.
pub const AGE_LEAVING_PERCENT: [u32; 13] = [230, 200, 165, 130, 115, 105, 100, 95, 90, 85, 80, 75, 70];
/// How well the product fits a customer, as a percentage of the usual hazard;
/// every customer draws one of these for good, which makes old cohorts loyal.
pub const FIT_LEAVING_PERCENT: [u32; 6] = [40, 60, 80, 100, 140, 180];
/// A quarter's or a year's chance to leave, as a percentage of a settled month's.
pub const LEAVING_PER_QUARTER_PERCENT: u32 = 260;
/// Those who pay by the year can leave only at renewal.
pub const LEAVING_PER_YEAR_PERCENT: u32 = 650;

/// Weights of why people leave on an ordinary day, in the order of
/// too expensive, missing feature, switched, no longer needed.
pub const LEAVING_REASONS: [u32; 4] = [30, 25, 20, 25];
/// The same for those who came with the launch campaign.
pub const LAUNCH_LEAVING_REASONS: [u32; 4] = [30, 8, 7, 55];
/// The same for the bad release.
pub const BAD_RELEASE_LEAVING_REASONS: [u32; 4] = [0, 65, 35, 0];

/// Starter to team, in a month.
pub const UPGRADE_STARTER: Chance = Chance::per_mille(16);
/// Team to business, in a month.
pub const UPGRADE_TEAM: Chance = Chance::per_mille(7);
/// The seats of a starter that becomes a team.
pub const UPGRADE_SEATS: (u32, u32) = (2, 5);
/// More seats, in a month.
pub const SEATS_GROW: Chance = Chance::per_mille(45);
/// How many percent of the seats are added at most; at least one seat is.
pub const SEATS_GROW_PERCENT: u32 = 25;
/// Fewer seats, at a renewal.
pub const SEATS_SHRINK: Chance = Chance::per_mille(14);
/// One plan down, at a renewal.
pub const DOWNGRADE: Chance = Chance::per_mille(5);
/// From monthly to yearly billing, at a renewal after the third month.
pub const TO_YEARLY: Chance = Chance::per_mille(7);
/// The add-on is bought, in a month, by team and business customers after the second month.
pub const ADD_ON_BOUGHT: Chance = Chance::per_mille(18);

/// A monthly customer pauses instead of renewing.
pub const PAUSE: Chance = Chance::per_mille(5);
/// For how many months.
pub const PAUSE_MONTHS: (u32, u32) = (1, 3);
/// How many pauses end in a return.
pub const PAUSE_RESUMED: Chance = Chance::per_cent(80);
/// How many of those who left come back.
pub const RETURN: Chance = Chance::per_mille(90);
/// After how many days they do.
pub const RETURN_DAYS: (u32, u32) = (45, 270);
/// How many of those lost to a failed payment come back with a new card.
pub const RETURN_AFTER_FAILED_PAYMENT: Chance = Chance::per_mille(200);
/// After how many days they do.
pub const RETURN_AFTER_FAILED_PAYMENT_DAYS: (u32, u32) = (5, 50);
/// How often one customer may begin anew.
pub const SUBSCRIPTIONS_A_CUSTOMER: u32 = 3;

/// A card fails at a renewal.
pub const CARD_FAILS: Chance = Chance::per_mille(32);
/// When a failed card is tried again, in days after the invoice, and how often that works.
pub const RETRIES: [(u32, Chance); 4] =
    [(3, Chance::per_cent(40)), (7, Chance::per_cent(30)), (14, Chance::per_cent(25)), (20, Chance::per_cent(12))];
/// How long a subscription is past due before it counts as unpaid.
pub const PAST_DUE_DAYS: u32 = 21;
/// How long it is unpaid before it is canceled.
pub const UNPAID_DAYS: u32 = 10;
/// Why cards fail, and how often.
pub const CARD_FAILURE_REASONS: [(&str, u32); 4] =
    [("insufficient_funds", 40), ("card_declined", 30), ("expired_card", 25), ("processing_error", 5)];
/// Why they fail in the wave.
pub const CARD_FAILURE_REASON_IN_WAVE: &str = "authentication_required";
/// A payment is given back.
pub const REFUND: Chance = Chance::per_mille(3);
/// After how many days.
pub const REFUND_DAYS: (u32, u32) = (1, 12);
/// A payment is disputed at the bank, which ends the subscription.
pub const DISPUTE: Chance = Chance::per_mille(1);
/// After how many days.
pub const DISPUTE_DAYS: (u32, u32) = (5, 25);

/// A currency's rate to the dollar.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// The currency that is priced.
    pub currency: Currency,
    /// The level to which its rate keeps returning, in billionths of a dollar.
    pub level_nanos: i64,
}

/// The rates that `fx-rates.csv` walks through.
pub const RATES: [Rate; 3] = [
    Rate { currency: Currency::Eur, level_nanos: 1_085_000_000 },
    Rate { currency: Currency::Gbp, level_nanos: 1_270_000_000 },
    Rate { currency: Currency::Jpy, level_nanos: 6_700_000 },
];
