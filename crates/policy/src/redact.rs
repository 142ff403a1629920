//! Findings replaced by placeholders: in previews, in bodies, in streams.

mod decode;
mod document;
mod events;
mod json;
mod reads;
mod spans;
mod tokens;

pub use document::{Document, Found, NotJson, Scan};
pub use reads::Reads;
pub use tokens::Tokens;

use crate::detect::Detectors;
use spans::Look;
use std::borrow::Cow;
use std::sync::Arc;

/// Replaces what should not be seen in previews by `<EMAIL_1>`, `<SECRET_1>` and so on; within
/// one text the same thing has the same number.
///
/// Previews are cut: what ends with the text and may have been an address or a secret is
/// replaced, too.
#[derive(Debug, Clone)]
pub struct Redactor {
    detectors: Arc<Detectors>,
}

impl Redactor {
    /// A redactor of what these find.
    pub const fn new(detectors: Arc<Detectors>) -> Self {
        Self { detectors }
    }

    /// The text with its findings replaced; the text itself if there are none.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let look = Look { detectors: &self.detectors, name: None, cut: true, outside: &[] };
        let mut tokens = Tokens::default();
        let spans = spans::of(look, text, &mut tokens);
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        Cow::Owned(spans::render(text, &spans))
    }
}

impl Default for Redactor {
    /// With all built-in kinds.
    fn default() -> Self {
        Self::new(Arc::new(Detectors::default()))
    }
}
