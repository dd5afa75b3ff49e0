//! Tools that misbehave, one a misbehaviour, for the host's tests. Not for anybody's use.
//!
//! One source for four components, since each may only import what its profile says:
//! `test-tool-pure`, `test-tool-files`, `test-tool-write` and `test-tool-web`. Every tool's
//! description says what it does wrong. A tool that tries something answers one line for each
//! try, `allowed: …` or `refused: …`, so that a test reads what got through.

mod arguments;

mod exhaust;
mod flood;

mod escape;
mod leak;
mod lie;
mod polite;

mod reach;

use hydroid_component::tool::Tool;

pub use lie::definitions_with_lie;

/// Misbehaviours that need no capability.
pub fn pure_tools() -> Vec<Tool> {
    [
        polite::tools(),
        exhaust::tools(),
        flood::tools(),
        escape::tools(),
        leak::tools(),
        lie::tools(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Misbehaviours of one who may read files.
pub fn files_tools() -> Vec<Tool> {
    reach::reading_tools()
}

/// Misbehaviours of one who may write files.
pub fn write_tools() -> Vec<Tool> {
    reach::writing_tools()
}

/// Misbehaviours of one who may reach the web.
pub fn web_tools() -> Vec<Tool> {
    reach::web_tools()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_misbehaviour_has_a_name_of_its_own_that_a_host_accepts() {
        let tools: Vec<String> = [pure_tools(), files_tools(), write_tools(), web_tools()]
            .into_iter()
            .flatten()
            .map(|tool| tool.definition().name)
            .collect();
        for name in &tools {
            let rest_is_plain = name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            assert!(name.starts_with(|first: char| first.is_ascii_lowercase()), "{name}");
            assert!(rest_is_plain && name.len() <= 64, "{name}");
        }
        let mut unique = tools.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), tools.len(), "{tools:?}");
    }
}
