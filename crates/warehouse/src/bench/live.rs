//! How long it takes until a change of one customer is in the books: by going on from the books before, and by opening
//! them anew.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use crate::{
    books::{Books, JOINT, View, change::changes, overlay::Overlay},
    engine::EngineError,
    import::{ImportError, ImportRequest, import},
    kind::Kind,
    lake::{Access, Lake, LakeError},
};

/// What keeps the work from being done.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The books could not be read.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The change could not be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The folder could not be copied.
    #[error("cannot make the copy {place}: {source}", place = place.display())]
    Copy {
        /// Where.
        place: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is nobody to change.
    #[error("there is no subscription in the folder; `recurve demo` makes a company with some")]
    Nobody,
    /// A change of one customer was no small one.
    #[error(
        "a change of one customer cannot be laid over the books of this folder; report this, it is a fault of Recurve"
    )]
    NotLaid,
}

impl From<LakeError> for LiveError {
    fn from(error: LakeError) -> Self {
        Self::Engine(error.into())
    }
}

impl From<crate::books::BooksError> for LiveError {
    fn from(error: crate::books::BooksError) -> Self {
        Self::Engine(error.into())
    }
}

/// What was measured: medians, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Customers with subscriptions.
    pub customers: usize,
    /// Facts about subscriptions.
    pub facts: usize,
    /// Importing one row.
    pub import_milliseconds: f64,
    /// Laying it over the books before.
    pub lay_milliseconds: f64,
    /// Going on from the books before.
    pub advance_milliseconds: f64,
    /// Saying what that changed.
    pub changes_milliseconds: f64,
    /// Opening the books.
    pub open_milliseconds: f64,
}

/// A copy of a data folder to write to: files of facts never change, so they are linked where the file system can.
///
/// # Errors
/// When the folder cannot be copied.
pub fn copy(data: &Path, to: &Path) -> Result<(), LiveError> {
    let failed = |place: &Path| {
        let place = place.to_path_buf();
        move |source| LiveError::Copy { place, source }
    };
    fs::create_dir_all(to).map_err(failed(to))?;
    for entry in fs::read_dir(data).map_err(failed(data))? {
        let entry = entry.map_err(failed(data))?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to)?;
        } else if from.extension().is_some_and(|kind| kind == "parquet") {
            fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop)).map_err(failed(&to))?;
        } else {
            fs::copy(&from, &to).map_err(failed(&to))?;
        }
    }
    Ok(())
}

/// Changes one customer of a folder again and again, and measures.
///
/// # Errors
/// When the folder cannot be read or written.
pub fn run(folder: &Path, view: &View, rounds: usize) -> Result<Measured, LiveError> {
    let lake = Lake::open(folder, Access::Write)?;
    let seen = |lake: &Lake| -> Result<View, LiveError> {
        Ok(View { as_known_at: Some(lake.newest_snapshot()?.1), ..view.clone() })
    };
    let mut before = Arc::new(Books::open(&lake, seen(&lake)?)?);
    let Some(mut overlay) = Overlay::over(Arc::clone(&before)) else { return Err(LiveError::Nobody) };
    let source = lake.imports(None)?.into_iter().rfind(|import| import.kind == "subscription");
    let (Some(source), false) = (source.map(|import| import.source), before.facts.is_empty()) else {
        return Err(LiveError::Nobody);
    };
    let change = folder.join("change.csv");
    let mut times: [Vec<f64>; 5] = Default::default();
    for round in 0..rounds {
        let from = (before.customers.len() / 2 + round * 7_919) % before.customers.len();
        // Whoever never paid has no movement to change.
        let mut whoever = (from..before.customers.len()).chain(0..from);
        let found = whoever.find_map(|customer| Some((customer, before.ledger.of_customer(customer).next_back()?)));
        let Some((customer, row)) = found else { return Err(LiveError::Nobody) };
        let (item, offer) = (before.ledger.subscription[row], before.ledger.offer[row]);
        let (id, offer) = (before.item_id(item), &before.facts.offers[offer as usize]);
        let mut parts = id.split(JOINT);
        let (subscription, item) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let text = format!(
            "subscription,item,customer,plan,product,currency,amount,interval,start\n{subscription},{item},{},{},{},{},{}.5,month,{}\n",
            before.customer_id(customer as u32),
            offer.plan,
            offer.product,
            offer.currency,
            20 + round,
            before.first_day_to_come().plus_days(-1),
        );
        fs::write(&change, text).map_err(|source| LiveError::Copy { place: change.clone(), source })?;
        let kind = Kind::parse("subscription").ok_or(LiveError::Nobody)?;
        let mut request = ImportRequest::new(kind, &change, view.now);
        request.source.clone_from(&source);
        let mut timed = |place: usize, begun: Instant| times[place].push(begun.elapsed().as_secs_f64() * 1_000.0);
        let begun = Instant::now();
        import(&lake, &request, &mut |_| {}, &AtomicBool::new(false))?;
        timed(0, begun);
        let begun = Instant::now();
        // One that cannot be laid over the books takes as long as books do.
        if overlay.advance(&lake, &seen(&lake)?)?.is_err() {
            return Err(LiveError::NotLaid);
        }
        timed(1, begun);
        let begun = Instant::now();
        let now = before.advance(&lake, seen(&lake)?)?.books;
        timed(2, begun);
        let begun = Instant::now();
        std::hint::black_box(changes(&before, &now, &now.touched_since(&before)));
        timed(3, begun);
        let begun = Instant::now();
        std::hint::black_box(Books::open(&lake, seen(&lake)?)?);
        timed(4, begun);
        before = Arc::new(now);
    }
    let [import_milliseconds, lay_milliseconds, advance_milliseconds, changes_milliseconds, open_milliseconds] = times
        .map(|mut times| {
            times.sort_by(f64::total_cmp);
            times.get(times.len() / 2).copied().unwrap_or_default()
        });
    Ok(Measured {
        customers: before.customers.len(),
        facts: before.facts.len(),
        import_milliseconds,
        lay_milliseconds,
        advance_milliseconds,
        changes_milliseconds,
        open_milliseconds,
    })
}
