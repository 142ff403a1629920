//! Values that programs send when they have none.

const PLACEHOLDERS: [&str; 4] = ["undefined", "null", "none", "string"];

/// Whether a value says nothing: empty, `undefined`, `null`, a template that was never filled in
/// (`{{user}}`, `<user>`).
pub fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    text.is_empty()
        || (text.starts_with("{{") && text.ends_with("}}"))
        || (text.starts_with('<') && text.ends_with('>'))
        || PLACEHOLDERS.iter().any(|placeholder| text.eq_ignore_ascii_case(placeholder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_told_from_names() {
        for text in ["", "  ", "undefined", "NULL", "None", "string", "{{user}}", "<user id>"] {
            assert!(is_placeholder(text), "{text:?}");
        }
        for text in ["u-42", "nobody", "nullius", "{user}", "a <b>"] {
            assert!(!is_placeholder(text), "{text:?}");
        }
    }
}
