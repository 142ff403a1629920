//! Closed vocabularies: components, origins, field classes and event types.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A name that is none of a vocabulary's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not {what}; allowed: {allowed}")]
pub struct UnknownName {
    /// What was expected, with its article ("a component").
    pub what: &'static str,
    /// What was found.
    pub found: String,
    /// The allowed names, comma-separated.
    pub allowed: String,
}

macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident, $what:literal { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// Every member, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name as written in records and shown to users.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(self.as_str()) }
        }

        impl FromStr for $name {
            type Err = UnknownName;
            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(UnknownName {
                        what: $what,
                        found: text.to_owned(),
                        allowed: [$($text),+].join(", "),
                    }),
                }
            }
        }
    };
}

vocabulary! {
    /// The part of the product that owns an event.
    Component, "a component" {
        /// The data plane.
        Gateway = "gateway",
        /// Policies and detectors.
        PolicyEngine = "policy_engine",
        /// Choice of provider and model.
        ModelRouter = "model_router",
        /// Human review.
        Hitl = "hitl",
        /// Told to us by an SDK or another system.
        Sdk = "sdk",
        /// The control plane and the product's own administration.
        Api = "api",
    }
}

vocabulary! {
    /// How a record came to be known.
    Origin, "an origin" {
        /// The gateway saw the call itself.
        Observed = "observed",
        /// Another system told us.
        Reported = "reported",
        /// Administration of the product.
        Control = "control",
    }
}

vocabulary! {
    /// Who a field is about, and so which key seals it.
    Class, "a field class" {
        /// About no person: stored in the open part.
        Open = "open",
        /// About the calling user: sealed under the user's key.
        User = "user",
        /// About the persons the call is about: sealed so that each of them can be erased.
        Content = "content",
        /// The name of one such person: sealed under that person's key alone.
        Subject = "subject",
        /// About a reviewer or an administrator: sealed under a key that erasure does not touch.
        Staff = "staff",
    }
}

impl Class {
    /// Its bit in a set of classes.
    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

vocabulary! {
    /// The kind of fact that an event states.
    EventType, "an event type" {
        /// A request arrived.
        RequestReceived = "request_received",
        /// A request was refused at admission.
        RequestRejected = "request_rejected",
        /// Policies began to be evaluated.
        PolicyEvaluationStart = "policy_evaluation_start",
        /// One policy was evaluated.
        PolicyEvaluated = "policy_evaluated",
        /// Policies were evaluated.
        PolicyEvaluationComplete = "policy_evaluation_complete",
        /// A policy blocked the request.
        RequestBlocked = "request_blocked",
        /// A policy blocked the answer.
        ResponseBlocked = "response_blocked",
        /// A policy sent the request to a person.
        RequestEscalated = "request_escalated",
        /// A policy sent the answer to a person.
        ResponseEscalated = "response_escalated",
        /// A review was opened.
        ReviewCreated = "review_created",
        /// A review was approved.
        ReviewApproved = "review_approved",
        /// A review was rejected.
        ReviewRejected = "review_rejected",
        /// A review was not answered in time.
        ReviewExpired = "review_expired",
        /// A target is being chosen.
        RoutingStart = "routing_start",
        /// An attempt at a target failed.
        RoutingFailed = "routing_failed",
        /// A target answered.
        RoutingSuccess = "routing_success",
        /// The call ended with an answer.
        RequestCompleted = "request_completed",
        /// The call ended without one.
        RequestFailed = "request_failed",
        /// The answer did not reach the caller.
        DeliveryFailed = "delivery_failed",
        /// Another system reported a decision or an event.
        ReportReceived = "report_received",
        /// Somebody said whether the decision stood.
        OutcomeRecorded = "outcome_recorded",
        /// Somebody marked the decision for an incident.
        DecisionFlagged = "decision_flagged",
        /// Somebody signed in, read, searched, exported.
        Access = "access",
        /// An erasure was asked for.
        ErasureRequested = "erasure_requested",
        /// An erasure waits.
        ErasureDeferred = "erasure_deferred",
        /// An erasure was carried out.
        ErasureCompleted = "erasure_completed",
        /// Bodies were removed by retention.
        RetentionApplied = "retention_applied",
        /// Calls went through without records.
        RecordingGap = "recording_gap",
        /// A configuration was loaded.
        ConfigLoaded = "config_loaded",
        /// The writer is alive.
        Heartbeat = "heartbeat",
        /// A new epoch began.
        EpochStarted = "epoch_started",
        /// The clock jumped.
        ClockAnomaly = "clock_anomaly",
    }
}
