//! The SQL guard: any text is translated or refused, and what was translated is one SELECT that
//! the guard takes again or refuses for being SQLite's dialect, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(sql) = std::str::from_utf8(data) else { return };
    let now = event::Timestamp::from_micros(1_795_219_200_000_000);
    if let Ok(translated) = index_sqlite::translate(sql, &[], now) {
        let start = translated.trim_start_matches(['(', ' ']).to_ascii_uppercase();
        assert!(
            ["SELECT", "WITH", "VALUES", "FROM"].iter().any(|verb| start.starts_with(verb)),
            "{translated}"
        );
        let _again = index_sqlite::translate(&translated, &[], now);
    }
});
