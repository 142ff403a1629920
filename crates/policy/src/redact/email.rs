//! E-mail addresses.

/// Longest name before the `@`, of the standard.
const LOCAL_CHARS_MAX: usize = 64;
/// Longest domain, of the standard.
const DOMAIN_CHARS_MAX: usize = 255;

/// The bounds of the address whose `@` is at `at`, if it is one.
pub(super) fn find(text: &str, at: usize, free: usize) -> Option<(usize, usize)> {
    let before = text.get(free..at)?;
    let mut start = at;
    for (index, character) in before.char_indices().rev().take(LOCAL_CHARS_MAX) {
        if !(is_letter(character) || matches!(character, '.' | '_' | '%' | '+' | '-' | '\'')) {
            break;
        }
        start = free + index;
    }
    let local = text.get(start..at)?;
    let trimmed = local.trim_start_matches(['.', '\'', '-']);
    if trimmed.is_empty() {
        return None;
    }
    let end = at + 1 + domain(text.get(at + 1..)?)?;
    Some((at - trimmed.len(), end))
}

/// How long the domain at the start of `text` is, if it is one: labels with a dot, the last
/// of letters. A text that ends within the domain may have been cut there.
fn domain(text: &str) -> Option<usize> {
    let mut end = 0;
    for (index, character) in text.char_indices().take(DOMAIN_CHARS_MAX) {
        if !(is_letter(character) || matches!(character, '.' | '-')) {
            break;
        }
        end = index + character.len_utf8();
    }
    let domain = text.get(..end)?.trim_end_matches(['.', '-']);
    let cut = end == text.len() && !domain.is_empty();
    let whole = domain.rsplit_once('.').is_some_and(|(rest, last)| {
        let named = last.chars().count() >= 2 && last.chars().all(char::is_alphabetic);
        !rest.is_empty() && !rest.starts_with('.') && (named || last.starts_with("xn--"))
    });
    if whole || cut { Some(domain.len()) } else { None }
}

/// Letters of scripts that are written with blanks between words: in others a name would
/// swallow the sentence around it.
fn is_letter(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || (('\u{C0}'..='\u{52F}').contains(&character) && character.is_alphanumeric())
}
