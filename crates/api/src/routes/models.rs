//! The models in use: what decisions say of them, what they cost, who answers for them.

use crate::audit::Note;
use crate::caller::Caller;
use crate::extract::Params;
use crate::params::NoParams;
use crate::problem::Problem;
use crate::schemas::{ModelItem, ModelList};
use crate::state::{ModelFacts, Shared};
use axum::Json;
use axum::extract::State;
use index::{ModelQuery, ModelSeen};
use std::sync::Arc;

/// Lists the models that answered decisions, most used first, then those that are configured and
/// were not used yet.
#[utoipa::path(
    get, path = "/api/v1/models", tag = "models",
    responses((status = 200, description = "The models.", body = ModelList))
)]
pub(crate) async fn models(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    _: Params<NoParams>,
) -> Result<Json<ModelList>, Problem> {
    let sight = caller.sight();
    let sees_all = sight.user_id.is_none() && sight.source.is_none();
    let query = ModelQuery { source: sight.source, user_id: sight.user_id };
    let seen = shared.query(move |index| index.models(&query)).await?;
    let facts = &shared.parts.models;
    let mut items: Vec<ModelItem> = seen
        .into_iter()
        .map(|seen| {
            let fact = facts.iter().find(|fact| is_of(fact, &seen));
            item(&shared, fact, Some(seen))
        })
        .collect();
    for fact in facts.iter().filter(|_| sees_all) {
        let listed = |item: &ModelItem| {
            item.model == fact.model && item.provider.as_deref() == Some(&fact.provider)
                || item.name.as_deref() == Some(&fact.name)
        };
        if !items.iter().any(listed) {
            items.push(item(&shared, Some(fact), None));
        }
    }
    shared.record(&caller, Note::done("models").records(items.len())).await?;
    Ok(Json(ModelList { items }))
}

/// Whether a decision's model is the one that a target names, or a version of it.
fn is_of(fact: &ModelFacts, seen: &ModelSeen) -> bool {
    let provider = seen.provider.as_deref().is_none_or(|name| name == fact.provider);
    let version = wire::version_of(&seen.model).map_or(0, |version| version.len() + 1);
    let plain = &seen.model[..seen.model.len() - version];
    provider && (seen.model == fact.model || plain == fact.model || seen.model == fact.name)
}

fn item(shared: &Shared, fact: Option<&ModelFacts>, seen: Option<ModelSeen>) -> ModelItem {
    let provider = seen
        .as_ref()
        .map_or_else(|| fact.map(|fact| fact.provider.clone()), |seen| seen.provider.clone());
    let model = seen.as_ref().map(|seen| seen.model.clone());
    let model = model.or_else(|| fact.map(|fact| fact.model.clone())).unwrap_or_default();
    let ingest = &shared.parts.ingest;
    let rates = ingest.prices().rates(provider.as_deref().unwrap_or_default(), &model);
    let (input, output) = rates.map_or((None, None), |(input, output)| (Some(input), output));
    ModelItem {
        version: wire::version_of(&model).map(str::to_owned),
        name: fact.map(|fact| fact.name.clone()),
        provider,
        model,
        context_tokens: fact.and_then(|fact| fact.context_tokens),
        price_catalogue: input.is_some().then(|| ingest.prices().date().to_owned()),
        input_usd_per_million: input,
        output_usd_per_million: output,
        first_seen: seen.as_ref().map(|seen| seen.first_seen),
        last_seen: seen.as_ref().map(|seen| seen.last_seen),
        decisions: seen.as_ref().map_or(0, |seen| seen.decisions),
        errors: seen.as_ref().map_or(0, |seen| seen.errors),
        total_tokens: seen.as_ref().map_or(0, |seen| seen.total_tokens),
        cost_usd: seen.map_or_else(|| "0".to_owned(), |seen| seen.cost_usd),
        owner: fact.and_then(|fact| fact.owner.clone()),
        approval: fact.and_then(|fact| fact.approval.clone()),
    }
}
