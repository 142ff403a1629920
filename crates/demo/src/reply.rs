//! An answer and how its pieces are written.

use bytes::Bytes;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// An answer, cut where a stream's events are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Content type.
    pub content_type: &'static str,
    /// Name of the header that carries the provider's own request id.
    pub id_header: &'static str,
    /// The body: one piece, or the events of a stream.
    pub pieces: Vec<Bytes>,
    /// Whether the pieces are a stream's events.
    pub streamed: bool,
}

/// An error in the format of the path.
pub fn error_reply(path: &str, status: u16, message: &str) -> Reply {
    let kind = match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    let body = if path.contains("/v1/messages") {
        json!({"type": "error", "error": {"type": kind, "message": message}})
    } else {
        json!({"error": {"message": message, "type": kind, "param": null, "code": null}})
    };
    whole(path, status, &body)
}

/// A reply of one JSON document.
pub(crate) fn whole(path: &str, status: u16, body: &Value) -> Reply {
    Reply {
        status,
        content_type: "application/json",
        id_header: id_header(path),
        pieces: vec![Bytes::from(body.to_string())],
        streamed: false,
    }
}

/// A reply of server-sent events.
pub(crate) fn stream(path: &str, pieces: Vec<Bytes>) -> Reply {
    Reply {
        status: 200,
        content_type: "text/event-stream; charset=utf-8",
        id_header: id_header(path),
        pieces,
        streamed: true,
    }
}

/// One event; the name is left out where a format has none.
pub(crate) fn event(name: Option<&str>, data: &Value) -> Bytes {
    let name = name.map_or_else(String::new, |name| format!("event: {name}\n"));
    Bytes::from(format!("{name}data: {data}\n\n"))
}

/// Seconds since 1970, as OpenAI's formats state them.
pub(crate) fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn id_header(path: &str) -> &'static str {
    if path.contains("/v1/messages") { "request-id" } else { "x-request-id" }
}
