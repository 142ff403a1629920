#![doc = include_str!("../README.md")]

mod redact;

pub use redact::Redactor;
