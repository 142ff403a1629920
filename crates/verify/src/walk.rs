//! Reading segments ahead, on a thread of its own: frames are found and their checksums
//! verified here; what the frames say is judged by who receives them.

use crate::error::VerifyError;
use crate::report::Mode;
use journal::Position;
use journal::format::{
    BadFrame, BadHeader, FRAME_ALIGN_BYTES, FRAME_HEADER_BYTES, FRAME_MAGIC, FrameFields,
    FrameHead, FrameKind, KEYS_BYTES_MAX, SEGMENT_HEADER_BYTES, SegmentHeader, decode_frame,
    decode_head, segment_name,
};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};

/// Bytes read at once; one frame can need more.
const BLOCK_BYTES: usize = 1 << 20;
/// Blocks that wait to be judged.
pub(crate) const BLOCKS_WAITING_MAX: usize = 3;
/// Header and keys of one frame.
const HEAD_BYTES_MAX: usize = FRAME_HEADER_BYTES + KEYS_BYTES_MAX;
/// Runs of zeros are looked through in steps of this.
const ZERO_STEP_BYTES: usize = 4096;

/// Part of a segment: its bytes and what was found in them, in order.
#[derive(Debug)]
pub(crate) struct Block {
    /// Epoch and segment; the offset is of no meaning.
    pub segment: Position,
    /// The bytes that the items' ranges refer to.
    pub bytes: Vec<u8>,
    pub items: Vec<Item>,
    /// Bytes of all segments that are done with this block.
    pub done: u64,
}

/// One thing found in a segment.
#[derive(Debug)]
pub(crate) enum Item {
    /// The segment begins.
    Header(Result<SegmentHeader, BadHeader>),
    /// A frame whose header is valid.
    Frame(FoundFrame),
    /// Something that is no valid frame, behind which frames go on.
    Bad { at: u64, what: &'static str },
    /// The segment ends: no frame starts at `at` or behind it.
    End { at: u64, what: &'static str, nonzero_to: Option<u64> },
}

/// A frame within a block.
#[derive(Debug)]
pub(crate) struct FoundFrame {
    pub fields: FrameFields,
    pub at: u64,
    pub next: u64,
    pub keys: Range<usize>,
    /// Empty where payloads are passed over.
    pub payload: Range<usize>,
    pub header_crc: u32,
    /// What is wrong with payload or padding.
    pub damage: Option<&'static str>,
}

/// What to read.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub journal: PathBuf,
    /// In order.
    pub segments: Vec<Position>,
    /// Nothing behind this is read.
    pub until: Option<Position>,
    pub mode: Mode,
}

/// The receiving end.
#[derive(Debug)]
pub(crate) struct Blocks {
    blocks: Receiver<Result<Option<Block>, VerifyError>>,
    used: Sender<Vec<u8>>,
}

/// Takes blocks back.
#[derive(Debug)]
pub(crate) struct Recycler(Sender<Vec<u8>>);

/// The reading end, over one segment.
struct Walker<'a> {
    file: File,
    bytes_total: u64,
    segment: Position,
    until: u64,
    mode: Mode,
    /// The bytes of the file from `start` on; the first `filled` of the buffer are valid.
    buffer: Vec<u8>,
    start: u64,
    filled: usize,
    items: Vec<Item>,
    done_before: u64,
    out: &'a Out,
}

struct Out {
    blocks: SyncSender<Result<Option<Block>, VerifyError>>,
    used: Receiver<Vec<u8>>,
}

/// A head without its borrowed keys.
struct Sizes {
    fields: FrameFields,
    keys_len: usize,
    payload_len: usize,
    bytes: usize,
    header_crc: u32,
}

/// The walk ends before the journal does.
enum Stop {
    /// Nobody receives any more.
    Unwanted,
    Failed(VerifyError),
}

// === impl Blocks ===

impl Blocks {
    /// Starts to read.
    pub(crate) fn start(plan: Plan) -> Result<Self, VerifyError> {
        let (blocks, received) = sync_channel(BLOCKS_WAITING_MAX);
        let (used, recycled) = std::sync::mpsc::channel();
        std::thread::Builder::new()
            .name("verify-read".to_owned())
            .spawn(move || walk_all(&plan, &Out { blocks, used: recycled }))
            .map_err(|_| VerifyError::Thread)?;
        Ok(Self { blocks: received, used })
    }

    /// The next block; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Block>, VerifyError> {
        // Without the message that all was read, something is missing.
        self.blocks.recv().map_err(|_| VerifyError::Thread)?
    }

    /// Where blocks go that are done with.
    pub(crate) fn recycler(&self) -> Recycler {
        Recycler(self.used.clone())
    }
}

// === impl Recycler ===

