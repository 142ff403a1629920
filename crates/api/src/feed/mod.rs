//! The live feed: every decision as it ends, told to everybody who asked for such.
//!
//! One reader follows the index and the journal and fans out (`hub`). Places are positions in the
//! journal: who comes back with the last one goes on where they were (`past`), whatever happened
//! to the connection or to the server meanwhile.

mod cursor;
mod ending;
mod hub;
mod message;
mod past;
mod subscriber;
mod tickets;

pub(crate) use cursor::refused;
pub(crate) use ending::Ending;
pub(crate) use hub::{Hub, Seat};
pub(crate) use message::{FeedMessage, FeedTicket};
pub(crate) use subscriber::News;
pub(crate) use tickets::{Presented, TICKET_GOOD, Tickets};
