//! The environment. This is the only place that reads it.

/// One variable, if it is set to text.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn var(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// All variables whose name and value are text.
pub fn vars() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// How this program was called: its name, or a path to it.
#[expect(clippy::disallowed_methods, reason = "it is the environment's word for the program")]
pub fn called() -> String {
    std::env::args().next().unwrap_or_else(|| "audit-layer".to_owned())
}
