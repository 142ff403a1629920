//! The table of routes, as what serves them.

use crate::docs::Source;
use crate::gate::{self, Gate};
use crate::headers;
use crate::openapi::openapi_json;
use crate::problem::Problem;
use crate::routes::TABLE;
use crate::state::Api;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use http::StatusCode;

/// Bytes of a request's body at most.
const BODY_BYTES_MAX: usize = 256 * 1024;

impl Api {
    /// The routes. Whoever comes over the control socket is its operator: see [`crate::Peer`].
    pub fn router(&self) -> Router {
        let mut router = Router::new();
        for route in TABLE {
            let gate = Gate { shared: self.shared.clone(), action: route.action };
            let handler = (route.handler)().layer(from_fn_with_state(gate, gate::pass));
            router = router.route(route.path, handler);
        }
        router
            .fallback(async || Problem::not_found("there is no such route; see /api/docs"))
            .method_not_allowed_fallback(async || {
                let detail = "the route has another method; see /api/docs";
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
            })
            .layer(Extension(Source(openapi_json)))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .layer(from_fn_with_state(self.shared.settings, headers::add))
            .with_state(self.shared.clone())
    }
}
