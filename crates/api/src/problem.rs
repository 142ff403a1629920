//! The one place that turns errors into answers (RFC 9457).

use crate::schemas::ReportedItem;
use axum::response::{IntoResponse, Response};
use control::{LoginError, RefreshError, VerdictError};
use http::{HeaderValue, StatusCode, header};
use ingest::{DeliveryError, ItemError};
use recorder::{ProofError, ReadError, RecordError};
use review::ReviewError;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");
const INTERNAL: &str = "something failed inside; the log of the server says what";

/// An error, as callers see it (RFC 9457).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Always `about:blank`: `code` tells problems apart.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: AboutBlank,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What happened, for programs.
    code: &'static str,
    /// What happened and what to do, for people.
    #[schema(value_type = String)]
    detail: Box<str>,
    /// How a review was decided that somebody wanted to decide again.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    /// Characters before the one that is meant, where a search cannot be understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u32>,
    /// The field that is wrong, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    field: Option<Box<str>>,
    /// What became of each item, where several were sent and none was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ReportedItem>>)]
    items: Option<Box<[ReportedItem]>>,
    #[serde(skip)]
    retry_after_s: Option<u32>,
}

/// The type of all problems.
#[derive(Debug, Clone, Copy)]
struct AboutBlank;

impl Serialize for AboutBlank {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("about:blank")
    }
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self {
            kind: AboutBlank,
            title,
            status: status.as_u16(),
            code,
            detail: detail.into().into(),
            outcome: None,
            position: None,
            field: None,
            items: None,
            retry_after_s: None,
        }
    }

    pub(crate) fn field(self, field: Option<&str>) -> Self {
        Self { field: field.map(Into::into), ..self }
    }

    pub(crate) fn items(self, items: Vec<ReportedItem>) -> Self {
        Self { items: Some(items.into()), ..self }
    }

    pub(crate) fn retry(self, after_s: u64) -> Self {
        Self { retry_after_s: Some(u32::try_from(after_s).unwrap_or(u32::MAX)), ..self }
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
    }

    pub(crate) fn bad_search(error: &index::SearchError) -> Self {
        Self { position: u32::try_from(error.at).ok(), ..Self::invalid(format!("q: {error}")) }
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    pub(crate) fn unauthenticated() -> Self {
        let detail = "sign in at /api/v1/auth/login, or use an API key with scope read; pass the \
                      token or key as `Authorization: Bearer …`";
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    pub(crate) fn password_change_required() -> Self {
        let detail = "somebody else chose your password; change it first, with \
                      POST /api/v1/auth/password";
        Self::new(StatusCode::FORBIDDEN, "password_change_required", detail)
    }

    pub(crate) fn too_many_requests(retry_after: Duration) -> Self {
        let after_s = retry_after.as_secs_f64().ceil().max(1.0) as u64;
        let detail = format!("more requests than this credential may make; go on in {after_s} s");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", detail).retry(after_s)
    }

    pub(crate) fn not_sealed() -> Self {
        let detail = "no checkpoint covers the decision yet; try again in a second";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_sealed", detail).retry(1)
    }

    pub(crate) fn busy() -> Self {
        let detail = "too many of these are under way; try again in a second";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).retry(1)
    }

    /// Status, code and detail, as an item of an answer has them.
    pub(crate) fn parts(&self) -> (u16, &'static str, &str) {
        (self.status, self.code, &self.detail)
    }

    /// What went wrong is for the operator, not for the caller.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request of the API failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", INTERNAL)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, MEDIA_TYPE);
        if let Some(after_s) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after_s));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<index::Error> for Problem {
    fn from(error: index::Error) -> Self {
        use index::Error;
        let detail = error.to_string();
        match error {
            Error::BadCursor | Error::ForeignCursor => {
                Self::new(StatusCode::BAD_REQUEST, "invalid_cursor", detail)
            }
            Error::BadQuery(_) => Self::new(StatusCode::BAD_REQUEST, "invalid_query", detail),
            Error::Timeout { .. } => Self::new(StatusCode::BAD_REQUEST, "query_too_slow", detail),
            Error::Busy => Self::busy(),
            error => Self::internal(&error),
        }
    }
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        tracing::error!(%error, "an access could not be recorded and was refused");
        let detail = format!("the access cannot be recorded, so it is refused: {error}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable", detail).retry(1)
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        tracing::error!(%error, "a stored record could not be read");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "record_unreadable", error.to_string())
    }
}

