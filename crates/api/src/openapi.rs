//! The OpenAPI document, made from the handlers and the table of routes.

use crate::problem::Problem;
use crate::roles::{Action, Door, Rule};
use crate::routes::{self, TABLE};
use serde_json::{Value, json};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Audit Layer",
        description = "Reads the audit of LLM calls: decisions, events, traces, sessions, sums, \
                       proofs; takes verdicts on calls that wait for a person, and what \
                       other systems report. Times are RFC 3339 in UTC, money is a decimal string or null, \
                       cursors are opaque. Errors are application/problem+json. Every sign-in and \
                       every read is recorded; what cannot be recorded is refused.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        routes::login,
        routes::refresh,
        routes::me,
        routes::password,
        routes::logout,
        routes::logout_all,
        routes::own_sessions,
        routes::end_own_session,
        routes::rotate_signing_key,
        routes::users,
        routes::create_user,
        routes::change_user,
        routes::reset_password,
        routes::user_sessions,
        routes::sign_user_out,
        routes::report,
        routes::list,
        routes::show,
        routes::proof,
        routes::outcome,
        routes::flag,
        routes::models,
        routes::events,
        routes::trace,
        routes::sessions,
        routes::session,
        routes::metrics,
        routes::socket,
        routes::feed_events,
        routes::ticket,
        routes::reviews,
        routes::review,
        routes::approve,
        routes::reject,
        routes::sql,
        routes::keys,
        routes::create,
        routes::rotate,
        routes::revoke,
        routes::checkpoint,
        routes::vkey,
        routes::tile,
        routes::epoch_checkpoint,
        routes::epoch_vkey,
        routes::epoch_tile,
        routes::healthz,
        routes::readyz,
        routes::figures,
        crate::docs::document,
        crate::docs::page
    ),
    components(schemas(Problem))
)]
struct Document;

/// Shapes of requests: what may be null in them may be left out.
const ASKED: &[&str] = &[
    "Credentials",
    "FlagWish",
    "KeyRotation",
    "KeyWish",
    "NewPassword",
    "NewPerson",
    "OutcomeWish",
    "PasswordReset",
    "PersonChange",
    "Report",
    "ReportMessage",
    "SigningKeyRotation",
    "SqlQuery",
    "Verdict",
];
/// What answers may lack. Everything else is always there, null where it is not known.
const OPTIONAL: &[(&str, &str)] = &[
    ("FeedMessage", "at"),
    ("FeedMessage", "count"),
    ("FeedMessage", "decision"),
    ("FeedMessage", "filter"),
    ("Health", "reason"),
    ("MetricsPoint", "value"),
    ("MetricsPoint", "values"),
    ("Problem", "field"),
    ("Problem", "items"),
    ("Problem", "outcome"),
    ("Problem", "position"),
    ("ProofRecord", "sealed"),
];

/// The document as indented JSON, ending with a line end.
pub fn openapi_json() -> String {
    let mut document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    document["components"]["securitySchemes"] = json!({
        "bearer": {
            "type": "http", "scheme": "bearer",
            "description": "An access token from /api/v1/auth/login, or an API key (`al_rd_…`)."
        }
    });
    for route in TABLE {
        let path = route.path.replace("{*path}", "{path}");
        let operation = &mut document["paths"][path][route.method.to_lowercase()];
        if operation.is_object() {
            complete(operation, route);
        }
    }
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        for (name, schema) in schemas {
            if !ASKED.contains(&name.as_str()) {
                require_all(name, schema);
            }
        }
    }
    sort(&mut document);
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// Sorts keys, whatever order `serde_json` was built to keep.
fn sort(value: &mut Value) {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = std::mem::take(object).into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.iter_mut().for_each(|(_, value)| sort(value));
            object.extend(entries);
        }
        Value::Array(items) => items.iter_mut().for_each(sort),
        _ => {}
    }
}

/// States that an answer has all of its properties.
fn require_all(name: &str, schema: &mut Value) {
    for part in schema.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten() {
        require_all(name, part);
    }
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    let required = properties.keys().filter(|key| !OPTIONAL.contains(&(name, key.as_str())));
    schema["required"] = required.map(String::as_str).collect();
}

/// What all operations have in common, from the table.
fn complete(operation: &mut Value, route: &routes::Route) {
    let rule = route.action.rule();
    let about = operation["description"].as_str().unwrap_or_default();
    operation["description"] = format!("{about}\n\n{}", rule.about()).trim().into();
    operation["x-action"] = rule.name.into();
    let grants = |rule: Rule| -> Value {
        rule.granted().map(|(who, grant)| (who, grant.as_str())).collect()
    };
    operation["x-grants"] = grants(rule);
    if route.action == Action::Show {
        operation["x-grants-reveal"] = grants(Action::Reveal.rule());
    }
    let problem = |text: &str| {
        json!({
            "description": text,
            "content": {
                "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } }
            }
        })
    };
    let credential = match rule.door {
        Door::Open => None,
        Door::Ledger => Some(json!([{}, { "bearer": [] }])),
        Door::Closed => Some(json!([{ "bearer": [] }])),
    };
    if let Some(credential) = credential {
        operation["security"] = credential;
        operation["responses"]["401"] = problem("No valid credential.");
        operation["responses"]["403"] = problem("Not with this credential.");
        operation["responses"]["429"] =
            problem("Too many requests; `Retry-After` says until when.");
        operation["responses"]["503"] = problem("Cannot be recorded now, or too busy.");
    }
    operation["responses"]["default"] = problem("Anything else that went wrong.");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn document_has_every_route_and_no_other() {
        let document: Value = serde_json::from_str(&openapi_json()).unwrap();
        let served: BTreeSet<String> = TABLE
            .iter()
            .map(|route| format!("{} {}", route.method, route.path.replace("{*path}", "{path}")))
            .collect();
        let mut documented = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                documented.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        assert_eq!(documented, served);
    }

    #[test]
    fn every_shape_that_is_named_is_there() {
        let text = openapi_json();
        let document: Value = serde_json::from_str(&text).unwrap();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for named in text.split("#/components/schemas/").skip(1) {
            let name = named.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name} is named and not there");
        }
    }
}
