//! Facts that contradict each other, and where they stand.
//!
//! After an import its facts are looked at beside all others, in memory that does not grow with the number of facts:
//! some of the subscriptions that it speaks of at a time. Of each only the times are read first. Nearly all follow each
//! other as they should, and only the rest is read in full.

use std::collections::{BTreeSet, HashMap};

use hashbrown::HashSet;
use outlook::wording::Words;
use rayon::prelude::*;
use revenue::{
    fact::{Conflict, Tick, Ticks},
    fx::Rates,
    timeline::Overlap,
};

use super::{
    Books, BooksError, FactFile, Origins, View, fact_files,
    group::Group,
    pages::Source,
    subscriptions::{Choice, StatedBy, import_of_rows, item_hashes},
};
use crate::lake::{ImportRecord, Lake};

/// Where a fact stands: its import and its row there, which sort as facts were recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The import.
    pub import: i64,
    /// The row in its file.
    pub row: u32,
}

/// Two facts that contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oddity {
    /// Rows of one subscription item that claim the same time.
    Overlap {
        /// The row that starts earlier and is cut.
        cut: Place,
        /// The row that starts later.
        by: Place,
    },
    /// A fact that one import states in two ways.
    Conflict {
        /// What is used.
        used: Place,
        /// What is not.
        refused: Place,
    },
}

/// What is odd about an import.
#[derive(Debug, Default)]
pub struct Oddities {
    /// How many there are.
    pub count: usize,
    /// The first of them, sorted, as many as were asked for.
    pub first: BTreeSet<Oddity>,
    /// The imports that they are of.
    pub imports: HashMap<i64, ImportRecord>,
}

impl Oddity {
    fn places(&self) -> [Place; 2] {
        match *self {
            Oddity::Overlap { cut, by } => [cut, by],
            Oddity::Conflict { used, refused } => [used, refused],
        }
    }

    /// What it is, and what to do about it.
    #[must_use]
    pub fn words(&self, imports: &HashMap<i64, ImportRecord>) -> Words {
        let words = match self {
            Oddity::Overlap { .. } => Words::fixed(
                "overlap: {first} still holds when {second} of the same subscription begins; the later one is used from \
                 its start on. Mend: end the earlier row where the later one starts",
                "重叠：同一订阅的 {second} 开始时 {first} 仍然有效；从后者开始之日起采用后者。改正：让较早的一行在较晚的一行开始时结束",
                "chevauchement : {first} vaut encore quand {second}, du même abonnement, commence ; le second est retenu dès \
                 son début. Remède : terminer la première ligne où commence la seconde",
            ),
            Oddity::Conflict { .. } => Words::fixed(
                "conflict: {first} and {second} state the same fact differently; {first} is used. Mend: leave one of \
                 them in the file",
                "冲突：{first} 与 {second} 对同一事实的说法不同；采用 {first}。改正：文件中只保留其中一行",
                "conflit : {first} et {second} disent le même fait différemment ; {first} est retenu. Remède : n’en laisser \
                 qu’un dans le fichier",
            ),
        };
        let [first, second] = self.places().map(|place| {
            let import = imports.get(&place.import);
            import.map(|import| format!("{}:{}", import.origin(place.row.into()), place.row))
        });
        let placed = |language, place: &Option<String>| {
            place.clone().unwrap_or_else(|| Words::fixed("a fact", "一条事实", "un fait").say(language).to_owned())
        };
        words
            .with_each("{first}", |language| placed(language, &first))
            .with_each("{second}", |language| placed(language, &second))
    }
}

/// What is odd about the facts of the books, sorted.
#[must_use]
pub fn of_books(books: &Books, origins: &Origins) -> Vec<Oddity> {
    let mut oddities: Vec<Oddity> = each(&books.overlaps, &books.conflicts, origins).collect();
    oddities.sort_unstable();
    oddities
}

fn each<'a>(
    overlaps: &'a [Overlap],
    conflicts: &'a [Conflict],
    origins: &'a Origins,
) -> impl Iterator<Item = Oddity> + 'a {
    let place = |fact| origins.place_of(fact).unwrap_or(Place { import: 0, row: 0 });
    let overlaps = overlaps.iter().map(move |o| Oddity::Overlap { cut: place(o.cut), by: place(o.by) });
    let conflicts = conflicts.iter().map(move |c| Oddity::Conflict { used: place(c.used), refused: place(c.refused) });
    overlaps.chain(conflicts)
}

