//! Reading parameters and bodies, with errors that name what is wrong.

use crate::problem::Problem;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Json, Query, Request};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long a body may take to arrive.
const BODY_READ_MAX: Duration = Duration::from_secs(30);

/// The query string, with the text that accesses record.
#[derive(Debug)]
pub(crate) struct Params<T> {
    pub params: T,
    pub text: Option<String>,
}

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Query(params) = Query::try_from_uri(&parts.uri)
            .map_err(|rejection| Problem::invalid(rejection.body_text()))?;
        Ok(Self { params, text: parts.uri.query().map(str::to_owned) })
    }
}

/// A body of JSON.
#[derive(Debug)]
pub(crate) struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read = Json::<T>::from_request(request, state);
        let late = || {
            let detail = "the body did not arrive in time; send it at once";
            Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail)
        };
        match tokio::time::timeout(BODY_READ_MAX, read).await.map_err(|_| late())? {
            Ok(Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(refusal(&rejection)),
        }
    }
}

fn refusal(rejection: &JsonRejection) -> Problem {
    let status = match rejection.status() {
        // Well-formed JSON of another shape is an invalid request like any other.
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    };
    Problem::new(status, "invalid_body", rejection.body_text())
}
