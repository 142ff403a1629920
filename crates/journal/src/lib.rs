#![doc = include_str!("../README.md")]

mod ahead;
mod append;
mod clock;
mod committer;
mod create;
pub mod disk;
mod error;
pub mod format;
mod journal;
mod layout;
mod options;
mod position;
mod reader;
mod recovery;
mod reserve;
mod salvage;
mod scan;
mod shared;
mod stats;
mod stored;

pub use append::{Append, Committed, Frame, LeafSource};
pub use clock::Clock;
pub use error::Error;
pub use format::FrameKind;
pub use journal::Journal;
pub use layout::Meta;
pub use options::{Durability, Options, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
pub use position::{ParsePositionError, Position};
pub use reader::{Reader, read_watermark_of as read_watermark};
pub use recovery::Recovered;
pub use reserve::{Gap, RESERVE_BYTES, Reserve};
pub use salvage::{Salvage, Salvaged};
pub use shared::Progress;
pub use stats::{ClockJump, Histogram, Stats};
pub use stored::{Files, StoredFrame, read_frame};
