//! Expected lifetime from lives of which most have not ended: Kaplan–Meier by month.

use num_rational::BigRational;

/// The expected months of paying of lives `(months, whether it ended)`, later months discounted by a yearly rate.
///
/// The curve is Kaplan–Meier's product of monthly survival (E. L. Kaplan and P. Meier, 1958); its area is taken by
/// trapezoids, and beyond the longest life it goes on at the mean monthly hazard. `None` when nobody has left.
pub fn expected_months(lives: &[(u32, bool)], discount_rate_yearly: f64) -> Option<BigRational> {
    let longest = lives.iter().map(|(months, _)| *months).max()? as usize;
    let (mut ended, mut stopped) = (vec![0u64; longest + 1], vec![0u64; longest + 1]);
    for (months, left) in lives {
        stopped[*months as usize] += 1;
        ended[*months as usize] += u64::from(*left);
    }
    let left: u64 = ended.iter().sum();
    if left == 0 {
        return None;
    }
    let month_factor = (1.0 + discount_rate_yearly).powf(-1.0 / 12.0);
    let mut at_risk = lives.len() as u64;
    let (mut survival, mut discount, mut expected, mut exposure) = (1.0f64, 1.0f64, 0.0f64, 0.0f64);
    for month in 0..=longest {
        let before = survival;
        if at_risk > 0 {
            survival *= 1.0 - ended[month] as f64 / at_risk as f64;
        }
        expected += f64::midpoint(before, survival) * discount * month_factor.sqrt();
        exposure += at_risk as f64;
        discount *= month_factor;
        at_risk -= stopped[month];
    }
    let hazard = left as f64 / exposure;
    if survival > 0.0 {
        let kept = (1.0 - hazard) * month_factor;
        expected += survival * discount / (1.0 - kept);
    }
    // Twelve decimals of an estimate are more than it deserves, and enough to be the same everywhere.
    BigRational::from_float((expected * 1e12).round())
        .map(|scaled| scaled / BigRational::from_integer(1_000_000_000_000i64.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_traits::ToPrimitive;

    #[test]
    fn a_constant_hazard_gives_its_inverse() {
        // Of each month's customers one in ten leaves: the mean life is about ten months.
        let mut lives = Vec::new();
        let mut left = 100_000u32;
        for month in 0..40 {
            let leave = left / 10;
            lives.extend(std::iter::repeat_n((month, true), leave as usize));
            left -= leave;
        }
        lives.extend(std::iter::repeat_n((40, false), left as usize));
        let months = expected_months(&lives, 0.0).unwrap().to_f64().unwrap();
        assert!((9.3..9.7).contains(&months), "{months}");
        let discounted = expected_months(&lives, 0.10).unwrap().to_f64().unwrap();
        assert!(discounted < months);
        assert_eq!(expected_months(&[(3, false)], 0.0), None);
    }
}
