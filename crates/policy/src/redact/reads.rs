//! How a body reads, by what is said of it.

use super::document::Document;

/// How a body reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// JSON of one of the formats of model providers.
    Json,
    /// Any other JSON.
    AnyJson,
    /// As plain text.
    Text,
    /// As server-sent events.
    Events,
    /// Not at all: files, sound, pictures.
    Opaque,
}

impl Reads {
    /// By its media type, and whether its format is one that is known.
    pub fn of(content_type: Option<&str>, known: bool) -> Self {
        let media = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let media = media.to_ascii_lowercase();
        match media.as_str() {
            "text/event-stream" => Self::Events,
            "application/x-www-form-urlencoded" | "application/xml" => Self::Text,
            "application/octet-stream" => Self::Opaque,
            _ if known => Self::Json,
            _ if media.is_empty() || media.ends_with("json") => Self::AnyJson,
            _ if media.starts_with("text/") => Self::Text,
            _ => Self::Opaque,
        }
    }

    /// Of a body of which nobody said anything.
    pub fn guess(body: &[u8]) -> Self {
        if body.starts_with(b"data:") || body.starts_with(b"event:") {
            return Self::Events;
        }
        Self::Json
    }

    /// The body's texts. What is no JSON reads as text.
    pub fn document(self, body: &[u8]) -> Document<'_> {
        let read = match self {
            Self::Json => Document::json(body),
            Self::AnyJson => Document::any_json(body),
            Self::Events => Ok(Document::events(body)),
            Self::Text | Self::Opaque => Ok(Document::text(body)),
        };
        read.unwrap_or_else(|_not_json| Document::text(body))
    }
}
