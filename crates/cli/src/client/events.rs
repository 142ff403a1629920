//! Server-sent events over the control socket.

use super::answer::Answer;
use crate::failure::{Failure, Outcome};
use crate::socket::SocketPath;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

/// Bytes of one event at most.
const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a refusal at most.
const REFUSAL_BYTES_MAX: usize = 1024 * 1024;

/// How a stream of events ended.
#[derive(Debug)]
pub enum Ended {
    /// The server does not give it.
    Refused(Answer),
    /// The server went away.
    Lost(Failure),
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

/// Hands over the data of each event until the stream ends, or `each` fails.
pub(super) async fn follow(
    socket: &SocketPath,
    path: &str,
    mut each: impl FnMut(&Value) -> Outcome,
) -> Outcome<Ended> {
    let lost = |error: Broken| {
        Ended::Lost(Failure::failed(format!(
            "the server at {} is gone ({error}); start it again",
            socket.path().display()
        )))
    };
    let (answer, connection) = match ask(socket, path).await {
        Ok(asked) => asked,
        Err(error) => return Ok(lost(error)),
    };
    let ended = read(answer, &mut each).await;
    connection.abort();
    match ended {
        Ok(Some(answer)) => Ok(Ended::Refused(answer)),
        Ok(None) => Ok(lost("it ended the feed".into())),
        Err(Stopped::Broken(error)) => Ok(lost(error)),
        Err(Stopped::Ours(failure)) => Err(failure),
    }
}

/// Why reading stopped.
enum Stopped {
    Broken(Broken),
    Ours(Failure),
}

type Incoming = http::Response<hyper::body::Incoming>;

async fn ask(
    socket: &SocketPath,
    path: &str,
) -> Result<(Incoming, tokio::task::JoinHandle<hyper::Result<()>>), Broken> {
    let stream = UnixStream::connect(socket.path()).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request =
        Request::get(path).header(header::HOST, "localhost").body(Empty::<Bytes>::new())?;
    Ok((sender.send_request(request).await?, connection))
}

/// Reads to the end; an answer where it is a refusal.
async fn read(
    answer: Incoming,
    each: &mut impl FnMut(&Value) -> Outcome,
) -> Result<Option<Answer>, Stopped> {
    let (head, mut body) = answer.into_parts();
    let broken = |error: Broken| Stopped::Broken(error);
    if !head.status.is_success() {
        let body = Limited::new(body, REFUSAL_BYTES_MAX).collect().await.map_err(broken)?;
        return Ok(Some(Answer::new(head.status, body.to_bytes())));
    }
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| broken(error.into()))?.into_data() else { continue };
        text.extend_from_slice(&data);
        let mut done = 0;
        while let Some(length) = text[done..].windows(2).position(|two| two == b"\n\n") {
            for line in text[done..done + length].split(|byte| *byte == b'\n') {
                if let Some(data) = line.strip_prefix(b"data: ") {
                    let message =
                        serde_json::from_slice(data).map_err(|error| broken(error.into()))?;
                    each(&message).map_err(Stopped::Ours)?;
                }
            }
            done += length + 2;
        }
        text.drain(..done);
        if text.len() > EVENT_BYTES_MAX {
            return Err(broken("an event is too long".into()));
        }
    }
    Ok(None)
}
