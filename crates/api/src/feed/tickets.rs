//! Tickets: browsers cannot send a header with a WebSocket, and a credential in an address would
//! end up in logs. A ticket is good once and for a short time.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a ticket is good.
pub(crate) const TICKET_GOOD: Duration = Duration::from_secs(30);
/// Tickets that were given out and not used at most.
const TICKETS_MAX: usize = 4_096;
const TICKET_BYTES: usize = 32;

/// What somebody showed to be let in; looked at again while a feed is open.
#[derive(Debug, Clone)]
pub(crate) struct Presented {
    /// The header with the credential.
    pub authorization: Option<HeaderValue>,
    /// The user of this machine who came over the control socket.
    pub socket_uid: Option<u32>,
}

/// Tickets that were given out, by the digest of their text.
#[derive(Default)]
pub(crate) struct Tickets {
    open: Mutex<HashMap<[u8; 32], Ticket>>,
}

struct Ticket {
    until: Instant,
    presented: Presented,
}

impl Tickets {
    /// A new ticket that stands for what was presented for it; none where too many are open.
    pub(crate) fn give(&self, presented: Presented) -> Option<String> {
        let mut bytes = [0; TICKET_BYTES];
        aws_lc_rs::rand::fill(&mut bytes).ok()?;
        let text = URL_SAFE_NO_PAD.encode(bytes);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if open.len() >= TICKETS_MAX {
            open.retain(|_, ticket| ticket.until > now);
        }
        if open.len() >= TICKETS_MAX {
            return None;
        }
        open.insert(digest(&text), Ticket { until: now + TICKET_GOOD, presented });
        Some(text)
    }

    /// Takes a ticket, which then is gone.
    pub(crate) fn take(&self, text: &str) -> Option<Presented> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = open.remove(&digest(text))?;
        (ticket.until > Instant::now()).then_some(ticket.presented)
    }
}

fn digest(text: &str) -> [u8; 32] {
    let found = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(found.as_ref());
    bytes
}
