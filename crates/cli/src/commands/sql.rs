//! `sql`: one read-only query.

use super::{Format, Place};
use crate::client::Operator;
use crate::failure::Outcome;
use crate::output::{Out, Style, Table, note, show_value};
use clap::Args;
use serde_json::json;

const PATH: &str = "/api/v1/sql";

/// Run one SELECT over audit_events, audit_logs and the views
#[derive(Debug, Args)]
pub struct Sql {
    /// The query, in PostgreSQL's dialect
    query: String,
    #[command(flatten)]
    format: Format,
}

// === impl Sql ===

impl Sql {
    /// Runs the command.
    pub fn run(self, place: &Place) -> Outcome {
        let operator = Operator::open(&place.config()?)?;
        let answer = operator.post_json(PATH, &json!({ "query": self.query }))?;
        operator.close()?;
        let out = Out::new();
        if self.format.json {
            return out.json(&answer);
        }
        let columns: Vec<String> =
            answer["columns"].as_array().into_iter().flatten().map(show_value).collect();
        let mut table = Table::new(&columns);
        let rows = answer["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
        for row in rows {
            let cells = row.as_array().into_iter().flatten();
            table.plain_row(cells.map(show_value).collect());
        }
        table.print(&out, true)?;
        if answer["truncated"] == json!(true) {
            note("the result was cut off at its bound; add LIMIT or narrow the query");
        }
        if out.is_terminal() {
            out.line(out.styled(Style::Dim, &format!("{} rows", rows.len())))?;
        }
        Ok(())
    }
}
