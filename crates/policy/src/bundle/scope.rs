//! The scope of a policy, `(principal …, action …, resource …)`, as plain names.

use super::facts::Facts;
use cedar_policy_core::ast::{Policy, PrincipalOrResourceConstraint};

/// What a scope asks for; nothing: anything. The action is the stage, which slices keep apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) user: Option<Box<str>>,
    pub(super) source: Option<Box<str>>,
    pub(super) model: Option<Box<str>>,
    pub(super) provider: Option<Box<str>>,
    /// It asks for what no call is.
    never: bool,
}

// === impl Scope ===

impl Scope {
    /// Reads the scope of a policy that passed the check against the schema.
    pub(super) fn of(policy: &Policy) -> Self {
        let mut scope = Self::default();
        scope.narrow(policy.principal_constraint().as_inner(), "User", "Source");
        scope.narrow(policy.resource_constraint().as_inner(), "Model", "Provider");
        scope
    }

    /// `member` is in its `group`, and everything is in itself.
    fn narrow(&mut self, constraint: &PrincipalOrResourceConstraint, member: &str, group: &str) {
        use PrincipalOrResourceConstraint::{Any, Eq, In, Is, IsIn};
        let (within, kind) = match constraint {
            Any => return,
            Eq(_) => (false, None),
            In(_) => (true, None),
            Is(kind) | IsIn(kind, _) => (true, Some(kind.to_string())),
        };
        self.never |= kind.is_some_and(|kind| kind != member);
        let Some(entity) = constraint.get_euid() else { return };
        let id: Box<str> = entity.eid().as_ref().into();
        match entity.entity_type().to_string() {
            found if found == member => self.put(member, id),
            found if found == group && within => self.put(group, id),
            _ => self.never = true,
        }
    }

    fn put(&mut self, kind: &str, id: Box<str>) {
        match kind {
            "User" => self.user = Some(id),
            "Source" => self.source = Some(id),
            "Model" => self.model = Some(id),
            _ => self.provider = Some(id),
        }
    }

    /// Whether a call is within it.
    pub(super) fn takes(&self, facts: &Facts) -> bool {
        let is = |asked: &Option<Box<str>>, found: &str| {
            asked.as_deref().is_none_or(|asked| asked == found)
        };
        !self.never
            && is(&self.user, &facts.user)
            && is(&self.source, &facts.source)
            && is(&self.model, &facts.model)
            && is(&self.provider, &facts.provider)
    }
}
