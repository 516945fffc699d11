//! The query of a request, read by the same definitions as the command line: what an option may say, and what is wrong
//! with it, is stated once.

use clap::{Args, Command, FromArgMatches};
use utoipa::openapi::{
    RefOr, Required,
    path::{Parameter, ParameterBuilder, ParameterIn},
    schema::{ArrayBuilder, ObjectBuilder, Schema, Type},
};

use super::refusal::Refusal;
use crate::session::Options;

/// What every question may say of the view that it takes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct View {
    /// The policy: default, stripe, chartmogul, profitwell, or one of the data folder
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Take this as now: a date or an instant
    #[arg(long, value_name = "T")]
    now: Option<String>,
    /// Only what was known at that time: a date (its beginning) or an instant
    #[arg(long, value_name = "T")]
    as_known_at: Option<String>,
    /// The currency to report in
    #[arg(long, value_name = "CUR")]
    currency: Option<String>,
    /// By which touch a customer belongs to a channel: stated, first_touch, last_touch or linear
    #[arg(long, value_name = "TOUCH")]
    attribution: Option<String>,
    /// The language of names and sentences: en, zh or fr
    #[arg(long, value_name = "LANG")]
    lang: Option<String>,
}

/// What a shared link may choose of it: what needs no other books than those that are open.
const OF_SHARED: &[&str] = &["lang"];

/// What of it needs other books than those that are open.
const OF_OTHER_BOOKS: &[&str] = &["policy", "now", "as_known_at", "currency"];

/// Whether a question needs other books than those that are open.
pub fn needs_other_books(pairs: &[(String, String)]) -> bool {
    pairs.iter().any(|(name, _)| OF_OTHER_BOOKS.contains(&name.as_str()))
}

/// The dimensions that a shared link may use: none that names a customer.
const SHARED_DIMENSIONS: &[&str] =
    &["plan", "product", "interval", "currency", "country", "channel", "cohort", "segment"];

/// Refuses to split or filter by what could name a customer.
fn refuse_names(value: &str) -> Result<(), Refusal> {
    let dimension = value.split('=').next().unwrap_or_default();
    match dimension.split(',').find(|name| !SHARED_DIMENSIONS.contains(&name.trim())) {
        None => Ok(()),
        Some(name) => Err(Refusal::bad(format!(
            "a shared link does not show `{name}`; it shows {}",
            SHARED_DIMENSIONS.join(", ")
        ))),
    }
}

/// How a query is read.
#[derive(Debug, Clone)]
pub struct Reader {
    command: Command,
    /// The parameters, without those of the view.
    of_question: Vec<String>,
    /// The parameters of the view.
    of_view: Vec<String>,
}

/// A query that was read.
pub struct Asked<Q> {
    /// The view.
    pub view: View,
    /// The question.
    pub question: Q,
}

impl View {
    /// The options of a command with this view.
    pub fn over(self, options: &Options) -> Options {
        Options {
            policy: self.policy.or_else(|| options.policy.clone()),
            now: self.now.or_else(|| options.now.clone()),
            as_known_at: self.as_known_at.or_else(|| options.as_known_at.clone()),
            currency: self.currency.or_else(|| options.currency.clone()),
            attribution: self.attribution.or_else(|| options.attribution.clone()),
            lang: self.lang.or_else(|| options.lang.clone()),
            ..options.clone()
        }
    }

    /// A name of a policy that is a path would have the server read any file.
    fn refuse_paths(&self) -> Result<(), Refusal> {
        let plain =
            |name: &str| name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'));
        match &self.policy {
            Some(name) if !plain(name) => Err(Refusal::bad(format!("`{name}` is no name of a policy"))),
            _ => Ok(()),
        }
    }
}

impl Reader {
    /// Reads the options `allowed` of a question; all of them where none is named.
    pub fn of<Q: Args>(allowed: &[&str]) -> Self {
        let of_question: Vec<String> = names(&Q::augment_args(Command::new("query")))
            .into_iter()
            .filter(|name| allowed.is_empty() || allowed.contains(&name.as_str()))
            .collect();
        let of_view = names(&View::augment_args(Command::new("query")));
        let of_view = of_view.into_iter().filter(|name| !of_question.contains(name)).collect();
        let command = View::augment_args(Q::augment_args(Command::new("query")))
            .no_binary_name(true)
            .disable_help_flag(true)
            .disable_version_flag(true)
            .color(clap::ColorChoice::Never);
        Self { command, of_question, of_view }
    }

