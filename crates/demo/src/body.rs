//! A response body of pieces, each after a pause.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;

/// Pieces that may wait between the sender's task and the connection.
const PIECES_QUEUED_MAX: usize = 4;

/// What a body is made of.
#[derive(Debug, Clone)]
pub enum Piece {
    /// These bytes, after a pause.
    Bytes(Duration, Bytes),
    /// These bytes again and again, so many times.
    Repeat(Bytes, u64),
    /// The connection breaks, after a pause.
    Break(Duration),
    /// Nothing more, and no end.
    Hang,
}

/// A body whose pieces arrive in their own time; it ends with the last piece.
#[derive(Debug)]
pub struct PacedBody {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    exact_bytes: Option<u64>,
}

impl PacedBody {
    /// Sends the pieces from a task of its own, which ends when the body is dropped.
    /// `exact_bytes` becomes the `content-length`; without, the body is chunked.
    pub fn new(pieces: Vec<Piece>, exact_bytes: Option<u64>) -> Self {
        let (sender, receiver) = mpsc::channel(PIECES_QUEUED_MAX);
        tokio::spawn(async move {
            tokio::select! {
                () = send(pieces, &sender) => {}
                () = sender.closed() => {}
            }
        });
        Self { pieces: receiver, exact_bytes }
    }
}

async fn send(pieces: Vec<Piece>, sender: &mpsc::Sender<io::Result<Bytes>>) {
    for piece in pieces {
        let sent = match piece {
            Piece::Bytes(pause, bytes) => {
                wait(pause).await;
                sender.send(Ok(bytes)).await
            }
            Piece::Repeat(bytes, times) => {
                let mut sent = Ok(());
                for _ in 0..times {
                    sent = sender.send(Ok(bytes.clone())).await;
                    if sent.is_err() {
                        break;
                    }
                }
                sent
            }
            Piece::Break(pause) => {
                wait(pause).await;
                sender.send(Err(io::ErrorKind::ConnectionReset.into())).await
            }
            Piece::Hang => std::future::pending().await,
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn wait(pause: Duration) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
}

// === impl PacedBody ===

impl Body for PacedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.pieces.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.exact_bytes.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
