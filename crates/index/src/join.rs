//! How records become rows: the fold of a decision, and what an event's row shows of it. Every
//! backend and the verifier use these, so that the same record gives the same rows everywhere.

use crate::ProjectedRecord;
use event::{Class, Decision, Event, EventData, Origin, Usage};
use std::borrow::Cow;

/// Every class: the index shows open and sealed fields together.
const ALL_CLASSES: &[Class] =
    &[Class::Open, Class::User, Class::Content, Class::Subject, Class::Staff];

/// Folds records into decisions.
#[derive(Debug, Clone, Copy)]
pub struct Fold;

impl Fold {
    /// Whether a record begins a decision where none is known. Administration of the product
    /// (sign-ins, erasures, heartbeats) is events without a decision; administration of a call
    /// (a review) belongs to the call's.
    pub fn begins(record: &ProjectedRecord) -> bool {
        record.origin != Origin::Control
    }

    /// The decision before its first record.
    pub fn start(record: &ProjectedRecord) -> Decision {
        let timestamp = record.events.first().map_or(record.ts, |event| event.timestamp);
        Decision::new(
            record.decision_id,
            timestamp,
            record.trace_id,
            record.request_id.clone(),
            record.origin,
        )
    }

    /// Takes a record into its decision. What others report changes nothing of what was seen
    /// here, but for whether it stood.
    pub fn apply(decision: &mut Decision, record: &ProjectedRecord) {
        let foreign = record.origin == Origin::Reported && decision.origin != Origin::Reported;
        for event in &record.events {
            if foreign && !matches!(event.data, EventData::OutcomeRecorded(_)) {
                continue;
            }
            decision.apply(event);
        }
    }
}

/// Appends an event's `event_data`: its own fields, and the decision's `source`, `user_id` and
/// (once the call has ended) `outcome` where it has none of that name itself. `decision` is the
/// fold up to and with the event's own record: rows are written once, so earlier ones keep what
/// was known then. Long fields that nobody filters by are left out: an index holds less than a
/// record, which has them (the decision in detail shows them).
pub fn write_event_data(event: &Event, decision: Option<&Decision>, out: &mut Vec<u8>) {
    let mut any = short(&event.data).write(ALL_CLASSES, out);
    let Some(decision) = decision else { return };
    let own = Own::of(&event.data);
    out.pop();
    let mut add = |name: &str, value: Option<&str>| {
        let Some(value) = value else { return };
        if any {
            out.push(b',');
        }
        any = true;
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        // Writing a string into memory cannot fail.
        let _written = serde_json::to_writer(&mut *out, value);
    };
    if !own.source {
        add("source", decision.source.as_deref());
    }
    if !own.user_id {
        add("user_id", decision.user_id.as_deref());
    }
    if !own.outcome && decision.settled() {
        add("outcome", decision.outcome.as_deref());
    }
    out.push(b'}');
}

/// The fields that are indexed.
fn short(data: &EventData) -> Cow<'_, EventData> {
    let mut data = Cow::Borrowed(data);
    match &*data {
        EventData::RequestReceived(_)
        | EventData::RequestCompleted(_)
        | EventData::ResponseBlocked(_)
        | EventData::PolicyEvaluationComplete(_) => {}
        _ => return data,
    }
    match data.to_mut() {
        EventData::RequestReceived(data) => {
            data.headers = None;
            // It is the decision's own.
            data.prompt_preview = None;
        }
        EventData::RequestCompleted(data) => {
            data.headers = None;
            data.response_preview = None;
            shorten(&mut data.usage);
        }
        EventData::ResponseBlocked(data) => shorten(&mut data.usage),
        EventData::PolicyEvaluationComplete(data) => data.context = None,
        _ => {}
    }
    data
}

/// Leaves the provider's own form out.
fn shorten(usage: &mut Option<Usage>) {
    if let Some(usage) = usage {
        usage.provider = None;
    }
}