impl From<ProofError> for Problem {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::NotSealed => Self::not_sealed(),
            ProofError::Read(error) => error.into(),
            ProofError::NeverSealed { .. } => {
                Self::new(StatusCode::CONFLICT, "never_sealed", error.to_string())
            }
            error => Self::internal(&error),
        }
    }
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        let detail = error.to_string();
        match error {
            LoginError::Refused => {
                Self::new(StatusCode::UNAUTHORIZED, "invalid_credentials", detail)
            }
            LoginError::TooMany { retry_after_s } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", detail)
                    .retry(retry_after_s)
            }
            LoginError::Store(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        let detail = error.to_string();
        match error {
            RefreshError::Refused | RefreshError::Reused { .. } => {
                Self::new(StatusCode::UNAUTHORIZED, "session_ended", detail)
            }
            RefreshError::Store(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

impl From<DeliveryError> for Problem {
    fn from(error: DeliveryError) -> Self {
        let detail = error.to_string();
        let unavailable =
            |code| Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail.clone()).retry(1);
        match error {
            DeliveryError::Malformed(_) => {
                Self::new(StatusCode::BAD_REQUEST, "invalid_body", detail)
            }
            DeliveryError::TooMany { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_items", detail)
            }
            DeliveryError::Busy => unavailable("busy"),
            DeliveryError::NotReady => unavailable("not_ready"),
            error => {
                tracing::error!(%error, "deliveries are not taken");
                unavailable("audit_unavailable")
            }
        }
    }
}

impl From<&ItemError> for Problem {
    fn from(error: &ItemError) -> Self {
        let detail = error.to_string();
        let (status, code) = match error {
            ItemError::Invalid { .. } => (StatusCode::BAD_REQUEST, "invalid_item"),
            ItemError::Source { .. } => (StatusCode::FORBIDDEN, "source_not_allowed"),
            ItemError::Conflict { .. } => (StatusCode::CONFLICT, "id_conflict"),
            ItemError::Unrecorded(RecordError::BodyTooLong | RecordError::LeafTooLong) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too_large")
            }
            _ => (StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable"),
        };
        let problem = Self::new(status, code, detail).field(error.field());
        if status == StatusCode::SERVICE_UNAVAILABLE { problem.retry(1) } else { problem }
    }
}

impl From<VerdictError> for Problem {
    fn from(error: VerdictError) -> Self {
        let detail = error.to_string();
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, detail);
        match error {
            VerdictError::Decided { outcome, .. } => {
                Self { outcome: Some(outcome.as_str()), ..conflict("review_decided") }
            }
            VerdictError::Due { .. } => {
                Self { outcome: Some("expired"), ..conflict("review_decided") }
            }
            VerdictError::Voted { .. } => conflict("already_approved"),
            VerdictError::Store(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

impl From<ReviewError> for Problem {
    fn from(error: ReviewError) -> Self {
        let detail = error.to_string();
        match error {
            ReviewError::Verdict(error) => error.into(),
            ReviewError::OwnCall { .. } => Self::new(StatusCode::FORBIDDEN, "own_call", detail),
            ReviewError::Erased { .. } => Self::new(StatusCode::CONFLICT, "erased", detail),
            ReviewError::Unrecorded { .. } => {
                tracing::error!(error = detail, "a verdict is not recorded yet");
                let code = "audit_unavailable";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry(1)
            }
            ReviewError::Record(error) => error.into(),
            ReviewError::Read(error) => error.into(),
            ReviewError::Store(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

impl From<control::Error> for Problem {
    fn from(error: control::Error) -> Self {
        use control::Error;
        let detail = error.to_string();
        match error {
            Error::NotFound { .. } => Self::not_found(detail),
            Error::Invalid { .. } => Self::invalid(detail),
            Error::Exists { .. } | Error::KeyEnded { .. } | Error::LastAdmin { .. } => {
                Self::new(StatusCode::CONFLICT, "conflict", detail)
            }
            Error::Busy | Error::DiskFull => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).retry(1)
            }
            error => Self::internal(&error),
        }
    }
}
