//! Values that are more than a word: addresses and URLs.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Characters of a wrong value that an error repeats.
const SHOWN_CHARS_MAX: usize = 80;

/// Where a listener binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Listen(pub SocketAddr);

/// Where a provider listens: scheme, host and a path that goes in front of the request's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct BaseUrl(pub http::Uri);

/// A network, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(pub IpNet);

/// A wrong value as errors show it.
pub fn shown(value: &str) -> String {
    format!("{:?}", value.chars().take(SHOWN_CHARS_MAX).collect::<String>())
}

// === impl Listen ===

impl Listen {
    /// On this machine only.
    pub const fn local(port: u16) -> Self {
        Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let numeric = text
            .strip_prefix("localhost:")
            .map_or_else(|| text.clone(), |port| format!("127.0.0.1:{port}"));
        numeric.parse().map(Self).map_err(|_| {
            format!(
                "found {}, allowed: ADDRESS:PORT, as 127.0.0.1:8000 or [::1]:8000 (port 0: any free one)",
                shown(&text)
            )
        })
    }
}

impl Serialize for Listen {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// === impl BaseUrl ===

impl TryFrom<String> for BaseUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        const ALLOWED: &str = "allowed: http://HOST[:PORT][/PATH] or https://…";
        // A password in the URL must not reach the error, so it is looked for first.
        if text.contains('@') {
            return Err(format!(
                "found a URL with credentials, {ALLOWED}, without credentials (those go into api_key)"
            ));
        }
        let error = || format!("found {}, {ALLOWED}", shown(&text));
        let uri: http::Uri = text.parse().map_err(|_| error())?;
        let web = matches!(uri.scheme_str(), Some("http" | "https"));
        if !web || uri.host().is_none_or(str::is_empty) || uri.query().is_some() {
            return Err(error());
        }
        Ok(Self(uri))
    }
}

impl Serialize for BaseUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// === impl Network ===

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let network = text.parse().or_else(|_| text.parse().map(|ip: IpAddr| ip.into()));
        network.map(Self).map_err(|_| {
            format!("found {}, allowed: networks or addresses, as 10.0.0.0/8 or ::1", shown(&text))
        })
    }
}

impl Serialize for Network {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
