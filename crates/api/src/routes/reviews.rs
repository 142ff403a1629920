//! Reviews: which calls wait for a person, what they hold, and verdicts.

use crate::audit::Note;
use crate::caller::Caller;
use crate::detail;
use crate::extract::{Body, Params};
use crate::params::{NoParams, ReviewParams};
use crate::problem::Problem;
use crate::schemas::{ReviewDetail, ReviewItem, ReviewList, Verdict};
use crate::state::{Shared, blocking};
use axum::Json;
use axum::extract::{Path, State};
use review::{Item, ReviewError, Reviewer, Shown};
use std::sync::Arc;

/// Lists reviews, newest first.
#[utoipa::path(
    get, path = "/api/v1/reviews", tag = "reviews", params(ReviewParams),
    responses((status = 200, description = "A page of reviews.", body = ReviewList))
)]
pub(crate) async fn reviews(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Params { params, text }: Params<ReviewParams>,
) -> Result<Json<ReviewList>, Problem> {
    let filter = params.filter()?;
    let (items, next_cursor) = shared.parts.desk.list(filter).await?;
    let note = Note::done("reviews_list").filter(text.as_deref()).records(items.len());
    shared.record(&caller, note).await?;
    let items = items.iter().map(item).collect();
    Ok(Json(ReviewList { items, next_cursor }))
}

/// One review: what is held, from the record and as it is, and what the policies saw. To judge it
/// is the purpose for which bodies are revealed here.
#[utoipa::path(
    get, path = "/api/v1/reviews/{id}", tag = "reviews",
    params(("id" = String, Path, description = "The review's id.")),
    responses((status = 200, description = "The review.", body = ReviewDetail))
)]
pub(crate) async fn review(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<String>,
    _: Params<NoParams>,
) -> Result<Json<ReviewDetail>, Problem> {
    let shown = match shared.parts.desk.show(&id).await {
        Ok(shown) => shown,
        Err(error) => {
            let note = Note::failed("review_show").target(id);
            return Err(shared.failed(&caller, note, error.into()).await);
        }
    };
    let decision_id = shown.review.decision_id;
    // What is held was recorded before; where the index lags behind it, the rest is shown.
    shared.index_caught_up().await;
    let (pointers, events) = shared
        .query(move |index| Ok((index.records(decision_id)?, index.events_of(decision_id)?)))
        .await?;
    let reading = shared.clone();
    let stored = blocking(move || detail::read(&reading, &pointers, true)).await?;
    shared
        .record(&caller, Note::done("review_show").target(&id).records(1).purpose("review"))
        .await?;
    let item = item(&shown);
    let about = shown.about.unwrap_or_default();
    Ok(Json(ReviewDetail {
        item,
        user_email: about.user_email,
        session_id: about.session_id,
        subjects: about.subjects,
        facts: about.facts,
        request: stored.request,
        response: stored.response,
        events: events.items,
        integrity: stored.integrity,
    }))
}

/// Approves. The last of the approvals that a review needs lets its call through.
#[utoipa::path(
    post, path = "/api/v1/reviews/{id}/approve", tag = "reviews", request_body = Verdict,
    params(("id" = String, Path, description = "The review's id.")),
    responses(
        (status = 200, description = "The review.", body = ReviewItem),
        (status = 409, description = "It is decided already; `outcome` says how.", body = Problem,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn approve(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<String>,
    Body(Verdict { rationale }): Body<Verdict>,
) -> Result<Json<Item>, Problem> {
    let given = shared.parts.desk.approve(&id, reviewer(&caller), &rationale).await;
    answer(&shared, &caller, "review_approve", id, given).await
}

/// Rejects: that ends the review, however many have approved.
#[utoipa::path(
    post, path = "/api/v1/reviews/{id}/reject", tag = "reviews", request_body = Verdict,
    params(("id" = String, Path, description = "The review's id.")),
    responses(
        (status = 200, description = "The review.", body = ReviewItem),
        (status = 409, description = "It is decided already; `outcome` says how.", body = Problem,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn reject(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<String>,
    Body(Verdict { rationale }): Body<Verdict>,
) -> Result<Json<Item>, Problem> {
    let given = shared.parts.desk.reject(&id, reviewer(&caller), &rationale).await;
    answer(&shared, &caller, "review_reject", id, given).await
}

async fn answer(
    shared: &Shared,
    caller: &Caller,
    action: &'static str,
    id: String,
    given: Result<Shown, ReviewError>,
) -> Result<Json<Item>, Problem> {
    match given {
        Ok(shown) => {
            shared.record(caller, Note::done(action).target(id).records(1)).await?;
            Ok(Json(item(&shown)))
        }
        Err(error) => {
            let denied = matches!(error, ReviewError::OwnCall { .. });
            let note = if denied { Note::denied(action) } else { Note::failed(action) };
            Err(shared.failed(caller, note.target(id), error.into()).await)
        }
    }
}

fn reviewer(caller: &Caller) -> Reviewer {
    Reviewer { name: caller.reviewer(), user_id: caller.identity().map(str::to_owned) }
}

fn item(shown: &Shown) -> Item {
    Item::new(&shown.review, shown.about.as_ref())
}
