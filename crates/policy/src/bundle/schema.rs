//! The schema that policies are checked against: the built-in one, or the folder's own.

use super::error::Fault;
use crate::detect::Kind;
use cedar_policy_core::ast::EntityUID;
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::ValidatorSchema;
use cedar_policy_core::validator::types::Type;
use miette::{Diagnostic, LabeledSpan};
use std::str::FromStr;

/// The folder's own schema, where it has one.
pub(super) const FILE: &str = "schema.cedarschema";

const ACTIONS: [&str; 2] = ["Action::\"prompt\"", "Action::\"answer\""];

/// The built-in schema, as text: a folder's own may leave things out of it.
pub fn schema_text() -> String {
    let fields: Vec<_> = Kind::builtins().map(|kind| format!("  {kind}: Finding,")).collect();
    include_str!("schema.cedarschema").replace("@FINDINGS@", &fields.join("\n"))
}

/// The built-in schema.
pub(super) fn built_in() -> Result<ValidatorSchema, Fault> {
    read("(built-in schema)", &schema_text())
}

/// A folder's own schema: it may say less than the built-in one, not more and nothing else.
pub(super) fn own(file: &str, text: &str) -> Result<ValidatorSchema, Fault> {
    let theirs = read(file, text)?;
    let ours = built_in()?;
    for action in ACTIONS {
        let at = |name: &str| {
            let whole = text.match_indices(name).find(|(at, _)| {
                let after = text.get(at + name.len()..).unwrap_or_default();
                after.trim_start().starts_with([':', '?', ' ', '{'])
            });
            whole.map_or(0, |(at, _)| at)
        };
        let uid = EntityUID::from_str(action)
            .map_err(|error| Fault::at(file, text, 0, error.to_string()))?;
        let (Some(found), Some(given)) = (theirs.context_type(&uid), ours.context_type(&uid))
        else {
            return Err(Fault::at(
                file,
                text,
                0,
                format!(
                    "there is no {action}; write: action prompt, answer appliesTo {{ principal: User, resource: Model, context: … }};"
                ),
            ));
        };
        fits(found, given, "context")
            .map_err(|(name, what)| Fault::at(file, text, at(&name), what))?;
    }
    Ok(theirs)
}

fn read(file: &str, text: &str) -> Result<ValidatorSchema, Fault> {
    let read = ValidatorSchema::from_cedarschema_str(text, Extensions::all_available());
    read.map(|(schema, _warnings)| schema).map_err(|error| {
        let label = error.labels().and_then(|mut labels| labels.next());
        let offset = label.as_ref().map_or(0, LabeledSpan::offset);
        let help = error.help().map(|help| format!(" ({help})")).unwrap_or_default();
        Fault::at(file, text, offset, format!("{error}{help}"))
    })
}

/// Whether what a schema asks for is what calls give; else the attribute, and what is wrong.
fn fits(asked: &Type, given: &Type, path: &str) -> Result<(), (String, String)> {
    let (Type::Record { attrs: asked, .. }, Type::Record { attrs: given, .. }) = (asked, given)
    else {
        let name = path.rsplit('.').next().unwrap_or(path);
        return if asked == given {
            Ok(())
        } else {
            Err((name.to_owned(), format!("{path} is declared as {asked}; it is {given}")))
        };
    };
    for (name, attribute) in asked.iter() {
        let path = format!("{path}.{name}");
        let Some(known) = given.get_attr(name) else {
            let all: Vec<_> = given.keys().map(ToString::to_string).collect();
            return Err((
                name.to_string(),
                format!("calls have no {path}; take it out, or choose among {}", all.join(", ")),
            ));
        };
        if attribute.is_required() && !known.is_required() {
            return Err((
                name.to_string(),
                format!("{path} is not always there; write {name}?: …"),
            ));
        }
        fits(&attribute.attr_type, &known.attr_type, &path)?;
    }
    Ok(())
}
