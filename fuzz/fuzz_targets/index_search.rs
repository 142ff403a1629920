//! The search syntax: any text is a search or an error that points into it; what was understood
//! is written as text that is understood as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<index::Search>() {
        Err(error) => assert!(error.at <= text.chars().count(), "{error}"),
        Ok(search) => {
            let written = search.to_string();
            // Written out it may be longer than what may be typed.
            if written.len() <= index::SEARCH_BYTES_MAX {
                let again: index::Search = written.parse().unwrap_or_else(|error| {
                    panic!("{text:?} was understood, {written:?} was not: {error}")
                });
                assert_eq!(again.to_string(), written);
            }
        }
    }
});
