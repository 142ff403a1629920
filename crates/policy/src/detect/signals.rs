//! What is no data to be hidden, but says what a text is about: health of a person, attempts to
//! make a model leave its instructions.

use super::kind::Builtin;
use super::scan::Scanner;
use super::text::Text;
use super::words::{Effect, Role};

/// How far a word of health may be from one that speaks of a patient.
const PATIENT_BYTES: usize = 64;
/// How long a sentence of roles may be.
const SENTENCE_BYTES: usize = 80;
/// How far from each other `previous` and `instructions` are.
const BETWEEN_BYTES: usize = 32;
/// How far behind its verb a system prompt stands.
const REVEALED_BYTES: usize = 14;
/// How far before a verb its negation ends.
const NOT_BYTES: usize = 12;

/// What was heard last.
#[derive(Default)]
pub(super) struct State {
    /// Role → bounds of the last word that has it; (0, 0): none yet.
    roles: [(usize, usize); Role::COUNT],
    /// End of the last word of a patient, plus one.
    patient: usize,
    /// The last word of health that was not counted.
    health: Option<(usize, usize)>,
}

/// Takes in a word of no number.
pub(super) fn hear(scan: &mut Scanner<'_>, effect: Effect, start: usize, end: usize) {
    match effect {
        Effect::Patient => {
            scan.signals.patient = end + 1;
            if let Some((from, to)) = scan.signals.health.take()
                && start.saturating_sub(to) <= PATIENT_BYTES
                && is_one_sentence(scan.text, to, start)
            {
                scan.add(Builtin::HealthTerm, from, to, 0.7);
            }
        }
        Effect::Health => {
            let patient = scan.signals.patient;
            let near = patient > 0 && (start + 1).saturating_sub(patient) <= PATIENT_BYTES;
            if near && is_one_sentence(scan.text, patient - 1, start) {
                scan.add(Builtin::HealthTerm, start, end, 0.75);
            } else {
                scan.signals.health = Some((start, end));
            }
            scan.steps += PATIENT_BYTES as u64;
        }
        Effect::Injection => scan.add(Builtin::PromptInjection, start, end, 0.9),
        Effect::Jailbreak => scan.add(Builtin::Jailbreak, start, end, 0.8),
        Effect::Role(role) => hear_role(scan, role, start, end),
        Effect::Context(_) | Effect::Listed(_) => {}
    }
}

fn hear_role(scan: &mut Scanner<'_>, role: Role, start: usize, end: usize) {
    let negated = {
        let (from, to) = scan.signals.get(Role::Not);
        to > 0 && from < start && start.saturating_sub(to) <= NOT_BYTES
    };
    if negated && matches!(role, Role::Ignore | Role::Reveal | Role::Pretend) {
        return;
    }
    // `your instructions` is heard before `instructions`: a longer word stays.
    let (from, to) = scan.signals.get(role);
    if to == 0 || start >= to || start < from {
        scan.signals.set(role, start, end);
    }
    scan.steps += SENTENCE_BYTES as u64;
    let found = match role {
        Role::Ignore | Role::Previous | Role::Instructions => ignored(scan),
        Role::SystemPrompt => revealed(scan, start, end),
        Role::Limits => unlimited(scan),
        _ => None,
    };
    if let Some((kind, start, end, score)) = found {
        scan.add(kind, start, end, score);
        scan.signals.set(Role::Ignore, 0, 0);
    }
}

type Found = (Builtin, usize, usize, f32);

/// Ignore … previous … instructions, the verb first or last, in one sentence.
fn ignored(scan: &Scanner<'_>) -> Option<Found> {
    let roles = [Role::Ignore, Role::Previous, Role::Instructions];
    let [ignore, previous, instructions] = roles.map(|role| scan.signals.get(role));
    if ignore.1 == 0 || previous.1 == 0 || instructions.1 == 0 {
        return None;
    }
    let start = ignore.0.min(previous.0).min(instructions.0);
    let end = ignore.1.max(previous.1).max(instructions.1);
    let first = ignore.0 <= previous.0 && ignore.0 <= instructions.0;
    // The verb stands last in Japanese, Korean, Hindi.
    let last = ignore.0 >= previous.1 && ignore.0 >= instructions.1;
    let first = first || (last && scan.text.byte(ignore.0) >= 0xE0);
    let apart = previous.1 <= instructions.0 || instructions.1 <= previous.0;
    let (from, to) = (previous.1.min(instructions.1), previous.0.max(instructions.0));
    let together = to.saturating_sub(from) <= BETWEEN_BYTES
        && !scan.text.slice(from, to).windows(2).any(|two| two == b", ");
    (first
        && apart
        && together
        && end - start <= SENTENCE_BYTES
        && is_one_sentence(scan.text, start, end))
    .then_some((Builtin::PromptInjection, start, end, 0.9))
}

/// Reveal … system prompt.
fn revealed(scan: &Scanner<'_>, start: usize, end: usize) -> Option<Found> {
    let (from, to) = scan.signals.get(Role::Reveal);
    let near = to > 0
        && to <= start
        && start - to <= REVEALED_BYTES
        && is_one_sentence(scan.text, to, start);
    near.then_some((Builtin::PromptInjection, from, end, 0.7))
}

/// Pretend … without … limits.
fn unlimited(scan: &Scanner<'_>) -> Option<Found> {
    let roles = [Role::Pretend, Role::Without, Role::Limits];
    let [pretend, without, limits] = roles.map(|role| scan.signals.get(role));
    let ordered = pretend.1 > 0 && pretend.1 <= without.0 && without.1 <= limits.0;
    (ordered && limits.1 - pretend.0 <= 2 * SENTENCE_BYTES && limits.0 - without.1 <= 32)
        .then_some((Builtin::Jailbreak, pretend.0, limits.1, 0.8))
}

/// Whether no sentence ends between two places, which are not far apart.
fn is_one_sentence(text: Text<'_>, start: usize, end: usize) -> bool {
    let between = text.slice(start, end);
    let stops = between.windows(2).any(|two| match two {
        [b'.' | b'!' | b'?', next] => next.is_ascii_whitespace(),
        [b'\n', b'\n'] => true,
        _ => false,
    });
    !stops && memchr::memmem::find(between, "。".as_bytes()).is_none()
}

/// Marks that separate roles in what a model reads, and have no place in content.
pub(super) fn markup(text: Text<'_>, at: usize) -> Option<Found> {
    const MARKS: [&[u8]; 8] = [
        b"<|im_start|>",
        b"<|im_end|>",
        b"<|system|>",
        b"<|start_header_id|>",
        b"<|endoftext|>",
        b"<<SYS>>",
        b"[INST]",
        b"[/INST]",
    ];
    let mark = MARKS.iter().find(|mark| text.starts(at, mark))?;
    Some((Builtin::PromptInjection, at, at + mark.len(), 0.6))
}

// === impl State ===

impl State {
    fn get(&self, role: Role) -> (usize, usize) {
        self.roles.get(role as usize).copied().unwrap_or_default()
    }

    fn set(&mut self, role: Role, start: usize, end: usize) {
        if let Some(place) = self.roles.get_mut(role as usize) {
            *place = (start, end);
        }
    }
}
