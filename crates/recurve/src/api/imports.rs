//! Imports over the web: a file is uploaded, looked at, and becomes facts by the road of the command line.

use std::{
    collections::BTreeMap,
    path::{Path as FilePath, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use axum::{
    Extension, Json,
    extract::{Multipart, Path, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use outlook::wording::Language;
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use utoipa::ToSchema;
use warehouse::{
    books::{View, oddity},
    import::{self, ColumnUse, ImportError, ImportReport, ImportRequest, Outcome, Phase, Progress},
    kind::{KINDS, Kind, Need},
    lake::{Access, Lake, LakeError},
    source::mapping::Instructions,
};

use super::{
    access::Caller,
    doors::note,
    people::secret,
    refusal::{Refusal, language_of},
    route::{Route, Who},
    server::Server,
};
use crate::{command::CommandError, session::clock};

pub fn routes() -> Vec<Route> {
    vec![
        Route::other(
            Method::POST,
            "/imports",
            Who::Ingest,
            "Import an uploaded file, or with `dry_run` look at how it would be read; the file of a look is named by `upload`",
            begin,
        )
        .takes_form::<Form>()
        .of_any_size()
        .gives::<Report>(),
        Route::other(Method::GET, "/imports/{id}", Who::Ingest, "How far an import is, and what became of it", show)
            .gives::<Report>(),
        Route::other(Method::DELETE, "/imports/{id}", Who::Ingest, "Stop an import; nothing of it is visible", stop)
            .gives::<Report>(),
    ]
}

/// The largest file.
const LARGEST_BYTES: u64 = 4 << 30;
/// How long a file is kept that was only looked at.
const KEPT: Duration = Duration::from_secs(24 * 3_600);
/// An import that takes no longer is answered when it is done.
const SOON: Duration = Duration::from_secs(10);
/// How long one waits for another program that writes.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many imports are remembered.
const REMEMBERED: usize = 200;

/// The parts of the form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the form, which is read part by part")]
pub struct Form {
    /// The file; or `upload` names one that was looked at.
    #[schema(value_type = Option<String>, format = Binary)]
    file: Option<Vec<u8>>,
    /// A file that was looked at before.
    upload: Option<String>,
    /// The kind of facts; what the name of the file says unless it is set.
    kind: Option<String>,
    /// Only look.
    dry_run: Option<bool>,
    /// Which column of the kind is taken from which header: a JSON object.
    map: Option<String>,
    /// Columns with one value in all rows: a JSON object.
    set: Option<String>,
    /// What words of the file mean, by column: a JSON object of objects.
    values: Option<String>,
    /// The preset for the export of a well-known system, or none.
    preset: Option<String>,
    /// point or comma.
    decimal: Option<String>,
    /// iso, dmy, mdy, epoch or epoch_millis.
    dates: Option<String>,
    encoding: Option<String>,
    delimiter: Option<String>,
    /// What the facts come from; facts of one source correct each other.
    source: Option<String>,
    /// The file is the whole truth: facts of this kind and source that it does not have are withdrawn.
    replace: Option<bool>,
}

/// What was asked, read part by part.
#[derive(Default)]
struct Parts {
    file: Option<PathBuf>,
    upload: Option<String>,
    texts: BTreeMap<String, String>,
}

/// How an import goes, or went.
#[derive(Serialize, ToSchema, Clone, Default)]
pub struct Report {
    /// The number by which it is asked for; nothing for a look.
    id: Option<u64>,
    /// running, done, unchanged, stopped, failed or previewed.
    state: &'static str,
    /// The file, for the next request.
    upload: Option<String>,
    /// The import that made the facts.
    import: Option<i64>,
    kind: &'static str,
    file: String,
    /// Which column is taken from where.
    mapping: Vec<Mapped>,
    /// Columns of the file that are kept as attributes.
    attributes: Vec<String>,
    /// What was found about the file: its format, encoding, numbers and dates.
    habits: Vec<String>,
    /// The preset that was used.
    preset: Option<String>,
    read: u64,
    accepted: u64,
    refused: u64,
    withdrawn: u64,
    /// The first rows that were refused.
    issues: Vec<Trouble>,
    /// How often each code was met.
    counts: Vec<Count>,
    /// Facts that contradict others.
    odd: Vec<String>,
    /// The names of the columns of the preview.
    preview_columns: Vec<String>,
    /// The first rows as they were understood.
    preview: Vec<Vec<Option<String>>>,
    /// Further kinds of facts that the file holds.
    also: Vec<&'static str>,
    progress: Option<Done>,
    /// Why it failed.
    error: Option<super::refusal::Reason>,
}

/// A column and where it is taken from.
#[derive(Serialize, ToSchema, Clone)]
pub struct Mapped {
    column: &'static str,
    /// What it is.
    words: &'static str,
    is_required: bool,
    /// The header that it is taken from.
    header: Option<String>,
    /// Its one value in all rows.
    constant: Option<String>,
}

/// A row that was refused.
#[derive(Serialize, ToSchema, Clone)]
pub struct Trouble {
    /// The line on which it begins.
    row: u64,
    column: Option<&'static str>,
    code: &'static str,
    message: String,
    /// How to mend it.
    help: &'static str,
}

/// How often a code was met.
#[derive(Serialize, ToSchema, Clone)]
pub struct Count {
    code: &'static str,
    count: u64,
}

/// How far an import is.
#[derive(Serialize, ToSchema, Clone)]
#[schema(as = ImportProgress)]
pub struct Done {
    /// hashing, reading, withdrawing or committing.
    phase: &'static str,
    bytes: u64,
    bytes_total: u64,
    rows: u64,
}

/// The imports of this server.
#[derive(Default)]
pub struct Imports {
    next: AtomicU64,
    jobs: Mutex<BTreeMap<u64, Arc<Job>>>,
    /// One is worked on at a time: only one may write.
    writing: Mutex<()>,
}

impl Imports {
    /// The turn of whoever writes to the folder.
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        hold(&self.writing)
    }
}

struct Job {
    report: Mutex<Report>,
    interrupted: AtomicBool,
    is_over: tokio::sync::watch::Sender<bool>,
    /// The snapshot that it made.
    snapshot: AtomicI64,
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn uploads(server: &Server) -> PathBuf {
    server.options.data.join("uploads")
}

/// A name that is no path.
fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|letter| !letter.is_control()).take(200).collect();
    if plain.trim_matches('.').is_empty() { "file.csv".to_owned() } else { plain }
}

fn failed(error: &std::io::Error) -> Refusal {
    super::log::note("error", &[("words", &error.to_string())]);
    match error.kind() {
        std::io::ErrorKind::StorageFull => {
            Refusal::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", "the disk is full; make room and try again")
        }
        _ => Refusal::failed(),
    }
}

/// Forgets files that were looked at long ago.
async fn forget_old(folder: &FilePath) {
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else { return };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let changed = entry.metadata().await.and_then(|about| about.modified());
        let age = changed.ok().and_then(|changed| SystemTime::now().duration_since(changed).ok());
        if age.is_some_and(|age| age > KEPT) {
            // One that cannot be removed now is tried again with the next upload.
            let _ = tokio::fs::remove_dir_all(entry.path()).await;
        }
    }
}

async fn read_form(server: &Server, mut form: Multipart) -> Result<Parts, Refusal> {
    let mut parts = Parts::default();
    let bad =
        |error: axum::extract::multipart::MultipartError| Refusal::bad(format!("the form cannot be read: {error}"));
    while let Some(mut field) = form.next_field().await.map_err(bad)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name != "file" {
            let text = field.text().await.map_err(bad)?;
            if text.len() > 1 << 20 {
                return Err(Refusal::bad(format!("the part `{name}` is longer than 1 MiB")));
            }
            if name == "upload" {
                parts.upload = Some(text);
            } else {
                parts.texts.insert(name, text);
            }
            continue;
        }
        let upload = secret().map_err(Refusal::from)?;
        let folder = uploads(server).join(&upload);
        forget_old(&uploads(server)).await;
        tokio::fs::create_dir_all(&folder).await.map_err(|error| failed(&error))?;
        let path = folder.join(plain_name(field.file_name().unwrap_or_default()));
        let mut file = tokio::fs::File::create(&path).await.map_err(|error| failed(&error))?;
        let mut bytes = 0u64;
        while let Some(chunk) = field.chunk().await.map_err(bad)? {
            bytes += chunk.len() as u64;
            if bytes > LARGEST_BYTES {
                // What was written of it is of no use.
                let _ = tokio::fs::remove_dir_all(&folder).await;
                let words = "the file is larger than 4 GiB; import it with `recurve import`, or in parts";
                return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", words));
            }
            file.write_all(&chunk).await.map_err(|error| failed(&error))?;
        }
        file.flush().await.map_err(|error| failed(&error))?;
        (parts.file, parts.upload) = (Some(path), Some(upload));
    }
    Ok(parts)
}

