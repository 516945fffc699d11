//! One route: who may use it, what it takes and gives, and how it is answered.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, RawPathParams, RawQuery, State},
    handler::Handler,
    http::{HeaderMap, Method, Uri},
    middleware,
    response::IntoResponse,
    routing::{MethodFilter, MethodRouter},
};
use clap::{Args, FromArgMatches};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{
        RefOr,
        path::Parameter,
        schema::{AllOfBuilder, ObjectBuilder, Schema, Type},
    },
};

use super::{
    access::{Caller, guard},
    people::Role,
    query::{self, Reader},
    refusal::Refusal,
    server::Server,
    telemetry::measured,
};
use crate::{command::CommandError, session::Session};

/// Where all routes of the API begin.
pub const BASE: &str = "/api/v1";

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Anybody who reaches the server.
    Anyone,
    /// Whoever may look at figures without names: a shared link and all people.
    Shared,
    /// Whoever may look at everything.
    Viewer,
    /// Whoever may import: editors, and programs with a token for it.
    Ingest,
    /// Whoever may keep notes, targets and views.
    Editor,
    /// Whoever says who may do what.
    Owner,
}

impl Who {
    /// Its name in the description.
    pub fn name(self) -> &'static str {
        match self {
            Who::Anyone => "anyone",
            Who::Shared => "shared",
            Who::Viewer => "viewer",
            Who::Ingest => "ingest",
            Who::Editor => "editor",
            Who::Owner => "owner",
        }
    }

    /// Whether a role suffices.
    pub fn admits(self, role: Role) -> bool {
        match self {
            Who::Anyone => true,
            Who::Shared => role >= Role::Shared,
            Who::Viewer => role >= Role::Viewer,
            Who::Ingest => role == Role::Ingest || role >= Role::Editor,
            Who::Editor => role >= Role::Editor,
            Who::Owner => role >= Role::Owner,
        }
    }
}

/// A schema with those that it names.
pub struct Shape {
    /// The schema.
    pub schema: RefOr<Schema>,
    /// What it names.
    pub named: Vec<(String, RefOr<Schema>)>,
}

impl Shape {
    /// The shape of a type.
    pub fn of<T: ToSchema>() -> Self {
        let mut named = Vec::new();
        T::schemas(&mut named);
        named.push((T::name().into_owned(), T::schema()));
        let schema = RefOr::Ref(utoipa::openapi::Ref::from_schema_name(T::name()));
        Self { schema, named }
    }

    /// The shape of a type with the version of the data beside it.
    pub fn versioned<T: ToSchema>() -> Self {
        let shape = Self::of::<T>();
        let version = ObjectBuilder::new()
            .property(
                "data_version",
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some("The version of the data: equal as long as every answer is")),
            )
            .required("data_version");
        let schema = Schema::AllOf(AllOfBuilder::new().item(shape.schema).item(version).build());
        Self { schema: RefOr::T(schema), named: shape.named }
    }
}

/// One route.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path below [`BASE`].
    pub path: &'static str,
    /// Who may use it.
    pub who: Who,
    /// What it is, in a sentence.
    pub words: &'static str,
    /// What its query takes.
    pub parameters: Vec<Parameter>,
    /// What its body is.
    pub takes: Option<Shape>,
    /// What the body is written in.
    pub takes_media: &'static str,
    /// What it gives.
    pub gives: Option<Shape>,
    handler: MethodRouter<Arc<Server>>,
    /// Whether a body may be larger than a form of words is.
    is_of_any_size: bool,
}

/// The largest body, but for uploads.
pub const BODY_BYTES: usize = 256 << 10;

/// How a question about the data is answered: from its pairs to a body of JSON. Last comes whether a shared link asks.
pub type Work = Arc<dyn Fn(&Session, &[(String, String)], bool) -> Result<Vec<u8>, Refusal> + Send + Sync>;

/// A question about the data whose answers are kept.
pub struct Question {
    /// How it is answered.
    pub work: Work,
    /// The route, for the log.
    pub path: &'static str,
    /// Whether the answer of a moment ago may serve, where it takes long: it says of which version it is.
    pub may_lag: bool,
}

#[derive(Serialize)]
struct Versioned<A> {
    data_version: String,
    #[serde(flatten)]
    answer: A,
}

