//! The checks themselves.

use super::Finding;
use crate::compose;
use crate::config::{Config, Listen};
use gateway::Provider;
use seal::{KeyRing, LocalKeyFile, SigningKey};
use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Less free space is too little.
const FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;
/// Less free space is worth a remark.
const FREE_BYTES_GOOD: u64 = 4 * 1024 * 1024 * 1024;
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// A clock before this (2026-01-01) was never set.
const EARLIEST_S: u64 = 1_767_225_600;
/// Files may be this much newer than the clock.
const SKEW_MAX: Duration = Duration::from_secs(5);

/// Everything but the configuration itself.
pub fn all(config: &Config) -> Vec<Finding> {
    let mut findings = vec![clock(config)];
    let exists = config.data.is_dir();
    findings.push(directory(config, exists));
    findings.push(disk(config));
    if exists {
        findings.push(server(config));
        findings.push(keys(config));
        findings.push(ledger(config));
        findings.push(index(config));
    }
    if !exists || compose::is_locked(&config.data).is_none() {
        findings.push(listener("gateway.listen", config.gateway.listen));
        findings.push(listener("api.listen", config.api.listen));
    }
    findings.extend(providers(config));
    findings
}

fn clock(config: &Config) -> Finding {
    const CHECK: &str = "clock";
    let now = SystemTime::now();
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    if since.as_secs() < EARLIEST_S {
        return Finding::failed(CHECK, "the clock was never set; set it (NTP)");
    }
    let written = fs::metadata(config.data.join("journal").join("watermark"));
    match written.and_then(|file| file.modified()) {
        Ok(written) if written.duration_since(now).is_ok_and(|ahead| ahead > SKEW_MAX) => {
            Finding::warning(CHECK, "the journal was written later than the clock shows; check NTP")
        }
        _ => Finding::ok(CHECK, event::Timestamp::now().to_string()),
    }
}

fn directory(config: &Config, exists: bool) -> Finding {
    const CHECK: &str = "data directory";
    let data = config.data.display();
    if !exists {
        return Finding::ok(CHECK, format!("{data} does not exist yet; `serve` makes it"));
    }
    if let Err(failure) = compose::inspect_directory(&config.data) {
        let failure = crate::failure::Failure::from(failure);
        return Finding::failed(CHECK, failure.message.unwrap_or_default());
    }
    let probe = config.data.join(format!(".doctor-{}", std::process::id()));
    let written = fs::write(&probe, b"x").and_then(|()| fs::remove_file(&probe));
    if let Err(error) = written {
        return Finding::failed(
            CHECK,
            format!("{data} cannot be written: {error}; check its permissions"),
        );
    }
    match mode(&config.data) {
        Ok(mode) if mode & 0o077 != 0 => Finding::warning(
            CHECK,
            format!("{data} is open to others (mode {mode:o}); run: chmod 700 {data}"),
        ),
        Ok(_) => Finding::ok(CHECK, format!("{data} can be written, by its owner only")),
        Err(error) => Finding::failed(CHECK, format!("{data} cannot be read: {error}")),
    }
}

fn disk(config: &Config) -> Finding {
    const CHECK: &str = "disk";
    let place = config.data.ancestors().find(|place| place.exists());
    let place = place.unwrap_or(Path::new("."));
    let free = match rustix::fs::statvfs(place) {
        Ok(stat) => stat.f_bavail * stat.f_frsize,
        Err(error) => return Finding::failed(CHECK, format!("free space is not known: {error}")),
    };
    let gib = free as f64 / f64::from(1 << 30);
    if free < FREE_BYTES_MIN {
        return Finding::failed(
            CHECK,
            format!("{gib:.1} GiB free: calls would be refused; free space"),
        );
    }
    if free < FREE_BYTES_GOOD {
        return Finding::warning(
            CHECK,
            format!("{gib:.1} GiB free: soon calls are refused; free space"),
        );
    }
    Finding::ok(CHECK, format!("{gib:.1} GiB free"))
}