/// The file of an upload.
fn uploaded(server: &Server, upload: &str) -> Result<PathBuf, Refusal> {
    let missing = || Refusal::missing("there is no such upload (any more); upload the file again");
    if upload.len() != 64 || !upload.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(missing());
    }
    let entries = std::fs::read_dir(uploads(server).join(upload)).map_err(|_| missing())?;
    entries.flatten().map(|entry| entry.path()).find(|path| path.is_file()).ok_or_else(missing)
}

/// The kind that is said, or that the name of the file says.
fn kind_of(said: Option<&str>, file: &FilePath) -> Result<&'static Kind, Refusal> {
    let known = || KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
    if let Some(name) = said {
        return Kind::parse(name)
            .ok_or_else(|| Refusal::bad(format!("there is no kind of facts `{name}`; it is one of {}", known())));
    }
    let name = file.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default().replace(['_', ' '], "-");
    Kind::parse(&stem).ok_or_else(|| {
        let words = format!("the name of the file does not say which kind of facts it holds; say one of {}", known());
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "kind_needed", words)
    })
}

fn request_of(parts: &Parts, file: &FilePath) -> Result<(ImportRequest, bool), Refusal> {
    let text = |name: &str| parts.texts.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let flag = |name: &str| match text(name) {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1" | "on") => Ok(true),
        Some(other) => Err(Refusal::bad(format!("`{name}` is true or false, not `{other}`"))),
    };
    fn object<T: serde::de::DeserializeOwned + Default>(name: &str, text: Option<&str>) -> Result<T, Refusal> {
        let Some(text) = text else { return Ok(T::default()) };
        serde_json::from_str(text)
            .map_err(|error| Refusal::bad(format!("`{name}` is no JSON object of texts: {error}")))
    }
    let owned = |name: &str| text(name).map(str::to_owned);
    let known = [
        "kind",
        "dry_run",
        "map",
        "set",
        "values",
        "preset",
        "decimal",
        "dates",
        "encoding",
        "delimiter",
        "source",
        "replace",
    ];
    if let Some(name) = parts.texts.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Refusal::bad(format!("there is no part `{name}`; there are file, upload, {}", known.join(", "))));
    }
    let request = ImportRequest {
        instructions: Instructions {
            map: object("map", text("map"))?,
            set: object("set", text("set"))?,
            values: object("values", text("values"))?,
            preset: owned("preset"),
            decimal: owned("decimal"),
            dates: owned("dates"),
            encoding: owned("encoding"),
            delimiter: owned("delimiter"),
        },
        source: owned("source").unwrap_or_else(|| "file".to_owned()),
        replace: flag("replace")?,
        ..ImportRequest::new(kind_of(text("kind"), file)?, file, clock())
    };
    Ok((request, flag("dry_run")?))
}

