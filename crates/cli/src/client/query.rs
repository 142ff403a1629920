//! Paths with parameters.

use std::fmt::Write as _;

/// A path and its query.
#[derive(Debug, Clone)]
pub struct Query {
    text: String,
    has_parameters: bool,
}

// === impl Query ===

impl Query {
    /// A path of literal segments.
    pub fn new(path: &str) -> Self {
        Self { text: path.to_owned(), has_parameters: false }
    }

    /// One more segment.
    #[must_use]
    pub fn segment(mut self, segment: &str) -> Self {
        self.text.push('/');
        encode(segment, &mut self.text);
        self
    }

    /// One more parameter.
    pub fn push(&mut self, name: &str, value: &str) {
        self.text.push(if self.has_parameters { '&' } else { '?' });
        self.has_parameters = true;
        self.text.push_str(name);
        self.text.push('=');
        encode(value, &mut self.text);
    }

    /// One more parameter, where there is a value.
    pub fn maybe(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.push(name, value);
        }
    }

    /// The text for the request line.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _written = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_place() {
        let mut query = Query::new("/logs").segment("../a b");
        query.push("q", "a&b=c#é");
        query.maybe("x", None);
        query.push("y", "1");
        assert_eq!(query.as_str(), "/logs/..%2Fa%20b?q=a%26b%3Dc%23%C3%A9&y=1");
    }
}
