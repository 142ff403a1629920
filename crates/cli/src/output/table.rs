//! Tables: aligned on a terminal, tab-separated elsewhere.

use super::{Out, Style, cut, width};
use crate::failure::Outcome;

/// Columns that a cell takes at most on a terminal.
const CELL_COLUMNS_MAX: usize = 60;

/// A table.
#[derive(Debug)]
pub struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<(String, Option<Style>)>>,
}

// === impl Table ===

impl Table {
    /// A table with these headings.
    pub fn new(headings: &[impl AsRef<str>]) -> Self {
        let headings = headings.iter().map(|heading| heading.as_ref().to_owned()).collect();
        Self { headings, rows: Vec::new() }
    }

    /// One more row. Cells are text that is safe to print.
    pub fn row(&mut self, cells: Vec<(String, Option<Style>)>) {
        self.rows.push(cells);
    }

    /// One more row without styles.
    pub fn plain_row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.into_iter().map(|cell| (cell, None)).collect());
    }

    /// Prints it; the headings too, if wanted.
    pub fn print(&self, out: &Out, with_headings: bool) -> Outcome {
        if !out.is_terminal() {
            return self.print_plain(out, with_headings);
        }
        let widths = self.widths();
        if with_headings {
            let cells: Vec<_> =
                self.headings.iter().map(|heading| (heading.clone(), None)).collect();
            out.line(out.styled(Style::Strong, &line(out, &cells, &widths)))?;
        }
        for row in &self.rows {
            out.line(line(out, row, &widths))?;
        }
        Ok(())
    }

    fn print_plain(&self, out: &Out, with_headings: bool) -> Outcome {
        if with_headings {
            out.line(self.headings.join("\t"))?;
        }
        for row in &self.rows {
            let cells: Vec<&str> = row.iter().map(|(text, _)| text.as_str()).collect();
            out.line(cells.join("\t"))?;
        }
        Ok(())
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.headings.iter().map(|heading| width(heading)).collect();
        for row in &self.rows {
            for (column, (text, _)) in widths.iter_mut().zip(row) {
                *column = (*column).max(width(text).min(CELL_COLUMNS_MAX));
            }
        }
        widths
    }
}

fn line(out: &Out, cells: &[(String, Option<Style>)], widths: &[usize]) -> String {
    let mut line = String::new();
    for (number, ((text, style), column)) in cells.iter().zip(widths).enumerate() {
        let last = number + 1 == widths.len();
        // The last column may be as long as it is: nothing stands behind it.
        let text = if last { text.clone() } else { cut(text, *column) };
        let pad = if last { 0 } else { column - width(&text).min(*column) + 2 };
        line.push_str(&style.map_or_else(|| text.clone(), |style| out.styled(style, &text)));
        line.extend(std::iter::repeat_n(' ', pad));
    }
    line
}
