//! Money: an integer number of micro-units (10⁻⁶ of the major unit) with an ISO 4217 currency.
//!
//! No floating point touches money. A value that is not a whole number of micro-units is kept as an exact
//! quotient of integers until [`round_half_even`] is called once. Arithmetic that would overflow is an error.

use std::fmt;

/// Micro-units in one major unit, for every currency alike.
pub const MICROS: i128 = 1_000_000;

/// Pico-units (10⁻¹²) in one micro-unit: unit prices may be finer than money is.
pub const PICOS_PER_MICRO: i128 = 1_000_000;

/// What can go wrong with money. Nothing wraps and nothing is clamped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The value does not fit the ledger's 64-bit micro-units (about ±9.2 million million major units).
    #[error("the amount is larger than the ledger can hold (9,223,372,036,854.775807 major units)")]
    TooLarge,
}

/// An ISO 4217 currency code, upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads a code in any case; `None` when ISO 4217 does not list it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.trim().as_bytes();
        let [a, b, c] = bytes else { return None };
        let code = [a.to_ascii_uppercase(), b.to_ascii_uppercase(), c.to_ascii_uppercase()];
        CURRENCIES.binary_search_by(|(listed, _)| listed.as_bytes().cmp(&code)).ok()?;
        Some(Self(code))
    }

    /// The US dollar, which an empty company reports in.
    pub const USD: Currency = Currency(*b"USD");

    /// The three letters.
    #[must_use]
    pub fn code(&self) -> &str {
        // The constructor admits only codes from the table, which are ASCII.
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// Decimals that people write for this currency (2 for USD, 0 for JPY, 3 for KWD). Only reading and
    /// printing know it; the ledger does not.
    #[must_use]
    pub fn decimals(&self) -> u32 {
        CURRENCIES
            .binary_search_by(|(listed, _)| listed.as_bytes().cmp(&self.0))
            .ok()
            .and_then(|index| CURRENCIES.get(index))
            .map_or(2, |(_, decimals)| *decimals)
    }

    /// Every currency, sorted by code.
    pub fn all() -> impl Iterator<Item = Currency> {
        CURRENCIES.iter().filter_map(|(code, _)| Self::parse(code))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The one rounding: `numerator / denominator` to the nearest integer, halves to the even neighbour.
///
/// The denominator must not be zero; a negative one is fine.
///
/// # Errors
/// [`MoneyError::TooLarge`] when the denominator is zero or the negation of an extreme value would overflow.
pub fn round_half_even(numerator: i128, denominator: i128) -> Result<i128, MoneyError> {
    let (numerator, denominator) = if denominator < 0 {
        (numerator.checked_neg().ok_or(MoneyError::TooLarge)?, denominator.checked_neg().ok_or(MoneyError::TooLarge)?)
    } else {
        (numerator, denominator)
    };
    let floor = numerator.checked_div_euclid(denominator).ok_or(MoneyError::TooLarge)?;
    let rest = numerator.checked_rem_euclid(denominator).ok_or(MoneyError::TooLarge)?;
    // Compare the rest with its complement instead of doubling it, which could overflow.
    let up = match rest.cmp(&(denominator - rest)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => floor % 2 != 0,
    };
    Ok(floor + i128::from(up))
}

/// Fits an exact integer number of micro-units into the ledger's 64 bits.
///
/// # Errors
/// [`MoneyError::TooLarge`] when it does not fit.
pub fn to_micros(value: i128) -> Result<i64, MoneyError> {
    i64::try_from(value).map_err(|_| MoneyError::TooLarge)
}

/// Micro-units in major units with every decimal that they have, and at least `least_decimals` of them:
/// `1524167` → `1.524167`, `25000000` → `25.00`. No thousands separators, never rounded.
#[must_use]
pub fn print_micros(micros: i128, least_decimals: u32) -> String {
    print_scaled(micros, 6, least_decimals)
}

/// An integer scaled by 10^`scale` as a decimal with no trailing zeros beyond `least_decimals`.
#[must_use]
pub fn print_scaled(value: i128, scale: u32, least_decimals: u32) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let magnitude = value.unsigned_abs();
    let one = 10u128.pow(scale);
    let whole = magnitude / one;
    let mut fraction = format!("{:0width$}", magnitude % one, width = scale as usize);
    if scale == 0 {
        fraction.clear();
    }
    while fraction.len() > least_decimals as usize && fraction.ends_with('0') {
        fraction.pop();
    }
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// Reads a plain decimal (`-12.5`, `0.000001`) as an integer scaled by 10^`scale`, exactly.
/// `None` when it is not a plain decimal, has more decimals than `scale` (beyond zeros) or does not fit.
#[must_use]
pub fn parse_scaled(text: &str, scale: u32) -> Option<i128> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    let mut value: i128 = 0;
    let mut decimals: Option<u32> = None;
    let mut seen = false;
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                seen = true;
                if let Some(count) = &mut decimals {
                    if *count == scale {
                        if *byte != b'0' {
                            return None;
                        }
                        continue;
                    }
                    *count += 1;
                }
                value = value.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
            }
            b'.' if decimals.is_none() => decimals = Some(0),
            _ => return None,
        }
    }
    if !seen {
        return None;
    }
    let value = value.checked_mul(10i128.checked_pow(scale - decimals.unwrap_or(0))?)?;
    Some(if negative { -value } else { value })
}

