//! Names of headers that every call is asked for or gets.

use http::HeaderName;

pub(crate) static AUDIT_ID: HeaderName = HeaderName::from_static("x-audit-id");
pub(crate) static EMAIL: HeaderName = HeaderName::from_static("x-llm-user-email");
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) static REQUEST_TYPE: HeaderName = HeaderName::from_static("x-llm-request-type");
pub(crate) static SESSION: HeaderName = HeaderName::from_static("x-llm-session");
pub(crate) static SOURCE: HeaderName = HeaderName::from_static("x-llm-source");
pub(crate) static SUBJECT: HeaderName = HeaderName::from_static("x-llm-subject");
pub(crate) static TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");
pub(crate) static TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) static UPSTREAM_REQUEST_ID: HeaderName =
    HeaderName::from_static("x-upstream-request-id");
pub(crate) static USER: HeaderName = HeaderName::from_static("x-llm-user");
