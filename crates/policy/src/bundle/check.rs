//! From text to policies: parse, check against the schema, read what they say of themselves.

use super::annotation::{PolicyInfo, Reading};
use super::engine::Rule;
use super::error::{Fault, LoadError};
use super::schema;
use super::scope::Scope;
use super::sources::Source;
use cedar_policy_core::ast::{Policy, PolicySet};
use cedar_policy_core::parser::{Loc, parse_policyset};
use cedar_policy_core::validator::types::Type;
use cedar_policy_core::validator::{ValidationMode, Validator};
use miette::{Diagnostic, LabeledSpan};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is known while files are read.
struct Loading {
    validator: Validator,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
    rules: Vec<Rule>,
    places: BTreeMap<Arc<str>, String>,
}

/// Policies that passed every check.
pub(super) struct Checked {
    pub(super) rules: Vec<Rule>,
    pub(super) warnings: Vec<Fault>,
}

/// Parses and checks everything; all faults, where there are any.
pub(super) fn check(sources: &[Source]) -> Result<Checked, LoadError> {
    let own = sources.iter().find(|source| source.name == schema::FILE);
    let schema = own.map_or_else(schema::built_in, |file| schema::own(&file.name, &file.text));
    let mut loading = Loading {
        validator: Validator::new(schema.map_err(|fault| LoadError::Faults(vec![fault]))?),
        faults: Vec::new(),
        warnings: Vec::new(),
        rules: Vec::new(),
        places: BTreeMap::new(),
    };
    for source in sources.iter().filter(|source| source.name != schema::FILE) {
        loading.file(source);
    }
    if loading.faults.is_empty() {
        return Ok(Checked { rules: loading.rules, warnings: loading.warnings });
    }
    loading.faults.sort();
    Err(LoadError::Faults(loading.faults))
}

// === impl Loading ===

impl Loading {
    fn file(&mut self, source: &Source) {
        let Source { name, text } = source;
        let set = match parse_policyset(text) {
            Ok(set) => set,
            Err(errors) => {
                self.faults.extend(errors.iter().map(|error| described(name, text, error, None)));
                return;
            }
        };
        for template in set.templates() {
            let offset = template.loc().map_or(0, Loc::start);
            let what = "found ?principal or ?resource; write a user, source, model or provider";
            self.faults.push(Fault::at(name, text, offset, what));
        }
        self.check(name, text, &set);
        let mut policies: Vec<_> = set.policies().collect();
        policies.sort_by_key(|policy| policy.loc().map_or(0, Loc::start));
        for policy in policies {
            let reading = Reading { policy, file: name, text, faults: &mut self.faults };
            let Some(info) = reading.read() else { continue };
            self.take(info, text, policy);
        }
    }

    fn take(&mut self, info: PolicyInfo, text: &str, policy: &Policy) {
        let place = format!("{}:{}", info.file, info.line);
        if let Some(other) = self.places.get(&info.id) {
            let offset = policy.loc().map_or(0, Loc::start);
            let what = format!("the id {:?} is taken by {other}; write another @id", info.id);
            self.faults.push(Fault::at(&info.file, text, offset, what));
            return;
        }
        self.places.insert(Arc::clone(&info.id), place);
        self.rules.push(Rule {
            info: Arc::new(info),
            scope: Scope::of(policy),
            condition: policy.non_scope_constraints_arc().cloned(),
        });
    }

    fn check(&mut self, file: &str, text: &str, set: &PolicySet) {
        let result = self.validator.validate(set, ValidationMode::Strict);
        let attributes = || {
            let schema = self.validator.schema();
            let action = schema.actions().next()?;
            let context = schema.context_type(action)?;
            let Type::Record { attrs, .. } = context else {
                return None;
            };
            Some(attrs.keys().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        };
        // A policy of both actions is checked once for each.
        let mut seen = BTreeSet::new();
        let known = attributes();
        for error in result.validation_errors() {
            let fault = described(file, text, error, known.as_deref());
            if seen.insert((fault.line, fault.column)) {
                self.faults.push(fault);
            }
        }
        for warning in result.validation_warnings() {
            let fault = described(file, text, warning, None);
            if seen.insert((fault.line, fault.column)) {
                self.warnings.push(fault);
            }
        }
    }
}

/// What Cedar says, where it says it, and what it advises.
fn described(file: &str, text: &str, said: &dyn Diagnostic, known: Option<&str>) -> Fault {
    let label = said.labels().and_then(|mut labels| labels.next());
    let offset = label.as_ref().map_or(0, LabeledSpan::offset);
    let whole = said.to_string();
    // Cedar numbers the policies of a file; the place says which one it is.
    let numbered = whole.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, "));
    let mut message = numbered.map_or(whole.as_str(), |(_, rest)| rest).to_owned();
    let mut advice: Vec<_> =
        label.iter().filter_map(|label| label.label().map(ToOwned::to_owned)).collect();
    advice.extend(said.help().map(|help| help.to_string()));
    if let Some(known) = known.filter(|_| message.contains("in context for")) {
        advice.push(format!("the context has {known}"));
    }
    if !advice.is_empty() {
        message = format!("{message}; {}", advice.join("; "));
    }
    Fault::at(file, text, offset, message)
}