/// What is odd about the facts of an import, beside each other and beside what was known before; `shown` of it.
///
/// # Errors
/// When facts cannot be read.
pub fn of_import(lake: &Lake, view: &View, import: i64, shown: usize) -> Result<Oddities, BooksError> {
    /// Facts of the import that are looked at together: some hundred megabytes where each of them is odd, and less than
    /// the import itself takes where none is.
    const FACTS: u64 = 2_000_000;
    in_slices(lake, view, import, shown, FACTS)
}

fn in_slices(lake: &Lake, view: &View, import: i64, shown: usize, facts: u64) -> Result<Oddities, BooksError> {
    let imports: HashMap<i64, ImportRecord> =
        lake.imports(view.as_known_at)?.into_iter().map(|record| (record.id, record)).collect();
    let known = imports.keys().copied().collect();
    let files = fact_files(lake, view.as_known_at, &known)?;
    let mut oddities = Oddities::default();
    let slices = imports.get(&import).map_or(0, |record| record.rows_accepted).div_ceil(facts).max(1);
    let is_known = |import: i64| known.contains(&import);
    let ticks = Ticks::new(&view.policy, view.zone.clone());
    for slice in 0..slices {
        let suspects = suspects(&files, &is_known, import, &ticks, &|hash| hash % slices == slice)?;
        if suspects.is_empty() {
            continue;
        }
        let choice = Choice { is_known: &is_known, is_wanted: Some(&|hash| suspects.contains(&hash)) };
        // No amount is looked at, so no rate is needed.
        let rates = (Rates::default(), None);
        let mut books = Books::facts_of_files(files.clone(), &choice, rates, Some(lake.clone()), view.clone())?;
        books.work_out(false)?;
        let origins = Origins::of_files(&files, &choice, HashMap::new())?;
        let of_import = |oddity: &Oddity| oddity.places().iter().any(|place| place.import == import);
        for oddity in each(&books.overlaps, &books.conflicts, &origins).filter(of_import) {
            oddities.count += 1;
            oddities.first.insert(oddity);
            if oddities.first.len() > shown {
                oddities.first.pop_last();
            }
        }
    }
    oddities.imports = imports;
    Ok(oddities)
}

