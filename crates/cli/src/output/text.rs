//! Recorded text, made safe to print.

use serde_json::Value;

/// The text without anything that a terminal would obey: control characters become visible.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || is_direction_mark(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Marks that make text look like other text.
const fn is_direction_mark(character: char) -> bool {
    matches!(character, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// At most so many columns; what is longer ends in `…`.
pub fn cut(text: &str, columns_max: usize) -> String {
    if width(text) <= columns_max {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for character in text.chars() {
        used += columns(character);
        if used >= columns_max {
            break;
        }
        out.push(character);
    }
    out.push('…');
    out
}

/// How many columns a terminal uses for the text.
pub fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

const fn columns(character: char) -> usize {
    match character as u32 {
        0x0300..=0x036f | 0x064b..=0x065f | 0x200b..=0x200d | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3ffff => 2,
        _ => 1,
    }
}

/// A JSON value as one cell: text without quotes, nothing for null.
pub fn show_value(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => plain(text),
        Value::Array(items) if items.iter().all(|item| !item.is_object()) => {
            items.iter().map(show_value).collect::<Vec<_>>().join(", ")
        }
        other => plain(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_obey() {
        let text = plain("a\x1b[31mb\u{9b}c\u{202e}d\r\n");
        assert_eq!(text, "a\\u{1b}[31mb\\u{9b}c\\u{202e}d\\u{d}\\n");
        assert_eq!(plain("naïve 退款 🙂"), "naïve 退款 🙂");
    }

    #[test]
    fn wide_characters_count_twice_and_long_text_is_cut() {
        assert_eq!(width("退款ok"), 6);
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(width(&cut("退款退款", 5)), 5);
    }
}
