//! Which routes there are, and who may use each.

mod auth;
mod decisions;
mod events;
mod health;
mod keys;
mod ledger;
mod metrics;
mod reviews;
mod sessions;
mod sql;

use crate::docs;
use crate::gate::Access;
use crate::state::Shared;
use axum::routing::{MethodRouter, get, post};
use std::sync::Arc;

pub(crate) use auth::__path_login;
pub(crate) use decisions::{__path_list, __path_proof, __path_show};
pub(crate) use events::{__path_events, __path_trace};
pub(crate) use health::{__path_figures, __path_healthz, __path_readyz};
pub(crate) use keys::{__path_create, __path_keys, __path_revoke, __path_rotate};
pub(crate) use ledger::{
    __path_checkpoint, __path_epoch_checkpoint, __path_epoch_tile, __path_epoch_vkey, __path_tile,
    __path_vkey,
};
pub(crate) use metrics::__path_metrics;
pub(crate) use reviews::{__path_approve, __path_reject, __path_review, __path_reviews};
pub(crate) use sessions::{__path_session, __path_sessions};
pub(crate) use sql::__path_sql;

/// A route: everything about it that is not its handler's own business.
pub(crate) struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub access: Access,
    /// What accesses record; also where it is refused.
    pub action: &'static str,
    pub handler: fn() -> MethodRouter<Arc<Shared>>,
}

macro_rules! table {
    ($($method:literal $path:literal $access:ident $action:literal => $handler:expr;)+) => {
        /// Every route.
        pub(crate) const TABLE: &[Route] = &[$(Route {
            method: $method,
            path: $path,
            access: Access::$access,
            action: $action,
            handler: || $handler,
        },)+];
    };
}

table! {
    "POST" "/api/v1/auth/login" Public "login" => post(auth::login);
    "GET" "/api/v1/audit/logs" Read "list" => get(decisions::list);
    "GET" "/api/v1/audit/logs/{id}" Read "show" => get(decisions::show);
    "GET" "/api/v1/audit/logs/{id}/proof" Read "proof" => get(decisions::proof);
    "GET" "/api/v1/audit/events" Read "events" => get(events::events);
    "GET" "/api/v1/audit/traces/{trace_id}" Read "trace" => get(events::trace);
    "GET" "/api/v1/audit/sessions" Read "sessions" => get(sessions::sessions);
    "GET" "/api/v1/audit/sessions/{id}" Read "session" => get(sessions::session);
    "GET" "/api/v1/metrics" Read "metrics" => get(metrics::metrics);
    "GET" "/api/v1/reviews" Officer "reviews_list" => get(reviews::reviews);
    "GET" "/api/v1/reviews/{id}" Officer "review_show" => get(reviews::review);
    "POST" "/api/v1/reviews/{id}/approve" Officer "review_approve" => post(reviews::approve);
    "POST" "/api/v1/reviews/{id}/reject" Officer "review_reject" => post(reviews::reject);
    "POST" "/api/v1/sql" Officer "sql" => post(sql::sql);
    "GET" "/api/v1/keys" Operator "keys_list" => get(keys::keys);
    "POST" "/api/v1/keys" Operator "keys_create" => post(keys::create);
    "POST" "/api/v1/keys/{id}/rotate" Operator "keys_rotate" => post(keys::rotate);
    "POST" "/api/v1/keys/{id}/revoke" Operator "keys_revoke" => post(keys::revoke);
    "GET" "/api/openapi.json" Public "openapi" => get(docs::document);
    "GET" "/api/docs" Public "docs" => get(docs::page);
    "GET" "/ledger/checkpoint" Ledger "ledger" => get(ledger::checkpoint);
    "GET" "/ledger/vkey" Ledger "ledger" => get(ledger::vkey);
    "GET" "/ledger/tile/{*path}" Ledger "ledger" => get(ledger::tile);
    "GET" "/ledger/{epoch}/checkpoint" Ledger "ledger" => get(ledger::epoch_checkpoint);
    "GET" "/ledger/{epoch}/vkey" Ledger "ledger" => get(ledger::epoch_vkey);
    "GET" "/ledger/{epoch}/tile/{*path}" Ledger "ledger" => get(ledger::epoch_tile);
    "GET" "/healthz" Public "health" => get(health::healthz);
    "GET" "/readyz" Public "health" => get(health::readyz);
    "GET" "/metrics" Public "health" => get(health::figures);
}
