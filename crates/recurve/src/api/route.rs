//! One route: who may use it, what it takes and gives, and how it is answered.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawPathParams, RawQuery, State},
    http::{HeaderMap, Method, Uri},
    response::Response,
    routing::MethodFilter,
};
use clap::{Args, FromArgMatches};
use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        path::Parameter,
        schema::{AllOfBuilder, ObjectBuilder, Schema, Type},
    },
};

use super::{
    query::{self, Reader},
    refusal::Refusal,
    server::Server,
};
use crate::{command::CommandError, session::Session};

/// Where all routes of the API begin.
pub const BASE: &str = "/api/v1";

/// Who may use a route. Each may do what those before may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// Anybody who reaches the server.
    Anyone,
    /// Whoever may look: a viewer, or somebody with a shared link.
    Viewer,
}

impl Who {
    /// Its name in the description.
    pub fn name(self) -> &'static str {
        match self {
            Who::Anyone => "anyone",
            Who::Viewer => "viewer",
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
    fn versioned<T: ToSchema>() -> Self {
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

/// What adds a route to a router.
type Register = Box<dyn FnOnce(Router<Arc<Server>>, &str) -> Router<Arc<Server>>>;

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
    /// What it gives.
    pub gives: Option<Shape>,
    register: Register,
}

/// How a question about the data is answered: a body of JSON.
pub type Work = Arc<dyn Fn(&Session, &Reader, &[(String, String)], bool) -> Result<Vec<u8>, Refusal> + Send + Sync>;

/// A question about the data whose answers are kept.
pub struct Question {
    /// How its query is read.
    pub reader: Reader,
    /// How it is answered.
    pub work: Work,
    /// The route, for the log.
    pub path: &'static str,
}

#[derive(Serialize)]
struct Versioned<A> {
    data_version: String,
    #[serde(flatten)]
    answer: A,
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
        A: Serialize + ToSchema + PartialSchema + 'static,
    {
        let reader = Reader::of::<Q>(allowed);
        let parameters = reader.parameters();
        let work: Work = Arc::new(move |session, reader, pairs, is_shared| {
            let asked = reader.read::<Q>(pairs, is_shared)?;
            let session = session.again(asked.view.over(&session.options))?;
            let answer = answer(&session, &asked.question)?;
            let data_version = session.known().map(|known| known.version()).unwrap_or_default();
            serde_json::to_vec(&Versioned { data_version, answer }).map_err(|_| Refusal::failed())
        });
        let question = Arc::new(Question { reader, work, path });
        let handler = move |State(server): State<Arc<Server>>,
                            parameters: RawPathParams,
                            uri: Uri,
                            RawQuery(query): RawQuery,
                            headers: HeaderMap| {
            let question = Arc::clone(&question);
            let of_path: Vec<(String, String)> =
                parameters.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            async move {
                let mut pairs = match query::pairs(query.as_deref()) {
                    Ok(pairs) => pairs,
                    Err(refusal) => return refusal.into_response_of(),
                };
                pairs.extend(of_path);
                server.answer(&question, uri.path(), pairs, &headers).await
            }
        };
        Self {
            method: Method::GET,
            path,
            who: Who::Viewer,
            words,
            parameters,
            takes: None,
            gives: Some(Shape::versioned::<A>()),
            register: Box::new(move |router, path| router.route(path, axum::routing::get(handler))),
        }
    }

    /// Any other route, with a handler of its own.
    pub fn other<H, T>(method: Method, path: &'static str, who: Who, words: &'static str, handler: H) -> Self
    where
        H: axum::handler::Handler<T, Arc<Server>>,
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
            gives: None,
            register: Box::new(move |router, path| router.route(path, axum::routing::on(filter, handler))),
        }
    }

    /// Adds it to a router.
    pub fn add_to(self, router: Router<Arc<Server>>) -> Router<Arc<Server>> {
        (self.register)(router, &format!("{BASE}{}", self.path))
    }
}

impl Refusal {
    /// As a response, where the type is not inferred.
    pub fn into_response_of(self) -> Response {
        axum::response::IntoResponse::into_response(self)
    }
}
