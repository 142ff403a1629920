//! One event as another system reports it (seed 4's shape): checked against the catalogue.

use crate::context::{Head, Reported};
use crate::error::ItemError;
use crate::fields::Fields;
use event::{Component, Event, EventData, EventType, Timestamp, catalogue};
use recorder::PersonNames;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Characters of a decision's name at most.
const REFERENCE_CHARS_MAX: usize = 128;

/// What happens in a call; the rest is this product's own administration.
const OF_CALLS: &[EventType] = &[
    EventType::RequestReceived,
    EventType::RequestRejected,
    EventType::PolicyEvaluationStart,
    EventType::PolicyEvaluated,
    EventType::PolicyEvaluationComplete,
    EventType::RequestBlocked,
    EventType::ResponseBlocked,
    EventType::RequestEscalated,
    EventType::ResponseEscalated,
    EventType::ReviewCreated,
    EventType::ReviewApproved,
    EventType::ReviewRejected,
    EventType::ReviewExpired,
    EventType::RoutingStart,
    EventType::RoutingFailed,
    EventType::RoutingSuccess,
    EventType::RequestCompleted,
    EventType::RequestFailed,
    EventType::DeliveryFailed,
];

/// Reads an event.
pub(crate) fn read(
    mut fields: Fields<'_>,
    head: &Head,
    request_id: Option<&str>,
) -> Result<Reported, ItemError> {
    let name = fields.needed(&["event_type"])?;
    let event_type = name.parse().ok().filter(|known| OF_CALLS.contains(known));
    let event_type: EventType = event_type.ok_or_else(|| {
        let allowed: Vec<&str> = OF_CALLS.iter().map(|known| known.as_str()).collect();
        fields.wrong("event_type", format!("{name:?} is none of {}", allowed.join(", ")))
    })?;
    let reference = fields.short(&["decision_id"], REFERENCE_CHARS_MAX)?;
    let user = fields.name(&["user_id", "user"])?;
    let mut data = data(&mut fields, event_type)?;
    let mut names = PersonNames { user, subjects: Vec::new() };
    if let EventData::RequestReceived(received) = &mut data {
        if !head.source.is_empty() {
            received.source = Some(head.source.clone());
        }
        received.user_id = received.user_id.take().or_else(|| names.user.clone());
        names.user.clone_from(&received.user_id);
        names.subjects.clone_from(&received.subjects.clone().unwrap_or_default());
    }
    let reference = reference.or_else(|| request_id.map(str::to_owned));
    let at: Timestamp = head.timestamp;
    let events = vec![Event::new(Component::Sdk, at, data)];
    // `component` is among the others: what it was over there; here it is the sender's.
    Ok(Reported { names, events, bodies: Vec::new(), reference, attributes: fields.others() })
}

fn data(fields: &mut Fields<'_>, event_type: EventType) -> Result<EventData, ItemError> {
    let raw: Option<&RawValue> = fields.raw("event_data");
    let json = raw.map_or("{}", RawValue::get);
    let wrong = |name: &str, what: String| ItemError::invalid(format!("event_data{name}"), what);
    let given: BTreeMap<String, &RawValue> =
        serde_json::from_str(json).map_err(|_| wrong("", "is not an object".to_owned()))?;
    let known = catalogue().iter().find(|entry| entry.event_type == event_type);
    let known = known.map(|entry| entry.fields).unwrap_or_default();
    for (name, value) in given {
        if !known.iter().any(|field| field.name == name) {
            let allowed: Vec<&str> = known.iter().map(|field| field.name).collect();
            let what = format!("is no field of {event_type}; allowed: {}", allowed.join(", "));
            return Err(wrong(&format!(".{name}"), what));
        }
        // One by one, so that the error names the field.
        let mut one = serde_json::Map::new();
        let parsed = serde_json::from_str(value.get()).unwrap_or_default();
        one.insert(name.clone(), parsed);
        let text = serde_json::Value::Object(one).to_string();
        if let Err(error) = EventData::read(event_type, &text) {
            return Err(wrong(&format!(".{name}"), error.to_string()));
        }
    }
    EventData::read(event_type, json).map_err(|error| wrong("", error.to_string()))
}
