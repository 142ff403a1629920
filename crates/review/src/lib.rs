#![doc = include_str!("../README.md")]

mod desk;
mod error;
mod events;
mod hold;
mod item;
mod recording;
mod settings;
mod sweep;
mod verdict;

pub use desk::{Desk, Shown};
pub use error::ReviewError;
pub use hold::{About, Hold, NotHeld, Opening, PickedUp, UnderWay, fingerprint};
pub use item::{Item, ItemVote};
pub use settings::{OnExpiry, Settings};
pub use verdict::Reviewer;