/// The body of an answer, with the version of the data that it is of.
pub fn answer_body<A: Serialize>(session: &Session, answer: A) -> Result<Vec<u8>, Refusal> {
    let data_version = session.known().map(|known| known.version()).unwrap_or_default();
    serde_json::to_vec(&Versioned { data_version, answer }).map_err(|_| Refusal::failed())
}

impl Route {
    /// A question about the data, read by the options `allowed` of the question (all where none is named), and answered
    /// by the function that the command line uses too.
    pub fn question<Q, A>(
        path: &'static str,
        words: &'static str,
        allowed: &[&str],
        answer: fn(&Session, &Q) -> Result<A, CommandError>,
    ) -> Self
    where
        Q: Args + FromArgMatches + 'static,
        A: Serialize + ToSchema + 'static,
    {
        let reader = Reader::of::<Q>(allowed);
        let parameters = reader.parameters();
        let work: Work = Arc::new(move |session, pairs, is_shared| {
            let asked = reader.read::<Q>(pairs, is_shared)?;
            let session = session.again(asked.view.over(&session.options))?;
            answer_body(&session, answer(&session, &asked.question)?)
        });
        Self::asked(path, words, parameters, Shape::versioned::<A>(), work)
    }

    /// A question that is answered by some work, whose answers are kept.
    pub fn asked(
        path: &'static str,
        words: &'static str,
        parameters: Vec<Parameter>,
        gives: Shape,
        work: Work,
    ) -> Self {
        let question = Arc::new(Question { work, path, may_lag: path == super::overview::PATH });
        let handler = move |State(server): State<Arc<Server>>,
                            Extension(caller): Extension<Caller>,
                            of_path: RawPathParams,
                            uri: Uri,
                            RawQuery(query): RawQuery,
                            headers: HeaderMap| {
            let question = Arc::clone(&question);
            let of_path: Vec<(String, String)> =
                of_path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            async move {
                let mut pairs = match query::pairs(query.as_deref()) {
                    Ok(pairs) => pairs,
                    Err(refusal) => return refusal.into_response(),
                };
                pairs.extend(of_path);
                server.answer(&question, uri.path(), pairs, caller.role == Role::Shared, &headers).await
            }
        };
        let route = Self::other(Method::GET, path, Who::Viewer, words, handler);
        Self { parameters, gives: Some(gives), ..route }
    }

    /// Any other route, with a handler of its own.
    pub fn other<H, T>(method: Method, path: &'static str, who: Who, words: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Server>>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        Self {
            method,
            path,
            who,
            words,
            parameters: Vec::new(),
            takes: None,
            takes_media: "application/json",
            gives: None,
            handler: axum::routing::on(filter, handler),
            is_of_any_size: false,
        }
    }

    /// Says what its query may hold.
    pub fn asks<Q: Args>(self) -> Self {
        Self { parameters: Reader::of::<Q>(&[]).own_parameters(), ..self }
    }

    /// Says what its body is.
    pub fn takes<T: ToSchema>(self) -> Self {
        Self { takes: Some(Shape::of::<T>()), ..self }
    }

    /// Says what the parts of its form are.
    pub fn takes_form<T: ToSchema>(self) -> Self {
        Self { takes: Some(Shape::of::<T>()), takes_media: "multipart/form-data", ..self }
    }

    /// Says what it gives.
    pub fn gives<T: ToSchema>(self) -> Self {
        Self { gives: Some(Shape::of::<T>()), ..self }
    }

    /// Lets shared links use it.
    pub fn for_shared(self) -> Self {
        Self { who: Who::Shared, ..self }
    }

    /// Lets its body be of any size: the handler looks after it.
    pub fn of_any_size(self) -> Self {
        Self { is_of_any_size: true, ..self }
    }

    /// Adds it to a router, guarded.
    pub fn add_to(self, router: Router<Arc<Server>>, server: &Arc<Server>) -> Router<Arc<Server>> {
        let limit = if self.is_of_any_size { DefaultBodyLimit::disable() } else { DefaultBodyLimit::max(BODY_BYTES) };
        let guarded = middleware::from_fn_with_state((Arc::clone(server), self.who), guard);
        let measured = middleware::from_fn_with_state((Arc::clone(server), self.path), measured);
        router.route(&format!("{BASE}{}", self.path), self.handler.layer(limit).layer(guarded).layer(measured))
    }
}
