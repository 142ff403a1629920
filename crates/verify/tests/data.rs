//! Whole data directories, sound and tampered with.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

mod common;

use common::{Deployment, Key, ORIGIN, Script, Shape};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use verify::{Fault, FaultKind, KeptCheckpoint, Mode, Options, Report, Trust, verify_data};

const SMALL_SEGMENT: u64 = 12_000;
const ONE_SEGMENT: u64 = 1 << 30;

fn verify(data: &Path, mode: Mode) -> Report {
    verify_data(Options { mode, ..Options::new(data) }).unwrap()
}

fn kept(deployment: &Deployment, size: u64) -> KeptCheckpoint {
    KeptCheckpoint {
        name: "kept".to_owned(),
        note: deployment.checkpoint(size).to_string().into_bytes(),
    }
}

fn has<'a>(report: &'a Report, kind: FaultKind, message: &str) -> &'a Fault {
    let found =
        report.faults.iter().find(|fault| fault.kind == kind && fault.message.contains(message));
    found.unwrap_or_else(|| panic!("no {kind:?} with {message:?} in {:#?}", report.faults))
}

#[test]
fn a_sound_directory_has_no_fault() {
    for (records, segment_bytes) in
        [(0, ONE_SEGMENT), (1, ONE_SEGMENT), (9, SMALL_SEGMENT), (300, ONE_SEGMENT)]
    {
        let deployment = Deployment::new(&Script::mixed(records), segment_bytes);
        for mode in [Mode::Full, Mode::LedgerOnly] {
            let report = verify(deployment.data(), mode);
            assert!(report.ok(), "{records}: {:#?}", report.faults);
            assert_eq!(report.records, records);
            assert_eq!(report.events, 2 * records);
            assert_eq!(report.logs[0].leaves, records);
            assert_eq!(report.unsealed(), 0);
            assert_eq!(report.orphan_parts, 0);
            assert_eq!(report.segments, deployment.starts.len() as u64);
            assert!(report.logs[0].self_asserted_key);
        }
    }
}

#[test]
fn sizes_around_tile_borders_are_sound() {
    for records in [255, 256, 257, 511, 512, 513] {
        let deployment = Deployment::new(&Script::plain(records), ONE_SEGMENT);
        let report = verify(deployment.data(), Mode::LedgerOnly);
        assert!(report.ok(), "{records}: {:#?}", report.faults);
        assert_eq!(report.tiles, records.div_ceil(256) + u64::from(records >= 256));
    }
}

/// Flips one bit in each byte of the files and hands over each report.
fn flip_all(
    deployment: &Deployment,
    relative: &str,
    mode: Mode,
    mut check: impl FnMut(usize, Report),
) {
    let path = deployment.path(relative);
    let sound = fs::read(&path).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    // The reserved bytes of a segment's header are four thousand alike.
    let alike = |at: &usize| {
        relative.starts_with("journal/0") && (64..4092).contains(at) && !at.is_multiple_of(61)
    };
    for at in (0..sound.len()).filter(|at| !alike(at)) {
        file.write_all_at(&[sound[at] ^ 1 << (at % 8)], at as u64).unwrap();
        check(at, verify(deployment.data(), mode));
        file.write_all_at(&[sound[at]], at as u64).unwrap();
    }
    assert!(verify(deployment.data(), mode).ok());
}

#[test]
fn a_flipped_bit_in_any_byte_of_the_journal_is_found_where_it_is() {
    let deployment = Deployment::new(&Script::mixed(4), 9_000);
    assert_eq!(deployment.starts.len(), 2);
    for (segment, starts) in deployment.starts.iter().enumerate() {
        let relative = format!("journal/{:08}-{segment:08}.seg", 1);
        flip_all(&deployment, &relative, Mode::Full, |at, report| {
            let expected =
                starts.iter().rev().find(|start| **start <= at as u64).copied().unwrap_or(0);
            let first =
                report.faults.first().unwrap_or_else(|| panic!("{relative} byte {at}: not found"));
            assert_eq!(first.place.file.as_deref(), Some(&*relative), "byte {at}: {first}");
            assert_eq!(first.place.offset, Some(expected), "byte {at}: {first}");
        });
    }
}

#[test]
fn a_flipped_bit_in_any_byte_of_a_leaf_is_found_by_the_ledger_alone() {
    let deployment = Deployment::new(&Script::plain(3), ONE_SEGMENT);
    let path = deployment.segment(0);
    let sound = fs::read(&path).unwrap();
    let leaf = &deployment.leaves[1];
    let from = sound.windows(leaf.len()).position(|window| window == leaf).unwrap();
    for at in from..from + leaf.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 4;
        fs::write(&path, &bytes).unwrap();
        let report = verify(deployment.data(), Mode::LedgerOnly);
        assert_eq!(report.faults[0].place.seq, Some(1), "byte {at}");
        has(&report, FaultKind::Tile, "records 1 to 1");
        has(&report, FaultKind::Checkpoint, "are not those");
    }
}

