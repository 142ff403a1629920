//! Admission: who calls, for whom, about whom, and in which trace.

use crate::names;
use crate::refusal::{Code, Refusal};
use crate::settings::{Authentication, Settings};
use control::{ApiKey, Control, Scope};
use http::header::{AsHeaderName, HeaderMap, HeaderName};
use recorder::PersonNames;
use std::net::IpAddr;
use std::sync::Arc;
use uuid::Uuid;
use wire::is_placeholder;

/// Bytes of a header of ours at most.
const VALUE_BYTES_MAX: usize = 256;
/// Characters of a request id at most.
const REQUEST_ID_CHARS_MAX: usize = 128;
/// Persons that a call may be about.
const SUBJECTS_MAX: usize = 8;
/// Hops of `X-Forwarded-For` that are read.
const FORWARDED_MAX: usize = 32;

/// Ids of a request, known before anything else.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    pub decision_id: Uuid,
    pub trace_id: Uuid,
    pub request_id: String,
}

/// What the caller's headers say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    pub source: Option<String>,
    pub user: Option<String>,
    pub email: Option<String>,
    pub request_type: Option<String>,
    pub session: Option<String>,
    pub subjects: Vec<String>,
    pub api_key_id: Option<String>,
}

impl Caller {
    /// Whose keys seal the call.
    pub(crate) fn persons(&self) -> PersonNames {
        PersonNames { user: self.user.clone(), subjects: self.subjects.clone() }
    }
}

/// Reads the request's ids; what is missing is made, ordered by time, so that neighbours in time are
/// neighbours in the index. A bad trace is reported beside.
pub(crate) fn ids(headers: &HeaderMap) -> (Ids, Result<(), Refusal>) {
    let request_id = headers
        .get(&names::REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| !id.is_empty() && id.len() <= REQUEST_ID_CHARS_MAX && !is_placeholder(id))
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
    let (trace_id, result) = match trace(headers) {
        Ok(trace) => (trace.unwrap_or_else(Uuid::now_v7), Ok(())),
        Err(refusal) => (Uuid::now_v7(), Err(refusal)),
    };
    (Ids { decision_id: Uuid::now_v7(), trace_id, request_id }, result)
}

fn trace(headers: &HeaderMap) -> Result<Option<Uuid>, Refusal> {
    if let Some(value) = headers.get(&names::TRACE_PARENT) {
        return value.to_str().ok().and_then(traceparent).map(Some).ok_or_else(|| {
            Refusal::new(
                Code::InvalidHeader,
                "The header traceparent is not a W3C trace context \
                 (00-<32 hex digits>-<16 hex digits>-<2 hex digits>).",
            )
            .about("traceparent")
        });
    }
    let Some(value) = headers.get(&names::TRACE_ID) else {
        return Ok(None);
    };
    value
        .to_str()
        .ok()
        .and_then(|text| Uuid::try_parse(text).ok())
        .filter(|id| !id.is_nil())
        .map(Some)
        .ok_or_else(|| {
            Refusal::new(Code::InvalidHeader, "The header x-trace-id is not a UUID.")
                .about("x-trace-id")
        })
}

/// The trace id of a W3C trace context, section 3.2.
fn traceparent(text: &str) -> Option<Uuid> {
    let mut parts = text.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |part: &str, length: usize| {
        part.len() == length
            && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let extra = parts.next().is_some();
    let whole = hex(version, 2)
        && version != "ff"
        && hex(trace, 32)
        && hex(parent, 16)
        && hex(flags, 2)
        && parent.bytes().any(|digit| digit != b'0')
        && !(extra && version == "00");
    let id = Uuid::try_parse(trace).ok()?;
    (whole && !id.is_nil()).then_some(id)
}

/// Reads one header of ours: none where absent, empty or a placeholder.
fn read<'n, N>(headers: &HeaderMap, name: &'n N) -> Result<Option<String>, Refusal>
where
    N: AsRef<str> + ?Sized,
    &'n N: AsHeaderName,
{
    let mut values = headers.get_all(name).iter();
    let name = name.as_ref();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let refuse = |what: String| Err(Refusal::new(Code::InvalidHeader, what).about(name));
    if values.next().is_some() {
        return refuse(format!("The header {name} was sent more than once; send it once."));
    }
    let bytes = value.as_bytes();
    if bytes.len() > VALUE_BYTES_MAX {
        return refuse(format!(
            "The header {name} has {} bytes; at most {VALUE_BYTES_MAX} are allowed.",
            bytes.len()
        ));
    }
    if !bytes.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        return refuse(format!(
            "The header {name} has characters that are not printable ASCII; percent-encode them."
        ));
    }
    let text = String::from_utf8_lossy(bytes).trim().to_owned();
    Ok((!is_placeholder(&text)).then_some(text))
}