/// ISO 4217 active codes and the decimals people write, sorted by code.
const CURRENCIES: &[(&str, u32)] = &[
    ("AED", 2),
    ("AFN", 2),
    ("ALL", 2),
    ("AMD", 2),
    ("ANG", 2),
    ("AOA", 2),
    ("ARS", 2),
    ("AUD", 2),
    ("AWG", 2),
    ("AZN", 2),
    ("BAM", 2),
    ("BBD", 2),
    ("BDT", 2),
    ("BGN", 2),
    ("BHD", 3),
    ("BIF", 0),
    ("BMD", 2),
    ("BND", 2),
    ("BOB", 2),
    ("BRL", 2),
    ("BSD", 2),
    ("BTN", 2),
    ("BWP", 2),
    ("BYN", 2),
    ("BZD", 2),
    ("CAD", 2),
    ("CDF", 2),
    ("CHF", 2),
    ("CLF", 4),
    ("CLP", 0),
    ("CNY", 2),
    ("COP", 2),
    ("CRC", 2),
    ("CUP", 2),
    ("CVE", 2),
    ("CZK", 2),
    ("DJF", 0),
    ("DKK", 2),
    ("DOP", 2),
    ("DZD", 2),
    ("EGP", 2),
    ("ERN", 2),
    ("ETB", 2),
    ("EUR", 2),
    ("FJD", 2),
    ("FKP", 2),
    ("GBP", 2),
    ("GEL", 2),
    ("GHS", 2),
    ("GIP", 2),
    ("GMD", 2),
    ("GNF", 0),
    ("GTQ", 2),
    ("GYD", 2),
    ("HKD", 2),
    ("HNL", 2),
    ("HRK", 2),
    ("HTG", 2),
    ("HUF", 2),
    ("IDR", 2),
    ("ILS", 2),
    ("INR", 2),
    ("IQD", 3),
    ("IRR", 2),
    ("ISK", 0),
    ("JMD", 2),
    ("JOD", 3),
    ("JPY", 0),
    ("KES", 2),
    ("KGS", 2),
    ("KHR", 2),
    ("KMF", 0),
    ("KPW", 2),
    ("KRW", 0),
    ("KWD", 3),
    ("KYD", 2),
    ("KZT", 2),
    ("LAK", 2),
    ("LBP", 2),
    ("LKR", 2),
    ("LRD", 2),
    ("LSL", 2),
    ("LYD", 3),
    ("MAD", 2),
    ("MDL", 2),
    ("MGA", 2),
    ("MKD", 2),
    ("MMK", 2),
    ("MNT", 2),
    ("MOP", 2),
    ("MRU", 2),
    ("MUR", 2),
    ("MVR", 2),
    ("MWK", 2),
    ("MXN", 2),
    ("MYR", 2),
    ("MZN", 2),
    ("NAD", 2),
    ("NGN", 2),
    ("NIO", 2),
    ("NOK", 2),
    ("NPR", 2),
    ("NZD", 2),
    ("OMR", 3),
    ("PAB", 2),
    ("PEN", 2),
    ("PGK", 2),
    ("PHP", 2),
    ("PKR", 2),
    ("PLN", 2),
    ("PYG", 0),
    ("QAR", 2),
    ("RON", 2),
    ("RSD", 2),
    ("RUB", 2),
    ("RWF", 0),
    ("SAR", 2),
    ("SBD", 2),
    ("SCR", 2),
    ("SDG", 2),
    ("SEK", 2),
    ("SGD", 2),
    ("SHP", 2),
    ("SLE", 2),
    ("SOS", 2),
    ("SRD", 2),
    ("SSP", 2),
    ("STN", 2),
    ("SVC", 2),
    ("SYP", 2),
    ("SZL", 2),
    ("THB", 2),
    ("TJS", 2),
    ("TMT", 2),
    ("TND", 3),
    ("TOP", 2),
    ("TRY", 2),
    ("TTD", 2),
    ("TWD", 2),
    ("TZS", 2),
    ("UAH", 2),
    ("UGX", 0),
    ("USD", 2),
    ("UYU", 2),
    ("UZS", 2),
    ("VED", 2),
    ("VES", 2),
    ("VND", 0),
    ("VUV", 0),
    ("WST", 2),
    ("XAF", 0),
    ("XCD", 2),
    ("XOF", 0),
    ("XPF", 0),
    ("YER", 2),
    ("ZAR", 2),
    ("ZMW", 2),
    ("ZWL", 2),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_currency_table_is_sorted_so_that_look_ups_find_every_code() {
        assert!(CURRENCIES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(Currency::parse("jpy").map(|c| c.decimals()), Some(0));
        assert_eq!(Currency::parse("XXQ"), None);
    }

    #[test]
    fn rounding_goes_to_the_even_neighbour_at_a_half() {
        for (numerator, denominator, rounded) in
            [(5, 2, 2), (7, 2, 4), (-5, 2, -2), (-7, 2, -4), (1, 3, 0), (2, 3, 1), (-2, 3, -1), (5, -2, -2)]
        {
            assert_eq!(round_half_even(numerator, denominator), Ok(rounded), "{numerator}/{denominator}");
        }
        assert_eq!(round_half_even(1, 0), Err(MoneyError::TooLarge));
    }

    #[test]
    fn decimals_are_read_and_printed_exactly() {
        for (text, scale, value, printed) in [
            ("18.29", 12, 18_290_000_000_000, "18.29"),
            ("-0.5", 6, -500_000, "-0.5"),
            ("0.0000010", 6, 1, "0.000001"),
            ("25000", 6, 25_000_000_000, "25000"),
        ] {
            assert_eq!(parse_scaled(text, scale), Some(value), "{text}");
            assert_eq!(print_scaled(value, scale, 0), printed);
        }
        for text in ["", "-", ".", "1e3", "1,5", "0.0000001"] {
            assert_eq!(parse_scaled(text, 6), None, "{text}");
        }
        assert_eq!(print_micros(25_000_000, 2), "25.00");
        assert_eq!(print_micros(1_524_167, 2), "1.524167");
    }
}
