//! Errors as callers see them: codes, statuses, and the format of the route.

use crate::body::AnswerBody;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;
use std::time::Duration;
use wire::ErrorStyle;

/// Error codes of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    MissingHeader,
    InvalidHeader,
    InvalidBody,
    InvalidApiKey,
    SourceNotAllowed,
    PolicyViolation,
    ReviewRejected,
    ReviewPending,
    NotFound,
    ModelNotFound,
    BodyTooLarge,
    RateLimitExceeded,
    UpstreamError,
    UpstreamTimeout,
    AuditUnavailable,
}

impl Code {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::MissingHeader => "missing_header",
            Self::InvalidHeader => "invalid_header",
            Self::InvalidBody => "invalid_body",
            Self::InvalidApiKey => "invalid_api_key",
            Self::SourceNotAllowed => "source_not_allowed",
            Self::PolicyViolation => "policy_violation",
            Self::ReviewRejected => "review_rejected",
            Self::ReviewPending => "review_pending",
            Self::NotFound => "not_found",
            Self::ModelNotFound => "model_not_found",
            Self::BodyTooLarge => "body_too_large",
            Self::RateLimitExceeded => "rate_limit_exceeded",
            Self::UpstreamError => "upstream_error",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::AuditUnavailable => "audit_unavailable",
        }
    }

    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::MissingHeader | Self::InvalidHeader | Self::InvalidBody => {
                StatusCode::BAD_REQUEST
            }
            Self::InvalidApiKey => StatusCode::UNAUTHORIZED,
            Self::SourceNotAllowed | Self::PolicyViolation | Self::ReviewRejected => {
                StatusCode::FORBIDDEN
            }
            Self::ReviewPending => StatusCode::CONFLICT,
            Self::NotFound | Self::ModelNotFound => StatusCode::NOT_FOUND,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RateLimitExceeded => StatusCode::TOO_MANY_REQUESTS,
            Self::UpstreamError => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::AuditUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    const fn openai_type(self) -> &'static str {
        match self {
            Self::InvalidApiKey => "authentication_error",
            Self::SourceNotAllowed | Self::PolicyViolation | Self::ReviewRejected => {
                "permission_error"
            }
            Self::RateLimitExceeded => "rate_limit_error",
            Self::UpstreamError | Self::UpstreamTimeout => "upstream_error",
            Self::AuditUnavailable => "server_error",
            _ => "invalid_request_error",
        }
    }

    /// Anthropic's error types by status (its API reference, "Errors").
    const fn anthropic_type(self) -> &'static str {
        match self {
            Self::InvalidApiKey => "authentication_error",
            Self::SourceNotAllowed | Self::PolicyViolation | Self::ReviewRejected => {
                "permission_error"
            }
            Self::NotFound | Self::ModelNotFound => "not_found_error",
            Self::BodyTooLarge => "request_too_large",
            Self::RateLimitExceeded => "rate_limit_error",
            Self::UpstreamError | Self::UpstreamTimeout => "api_error",
            Self::AuditUnavailable => "overloaded_error",
            _ => "invalid_request_error",
        }
    }

    /// Google's canonical status names.
    const fn gemini_status(self) -> &'static str {
        match self {
            Self::InvalidApiKey => "UNAUTHENTICATED",
            Self::SourceNotAllowed | Self::PolicyViolation | Self::ReviewRejected => {
                "PERMISSION_DENIED"
            }
            Self::ReviewPending => "ABORTED",
            Self::NotFound | Self::ModelNotFound => "NOT_FOUND",
            Self::RateLimitExceeded => "RESOURCE_EXHAUSTED",
            Self::UpstreamTimeout => "DEADLINE_EXCEEDED",
            Self::UpstreamError | Self::AuditUnavailable => "UNAVAILABLE",
            _ => "INVALID_ARGUMENT",
        }
    }
}

/// A request that is not answered by a provider, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub code: Code,
    pub message: String,
    /// The header or field that is wrong.
    pub param: Option<String>,
    pub retry_after: Option<Duration>,
    /// The provider was called already: a retry would call it again.
    pub provider_called: bool,
    /// Further headers of the answer.
    pub headers: Vec<(&'static str, String)>,
    /// The review that holds the call, or decided it.
    pub review_id: Option<String>,
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            param: None,
            retry_after: None,
            provider_called: false,
            headers: Vec::new(),
            review_id: None,
        }
    }

    pub(crate) fn about(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }

    /// The record could not be written.
    pub(crate) fn unrecorded(error: &recorder::RecordError, provider_called: bool) -> Self {
        tracing::error!(%error, "a call is refused because it cannot be recorded");
        Self {
            code: Code::AuditUnavailable,
            message: "This call cannot be recorded now, so it is not made. Try again later; the \
                      operator finds the cause in the log and under /readyz."
                .to_owned(),
            param: None,
            retry_after: Some(Duration::from_secs(5)),
            provider_called,
            headers: Vec::new(),
            review_id: None,
        }
    }

    /// The answer, in the format of the route.
    pub(crate) fn response(&self, style: ErrorStyle, request_id: &str) -> Response<AnswerBody> {
        let code = self.code;
        let mut body = match style {
            ErrorStyle::Anthropic => json!({
                "type": "error",
                "error": {"type": code.anthropic_type(), "message": self.message, "code": code.as_str()},
                "request_id": request_id,
            }),
            ErrorStyle::Gemini => json!({
                "error": {
                    "code": code.status().as_u16(),
                    "message": self.message,
                    "status": code.gemini_status(),
                    "reason": code.as_str(),
                },
                "request_id": request_id,
            }),
            _ => json!({
                "error": {
                    "message": self.message,
                    "type": code.openai_type(),
                    "code": code.as_str(),
                    "param": self.param,
                },
                "request_id": request_id,
            }),
        };
        if let Some(id) = &self.review_id {
            // Clients show callers the whole body or what is below `error`.
            body["review_id"] = json!(id);
            body["error"]["review_id"] = json!(id);
        }
        let mut response = Response::new(AnswerBody::whole(Bytes::from(body.to_string())));
        *response.status_mut() = code.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(*name, value);
            }
        }
        if self.provider_called {
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        response
    }
}