async fn begin(
    State(server): State<Arc<Server>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    headers: HeaderMap,
    form: Multipart,
) -> Result<Response, Refusal> {
    let mut parts = read_form(&server, form).await?;
    let file = match (&parts.file, &parts.upload) {
        (Some(file), _) => file.clone(),
        (None, Some(upload)) => uploaded(&server, upload)?,
        (None, None) => return Err(Refusal::bad("there is no file; send it as the part `file`")),
    };
    parts.file = None;
    let (request, is_look) = request_of(&parts, &file)?;
    caller.may_state(request.kind)?;
    let upload = parts.upload.clone();
    if is_look {
        let of = Arc::clone(&server);
        let looked = tokio::task::spawn_blocking(move || {
            let quiet = &mut |_: Progress| {};
            let report = import::preview(&of.options.data, &request, quiet, &AtomicBool::new(false))?;
            Ok::<_, ImportError>(reported(&request, &report))
        });
        let report = looked.await.map_err(|_| Refusal::failed())?.map_err(CommandError::Import)?;
        return Ok(Json(Report { upload, ..report }).into_response());
    }
    note(&server, &caller.name, "imported", &format!("{} as {}", name_of(&file), request.kind.name)).await?;
    let job = start(&server, request, upload);
    let mut is_over = job.is_over.subscribe();
    // One that takes longer goes on, and is asked for by its number.
    let _ = tokio::time::timeout(SOON, is_over.wait_for(|is_over| *is_over)).await;
    server.catch_up(job.snapshot.load(Ordering::Relaxed)).await;
    Ok(answered(&job, language_of(&server, &uri, &headers)))
}

