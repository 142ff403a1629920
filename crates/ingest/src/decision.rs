//! A decision as another system reports it: from its fields to our events.

use crate::context::{Body, Context, Head, Reported};
use crate::error::ItemError;
use crate::fields::Fields;
use crate::message::{Exchange, Message};
use event::{
    Component, Event, PolicyEvaluationComplete, RequestBlocked, RequestCompleted, RequestFailed,
    RequestReceived, RoutingSuccess, Timestamp, Usage, UsageOrigin,
};
use recorder::{PersonNames, Role};
use serde_json::value::RawValue;
use std::time::Duration;
use wire::CostState;

const OUTCOMES: &[&str] = &["ALLOW", "FLAG", "REDACT", "ESCALATE", "BLOCK"];
const ENDINGS: &[&str] = &["complete", "client_disconnected", "upstream_interrupted"];
const USAGE_ORIGINS: &[&str] = &["provider", "estimated", "reported", "unknown"];
/// Status of a reported call that says neither status nor error.
const OK: u16 = 200;
/// Status of a reported call that a policy stopped.
const FORBIDDEN: u16 = 403;
/// Code of a call that failed, where the sender says no other.
const FAILED: &str = "reported_error";
/// Persons that a call is about at most.
const SUBJECTS_MAX: usize = 8;

/// What a decision's fields say, beside its bodies.
struct Said {
    user_email: Option<String>,
    session_id: Option<String>,
    subjects: Option<Vec<String>>,
    request_type: String,
    provider: Option<String>,
    model: Option<String>,
    model_requested: Option<String>,
    status_code: Option<u16>,
    outcome: Option<String>,
    ending: Option<String>,
    finish_reason: Option<String>,
    error_code: Option<String>,
    error: Option<String>,
    latency_ms: Option<f64>,
    ttft_ms: Option<f64>,
    streamed: Option<bool>,
    usage: Option<Usage>,
    usage_origin: Option<String>,
    cost_usd: Option<String>,
    tools: Option<Vec<String>>,
    tool_calls: Option<Vec<String>>,
    violations: Option<Vec<String>>,
    data_classes: Option<Vec<String>>,
    prompt_preview: Option<String>,
    response_preview: Option<String>,
    upstream_request_id: Option<String>,
}

/// Reads a decision.
pub(crate) fn read(
    mut fields: Fields<'_>,
    head: &Head,
    context: &Context<'_>,
) -> Result<Reported, ItemError> {
    let user_id = fields.needed(&["user_id", "user"])?;
    let said = Said::read(&mut fields)?;
    let request = fields.raw("request");
    let request = message(&mut fields, request, "request")?;
    let response = fields.raw("response");
    let response = message(&mut fields, response, "response")?;
    let exchange = Exchange::read(request, response, said.provider.as_deref(), context)?;
    let names =
        PersonNames { user: Some(user_id), subjects: said.subjects.clone().unwrap_or_default() };
    let events = said.events(head, &names, &exchange, context);
    let mut bodies: Vec<Body> = Vec::new();
    bodies.extend(exchange.request.body.map(|bytes| (Role::ClientRequest, bytes)));
    bodies.extend(exchange.response.body.map(|bytes| (Role::ClientResponse, bytes)));
    Ok(Reported { names, events, bodies, reference: None, attributes: fields.others() })
}

/// A request or answer: as an object of its parts, or its body alone.
fn message(
    fields: &mut Fields<'_>,
    given: Option<&RawValue>,
    which: &'static str,
) -> Result<Message, ItemError> {
    let (path, body_name) = if which == "request" {
        ("request.", "request_body")
    } else {
        ("response.", "response_body")
    };
    let body = fields.raw(body_name);
    let mut message = match given {
        Some(raw) => Message::read(raw, path)?,
        None => Message::default(),
    };
    if let Some(raw) = body {
        if message.body.is_some() {
            return Err(ItemError::invalid(body_name, format!("{which} has a body, too")));
        }
        message.body = Some(Message::body_of(raw)?);
    }
    Ok(message)
}

// === impl Said ===

