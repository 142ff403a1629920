//! Work is counted, not timed: bytes that are looked at beyond the pass itself.

use super::Detectors;
use proptest::prelude::*;

/// Bytes looked at for each byte of the text, at most.
const STEPS_PER_BYTE_MAX: u64 = 96;

fn steps(detectors: &Detectors, text: &str) -> u64 {
    let mut scanner = detectors.scanner(text, false);
    scanner.run();
    scanner.steps
}

#[rustfmt::skip]
const HOSTILE: &[&str] = &[
    "sk-", "eyJ", "a@", "1 ", "4-", "token=", "-----BEGIN ", "Bearer ", "password:", "9", "é@",
    "+1(", "(", "(1)", "+1 ", "12.", "1.1.", "a:", "12:", "::", "DE89 ", "AB 12 ", "dob ",
    "born 1", "phone 1", "ssn 12 ", "ignore ", "previous ", "ignore previous ", "show ", "my ",
    "cancer ", "<", "<A_1", "\\", "\\n", "://a:", "://a:b@", "e", "eyJa.", "忽略", "之前的指令", "4111 ",
    "123-45-", "mrn 1", "passport A1", "[INST]", "-----BEGIN PRIVATE KEY-----", "a-1", "1a",
    "AAAA", "20240101", "tel 0", "dapi", "ya29.", "01 02 ", "x@y.", "@", ")", "+49 ", "B ",
    "b64 ", "2001:", "ff:", "-", "_", "=", ":",
];

#[test]
fn hostile_texts_take_steps_in_proportion_to_their_length() {
    let detectors = Detectors::default();
    for piece in HOSTILE {
        let text = piece.repeat((1 << 16) / piece.len());
        let once = steps(&detectors, &text);
        let most = STEPS_PER_BYTE_MAX * text.len() as u64;
        assert!(once <= most, "{piece:?}: {once} steps for {} bytes", text.len());
        let twice = steps(&detectors, &text.repeat(2));
        assert!(twice <= once * 2 + 4096, "{piece:?}: {once} steps, {twice} for twice as much");
    }
}

#[test]
fn megabytes_of_everything_hostile() {
    let detectors = Detectors::default();
    let all = HOSTILE.concat();
    let text = all.repeat((8 << 20) / all.len());
    assert!(steps(&detectors, &text) <= STEPS_PER_BYTE_MAX * text.len() as u64);
}

proptest! {
    #[test]
    fn any_mixture_takes_steps_in_proportion_to_its_length(
        pieces in proptest::collection::vec(proptest::sample::select(HOSTILE), 1..12),
    ) {
        let detectors = Detectors::default();
        let text = pieces.concat().repeat(64);
        prop_assert!(steps(&detectors, &text) <= STEPS_PER_BYTE_MAX * text.len() as u64 + 4096);
    }
}
