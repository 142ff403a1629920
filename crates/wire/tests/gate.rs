//! What the gate lets through, and when.

#![allow(clippy::unwrap_used, reason = "a test may")]

use bytes::Bytes;
use proptest::prelude::*;
use wire::{EventGate, Format};

/// Before the end, and all of it.
fn pass(format: Format, hide: bool, pieces: &[&[u8]]) -> (String, String) {
    let mut gate = EventGate::new(format, hide);
    let mut out = Vec::new();
    for piece in pieces {
        gate.push(Bytes::copy_from_slice(piece), &mut out);
    }
    let before = out.concat();
    gate.finish(&mut out);
    (String::from_utf8(before).unwrap(), String::from_utf8(out.concat()).unwrap())
}

const CHUNK: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

#[test]
fn the_chunk_that_injection_caused_is_dropped() {
    let all = [CHUNK, USAGE, DONE].concat();
    for size in [1, 3, 60, 1000] {
        let pieces: Vec<&[u8]> = all.as_bytes().chunks(size).collect();
        let (before, whole) = pass(Format::OpenAiChat, true, &pieces);
        assert_eq!(before, CHUNK);
        assert_eq!(whole, [CHUNK, DONE].concat());
        let (before, whole) = pass(Format::OpenAiChat, false, &pieces);
        assert_eq!(before, [CHUNK, USAGE].concat());
        assert_eq!(whole, all);
    }
}

#[test]
fn other_chunks_with_usage_or_without_choices_pass() {
    for chunk in [
        "data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":1}}\n\n",
        "data: {\"choices\":[],\"usage\":null}\n\n",
        "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n",
        "data: {\"usage\":{\"prompt_tokens\":1}}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}\n\n",
        ": comment \"usage\"\n\n",
    ] {
        assert_eq!(pass(Format::OpenAiChat, true, &[chunk.as_bytes()]).0, chunk);
    }
}

#[test]
fn an_event_waits_until_it_is_complete() {
    let mut gate = EventGate::new(Format::OpenAiChat, false);
    let mut out = Vec::new();
    gate.push(Bytes::from_static(b"data: {\"a\":"), &mut out);
    assert!(out.is_empty());
    gate.push(Bytes::from_static(b"1}\n\ndata: x"), &mut out);
    assert_eq!(out.concat(), b"data: {\"a\":1}\n\n");
}

#[test]
fn events_that_pass_are_slices_of_what_came() {
    let piece = Bytes::from([CHUNK, CHUNK, CHUNK].concat());
    let mut gate = EventGate::new(Format::OpenAiChat, true);
    let mut out = Vec::new();
    gate.push(piece.clone(), &mut out);
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].as_ptr(), piece.as_ptr());
}

#[test]
fn terminal_events_of_each_format_are_kept_back() {
    let cases = [
        (Format::OpenAiChat, "data: [DONE]\n\n"),
        (Format::OpenAiChat, "data:[DONE]\r\n\r\n"),
        (Format::Generic, "data: [DONE]\n\n"),
        (Format::AnthropicMessages, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
        (Format::AnthropicMessages, "data: { \"type\" : \"message_stop\" }\n\n"),
        (Format::OpenAiResponses, "event: response.completed\ndata: {}\n\n"),
        (Format::OpenAiResponses, "data: {\"response\":{},\"type\":\"response.failed\"}\n\n"),
        (
            Format::OpenAiResponses,
            "data: {\"type\":\"response.incomplete\"}\nevent: response.incomplete\n\n",
        ),
        (Format::Gemini, "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n"),
    ];
    for (format, end) in cases {
        let all = format!("data: {{}}\n\n{end}: after\n\n");
        let (before, whole) = pass(format, false, &[all.as_bytes()]);
        assert_eq!(before, "data: {}\n\n", "{end}");
        assert_eq!(whole, all);
    }
    let talk = "data: {\"type\":\"x\",\"delta\":\"response.completed [DONE] message_stop\"}\n\n";
    for format in [Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages] {
        assert_eq!(pass(format, false, &[talk.as_bytes()]).0, talk);
    }
}

#[test]
fn a_huge_event_flows_but_for_its_end() {
    let pad = "x".repeat(3 << 20);
    let huge = format!("data: {{\"type\":\"response.completed\",\"pad\":\"{pad}\"}}\n\n");
    let pieces: Vec<&[u8]> = huge.as_bytes().chunks(64 << 10).collect();
    let (before, whole) = pass(Format::OpenAiResponses, false, &pieces);
    assert_eq!(whole, huge);
    assert!(before.len() > 2 << 20 && before.len() < huge.len(), "{}", before.len());
    let late = format!("data: {{\"pad\":\"{pad}\",\"type\":\"response.completed\"}}\n\n");
    let pieces: Vec<&[u8]> = late.as_bytes().chunks(64 << 10).collect();
    let (before, whole) = pass(Format::OpenAiResponses, false, &pieces);
    assert_eq!(whole, late);
    assert!(before.len() < late.len());
    let other = format!("data: {{\"type\":\"delta\",\"pad\":\"{pad}\"}}\n\n");
    let pieces: Vec<&[u8]> = other.as_bytes().chunks(64 << 10).collect();
    assert_eq!(pass(Format::OpenAiResponses, false, &pieces).0, other);
}

#[test]
fn an_array_stream_keeps_only_its_last_bracket_back() {
    let all = "[{\"a\":\"]\\\"[\"},\n{\"b\":[1]}\n]\n";
    for size in [1, 4, 100] {
        let pieces: Vec<&[u8]> = all.as_bytes().chunks(size).collect();
        let (before, whole) = pass(Format::Gemini, false, &pieces);
        assert_eq!(before, "[{\"a\":\"]\\\"[\"},\n{\"b\":[1]}\n");
        assert_eq!(whole, all);
    }
}

proptest! {
    #[test]
    fn no_byte_is_lost_or_changed(
        text in "((data|event|:|id)[: ]{0,2}[\\[\\]{}a-zA-Z\"_.]{0,12}|\\[DONE\\]|message_stop|\n|\r|\r\n){0,40}",
        sizes in proptest::collection::vec(1_usize..20, 1..40),
    ) {
        for format in [Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages, Format::Gemini] {
            let (mut pieces, mut rest) = (Vec::new(), text.as_bytes());
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at(rest.len().min(*size));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(pass(format, false, &pieces).1, text.clone());
        }
    }
}