impl Said {
    fn read(fields: &mut Fields<'_>) -> Result<Self, ItemError> {
        let subjects = fields.list("subjects")?;
        if subjects.as_ref().is_some_and(|subjects| subjects.len() > SUBJECTS_MAX) {
            return Err(fields.wrong("subjects", format!("at most {SUBJECTS_MAX} persons")));
        }
        Ok(Self {
            user_email: fields.name(&["user_email"])?,
            session_id: fields.name(&["session_id", "session"])?,
            subjects,
            request_type: fields.needed(&["decision_type", "request_type"])?,
            provider: fields.name(&["provider"])?,
            model: fields.name(&["model"])?,
            model_requested: fields.name(&["model_requested"])?,
            status_code: fields.status("status_code")?,
            outcome: fields.word("outcome", OUTCOMES)?,
            ending: fields.word("ending", ENDINGS)?,
            finish_reason: fields.name(&["finish_reason"])?,
            error_code: fields.name(&["error_code"])?,
            error: fields.text(&["error"])?,
            latency_ms: fields.millis(&["latency_ms", "duration_ms"])?,
            ttft_ms: fields.millis(&["ttft_ms"])?,
            streamed: fields.flag(&["streamed", "stream"])?,
            usage: usage(fields)?,
            usage_origin: fields.word("usage_origin", USAGE_ORIGINS)?,
            cost_usd: fields.money(&["cost_usd", "estimated_cost"])?,
            tools: fields.list("tools")?,
            tool_calls: fields.list("tool_calls")?,
            violations: fields.list("violations")?,
            data_classes: fields.list("data_classes")?,
            prompt_preview: fields.text(&["prompt_preview", "prompt"])?,
            response_preview: fields.text(&["response_preview", "completion"])?,
            upstream_request_id: fields.name(&["upstream_request_id"])?,
        })
    }

    fn events(
        self,
        head: &Head,
        names: &PersonNames,
        exchange: &Exchange,
        context: &Context<'_>,
    ) -> Vec<Event> {
        let span = self.latency_ms.map_or(Duration::ZERO, |ms| Duration::from_secs_f64(ms / 1e3));
        let micros = i64::try_from(span.as_micros()).unwrap_or(0);
        let end = Timestamp::from_micros(head.timestamp.as_micros().saturating_add(micros));
        let event = |at, data| Event { timestamp: at, ..Event::new(Component::Sdk, at, data) };
        let mut events = Vec::with_capacity(4);
        let received = self.received(head, names, exchange, context);
        events.push(event(head.timestamp, event::EventData::from(received)));
        if self.violations.is_some() || self.data_classes.is_some() {
            let evaluated = PolicyEvaluationComplete {
                outcome: self.outcome.clone(),
                violations: self.violations.clone(),
                data_classes: self.data_classes.clone(),
                ..PolicyEvaluationComplete::default()
            };
            events.push(event(end, evaluated.into()));
        }
        if self.upstream_request_id.is_some() {
            let answered = RoutingSuccess {
                provider: self.provider.clone(),
                model: self.model.clone(),
                upstream_request_id: self.upstream_request_id.clone(),
                ..RoutingSuccess::default()
            };
            events.push(event(end, answered.into()));
        }
        events.push(event(end, self.end(exchange, context)));
        events
    }

    fn received(
        &self,
        head: &Head,
        names: &PersonNames,
        exchange: &Exchange,
        context: &Context<'_>,
    ) -> RequestReceived {
        let (message, facts) = (&exchange.request, &exchange.asked);
        let tools = (!facts.tools.is_empty()).then(|| facts.tools.clone());
        let preview = facts.prompt_preview.as_ref().or(self.prompt_preview.as_ref());
        let asked = facts.model.as_ref().or(self.model_requested.as_ref()).or(self.model.as_ref());
        let has_body = message.body.is_some();
        RequestReceived {
            source: Some(head.source.clone()),
            user_id: names.user.clone(),
            user_email: self.user_email.clone(),
            session_id: self.session_id.clone(),
            subjects: self.subjects.clone(),
            request_type: Some(self.request_type.clone()),
            method: message.method.clone(),
            path: message.path.clone(),
            query: wire::recorded_query(message.query.as_deref()),
            format: has_body.then(|| exchange.format.as_str().to_owned()),
            model: asked.cloned(),
            stream: if has_body { Some(facts.stream) } else { self.streamed },
            request_bytes: message.body.as_ref().map(|body| body.len() as u64),
            api_key_id: Some(context.sender.key_id.clone()),
            tools: tools.or_else(|| self.tools.clone()),
            prompt_preview: preview.map(|text| context.redact(text)),
            headers: message.headers.clone(),
            ..RequestReceived::default()
        }
    }

    fn end(self, exchange: &Exchange, context: &Context<'_>) -> event::EventData {
        let status = exchange.response.status_code.or(self.status_code);
        let has_answer = exchange.response.body.is_some() || self.usage.is_some();
        if self.outcome.as_deref() == Some("BLOCK") && !has_answer {
            return RequestBlocked {
                outcome: self.outcome,
                policy_ids: self.violations,
                status_code: Some(status.unwrap_or(FORBIDDEN)),
                latency_ms: self.latency_ms,
                ..RequestBlocked::default()
            }
            .into();
        }
        if (self.error.is_some() || self.error_code.is_some()) && !has_answer {
            return RequestFailed {
                status_code: status,
                code: Some(self.error_code.unwrap_or_else(|| FAILED.to_owned())),
                error: self.error,
                latency_ms: self.latency_ms,
                provider: self.provider,
                ..RequestFailed::default()
            }
            .into();
        }
        self.completed(status.unwrap_or(OK), exchange, context).into()
    }

