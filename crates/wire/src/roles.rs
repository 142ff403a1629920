//! Who speaks in a request.

use crate::json::{Kind, Result, Scan};

/// Roles at most: a body may name any number.
const ROLES_MAX: usize = 16;
/// Characters of a role at most.
const ROLE_CHARS_MAX: usize = 64;

/// The roles of a request's messages, each once, in order of appearance. Instructions that stand
/// outside of the messages count as `system`. Nothing where the body is none of the known formats.
pub fn roles(body: &[u8]) -> Vec<String> {
    let mut roles = Vec::new();
    let mut scan = Scan::new(body);
    if scan.kind() == Kind::Object {
        // What was found before the body turned out to be broken is as good as any.
        let _broken = top(&mut scan, &mut roles);
    }
    roles
}

fn top(scan: &mut Scan<'_>, roles: &mut Vec<String>) -> Result<()> {
    scan.object(|scan, key| match key {
        b"messages" | b"contents" | b"input" if scan.kind() == Kind::Array => {
            scan.array(|scan| message(scan, roles))
        }
        b"system" | b"instructions" | b"systemInstruction" | b"system_instruction" => {
            if !matches!(scan.span()?, b"null" | b"\"\"" | b"[]") {
                add(roles, "system".to_owned());
            }
            Ok(())
        }
        _ => Ok(()),
    })
}

fn message(scan: &mut Scan<'_>, roles: &mut Vec<String>) -> Result<()> {
    if scan.kind() != Kind::Object {
        return scan.skip();
    }
    scan.object(|scan, key| {
        if key == b"role"
            && let Some(role) = scan.text()?
        {
            add(roles, role.to_string(ROLE_CHARS_MAX));
        }
        Ok(())
    })
}

fn add(roles: &mut Vec<String>, role: String) {
    if roles.len() < ROLES_MAX && !roles.contains(&role) {
        roles.push(role);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_once_and_instructions_as_system() {
        let body = br#"{"system": "Be kind.", "messages": [{"role": "user", "content": "a"},
            {"content": [], "role": "assistant"}, {"role": "user", "content": "b"}]}"#;
        assert_eq!(roles(body), ["system", "user", "assistant"]);
        let gemini = br#"{"contents": [{"role": "model", "parts": [{"text": "role"}]}]}"#;
        assert_eq!(roles(gemini), ["model"]);
        for none in [&b""[..], b"[1]", br#"{"input": "text"}"#, br#"{"messages": [1, "x"]}"#] {
            assert!(roles(none).is_empty());
        }
        assert_eq!(roles(br#"{"messages": [{"role": "user"}, "#), ["user"]);
    }
}
