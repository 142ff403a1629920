//! The kinds that the built-in detectors know.

/// Fields of `context.findings`. What a deployment's own detectors find is in `context.kinds`.
pub(super) const KINDS: &[&str] =
    &["email", "phone", "credit_card", "iban", "us_ssn", "secret", "prompt_injection"];