    /// Reads a query.
    pub fn read<Q: Args + FromArgMatches>(
        &self,
        pairs: &[(String, String)],
        is_shared: bool,
    ) -> Result<Asked<Q>, Refusal> {
        let mut options: Vec<String> = Vec::new();
        let mut positional: Vec<String> = Vec::new();
        // Options that take several values at once.
        let mut several: Vec<(String, Vec<String>)> = Vec::new();
        for (name, value) in pairs {
            let known = self.of_question.contains(name)
                || self.of_view.contains(name) && (!is_shared || OF_SHARED.contains(&name.as_str()));
            let argument = self.command.get_arguments().find(|argument| known && parameter_name(argument) == *name);
            if is_shared && matches!(name.as_str(), "by" | "where") {
                refuse_names(value)?;
            }
            let Some(argument) = argument else {
                let known = self.of_question.iter().chain(&self.of_view).map(String::as_str).collect::<Vec<_>>();
                return Err(Refusal::bad(format!(
                    "there is no parameter `{name}` here; there are {}",
                    known.join(", ")
                )));
            };
            if argument.is_positional() {
                positional.push(value.clone());
                continue;
            }
            let long = argument.get_long().unwrap_or_default();
            if argument.get_num_args().is_some_and(|count| count.min_values() > 1) && !value.starts_with('-') {
                match several.iter_mut().find(|(other, _)| other == long) {
                    Some((_, values)) => values.push(value.clone()),
                    None => several.push((long.to_owned(), vec![value.clone()])),
                }
                continue;
            }
            match (argument.get_action().takes_values(), value.as_str()) {
                (true, value) => options.push(format!("--{long}={value}")),
                (false, "" | "true" | "1") => options.push(format!("--{long}")),
                (false, "false" | "0") => {}
                (false, other) => {
                    return Err(Refusal::bad(format!("`{name}` is true or false, not `{other}`")));
                }
            }
        }
        for (long, values) in several {
            options.push(format!("--{long}"));
            options.extend(values);
        }
        options.push("--".to_owned());
        options.extend(positional);
        let wrong = |error: clap::Error| Refusal::bad(words(&error.render().to_string()));
        let matches = self.command.clone().try_get_matches_from(options).map_err(wrong)?;
        let question = Q::from_arg_matches(&matches).map_err(wrong)?;
        let view = View::from_arg_matches(&matches).map_err(wrong)?;
        view.refuse_paths()?;
        Ok(Asked { view, question })
    }

    /// The parameters of the question alone.
    pub fn own_parameters(&self) -> Vec<Parameter> {
        let own = |parameter: &Parameter| self.of_question.contains(&parameter.name);
        self.parameters().into_iter().filter(own).collect()
    }

    /// The parameters, as the description of the API states them.
    pub fn parameters(&self) -> Vec<Parameter> {
        let all = self.of_question.iter().chain(&self.of_view);
        all.filter_map(|name| {
            self.command.get_arguments().find(|argument| parameter_name(argument) == *name).map(parameter)
        })
        .collect()
    }
}

/// The names of what a command takes.
fn names(command: &Command) -> Vec<String> {
    command.get_arguments().map(parameter_name).collect()
}

/// What an argument is called in a query: its option, or the one thing that it is a list of.
fn parameter_name(argument: &clap::Arg) -> String {
    match argument.get_long() {
        Some(long) => long.replace('-', "_"),
        None => argument.get_value_names().and_then(<[_]>::first).map_or_else(
            || argument.get_id().to_string(),
            |name| match name.to_string().to_lowercase().as_str() {
                "id" => "metric".to_owned(),
                other => other.to_owned(),
            },
        ),
    }
}

fn parameter(argument: &clap::Arg) -> Parameter {
    let many = matches!(argument.get_action(), clap::ArgAction::Append);
    let text = || Schema::Object(ObjectBuilder::new().schema_type(Type::String).build());
    let schema = match (argument.get_action().takes_values(), many) {
        (false, _) => Schema::Object(ObjectBuilder::new().schema_type(Type::Boolean).build()),
        (true, true) => Schema::Array(ArrayBuilder::new().items(RefOr::T(text())).build()),
        (true, false) => text(),
    };
    let help = argument.get_help().map(ToString::to_string);
    ParameterBuilder::new()
        .name(parameter_name(argument))
        .parameter_in(ParameterIn::Query)
        .required(if argument.is_required_set() { Required::True } else { Required::False })
        .description(help)
        .schema(Some(schema))
        .build()
}

/// What the reader of arguments says, without what only a command line knows.
fn words(rendered: &str) -> String {
    let told = rendered.split("\n\n").next().unwrap_or(rendered);
    let told = told.strip_prefix("error: ").unwrap_or(told);
    told.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The pairs of a query, in their order.
pub fn pairs(query: Option<&str>) -> Result<Vec<(String, String)>, Refusal> {
    serde_urlencoded::from_str(query.unwrap_or_default())
        .map_err(|error| Refusal::bad(format!("the query cannot be read: {error}")))
}
