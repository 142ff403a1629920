//! Conditions of the common kind, compiled when a bundle is loaded. Cedar's evaluator copies every
//! value on its way and finds each attribute by name anew; over a thousand policies that is half a
//! millisecond. What is not plainly true or false here is left to it, errors too.

use cedar_policy_core::ast::{
    BinaryOp, Expr, ExprKind, Literal, Set, UnaryOp, Value, ValueKind, Var,
};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Members of a set up to which each is looked at.
const LOOKED_THROUGH_MAX: usize = 8;

/// Attributes of a record.
pub(super) type Attributes = BTreeMap<SmolStr, Value>;

/// Conditions that are answered together: they share what they read of the context.
#[derive(Debug, Default)]
pub(super) struct Program {
    nodes: Vec<Node>,
    paths: Vec<Box<[SmolStr]>>,
}

/// A condition of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At(usize);

/// A step of a condition.
#[derive(Debug)]
enum Node {
    /// Left to Cedar.
    Other,
    Bool(bool),
    Long(i64),
    Text(SmolStr),
    /// What stands in the context at a path.
    Path(usize),
    Has(usize, SmolStr),
    And(At, At),
    Or(At, At),
    Not(At),
    Contains(At, Literal),
    Binary(BinaryOp, At, At),
}

/// A value in the context or in a policy.
#[derive(Clone, Copy)]
pub(super) enum Found<'a> {
    Bool(bool),
    Long(i64),
    Text(&'a str),
    Set(&'a Set),
    Record(&'a Attributes),
}

// === impl Program ===

impl Program {
    /// Takes a condition in.
    pub(super) fn add(&mut self, condition: &Expr) -> At {
        let node = self.node(condition);
        self.nodes.push(node);
        At(self.nodes.len() - 1)
    }

    fn node(&mut self, expression: &Expr) -> Node {
        match expression.expr_kind() {
            ExprKind::Lit(Literal::Bool(bool)) => Node::Bool(*bool),
            ExprKind::Lit(Literal::Long(long)) => Node::Long(*long),
            ExprKind::Lit(Literal::String(text)) => Node::Text(text.clone()),
            ExprKind::Var(Var::Context) | ExprKind::GetAttr { .. } => {
                self.path(expression).map_or(Node::Other, Node::Path)
            }
            ExprKind::HasAttr { expr, attr } => match self.path(expr) {
                Some(path) => Node::Has(path, attr.clone()),
                None => Node::Other,
            },
            ExprKind::And { left, right } => Node::And(self.add(left), self.add(right)),
            ExprKind::Or { left, right } => Node::Or(self.add(left), self.add(right)),
            ExprKind::UnaryApp { op: UnaryOp::Not, arg } => Node::Not(self.add(arg)),
            ExprKind::BinaryApp { op: BinaryOp::Contains, arg1, arg2 } => match arg2.expr_kind() {
                ExprKind::Lit(literal) => Node::Contains(self.add(arg1), literal.clone()),
                _ => Node::Other,
            },
            ExprKind::BinaryApp { op, arg1, arg2 } => {
                Node::Binary(*op, self.add(arg1), self.add(arg2))
            }
            _ => Node::Other,
        }
    }

    /// The place of a path from the context on.
    fn path(&mut self, expression: &Expr) -> Option<usize> {
        let mut path = Vec::new();
        let mut rest = expression;
        while let ExprKind::GetAttr { expr, attr } = rest.expr_kind() {
            path.push(attr.clone());
            rest = expr;
        }
        if !matches!(rest.expr_kind(), ExprKind::Var(Var::Context)) {
            return None;
        }
        path.reverse();
        Some(self.paths.iter().position(|known| **known == *path).unwrap_or_else(|| {
            self.paths.push(path.into());
            self.paths.len() - 1
        }))
    }

    /// What stands at each path in this context.
    pub(super) fn read<'a>(&self, context: &'a Attributes) -> Vec<Option<Found<'a>>> {
        let at = |path: &[SmolStr]| {
            path.iter().try_fold(Found::Record(context), |found, name| {
                Found::of(found.record()?.get(name)?)
            })
        };
        self.paths.iter().map(|path| at(path)).collect()
    }

    /// Whether a condition holds over what was read; none where Cedar's evaluator has to say.
    pub(super) fn holds(&self, condition: At, read: &[Option<Found<'_>>]) -> Option<bool> {
        match self.nodes.get(condition.0)? {
            Node::And(left, right) => match self.holds(*left, read)? {
                true => self.holds(*right, read),
                false => Some(false),
            },
            Node::Or(left, right) => match self.holds(*left, read)? {
                true => Some(true),
                false => self.holds(*right, read),
            },
            Node::Not(of) => self.holds(*of, read).map(|holds| !holds),
            Node::Has(path, name) => Some(read.get(*path).copied()??.record()?.contains_key(name)),
            Node::Contains(set, literal) => match self.value(*set, read)? {
                Found::Set(set) => contains(set, literal),
                _ => None,
            },
            _ => self.value(condition, read)?.bool(),
        }
    }

    fn value<'a>(&'a self, at: At, read: &[Option<Found<'a>>]) -> Option<Found<'a>> {
        match self.nodes.get(at.0)? {
            Node::Other => None,
            Node::Bool(bool) => Some(Found::Bool(*bool)),
            Node::Long(long) => Some(Found::Long(*long)),
            Node::Text(text) => Some(Found::Text(text)),
            Node::Path(path) => *read.get(*path)?,
            Node::Binary(op, left, right) => {
                self.value(*left, read)?.with(*op, self.value(*right, read)?)
            }
            _ => self.holds(at, read).map(Found::Bool),
        }
    }
}

/// Hashing costs more than looking at a few.
fn contains(set: &Set, literal: &Literal) -> Option<bool> {
    let all = set.fast.as_ref()?;
    Some(match all.len() {
        0..=LOOKED_THROUGH_MAX => all.iter().any(|one| one == literal),
        _ => all.contains(literal),
    })
}

// === impl Found ===

impl<'a> Found<'a> {
    fn of(value: &'a Value) -> Option<Self> {
        match &value.value {
            ValueKind::Lit(Literal::Bool(bool)) => Some(Self::Bool(*bool)),
            ValueKind::Lit(Literal::Long(long)) => Some(Self::Long(*long)),
            ValueKind::Lit(Literal::String(text)) => Some(Self::Text(text)),
            ValueKind::Set(set) => Some(Self::Set(set)),
            ValueKind::Record(record) => Some(Self::Record(record)),
            ValueKind::Lit(Literal::EntityUID(_)) | ValueKind::ExtensionValue(_) => None,
        }
    }

    const fn bool(self) -> Option<bool> {
        if let Self::Bool(bool) = self { Some(bool) } else { None }
    }

    const fn record(self) -> Option<&'a Attributes> {
        if let Self::Record(record) = self { Some(record) } else { None }
    }

    fn with(self, op: BinaryOp, other: Self) -> Option<Self> {
        let (left, right) = match (self, other) {
            (Self::Long(left), Self::Long(right)) => (left, right),
            (Self::Bool(left), Self::Bool(right)) if op == BinaryOp::Eq => {
                return Some(Self::Bool(left == right));
            }
            (Self::Text(left), Self::Text(right)) if op == BinaryOp::Eq => {
                return Some(Self::Bool(left == right));
            }
            _ => return None,
        };
        match op {
            BinaryOp::Eq => Some(Self::Bool(left == right)),
            BinaryOp::Less => Some(Self::Bool(left < right)),
            BinaryOp::LessEq => Some(Self::Bool(left <= right)),
            BinaryOp::Add => left.checked_add(right).map(Self::Long),
            BinaryOp::Sub => left.checked_sub(right).map(Self::Long),
            BinaryOp::Mul => left.checked_mul(right).map(Self::Long),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cedar_policy_core::ast::{
        Context, Eid, EntityType, EntityUID, EntityUIDEntry, Request, SlotEnv,
    };
    use cedar_policy_core::entities::Entities;
    use cedar_policy_core::evaluator::Evaluator;
    use cedar_policy_core::extensions::Extensions;
    use proptest::prelude::*;
    use std::str::FromStr as _;
    use std::sync::Arc;

    fn context() -> Arc<Attributes> {
        let text = |text: &str| Value::from(Literal::String(text.into()));
        let long = |long: i64| Value::from(Literal::Long(long));
        let mail = Value::record([("count", long(3)), ("score", long(90))], None);
        let all = Value::record(
            [
                ("type", text("ask")),
                ("bytes", long(2_000)),
                ("most", long(i64::MAX)),
                ("baa", Value::from(true)),
                ("roles", Value::set_of_lits([Literal::String("user".into())], None)),
                ("none", Value::empty_set(None)),
                ("findings", Value::record([("email", mail)], None)),
            ],
            None,
        );
        match all.value {
            ValueKind::Record(attributes) => attributes,
            _ => unreachable!("a record was made"),
        }
    }

    /// What Cedar says; none for an error or what is no bool.
    fn cedar(condition: &Expr) -> Option<bool> {
        let uid = |kind: &str| {
            let kind = EntityType::from_str(kind).unwrap();
            EntityUIDEntry::known(EntityUID::from_components(kind, Eid::new("x"), None), None)
        };
        let context = Context::Value(context());
        let request =
            Request::new_unchecked(uid("User"), uid("Action"), uid("Model"), Some(context));
        let entities = Entities::new();
        let evaluator = Evaluator::new(request, &entities, Extensions::all_available());
        match evaluator.interpret(condition, &SlotEnv::new()).ok()?.value {
            ValueKind::Lit(Literal::Bool(holds)) => Some(holds),
            _ => None,
        }
    }

    fn said(condition: &Expr) -> Option<bool> {
        let mut program = Program::default();
        // One that reads other paths stands before it.
        program.add(&Expr::from_str("context.bytes > 1 && context.findings has phone").unwrap());
        let at = program.add(condition);
        program.holds(at, &program.read(&context()))
    }

    fn one_of(all: &'static [&'static str]) -> impl Strategy<Value = String> {
        prop::sample::select(all).prop_map(str::to_owned)
    }

    fn long() -> impl Strategy<Value = String> {
        let leaf = one_of(&["1", "2", "3", "context.findings.email.count", "context.most"]);
        leaf.prop_recursive(2, 4, 2, |inner| {
            (inner.clone(), one_of(&["+", "-", "*"]), inner)
                .prop_map(|(one, op, other)| format!("({one} {op} {other})"))
        })
    }

    /// Conditions, some of which are errors.
    fn condition() -> impl Strategy<Value = String> {
        let words = || one_of(&["\"ask\"", "\"user\"", "context.type", "context.roles"]);
        let leaf = prop_oneof![
            6 => (long(), one_of(&["==", "!=", "<", "<=", ">", ">="]), long())
                .prop_map(|(one, op, other)| format!("({one} {op} {other})")),
            2 => (words(), words()).prop_map(|(one, other)| format!("({one} == {other})")),
            2 => (one_of(&["context.roles", "context.none", "context.type"]), words())
                .prop_map(|(set, word)| format!("{set}.contains({word})")),
            2 => one_of(&["context.baa", "(context has type)", "(context has missing)", "true"]),
            1 => one_of(&["context.missing", "context.bytes", "(principal == principal)", "7"]),
        ];
        leaf.prop_recursive(4, 24, 2, |inner| {
            let ops = one_of(&["&&", "||", "=="]);
            prop_oneof![
                (inner.clone(), ops, inner.clone())
                    .prop_map(|(one, op, other)| format!("({one} {op} {other})")),
                inner.clone().prop_map(|one| format!("(!{one})")),
                (inner.clone(), inner)
                    .prop_map(|(one, other)| format!("(if {one} then {other} else true)")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn what_is_said_here_is_what_cedar_says(text in condition()) {
            let condition = Expr::from_str(&text).unwrap();
            if let Some(said) = said(&condition) {
                prop_assert_eq!(Some(said), cedar(&condition), "{}", text);
            }
        }
    }

    #[test]
    fn common_conditions_need_no_evaluator() {
        for (text, expected) in [
            ("context.type == \"ask\" && context.findings.email.count > 2", true),
            ("context.findings.email.count > 1 + 2", false),
            ("context.none.contains(\"phi\") && context.missing", false),
            ("context.roles.contains(\"tool\") || !(context.baa != true)", true),
            ("context has missing && context.missing == 1", false),
        ] {
            assert_eq!(said(&Expr::from_str(text).unwrap()), Some(expected), "{text}");
        }
    }
}
