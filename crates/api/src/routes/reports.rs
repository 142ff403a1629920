//! What other systems report.

use crate::caller::{Caller, Who};
use crate::extract::Params;
use crate::params::NoParams;
use crate::problem::Problem;
use crate::schemas::{Delivery, Reported, ReportedItem};
use crate::state::{Shared, blocking};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::LengthLimitError;
use ingest::{DELIVERY_BYTES_MAX, ItemResult, Sender};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

/// How long a delivery may take to arrive.
const BODY_READ_MAX: Duration = Duration::from_secs(60);
/// Characters of a program's name that are recorded.
const USER_AGENT_CHARS_MAX: usize = 256;

/// Takes decisions and events that this product did not see itself: one, or an array of up to
/// 1,000 in 8 MiB (unpacked; `gzip` and `zstd` are accepted). What has status 202 is durable. A
/// second delivery of the same id with the same content is answered as the first and changes
/// nothing. Items are recorded or refused one by one; where none of them is recorded, the answer
/// is a problem.
#[utoipa::path(
    post, path = "/api/v1/audit/log", tag = "reports", request_body = Delivery,
    responses(
        (status = 202, description = "What became of each item.", body = Reported),
        (status = 400, description = "Nothing is recorded: not what can be read.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "Nothing is recorded: ids were used for other content.",
         body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too long, or too many items.", body = Problem,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn report(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    _: Params<NoParams>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let encoding = Encoding::of(&headers)?;
    let room = shared.parts.ingest.room(length_max(encoding, &headers)?).await?;
    let packed = read(body).await?;
    let sender = sender(&shared, &caller, &headers).await?;
    let body = match encoding {
        Encoding::Identity => packed.into(),
        _ => blocking(move || encoding.unpack(&packed)).await??,
    };
    let is_one = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let results = shared.parts.ingest.deliver(sender, body, room).await?;
    answer(results, is_one)
}

fn answer(results: Vec<ItemResult>, is_one: bool) -> Result<Response, Problem> {
    let problem_of = |result: &ItemResult| result.recorded.as_ref().err().map(Problem::from);
    let first = results.first().and_then(problem_of);
    let items: Vec<ReportedItem> = results.into_iter().map(item).collect();
    let accepted = items.iter().filter(|item| item.decision_id.is_some()).count();
    let refused = items.len() - accepted;
    if let Some(first) = first.filter(|_| accepted == 0) {
        if is_one {
            return Err(first);
        }
        let (status, _, _) = first.parts();
        if items.iter().all(|item| item.status == status) {
            return Err(first.items(items));
        }
        return Err(Problem::invalid("no item can be recorded; see items").items(items));
    }
    let later = items.iter().any(|item| item.status == StatusCode::SERVICE_UNAVAILABLE);
    let answer = Json(Reported { accepted, refused, items });
    let mut response = (StatusCode::ACCEPTED, answer).into_response();
    if later {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    Ok(response)
}

fn item(result: ItemResult) -> ReportedItem {
    let ItemResult { index, id, unknown_fields, recorded } = result;
    match recorded {
        Ok(decision_id) => ReportedItem {
            index,
            id,
            status: StatusCode::ACCEPTED.as_u16(),
            decision_id: Some(decision_id),
            code: None,
            field: None,
            detail: None,
            unknown_fields,
        },
        Err(error) => {
            let problem = Problem::from(&error);
            let (status, code, detail) = problem.parts();
            ReportedItem {
                index,
                id,
                status,
                decision_id: None,
                code: Some(code),
                field: error.field().map(str::to_owned),
                detail: Some(detail.to_owned()),
                unknown_fields,
            }
        }
    }
}

async fn sender(
    shared: &Arc<Shared>,
    caller: &Caller,
    headers: &HeaderMap,
) -> Result<Sender, Problem> {
    let (id, source) = match &caller.who {
        Who::Key(key) if key.rotated_from.is_some() => {
            let (control, id) = (shared.parts.control.clone(), key.id.clone());
            (blocking(move || control.first_key(&id)).await??, key.source.clone())
        }
        Who::Key(key) => (key.id.clone(), key.source.clone()),
        _ => (caller.actor(), None),
    };
    let program = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Ok(Sender {
        id,
        key_id: caller.actor(),
        source,
        address: Some(caller.peer.to_string()),
        user_agent: program.map(|text| text.chars().take(USER_AGENT_CHARS_MAX).collect()),
    })
}

// === body ===

/// How a delivery is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let name = headers
            .get(header::CONTENT_ENCODING)
            .map_or(b"identity".as_slice(), |value| value.as_bytes());
        match name.trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Ok(Self::Identity),
            b"gzip" | b"x-gzip" => Ok(Self::Gzip),
            b"zstd" => Ok(Self::Zstd),
            _ => {
                let detail = "content-encoding: only identity, gzip and zstd are taken";
                let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                Err(Problem::new(status, "unsupported_encoding", detail))
            }
        }
    }

    /// Unpacks no more than may be delivered.
    fn unpack(self, packed: &[u8]) -> Result<Vec<u8>, Problem> {
        let broken = |error: std::io::Error| {
            let detail = format!("the body cannot be unpacked: {error}");
            Problem::new(StatusCode::BAD_REQUEST, "invalid_body", detail)
        };
        let limit = DELIVERY_BYTES_MAX as u64 + 1;
        let mut body = Vec::new();
        match self {
            Self::Identity => body.extend_from_slice(packed),
            Self::Gzip => {
                let reader = flate2::read::MultiGzDecoder::new(packed);
                reader.take(limit).read_to_end(&mut body).map_err(broken)?;
            }
            Self::Zstd => {
                let reader = zstd::Decoder::with_buffer(packed).map_err(broken)?;
                reader.take(limit).read_to_end(&mut body).map_err(broken)?;
            }
        }
        if body.len() > DELIVERY_BYTES_MAX { Err(too_long()) } else { Ok(body) }
    }
}

/// How many bytes a delivery can have, unpacked.
fn length_max(encoding: Encoding, headers: &HeaderMap) -> Result<usize, Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match length.and_then(|text| text.parse::<usize>().ok()) {
        Some(length) if length > DELIVERY_BYTES_MAX => Err(too_long()),
        Some(length) if encoding == Encoding::Identity => Ok(length),
        _ => Ok(DELIVERY_BYTES_MAX),
    }
}

fn too_long() -> Problem {
    let detail = format!("a delivery has at most {DELIVERY_BYTES_MAX} bytes, unpacked; split it");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    let late = |_| {
        let detail = "the body did not arrive in time; send it at once";
        Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail)
    };
    let read = axum::body::to_bytes(body, DELIVERY_BYTES_MAX);
    tokio::time::timeout(BODY_READ_MAX, read).await.map_err(late)?.map_err(|error| {
        let source = std::error::Error::source(&error);
        if source.is_some_and(<dyn std::error::Error>::is::<LengthLimitError>) {
            return too_long();
        }
        let detail = format!("the body did not arrive whole: {error}");
        Problem::new(StatusCode::BAD_REQUEST, "invalid_body", detail)
    })
}
