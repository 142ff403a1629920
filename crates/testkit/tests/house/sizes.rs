//! Files and functions stay small.

use crate::tree::{Source, assert_none, tracked_with};
use std::collections::BTreeMap;
use syn::spanned::Spanned;
use syn::visit::Visit;

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

/// Functions that may be longer, and how long: `path::name`. Only ever shortened: an entry that
/// is longer than its function, or no longer needed, fails the test too.
const RATCHET: &[(&str, usize)] = &[];

struct Functions<'a> {
    path: &'a str,
    lines: BTreeMap<String, usize>,
}

impl Functions<'_> {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let lines = block.span().end().line - signature.span().start().line + 1;
        let longest = self.lines.entry(format!("{}::{}", self.path, signature.ident)).or_default();
        *longest = lines.max(*longest);
    }
}

impl Visit<'_> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &syn::ItemFn) {
        self.add(&function.sig, &function.block);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &syn::ImplItemFn) {
        self.add(&function.sig, &function.block);
        syn::visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.add(&function.sig, block);
        }
        syn::visit::visit_trait_item_fn(self, function);
    }
}

fn functions(path: &str, text: &str) -> BTreeMap<String, usize> {
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut functions = Functions { path, lines: BTreeMap::new() };
    functions.visit_file(&file);
    functions.lines
}

fn faults(functions: &BTreeMap<String, usize>, ratchet: &[(&str, usize)]) -> Vec<String> {
    let allowed: BTreeMap<_, _> = ratchet.iter().copied().collect();
    let mut faults = Vec::new();
    for (name, lines) in functions {
        match allowed.get(name.as_str()) {
            None if *lines > FUNCTION_LINES_MAX => faults.push(format!("{name}: {lines} lines")),
            Some(most) if lines > most => {
                faults.push(format!("{name}: {lines} lines, it had {most}"));
            }
            Some(most) if lines < most || *lines <= FUNCTION_LINES_MAX => {
                faults.push(format!(
                    "{name}: has only {lines} lines now; lower or remove its ratchet"
                ));
            }
            _ => {}
        }
    }
    let gone = ratchet.iter().filter(|(name, _)| !functions.contains_key(*name));
    faults.extend(gone.map(|(name, _)| format!("{name}: is gone; remove its ratchet")));
    faults
}

#[test]
fn files_are_small() {
    let endings = [".rs", ".py", ".ts", ".tsx", ".mjs", ".sh"];
    let faults: Vec<String> = tracked_with(&endings)
        .iter()
        .map(|Source { path, text }| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    assert_none("files over 800 lines", &faults);
}

#[test]
fn functions_are_small() {
    let mut all = BTreeMap::new();
    for Source { path, text } in tracked_with(&[".rs"]) {
        all.extend(functions(&path, &text));
    }
    assert!(all.len() > 100, "functions were not found");
    assert_none("functions over 70 lines", &faults(&all, RATCHET));
}

#[test]
fn a_long_function_is_found() {
    let body = "    f();\n".repeat(FUNCTION_LINES_MAX);
    let long = functions("a.rs", &format!("impl A {{ fn long() {{\n{body}}} }}\nfn short() {{}}"));
    assert_eq!(faults(&long, &[]), ["a.rs::long: 72 lines"]);
    assert!(faults(&long, &[("a.rs::long", 72)]).is_empty());
    assert_eq!(faults(&long, &[("a.rs::long", 80), ("a.rs::gone", 90)]).len(), 2);
}
