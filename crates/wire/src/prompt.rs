//! The preview of a prompt: the whole of it where it fits, else its newest words.

use crate::json::Scan;
use crate::parts;
use crate::preview::{Preview, RESULT_MARK};

/// How many of the newest messages are looked at.
const MESSAGES_MAX: usize = 32;
/// What a line has beside role and text: `: `, its end, and `…` where it is cut.
const AROUND_CHARS: usize = 4;

/// A prompt as spans of the body: instructions and the newest messages.
pub(crate) struct Prompt<'a> {
    system: Option<&'a [u8]>,
    newest: [&'a [u8]; MESSAGES_MAX],
    count: usize,
}

struct Line {
    role: String,
    text: String,
}

// === impl Prompt ===

impl<'a> Prompt<'a> {
    pub(crate) fn new() -> Self {
        Self { system: None, newest: [&[]; MESSAGES_MAX], count: 0 }
    }

    /// The instructions, where a format has them outside of the messages.
    pub(crate) fn system(&mut self, span: &'a [u8]) {
        self.system = Some(span);
    }

    /// The next message.
    pub(crate) fn message(&mut self, span: &'a [u8]) {
        if let Some(place) = self.newest.get_mut(self.count % MESSAGES_MAX) {
            *place = span;
        }
        self.count += 1;
    }

    /// Forgets the messages (an equal key came again).
    pub(crate) fn restart(&mut self) {
        self.count = 0;
    }

    /// What a person would want to see in at most `chars_max` characters: all messages with
    /// their roles; where they do not fit, the last words of the user first, then what
    /// followed, then what came before, newest first.
    pub(crate) fn preview(&self, chars_max: usize) -> Option<String> {
        if self.count == 1 && self.system.is_none() {
            return self.only(chars_max);
        }
        let kept = self.count.min(MESSAGES_MAX);
        let mut left = chars_max;
        let mut lines: Vec<Option<Line>> = Vec::new();
        lines.resize_with(kept, || None);
        let mut last_user = None;
        for at in (0..kept).rev() {
            if self.role(at) != "user" {
                continue;
            }
            let (line, spoken) = render("user".to_owned(), self.span(at), left);
            if spoken {
                keep(&mut lines, at, line, &mut left);
                last_user = Some(at);
                break;
            }
        }
        let after = last_user.map_or(0, |at| at + 1);
        let before = last_user.unwrap_or(0);
        for at in (after..kept).rev().chain((0..before).rev()) {
            if left == 0 {
                break;
            }
            let (line, _) = render(self.role(at), self.span(at), left);
            keep(&mut lines, at, line, &mut left);
        }
        let system = self.system.filter(|_| left > 0).and_then(|span| {
            let (line, _) = render("system".to_owned(), span, left);
            line.filter(|line| !line.text.is_empty())
        });
        join(system.as_ref(), &lines, self.count > kept, chars_max)
    }

    fn only(&self, chars_max: usize) -> Option<String> {
        let span = self.span(0);
        let role = self.role(0);
        if role == "user" || role.is_empty() {
            let mut out = Preview::new(chars_max);
            parts::content(&mut Scan::new(span), &mut out).ok()?;
            return out.finish().0;
        }
        let (line, _) = render(role, span, chars_max);
        join(None, &[line], false, chars_max)
    }

    fn span(&self, at: usize) -> &'a [u8] {
        let first = self.count.saturating_sub(MESSAGES_MAX);
        self.newest.get((first + at) % MESSAGES_MAX).copied().unwrap_or_default()
    }

    fn role(&self, at: usize) -> String {
        let span = self.span(at);
        match span.first() {
            Some(b'{') => parts::role(span).unwrap_or_default(),
            _ => "user".to_owned(),
        }
    }
}

/// A message within `left` characters, its role counted; and whether it has words.
fn render(role: String, span: &[u8], left: usize) -> (Option<Line>, bool) {
    let head = role.chars().count() + AROUND_CHARS;
    if left <= head {
        return (None, false);
    }
    let mut out = Preview::new(left - head);
    if parts::content(&mut Scan::new(span), &mut out).is_err() {
        return (None, false);
    }
    let (spoken, cut) = (out.spoken, out.cut);
    let text = out.finish().0.map(|text| if cut { text + "…" } else { text });
    let line = text.map(|text| {
        // Some formats hand the results of tools back as the user.
        let from_tool = !spoken && text.starts_with(RESULT_MARK);
        Line { role: if from_tool { "tool".to_owned() } else { role }, text }
    });
    (line, spoken)
}

fn keep(lines: &mut [Option<Line>], at: usize, line: Option<Line>, left: &mut usize) {
    if let Some(line) = &line {
        let used = line.role.chars().count() + AROUND_CHARS + line.text.chars().count();
        *left = left.saturating_sub(used);
    }
    if let Some(place) = lines.get_mut(at) {
        *place = line;
    }
}

fn join(
    system: Option<&Line>,
    lines: &[Option<Line>],
    cut: bool,
    chars_max: usize,
) -> Option<String> {
    let mut out = Preview::new(chars_max);
    if let Some(line) = system {
        push(&mut out, line);
    }
    if cut {
        out.new_line();
        out.push("…");
    }
    for line in lines.iter().flatten() {
        push(&mut out, line);
    }
    out.finish().0
}

fn push(out: &mut Preview, line: &Line) {
    out.new_line();
    if !line.role.is_empty() {
        out.push(&line.role);
        out.push(": ");
    }
    out.push(&line.text);
}
