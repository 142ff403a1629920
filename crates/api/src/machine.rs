//! Who the people of this machine are.

const PASSWD: &str = "/etc/passwd";

/// Name of a user of this machine; the number, as `uid:1000`, where the machine lists no such user.
pub(crate) fn user_name(uid: u32) -> String {
    let users = std::fs::read_to_string(PASSWD).unwrap_or_default();
    find(&users, uid).map_or_else(|| format!("uid:{uid}"), str::to_owned)
}

fn find(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_number_alone() {
        let users = "root:x:0:0:root:/root:/bin/sh\n# a comment\n:x:7:7::/:\nana:x:10:0::/:\n";
        assert_eq!((find(users, 0), find(users, 10)), (Some("root"), Some("ana")));
        assert_eq!((find(users, 7), find(users, 1), find("", 0)), (None, None, None));
    }
}
