//! Searches as people type them: `source:finance-app -model:gpt-4o latency:>500 "free text"`.

mod fields;
mod fits;
mod lexer;
mod model;
mod parse;
mod write;

#[cfg(test)]
mod tests;

pub use model::{
    CountField, Expr, Has, Match, Op, SEARCH_BYTES_MAX, SEARCH_DEPTH_MAX, SEARCH_TERMS_MAX, Search,
    SearchError, Term, TextField,
};
