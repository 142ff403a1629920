//! The OpenAPI document, and a page to browse it: plain HTML, no script, nothing from elsewhere.

use axum::Extension;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::Value;
use std::fmt::Write;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;\
padding:0 1rem;color:#1b1f24;background:#fff}code,pre{font:13px/1.45 ui-monospace,monospace}\
pre{background:#f5f6f8;padding:.75rem;overflow:auto;border-radius:6px}details{border:1px solid \
#d6dae0;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}summary{cursor:pointer}summary b{\
display:inline-block;min-width:3.5rem}table{border-collapse:collapse}td,th{text-align:left;\
padding:.15rem .9rem .15rem 0;vertical-align:top}@media(prefers-color-scheme:dark){body{\
color:#e6e8eb;background:#14171a}pre{background:#1e2226}details{border-color:#383e45}a{color:#8ab4f8}}";
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
);

/// Writes the document. The router hands it in: the document is made from all handlers, these
/// included.
#[derive(Clone, Copy)]
pub(crate) struct Source(pub fn() -> String);

/// This document.
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "docs",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object))
)]
pub(crate) async fn document(Extension(source): Extension<Source>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], (source.0)()).into_response()
}

/// This document, to browse.
#[utoipa::path(
    get, path = "/api/docs", tag = "docs",
    responses((status = 200, description = "A page.", body = String, content_type = "text/html"))
)]
pub(crate) async fn page(Extension(source): Extension<Source>) -> Response {
    let document = serde_json::from_str(&(source.0)()).unwrap_or_default();
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(render(&document))).into_response()
}

fn render(document: &Value) -> String {
    let mut out = String::with_capacity(64 * 1024);
    let title = escape(text(&document["info"]["title"]));
    let about = escape(text(&document["info"]["description"]));
    push(
        &mut out,
        format_args!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width\"><title>{title} API</title><style>{STYLE}</style></head>\
             <body><h1>{title} API</h1><p>{about}</p><p>As a document: \
             <a href=\"/api/openapi.json\">/api/openapi.json</a></p><h2>Routes</h2>"
        ),
    );
    for (path, operations) in members(&document["paths"]) {
        for (method, operation) in members(operations) {
            operation_html(&mut out, path, method, operation);
        }
    }
    out.push_str("<h2>Shapes</h2>");
    for (name, schema) in members(&document["components"]["schemas"]) {
        push(
            &mut out,
            format_args!(
                "<details id=\"{0}\"><summary><code>{0}</code> {1}</summary>",
                escape(name),
                escape(text(&schema["description"]))
            ),
        );
        code(&mut out, schema);
        out.push_str("</details>");
    }
    out.push_str("</body></html>");
    out
}

fn operation_html(out: &mut String, path: &str, method: &str, operation: &Value) {
    push(
        out,
        format_args!(
            "<details><summary><b>{}</b> <code>{}</code> {}</summary><p>{}</p>",
            method.to_uppercase(),
            escape(path),
            escape(text(&operation["summary"])),
            escape(text(&operation["description"])).replace("\n\n", "</p><p>")
        ),
    );
    let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    if !parameters.is_empty() {
        out.push_str("<table><tr><th>parameter</th><th>in</th><th></th></tr>");
        for parameter in parameters {
            push(
                out,
                format_args!(
                    "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
                    escape(text(&parameter["name"])),
                    escape(text(&parameter["in"])),
                    escape(text(&parameter["description"]))
                ),
            );
        }
        out.push_str("</table>");
    }
    shapes(out, "Body", &operation["requestBody"]["content"]);
    for (status, response) in members(&operation["responses"]) {
        let about = format!("{status}: {}", text(&response["description"]));
        shapes(out, &about, &response["content"]);
    }
    out.push_str("</details>");
}

/// The media types of a body, each with a link to its shape.
fn shapes(out: &mut String, about: &str, content: &Value) {
    for (media_type, body) in members(content) {
        push(out, format_args!("<p>{} (<code>{}</code>) ", escape(about), escape(media_type)));
        match text(&body["schema"]["$ref"]).rsplit_once('/') {
            Some((_, name)) => push(out, format_args!("<a href=\"#{0}\">{0}</a>", escape(name))),
            None => push(out, format_args!("{}", escape(text(&body["schema"]["type"])))),
        }
        out.push_str("</p>");
    }
}

fn code(out: &mut String, value: &Value) {
    let json = serde_json::to_string_pretty(value).unwrap_or_default();
    push(out, format_args!("<pre>{}</pre>", escape(&json)));
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into memory cannot fail.
    let _written = out.write_fmt(text);
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