/// Reads the caller's metadata as far as it is readable; the first fault is reported beside.
pub(crate) fn caller(
    headers: &HeaderMap,
    key: Option<&ApiKey>,
    settings: &Settings,
) -> (Caller, Result<(), Refusal>) {
    let mut fault = None;
    let mut take = |name: &HeaderName| {
        read(headers, name).unwrap_or_else(|refusal| {
            fault.get_or_insert(refusal);
            None
        })
    };
    let mut caller = Caller {
        source: take(&names::SOURCE),
        user: take(&names::USER),
        email: take(&names::EMAIL),
        request_type: take(&names::REQUEST_TYPE),
        session: take(&names::SESSION),
        subjects: Vec::new(),
        api_key_id: key.map(|key| key.id.clone()),
    };
    match subjects(headers) {
        Ok(subjects) => caller.subjects = subjects,
        Err(refusal) => {
            fault.get_or_insert(refusal);
        }
    }
    if fault.is_none() {
        fault = bind_source(&mut caller, key).err();
    }
    if fault.is_none() {
        fault = required(headers, &caller, settings).err();
    }
    (caller, fault.map_or(Ok(()), Err))
}

fn subjects(headers: &HeaderMap) -> Result<Vec<String>, Refusal> {
    let name = &names::SUBJECT;
    let mut subjects = Vec::new();
    for value in headers.get_all(name) {
        let mut one = HeaderMap::new();
        one.insert(name.clone(), value.clone());
        for subject in read(&one, name)?.iter().flat_map(|text| text.split(',')) {
            let subject = subject.trim();
            if !is_placeholder(subject) && !subjects.iter().any(|known| known == subject) {
                subjects.push(subject.to_owned());
            }
        }
    }
    if subjects.len() > SUBJECTS_MAX {
        return Err(Refusal::new(
            Code::InvalidHeader,
            format!(
                "The header {name} names {} persons; at most {SUBJECTS_MAX} are allowed.",
                subjects.len()
            ),
        )
        .about(name.as_str()));
    }
    Ok(subjects)
}

/// A key made for one source supplies a missing source and may name no other.
fn bind_source(caller: &mut Caller, key: Option<&ApiKey>) -> Result<(), Refusal> {
    let Some(bound) = key.and_then(|key| key.source.as_deref()) else {
        return Ok(());
    };
    match &caller.source {
        None => {
            caller.source = Some(bound.to_owned());
            Ok(())
        }
        Some(named) if named == bound => Ok(()),
        Some(named) => Err(Refusal::new(
            Code::SourceNotAllowed,
            format!("This key was made for the source {bound:?}; the header x-llm-source names {named:?}."),
        )
        .about("x-llm-source")),
    }
}

fn required(headers: &HeaderMap, caller: &Caller, settings: &Settings) -> Result<(), Refusal> {
    for name in &settings.required_headers {
        let there = match name.as_str() {
            "x-llm-source" => caller.source.is_some(),
            "x-llm-user" => caller.user.is_some(),
            "x-llm-request-type" => caller.request_type.is_some(),
            other => read(headers, other)?.is_some(),
        };
        if !there {
            return Err(Refusal::new(
                Code::MissingHeader,
                format!("The header {name} is missing, empty or a placeholder. Send it with every request."),
            )
            .about(name));
        }
    }
    Ok(())
}

/// The credential that the caller presents, wherever a format's clients send theirs.
pub(crate) fn presented_key<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Option<&'a str> {
    let bearer = headers
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim());
    let named = ["x-api-key", "api-key", "x-goog-api-key"]
        .into_iter()
        .filter_map(|name| headers.get(name).and_then(|value| value.to_str().ok()));
    let in_query = query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .filter_map(|pair| pair.strip_prefix("key="));
    let mut all = bearer.into_iter().chain(named).chain(in_query).map(str::trim);
    let first = all.clone().next();
    all.find(|key| is_our_key(key)).or(first)
}

/// Whether a credential is one of ours, and so never goes to a provider.
pub(crate) fn is_our_key(text: &str) -> bool {
    Scope::ALL.iter().any(|scope| text.starts_with(scope.prefix()))
}

/// Checks the caller's key.
pub(crate) fn authenticate(
    keys: &Control,
    presented: Option<&str>,
    settings: &Settings,
) -> Result<Option<Arc<ApiKey>>, Refusal> {
    let found = presented.filter(|key| is_our_key(key)).and_then(|key| keys.authenticate(key));
    match found {
        Some(key) if key.allows(Scope::Gateway) => Ok(Some(key)),
        Some(_) => Err(Refusal::new(
            Code::InvalidApiKey,
            "This key may not be used here; a key with scope gateway (al_gw_…) is needed.",
        )),
        None if settings.authentication == Authentication::None => Ok(None),
        None => Err(Refusal::new(
            Code::InvalidApiKey,
            match presented {
                Some(_) => "The key is unknown, revoked or expired.",
                None => {
                    "No key was sent. Send a key made by `audit-layer keys create` as x-api-key or as a bearer token."
                }
            },
        )),
    }
}

/// The caller's address: the connection's, or behind trusted proxies the one they report.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, settings: &Settings) -> IpAddr {
    let trusted =
        |address: &IpAddr| settings.trusted_proxies.iter().any(|net| net.contains(address));
    if !trusted(&peer) {
        return peer;
    }
    let mut hops: Vec<IpAddr> = Vec::new();
    for value in headers.get_all("x-forwarded-for") {
        let text = value.to_str().unwrap_or_default();
        hops.extend(text.split(',').filter_map(|hop| hop.trim().parse::<IpAddr>().ok()));
    }
    hops.into_iter().rev().take(FORWARDED_MAX).find(|hop| !trusted(hop)).unwrap_or(peer)
}
