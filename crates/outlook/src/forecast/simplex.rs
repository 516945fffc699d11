//! The least value of a function of a few numbers, without its slopes: J. A. Nelder and R. Mead, *A simplex method for
//! function minimization*, The Computer Journal 7 (1965). It takes the same steps for the same function.

/// Where the walk ends: when the best and the worst corner differ by less than this share of the best.
const TOLERANCE: f64 = 1e-7;

/// A corner of the simplex, and what the function is there.
type Corner<const N: usize> = ([f64; N], f64);

/// The point with the least value found, beginning at `start` with corners `steps` away from it, in about `evaluations`
/// evaluations. The function has to be finite; bounds are its own affair ([`outside`]).
pub fn least<const N: usize>(
    start: [f64; N],
    steps: [f64; N],
    evaluations: usize,
    mut of: impl FnMut(&[f64; N]) -> f64,
) -> [f64; N] {
    let mut corners: Vec<Corner<N>> = Vec::with_capacity(N + 1);
    corners.push((start, of(&start)));
    for axis in 0..N {
        let mut point = start;
        point[axis] += steps[axis];
        corners.push((point, of(&point)));
    }
    let mut used = N + 1;
    loop {
        corners.sort_by(|one, other| one.1.total_cmp(&other.1));
        let (best, second_worst, worst) = (corners[0].1, corners[N.saturating_sub(1)].1, corners[N].1);
        if used >= evaluations || worst - best <= TOLERANCE * best.abs() {
            return corners[0].0;
        }
        let mut centre = [0.0; N];
        for (point, _) in &corners[..N] {
            for axis in 0..N {
                centre[axis] += point[axis] / N as f64;
            }
        }
        let last = corners[N].0;
        let mut try_at = |factor: f64| {
            used += 1;
            let point: [f64; N] = std::array::from_fn(|axis| centre[axis] + factor * (last[axis] - centre[axis]));
            (point, of(&point))
        };
        let reflected = try_at(-1.0);
        corners[N] = if reflected.1 < best {
            let expanded = try_at(-2.0);
            if expanded.1 < reflected.1 { expanded } else { reflected }
        } else if reflected.1 < second_worst {
            reflected
        } else {
            let contracted = try_at(if reflected.1 < worst { -0.5 } else { 0.5 });
            if contracted.1 < worst.min(reflected.1) {
                contracted
            } else {
                let best_point = corners[0].0;
                for corner in &mut corners[1..] {
                    corner.0 = std::array::from_fn(|axis| 0.5 * (best_point[axis] + corner.0[axis]));
                    corner.1 = of(&corner.0);
                }
                used += N;
                continue;
            }
        };
    }
}

/// By what to multiply a function where a parameter is outside its bounds (and was taken at the nearest bound): 1 inside,
/// and more the further outside it is.
#[must_use]
pub fn outside(value: f64, lowest: f64, highest: f64) -> f64 {
    let beyond = (lowest - value).max(value - highest).max(0.0);
    if beyond > 0.0 { 1.0 + 10.0 * beyond } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valley_has_its_lowest_point() {
        // Rosenbrock's banana: 1 + 100 (y − x²)² + (1 − x)², lowest at (1, 1).
        let found =
            least([-1.2, 1.0], [0.5, 0.5], 2_000, |[x, y]| 1.0 + 100.0 * (y - x * x).powi(2) + (1.0 - x).powi(2));
        assert!((found[0] - 1.0).abs() < 0.01 && (found[1] - 1.0).abs() < 0.02, "{found:?}");
    }

    #[test]
    fn a_bound_holds() {
        let found = least([0.5], [0.2], 200, |[x]| (10.0 - x.clamp(0.0, 1.0)) * outside(*x, 0.0, 1.0));
        assert!((found[0] - 1.0).abs() < 1e-3, "{found:?}");
    }
}
