#![doc = include_str!("../README.md")]

mod catalogue;
mod checked;
mod decision;
mod headers;
mod kind;
mod leaf;
mod macros;
mod open;
mod timestamp;
mod usage;

pub use catalogue::{
    Access, ClockAnomaly, ConfigLoaded, DecisionFlagged, DeliveryFailed, EpochStarted,
    ErasureCompleted, ErasureDeferred, ErasureRequested, Heartbeat, OutcomeRecorded,
    PolicyEvaluated, PolicyEvaluationComplete, PolicyEvaluationStart, RecordingGap, ReportReceived,
    RequestBlocked, RequestCompleted, RequestEscalated, RequestFailed, RequestReceived,
    RequestRejected, ResponseBlocked, ResponseEscalated, RetentionApplied, ReviewApproved,
    ReviewCreated, ReviewExpired, ReviewRejected, RoutingFailed, RoutingStart, RoutingSuccess,
};
pub use catalogue::{Catalogued, EventData, FieldSpec, catalogue};
pub use decision::Decision;
pub use headers::Headers;
pub use kind::{Class, Component, EventType, Origin, UnknownName};
pub use leaf::{LEAF_BYTES_MAX, Leaf, LeafDraft, LeafError, LeafEvent, LeafFields};
pub use open::{OpenData, OpenEvent};
pub use timestamp::{Timestamp, TimestampError};
pub use usage::{Usage, UsageOrigin};

/// One fact about one step of a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// UUIDv7 of the event.
    pub event_id: uuid::Uuid,
    /// What kind of fact, and what part of the product owns it.
    pub component: Component,
    /// When it happened (not when it was written).
    pub timestamp: Timestamp,
    /// The fields; their struct is the event type.
    pub data: EventData,
}

impl Event {
    /// An event that happened at `timestamp`, with a fresh id.
    pub fn new(component: Component, timestamp: Timestamp, data: impl Into<EventData>) -> Self {
        Self { event_id: uuid::Uuid::now_v7(), component, timestamp, data: data.into() }
    }

    /// The event's type, from its data.
    pub fn event_type(&self) -> EventType {
        self.data.event_type()
    }
}
