//! Amounts as Stripe writes them: whole numbers of a currency's minor unit, by rules of Stripe's own.
//!
//! Stripe's minor unit is mostly that of ISO 4217, with exceptions of long standing
//! (<https://docs.stripe.com/currencies>): MGA counts as having no decimals; ISK and UGX have none, and are written
//! with two all the same, as `500` for 5 ISK. (HUF and TWD have none in payouts only, which are not read here.)

use revenue::money::{Currency, parse_scaled, print_scaled};

/// Currencies whose amounts are whole major units.
const WITHOUT_DECIMALS: &[&str] =
    &["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];

/// Currencies whose amounts are thousandths.
const WITH_THREE_DECIMALS: &[&str] = &["BHD", "JOD", "KWD", "OMR", "TND"];

/// How many decimals an amount of Stripe's has.
#[must_use]
pub fn decimals(currency: Currency) -> u32 {
    if WITHOUT_DECIMALS.contains(&currency.code()) {
        0
    } else if WITH_THREE_DECIMALS.contains(&currency.code()) {
        3
    } else {
        2
    }
}

/// An amount of minor units in major units, exactly: 1999 USD cents are `19.99`.
#[must_use]
pub fn major(minor: i64, currency: Currency) -> String {
    print_scaled(i128::from(minor), decimals(currency), 0)
}

/// An amount of minor units in pico-units.
#[must_use]
pub fn picos(minor: i64, currency: Currency) -> i128 {
    i128::from(minor) * 10i128.pow(12 - decimals(currency))
}

/// A decimal number of minor units (`unit_amount_decimal`, `0.05` for a twentieth of a cent) in pico-units; `None` when
/// it is no decimal, or finer than pico-units.
#[must_use]
pub fn picos_of_decimal(minor: &str, currency: Currency) -> Option<i128> {
    parse_scaled(minor, 12 - decimals(currency))
}

/// Pico-units as a decimal in major units, exactly.
#[must_use]
pub fn print_picos(picos: i128) -> String {
    print_scaled(picos, 12, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_units_are_those_of_stripe() {
        for (code, minor, text) in [
            ("USD", 1999, "19.99"),
            ("JPY", 500, "500"),
            ("KWD", 5120, "5.12"),
            ("ISK", 500, "5"),
            ("UGX", 500, "5"),
            ("HUF", 1045, "10.45"),
            ("MGA", 500, "500"),
            ("EUR", -5, "-0.05"),
        ] {
            let currency = Currency::parse(code).unwrap();
            assert_eq!(major(minor, currency), text, "{code}");
            assert_eq!(print_picos(picos(minor, currency)), text, "{code}");
            assert_eq!(picos_of_decimal(&minor.to_string(), currency), Some(picos(minor, currency)), "{code}");
        }
        let dollar = Currency::USD;
        assert_eq!(picos_of_decimal("0.05", dollar).map(print_picos).as_deref(), Some("0.0005"));
        assert_eq!(picos_of_decimal("0.00000000001", dollar), None);
    }
}
