//! The top-level modules of a crate do not import each other in a circle.

use crate::tree::{Source, assert_none, tracked_with};
use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::Visit;
use syn::{Item, ItemMod, Path, UseTree};

/// Module → modules that it names.
type Edges = BTreeMap<String, BTreeSet<String>>;

/// Collects the paths below the crate's root that a file names.
struct Named {
    /// The file's module path, plus inline modules.
    within: Vec<String>,
    /// First segments below the root.
    first: BTreeSet<String>,
}

impl Named {
    /// A path as written: `crate::a::b`, `super::super::a`, `self::a`.
    fn name(&mut self, segments: &[String]) {
        let mut at = self.within.clone();
        let mut rest = segments;
        match rest.first().map(String::as_str) {
            Some("crate") => {
                at.clear();
                rest = &rest[1..];
            }
            Some("self" | "super") => {}
            _ => return,
        }
        while let Some(word @ ("self" | "super")) = rest.first().map(String::as_str) {
            if word == "super" {
                at.pop();
            }
            rest = &rest[1..];
        }
        at.extend_from_slice(rest);
        self.first.extend(at.into_iter().next());
    }

    fn use_tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |ident: &syn::Ident| [before, &[ident.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.use_tree(&path.tree, &with(&path.ident)),
            UseTree::Name(name) => self.name(&with(&name.ident)),
            UseTree::Rename(name) => self.name(&with(&name.ident)),
            UseTree::Glob(_) => self.name(before),
            UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.use_tree(item, before));
            }
        }
    }

    /// Macros are not parsed; `crate::x` in them is found by its tokens.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if path.is_empty() && ident == "crate" => {
                    path.push("crate".to_owned());
                }
                TokenTree::Ident(ident) if !path.is_empty() => {
                    path.push(ident.to_string());
                    self.name(&path);
                    path.clear();
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {}
                TokenTree::Group(group) => {
                    path.clear();
                    self.tokens(group.stream());
                }
                _ => path.clear(),
            }
        }
    }
}

impl Visit<'_> for Named {
    fn visit_item(&mut self, item: &Item) {
        if !is_test_only(item) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        self.use_tree(&item.tree, &[]);
    }

    fn visit_item_mod(&mut self, item: &ItemMod) {
        self.within.push(item.ident.to_string());
        syn::visit::visit_item_mod(self, item);
        self.within.pop();
    }

    fn visit_path(&mut self, path: &Path) {
        let segments: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.name(&segments);
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &syn::Macro) {
        self.tokens(call.tokens.clone());
    }
}

fn is_test_only(item: &Item) -> bool {
    let Item::Mod(module) = item else { return false };
    module.attrs.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

/// Names that the crate's root re-exports → the module they come from.
fn re_exports(root: &syn::File, modules: &BTreeSet<String>) -> BTreeMap<String, String> {
    fn walk(
        tree: &UseTree,
        module: Option<&str>,
        modules: &BTreeSet<String>,
        out: &mut BTreeMap<String, String>,
    ) {
        match tree {
            UseTree::Path(path) => {
                let ident = path.ident.to_string();
                let here = if module.is_none() && modules.contains(&ident) {
                    Some(ident.as_str())
                } else {
                    module
                };
                walk(&path.tree, here, modules, out);
            }
            UseTree::Name(name) => {
                out.extend(module.map(|module| (name.ident.to_string(), module.to_owned())));
            }
            UseTree::Rename(name) => {
                out.extend(module.map(|module| (name.rename.to_string(), module.to_owned())));
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|item| walk(item, module, modules, out));
            }
            UseTree::Glob(_) => {}
        }
    }
    let mut out = BTreeMap::new();
    for item in &root.items {
        if let Item::Use(item) = item {
            walk(&item.tree, None, modules, &mut out);
        }
    }
    out
}

