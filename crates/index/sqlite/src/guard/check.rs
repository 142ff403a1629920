//! What a query may be made of.

use index::Relation;
use sqlparser::ast::{
    Distinct, Expr, Ident, ObjectName, Query, Select, SetExpr, TableFactor, Value, VisitorMut,
};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Tables and views that queries may read.
pub const TABLES: [&str; 6] = [
    "audit_events",
    "audit_logs",
    "sessions",
    "decision_outcomes",
    "compliance_reports",
    "model_metadata",
];

type Flow = ControlFlow<String>;

/// Refuses what is not a plain `SELECT` over known tables.
#[derive(Debug)]
pub struct Check<'a> {
    /// Tables and views, then what comes with the query.
    known: Vec<&'a str>,
    /// Names of the query's own common table expressions.
    own: HashSet<String>,
    /// Names of the tables that it reads.
    read: HashSet<String>,
}

/// Refuses what the rewriting has left over because SQLite has nothing like it.
#[derive(Debug)]
pub struct Leftovers;

fn refuse(message: impl Into<String>) -> Flow {
    ControlFlow::Break(message.into())
}

// === impl Check ===

impl VisitorMut for Check<'_> {
    type Break = String;

    fn pre_visit_query(&mut self, query: &mut Query) -> Flow {
        if let Some(with) = &query.with {
            if with.recursive {
                return refuse("WITH RECURSIVE is not allowed; write it without recursion");
            }
            self.own.extend(with.cte_tables.iter().map(|cte| fold_case(&cte.alias.name)));
        }
        if !query.locks.is_empty() {
            return refuse("FOR UPDATE and FOR SHARE are not allowed; queries only read");
        }
        if query.fetch.is_some() {
            return refuse("FETCH is not supported; use LIMIT");
        }
        if query.for_clause.is_some()
            || query.settings.is_some()
            || query.format_clause.is_some()
            || !query.pipe_operators.is_empty()
        {
            return refuse(
                "FOR, SETTINGS, FORMAT and pipes are not supported; write a plain SELECT",
            );
        }
        body(&query.body)
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> Flow {
        if select.into.is_some() {
            return refuse("SELECT INTO is not allowed; queries only read");
        }
        if matches!(select.distinct, Some(Distinct::On(_))) {
            return refuse("DISTINCT ON is not supported; use GROUP BY or row_number()");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> Flow {
        match factor {
            TableFactor::Table { name, args: None, sample: None, version: None, .. } => {
                self.table(name)
            }
            TableFactor::Derived { lateral: false, .. } | TableFactor::NestedJoin { .. } => {
                ControlFlow::Continue(())
            }
            other => refuse(format!("{other} is not supported in FROM; allowed: {}", self.known())),
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        let name = match expr {
            Expr::Identifier(name) => Some(&*name),
            Expr::CompoundIdentifier(names) => names.last(),
            _ => None,
        };
        match name {
            Some(name) if name.value.starts_with('_') => {
                refuse(format!("there is no column {:?}", name.value))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

impl<'a> Check<'a> {
    pub fn new(beside: &'a [Relation]) -> Self {
        let known = TABLES.into_iter().chain(beside.iter().map(|relation| relation.name));
        Self { known: known.collect(), own: HashSet::new(), read: HashSet::new() }
    }

    /// Whether the query reads this, and not a table of its own of that name.
    pub fn reads(&self, name: &str) -> bool {
        self.read.contains(name) && !self.own.contains(name)
    }

    fn known(&self) -> String {
        self.known.join(", ")
    }

    fn table(&mut self, name: &mut ObjectName) -> Flow {
        let mut parts: Vec<Ident> =
            name.0.iter().filter_map(|part| part.as_ident().cloned()).collect();
        if parts.len() == 2 && fold_case(&parts[0]) == "public" {
            parts.remove(0);
            name.0.remove(0);
        }
        let found = match parts.as_slice() {
            [only] if name.0.len() == 1 => fold_case(only),
            _ => return refuse(format!("there is no table {name}; there are {}", self.known())),
        };
        if self.known.contains(&found.as_str()) || self.own.contains(&found) {
            self.read.insert(found);
            return ControlFlow::Continue(());
        }
        refuse(format!("there is no table {name}; there are {}", self.known()))
    }
}

fn fold_case(name: &Ident) -> String {
    name.value.to_lowercase()
}

fn body(body: &SetExpr) -> Flow {
    match body {
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => ControlFlow::Continue(()),
        SetExpr::SetOperation { left, right, .. } => {
            self::body(left)?;
            self::body(right)
        }
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
            refuse("writing is not allowed; queries only read")
        }
        SetExpr::Table(_) => refuse("TABLE is not supported; write SELECT * FROM"),
    }
}

// === impl Leftovers ===

impl VisitorMut for Leftovers {
    type Break = String;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        match expr {
            Expr::Interval(_) => {
                refuse("INTERVAL is supported only where it is added to or taken from a time")
            }
            Expr::SimilarTo { .. } | Expr::RLike { .. } => {
                refuse("regular expressions are not supported; use LIKE or ILIKE")
            }
            Expr::AnyOp { .. } | Expr::AllOp { .. } | Expr::Array(_) => {
                refuse("arrays, ANY and ALL are not supported; use IN (…)")
            }
            Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => {
                refuse("GROUPING SETS, CUBE and ROLLUP are not supported; use UNION ALL")
            }
            Expr::Value(value) => match &value.value {
                Value::Placeholder(_) => refuse("parameters are not supported; write the value"),
                Value::Number(..)
                | Value::SingleQuotedString(_)
                | Value::Boolean(_)
                | Value::Null => ControlFlow::Continue(()),
                other => refuse(format!("{other} is not supported; write a 'plain' string")),
            },
            Expr::CompoundFieldAccess { .. } | Expr::JsonAccess { .. } => {
                refuse("subscripts are not supported; use -> and ->>")
            }
            Expr::Convert { .. }
            | Expr::AtTimeZone { .. }
            | Expr::Overlay { .. }
            | Expr::Prefixed { .. }
            | Expr::Struct { .. }
            | Expr::Dictionary(_)
            | Expr::Map(_)
            | Expr::MatchAgainst { .. }
            | Expr::Lambda(_)
            | Expr::MemberOf(_)
            | Expr::TypedString(_)
            | Expr::IsJson { .. }
            | Expr::IsNormalized { .. }
            | Expr::InUnnest { .. } => refuse(format!("{expr} is not supported")),
            _ => ControlFlow::Continue(()),
        }
    }
}
