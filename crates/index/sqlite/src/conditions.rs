//! `WHERE` clauses with their parameters.

use rusqlite::types::Value;

/// Conditions that all must hold. Parameters are numbered in the order of their adding.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    clauses: Vec<String>,
    values: Vec<Value>,
}

// === impl Conditions ===

impl Conditions {
    /// Adds a condition; each `?` in it stands for the next of these values.
    pub fn add(&mut self, clause: &str, values: impl IntoIterator<Item = Value>) {
        self.clauses.push(clause.to_owned());
        self.values.extend(values);
    }

    /// Adds a condition without values.
    pub fn add_plain(&mut self, clause: &str) {
        self.clauses.push(clause.to_owned());
    }

    /// `column = value`, where a value is given.
    pub fn equal(&mut self, column: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.add(&format!("{column} = ?"), [value.into()]);
        }
    }

    /// Whether nothing is restricted.
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// The `WHERE` clause, with its space; nothing where there are no conditions.
    pub fn clause(&self) -> String {
        if self.clauses.is_empty() {
            return String::new();
        }
        format!(" WHERE {}", self.clauses.join(" AND "))
    }

    /// Adds these behind one's own.
    pub fn append(&mut self, other: Self) {
        self.clauses.extend(other.clauses);
        self.values.extend(other.values);
    }

    /// The parameters.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }
}