    fn completed(
        self,
        status: u16,
        exchange: &Exchange,
        context: &Context<'_>,
    ) -> RequestCompleted {
        let read = exchange.answered.clone().unwrap_or_default();
        let model = read.model.or(self.model).or_else(|| exchange.asked.model.clone());
        let origin = match (&read.usage, &self.usage) {
            (Some(_), _) => UsageOrigin::Provider.as_str(),
            (None, Some(_)) => self.usage_origin.as_deref().unwrap_or("reported"),
            (None, None) => UsageOrigin::Unknown.as_str(),
        };
        let from_answer = read.usage.is_some();
        let usage = read.usage.or(self.usage);
        let kind = exchange.provider_kind(self.provider.as_deref());
        let ours = match (&usage, &model) {
            (Some(usage), Some(model)) => Some(context.reading.prices.cost(&kind, model, usage)),
            _ => None,
        };
        // What the provider's own usage costs is known better here than by the sender; otherwise
        // the sender is believed.
        let exact = ours.as_ref().is_some_and(|cost| cost.state == CostState::Exact);
        let said = self.cost_usd.filter(|_| !(from_answer && exact));
        let tool_calls = (!read.tool_calls.is_empty()).then_some(read.tool_calls);
        let preview = read.preview.or(self.response_preview);
        let priced = ours.is_some() && said.is_none();
        RequestCompleted {
            status_code: Some(status),
            latency_ms: self.latency_ms,
            ttft_ms: self.ttft_ms,
            provider: self.provider,
            model,
            usage_origin: Some(origin.to_owned()),
            cost_state: Some(match (&said, &ours) {
                (Some(_), _) => "reported".to_owned(),
                (None, Some(cost)) => cost.state.as_str().to_owned(),
                (None, None) => "no_usage".to_owned(),
            }),
            cost_usd: said.or_else(|| ours.and_then(|cost| cost.usd)),
            price_catalogue: priced.then(|| context.reading.prices.date().to_owned()),
            usage,
            finish_reason: read.finish_reason.or(self.finish_reason),
            tool_calls: tool_calls.or(self.tool_calls),
            response_bytes: exchange.response.body.as_ref().map(|body| body.len() as u64),
            content_type: exchange.response.content_type.clone(),
            outcome: Some(self.outcome.unwrap_or_else(|| "ALLOW".to_owned())),
            ending: Some(self.ending.unwrap_or_else(|| "complete".to_owned())),
            response_preview: preview.map(|text| context.redact(&text)),
            headers: exchange.response.headers.clone(),
            error: self.error,
            ..RequestCompleted::default()
        }
    }
}

/// Token counts: as fields of their own, or as the provider's usage object.
fn usage(fields: &mut Fields<'_>) -> Result<Option<Usage>, ItemError> {
    let provider = match fields.raw("usage") {
        None => None,
        Some(raw) => Some(
            serde_json::from_str::<serde_json::Value>(raw.get())
                .ok()
                .filter(serde_json::Value::is_object)
                .ok_or_else(|| fields.wrong("usage", "is not an object"))?,
        ),
    };
    let of = |names: &[&str]| {
        let provider = provider.as_ref()?;
        names.iter().find_map(|name| provider.get(name)?.as_u64())
    };
    let (input, output, total) = (
        of(&["input_tokens", "prompt_tokens"]),
        of(&["output_tokens", "completion_tokens"]),
        of(&["total_tokens"]),
    );
    let (cached, reasoning) = (of(&["cached_tokens"]), of(&["reasoning_tokens"]));
    let usage = Usage {
        input_tokens: fields.count(&["input_tokens", "prompt_tokens"])?.or(input),
        output_tokens: fields.count(&["output_tokens", "completion_tokens"])?.or(output),
        total_tokens: fields.count(&["total_tokens", "tokens_used"])?.or(total),
        cached_tokens: fields.count(&["cached_tokens"])?.or(cached),
        cache_write_tokens: fields.count(&["cache_write_tokens"])?,
        reasoning_tokens: fields.count(&["reasoning_tokens"])?.or(reasoning),
        provider,
    };
    let sum = usage.input_tokens.zip(usage.output_tokens).and_then(|(a, b)| a.checked_add(b));
    let usage = Usage { total_tokens: usage.total_tokens.or(sum), ..usage };
    Ok((usage != Usage::default()).then_some(usage))
}
