//! Which routes there are, and who may use each.

mod auth;
mod decisions;
mod events;
mod feed;
mod health;
mod keys;
mod ledger;
mod metrics;
mod models;
mod notes;
mod reports;
mod reviews;
mod sessions;
mod sql;
mod users;

use crate::docs;
use crate::roles::Action;
use crate::state::Shared;
use axum::routing::{MethodRouter, delete, get, patch, post};
use std::sync::Arc;

pub(crate) use auth::{
    __path_end_own_session, __path_login, __path_logout, __path_logout_all, __path_me,
    __path_own_sessions, __path_password, __path_refresh,
};
pub(crate) use decisions::{__path_list, __path_proof, __path_show};
pub(crate) use events::{__path_events, __path_trace};
pub(crate) use feed::{__path_events as __path_feed_events, __path_socket, __path_ticket};
pub(crate) use health::{__path_figures, __path_healthz, __path_readyz};
pub(crate) use keys::{__path_create, __path_keys, __path_revoke, __path_rotate};
pub(crate) use ledger::{
    __path_checkpoint, __path_epoch_checkpoint, __path_epoch_tile, __path_epoch_vkey, __path_tile,
    __path_vkey,
};
pub(crate) use metrics::__path_metrics;
pub(crate) use models::__path_models;
pub(crate) use notes::{__path_flag, __path_outcome};
pub(crate) use reports::__path_report;
pub(crate) use reviews::{__path_approve, __path_reject, __path_review, __path_reviews};
pub(crate) use sessions::{__path_session, __path_sessions};
pub(crate) use sql::__path_sql;
pub(crate) use users::{
    __path_change_user, __path_create_user, __path_reset_password, __path_rotate_signing_key,
    __path_sign_user_out, __path_user_sessions, __path_users,
};

/// A route: everything about it that is not its handler's own business.
pub(crate) struct Route {
    pub method: &'static str,
    pub path: &'static str,
    /// What the table of roles knows it as.
    pub action: Action,
    pub handler: fn() -> MethodRouter<Arc<Shared>>,
}

macro_rules! table {
    ($($method:literal $path:literal $action:ident => $handler:expr;)+) => {
        /// Every route.
        pub(crate) const TABLE: &[Route] = &[$(Route {
            method: $method,
            path: $path,
            action: Action::$action,
            handler: || $handler,
        },)+];
    };
}

table! {
    "POST" "/api/v1/auth/login" SignIn => post(auth::login);
    "POST" "/api/v1/auth/refresh" Refresh => post(auth::refresh);
    "GET" "/api/v1/auth/me" Me => get(auth::me);
    "POST" "/api/v1/auth/password" OwnPassword => post(auth::password);
    "POST" "/api/v1/auth/logout" SignOut => post(auth::logout);
    "POST" "/api/v1/auth/logout-all" SignOutAll => post(auth::logout_all);
    "GET" "/api/v1/auth/sessions" OwnSessions => get(auth::own_sessions);
    "DELETE" "/api/v1/auth/sessions/{id}" OwnSessionEnd => delete(auth::end_own_session);
    "POST" "/api/v1/auth/signing-key" SigningKey => post(users::rotate_signing_key);
    "GET" "/api/v1/users" UsersList => get(users::users);
    "POST" "/api/v1/users" UsersCreate => post(users::create_user);
    "PATCH" "/api/v1/users/{id}" UsersChange => patch(users::change_user);
    "POST" "/api/v1/users/{id}/password" UsersPassword => post(users::reset_password);
    "GET" "/api/v1/users/{id}/sessions" UserSessions => get(users::user_sessions);
    "DELETE" "/api/v1/users/{id}/sessions" UserSignOut => delete(users::sign_user_out);
    "POST" "/api/v1/audit/log" Report => post(reports::report);
    "GET" "/api/v1/audit/logs" List => get(decisions::list);
    "GET" "/api/v1/audit/logs/{id}" Show => get(decisions::show);
    "GET" "/api/v1/audit/logs/{id}/proof" Proof => get(decisions::proof);
    "POST" "/api/v1/audit/logs/{id}/outcome" Outcome => post(notes::outcome);
    "POST" "/api/v1/audit/logs/{id}/flag" Flag => post(notes::flag);
    "GET" "/api/v1/audit/events" Events => get(events::events);
    "GET" "/api/v1/audit/traces/{trace_id}" Trace => get(events::trace);
    "GET" "/api/v1/audit/sessions" Sessions => get(sessions::sessions);
    "GET" "/api/v1/audit/sessions/{id}" Session => get(sessions::session);
    "GET" "/api/v1/metrics" Metrics => get(metrics::metrics);
    "GET" "/ws/feed" Feed => get(feed::socket);
    "GET" "/api/v1/feed" Feed => get(feed::events);
    "POST" "/api/v1/feed/tickets" FeedTicket => post(feed::ticket);
    "GET" "/api/v1/models" Models => get(models::models);
    "GET" "/api/v1/reviews" ReviewsList => get(reviews::reviews);
    "GET" "/api/v1/reviews/{id}" ReviewShow => get(reviews::review);
    "POST" "/api/v1/reviews/{id}/approve" ReviewApprove => post(reviews::approve);
    "POST" "/api/v1/reviews/{id}/reject" ReviewReject => post(reviews::reject);
    "POST" "/api/v1/sql" Sql => post(sql::sql);
    "GET" "/api/v1/keys" KeysList => get(keys::keys);
    "POST" "/api/v1/keys" KeysCreate => post(keys::create);
    "POST" "/api/v1/keys/{id}/rotate" KeysRotate => post(keys::rotate);
    "POST" "/api/v1/keys/{id}/revoke" KeysRevoke => post(keys::revoke);
    "GET" "/api/openapi.json" Documentation => get(docs::document);
    "GET" "/api/docs" Documentation => get(docs::page);
    "GET" "/ledger/checkpoint" Ledger => get(ledger::checkpoint);
    "GET" "/ledger/vkey" Ledger => get(ledger::vkey);
    "GET" "/ledger/tile/{*path}" Ledger => get(ledger::tile);
    "GET" "/ledger/{epoch}/checkpoint" Ledger => get(ledger::epoch_checkpoint);
    "GET" "/ledger/{epoch}/vkey" Ledger => get(ledger::epoch_vkey);
    "GET" "/ledger/{epoch}/tile/{*path}" Ledger => get(ledger::epoch_tile);
    "GET" "/healthz" Health => get(health::healthz);
    "GET" "/readyz" Health => get(health::readyz);
    "GET" "/metrics" Health => get(health::figures);
}
