//! The models that callers may name, as `GET …/models` lists them.

use crate::refusal::{Code, Refusal};
use crate::settings::Dialect;
use crate::targets::Targets;
use http::Method;
use serde_json::{Value, json};

/// What a listing answers.
pub(crate) type Listing = Result<String, Refusal>;

/// The answer to a request for models; none where it asks for something else.
pub(crate) fn listing(targets: &Targets, method: &Method, path: &str) -> Option<Listing> {
    if method != Method::GET {
        return None;
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let (root, rest) = path.split_once("/models")?;
    let gemini = matches!(root, "/v1beta" | "/v1beta1");
    if !gemini && !matches!(root, "/v1" | "/openai/v1" | "/openai") {
        return None;
    }
    let shape = if gemini { for_gemini } else { for_others };
    let mut names = targets
        .models()
        .iter()
        .filter(|model| !gemini || matches!(model.dialect, Dialect::Gemini | Dialect::Any));
    if rest.is_empty() {
        let all: Vec<Value> = names.map(|model| shape(&model.name)).collect();
        return Some(Ok(list(&all, gemini).to_string()));
    }
    let name = rest.strip_prefix('/')?;
    let found = names.find(|model| model.name == name).map(|_| shape(name).to_string());
    Some(found.ok_or_else(|| {
        let message = format!(
            "The model {name:?} does not exist here; GET {root}/models lists those that do."
        );
        Refusal::new(Code::ModelNotFound, message).about("model")
    }))
}

fn list(all: &[Value], gemini: bool) -> Value {
    if gemini {
        return json!({ "models": all });
    }
    let id = |model: Option<&Value>| model.map_or(Value::Null, |model| model["id"].clone());
    let (first, last) = (id(all.first()), id(all.last()));
    json!({"object": "list", "data": all, "has_more": false, "first_id": first, "last_id": last})
}

/// What both OpenAI's and Anthropic's clients read.
fn for_others(name: &str) -> Value {
    json!({
        "id": name, "object": "model", "created": 0, "owned_by": "audit-layer",
        "type": "model", "display_name": name, "created_at": "1970-01-01T00:00:00Z",
    })
}

fn for_gemini(name: &str) -> Value {
    json!({
        "name": format!("models/{name}"), "displayName": name,
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"],
    })
}
