//! PostgreSQL's expressions as SQLite's.

use super::functions::PLAIN;
use super::literal;
use event::Timestamp;
use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, LimitClause, ObjectName,
    ObjectNamePart, OrderByKind, Query, UnaryOperator, Value, VisitorMut,
};
use std::ops::ControlFlow;

/// Columns that hold times, as texts of one form.
const TIME_COLUMNS: [&str; 6] =
    ["timestamp", "first_at", "last_at", "first_seen", "last_seen", "decided_at"];
/// Functions of ours that give times.
const TIME_FUNCTIONS: [&str; 3] = ["time_add", "date_trunc", "to_time"];
/// The column that holds an exact decimal as text.
const MONEY_COLUMN: &str = "cost_usd";
/// The key of `event_data` that has an index, on SQLite's own `->>`.
const INDEXED_KEY: &str = "user_id";

type Flow = ControlFlow<String>;
type Rewritten = Result<Option<Expr>, String>;

/// Rewrites expressions, innermost first.
#[derive(Debug)]
pub struct Rewrite {
    now: Timestamp,
}

// === impl Rewrite ===

impl Rewrite {
    /// `now` is what `NOW()` stands for.
    pub const fn new(now: Timestamp) -> Self {
        Self { now }
    }
}

impl VisitorMut for Rewrite {
    type Break = String;

