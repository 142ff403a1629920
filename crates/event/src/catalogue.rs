//! The catalogue of events: every field with its type, its class and an example. `LOGGING.md`
//! is tested against it.

use crate::macros::events;
use crate::{Class, EventType, Headers, Usage};
use serde::Serialize;
use serde_json::Value;

/// One field of an event type.
#[derive(Debug, Clone, Copy)]
pub struct FieldSpec {
    /// Key in `event_data`.
    pub name: &'static str,
    /// Who it is about, and so whether and how it is sealed.
    pub class: Class,
    /// What it holds.
    pub about: &'static str,
    /// A JSON value as an example.
    pub example: &'static str,
}

/// One event type with its fields.
#[derive(Debug, Clone, Copy)]
pub struct Catalogued {
    /// The type.
    pub event_type: EventType,
    /// What it states.
    pub about: &'static str,
    /// Its fields.
    pub fields: &'static [FieldSpec],
}

/// Appends a field behind its name, which comes as it is written: `,"name":`.
fn write_field<T: Serialize>(name: &str, value: &T, comma: bool, out: &mut Vec<u8>) {
    let name = name.as_bytes();
    out.extend_from_slice(if comma { name } else { name.get(1..).unwrap_or_default() });
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

events! {
    /// A request arrived at the gateway.
    RequestReceived {
        /// The calling application (`x-llm-source`).
        source: String, Open, "finance-app";
        /// The end user (`x-llm-user`).
        user_id: String, User, "u-42";
        /// The end user's e-mail address (`x-llm-user-email`).
        user_email: String, User, "u42@example.com";
        /// The caller's network address.
        client_address: String, User, "192.0.2.7";
        /// The session (`x-llm-session`).
        session_id: String, User, "s-2026-11-21-7";
        /// The persons the call is about (`x-llm-subject`), where not the user.
        subjects: Vec<String>, Subject, ["patient-1093"];
        /// The logical action (`x-llm-request-type`).
        request_type: String, Open, "summarise";
        /// HTTP method.
        method: String, Open, "POST";
        /// Path, without the base path and the query.
        path: String, Open, "/v1/chat/completions";
        /// Query string, credentials removed.
        query: String, Content, "api-version=2024-10-21";
        /// Wire format: `openai_chat`, `openai_completions`, `openai_embeddings`, `openai_responses`, `anthropic_messages`, `anthropic_count_tokens`, `gemini`, `bedrock_converse`, `generic`.
        format: String, Open, "openai_chat";
        /// The model asked for.
        model: String, Open, "gpt-4o";
        /// Whether a streamed answer was asked for.
        stream: bool, Open, true;
        /// Size of the request's body.
        request_bytes: u64, Open, 812;
        /// Identifier of the caller's key.
        api_key_id: String, Open, "key_0191e4c2";
        /// Names of the tools offered to the model.
        tools: Vec<String>, Open, ["lookup_account"];
        /// Redacted beginning of the prompt.
        prompt_preview: String, Content, "Summarise the complaint of <EMAIL_1>";
        /// Request headers, credentials masked, as name and value pairs.
        headers: Headers, User, [["content-type", "application/json"]];
    }
    /// A request was refused at admission and never went further.
    RequestRejected {
        /// Status that the caller got.
        status_code: u16, Open, 400;
        /// Error code of the contract.
        code: String, Open, "missing_header";
        /// The error's text.
        error: String, Content, "The header x-llm-user is missing.";
        /// How many refusals this record stands for, where they were merged.
        count: u64, Open, 1;
        /// Time from arrival to refusal.
        latency_ms: f64, Open, 0.2;
    }
    /// Policies began to be evaluated.
    PolicyEvaluationStart {
        /// `request` or `response`.
        stage: String, Open, "request";
        /// Hash of the policies.
        bundle: String, Open, "sha256:9f2c";
    }
    /// One policy was evaluated.
    PolicyEvaluated {
        /// `request` or `response`.
        stage: String, Open, "request";
        /// The policy's id.
        policy_id: String, Open, "pii-allow-list";
        /// What it decided.
        outcome: String, Open, "REDACT";
        /// Its severity.
        severity: String, Open, "high";
        /// Its message.
        message: String, Open, "Personal data may not leave the allow-list.";
        /// `enforce` or `shadow`.
        mode: String, Open, "enforce";
        /// Whether it matched.
        matched: bool, Open, true;
    }
    /// All policies of a stage were evaluated.
    PolicyEvaluationComplete {
        /// `request` or `response`.
        stage: String, Open, "request";
        /// The strongest outcome.
        outcome: String, Open, "ALLOW";
        /// What was done, where it is less than `outcome`: `FLAG` for a streamed answer that was observed, because it had gone out when it was judged.
        applied: String, Open, "FLAG";
        /// Ids of the violated policies.
        violations: Vec<String>, Open, ["pii-allow-list"];
        /// How many policies were evaluated.
        evaluated: u64, Open, 12;
        /// Hash of the policies.
        bundle: String, Open, "sha256:9f2c";
        /// Classes of data that detectors found.
        data_classes: Vec<String>, Open, ["pii"];
        /// How long it took.
        duration_us: u64, Open, 85;
        /// What the policies saw of the call; other policies can be tried on it later.
        context: Value, Content, {"at": 1772620200000000, "model": "gpt-4o", "source": "finance-app", "user": "u-42"};
    }
    /// A policy blocked the request.
    RequestBlocked {
        /// The outcome.
        outcome: String, Open, "BLOCK";
        /// The policies.
        policy_ids: Vec<String>, Open, ["secrets"];
        /// The review, where one led here.
        review_id: String, Open, "rev_0191e4c2";
        /// Status that the caller got.
        status_code: u16, Open, 403;
        /// Time from arrival to the answer.
        latency_ms: f64, Open, 1.4;
    }
    /// A policy blocked the answer.
    ResponseBlocked {
        /// The outcome.
        outcome: String, Open, "BLOCK";
        /// The policies.
        policy_ids: Vec<String>, Open, ["health-data"];
        /// The review, where one led here.
        review_id: String, Open, "rev_0191e4c2";
        /// Status that the caller got.
        status_code: u16, Open, 403;
        /// Time from arrival to the answer.
        latency_ms: f64, Open, 412.0;
        /// The provider that answered.
        provider: String, Open, "openai";
        /// The model that answered, as the provider names it.
        model: String, Open, "gpt-4o-2024-08-06";
        /// Token counts.
        usage: Usage, Open, {"input_tokens": 19, "output_tokens": 10, "total_tokens": 29};
        /// `provider`, `estimated` or `unknown`.
        usage_origin: String, Open, "provider";
        /// Cost as an exact decimal; absent where unknown.
        cost_usd: String, Open, "0.0001475";
        /// As in `request_completed`.
        cost_state: String, Open, "exact";
        /// Date of the price catalogue.
        price_catalogue: String, Open, "2026-11-01";
        /// Why the model stopped.
        finish_reason: String, Open, "stop";
        /// Size of the answer's body as received.
        response_bytes: u64, Open, 1204;
    }
    /// A policy sent the request to a person.
    RequestEscalated {
        /// The outcome.
        outcome: String, Open, "ESCALATE";
        /// The policies.
        policy_ids: Vec<String>, Open, ["large-loan"];
        /// The review.
        review_id: String, Open, "rev_0191e4c2";
    }
    /// A policy sent the answer to a person.
    ResponseEscalated {
        /// The outcome.
        outcome: String, Open, "ESCALATE";
        /// The policies.
        policy_ids: Vec<String>, Open, ["large-loan"];
        /// The review.
        review_id: String, Open, "rev_0191e4c2";
        /// The provider that answered.
        provider: String, Open, "openai";
        /// The model that answered, as the provider names it.
        model: String, Open, "gpt-4o-2024-08-06";
        /// Token counts.
        usage: Usage, Open, {"input_tokens": 19, "output_tokens": 10, "total_tokens": 29};
        /// `provider`, `estimated` or `unknown`.
        usage_origin: String, Open, "provider";
        /// Cost as an exact decimal; absent where unknown.
        cost_usd: String, Open, "0.0001475";
        /// As in `request_completed`.
        cost_state: String, Open, "exact";
        /// Date of the price catalogue.
        price_catalogue: String, Open, "2026-11-01";
        /// Why the model stopped.
        finish_reason: String, Open, "stop";
        /// Size of the answer's body as received.
        response_bytes: u64, Open, 1204;
    }
    /// A review was opened.
    ReviewCreated {
        /// The review.
        review_id: String, Open, "rev_0191e4c2";
        /// `request` or `response`.
        stage: String, Open, "request";
        /// How many persons must approve.
        reviewers_needed: u64, Open, 1;
        /// From when on nobody can decide any more.
        expires_at: String, Open, "2026-11-22T03:04:05.000006Z";
    }
    /// A review was approved.
    ReviewApproved {
        /// The review.
        review_id: String, Open, "rev_0191e4c2";
        /// `request` or `response`.
        stage: String, Open, "request";
        /// Who approved.
        reviewer: String, Staff, "alice";
        /// Why.
        rationale: String, Staff, "Amount checked against the file.";
        /// How long it was held.
        waited_ms: u64, Open, 48211;
    }
    /// A review was rejected.
    ReviewRejected {
        /// The review.
        review_id: String, Open, "rev_0191e4c2";
        /// `request` or `response`.
        stage: String, Open, "request";
        /// Who rejected.
        reviewer: String, Staff, "alice";
        /// Why.
        rationale: String, Staff, "No mandate on file.";
        /// How long it was held.
        waited_ms: u64, Open, 48211;
    }
    /// A review was not answered in time.
    ReviewExpired {
        /// The review.
        review_id: String, Open, "rev_0191e4c2";
        /// `request` or `response`.
        stage: String, Open, "request";
        /// How long it was held.
        waited_ms: u64, Open, 86400000;
    }
    /// A target is being chosen.
    RoutingStart {
        /// The model asked for.
        model: String, Open, "gpt-4o";
        /// `single`, `priority`, `weighted` or `least-latency`.
        strategy: String, Open, "single";
        /// The targets, best first, as `provider/model`.
        candidates: Vec<String>, Open, ["openai/gpt-4o"];
    }
    /// An attempt at a target failed.
    RoutingFailed {
        /// The target's provider.
        provider: String, Open, "openai";
        /// The target's model.
        model: String, Open, "gpt-4o";
        /// Number of the attempt, from 1.
        attempt: u32, Open, 1;
        /// Status that the provider answered, where it did.
        status_code: u16, Open, 503;
        /// `connect`, `timeout`, `status`, `protocol`; `circuit_open` and `busy` where the target was passed over.
        error_kind: String, Open, "connect";
        /// The error's text.
        error: String, Content, "connection refused";
        /// Time that the attempt took.
        latency_ms: f64, Open, 12.5;
        /// Whether another attempt follows.
        will_retry: bool, Open, false;
        /// The next attempt's target.
        next_target: String, Open, "azure/gpt-4o";
        /// The provider's own id of the request.
        upstream_request_id: String, Open, "req_9a3";
    }
    /// A target answered.
    RoutingSuccess {
        /// The target's provider.
        provider: String, Open, "openai";
        /// The target's model.
        model: String, Open, "gpt-4o";
        /// Number of the attempt, from 1.
        attempt: u32, Open, 1;
        /// Status that the provider answered.
        status_code: u16, Open, 200;
        /// Time to the answer's head.
        latency_ms: f64, Open, 310.2;
        /// The target that failed before, where one did.
        fallback_from: String, Open, "azure/gpt-4o";
        /// The provider's own id of the request.
        upstream_request_id: String, Open, "req_9a3";
    }
    /// The call ended with an answer.
    RequestCompleted {
        /// Status that the caller got.
        status_code: u16, Open, 200;
        /// Time from arrival to the end of the answer, without `held_ms`.
        latency_ms: f64, Open, 812.4;
        /// Time that the call was held for persons.
        held_ms: u64, Open, 48211;
        /// Time from arrival to the answer's first byte.
        ttft_ms: f64, Open, 320.9;
        /// Time that was ours and not the provider's.
        overhead_ms: f64, Open, 0.6;
        /// The provider that answered.
        provider: String, Open, "openai";
        /// The model that answered, as the provider names it.
        model: String, Open, "gpt-4o-2024-08-06";
        /// Token counts.
        usage: Usage, Open, {"input_tokens": 19, "output_tokens": 10, "total_tokens": 29};
        /// `provider`, `estimated`, `reported` (the sender of a report says so) or `unknown`.
        usage_origin: String, Open, "provider";
        /// Cost as an exact decimal; absent where unknown.
        cost_usd: String, Open, "0.0001475";
        /// `exact`, `missing` (the model is in no catalogue), `unpriced` (it is, without a price), `no_usage` or `reported` (the sender of a report says so).
        cost_state: String, Open, "exact";
        /// Date of the price catalogue.
        price_catalogue: String, Open, "2026-11-01";
        /// Why the model stopped.
        finish_reason: String, Open, "stop";
        /// Names of the tools that the model called.
        tool_calls: Vec<String>, Open, ["lookup_account"];
        /// Size of the answer's body as received.
        response_bytes: u64, Open, 1204;
        /// Bytes of the answer's body that were passed to the caller.
        bytes_delivered: u64, Open, 1204;
        /// Media type of the answer.
        content_type: String, Open, "application/json";
        /// What policies decided: `ALLOW`, `FLAG`, `REDACT`, `ESCALATE`.
        outcome: String, Open, "ALLOW";
        /// `complete`, `client_disconnected` or `upstream_interrupted`.
        ending: String, Open, "complete";
        /// Redacted beginning of the answer.
        response_preview: String, Content, "The customer asks for a refund.";
        /// Answer headers, credentials masked, as name and value pairs.
        headers: Headers, Content, [["content-type", "application/json"]];
        /// What went wrong in reading the answer, where something did.
        error: String, Content, "connection reset";
    }
    /// The call ended without an answer from a provider.
    RequestFailed {
        /// Status that the caller got.
        status_code: u16, Open, 502;
        /// Error code of the contract, or `interrupted`.
        code: String, Open, "upstream_error";
        /// The error's text.
        error: String, Content, "connection refused";
        /// Time from arrival to the answer.
        latency_ms: f64, Open, 3.1;
        /// The provider that was tried last.
        provider: String, Open, "openai";
        /// Bytes of the answer that a crash left behind.
        response_bytes: u64, Open, 0;
    }
    /// The answer was whole here and did not reach the caller.
    DeliveryFailed {
        /// Bytes that were passed on.
        bytes_delivered: u64, Open, 512;
    }
    /// Another system reported the events that stand beside this one. They are its words; this
    /// event says who sent them, and when they arrived.
    ReportReceived {
        /// `decision` or `event`: what was reported.
        kind: String, Open, "decision";
        /// The sender: the id of its key, or of the first of the keys that were rotated into it.
        sender: String, Open, "key_0191e4c2";
        /// Identifier of the key that was used.
        api_key_id: String, Open, "key_0191e4c2";
        /// The sender's id of what it reported.
        item_id: String, Open, "01JD3V0Q7M";
        /// The sender's name of the decision that an event belongs to.
        decision_ref: String, Open, "call-7";
        /// When it arrived, by our clock.
        received_at: String, Open, "2026-11-21T03:04:05.000006Z";
        /// When the reported call or event happened, by the sender's clock.
        reported_at: String, Open, "2026-11-21T03:04:04.000006Z";
        /// When it was sent, by the sender's clock, where the sender says.
        sent_at: String, Open, "2026-11-21T03:04:04.900006Z";
        /// Arrival minus the time of sending (of the event, where no time of sending is given), in milliseconds. Negative where the sender's clock is ahead.
        clock_skew_ms: i64, Open, 100;
        /// Whether the sender gave a hash of its report, and it was right.
        hash_checked: bool, Open, true;
        /// SHA-256 of the report in canonical form, without `hash` and `sent_at`.
        content_sha256: String, Content, "9f2c";
        /// The sender's network address.
        sender_address: String, User, "192.0.2.7";
        /// The sender's program, as it names itself.
        user_agent: String, User, "billing-service/4.2";
        /// Fields of the report that have no name here, as they came.
        attributes: Value, Content, {"prompt_version": "v7"};
    }
    /// Somebody said whether the decision stood. Several may follow each other; the last counts.
    OutcomeRecorded {
        /// `upheld`, `overridden` or `appealed` (then it is open again).
        verdict: String, Open, "overridden";
        /// Why.
        reason: String, Staff, "The customer proved the income.";
        /// Who decided so.
        decided_by: String, Staff, "alice";
        /// Identifier of the key, where a program reported it.
        api_key_id: String, Open, "key_0191e4c2";
        /// When it was decided, where that was earlier.
        decided_at: String, Open, "2026-11-21T03:04:05.000006Z";
    }
    /// Somebody marked the decision for an incident, or took the mark away.
    DecisionFlagged {
        /// Whether it is marked from now on.
        flagged: bool, Open, true;
        /// The incident.
        incident: String, Open, "INC-2041";
        /// Why.
        note: String, Staff, "Answer names another customer.";
        /// Who marked it.
        flagged_by: String, Staff, "alice";
    }
    /// Somebody signed in, read, searched, revealed or exported.
    Access {
        /// What was done: `login`, `refresh`, `logout`, `list`, `search`, `show`, `reveal`, `proof`, `sql`, `export`, `keys_create`, `users_change`, … (`docs/roles.md` lists them).
        action: String, Open, "show";
        /// What came of it: `ok`, `denied`, `failed`, and `begun` before what cannot be taken back.
        result: String, Open, "ok";
        /// Role of who did it.
        role: String, Open, "admin";
        /// Who did it.
        actor: String, Staff, "admin";
        /// From where: a network address, or `control-socket`.
        client_address: String, Staff, "192.0.2.9";
        /// The decision, trace, session, person or key that it was about.
        target: String, Staff, "0191e4c2-7f00-7000-8000-000000000000";
        /// The filter or query.
        filter: String, Staff, "source=finance-app";
        /// How many records were shown.
        records: u64, Open, 50;
        /// The purpose given for a reveal.
        purpose: String, Staff, "complaint 4711";
    }
    /// An erasure was asked for.
    ErasureRequested {
        /// Identifier of the erasure.
        erasure_id: String, Open, "era_0191e4c2";
        /// Who asked.
        actor: String, Staff, "admin";
    }
    /// An erasure waits for a hold to end.
    ErasureDeferred {
        /// Identifier of the erasure.
        erasure_id: String, Open, "era_0191e4c2";
        /// Legal basis of the hold.
        basis: String, Open, "litigation hold";
        /// End of the hold.
        until: String, Open, "2027-05-01T00:00:00Z";
    }
    /// An erasure was carried out.
    ErasureCompleted {
        /// Identifier of the erasure.
        erasure_id: String, Open, "era_0191e4c2";
        /// Identifiers of the destroyed keys.
        key_ids: Vec<String>, Staff, ["6f0c"];
    }
    /// Bodies were removed by retention.
    RetentionApplied {
        /// The policy.
        policy: String, Open, "bodies-90-days";
        /// How many records lost their bodies.
        records: u64, Open, 10412;
        /// First sequence number concerned.
        from_seq: u64, Open, 0;
        /// Last sequence number concerned.
        to_seq: u64, Open, 10411;
    }
    /// Calls went through without records.
    RecordingGap {
        /// `write_failed`, or `unclean` where not even the count is known.
        reason: String, Open, "write_failed";
        /// How many calls; absent where unknown.
        count: u64, Open, 17;
        /// When it began.
        from: String, Open, "2026-11-21T03:04:05.000006Z";
        /// When it ended.
        to: String, Open, "2026-11-21T03:09:05.000006Z";
    }
    /// A configuration was loaded.
    ConfigLoaded {
        /// Version of the product.
        version: String, Open, "0.1.0";
        /// SHA-256 of the effective configuration, secrets left out.
        fingerprint: String, Open, "sha256:77ab";
        /// What was loaded: `configuration` or `policies`.
        kind: String, Open, "configuration";
        /// The error, where the load was refused.
        error: String, Staff, "unknown key";
    }
    /// The writer is alive.
    Heartbeat {
        /// Requests that were open.
        open_requests: u64, Open, 3;
    }
    /// A new epoch began, because continuity with the last could not be proved.
    EpochStarted {
        /// Why: `first`, `restored` or `lost`.
        reason: String, Open, "restored";
        /// The last known checkpoint.
        checkpoint: String, Open, "audit.local/default/w1/1\\n5\\n…";
    }
    /// The clock jumped.
    ClockAnomaly {
        /// By how much, in microseconds, negative where it went back.
        jump_us: i64, Open, (-86400000000);
    }
}

impl EventData {
    /// The names of the persons that the call is about, where it states them.
    pub fn subjects(&self) -> &[String] {
        match self {
            Self::RequestReceived(data) => data.subjects.as_deref().unwrap_or_default(),
            _ => &[],
        }
    }

    /// Adds a person that the call is about.
    pub fn add_subjects(&mut self, names: Vec<String>) {
        if let Self::RequestReceived(data) = self
            && !names.is_empty()
        {
            data.subjects.get_or_insert_default().extend(names);
        }
    }

    /// All fields as typed JSON, for tests that walk the catalogue.
    ///
    /// # Errors
    /// Where an example does not fit its field's type.
    pub fn from_examples(event_type: EventType) -> Result<Self, serde_json::Error> {
        let mut object = serde_json::Map::new();
        for entry in catalogue().iter().filter(|entry| entry.event_type == event_type) {
            for field in entry.fields {
                // A negative number stands in parentheses: macros take it as one token only there.
                let text = field.example.trim_start_matches('(').trim_end_matches(')');
                object.insert(field.name.to_owned(), serde_json::from_str::<Value>(text)?);
            }
        }
        Self::read(event_type, &serde_json::to_string(&object)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_fits_its_field_and_every_field_is_written_once() {
        for event_type in EventType::ALL {
            let data = EventData::from_examples(*event_type).unwrap();
            let mut written = 0;
            for class in Class::ALL {
                let mut out = Vec::new();
                data.write(&[*class], &mut out);
                let object: serde_json::Map<String, Value> = serde_json::from_slice(&out).unwrap();
                written += object.len();
            }
            let fields = catalogue().iter().find(|entry| entry.event_type == *event_type).unwrap();
            assert_eq!(written, fields.fields.len(), "{event_type}");
            let read = EventData::read(*event_type, &data.to_json().unwrap().to_string());
            assert_eq!(read.unwrap(), data);
        }
    }

    #[test]
    fn what_is_checked_is_what_could_be_read() {
        let strange = [
            "null",
            "true",
            "7",
            "-7",
            "70000",
            "1e3",
            "0.5",
            "\"\\u00e9\"",
            "\"\\ud800\"",
            "[]",
            "[1]",
            "[\"a\"]",
            "[[\"a\",\"b\"]]",
            "[[\"a\"]]",
            "{}",
            "{\"input_tokens\":1}",
            "{\"input_tokens\":\"1\"}",
            "{\"provider\":[1,{}]}",
            "{\"provider\":[1,}",
            "{\"a\":1e400}",
            "{\"a\":1,\"a\":[-1,null,false]}",
            "[",
            "",
        ];
        let (mut good, mut bad) = (0, 0);
        for entry in catalogue() {
            for field in entry.fields {
                for value in strange.into_iter().chain([field.example]) {
                    let name = field.name;
                    for json in [
                        format!("{{\"{name}\":{value}}}"),
                        format!("{{\"{name}\":{value},\"{name}\":{value}}}"),
                        format!("{{\"other\":{value}}}"),
                        format!("[{value}]"),
                    ] {
                        let read = EventData::read(entry.event_type, &json);
                        let checked = EventData::check(entry.event_type, &json);
                        assert_eq!(read.is_ok(), checked.is_ok(), "{} {json}", entry.event_type);
                        *(if read.is_ok() { &mut good } else { &mut bad }) += 1;
                    }
                }
            }
        }
        assert!(good > 1_000 && bad > 1_000, "{good} good, {bad} bad");
    }
}
