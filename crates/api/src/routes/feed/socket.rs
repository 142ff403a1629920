//! A feed over a WebSocket.

use super::telling::{HEARTBEAT, Message, Telling};
use crate::serve::Stopping;
use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket, close_code};
use futures_util::SinkExt as _;
use std::time::Duration;
use tokio::time::{Instant, interval_at, timeout};

/// Bytes of a message that a listener sends at most.
pub(super) const MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// Messages that a listener may send in a second. It has nothing to say; pings and pongs count.
const MESSAGES_PER_SECOND_MAX: u32 = 20;
/// How long a listener may take to make room for what is sent.
const SEND_MAX: Duration = Duration::from_secs(20);
/// How long a listener may be silent, pongs included.
const SILENCE_MAX: Duration = Duration::from_secs(50);
/// How long a closed connection is read from, so that the other side gets to see why.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// Why a feed ends.
enum End {
    /// The other side left, or takes nothing.
    Gone,
    /// With a word of ours.
    Said(u16, &'static str),
}

/// What a listener has sent of late.
struct Budget {
    second: Instant,
    messages: u32,
}

impl Budget {
    fn allows_one_more(&mut self) -> bool {
        if self.second.elapsed() >= Duration::from_secs(1) {
            *self = Self { second: Instant::now(), messages: 0 };
        }
        self.messages += 1;
        self.messages <= MESSAGES_PER_SECOND_MAX
    }
}

/// Tells until somebody ends it.
pub(super) async fn run(mut socket: WebSocket, mut telling: Telling, stopping: Option<Stopping>) {
    let end = tell(&mut socket, &mut telling, stopping).await;
    drop(telling);
    if let End::Said(code, reason) = end {
        let close = Frame::Close(Some(CloseFrame { code, reason: reason.into() }));
        let farewell = async {
            socket.send(close).await?;
            while let Some(Ok(_)) = socket.recv().await {}
            Ok::<(), axum::Error>(())
        };
        if timeout(FAREWELL_MAX, farewell).await.is_err() {
            tracing::debug!("a listener of the feed did not answer the closing");
        }
    }
}

async fn tell(socket: &mut WebSocket, telling: &mut Telling, stopping: Option<Stopping>) -> End {
    let mut beat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    let mut budget = Budget { second: Instant::now(), messages: 0 };
    let mut heard = Instant::now();
    let hello = telling.hello();
    if !send(socket, vec![hello]).await {
        return End::Gone;
    }
    let stopped = Stopping::wait(stopping);
    tokio::pin!(stopped);
    loop {
        let messages = tokio::select! {
            received = socket.recv() => {
                heard = Instant::now();
                match received {
                    None | Some(Err(_) | Ok(Frame::Close(_))) => return End::Gone,
                    Some(Ok(_)) if budget.allows_one_more() => continue,
                    Some(Ok(_)) => {
                        return End::Said(close_code::POLICY, "the feed takes no messages");
                    }
                }
            }
            next = telling.next() => match next {
                Ok(messages) => messages,
                Err(_) => return End::Said(close_code::ERROR, "the feed cannot be read; see the log"),
            },
            _ = beat.tick() => {
                let Some(message) = telling.heartbeat() else {
                    return End::Said(close_code::POLICY, "the credential has ended; sign in again");
                };
                if heard.elapsed() > SILENCE_MAX {
                    return End::Said(close_code::POLICY, "pings were not answered");
                }
                if !ping(socket).await {
                    return End::Gone;
                }
                vec![message]
            }
            () = &mut stopped => {
                let closing = telling.closing();
                send(socket, vec![closing]).await;
                return End::Said(close_code::RESTART, "the server stops; go on with since");
            }
        };
        if !send(socket, messages).await {
            return End::Gone;
        }
    }
}

/// Sends all at once; false where the other side does not take it.
async fn send(socket: &mut WebSocket, messages: Vec<Message>) -> bool {
    let sending = async {
        for message in messages {
            socket.feed(Frame::Text(message.text)).await?;
        }
        socket.flush().await
    };
    matches!(timeout(SEND_MAX, sending).await, Ok(Ok(())))
}

async fn ping(socket: &mut WebSocket) -> bool {
    matches!(timeout(SEND_MAX, socket.send(Frame::Ping(Vec::new().into()))).await, Ok(Ok(())))
}