/// The subscription items of an import, of those that `is_ours` takes, whose rows may contradict each other: all whose rows
/// do not simply follow each other.
fn suspects(
    files: &[FactFile],
    is_known: &(dyn Fn(i64) -> bool + Sync),
    import: i64,
    ticks: &Ticks,
    is_ours: &(dyn Fn(u64) -> bool + Sync),
) -> Result<HashSet<u64>, BooksError> {
    let sources = files.iter().map(|file| Source::open(&file.path)).collect::<Result<Vec<_>, _>>()?;
    let several_sources = StatedBy::of(&sources)? == StatedBy::Several;
    let groups: Vec<(&FactFile, &Source, usize)> = files
        .iter()
        .zip(&sources)
        .flat_map(|(file, source)| (0..source.groups()).map(move |group| (file, source, group)))
        .collect();
    let spoken_of: HashSet<u64> = groups
        .par_iter()
        .filter(|(file, _, _)| file.import.is_none_or(|of_file| of_file == import))
        .map(|(file, source, group)| {
            let imports = if file.import.is_none() { Some(import_of_rows(source, *group)?) } else { None };
            let of_import = |row: usize| imports.as_ref().is_none_or(|imports| imports[row] == import);
            let hashes = item_hashes(source, *group, several_sources)?;
            let own = hashes.into_iter().enumerate().filter(|(row, hash)| of_import(*row) && is_ours(*hash));
            Ok(own.map(|(_, hash)| hash).collect::<Vec<u64>>())
        })
        .collect::<Result<Vec<_>, BooksError>>()?
        .into_iter()
        .flatten()
        .collect();
    let mut claims: Vec<(u64, Tick, Tick)> = groups
        .par_iter()
        .map_init(Group::default, |columns, (file, source, group)| {
            let imports = if file.import.is_none() { Some(import_of_rows(source, *group)?) } else { None };
            let counts = |row: usize| imports.as_ref().is_none_or(|imports| is_known(imports[row]));
            let hashes = item_hashes(source, *group, several_sources)?;
            if !hashes.iter().any(|hash| spoken_of.contains(hash)) {
                return Ok(Vec::new());
            }
            columns.read_times(source, *group, ticks)?;
            let times = columns.starts.iter().zip(&columns.ends);
            let own = hashes
                .iter()
                .zip(times)
                .enumerate()
                .filter(|(row, (hash, _))| spoken_of.contains(*hash) && counts(*row));
            Ok(own.map(|(_, (hash, (start, end)))| (*hash, *start, *end)).collect())
        })
        .collect::<Result<Vec<Vec<_>>, BooksError>>()?
        .into_iter()
        .flatten()
        .collect();
    claims.par_sort_unstable();
    // Whatever of the rows may not count in the end: where none of them begins before another ends, none that is left
    // does.
    let clash = |of_item: &[(u64, Tick, Tick)]| {
        of_item.windows(2).any(|pair| matches!(pair, [(_, start, end), (_, next, _)] if next == start || next < end))
    };
    Ok(claims.chunk_by(|a, b| a.0 == b.0).filter(|of_item| clash(of_item)).map(|of_item| of_item[0].0).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use revenue::{calendar::Zone, policy::Policy};

    use super::*;
    use crate::{
        import::{ImportRequest, import},
        kind::Kind,
        lake::Access,
    };

    /// Every fifth subscription overlaps within a file, every seventh is stated in two ways, every eleventh has two items
    /// that may overlap, and the second file continues, corrects and contradicts the first.
    fn file(of: u32) -> String {
        let mut text = String::from("subscription,item,customer,amount,currency,interval,start,end\n");
        for number in 0..200 {
            let id = format!("{}-{number}", if number % 2 == 0 { "s" } else { "a-rather-long-beginning-of-an-id" });
            let mut row = |item: &str, amount: u32, start: &str, end: &str| {
                text.push_str(&format!("{id},{item},c{},{amount},EUR,month,{start},{end}\n", number / 3));
            };
            match of {
                1 => {
                    row("", 10, "2024-01-01", if number % 5 == 0 { "2024-07-01" } else { "2024-03-01" });
                    row("", 12, "2024-03-01", "2024-09-01");
                    if number % 7 == 0 {
                        row("", 13, "2024-03-01", "2024-09-01");
                    }
                    if number % 11 == 0 {
                        row("seats", 5, "2024-02-01", "2024-05-01");
                    }
                }
                _ if number % 13 == 0 => row("", 14, "2024-08-01", ""),
                _ if number % 17 == 0 => row("", 15, "2024-03-01", "2024-09-01"),
                _ => row("", 16, "2024-09-01", ""),
            }
        }
        text
    }

    #[test]
    fn in_slices_or_as_a_whole_the_same_is_odd() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::create_or_open(&folder.path().join("data"), Access::Write).unwrap();
        let view = View {
            policy: Policy::default(),
            policy_name: "default".to_owned(),
            zone: Zone::utc(),
            currency: None,
            as_known_at: None,
            now: 1_800_000_000_000_000,
            health_weights: Vec::new(),
        };
        let mut found = Vec::new();
        for of in [1, 2] {
            let path = folder.path().join(format!("{of}.csv"));
            std::fs::write(&path, file(of)).unwrap();
            let request = ImportRequest::new(Kind::parse("subscriptions").unwrap(), &path, i64::from(of));
            import(&lake, &request, &mut |_| {}, &AtomicBool::new(false)).unwrap();
            let import = lake.imports(None).unwrap().last().unwrap().id;
            let books = Books::survey(&lake, view.clone()).unwrap();
            let whole = of_books(&books, &Origins::load(&books).unwrap());
            let own: Vec<Oddity> =
                whole.into_iter().filter(|odd| odd.places().iter().any(|place| place.import == import)).collect();
            for facts in [1_000_000, 100, 7] {
                let sliced = in_slices(&lake, &view, import, usize::MAX, facts).unwrap();
                assert_eq!(sliced.first.iter().copied().collect::<Vec<_>>(), own, "{facts} at a time, import {import}");
                assert_eq!(sliced.count, own.len());
                let first = in_slices(&lake, &view, import, 3, facts).unwrap();
                assert_eq!(first.first.iter().copied().collect::<Vec<_>>(), own[..3]);
                assert_eq!(first.count, own.len());
            }
            found.push(own.len());
        }
        // 40 rows still hold when the next begins, and 29 facts are stated in two ways. Then 16 new rows begin before an
        // earlier one ends, and of the corrected ones 85 and 170.
        assert_eq!(found, [40 + 29, 16 + 2]);
    }
}
