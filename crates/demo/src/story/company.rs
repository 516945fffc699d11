//! What the company costs, and what it lives on. Amounts are cents of the dollar unless they say otherwise.

/// What the founders and their first investors put in: a part for each month and one for each sign-up that are planned
/// for.
pub const SEED_ROUND: (i64, i64) = (50_000_00, 100_00);
/// Amounts of the seed round are rounded down to whole multiples of this.
pub const SEED_ROUND_STEP: i64 = 10_000_00;

/// People of one kind: what each costs a month, and how many there are.
#[derive(Debug, Clone, Copy)]
pub struct Team {
    /// What the salaries are called.
    pub name: &'static str,
    /// A month of one of them, with everything on top.
    pub month: i64,
    /// How many there are from the first day.
    pub at_first: u64,
    /// One more for every so many sign-ups so far.
    pub sign_ups_a_head: u64,
    /// The month in which the first is hired.
    pub from_month: u32,
}

/// Who builds the product.
pub const DEVELOPERS: Team =
    Team { name: "Salaries: development", month: 9_200_00, at_first: 2, sign_ups_a_head: 190, from_month: 1 };
/// Who keeps the rest going.
pub const OFFICE: Team =
    Team { name: "Salaries: general", month: 7_400_00, at_first: 1, sign_ups_a_head: 1_000, from_month: 1 };
/// Who makes the company known.
pub const MARKETERS: Team =
    Team { name: "Salaries: marketing", month: 7_600_00, at_first: 1, sign_ups_a_head: 1_000, from_month: 2 };
/// Who sells to large companies.
pub const SELLERS: Team = Team {
    name: "Salaries: sales",
    month: 9_000_00,
    at_first: 1,
    sign_ups_a_head: 1_300,
    from_month: super::SALES_HIRE.first_month,
};
/// What sellers get of the first year of a contract, percent.
pub const COMMISSION_PERCENT: i64 = 8;
/// What a partner gets for a customer who comes to pay.
pub const PARTNER_BOUNTY: i64 = 180_00;
/// What a customer gets for a friend who comes to pay.
pub const FRIEND_REWARD: i64 = 40_00;

/// One of support for so many paying customers; below that the founders answer.
pub const CUSTOMERS_A_SUPPORTER: u64 = 110;
/// What one of support costs a month.
pub const SUPPORTER_MONTH: i64 = 4_600_00;
/// Servers a month: a fixed part, a part for each paying customer, a part for each seat.
pub const HOSTING_MONTH: (i64, i64, i64) = (250_00, 5_00, 8_20);
/// What hosting costs of that on the cheaper servers, percent.
pub const CHEAPER_HOSTING_PERCENT: i64 = 74;
/// What the card processor keeps, in thousandths of a payment.
pub const CARD_FEE_PER_MILLE: i64 = 29;
/// What it keeps of each payment besides.
pub const CARD_FEE: i64 = 30;

/// The office, a month and head.
pub const RENT_A_HEAD: i64 = 520_00;
/// Programs that the company rents, a month and head.
pub const TOOLS_A_HEAD: i64 = 240_00;
/// The accountant, a month.
pub const ACCOUNTANT_MONTH: i64 = 1_400_00;
/// Insurance, paid in the first month of each year.
pub const INSURANCE_YEAR: i64 = 9_000_00;

/// A talk with a customer that was written down: with the first one whom it fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interview {
    /// The first whale has begun.
    FirstWhale,
    /// One whom the launch brought does not need it any more.
    LaunchLeaver,
    /// One who was lost to a card in the wave.
    CardLost,
    /// A team that leaves in the bad release.
    DrivenByRelease,
    /// One who was raised and is still there.
    RaisedAndStayed,
}

/// How many talks there are.
pub const INTERVIEWS_COUNT: usize = 5;

impl Interview {
    /// Every talk.
    pub const ALL: [Interview; INTERVIEWS_COUNT] = [
        Interview::FirstWhale,
        Interview::LaunchLeaver,
        Interview::CardLost,
        Interview::DrivenByRelease,
        Interview::RaisedAndStayed,
    ];

    /// Its title and what was said.
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Interview::FirstWhale => (
                "Why our first large customer chose us",
                "Two rivals were cheaper. They took us for the reports and because a person answered the phone. They \
                 will measure us by how many of their people log in.",
            ),
            Interview::LaunchLeaver => (
                "Came for half the price",
                "Signed up because it was cheap and had one project to plan. The project is over; at the full price \
                 there is nothing to keep it for.",
            ),
            Interview::CardLost => (
                "Did not know that the card had failed",
                "Used us until the last day. The bank asked for a confirmation that nobody saw, our mails went to an \
                 address that nobody reads.",
            ),
            Interview::DrivenByRelease => (
                "Lost a day of work on a shared board",
                "The board forgot their changes twice in a week. Support took days to answer. They had begun to look \
                 elsewhere before they told us.",
            ),
            Interview::RaisedAndStayed => (
                "The new price is accepted",
                "Not glad about it, but the automations alone save them an afternoon a week. Would have liked to be \
                 told by a person.",
            ),
        }
    }
}

/// A note that belongs to a month rather than to an event or a customer.
#[derive(Debug, Clone, Copy)]
pub struct WrittenNote {
    /// The month of the story.
    pub month: u32,
    /// The day of that month, from 0.
    pub day: u32,
    /// What it is: competitor or plan.
    pub kind: &'static str,
    /// Its title.
    pub title: &'static str,
    /// Its words.
    pub body: &'static str,
}

/// The notes on rivals and plans.
pub const NOTES: [WrittenNote; 10] = [
    WrittenNote {
        month: 1,
        day: 1,
        kind: "plan",
        title: "First half year",
        body: "Find out which channel pays back. Hire somebody to sell once three large companies have asked.",
    },
    WrittenNote {
        month: 3,
        day: 11,
        kind: "competitor",
        title: "A rival gives boards away",
        body: "Free for up to three people. Our solo customers will compare; teams need shared boards, which theirs lack.",
    },
    WrittenNote {
        month: 7,
        day: 3,
        kind: "plan",
        title: "Second half year",
        body: "Show the yearly price first if the test says so. Prepare a launch at half price for month 10.",
    },
    WrittenNote {
        month: 11,
        day: 20,
        kind: "plan",
        title: "After the launch",
        body: "Many came and few of them stay. No half prices again before we know what a customer of the launch is worth.",
    },
    WrittenNote {
        month: 12,
        day: 22,
        kind: "plan",
        title: "New prices",
        body: "About 15 % more for whoever comes from month 13 on. Who is there keeps the old price for six months.",
    },
    WrittenNote {
        month: 14,
        day: 6,
        kind: "competitor",
        title: "A rival bids on our words",
        body: "They have raised a large round and buy search and social. Every click costs us more from now on.",
    },
    WrittenNote {
        month: 16,
        day: 8,
        kind: "plan",
        title: "Cards",
        body: "Ask for strong authentication when a card is added, not when it is charged. Write to whoever failed.",
    },
    WrittenNote {
        month: 17,
        day: 19,
        kind: "competitor",
        title: "A rival writes to our teams",
        body: "An offer to move over for free, sent while our shared boards are broken.",
    },
    WrittenNote {
        month: 19,
        day: 2,
        kind: "plan",
        title: "After the bad release",
        body: "No release without a week on our own boards. Two people answer bugs first until the queue is short.",
    },
    WrittenNote {
        month: 22,
        day: 15,
        kind: "plan",
        title: "Paid social",
        body: "A customer from paid social costs more than it brings. Halve it, and give the money to partners.",
    },
];
