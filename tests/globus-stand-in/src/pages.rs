//! The pages that users see. Every page says that it is not Globus.

use std::sync::LazyLock;

use axum::{
    http::{StatusCode, header::CACHE_CONTROL},
    response::{Html, IntoResponse, Response},
};
use minijinja::{Environment, UndefinedBehavior, Value};
use serde::Serialize;

use crate::people::Person;

const SOURCES: [(&str, &str); 4] = [
    ("base.html", include_str!("templates/base.html")),
    ("sign_in.html", include_str!("templates/sign_in.html")),
    ("logged_out.html", include_str!("templates/logged_out.html")),
    ("message.html", include_str!("templates/message.html")),
];

/// The templates. All values are escaped in templates with names that end in `.html`.
static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    let style = Value::from_safe_string(include_str!("templates/style.css").to_owned());
    templates.add_global("style", style);
    for (name, source) in SOURCES {
        // A template that does not compile fails a test. Here it would only be missing.
        drop(templates.add_template(name, source));
    }
    templates
});

/// A page and what it shows.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Page<'a> {
    /// Asks which user logs in, and whether the user agrees.
    SignIn {
        /// The query of the authorization request.
        query: &'a str,
        scopes: &'a [String],
        /// What the application tells the user.
        message: Option<&'a str>,
        people: Vec<&'a Person>,
        /// Those who are cases for access rules.
        cases: Vec<&'a Person>,
        /// Whether the application requires certain identities. Then the cases are shown at once.
        required: bool,
    },
    LoggedOut {
        /// Whether the request names our client.
        of_client: bool,
        /// The URL of the link back, and the name that it shows.
        back: Option<(&'a str, &'a str)>,
    },
    Message {
        heading: &'a str,
        text: &'a str,
    },
}

impl Page<'_> {
    const fn template(&self) -> &'static str {
        match self {
            Self::SignIn { .. } => "sign_in.html",
            Self::LoggedOut { .. } => "logged_out.html",
            Self::Message { .. } => "message.html",
        }
    }
}

impl IntoResponse for Page<'_> {
    fn into_response(self) -> Response {
        let page = TEMPLATES
            .get_template(self.template())
            .and_then(|template| template.render(minijinja::value::Serde(&self)));
        match page {
            Ok(page) => ([(CACHE_CONTROL, "no-store")], Html(page)).into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    }
}
