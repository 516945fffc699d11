//! The API in its own words: OpenAPI 3.1, made from the table of routes and the types of the answers.

use axum::{
    Json,
    http::Method,
    response::{IntoResponse, Response},
};
use utoipa::openapi::{
    Components, ContentBuilder, Info, OpenApi, OpenApiBuilder, PathsBuilder, Ref, RefOr, ResponseBuilder,
    extensions::ExtensionsBuilder,
    path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem},
    request_body::RequestBodyBuilder,
    schema::{ObjectBuilder, Schema, Type},
};

use super::{
    refusal::Refused,
    route::{BASE, Route, Shape, Who},
    routes as all_routes,
};

pub fn routes() -> Vec<Route> {
    let words = "This description, in OpenAPI 3.1";
    vec![Route::other(Method::GET, "/openapi.json", Who::Anyone, words, show)]
}

async fn show() -> Response {
    Json(description()).into_response()
}

/// The description of the API.
pub fn description() -> OpenApi {
    let mut components = Components::new();
    let mut paths = PathsBuilder::new();
    let refused = Shape::of::<Refused>();
    components.schemas.extend(refused.named);
    for route in all_routes() {
        let mut operation = OperationBuilder::new()
            .operation_id(Some(operation_id(&route)))
            .tag(route.path.trim_start_matches('/').split('/').next().unwrap_or_default())
            .summary(Some(route.words))
            .extensions(Some(ExtensionsBuilder::new().add("x-role", route.who.name()).build()));
        for name in names_in(route.path) {
            let text = Schema::Object(ObjectBuilder::new().schema_type(Type::String).build());
            operation = operation.parameter(
                ParameterBuilder::new()
                    .name(name)
                    .parameter_in(ParameterIn::Path)
                    .required(utoipa::openapi::Required::True)
                    .schema(Some(text)),
            );
        }
        let of_path = names_in(route.path);
        for parameter in route.parameters.iter().filter(|parameter| !of_path.contains(&parameter.name.as_str())) {
            operation = operation.parameter(parameter.clone());
        }
        if let Some(takes) = route.takes {
            components.schemas.extend(takes.named);
            let content = ContentBuilder::new().schema(Some(takes.schema)).build();
            operation =
                operation.request_body(Some(RequestBodyBuilder::new().content(route.takes_media, content).build()));
        }
        let mut fine = ResponseBuilder::new().description("The answer");
        if let Some(gives) = route.gives {
            components.schemas.extend(gives.named);
            fine = fine.content("application/json", ContentBuilder::new().schema(Some(gives.schema)).build());
        }
        let refused = RefOr::Ref(Ref::from_schema_name("Refused"));
        let refused = ResponseBuilder::new()
            .description("Why there is no answer")
            .content("application/json", ContentBuilder::new().schema(Some(refused)).build());
        operation = operation.response("200", fine).response("default", refused);
        paths = paths.path(format!("{BASE}{}", route.path), PathItem::new(method(&route.method), operation));
    }
    let mut info = Info::new("Recurve", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Every figure, movement, customer and fact that Recurve knows. Exact numbers are decimal strings; `null` is \
         undefined, and `note` says why. Questions about the data have an `ETag`: with `If-None-Match` what did not \
         change is not sent again."
            .to_owned(),
    );
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components)).build()
}

/// `get_customers_customer`: what a client calls it.
fn operation_id(route: &Route) -> String {
    let path = route.path.trim_start_matches('/').replace(['/', '-', '.'], "_").replace(['{', '}'], "");
    format!("{}_{path}", route.method.as_str().to_lowercase())
}

/// The names in the braces of a path.
fn names_in(path: &str) -> Vec<&str> {
    path.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name)).collect()
}

fn method(method: &Method) -> HttpMethod {
    match method.as_str() {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn no_two_shapes_have_one_name() {
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        for route in all_routes() {
            for (name, shape) in [route.takes, route.gives].into_iter().flatten().flat_map(|shape| shape.named) {
                let shape = serde_json::to_string(&shape).unwrap();
                let other = known.entry(name.clone()).or_insert_with(|| shape.clone());
                assert_eq!(*other, shape, "{name} of {} is another one elsewhere: #[schema(as = ...)]", route.path);
            }
        }
    }
}
