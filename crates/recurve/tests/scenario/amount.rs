//! Exact amounts: decimals as the program prints them, and small sums as a page writes them (`100*52/12`).

/// An exact quotient in lowest terms, the denominator above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    numerator: i128,
    denominator: i128,
}

impl Amount {
    fn new(numerator: i128, denominator: i128) -> Option<Self> {
        let (mut a, mut b) = (numerator.unsigned_abs(), denominator.unsigned_abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let common = i128::try_from(a.max(1)).ok()? * denominator.signum();
        (denominator != 0).then(|| Self { numerator: numerator / common, denominator: denominator / common })
    }

    fn plus(self, other: Self) -> Option<Self> {
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?;
        Self::new(left.checked_add(right)?, self.denominator.checked_mul(other.denominator)?)
    }

    fn times(self, other: Self) -> Option<Self> {
        Self::new(self.numerator.checked_mul(other.numerator)?, self.denominator.checked_mul(other.denominator)?)
    }

    fn over(self, other: Self) -> Option<Self> {
        Self::new(self.numerator.checked_mul(other.denominator)?, self.denominator.checked_mul(other.numerator)?)
    }

    fn minus(self) -> Self {
        Self { numerator: -self.numerator, ..self }
    }

    /// Reads a decimal, and how many decimals it has.
    pub fn decimal(text: &str) -> Option<(Self, u32)> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all = format!("{whole}{part}");
        if whole.is_empty() || digits.ends_with('.') || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let decimals = u32::try_from(part.len()).ok()?;
        let value = Self::new(all.parse().ok()?, 10i128.checked_pow(decimals)?)?;
        Some((if text.starts_with('-') { value.minus() } else { value }, decimals))
    }

    /// Reads a sum of decimals with `+ - * / ( )`.
    pub fn sum(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let value = terms(&mut rest)?;
        rest.is_empty().then_some(value)
    }

    /// Whether a printed decimal is this amount: the very same, or, where it goes on without end, rounded once at
    /// the sixth decimal or later.
    pub fn is_printed_as(self, text: &str) -> bool {
        let Some((printed, decimals)) = Self::decimal(text) else { return false };
        if printed == self {
            return true;
        }
        // Zeros at the end are not printed, so 78.90411 may stand for six decimals.
        let decimals = decimals.max(6);
        let exact = 10i128.checked_pow(decimals).is_none_or(|scale| scale % self.denominator == 0);
        if exact {
            return false;
        }
        // |printed − exact| × 10^decimals × 2 ≤ 1
        let difference = printed
            .plus(self.minus())
            .and_then(|difference| difference.times(Self { numerator: 2 * 10i128.pow(decimals), denominator: 1 }));
        difference
            .is_some_and(|difference| difference.numerator.unsigned_abs() <= difference.denominator.unsigned_abs())
    }
}

fn terms(rest: &mut &str) -> Option<Amount> {
    let mut value = factors(rest)?;
    loop {
        *rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('+') {
            *rest = after;
            value = value.plus(factors(rest)?)?;
        } else if let Some(after) = rest.strip_prefix('-') {
            *rest = after;
            value = value.plus(factors(rest)?.minus())?;
        } else {
            return Some(value);
        }
    }
}

fn factors(rest: &mut &str) -> Option<Amount> {
    let mut value = one(rest)?;
    loop {
        *rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('*') {
            *rest = after;
            value = value.times(one(rest)?)?;
        } else if let Some(after) = rest.strip_prefix('/') {
            *rest = after;
            value = value.over(one(rest)?)?;
        } else {
            return Some(value);
        }
    }
}

fn one(rest: &mut &str) -> Option<Amount> {
    *rest = rest.trim_start();
    if let Some(after) = rest.strip_prefix('-') {
        *rest = after;
        return one(rest).map(Amount::minus);
    }
    if let Some(after) = rest.strip_prefix('(') {
        *rest = after;
        let value = terms(rest)?;
        *rest = rest.trim_start().strip_prefix(')')?;
        return Some(value);
    }
    let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(rest.len());
    let (number, after) = rest.split_at(end);
    *rest = after;
    Amount::decimal(number).map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::Amount;

    #[test]
    fn amounts_are_compared_exactly() {
        for (written, printed, same) in [
            ("100", "100.00", true),
            ("100*52/12", "433.333333", true),
            ("100*52/12", "433.333334", false),
            ("100*52/12", "433.33", false),
            ("1/3", "0.333333333333", true),
            ("80*30*12/365", "78.90411", true),
            ("80*30*12/365", "78.9041", false),
            ("1/8", "0.125", true),
            ("1/8", "0.12", false),
            ("1/8", "0.1250001", false),
            ("-(2+3)*4", "-20.00", true),
            ("29.0000025", "29.000002", true),
            ("0.05", "0.0500000001", false),
        ] {
            assert_eq!(Amount::sum(written).unwrap().is_printed_as(printed), same, "{written} = {printed}");
        }
        assert_eq!(Amount::sum("2024-01x"), None);
        assert_eq!(Amount::sum(""), None);
    }
}