/// Module path of a file below `src/`.
fn module_path(below_src: &str) -> Vec<String> {
    let path = below_src.trim_end_matches(".rs").trim_end_matches("/mod");
    if path == "lib" || path == "main" {
        Vec::new()
    } else {
        path.split('/').map(str::to_owned).collect()
    }
}

/// Edges between the top-level modules of one crate, whose files are given by path below `src/`.
fn edges(files: &[(&str, &str)]) -> Edges {
    let parsed: Vec<(Vec<String>, syn::File)> = files
        .iter()
        .map(|(path, text)| {
            let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
            (module_path(path), file)
        })
        .collect();
    let modules: BTreeSet<String> =
        parsed.iter().filter_map(|(path, _)| path.first().cloned()).collect();
    let exports: BTreeMap<String, String> = parsed
        .iter()
        .filter(|(path, _)| path.is_empty())
        .flat_map(|(_, root)| re_exports(root, &modules))
        .collect();
    let mut edges = Edges::new();
    for (path, file) in &parsed {
        let Some(top) = path.first() else { continue };
        let mut named = Named { within: path.clone(), first: BTreeSet::new() };
        named.visit_file(file);
        for first in named.first {
            let target = if modules.contains(&first) { Some(&first) } else { exports.get(&first) };
            if let Some(target) = target.filter(|target| *target != top) {
                edges.entry(top.clone()).or_default().insert(target.clone());
            }
        }
    }
    edges
}

/// A circle, as the names along it; nothing where there is none.
fn circle(edges: &Edges) -> Option<Vec<String>> {
    fn walk(at: &str, edges: &Edges, trail: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
        if let Some(start) = trail.iter().position(|name| name == at) {
            trail.drain(..start);
            trail.push(at.to_owned());
            return true;
        }
        if done.contains(at) {
            return false;
        }
        trail.push(at.to_owned());
        if edges.get(at).is_some_and(|next| next.iter().any(|next| walk(next, edges, trail, done)))
        {
            return true;
        }
        trail.pop();
        done.insert(at.to_owned());
        false
    }
    let (mut trail, mut done) = (Vec::new(), BTreeSet::new());
    edges.keys().any(|start| walk(start, edges, &mut trail, &mut done)).then_some(trail)
}

#[test]
fn no_crate_has_a_module_cycle() {
    let files = tracked_with(&[".rs"]);
    let mut crates: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for Source { path, text } in &files {
        if let Some((name, below)) = path.split_once("/src/")
            && name.starts_with("crates/")
            && !below.starts_with("bin/")
        {
            crates.entry(name).or_default().push((below, text));
        }
    }
    assert!(crates.len() > 10, "the crates were not found");
    let faults: Vec<String> = crates
        .iter()
        .filter_map(|(name, files)| {
            circle(&edges(files)).map(|circle| format!("{name}: {}", circle.join(" → ")))
        })
        .collect();
    assert_none("modules import each other in a circle", &faults);
}

#[test]
fn a_cycle_is_found() {
    let by_paths = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::X;"),
        ("b/mod.rs", ""),
        ("b/c.rs", "fn f() { super::super::a::g() }"),
    ];
    assert_eq!(circle(&edges(&by_paths)).expect("a circle").len(), 3);
    let by_re_export = [
        ("lib.rs", "mod a; mod b; pub use a::{A, Z}; pub use b::B;"),
        ("a.rs", "use crate::{B, c};"),
        ("b.rs", "fn f() -> crate::A {}"),
    ];
    assert!(circle(&edges(&by_re_export)).is_some());
    let in_a_macro =
        [("lib.rs", ""), ("a.rs", "use super::b;"), ("b.rs", "fn f() { m!(1, crate::a::g()) }")];
    assert!(circle(&edges(&in_a_macro)).is_some());
    let only_in_tests = [
        ("lib.rs", ""),
        ("a.rs", "use crate::b;"),
        ("b.rs", "#[cfg(test)] mod tests { use crate::a; }"),
    ];
    assert_eq!(circle(&edges(&only_in_tests)), None);
}