/// What became of an import, in a language.
fn told(job: &Job, language: Language) -> Report {
    let report = hold(&job.report).clone();
    Report { error: report.error.clone().map(|reason| reason.said(language)), ..report }
}

fn answered(job: &Job, language: Language) -> Response {
    let report = told(job, language);
    let status = match (&report.error, report.state) {
        (_, "running") => StatusCode::ACCEPTED,
        (Some(_), _) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::OK,
    };
    (status, Json(report)).into_response()
}

fn name_of(file: &FilePath) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Begins an import beside the requests.
fn start(server: &Arc<Server>, request: ImportRequest, upload: Option<String>) -> Arc<Job> {
    let id = server.imports.next.fetch_add(1, Ordering::Relaxed) + 1;
    let report = Report {
        id: Some(id),
        state: "running",
        kind: request.kind.name,
        file: name_of(&request.file),
        ..Report::default()
    };
    let job = Arc::new(Job {
        report: Mutex::new(report),
        interrupted: AtomicBool::new(false),
        is_over: tokio::sync::watch::Sender::new(false),
        snapshot: AtomicI64::new(0),
    });
    {
        let mut jobs = hold(&server.imports.jobs);
        jobs.insert(id, Arc::clone(&job));
        while jobs.len() > REMEMBERED {
            jobs.pop_first();
        }
    }
    let (of, working) = (Arc::clone(server), Arc::clone(&job));
    tokio::task::spawn_blocking(move || {
        let outcome = work(&of, &request, &working);
        let mut report = hold(&working.report);
        match outcome {
            Ok(done) => *report = Report { id: Some(id), upload: None, progress: None, ..done },
            Err(error) => {
                let refusal = Refusal::from(error);
                (report.state, report.error, report.progress) = ("failed", Some(refusal.reason), None);
                report.upload.clone_from(&upload);
            }
        }
        let is_kept = report.error.is_some() || report.state == "stopped";
        drop(report);
        if let Some(folder) = upload.filter(|_| !is_kept).map(|upload| uploads(&of).join(upload)) {
            // Its facts are in the lake; what stays behind is forgotten with later uploads.
            let _ = std::fs::remove_dir_all(folder);
        }
        of.look_now.notify_one();
        working.is_over.send_replace(true);
    });
    job
}

/// The lake for writing, once nobody else writes.
pub fn writable(server: &Server) -> Result<Lake, CommandError> {
    let begun = Instant::now();
    loop {
        match Lake::open(&server.options.data, Access::Write) {
            Err(LakeError::Locked { .. }) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(200))
            }
            other => return Ok(other?),
        }
    }
}

fn work(server: &Server, request: &ImportRequest, job: &Job) -> Result<Report, CommandError> {
    let _turn = server.imports.turn();
    let lake = writable(server)?;
    let mut progress = |step: Progress| {
        hold(&job.report).progress = Some(Done {
            phase: match step.phase {
                Phase::Hashing => "hashing",
                Phase::Reading => "reading",
                Phase::Withdrawing => "withdrawing",
                Phase::Committing => "committing",
            },
            bytes: step.bytes,
            bytes_total: step.bytes_total,
            rows: step.read,
        });
    };
    let made = import::import(&lake, request, &mut progress, &job.interrupted)?;
    let (snapshot, _) = lake.newest_snapshot()?;
    job.snapshot.store(snapshot.0, Ordering::Relaxed);
    let mut report = reported(request, &made);
    if let (Outcome::Imported { import }, "subscription") = (made.outcome, request.kind.table) {
        const SHOWN: usize = 20;
        let session = server.session()?;
        let (view, language) = (session.view(None)?, session.language()?);
        let view = View { as_known_at: None, ..view };
        let oddities = oddity::of_import(&lake, &view, import, SHOWN).map_err(CommandError::from)?;
        report.odd = oddities.first.iter().map(|odd| odd.words(&oddities.imports).say(language).to_owned()).collect();
    }
    Ok(report)
}