#[test]
fn a_flipped_bit_in_any_byte_of_the_ledger_is_found_where_it_is() {
    let deployment = Deployment::new(&Script::plain(3), ONE_SEGMENT);
    for name in ["checkpoint", "vkey", "tile/0/000.p/3"] {
        let relative = format!("ledger/00000001/{name}");
        flip_all(&deployment, &relative, Mode::LedgerOnly, |at, report| {
            assert!(!report.ok(), "{relative} byte {at}");
            let place = &report.faults[0].place;
            // A key that is damaged in the right places is another key: then it is the
            // checkpoint that does not verify.
            let named = place.file.as_deref() == Some(&*relative) || name == "vkey";
            assert!(named, "{relative} byte {at}: {}", report.faults[0]);
            if name.starts_with("tile") {
                assert_eq!(place.offset, Some(at as u64));
            }
        });
    }
}

#[test]
fn every_byte_of_full_and_upper_tiles_is_compared() {
    let deployment = Deployment::new(&Script::plain(300), ONE_SEGMENT);
    for name in ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"] {
        let path = deployment.path(&format!("ledger/00000001/{name}"));
        let sound = fs::read(&path).unwrap();
        // All bytes of a tile are compared alike; the borders and some between are flipped.
        for at in (0..sound.len()).step_by(97).chain([31, sound.len() - 1]) {
            let mut bytes = sound.clone();
            bytes[at] ^= 0x80;
            fs::write(&path, &bytes).unwrap();
            let report = verify(deployment.data(), Mode::LedgerOnly);
            assert_eq!(report.fault_count(), 1, "{name} byte {at}: {:#?}", report.faults);
            assert_eq!(report.faults[0].place.offset, Some(at as u64));
        }
        fs::write(&path, &sound[..sound.len() - 1]).unwrap();
        has(&verify(deployment.data(), Mode::LedgerOnly), FaultKind::Tile, "bytes instead of");
        fs::remove_file(&path).unwrap();
        has(&verify(deployment.data(), Mode::LedgerOnly), FaultKind::TileMissing, "missing");
        fs::write(&path, &sound).unwrap();
    }
    for stray in ["tile/0/002.p/7", "tile/entries/000", "tile/0/nonsense", "tile/2/000.p/1"] {
        let path = deployment.path(&format!("ledger/00000001/{stray}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"x").unwrap();
        let report = verify(deployment.data(), Mode::LedgerOnly);
        let fault = has(&report, FaultKind::TileStray, "");
        assert_eq!(fault.place.file.as_deref(), Some(&*format!("ledger/00000001/{stray}")));
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_flipped_bit_in_any_byte_of_meta_and_watermark_is_found() {
    let deployment = Deployment::new(&Script::plain(2), ONE_SEGMENT);
    for name in ["journal/meta.json", "journal/watermark"] {
        flip_all(&deployment, name, Mode::Full, |at, report| {
            assert!(!report.ok(), "{name} byte {at}");
        });
    }
}

#[test]
fn removed_exchanged_and_doubled_records_are_found() {
    let sound = Script::plain(6);
    let mut deployment = Deployment::new(&sound, ONE_SEGMENT);
    let mut tampered = |edit: &dyn Fn(&mut Script)| {
        let mut script = sound.clone();
        edit(&mut script);
        deployment.write_journal(&script, ONE_SEGMENT);
        verify(deployment.data(), Mode::Full)
    };
    let report = tampered(&|script| drop(script.items.remove(2)));
    has(&report, FaultKind::Sequence, "records 2 to 2 are missing");
    let report = tampered(&|script| script.items.swap(2, 3));
    has(&report, FaultKind::Sequence, "stands here again or too late");
    has(&report, FaultKind::Time, "not later");
    let report = tampered(&|script| script.items.insert(3, script.items[2].clone()));
    has(&report, FaultKind::Sequence, "record 2 stands here again");
    has(&report, FaultKind::Sequence, "the record stands here again");
    // The same, with all numbers, times and checksums made anew.
    for edit in [
        (|script| drop(script.items.remove(2))) as fn(&mut Script),
        |script| script.items.swap(2, 3),
        |script| script.items.insert(3, script.items[2].clone()),
    ] {
        let report = tampered(&|script| {
            edit(script);
            script.renumber();
        });
        assert!(
            report.faults.iter().any(|fault| fault.kind == FaultKind::Checkpoint),
            "{:#?}",
            report.faults
        );
        has(&report, FaultKind::Tile, "differs from the journal's records");
    }
}

#[test]
fn an_altered_body_open_or_sealed_part_is_found_though_checksums_are_right() {
    use journal::format::FrameKind;
    for (kind, fault) in [
        (FrameKind::Part, FaultKind::Parts),
        (FrameKind::Open, FaultKind::Open),
        (FrameKind::Sealed, FaultKind::Sealed),
    ] {
        let mut script = Script::mixed(4);
        let item = &mut script.items[1];
        let frame = item.frames.iter_mut().find(|(found, ..)| *found == kind).unwrap();
        let last = frame.2.len() - 1;
        frame.2[last] ^= 1;
        let deployment = Deployment::new(&script, ONE_SEGMENT);
        let report = verify(deployment.data(), Mode::Full);
        let found = has(&report, fault, "");
        assert_eq!(found.place.seq, Some(1));
        assert!(found.place.decision_id.is_some());
        assert_eq!(report.fault_count(), 1);
        assert!(verify(deployment.data(), Mode::LedgerOnly).ok());
    }
}

#[test]
fn another_commitment_is_found() {
    use journal::format::FrameKind;
    let mut script = Script::mixed(1);
    let (_, _, sealed) =
        script.items[0].frames.iter_mut().find(|(kind, ..)| *kind == FrameKind::Sealed).unwrap();
    sealed[1] ^= 1;
    let deployment = Deployment::new(&script, ONE_SEGMENT);
    has(&verify(deployment.data(), Mode::Full), FaultKind::KeyCommit, "commitment");
}

#[test]
fn missing_and_left_over_parts_are_told_apart() {
    let sound = Script::mixed(4);
    let early = sound.items.iter().position(|item| item.leaf.is_none()).unwrap();
    // A part without its record is what a crash leaves behind.
    let mut script = sound.clone();
    let mut orphan = script.items[early].clone();
    orphan.frames[0].2[0] ^= 1;
    script.items.push(orphan);
    let last = script.items.len() - 1;
    script.items[last].seq = script.next_seq();
    let report = verify(Deployment::new(&script, ONE_SEGMENT).data(), Mode::Full);
    assert!(report.ok(), "{:#?}", report.faults);
    assert_eq!(report.orphan_parts, 1);
    // A failed write that was repeated leaves the first try's parts behind.
    let mut script = sound.clone();
    let mut again = script.items[early].clone();
    again.frames[0].2[30] ^= 1;
    script.items.insert(early, again);
    for item in &mut script.items {
        for place in &mut item.early {
            *place += 1;
        }
    }
    let report = verify(Deployment::new(&script, ONE_SEGMENT).data(), Mode::Full);
    assert!(report.ok(), "{:#?}", report.faults);
    assert_eq!(report.orphan_parts, 1);
    // One that failed and was not repeated leaves later parts behind, right beside the others.
    let mut script = sound.clone();
    let mut later = script.items[early].clone();
    later.frames[0].2[18] += 5;
    script.items.insert(early + 1, later);
    for place in script.items.iter_mut().flat_map(|item| &mut item.early) {
        *place += usize::from(*place > early);
    }
    let report = verify(Deployment::new(&script, ONE_SEGMENT).data(), Mode::Full);
    assert!(report.ok(), "{:#?}", report.faults);
    assert_eq!(report.orphan_parts, 1);
    // A record without one of its parts is a fault.
    let mut script = sound;
    script.items[early].frames[0].2[0] ^= 1;
    let report = verify(Deployment::new(&script, ONE_SEGMENT).data(), Mode::Full);
    has(&report, FaultKind::Parts, "places");
    has(&report, FaultKind::Parts, "bodies");
}

#[test]
fn a_truncated_tail_is_found_by_watermark_checkpoint_and_kept_checkpoint() {
    let mut script = Script::plain(6);
    let whole = Deployment::new(&script, ONE_SEGMENT);
    let mut deployment = Deployment::new(&script, ONE_SEGMENT);
    let zero_from = |deployment: &Deployment| {
        // Each of the records has two frames.
        let from = deployment.starts[0][8] as usize;
        let mut bytes = fs::read(deployment.segment(0)).unwrap();
        bytes[from..].fill(0);
        fs::write(deployment.segment(0), bytes).unwrap();
    };
    zero_from(&deployment);
    let report = verify(deployment.data(), Mode::Full);
    has(&report, FaultKind::Truncated, "was acknowledged");
    has(&report, FaultKind::Checkpoint, "6 records, the journal has 4");
    // The watermark put back: the checkpoint tells.
    script.items.truncate(4);
    deployment.write_journal(&script, ONE_SEGMENT);
    let report = verify(deployment.data(), Mode::Full);
    has(&report, FaultKind::Checkpoint, "the newest records were removed");
    // Everything put back: only a checkpoint that was kept elsewhere tells.
    fs::remove_dir_all(deployment.path("ledger")).unwrap();
    deployment.write_ledger(4);
    assert!(verify(deployment.data(), Mode::Full).ok());
    let options =
        Options { kept: vec![kept(&whole, 2), kept(&whole, 6)], ..Options::new(deployment.data()) };
    let report = verify_data(options).unwrap();
    has(&report, FaultKind::KeptCheckpoint, "6 records, the journal has 4");
    assert_eq!(report.fault_count(), 1);
}

#[test]
fn a_rewritten_log_is_found_by_a_kept_checkpoint_or_a_pinned_key() {
    let old = Deployment::new(&Script::plain(5), ONE_SEGMENT);
    let rewritten = Script { salt: 9, ..Script::default() };
    let rewritten = (0..7).fold(rewritten, |mut script, _| {
        script.push(Shape::default());
        script
    });
    let new = Deployment::new(&rewritten, ONE_SEGMENT);
    assert!(verify(new.data(), Mode::Full).ok());
    let options = Options { kept: vec![kept(&old, 5)], ..Options::new(new.data()) };
    has(&verify_data(options).unwrap(), FaultKind::KeptCheckpoint, "first 5 records are not those");
    // With another key.
    let new = Deployment::signed_by(&rewritten, ONE_SEGMENT, Key::new(2));
    assert!(verify(new.data(), Mode::Full).ok());
    let trust = Trust { pinned: vec![old.key.vkey()], ..Trust::default() };
    let report = verify_data(Options { trust, ..Options::new(new.data()) }).unwrap();
    has(&report, FaultKind::VerifierKey, "not the trusted one");
    has(&report, FaultKind::Checkpoint, "no signature by a known key");
    let trust = Trust { public: vec![old.key.public()], ..Trust::default() };
    let report = verify_data(Options { trust, ..Options::new(new.data()) }).unwrap();
    has(&report, FaultKind::Checkpoint, "no signature by a known key");
    let options = Options { kept: vec![kept(&old, 5)], ..Options::new(new.data()) };
    has(&verify_data(options).unwrap(), FaultKind::KeptCheckpoint, "no signature by a known key");
}

#[test]
fn the_trusted_key_is_not_self_asserted() {
    let deployment = Deployment::new(&Script::plain(2), ONE_SEGMENT);
    let trust = Trust { public: vec![deployment.key.public()], ..Trust::default() };
    let report = verify_data(Options { trust, ..Options::new(deployment.data()) }).unwrap();
    assert!(report.ok(), "{:#?}", report.faults);
    assert!(!report.logs[0].self_asserted_key);
}

#[test]
fn a_sound_journal_under_forged_tiles_is_refused() {
    // The tiles and the checkpoint are of another log, signed with the right key; every entry of
    // the journal is valid by itself.
    let mut forged = Script { salt: 3, ..Script::default() };
    for _ in 0..4 {
        forged.push(Shape::default());
    }
    let mut deployment = Deployment::new(&forged, ONE_SEGMENT);
    deployment.write_journal(&Script::plain(4), ONE_SEGMENT);
    let report = verify(deployment.data(), Mode::LedgerOnly);
    has(&report, FaultKind::Tile, "records 0 to 0");
    has(&report, FaultKind::Checkpoint, "are not those");
}

#[test]
fn a_missing_or_exchanged_segment_is_found() {
    let script = Script::mixed(16);
    let deployment = Deployment::new(&script, SMALL_SEGMENT);
    assert!(deployment.starts.len() >= 3);
    let sound = fs::read(deployment.segment(1)).unwrap();
    fs::remove_file(deployment.segment(1)).unwrap();
    let report = verify(deployment.data(), Mode::Full);
    let fault = has(&report, FaultKind::Segment, "1 segment(s) missing");
    assert_eq!(fault.place.file.as_deref(), Some("journal/00000001-00000001.seg"));
    has(&report, FaultKind::Sequence, "are missing");
    fs::copy(deployment.segment(0), deployment.segment(1)).unwrap();
    has(
        &verify(deployment.data(), Mode::Full),
        FaultKind::Segment,
        "another segment than it is named",
    );
    fs::write(deployment.segment(1), vec![0; sound.len()]).unwrap();
    has(
        &verify(deployment.data(), Mode::Full),
        FaultKind::Segment,
        "zeros where the segment's header",
    );
    fs::write(deployment.segment(1), &sound[..sound.len() / 2]).unwrap();
    assert!(!verify(deployment.data(), Mode::Full).ok());
    fs::write(deployment.segment(1), &sound).unwrap();
    // The newest segment gone.
    fs::remove_file(deployment.segment(deployment.starts.len() - 1)).unwrap();
    let report = verify(deployment.data(), Mode::LedgerOnly);
    has(&report, FaultKind::Truncated, "was acknowledged");
    has(&report, FaultKind::Checkpoint, "newest records were removed");
}

#[test]
fn a_prepared_segment_and_unsealed_records_are_no_faults() {
    let deployment = Deployment::new(&Script::mixed(9), SMALL_SEGMENT);
    fs::remove_dir_all(deployment.path("ledger")).unwrap();
    deployment.write_ledger(5);
    let prepared = deployment.segment(deployment.starts.len());
    fs::write(&prepared, vec![0; 8192]).unwrap();
    let report = verify(deployment.data(), Mode::Full);
    assert!(report.ok(), "{:#?}", report.faults);
    assert_eq!(report.unsealed(), 4);
    let mut bytes = vec![0; 8192];
    bytes[5000] = 1;
    fs::write(&prepared, bytes).unwrap();
    has(&verify(deployment.data(), Mode::Full), FaultKind::Segment, "zeros where");
}

#[test]
fn a_kept_checkpoint_of_another_log_and_a_damaged_one_are_faults() {
    let deployment = Deployment::new(&Script::plain(3), ONE_SEGMENT);
    let mut other = kept(&deployment, 2);
    other.note =
        String::from_utf8(other.note).unwrap().replace(ORIGIN, "elsewhere/x/y/1").into_bytes();
    let damaged = KeptCheckpoint { name: "damaged".to_owned(), note: b"nonsense".to_vec() };
    let options = Options { kept: vec![other, damaged], ..Options::new(deployment.data()) };
    let report = verify_data(options).unwrap();
    has(&report, FaultKind::KeptCheckpoint, "not in this data directory");
    has(&report, FaultKind::KeptCheckpoint, "not a signed note");
}

#[test]
fn the_signed_state_is_held_against_the_log() {
    let deployment = Deployment::new(&Script::plain(6), ONE_SEGMENT);
    let states = tempfile::tempdir().unwrap();
    let write = |size: u64, stated: u64| {
        let note = deployment.checkpoint(size);
        let state = serde_json::json!({
            "origin": ORIGIN, "size": stated, "root": note.checkpoint().root.to_base64(),
            "checkpoint": note.to_string(),
        });
        let state = state.to_string();
        let value = record::SlotValue { generation: 0, value: state.as_bytes() };
        let (_, slot) = record::write_slot(value).unwrap();
        fs::write(states.path().join("log.state"), slot).unwrap();
        let options = Options {
            state_dir: Some(states.path().to_owned()),
            ..Options::new(deployment.data())
        };
        verify_data(options).unwrap()
    };
    assert!(write(6, 6).ok());
    has(&write(6, 5), FaultKind::SignedState, "differ");
    has(&write(4, 4), FaultKind::SignedState, "older");
    fs::write(states.path().join("log.state"), "{").unwrap();
    let options =
        Options { state_dir: Some(states.path().to_owned()), ..Options::new(deployment.data()) };
    has(&verify_data(options).unwrap(), FaultKind::SignedState, "damaged");
}

#[test]
fn what_is_written_while_a_server_runs_is_left_out() {
    let deployment = Deployment::new(&Script::plain(4), ONE_SEGMENT);
    let end = deployment.starts[0].last().copied().unwrap() as usize;
    let mut bytes = fs::read(deployment.segment(0)).unwrap();
    bytes[end..end + 20].fill(0xaa);
    fs::write(deployment.segment(0), &bytes).unwrap();
    has(&verify(deployment.data(), Mode::Full), FaultKind::TornTail, "no frame starts here");
    let lock = fs::File::create(deployment.path("lock")).unwrap();
    lock.lock().unwrap();
    let report = verify(deployment.data(), Mode::Full);
    assert!(report.live && report.ok(), "{:#?}", report.faults);
    assert_eq!(report.records, 4);
}

#[test]
fn no_journal_is_an_error() {
    let empty = tempfile::tempdir().unwrap();
    let error = verify_data(Options::new(empty.path())).unwrap_err();
    assert!(error.to_string().contains("holds no journal"), "{error}");
}
