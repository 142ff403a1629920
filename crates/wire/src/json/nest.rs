//! Nesting without recursion.

/// Which containers are open, a bit each (1 = object).
#[derive(Default)]
pub(super) struct Nest {
    low: u64,
    depth: usize,
    more: Vec<u64>,
}

// === impl Nest ===

impl Nest {
    pub(super) fn push(&mut self, object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.more.push(self.low);
        }
        self.low = self.low << 1 | u64::from(object);
        self.depth += 1;
    }

    pub(super) fn pop(&mut self) {
        self.depth -= 1;
        self.low >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.low = self.more.pop().unwrap_or(0);
        }
    }

    pub(super) fn top(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.low & 1 == 1)
    }
}