fn reported(request: &ImportRequest, report: &ImportReport) -> Report {
    let (state, import) = match report.outcome {
        Outcome::Imported { import } => ("done", Some(import)),
        Outcome::Unchanged { import } => ("unchanged", Some(import)),
        Outcome::Interrupted { import } => ("stopped", Some(import)),
        Outcome::Previewed => ("previewed", None),
    };
    let mapping = report.columns.iter().map(|(name, origin)| {
        let column = request.kind.columns.iter().find(|column| column.name == *name);
        Mapped {
            column: name,
            words: column.map_or("", |column| column.words),
            is_required: column.is_some_and(|column| column.need == Need::Required),
            header: match origin {
                ColumnUse::Header(header) => Some(header.clone()),
                _ => None,
            },
            constant: match origin {
                ColumnUse::Constant(value) => Some(value.clone()),
                _ => None,
            },
        }
    });
    let issues = report.issues.iter().map(|issue| Trouble {
        row: issue.row,
        column: issue.column,
        code: issue.code.words().name,
        message: issue.message.clone(),
        help: issue.help(),
    });
    let counts = report.counts.iter().map(|(code, count)| Count { code: code.words().name, count: *count });
    let (preview_columns, preview) = preview_of(report);
    Report {
        id: None,
        state,
        upload: None,
        import,
        kind: request.kind.name,
        file: name_of(&request.file),
        mapping: mapping.collect(),
        attributes: report.attributes.clone(),
        habits: report.habits.clone(),
        preset: report.preset.map(|preset| preset.title.clone()),
        read: report.read,
        accepted: report.accepted,
        refused: report.refused,
        withdrawn: report.withdrawn,
        issues: issues.collect(),
        counts: counts.collect(),
        odd: Vec::new(),
        preview_columns,
        preview,
        also: report.also.iter().map(|preset| preset.kind.as_str()).collect(),
        progress: None,
        error: None,
    }
}

/// The first rows, without columns in which nothing stands.
fn preview_of(report: &ImportReport) -> (Vec<String>, Vec<Vec<Option<String>>>) {
    let Some(rows) = &report.first_rows else { return (Vec::new(), Vec::new()) };
    let options = FormatOptions::default();
    let shown: Vec<(String, ArrayFormatter<'_>)> = rows
        .schema_ref()
        .fields()
        .iter()
        .zip(rows.columns())
        .filter(|(field, column)| {
            let is_ours =
                warehouse::kind::SYSTEM_COLUMNS.contains(&field.name().as_str()) && field.name() != "attributes";
            !is_ours && column.logical_null_count() < rows.num_rows()
        })
        .filter_map(|(field, column)| {
            Some((field.name().clone(), ArrayFormatter::try_new(column.as_ref(), &options).ok()?))
        })
        .collect();
    let row = |index: usize| {
        let texts = shown.iter().map(|(_, cells)| Some(cells.value(index).to_string()).filter(|text| !text.is_empty()));
        texts.collect()
    };
    let lines = (0..rows.num_rows()).map(row).collect();
    (shown.iter().map(|(name, _)| name.clone()).collect(), lines)
}

fn job(server: &Server, id: u64) -> Result<Arc<Job>, Refusal> {
    let jobs = hold(&server.imports.jobs);
    jobs.get(&id).cloned().ok_or_else(|| {
        Refusal::missing("there is no such import since the server started; /api/v1/sources lists all that are done")
    })
}

async fn show(
    State(server): State<Arc<Server>>,
    Path(id): Path<u64>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<Report>, Refusal> {
    Ok(Json(told(&*job(&server, id)?, language_of(&server, &uri, &headers))))
}

async fn stop(State(server): State<Arc<Server>>, Path(id): Path<u64>) -> Result<Response, Refusal> {
    let job = job(&server, id)?;
    job.interrupted.store(true, Ordering::Relaxed);
    let mut is_over = job.is_over.subscribe();
    let _ = tokio::time::timeout(SOON, is_over.wait_for(|is_over| *is_over)).await;
    Ok(Json(hold(&job.report).clone()).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path() {
        for (name, plain) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\files\\a.csv", "a.csv"),
            ("..", "file.csv"),
            ("", "file.csv"),
            ("a\nb.csv", "ab.csv"),
        ] {
            assert_eq!(plain_name(name), plain);
        }
    }

    #[test]
    fn the_name_of_a_file_says_the_kind() {
        assert_eq!(kind_of(None, FilePath::new("Cash_Balances.csv.gz")).unwrap().name, "cash-balances");
        assert_eq!(kind_of(None, FilePath::new("export.csv")).unwrap_err().reason.code, "kind_needed");
        assert_eq!(kind_of(Some("invoices"), FilePath::new("export.csv")).unwrap().name, "invoices");
    }
}
