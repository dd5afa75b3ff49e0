//! What a person is told when a server wants to know who asks, or to be allowed more. What the
//! server says it wants is repeated in a command only where it can do nothing there but name a
//! scope.

use hydroid_core::challenge::parameter;

/// Scopes that are repeated, and the characters of one; a person reads each of them.
const MOST_SCOPES: usize = 8;
const LONGEST_SCOPE: usize = 80;

/// What is wanted and the command for it, behind the name of a server.
pub(super) fn wanted(server: &str, challenge: &str) -> String {
    if parameter(challenge, "error").as_deref() != Some("insufficient_scope") {
        return format!("wants you to sign in: `hydroid mcp login {server}`");
    }
    let scope = parameter(challenge, "scope").unwrap_or_default();
    let scopes: Vec<&str> = scope.split(' ').filter(|scope| !scope.is_empty()).collect();
    if scopes.is_empty() || scopes.len() > MOST_SCOPES || !scopes.iter().all(|its| is_plain(its)) {
        return format!(
            "wants you to allow it more: `hydroid mcp login {server} --scope SCOPE`, with a scope that its makers name"
        );
    }
    let scopes: String = scopes.iter().map(|scope| format!(" --scope {scope}")).collect();
    format!("wants you to allow it more: `hydroid mcp login {server}{scopes}`")
}

/// Means itself to every shell.
fn is_plain(scope: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '/' | '_' | '-');
    scope.len() <= LONGEST_SCOPE && !scope.starts_with('-') && scope.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGN_IN: &str = "wants you to sign in: `hydroid mcp login docs`";
    const MORE: &str = "wants you to allow it more: `hydroid mcp login docs --scope SCOPE`, with a scope that its makers name";

    #[track_caller]
    fn check(challenge: &str, expect: &str) {
        assert_eq!(wanted("docs", challenge), expect);
    }

    #[test]
    fn whoever_lacks_a_scope_is_told_the_command_that_asks_for_it() {
        check("Bearer", SIGN_IN);
        check("", SIGN_IN);
        check(r#"Bearer error="invalid_token", scope="a""#, SIGN_IN);
        check(
            r#"Bearer error="insufficient_scope", scope="files:write https://a.example/b.c""#,
            "wants you to allow it more: `hydroid mcp login docs --scope files:write --scope https://a.example/b.c`",
        );
        check(r#"Bearer error="insufficient_scope""#, MORE);
    }

    #[test]
    fn what_a_shell_would_read_otherwise_is_not_repeated() {
        for scope in
            ["$(id)", "a;b", "`id`", "--yes", "a|b", "a&b", "*", "~", "a'b", "é", "\u{202e}a"]
        {
            check(&format!(r#"Bearer error="insufficient_scope", scope="ok {scope}""#), MORE);
        }
        let long = "a".repeat(LONGEST_SCOPE + 1);
        check(&format!(r#"Bearer error="insufficient_scope", scope="{long}""#), MORE);
        let many = "a ".repeat(MOST_SCOPES + 1);
        check(&format!(r#"Bearer error="insufficient_scope", scope="{many}""#), MORE);
    }
}