    fn post_visit_query(&mut self, query: &mut Query) -> Flow {
        if let Some(order) = &mut query.order_by
            && let OrderByKind::Expressions(keys) = &mut order.kind
        {
            for key in keys {
                as_number(&mut key.expr);
            }
        }
        // SQLite takes an OFFSET behind a LIMIT only.
        if let Some(LimitClause::LimitOffset { limit: limit @ None, offset: Some(_), .. }) =
            &mut query.limit_clause
        {
            *limit = Some(number("-1"));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        let rewritten = match expr {
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::Between { expr, low, high, .. } => {
                as_number(expr);
                self.align(expr, low).and_then(|()| self.align(expr, high)).map(|()| None)
            }
            Expr::InList { expr, list, .. } => {
                as_number(expr);
                list.iter_mut().try_for_each(|item| self.align(expr, item)).map(|()| None)
            }
            Expr::Function(function) => self.function(function),
            Expr::Cast { expr, data_type, .. } => self.cast(expr, data_type),
            Expr::TypedString(typed) => {
                let literal = Expr::Value(typed.value.clone());
                self.cast(&literal, &typed.data_type)
            }
            Expr::Extract { field, expr, .. } => {
                let name = string(&field.to_string().to_lowercase());
                Ok(Some(call("extract_field", vec![name, take(expr)])))
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char } => {
                let mut arguments = vec![take(pattern), take(expr)];
                arguments.extend(escape_char.as_mut().map(|escape| take(escape)));
                Ok(Some(not(*negated, call("ilike", arguments))))
            }
            Expr::Like { any: true, .. } | Expr::ILike { any: true, .. } => {
                Err("LIKE ANY is not supported; join LIKEs with OR".to_owned())
            }
            Expr::Position { expr, r#in } => Ok(Some(call("instr", vec![take(r#in), take(expr)]))),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let from = substring_from.as_mut().map_or_else(|| number("1"), |from| take(from));
                let mut arguments = vec![take(expr), from];
                arguments.extend(substring_for.as_mut().map(|length| take(length)));
                Ok(Some(call("substr", arguments)))
            }
            Expr::Ceil { expr, .. } => Ok(Some(call("ceil", vec![take(expr)]))),
            Expr::Floor { expr, .. } => Ok(Some(call("floor", vec![take(expr)]))),
            Expr::AtTimeZone { timestamp, time_zone } => match text_of(time_zone) {
                Some("UTC" | "utc" | "Z") => Ok(Some(take(timestamp))),
                _ => Err("times are in UTC; AT TIME ZONE takes 'UTC' alone".to_owned()),
            },
            _ => Ok(None),
        };
        match rewritten {
            Ok(Some(new)) => *expr = new,
            Ok(None) => {}
            Err(message) => return ControlFlow::Break(message),
        }
        ControlFlow::Continue(())
    }
}

impl Rewrite {
    fn binary(&self, left: &mut Expr, op: &BinaryOperator, right: &mut Expr) -> Rewritten {
        match op {
            BinaryOperator::Plus | BinaryOperator::Minus => self.shift(left, op, right),
            BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq => {
                as_number(left);
                as_number(right);
                self.align(left, right)?;
                self.align(right, left)?;
                Ok(None)
            }
            BinaryOperator::LongArrow => {
                let column = matches!(&*left, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
                if column && text_of(right) == Some(INDEXED_KEY) {
                    return Ok(None);
                }
                Ok(Some(json_text(arrow(take(left), take(right)))))
            }
            BinaryOperator::HashArrow => Ok(Some(arrow(take(left), path(right)?))),
            BinaryOperator::HashLongArrow => Ok(Some(json_text(arrow(take(left), path(right)?)))),
            BinaryOperator::PGRegexMatch
            | BinaryOperator::PGRegexIMatch
            | BinaryOperator::PGRegexNotMatch
            | BinaryOperator::PGRegexNotIMatch => {
                Err("regular expressions are not supported; use LIKE or ILIKE".to_owned())
            }
            BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo
            | BinaryOperator::StringConcat
            | BinaryOperator::And
            | BinaryOperator::Or
            | BinaryOperator::Arrow => Ok(None),
            other => Err(format!("the operator {other} is not supported")),
        }
    }

    /// `time ± interval`; other sums stay.
    fn shift(&self, left: &mut Expr, op: &BinaryOperator, right: &mut Expr) -> Rewritten {
        let minus = *op == BinaryOperator::Minus;
        if minus && is_time(left) && is_time(right) {
            return Err(
                "a difference of times is not supported; subtract EXTRACT(EPOCH FROM …)".to_owned()
            );
        }
        let (time, interval) = match (&*left, &*right) {
            (_, Expr::Interval(_)) => (left, right),
            (Expr::Interval(_), _) if !minus => (right, left),
            _ => return Ok(None),
        };
        let Expr::Interval(interval) = interval else { return Ok(None) };
        let unit = interval.leading_field.as_ref().map(ToString::to_string);
        let text =
            text_of(&interval.value).map_or_else(|| interval.value.to_string(), str::to_owned);
        let span = literal::span(&text, unit.as_deref())
            .filter(|_| interval.last_field.is_none())
            .ok_or_else(|| format!("{text:?} is not an interval; write such as '24 hours'"))?;
        let sign = if minus { -1 } else { 1 };
        let whole = |value: i64| number(&value.saturating_mul(sign).to_string());
        let time = match text_of(time) {
            Some(_) => self.time_literal(time)?,
            None => take(time),
        };
        Ok(Some(call("time_add", vec![time, whole(span.months), whole(span.micros)])))
    }

    /// Where one side is a time and the other a text, writes the text as times are stored.
    fn align(&self, one: &Expr, other: &mut Expr) -> Result<(), String> {
        if is_time(one) && text_of(other).is_some() {
            *other = self.time_literal(other)?;
        }
        Ok(())
    }

    fn time_literal(&self, expr: &Expr) -> Result<Expr, String> {
        let text = text_of(expr).unwrap_or_default();
        literal::time(text, self.now)
            .map(|at| string(&at.to_string()))
            .ok_or_else(|| format!("{text:?} is not a time; write such as '2024-01-31 10:00'"))
    }

    fn cast(&self, expr: &Expr, data_type: &DataType) -> Rewritten {
        let name = data_type.to_string().to_lowercase();
        let is = |names: &[&str]| names.iter().any(|prefix| name.starts_with(prefix));
        let inner = || expr.clone();
        let to = |data_type| {
            let expr = Box::new(inner());
            Ok(Some(Expr::Cast { kind: CastKind::Cast, expr, data_type, format: None }))
        };
        if is(&["timestamp"]) {
            return match text_of(expr) {
                Some(_) => self.time_literal(expr).map(Some),
                None => Ok(Some(call("to_time", vec![inner()]))),
            };
        }
        if is(&["interval"]) {
            let Some(text) = text_of(expr) else {
                return Err("only a string can become an INTERVAL".to_owned());
            };
            return Ok(Some(Expr::Interval(sqlparser::ast::Interval {
                value: Box::new(string(text)),
                leading_field: None,
                leading_precision: None,
                last_field: None,
                fractional_seconds_precision: None,
            })));
        }
        if is(&["date"]) && !is(&["datetime"]) {
            return Ok(Some(call("to_date", vec![inner()])));
        }
        if is(&["json", "bool"]) {
            return Ok(Some(inner()));
        }
        if is(&["text", "varchar", "char", "character", "uuid"]) {
            return to(DataType::Text);
        }
        if is(&["int", "bigint", "smallint"]) {
            return to(DataType::Integer(None));
        }
        if is(&["numeric", "decimal"]) {
            return to(DataType::Numeric(ExactNumberInfo::None));
        }
        if is(&["float", "double", "real"]) {
            return to(DataType::Real);
        }
        Err(format!(
            "casts to {data_type} are not supported; there are text, integer, numeric, double \
             precision, timestamp, date, interval, jsonb, boolean"
        ))
    }

    fn function(&self, function: &mut Function) -> Rewritten {
        let name = function.name.to_string().to_lowercase();
        if !function.within_group.is_empty() {
            return Err(format!("WITHIN GROUP is not supported ({name})"));
        }
        match name.as_str() {
            "now"
            | "current_timestamp"
            | "transaction_timestamp"
            | "statement_timestamp"
            | "clock_timestamp"
            | "localtimestamp" => {
                return Ok(Some(call("to_time", vec![string(&self.now.to_string())])));
            }
            "current_date" => {
                return Ok(Some(call("to_date", vec![string(&self.now.to_string())])));
            }
            "date_part" => rename(function, "extract_field"),
            "string_agg" => rename(function, "group_concat"),
            "greatest" | "bool_or" => rename(function, "max"),
            "least" | "bool_and" | "every" => rename(function, "min"),
            "char_length" | "character_length" => rename(function, "length"),
            "substring" => rename(function, "substr"),
            "btrim" => rename(function, "trim"),
            "strpos" => rename(function, "instr"),
            "ceiling" | "ceil" => rename(function, "ceil"),
            "left" => {
                if let Some(arguments) = arguments(function)
                    && arguments.len() == 2
                {
                    arguments.insert(1, unnamed(number("1")));
                }
                rename(function, "substr");
            }
            "date_trunc" | "floor" => {}
            plain if PLAIN.contains(&plain) => {}
            _ => {
                return Err(format!(
                    "there is no function {name}; there are {}, date_trunc, extract, now",
                    PLAIN.join(", ")
                ));
            }
        }
        if matches!(name.as_str(), "min" | "max" | "round" | "greatest" | "least")
            && let Some(arguments) = arguments(function)
        {
            for argument in arguments {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument {
                    as_number(expr);
                }
            }
        }
        Ok(None)
    }
}

fn is_time(expr: &Expr) -> bool {
    let column = |name: &Ident| TIME_COLUMNS.contains(&name.value.to_lowercase().as_str());
    match expr {
        Expr::Identifier(name) => column(name),
        Expr::CompoundIdentifier(names) => names.last().is_some_and(column),
        Expr::Nested(inner) => is_time(inner),
        Expr::Function(function) => {
            let name = function.name.to_string();
            let first = || match &function.args {
                FunctionArguments::List(list) => list.args.first(),
                _ => None,
            };
            TIME_FUNCTIONS.contains(&name.as_str())
                || matches!(name.as_str(), "min" | "max")
                    && matches!(first(), Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(inner)))
                        if is_time(inner))
        }
        _ => false,
    }
}

