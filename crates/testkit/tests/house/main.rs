//! What holds the house together: who may import whom, no cycles, small files and functions, no
//! traces of a machine, documents that are true.
#![expect(clippy::expect_used, clippy::panic, reason = "a helper of tests fails the test")]

mod cycles;
mod documents;
mod layers;
mod sizes;
mod traces;
mod tree;
