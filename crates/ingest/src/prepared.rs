//! Items of a delivery, read and checked.

use crate::context::{Body, Context, Head, Sender};
use crate::error::ItemError;
use crate::fields::Fields;
use crate::{canonical, decision, event_item};
use aws_lc_rs::digest::{SHA256, digest};
use event::{Event, ReportReceived};
use recorder::PersonNames;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

/// Characters of an id of the sender at most.
const ID_CHARS_MAX: usize = 128;
/// How far a report may be ahead of our clock.
const AHEAD_MICROS_MAX: i64 = 24 * 3_600 * 1_000_000;
/// What does not belong to the content of a report: it differs from one delivery to the next.
const NOT_CONTENT: [&str; 2] = ["hash", "sent_at"];

/// What is kept as it came because it means something only over there.
const KEPT: [&str; 2] = ["component", "metadata"];

/// An item that can be recorded.
pub(crate) struct Prepared {
    pub index: usize,
    pub item_id: Option<String>,
    pub digest: [u8; 32],
    pub trace_id: Uuid,
    pub request_id: Option<String>,
    pub reference: Option<String>,
    pub names: PersonNames,
    pub events: Vec<Event>,
    pub bodies: Vec<Body>,
    /// Names of fields that are kept and not understood.
    pub unknown: Vec<String>,
}

// === impl Prepared ===

impl Prepared {
    /// Reads one item.
    pub(crate) fn read(
        context: &Context<'_>,
        index: usize,
        raw: &RawValue,
    ) -> Result<Self, ItemError> {
        let digest = digest_of(raw)?;
        let mut fields = Fields::read(raw, "")?;
        let hash_checked = check_hash(&mut fields, &digest)?;
        let item_id = fields.short(&["id", "event_id"], ID_CHARS_MAX)?;
        let sent_at = fields.time("sent_at")?;
        let said_at = fields.time("timestamp")?;
        let timestamp = said_at.unwrap_or(context.arrived);
        if timestamp.as_micros() - context.arrived.as_micros() > AHEAD_MICROS_MAX {
            let what = "is more than a day ahead of this server's clock";
            return Err(fields.wrong("timestamp", what));
        }
        let trace_id = fields.uuid("trace_id")?.unwrap_or_else(Uuid::new_v4);
        let request_id = fields.short(&["request_id"], ID_CHARS_MAX)?;
        let is_event = fields.has("event_type");
        let source = source(context.sender, &mut fields, is_event)?;
        let head = Head { source, timestamp };
        let reported = if is_event {
            event_item::read(fields, &head, request_id.as_deref())?
        } else {
            decision::read(fields, &head, context)?
        };
        let unknown: Vec<String> = reported.attributes.keys().cloned().collect();
        let attributes =
            (!reported.attributes.is_empty()).then(|| Value::Object(reported.attributes));
        let unknown = unknown.into_iter().filter(|name| !KEPT.contains(&name.as_str())).collect();
        let mut events = reported.events;
        let skew = context.arrived.as_micros() - sent_at.unwrap_or(timestamp).as_micros();
        let receipt = ReportReceived {
            kind: Some(if is_event { "event" } else { "decision" }.to_owned()),
            sender: Some(context.sender.id.clone()),
            api_key_id: Some(context.sender.key_id.clone()),
            item_id: item_id.clone(),
            decision_ref: reported.reference.clone(),
            received_at: Some(context.arrived.to_string()),
            reported_at: said_at.map(|at| at.to_string()),
            sent_at: sent_at.map(|at| at.to_string()),
            clock_skew_ms: (sent_at.or(said_at)).map(|_| skew / 1_000),
            hash_checked: hash_checked.then_some(true),
            content_sha256: Some(hex::encode(digest)),
            sender_address: context.sender.address.clone(),
            user_agent: context.sender.user_agent.clone(),
            attributes,
        };
        events.push(Event::new(event::Component::Sdk, context.arrived, receipt));
        Ok(Self {
            index,
            item_id,
            digest,
            trace_id,
            request_id,
            reference: reported.reference,
            names: reported.names,
            events,
            bodies: reported.bodies,
            unknown,
        })
    }
}

/// SHA-256 of the content in canonical form.
fn digest_of(raw: &RawValue) -> Result<[u8; 32], ItemError> {
    let mut object: canonical::Object<'_> = serde_json::from_str(raw.get())
        .map_err(|_| ItemError::invalid("item", "is not an object"))?;
    object.retain(|name, _| !NOT_CONTENT.contains(&name.as_str()));
    let mut bytes = Vec::with_capacity(raw.get().len());
    canonical::write_object(&object, &mut bytes)
        .map_err(|error| ItemError::invalid("item", error.to_string()))?;
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, &bytes).as_ref());
    Ok(out)
}

fn source(sender: &Sender, fields: &mut Fields<'_>, optional: bool) -> Result<String, ItemError> {
    let said = fields.name(&["source"])?;
    match (&sender.source, said) {
        (None, Some(said)) => Ok(said),
        (None, None) if optional => Ok(String::new()),
        (None, None) => Err(fields.wrong("source", "is missing, empty or a placeholder")),
        (Some(own), None) => Ok(own.clone()),
        (Some(own), Some(said)) if *own == said => Ok(said),
        (Some(own), Some(_)) => Err(ItemError::Source { allowed: own.clone() }),
    }
}

/// Whether a hash is given; one that is wrong is an error.
fn check_hash(fields: &mut Fields<'_>, digest: &[u8; 32]) -> Result<bool, ItemError> {
    let Some(given) = fields.name(&["hash"])? else { return Ok(false) };
    let found = hex::encode(digest);
    if given.strip_prefix("sha256:").unwrap_or(&given).eq_ignore_ascii_case(&found) {
        return Ok(true);
    }
    let what = format!(
        "is not that of the item: SHA-256 of its canonical form (RFC 8785) without hash and \
         sent_at is {found}"
    );
    Err(fields.wrong("hash", what))
}