/// Exact decimals are stored as texts; compared and sorted they are numbers.
fn as_number(expr: &mut Expr) {
    let name = match &*expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(names) => names.last(),
        _ => None,
    };
    if name.is_some_and(|name| name.value.eq_ignore_ascii_case(MONEY_COLUMN)) {
        let inner = Box::new(take(expr));
        *expr = Expr::Cast {
            kind: CastKind::Cast,
            expr: inner,
            data_type: DataType::Real,
            format: None,
        };
    }
}

/// `'{usage,input_tokens}'` as SQLite's path.
fn path(expr: &Expr) -> Result<Expr, String> {
    let wrong = || "a path is a string such as '{usage,input_tokens}'".to_owned();
    let text = text_of(expr).ok_or_else(wrong)?;
    let keys = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or_else(wrong)?;
    let mut path = "$".to_owned();
    for key in keys.split(',').map(str::trim) {
        if key.is_empty() || key.contains(['\'', '"', '\\']) {
            return Err(wrong());
        }
        if key.bytes().all(|byte| byte.is_ascii_digit()) {
            path.extend(["[", key, "]"]);
        } else {
            path.extend([".\"", key, "\""]);
        }
    }
    Ok(string(&path))
}

fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        Expr::Nested(inner) => text_of(inner),
        _ => None,
    }
}

fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::Value(Value::Null.into()))
}

/// A string literal. Texts come without quotes in them, or with quotes doubled as in the query.
fn string(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).into())
}

fn number(text: &str) -> Expr {
    Expr::Value(Value::Number(text.to_owned(), false).into())
}

fn arrow(left: Expr, right: Expr) -> Expr {
    let op = BinaryOperator::Arrow;
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

fn json_text(expr: Expr) -> Expr {
    call("json_text", vec![expr])
}

fn not(negated: bool, expr: Expr) -> Expr {
    if !negated {
        return expr;
    }
    let inner = Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) };
    Expr::Nested(Box::new(inner))
}

fn unnamed(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

fn function_name(name: &str) -> ObjectName {
    ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))])
}

fn rename(function: &mut Function, name: &str) {
    function.name = function_name(name);
}

fn arguments(function: &mut Function) -> Option<&mut Vec<FunctionArg>> {
    match &mut function.args {
        FunctionArguments::List(list) => Some(&mut list.args),
        _ => None,
    }
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: function_name(name),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.into_iter().map(unnamed).collect(),
            clauses: Vec::new(),
        }),
        within_group: Vec::new(),
        filter: None,
        null_treatment: None,
        over: None,
    })
}
