//! Points of the loop at which hooks are asked, and what they may answer. Who is asked is behind
//! [`crate::ports::Hooks`]; what is done with an answer stands where the point is.

use crate::id::ComponentId;
use globset::{Glob, GlobSet, GlobSetBuilder};
use serde_json::Value;
use std::fmt;

/// Bytes of the name of a tool, with room for stars.
const LONGEST_PATTERN: usize = 128;

/// A point at which hooks are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HookPoint {
    /// A session was opened.
    SessionStart,
    /// A session was closed.
    SessionEnd,
    /// A person said something, through whatever channel; no turn has begun.
    TurnStart,
    /// A turn ended, and what the agent says is said.
    TurnEnd,
    /// A model is about to be asked.
    BeforeModel,
    /// A model has answered; nothing of the answer was shown or done yet.
    AfterModel,
    /// A call fits its schema; no rule has decided on it.
    BeforeTool,
    /// A call has a result that nobody has seen.
    AfterTool,
    /// A model or a tool failed.
    Error,
    /// A conversation was shortened.
    Compaction,
    /// A child turn begins.
    SubagentStart,
    /// A child turn ended.
    SubagentEnd,
    /// A session is about to take a skill up.
    SkillLoad,
    /// A session laid a skill down.
    SkillUnload,
}

/// What came of asking everybody at one point.
#[derive(Clone, Debug, PartialEq)]
pub struct HookOutcome {
    /// The subject as the last of them left it.
    pub subject: Value,
    /// Somebody changed it.
    pub replaced: bool,
    /// What the person is told beside.
    pub notices: Vec<HookWord>,
    /// What is done.
    pub verdict: HookVerdict,
}

/// What is done after everybody was asked. The first that does not let it go on has the word;
/// `Ask` alone lets the others speak too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HookVerdict {
    /// It goes on.
    #[default]
    Proceed,
    /// A person decides.
    Ask(HookWord),
    /// It does not happen.
    Deny(HookWord),
    /// It does not happen, and this is what came of it.
    Reply(HookWord),
    /// What came of it is thrown away and it is done again.
    Retry(HookWord),
}

/// What a hook said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookWord {
    /// Which hook.
    pub by: ComponentId,
    /// Its reason or its reply, scrubbed.
    pub text: String,
}

impl HookPoint {
    /// Every point.
    pub const ALL: [Self; 14] = [
        Self::SessionStart,
        Self::SessionEnd,
        Self::TurnStart,
        Self::TurnEnd,
        Self::BeforeModel,
        Self::AfterModel,
        Self::BeforeTool,
        Self::AfterTool,
        Self::Error,
        Self::Compaction,
        Self::SubagentStart,
        Self::SubagentEnd,
        Self::SkillLoad,
        Self::SkillUnload,
    ];

    /// As the contract writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::SessionStart => "session-start",
            Self::SessionEnd => "session-end",
            Self::TurnStart => "turn-start",
            Self::TurnEnd => "turn-end",
            Self::BeforeModel => "before-model",
            Self::AfterModel => "after-model",
            Self::BeforeTool => "before-tool",
            Self::AfterTool => "after-tool",
            Self::Error => "error",
            Self::Compaction => "compaction",
            Self::SubagentStart => "subagent-start",
            Self::SubagentEnd => "subagent-end",
            Self::SkillLoad => "skill-load",
            Self::SkillUnload => "skill-unload",
        }
    }

    /// The point of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|point| point.name() == name)
    }

    /// At a gate a failure stops what is at hand; elsewhere it is only noted, and so is every
    /// answer but `proceed`.
    pub fn is_gate(self) -> bool {
        match self {
            Self::TurnStart
            | Self::BeforeModel
            | Self::AfterModel
            | Self::BeforeTool
            | Self::AfterTool
            | Self::SkillLoad => true,
            Self::SessionStart
            | Self::SessionEnd
            | Self::TurnEnd
            | Self::Error
            | Self::Compaction
            | Self::SubagentStart
            | Self::SubagentEnd
            | Self::SkillUnload => false,
        }
    }

    /// True if the point is about one tool.
    pub fn is_of_tools(self) -> bool {
        matches!(self, Self::BeforeTool | Self::AfterTool)
    }
}

/// Names of tools, as a hook writes them.
#[derive(Clone, Debug)]
pub struct ToolPatterns {
    /// None for all.
    names: Option<GlobSet>,
}

impl ToolPatterns {
    /// Those whose names fit one of these, where `*` stands for anything; all if there is none.
    pub fn new(patterns: &[String]) -> Result<Self, String> {
        if patterns.is_empty() {
            return Ok(Self { names: None });
        }
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '*');
            if pattern.is_empty() || pattern.len() > LONGEST_PATTERN || !pattern.chars().all(fits) {
                let shown: String = pattern.chars().take(LONGEST_PATTERN).collect();
                return Err(format!("`{shown}` is no name of a tool, with `*` for anything"));
            }
            set.add(Glob::new(pattern).map_err(|error| error.to_string())?);
        }
        set.build().map(|names| Self { names: Some(names) }).map_err(|error| error.to_string())
    }

    /// True if this one is among them.
    pub fn has(&self, tool: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.is_match(tool))
    }
}

impl HookOutcome {
    /// Nobody had anything against it.
    pub fn proceed(subject: Value) -> Self {
        Self { subject, replaced: false, notices: Vec::new(), verdict: HookVerdict::Proceed }
    }
}

impl fmt::Display for HookPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for HookWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the hook `{}` says: {}", self.by, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_found_by_its_name() {
        for point in HookPoint::ALL {
            assert_eq!(HookPoint::of_name(point.name()), Some(point));
        }
        assert_eq!(HookPoint::of_name("before_tool"), None);
    }

    #[test]
    fn a_star_stands_for_anything_and_nothing_for_all() {
        let patterns = |patterns: &[&str]| {
            ToolPatterns::new(&patterns.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
        };
        assert!(patterns(&[]).unwrap().has("file_read"));
        let web = patterns(&["web_*", "time_now"]).unwrap();
        assert!(web.has("web_fetch") && web.has("time_now") && !web.has("time_add"));
        for bad in ["", "{a,b", "[a", "a b", "a/b"] {
            assert!(patterns(&[bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_has_happened_already_is_no_gate() {
        let gates: Vec<&str> = HookPoint::ALL
            .iter()
            .filter(|point| point.is_gate())
            .map(|point| point.name())
            .collect();
        assert_eq!(
            gates,
            [
                "turn-start",
                "before-model",
                "after-model",
                "before-tool",
                "after-tool",
                "skill-load"
            ]
        );
    }
}
