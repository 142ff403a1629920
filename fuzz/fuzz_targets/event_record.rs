//! Any bytes as a record's leaf, open part and fields; the first byte chooses the event's type.
//! Looking whether fields can be read and reading them agree, and what was read is written so that
//! it can be read again.
#![no_main]

use event::{Class, EventData, EventType, Headers, Leaf, OpenData};
use libfuzzer_sys::fuzz_target;

fn fields(event_type: EventType, json: &str) {
    let read = EventData::read(event_type, json);
    assert_eq!(read.is_ok(), EventData::check(event_type, json).is_ok());
    let Ok(data) = read else { return };
    let mut written = Vec::new();
    data.write(Class::ALL, &mut written);
    let again = std::str::from_utf8(&written).map(|json| EventData::read(event_type, json));
    assert!(matches!(again, Ok(Ok(_))), "written, and not to be read");
}

/// Recorded headers are what the plain list of pairs is.
fn headers(json: &str) {
    let read = serde_json::from_str::<Headers>(json).ok();
    let pairs = serde_json::from_str::<Vec<(String, String)>>(json).ok();
    assert_eq!(read, pairs.map(Headers::from_iter));
}

fuzz_target!(|data: &[u8]| {
    let [select, rest @ ..] = data else { return };
    let event_type = EventType::ALL[usize::from(*select) % EventType::ALL.len()];
    if let Ok(leaf) = Leaf::read(rest) {
        assert_eq!(leaf.to_bytes(), rest);
    }
    if let Ok(open) = OpenData::read(rest) {
        for index in 0..open.events.len() {
            let joined = open.join(index, event_type, &[]);
            assert_eq!(joined.is_ok(), open.check(index, event_type, &[]).is_ok());
        }
    }
    if let Ok(json) = std::str::from_utf8(rest) {
        fields(event_type, json);
        headers(json);
    }
});