impl Recycler {
    /// Gives a block's buffer back, once nobody else holds the block.
    pub(crate) fn take(&self, block: Arc<Block>) {
        if let Some(block) = Arc::into_inner(block) {
            // At the end nobody wants it any more.
            let _unwanted = self.0.send(block.bytes);
        }
    }
}

// === walking ===

fn walk_all(plan: &Plan, out: &Out) {
    let mut done = 0;
    for segment in &plan.segments {
        match walk_segment(plan, *segment, done, out) {
            Ok(bytes) => done += bytes,
            Err(Stop::Unwanted) => return,
            Err(Stop::Failed(error)) => {
                let _unwanted = out.blocks.send(Err(error));
                return;
            }
        }
    }
    let _unwanted = out.blocks.send(Ok(None));
}

fn walk_segment(plan: &Plan, segment: Position, done: u64, out: &Out) -> Result<u64, Stop> {
    let path = plan.journal.join(segment_name(segment.epoch, segment.segment));
    let failed = |source| Stop::Failed(VerifyError::io(&path, source));
    let file = File::open(&path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let until = match plan.until {
        Some(until) if (until.epoch, until.segment) == (segment.epoch, segment.segment) => {
            until.offset
        }
        _ => u64::MAX,
    };
    let mut walker = Walker {
        file,
        bytes_total: bytes.min(until),
        segment,
        until,
        mode: plan.mode,
        buffer: out.used.try_recv().unwrap_or_default(),
        start: 0,
        filled: 0,
        items: Vec::new(),
        done_before: done,
        out,
    };
    walker.walk(&path)?;
    Ok(bytes)
}

// === impl Walker ===

impl Walker<'_> {
    fn walk(&mut self, path: &Path) -> Result<(), Stop> {
        let place = self.segment;
        let header =
            SegmentHeader::decode(self.window(0, SEGMENT_HEADER_BYTES as usize, path)?, place);
        if matches!(header, Err(BadHeader::Newer)) {
            return Err(Stop::Failed(VerifyError::NewerFormat { path: path.to_owned() }));
        }
        // A file that was prepared and never begun has zeros from its first byte on.
        let mut at = match header {
            Err(BadHeader::Empty) => 0,
            _ => SEGMENT_HEADER_BYTES,
        };
        self.items.push(Item::Header(header));
        loop {
            at = match self.frame(at, path)? {
                Ok(next) => next,
                Err(bad) => match self.behind(at, bad, path)? {
                    Some(next) => next,
                    None => break,
                },
            };
        }
        self.flush(self.bytes_total)
    }

    /// Takes the frame at `at`; yields where the next one starts.
    fn frame(&mut self, at: u64, path: &Path) -> Result<Result<u64, BadFrame>, Stop> {
        let place = Position { offset: at, ..self.segment };
        let mut head = decode_head(self.window(at, FRAME_HEADER_BYTES, path)?, place).map(sizes);
        if matches!(head, Err(BadFrame::Short(_))) {
            head = decode_head(self.window(at, HEAD_BYTES_MAX, path)?, place).map(sizes);
        }
        let Sizes { fields, keys_len, payload_len, bytes, header_crc } = match head {
            Ok(head) => head,
            Err(bad) => return Ok(Err(bad)),
        };
        let next = at + bytes as u64;
        if next > self.bytes_total {
            return Ok(Err(BadFrame::Short(bytes)));
        }
        let mut damage = None;
        let whole = self.mode == Mode::Full
            || matches!(fields.kind, FrameKind::Leaf | FrameKind::SegmentEnd);
        if whole {
            match decode_frame(self.window(at, bytes, path)?, place) {
                Ok(_) => {}
                // The header is valid, so its lengths are: the walk goes on behind the frame.
                Err(bad) => damage = Some(bad.what()),
            }
        }
        let base = (at - self.start) as usize + FRAME_HEADER_BYTES;
        let keys = base..base + keys_len;
        let payload = if whole { keys.end..keys.end + payload_len } else { 0..0 };
        self.items.push(Item::Frame(FoundFrame {
            fields,
            at,
            next,
            keys,
            payload,
            header_crc,
            damage,
        }));
        Ok(Ok(next))
    }

    /// What follows bytes that are no frame: the place of the next frame, or the end.
    fn behind(&mut self, at: u64, bad: BadFrame, path: &Path) -> Result<Option<u64>, Stop> {
        if bad == BadFrame::Empty && self.first_nonzero(at, path)?.is_none() {
            self.items.push(Item::End { at, what: bad.what(), nonzero_to: None });
            return Ok(None);
        }
        let next = self.next_frame(at, path)?;
        let item = match next {
            Some(_) => Item::Bad { at, what: bad.what() },
            None => Item::End { at, what: bad.what(), nonzero_to: self.last_nonzero(at, path)? },
        };
        self.items.push(item);
        Ok(next)
    }

    /// The next place behind `at` where a frame with a valid header starts.
    fn next_frame(&mut self, at: u64, path: &Path) -> Result<Option<u64>, Stop> {
        let align = FRAME_ALIGN_BYTES as u64;
        let mut at = at.max(SEGMENT_HEADER_BYTES).next_multiple_of(align);
        loop {
            at += align;
            let place = self.segment;
            let window = self.window(at, HEAD_BYTES_MAX, path)?;
            let mut offset = 0;
            while offset + FRAME_HEADER_BYTES <= window.len() {
                let rest = &window[offset..];
                let here = Position { offset: at + offset as u64, ..place };
                if rest.starts_with(&FRAME_MAGIC) {
                    match decode_head(rest, here) {
                        Ok(_) => return Ok(Some(here.offset)),
                        // Its keys may lie in the next window.
                        Err(BadFrame::Short(_)) if offset > 0 => break,
                        Err(_) => {}
                    }
                }
                offset += FRAME_ALIGN_BYTES;
            }
            if window.len() < FRAME_HEADER_BYTES {
                return Ok(None);
            }
            at += (offset as u64).saturating_sub(align);
        }
    }

    fn first_nonzero(&mut self, at: u64, path: &Path) -> Result<Option<u64>, Stop> {
        let mut at = at;
        loop {
            let window = self.window(at, ZERO_STEP_BYTES, path)?;
            if window.is_empty() {
                return Ok(None);
            }
            if let Some(found) = position_nonzero(window) {
                return Ok(Some(at + found as u64));
            }
            at += window.len() as u64;
        }
    }

    /// The end of the last byte that is not zero, at `at` or behind it.
    fn last_nonzero(&mut self, at: u64, path: &Path) -> Result<Option<u64>, Stop> {
        let (mut at, mut last) = (at, None);
        loop {
            let window = self.window(at, ZERO_STEP_BYTES, path)?;
            if window.is_empty() {
                return Ok(last);
            }
            if let Some(found) = window.iter().rposition(|byte| *byte != 0) {
                last = Some(at + found as u64 + 1);
            }
            at += window.len() as u64;
        }
    }

    /// The bytes from `at` on: at least `wanted`, where the file has that many.
    fn window(&mut self, at: u64, wanted: usize, path: &Path) -> Result<&[u8], Stop> {
        let wanted = usize::try_from(self.bytes_total.saturating_sub(at))
            .map_or(wanted, |rest| wanted.min(rest));
        let held = self.start..=self.start + self.filled as u64;
        if !held.contains(&at) || !held.contains(&(at + wanted as u64)) {
            self.fill(at, wanted, path)?;
        }
        let from = ((at - self.start) as usize).min(self.filled);
        Ok(&self.buffer[from..self.filled])
    }

    /// Hands out what was found so far and reads from `at` on.
    fn fill(&mut self, at: u64, wanted: usize, path: &Path) -> Result<(), Stop> {
        self.flush(at)?;
        let rest = usize::try_from(self.bytes_total.saturating_sub(at)).unwrap_or(usize::MAX);
        let size = wanted.max(BLOCK_BYTES).min(rest);
        if self.buffer.len() < size {
            self.buffer.resize(size, 0);
        }
        self.start = at;
        self.filled = 0;
        while self.filled < size {
            let (to, from) = (&mut self.buffer[self.filled..size], at + self.filled as u64);
            match self.file.read_at(to, from) {
                Ok(0) => break,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Stop::Failed(VerifyError::io(path, error))),
            }
        }
        Ok(())
    }

    fn flush(&mut self, at: u64) -> Result<(), Stop> {
        if self.items.is_empty() {
            return Ok(());
        }
        let fresh = self.out.used.try_recv().unwrap_or_default();
        let block = Block {
            segment: self.segment,
            bytes: std::mem::replace(&mut self.buffer, fresh),
            items: std::mem::take(&mut self.items),
            done: self.done_before + at.min(self.until),
        };
        self.filled = 0;
        self.out.blocks.send(Ok(Some(block))).map_err(|_| Stop::Unwanted)
    }
}

fn sizes(head: FrameHead<'_>) -> Sizes {
    Sizes {
        fields: head.fields,
        keys_len: head.keys.len(),
        payload_len: head.payload_len,
        bytes: head.bytes,
        header_crc: head.header_crc,
    }
}

fn position_nonzero(bytes: &[u8]) -> Option<usize> {
    let step = bytes
        .chunks(ZERO_STEP_BYTES)
        .position(|chunk| chunk.iter().fold(0, |all, byte| all | byte) != 0)?;
    let from = step * ZERO_STEP_BYTES;
    bytes[from..].iter().position(|byte| *byte != 0).map(|at| from + at)
}