fn server(config: &Config) -> Finding {
    const CHECK: &str = "server";
    if compose::is_locked(&config.data).is_none() {
        return Finding::ok(CHECK, "no server runs on this data directory");
    }
    let socket = crate::socket::SocketPath::of(&config.data)
        .and_then(|path| Ok(std::os::unix::net::UnixStream::connect(path.path())?));
    match socket {
        Ok(_) => Finding::ok(CHECK, "a server runs and answers on its control socket"),
        Err(_) => Finding::failed(
            CHECK,
            "a process has the data directory, but its control socket does not answer; see its log",
        ),
    }
}

fn keys(config: &Config) -> Finding {
    const CHECK: &str = "keys";
    let dir = config.data.join("keys");
    if !dir.exists() {
        return Finding::ok(CHECK, "none yet; `serve` makes them");
    }
    for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
        if let Ok(mode) = mode(&entry.path())
            && mode & 0o077 != 0
        {
            let path = entry.path();
            let path = path.display();
            return Finding::failed(
                CHECK,
                format!("{path} is open to others (mode {mode:o}); run: chmod 600 {path}"),
            );
        }
    }
    let opened =
        SigningKey::load(&dir).and_then(|_| LocalKeyFile::load(&dir)).and_then(|provider| {
            KeyRing::open_read_only(&config.data.join("subjects.db"), Arc::new(provider)).map(drop)
        });
    match opened {
        Ok(()) => {
            Finding::ok(CHECK, "signing key, key-encryption key and subject keys fit together")
        }
        Err(error) => Finding::failed(CHECK, error.to_string()),
    }
}

fn ledger(config: &Config) -> Finding {
    const CHECK: &str = "ledger";
    if !config.data.join("journal").join("meta.json").exists() {
        return Finding::ok(CHECK, "nothing is recorded yet");
    }
    let Ok(epoch) = super::super::checkpoint::epoch_of(&config.data) else {
        return Finding::failed(CHECK, "journal/meta.json is damaged; run `audit-layer verify`");
    };
    match recorder::LedgerFiles::new(&config.data.join("ledger"), epoch).checkpoint() {
        Ok(Some(text)) => {
            let size = text.lines().nth(1).unwrap_or("?");
            Finding::ok(
                CHECK,
                format!("{size} records are sealed; `audit-layer verify` checks them"),
            )
        }
        Ok(None) => Finding::warning(CHECK, "there is no checkpoint yet"),
        Err(error) => Finding::failed(CHECK, format!("the checkpoint cannot be read: {error}")),
    }
}

fn index(config: &Config) -> Finding {
    const CHECK: &str = "index";
    let path = config.index_file();
    if !path.exists() {
        return Finding::ok(CHECK, "none yet; `serve` makes it");
    }
    let status = index_sqlite::SqliteReader::open(&path)
        .and_then(|index| index::IndexReader::status(&index));
    match status {
        Ok(status) => {
            Finding::ok(CHECK, format!("{} decisions, {} events", status.decisions, status.events))
        }
        Err(error) => Finding::failed(CHECK, error.to_string()),
    }
}

fn listener(key: &str, listen: Listen) -> Finding {
    match TcpListener::bind(listen.0) {
        Ok(_) => Finding::ok(key, format!("{listen} is free")),
        Err(error) => Finding::failed(
            key,
            format!(
                "{listen} cannot be listened on: {error}; stop what listens there, or choose another address"
            ),
        ),
    }
}

fn providers(config: &Config) -> Vec<Finding> {
    match compose::providers(config) {
        Ok(providers) => providers.iter().map(provider).collect(),
        Err(failure) => vec![Finding::failed("providers", failure.message.unwrap_or_default())],
    }
}

fn provider(provider: &Provider) -> Finding {
    let check = format!("provider {}", provider.name);
    let url = &provider.base_url;
    let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("https") { 443 } else { 80 });
    let host = url.host().unwrap_or_default();
    match connect(host.trim_matches(['[', ']']), port) {
        Ok(()) => Finding::ok(check, format!("{host}:{port} takes connections")),
        Err(error) => Finding::failed(
            check,
            format!("{host}:{port} cannot be reached: {error}; start it, or correct its base_url"),
        ),
    }
}

fn connect(host: &str, port: u16) -> io::Result<()> {
    let mut last = io::Error::other("the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_MAX) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn mode(path: &Path) -> io::Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}
