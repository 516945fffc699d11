//! Student's t distribution: how many standard errors an interval spans when the standard error itself is estimated.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// How likely a value lies within `errors` on either side of 0, for a whole number of degrees of freedom of at least 1.
///
/// M. Abramowitz and I. A. Stegun, *Handbook of Mathematical Functions*, 26.7.3 and 26.7.4.
#[must_use]
pub fn within(errors: f64, degrees: u32) -> f64 {
    let degrees = degrees.max(1);
    let angle = (errors / f64::from(degrees).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    // Even: sin θ (1 + 1/2 cos² θ + 1·3/2·4 cos⁴ θ + …). Odd: 2/π (θ + sin θ (cos θ + 2/3 cos³ θ + 2·4/3·5 cos⁵ θ + …)).
    let is_even = degrees.is_multiple_of(2);
    let (mut term, mut sum) = if is_even { (1.0, 1.0) } else { (cosine, cosine) };
    let (from, until) = if is_even { (1, degrees.saturating_sub(1)) } else { (2, degrees.saturating_sub(1)) };
    let mut numerator = from;
    while numerator < until {
        term *= cosine * cosine * f64::from(numerator) / f64::from(numerator + 1);
        sum += term;
        numerator += 2;
    }
    match (is_even, degrees) {
        (true, _) => sine * sum,
        (false, 1) => FRAC_2_PI * angle,
        (false, _) => FRAC_2_PI * (angle + sine * sum),
    }
}

/// Standard errors on either side of an estimate, for a two-sided interval of a level such as 0.95; infinite at 1.
#[must_use]
pub fn two_sided(level: f64, degrees: u32) -> f64 {
    if level >= 1.0 {
        return f64::INFINITY;
    }
    // The value is the root of the degrees times the tangent of an angle, which is looked for by halving.
    let errors = |angle: f64| angle.tan() * f64::from(degrees.max(1)).sqrt();
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        *(if within(errors(middle), degrees) < level { &mut low } else { &mut high }) = middle;
    }
    errors(0.5 * (low + high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_tables() {
        for (level, degrees, errors) in [
            (0.5, 1, 1.0),
            (0.95, 1, 12.706_205),
            (0.95, 2, 4.302_653),
            (0.8, 3, 1.637_744),
            (0.95, 3, 3.182_446),
            (0.95, 4, 2.776_445),
            (0.95, 5, 2.570_582),
            (0.99, 5, 4.032_143),
            (0.95, 10, 2.228_139),
            (0.95, 29, 2.045_230),
        ] {
            let found = two_sided(level, degrees);
            assert!((found - errors).abs() < 1e-5, "{level} {degrees}: {found}");
        }
        assert!(two_sided(0.0, 4).abs() < 1e-9);
    }
}