/// Which of the joined fields an event states itself.
#[derive(Default)]
struct Own {
    source: bool,
    user_id: bool,
    outcome: bool,
}

impl Own {
    fn of(data: &EventData) -> Self {
        let outcome = match data {
            EventData::RequestReceived(data) => {
                return Self {
                    source: data.source.is_some(),
                    user_id: data.user_id.is_some(),
                    outcome: false,
                };
            }
            EventData::PolicyEvaluated(data) => data.outcome.is_some(),
            EventData::PolicyEvaluationComplete(data) => data.outcome.is_some(),
            EventData::RequestBlocked(data) => data.outcome.is_some(),
            EventData::ResponseBlocked(data) => data.outcome.is_some(),
            EventData::RequestEscalated(data) => data.outcome.is_some(),
            EventData::ResponseEscalated(data) => data.outcome.is_some(),
            EventData::RequestCompleted(data) => data.outcome.is_some(),
            _ => false,
        };
        Self { outcome, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event::{Component, EventType, Timestamp};
    use serde_json::Value;

    fn decision() -> Decision {
        let id = uuid::Uuid::from_u128(1);
        let mut decision =
            Decision::new(id, Timestamp::default(), id, "r".to_owned(), Origin::Observed);
        decision.source = Some("fold-source".to_owned());
        decision.user_id = Some("fold-\"user".to_owned());
        decision.outcome = Some("FOLD".to_owned());
        decision.status_code = Some(200);
        decision
    }

    #[test]
    fn each_type_shows_each_joined_name_once() {
        for event_type in EventType::ALL {
            let empty = EventData::read(*event_type, "{}").unwrap();
            let mut data = EventData::from_examples(*event_type).unwrap_or_else(|_| empty.clone());
            if let EventData::PolicyEvaluationComplete(data) = &mut data {
                // It has these names, too, one level deeper.
                data.context = None;
            }
            for (data, whole) in [(data, true), (empty, false)] {
                let own = data.to_json().unwrap();
                let event = Event::new(Component::Gateway, Timestamp::default(), data);
                let mut out = Vec::new();
                write_event_data(&event, Some(&decision()), &mut out);
                let text = String::from_utf8(out).unwrap();
                let joined: Value = serde_json::from_str(&text).unwrap();
                for (name, folded) in
                    [("source", "fold-source"), ("user_id", "fold-\"user"), ("outcome", "FOLD")]
                {
                    let key = format!("\"{name}\":");
                    assert_eq!(text.matches(&key).count(), 1, "{event_type} {name}: {text}");
                    let expected = own.get(name).and_then(Value::as_str).unwrap_or(folded);
                    assert_eq!(joined[name], expected, "{event_type} {name} (examples: {whole})");
                }
            }
        }
    }

    #[test]
    fn long_fields_are_left_out_and_the_others_stay() {
        let long = ["headers", "prompt_preview", "response_preview", "context"];
        for event_type in EventType::ALL {
            let Ok(data) = EventData::from_examples(*event_type) else { continue };
            let mut own = data.to_json().unwrap();
            let event = Event::new(Component::Gateway, Timestamp::default(), data);
            let mut out = Vec::new();
            write_event_data(&event, None, &mut out);
            let indexed: Value = serde_json::from_slice(&out).unwrap();
            own.as_object_mut().unwrap().retain(|name, _| !long.contains(&name.as_str()));
            assert_eq!(indexed, own, "{event_type}");
        }
    }

    #[test]
    fn a_running_call_shows_no_outcome() {
        let mut running = decision();
        running.status_code = None;
        let event = Event::new(
            Component::ModelRouter,
            Timestamp::default(),
            EventData::read(EventType::RoutingStart, "{}").unwrap(),
        );
        let mut out = Vec::new();
        write_event_data(&event, Some(&running), &mut out);
        let joined: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(joined.get("outcome"), None);
        assert_eq!(joined["source"], "fold-source");
    }
}
