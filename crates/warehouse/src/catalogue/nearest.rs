//! What someone may have meant by a name that there is not.

/// A name as the catalogue compares it: hyphens and spaces are underscores, capitals are small.
pub(super) fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['-', ' '], "_")
}

/// At most three of the known names, the nearest first; none when nothing is near.
pub(super) fn nearest<'k>(given: &str, known: impl Iterator<Item = &'k str>) -> Vec<String> {
    let given = plain(given);
    let near = (given.chars().count() / 3).max(1);
    let mut found: Vec<(usize, &str)> = known
        .filter_map(|name| {
            let distance = distance(&given, &plain(name));
            // A part of a name is nearly it: `churn` for `customer_churn`.
            let part = given.len() >= 3 && name.split('_').any(|word| word == given);
            (distance <= near || part).then_some((distance.min(near + 1), name))
        })
        .collect();
    found.sort();
    found.dedup();
    found.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

/// How many letters are to be changed, added, left out or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, letter) in from.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let changed = above[column] + usize::from(letter != other);
            let mut least = changed.min(above[column + 1] + 1).min(line[column] + 1);
            if row > 0 && column > 0 && *letter == to[column - 1] && from[row - 1] == *other {
                least = least.min(before[column - 1] + 1);
            }
            line.push(least);
        }
        before = std::mem::replace(&mut above, line);
    }
    above.last().copied().unwrap_or_default()
}

/// The names as an offer, `: did you mean ...?`, or nothing.
pub(super) fn offer(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => format!(": did you mean `{one}`?"),
        [most @ .., last] => format!(": did you mean `{}` or `{last}`?", most.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_its_neighbours() {
        let known = ["mrr", "arr", "nrr", "customer_churn", "revenue_churn", "arpa"];
        let near = |given: &str| nearest(given, known.into_iter());
        assert_eq!(near("mmr"), ["mrr"]);
        assert_eq!(near("Custommer-Chrun"), ["customer_churn"]);
        assert_eq!(near("churn"), ["customer_churn", "revenue_churn"]);
        assert_eq!(near("apra"), ["arpa"]);
        assert!(near("quick_ratio").is_empty());
        assert!(near("").is_empty());
    }

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("abc", "acb"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
