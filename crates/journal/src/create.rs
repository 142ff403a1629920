//! Making a new journal or a new epoch, and getting an existing one ready.

use crate::ahead::planned_bytes;
use crate::disk::{Disk, OpenMode, write_full, write_zeros};
use crate::format::{FORMAT, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::layout::{Lock, Meta, list_segments, read_watermark, segment_path};
use crate::options::{Options, checked};
use crate::reader::load_segment;
use crate::recovery::{Recovered, Recovery, Tail};
use crate::scan::find_frame;
use crate::{Error, Position};
use std::path::Path;

/// A directory that is locked and ready to be written.
pub(crate) struct Opened {
    pub lock: Lock,
    pub meta: Meta,
    pub tail: Tail,
    pub recovered: Recovered,
}

/// Locks the directory, makes what is missing in a new one, recovers an old one.
pub(crate) fn open(disk: &dyn Disk, options: &Options) -> Result<Opened, Error> {
    let dir = &options.dir;
    make_dir(disk, dir)?;
    let lock = Lock::take(dir)?;
    let (meta, new) = match Meta::read(disk, dir)? {
        Some(meta) => (meta, false),
        None => (make_journal(disk, options)?, true),
    };
    check_meta(&meta, options)?;
    let watermark = read_watermark(disk, dir)?;
    let recovery = Recovery {
        disk,
        dir,
        epoch: meta.epoch,
        // That of an earlier epoch says nothing of this one, which was begun durably.
        watermark: watermark.filter(|w| w.end.epoch >= meta.epoch),
        check_bytes_max: options.check_bytes_max,
    };
    let (tail, mut recovered) = recovery.run()?;
    recovered.watermark_missing = watermark.is_none() && !new;
    Ok(Opened { lock, meta, tail, recovered })
}

/// Begins the next epoch in a directory whose continuity cannot be proved, for example because
/// it was restored from a copy. Nothing that is there is changed; `Journal::open` then writes
/// the new epoch. Returns its number.
pub(crate) fn start_epoch(disk: &dyn Disk, options: &Options) -> Result<u32, Error> {
    let options = checked(options.clone())?;
    let dir = &options.dir;
    make_dir(disk, dir)?;
    let _lock = Lock::take(dir)?;
    let meta = Meta::read(disk, dir)?;
    if let Some(meta) = &meta {
        check_meta(meta, &options)?;
    }
    let mut epoch = meta.as_ref().map_or(0, |meta| meta.epoch);
    for place in list_segments(disk, dir)? {
        // A later epoch that holds no frame was being started when a process ended.
        if place.epoch > epoch && holds_frames(disk, dir, place)? {
            epoch = place.epoch;
        }
    }
    let last_ts = last_ts_micros(disk, dir)?;
    let epoch = epoch + 1;
    make_epoch(disk, &options, epoch, last_ts)?;
    let meta = meta.unwrap_or_else(|| new_meta(&options));
    Meta { epoch, ..meta }.write(disk, dir)?;
    Ok(epoch)
}

fn check_meta(meta: &Meta, options: &Options) -> Result<(), Error> {
    let mismatch = |what| Err(Error::Mismatch { path: options.dir.join("meta.json"), what });
    if meta.tenant != options.tenant {
        return mismatch(format!("tenant {}, not {}", meta.tenant, options.tenant));
    }
    match &options.writer {
        Some(writer) if *writer != meta.writer => {
            mismatch(format!("writer {}, not {writer}", meta.writer))
        }
        _ => Ok(()),
    }
}

fn new_meta(options: &Options) -> Meta {
    let made_up = || {
        let digits = uuid::Uuid::new_v4().simple().to_string();
        format!("w-{}", digits.get(..8).unwrap_or("00000000"))
    };
    Meta {
        format: FORMAT.to_owned(),
        writer: options.writer.clone().unwrap_or_else(made_up),
        tenant: options.tenant.clone(),
        epoch: 1,
    }
}

/// Makes a new journal. `meta.json` comes last: without it the directory is still new.
fn make_journal(disk: &dyn Disk, options: &Options) -> Result<Meta, Error> {
    for place in list_segments(disk, &options.dir)? {
        if holds_frames(disk, &options.dir, place)? {
            let what = "it is missing, though the directory holds records".to_owned();
            return Err(Error::Mismatch { path: options.dir.join("meta.json"), what });
        }
    }
    let meta = new_meta(options);
    make_epoch(disk, options, meta.epoch, 0)?;
    meta.write(disk, &options.dir)?;
    Ok(meta)
}

fn make_dir(disk: &dyn Disk, dir: &Path) -> Result<(), Error> {
    let failed = |e| Error::io("create", dir, e);
    disk.create_dir_all(dir).map_err(failed)?;
    // The entry of the journal's directory, and that of the directory above it.
    for above in dir.ancestors().skip(1).take(2) {
        if !above.as_os_str().is_empty() {
            disk.sync_dir(above).map_err(failed)?;
        }
    }
    Ok(())
}

/// Makes the first segment of an epoch.
fn make_epoch(
    disk: &dyn Disk,
    options: &Options,
    epoch: u32,
    last_ts_micros: i64,
) -> Result<(), Error> {
    let place = Position::new(epoch, 0, 0);
    let path = segment_path(&options.dir, place);
    let header = SegmentHeader {
        epoch,
        segment: 0,
        first_seq: 0,
        prev_end: 0,
        prev_crc: 0,
        created_micros: (options.clock)(),
        last_ts_micros,
    };
    let zeros_to = planned_bytes(0, options.segment_bytes);
    let make = || {
        let file = disk.open(&path, OpenMode::Create)?;
        file.set_size(0)?;
        write_full(&*file, &header.encode(), 0)?;
        write_zeros(&*file, SEGMENT_HEADER_BYTES, zeros_to).1?;
        file.sync_data()?;
        disk.sync_dir(&options.dir)
    };
    make().map_err(|e| Error::io("create", &path, e))
}

/// True if the segment holds at least one valid frame.
fn holds_frames(disk: &dyn Disk, dir: &Path, place: Position) -> Result<bool, Error> {
    let bytes = load_segment(disk, dir, place)?;
    Ok(find_frame(&bytes, place, 0, |_| true).is_some())
}

/// Time of the last leaf that is still readable, so that times rise across epochs.
fn last_ts_micros(disk: &dyn Disk, dir: &Path) -> Result<i64, Error> {
    for place in list_segments(disk, dir)?.into_iter().rev() {
        let bytes = load_segment(disk, dir, place)?;
        let header = SegmentHeader::decode(&bytes, place);
        let mut last = header.as_ref().map_or(0, |header| header.last_ts_micros);
        let mut from = 0;
        while let Some((at, frame)) = find_frame(&bytes, place, from, |_| true) {
            last = last.max(frame.fields.ts_micros);
            from = at + frame.bytes as u64;
        }
        if last != 0 {
            return Ok(last);
        }
    }
    Ok(0)
}
