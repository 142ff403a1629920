//! A progress bar, on a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

const BAR_COLUMNS: u64 = 30;
/// The bar is drawn this often at most.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// How far long work is. Draws nothing where standard error is no terminal.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    terminal: bool,
    drawn: Option<Instant>,
}

// === impl Progress ===

impl Progress {
    /// A bar for this work.
    pub fn new(what: &'static str) -> Self {
        Self { what, terminal: io::stderr().is_terminal(), drawn: None }
    }

    /// So many bytes of so many are done.
    pub fn at(&mut self, done: u64, total: u64) {
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= DRAW_EVERY);
        if !self.terminal || total == 0 || !due {
            return;
        }
        self.drawn = Some(Instant::now());
        let filled = done.min(total) * BAR_COLUMNS / total;
        let bar: String = (0..BAR_COLUMNS).map(|at| if at < filled { '█' } else { '░' }).collect();
        let percent = done.min(total) * 100 / total;
        let mib = 1024 * 1024;
        draw(&format!("{} {bar} {percent:3} % of {} MiB", self.what, total.div_ceil(mib)));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            draw("");
        }
    }
}

fn draw(text: &str) {
    // A bar that cannot be drawn is no reason to stop.
    let _drawn = write!(io::stderr().lock(), "\r\x1b[2K{text}");
}
