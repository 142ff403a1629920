//! What the feed says.

use event::{Decision, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// A message of the feed. Which properties it has besides `type` and `cursor` depends on the type.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FeedMessage<'a> {
    /// `hello` (first), `decision`, `missed`, `heartbeat` (at least every 15 seconds), `closing`
    /// (last, where the server ends the feed).
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// Everything before is told; `since` goes on here.
    #[schema(value_type = String)]
    pub cursor: &'a str,
    /// The decision that has ended (`decision`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::schemas::DecisionItem>)]
    pub decision: Option<&'a Decision>,
    /// How many were left out, because they were not taken quickly enough (`missed`). The cursor of
    /// the message before leads to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// What is told, as a search (`hello`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The server's time (`hello`, `heartbeat`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub at: Option<Timestamp>,
}

/// Opens the feed once, without a credential in a header.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FeedTicket {
    /// To be passed as `?ticket=…`, once.
    pub ticket: String,
    /// Seconds for which it is good.
    pub expires_in: u64,
}

impl<'a> FeedMessage<'a> {
    pub(crate) const fn new(kind: &'static str, cursor: &'a str) -> Self {
        Self { kind, cursor, decision: None, count: None, filter: None, at: None }
    }

    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
