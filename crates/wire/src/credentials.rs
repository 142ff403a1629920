//! What of headers and queries may stand in a record: no credential, and nothing too long.

/// Headers that carry credentials: never recorded, never logged.
const CREDENTIALS: [&str; 10] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "set-cookie",
    "x-amz-security-token",
    "x-auth-token",
    "openai-api-key",
];

/// Headers with this in their name carry one, too.
const SECRET: &str = "secret";
/// And those whose name ends so.
const TOKEN: &str = "-token";

/// What stands in a record in place of a credential.
const MASK: &str = "***";
/// Headers in a record at most; the rest are left out.
pub const HEADERS_RECORDED_MAX: usize = 64;
/// Bytes of a header's value in a record at most.
const RECORDED_VALUE_BYTES_MAX: usize = 512;

/// Whether a header carries a credential, however its name is written.
pub fn is_credential(name: &str) -> bool {
    let name = name.as_bytes();
    let is = |part: &[u8], other: &str| part.eq_ignore_ascii_case(other.as_bytes());
    CREDENTIALS.iter().any(|credential| is(name, credential))
        || name.windows(SECRET.len()).any(|part| is(part, SECRET))
        || name
            .len()
            .checked_sub(TOKEN.len())
            .is_some_and(|at| is(name.get(at..).unwrap_or_default(), TOKEN))
}

/// A header's value as it is recorded: masked where it is a credential, else cut.
pub fn recorded_value<'v>(name: &str, value: &'v str) -> &'v str {
    if is_credential(name) {
        return MASK;
    }
    value.get(..value.floor_char_boundary(RECORDED_VALUE_BYTES_MAX)).unwrap_or_default()
}

/// The query with credentials masked; none where nothing is left.
pub fn recorded_query(query: Option<&str>) -> Option<String> {
    let masked: Vec<String> = query?
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_query_credential(name) => format!("{name}={MASK}"),
            _ => pair.to_owned(),
        })
        .collect();
    (!masked.is_empty()).then(|| masked.join("&"))
}

fn is_query_credential(name: &str) -> bool {
    let plain =
        ["key", "api_key", "apikey", "api-key", "token", "access_token", "sig", "signature"];
    plain.iter().any(|plain| name.eq_ignore_ascii_case(plain)) || is_credential(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_masked() {
        for name in CREDENTIALS {
            assert_eq!(recorded_value(name, "s3cret"), MASK);
            assert_eq!(recorded_value(&name.to_uppercase(), "s3cret"), MASK);
        }
        for name in ["x-client-secret", "X-Secret-Of-Ours", "X-Our-Token"] {
            assert_eq!(recorded_value(name, "s3cret"), MASK);
        }
        assert_eq!(recorded_value("x-token-count", "17"), "17");
        let query = recorded_query(Some("alt=sse&key=s3cret&Api_Key=s3cret&empty")).unwrap();
        assert_eq!(query, "alt=sse&key=***&Api_Key=***&empty");
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        let text = "\u{e9}".repeat(400);
        assert_eq!(recorded_value("accept", &text).len(), RECORDED_VALUE_BYTES_MAX);
    }
}
