//! What is replaced in one text, so that nothing is found in what remains.

use super::tokens::Tokens;
use crate::detect::{Detectors, Finding, Kind, resolve};

/// Replacing brings things nearer to each other, which may then be found: looked again so often.
const ROUNDS_MAX: usize = 6;

/// How a text is looked at.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub detectors: &'a Detectors,
    /// The name that the text stands under.
    pub name: Option<&'a str>,
    /// The text may have been cut at its end.
    pub cut: bool,
    /// What others found in it.
    pub outside: &'a [Finding],
}

/// Part of a text, and what stands in its place.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
    pub token: String,
    kind: Kind,
    score: f32,
}

impl Look<'_> {
    /// What is found in a text, ours and others'.
    pub(super) fn findings(self, text: &str) -> Vec<Finding> {
        let own = self.own(text);
        if self.outside.is_empty() {
            return own;
        }
        resolve([own.as_slice(), self.outside].concat())
    }

    fn own(self, text: &str) -> Vec<Finding> {
        match (self.name, self.cut) {
            (Some(name), _) => self.detectors.detect_named(name, text),
            (None, true) => self.detectors.detect_cut(text),
            (None, false) => self.detectors.detect(text),
        }
    }
}

/// What is to be replaced in a text, in order.
pub(super) fn of(look: Look<'_>, text: &str, tokens: &mut Tokens) -> Vec<Span> {
    let mut data: Vec<Finding> = look.findings(text);
    data.retain(|finding| !finding.is_signal());
    if data.is_empty() {
        return Vec::new();
    }
    let before = tokens.clone();
    let mut spans = named(&data, text, tokens);
    for _ in 0..ROUNDS_MAX {
        let seen = render(text, &spans);
        let mut more = look.own(&seen);
        more.retain(|finding| !finding.is_signal());
        if more.is_empty() {
            break;
        }
        for finding in &mut more {
            (finding.start, finding.end) = back(&spans, finding.start, finding.end);
        }
        more.extend(spans.iter().map(Span::finding));
        *tokens = before.clone();
        spans = named(&resolve(more), text, tokens);
    }
    spans
}

/// The text with its spans replaced.
pub(super) fn render(text: &str, spans: &[Span]) -> String {
    let mut rendered = String::with_capacity(text.len());
    let mut copied = 0;
    for span in spans {
        rendered.push_str(text.get(copied..span.start).unwrap_or_default());
        rendered.push_str(&span.token);
        copied = span.end;
    }
    rendered.push_str(text.get(copied..).unwrap_or_default());
    rendered
}

fn named(findings: &[Finding], text: &str, tokens: &mut Tokens) -> Vec<Span> {
    let span = |finding: &Finding| {
        let value = text.get(finding.start..finding.end).unwrap_or_default();
        Span {
            start: finding.start,
            end: finding.end,
            token: tokens.token(finding.kind, value),
            kind: finding.kind,
            score: finding.score,
        }
    };
    findings.iter().map(span).collect()
}

/// Bounds in the rendered text → bounds in the text, with the whole of each span they touch.
fn back(spans: &[Span], start: usize, end: usize) -> (usize, usize) {
    // How much further the rendered text is than the text, behind the spans so far.
    let (mut gained, mut lost) = (0, 0);
    let (mut from, mut to) = (None, None);
    for span in spans {
        let at = span.start + gained - lost;
        let behind = at + span.token.len();
        if from.is_none() && start < behind {
            from = Some(if start < at { start + lost - gained } else { span.start });
        }
        if to.is_none() && end <= at {
            to = Some(end + lost - gained);
        }
        if to.is_none() && end <= behind {
            to = Some(span.end);
        }
        gained += span.token.len();
        lost += span.end - span.start;
    }
    (from.unwrap_or_else(|| start + lost - gained), to.unwrap_or_else(|| end + lost - gained))
}

impl Span {
    const fn finding(&self) -> Finding {
        Finding { kind: self.kind, start: self.start, end: self.end, score: self.score }
    }
}
