//! Conditions of the common kind, answered over borrowed values. Cedar's evaluator copies every
//! value on its way; over a thousand policies that is half a millisecond. What is not plainly
//! true or false here is left to it, errors too.

use cedar_policy_core::ast::{
    BinaryOp, Expr, ExprKind, Literal, Set, UnaryOp, Value, ValueKind, Var,
};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Attributes of a record.
pub(super) type Attributes = BTreeMap<SmolStr, Value>;

/// A value in the context or in a policy.
#[derive(Clone, Copy)]
enum Found<'a> {
    Bool(bool),
    Long(i64),
    Text(&'a str),
    Set(&'a Set),
    Record(&'a Attributes),
}

/// Whether the condition holds in this context; none where Cedar's evaluator has to say.
pub(super) fn holds(condition: &Expr, context: &Attributes) -> Option<bool> {
    match condition.expr_kind() {
        ExprKind::And { left, right } => match holds(left, context)? {
            true => holds(right, context),
            false => Some(false),
        },
        ExprKind::Or { left, right } => match holds(left, context)? {
            true => Some(true),
            false => holds(right, context),
        },
        _ => value(condition, context)?.bool(),
    }
}

fn value<'a>(expression: &'a Expr, context: &'a Attributes) -> Option<Found<'a>> {
    match expression.expr_kind() {
        ExprKind::Lit(literal) => of_literal(literal),
        ExprKind::Var(Var::Context) => Some(Found::Record(context)),
        ExprKind::GetAttr { expr, attr } => of_value(value(expr, context)?.record()?.get(attr)?),
        ExprKind::HasAttr { expr, attr } => {
            Some(Found::Bool(value(expr, context)?.record()?.contains_key(attr)))
        }
        ExprKind::And { .. } | ExprKind::Or { .. } => holds(expression, context).map(Found::Bool),
        ExprKind::UnaryApp { op: UnaryOp::Not, arg } => {
            holds(arg, context).map(|holds| Found::Bool(!holds))
        }
        ExprKind::BinaryApp { op, arg1, arg2 } => binary(*op, arg1, arg2, context),
        _ => None,
    }
}

fn binary<'a>(
    op: BinaryOp,
    one: &'a Expr,
    other: &'a Expr,
    context: &'a Attributes,
) -> Option<Found<'a>> {
    let left = value(one, context)?;
    if op == BinaryOp::Contains {
        let (Found::Set(set), ExprKind::Lit(literal)) = (left, other.expr_kind()) else {
            return None;
        };
        return Some(Found::Bool(set.fast.as_ref()?.contains(literal)));
    }
    let right = value(other, context)?;
    if op == BinaryOp::Eq {
        return left.equals(right).map(Found::Bool);
    }
    let (Found::Long(left), Found::Long(right)) = (left, right) else { return None };
    match op {
        BinaryOp::Less => Some(Found::Bool(left < right)),
        BinaryOp::LessEq => Some(Found::Bool(left <= right)),
        BinaryOp::Add => left.checked_add(right).map(Found::Long),
        BinaryOp::Sub => left.checked_sub(right).map(Found::Long),
        BinaryOp::Mul => left.checked_mul(right).map(Found::Long),
        _ => None,
    }
}

fn of_value(value: &Value) -> Option<Found<'_>> {
    match &value.value {
        ValueKind::Lit(literal) => of_literal(literal),
        ValueKind::Set(set) => Some(Found::Set(set)),
        ValueKind::Record(record) => Some(Found::Record(record)),
        ValueKind::ExtensionValue(_) => None,
    }
}

fn of_literal(literal: &Literal) -> Option<Found<'_>> {
    match literal {
        Literal::Bool(bool) => Some(Found::Bool(*bool)),
        Literal::Long(long) => Some(Found::Long(*long)),
        Literal::String(text) => Some(Found::Text(text)),
        Literal::EntityUID(_) => None,
    }
}

// === impl Found ===

impl<'a> Found<'a> {
    const fn bool(self) -> Option<bool> {
        if let Self::Bool(bool) = self { Some(bool) } else { None }
    }

    const fn record(self) -> Option<&'a Attributes> {
        if let Self::Record(record) = self { Some(record) } else { None }
    }

    fn equals(self, other: Self) -> Option<bool> {
        match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => Some(one == other),
            (Self::Long(one), Self::Long(other)) => Some(one == other),
            (Self::Text(one), Self::Text(other)) => Some(one == other),
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
            if let Some(said) = holds(&condition, &context()) {
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
            assert_eq!(holds(&Expr::from_str(text).unwrap(), &context()), Some(expected), "{text}");
        }
    }
}
