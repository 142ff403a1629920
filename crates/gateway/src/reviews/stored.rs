//! What is held and kept, as bytes: a head in JSON behind its length, then the body as it is.

use event::RequestCompleted;
use http::{HeaderMap, HeaderName, HeaderValue};
use policy::Tokens;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A request that is held. Its query stays with the caller: it may hold a credential.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RequestHead {
    pub method: String,
    pub path: String,
    pub content_type: Option<String>,
    /// What was taken out of it before it was held.
    #[serde(skip_serializing_if = "Tokens::is_empty")]
    pub tokens: Tokens,
}

/// An answer that is held, or kept to be fetched again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AnswerHead {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// What is recorded once it is let through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<RequestCompleted>,
}

// === impl AnswerHead ===

impl AnswerHead {
    pub(crate) fn new(status: u16, headers: &HeaderMap) -> Self {
        let pair = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        Self { status, headers: headers.iter().filter_map(pair).collect(), completed: None }
    }

    pub(crate) fn write_headers(&self, into: &mut HeaderMap) {
        for (name, value) in &self.headers {
            let pair = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()));
            if let (Ok(name), Ok(value)) = pair {
                into.append(name, value);
            }
        }
    }
}

pub(crate) fn pack<T: Serialize>(head: &T, body: &[u8]) -> Vec<u8> {
    // These heads have no maps with keys that are no text, so JSON can always say them.
    let head = serde_json::to_vec(head).unwrap_or_default();
    let mut out = Vec::with_capacity(4 + head.len() + body.len());
    out.extend_from_slice(&(head.len() as u32).to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(body);
    out
}

pub(crate) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Option<(T, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (head, body) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((serde_json::from_slice(head).ok()?, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        let head =
            AnswerHead { status: 200, headers: vec![("a".into(), "b".into())], completed: None };
        let packed = pack(&head, b"\0body");
        assert_eq!(unpack::<AnswerHead>(&packed), Some((head, &b"\0body"[..])));
        for cut in 0..5 {
            assert_eq!(unpack::<AnswerHead>(&packed[..cut]), None);
        }
    }
}
