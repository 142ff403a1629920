//! Server-sent events in bytes: where they end, and what they hold.

use std::borrow::Cow;

/// Finds the ends of events in bytes that come in any pieces.
#[derive(Debug)]
pub(crate) struct Boundary {
    /// At the start of a line.
    line_empty: bool,
    /// The last byte was a CR: an LF now belongs to it.
    after_cr: bool,
    /// An event ended at that CR, but its LF is expected.
    ended_at_cr: bool,
    /// The last line ended by CR LF, so that the next one will, too.
    crlf: bool,
}

/// One event, as far as providers use them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    /// The `event:` field, empty where there is none.
    pub(crate) name: &'a [u8],
    /// The `data:` fields, joined by line feeds.
    pub(crate) data: Cow<'a, [u8]>,
}

// === impl Boundary ===

impl Boundary {
    pub(crate) fn new() -> Self {
        Self { line_empty: true, after_cr: false, ended_at_cr: false, crlf: false }
    }

    /// How many of `bytes` (which follow what was given before) belong to the current event,
    /// if it ends within them. Nothing behind that is looked at.
    pub(crate) fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.after_cr {
                self.after_cr = false;
                if byte == b'\n' {
                    self.crlf = true;
                    at += 1;
                    if std::mem::take(&mut self.ended_at_cr) {
                        return Some(at);
                    }
                    continue;
                }
                self.crlf = false;
                if std::mem::take(&mut self.ended_at_cr) {
                    return Some(at);
                }
            }
            match byte {
                b'\n' | b'\r' => {
                    at += 1;
                    let empty = std::mem::replace(&mut self.line_empty, true);
                    self.after_cr = byte == b'\r';
                    if empty && byte == b'\r' && self.crlf {
                        self.ended_at_cr = true;
                    } else if empty {
                        return Some(at);
                    }
                    if byte == b'\n' {
                        self.crlf = false;
                    }
                }
                _ => {
                    self.line_empty = false;
                    let rest = bytes.get(at..).unwrap_or_default();
                    at += memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                }
            }
        }
        None
    }
}

// === impl Event ===

impl<'a> Event<'a> {
    /// Reads the lines of one event. A byte order mark is allowed at the start.
    pub(crate) fn parse(bytes: &'a [u8]) -> Self {
        let mut event = Event { name: &[], data: Cow::Borrowed(&[]) };
        let mut rest = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let mut has_data = false;
        while !rest.is_empty() {
            let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            let (field, value) = match memchr::memchr(b':', line) {
                Some(colon) => {
                    let value = line.get(colon + 1..).unwrap_or_default();
                    (line.get(..colon).unwrap_or_default(), value)
                }
                None => (line, &[][..]),
            };
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match field {
                b"event" => event.name = value,
                b"data" if has_data => {
                    let data = event.data.to_mut();
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                b"data" => {
                    has_data = true;
                    event.data = Cow::Borrowed(value);
                }
                _ => {}
            }
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Boundary, Event};

    fn split(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut boundary = Boundary::new();
        let (mut events, mut current) = (Vec::new(), Vec::new());
        for piece in pieces {
            let mut rest = *piece;
            while let Some(end) = boundary.find(rest) {
                current.extend_from_slice(&rest[..end]);
                events.push(std::mem::take(&mut current));
                rest = &rest[end..];
            }
            current.extend_from_slice(rest);
        }
        (events, current)
    }

    /// The standard's own algorithm, over the whole text at once.
    fn model(text: &str) -> Vec<(String, String)> {
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let (mut found, mut name, mut data) = (Vec::new(), String::new(), String::new());
        let mut lines: Vec<&str> = text.split('\n').collect();
        lines.pop();
        for line in lines {
            if line.is_empty() {
                if !data.is_empty() {
                    data.pop();
                    found.push((name.clone(), data.clone()));
                }
                name.clear();
                data.clear();
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => name = value.to_owned(),
                "data" => {
                    data.push_str(value);
                    data.push('\n');
                }
                _ => {}
            }
        }
        found
    }

    fn parsed(events: &[Vec<u8>]) -> Vec<(String, String)> {
        let with_data = |bytes: &&Vec<u8>| {
            let text = String::from_utf8_lossy(bytes);
            text.trim_start_matches('\u{FEFF}')
                .split(['\n', '\r'])
                .any(|line| line == "data" || line.starts_with("data:"))
        };
        events
            .iter()
            .filter(with_data)
            .map(|bytes| {
                let event = Event::parse(bytes);
                (
                    String::from_utf8_lossy(event.name).into_owned(),
                    String::from_utf8_lossy(&event.data).into_owned(),
                )
            })
            .collect()
    }

    #[test]
    fn crlf_split_between_its_bytes_is_one_line_end() {
        let (events, rest) = split(&[b"data: a\r", b"\n\r", b"\ndata: b\r\n\r\n"]);
        assert_eq!(events, [b"data: a\r\n\r\n".to_vec(), b"data: b\r\n\r\n".to_vec()]);
        assert!(rest.is_empty());
    }

    #[test]
    fn bare_cr_ends_an_event_at_once() {
        let (events, rest) = split(&[b"data: a\r\r"]);
        assert_eq!(events, [b"data: a\r\r".to_vec()]);
        assert!(rest.is_empty());
    }

    #[test]
    fn unfinished_event_stays_back() {
        let (events, rest) = split(&[b"data: a\n\ndata: b\n"]);
        assert_eq!(events.len(), 1);
        assert_eq!(rest, b"data: b\n");
    }

    fn stream() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            Just(String::new()),
            "data:[ a-c:é]{0,6}",
            "event: ?[a-c]{0,3}",
            ":[a-c]{0,3}",
            "data",
            "id: 1",
        ];
        let end = prop_oneof![Just("\n"), Just("\r"), Just("\r\n")];
        let bom = prop_oneof![9 => Just(""), 1 => Just("\u{FEFF}")];
        (bom, proptest::collection::vec((line, end), 0..24)).prop_map(|(bom, lines)| {
            let mut text = bom.to_owned();
            for (line, end) in lines {
                text.push_str(&line);
                text.push_str(end);
            }
            text
        })
    }

    proptest! {
        #[test]
        fn events_are_those_of_the_standard(text in stream(), cuts in proptest::collection::vec(0_usize..200, 0..8)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let (mut events, rest) = split(&pieces);
            prop_assert_eq!([events.concat(), rest.clone()].concat(), bytes);
            // A CR at the very end may still wait for its LF.
            if rest.ends_with(b"\r") {
                events.push(rest);
            }
            let mut expected = model(&text);
            let found = parsed(&events);
            if found.len() > expected.len() && text.ends_with('\r') {
                // The rest that was added was an unfinished event.
                expected = model(&format!("{text}\r"));
            }
            prop_assert_eq!(found, expected);
        }
    }
}
