//! The normal distribution: how many standard errors an interval spans.

/// The point below which a standard normal value lies with probability `share`, for `share` between 0 and 1; infinite at
/// the ends and beyond.
///
/// M. J. Wichura, *The percentage points of the normal distribution*, Applied Statistics 37 (1988), algorithm AS 241:
/// about sixteen digits.
#[must_use]
pub fn quantile(share: f64) -> f64 {
    if share <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if share >= 1.0 {
        return f64::INFINITY;
    }
    let centred = share - 0.5;
    if centred.abs() <= 0.425 {
        let r = 0.180_625 - centred * centred;
        return centred * quotient(&CENTRE, r);
    }
    let r = (-share.min(1.0 - share).ln()).sqrt();
    let tail = if r <= 5.0 { quotient(&SHOULDER, r - 1.6) } else { quotient(&TAIL, r - 5.0) };
    if centred < 0.0 { -tail } else { tail }
}

/// Standard errors on either side of an estimate, for a two-sided interval of a level such as 0.95.
#[must_use]
pub fn two_sided(level: f64) -> f64 {
    quantile(0.5 + level.clamp(0.0, 1.0) / 2.0)
}

/// The probability that a standard normal value is below `at`.
///
/// G. Marsaglia, *Evaluating the normal distribution*, Journal of Statistical Software 11 (2004): the Taylor series about
/// 0, to about fifteen decimals; beyond nine deviations nothing is left of a tail at that precision.
#[must_use]
pub fn share_below(at: f64) -> f64 {
    if at.abs() > 9.0 {
        return if at > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut sum, mut before, mut term, mut odd) = (at, 0.0f64, at, 1.0f64);
    while (sum - before).abs() > 0.0 {
        before = sum;
        odd += 2.0;
        term *= at * at / odd;
        sum += term;
    }
    let density = (-0.5 * at * at).exp() / (2.0 * std::f64::consts::PI).sqrt();
    (0.5 + sum * density).clamp(0.0, 1.0)
}

/// Two polynomials, lowest power first: one above the line, one below.
struct Rational {
    above: [f64; 8],
    below: [f64; 8],
}

fn quotient(rational: &Rational, at: f64) -> f64 {
    let value = |powers: &[f64; 8]| powers.iter().rev().fold(0.0, |sum, power| sum * at + power);
    value(&rational.above) / value(&rational.below)
}

const CENTRE: Rational = Rational {
    above: [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    below: [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_545,
    ],
};

const SHOULDER: Rational = Rational {
    above: [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ],
    below: [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
};

const TAIL: Rational = Rational {
    above: [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    below: [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_levels_have_the_usual_widths() {
        for (level, errors) in [
            (0.5, 0.674_489_750_196),
            (0.8, 1.281_551_565_545),
            (0.95, 1.959_963_984_540),
            (0.999_999, 4.891_638_475_671),
        ] {
            assert!((two_sided(level) - errors).abs() < 1e-9, "{level}: {}", two_sided(level));
        }
        assert!((quantile(1e-12) + 7.034_483_825_301).abs() < 1e-6, "{}", quantile(1e-12));
        for share in [0.001, 0.025, 0.3, 0.5, 0.8, 0.975, 0.9999] {
            assert!((share_below(quantile(share)) - share).abs() < 1e-12, "{share}: {}", share_below(quantile(share)));
        }
        assert!(share_below(-40.0) < 1e-15 && share_below(40.0) > 1.0 - 1e-15);
        assert!(quantile(0.5).abs() < 1e-15 && quantile(0.0) < -1e300 && quantile(1.0) > 1e300);
    }
}
