//! Skills: instructions as data, a folder with a `SKILL.md` that the person keeps. Reading the
//! folder is behind [`crate::ports::Skills`]; here is what such a file says and, in `loaded`, which
//! skills a session has taken up. A skill allows nothing, whatever it says of tools.

mod loaded;

pub use loaded::{LoadedSkill, SkillBy, loaded, unloaded};

use crate::harmless;
use serde::Deserialize;
use serde_json::Value;

/// The file that makes a folder a skill.
pub const FILE: &str = "SKILL.md";

/// Characters of a name, of a description and of other lines of the head.
const LONGEST_NAME: usize = 64;
const LONGEST_DESCRIPTION: usize = 1024;
const LONGEST_LINE: usize = 500;

/// Bytes of the head: every field at its longest, and as much again.
const LONGEST_HEAD: usize = 16 << 10;

/// Most names in a list of the head.
const MOST_LISTED: usize = 64;

/// Names under which other hosts keep what a skill needs, in `metadata`.
const HOSTS: [&str; 3] = ["openclaw", "clawdbot", "clawdis"];

/// A skill as its file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skill {
    /// Its name, that of its folder.
    pub name: String,
    /// What it is for: all a model reads of it before it is loaded.
    pub description: String,
    /// Its version.
    pub version: Option<String>,
    /// Its licence.
    pub license: Option<String>,
    /// Tools that its author has in mind. They are allowed no more than without it.
    pub tools: Vec<String>,
    /// What it says it needs beside: programs, variables, an environment. Nothing of it is given.
    pub needs: Vec<String>,
    /// Only a person has it loaded.
    pub by_person_only: bool,
    /// The instructions.
    pub text: String,
}

/// A `SKILL.md` that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSkill {
    /// No head.
    #[error(
        "it does not begin with a head; write `---`, `name: …`, `description: …` and `---` before the instructions"
    )]
    NoHead,
    /// A head that nobody reads.
    #[error("its head has {0} bytes, and {LONGEST_HEAD} are the most; instructions stand below it")]
    LongHead(usize),
    /// A head that is no YAML, or not of the fields it has to have.
    #[error(
        "its front matter cannot be read{0}; each line is `name: value`, and a value with `: ` or `#` in it stands in quotes"
    )]
    Head(String),
    /// The name is not one.
    #[error(
        "its name is none: that is lower case letters, digits and single `-` between them, at most 64 of them"
    )]
    Name,
    /// The name is not that of the folder.
    #[error("it is called `{name}` and its folder `{folder}`; give both the same name")]
    Folder {
        /// In the file.
        name: String,
        /// On disk.
        folder: String,
    },
    /// No description, or one that is too long.
    #[error(
        "its description has {0} characters; say in 1 to 1024 what it does and when it is to be used, since a model reads nothing else before it loads it"
    )]
    Description(usize),
    /// No instructions.
    #[error("it has no instructions; write them below the head")]
    Empty,
}

/// The head as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Head {
    name: String,
    description: String,
    #[serde(default)]
    version: Option<Value>,
    #[serde(default)]
    license: Option<Value>,
    #[serde(default)]
    compatibility: Option<Value>,
    #[serde(default)]
    allowed_tools: Option<Value>,
    #[serde(default)]
    disable_model_invocation: bool,
    #[serde(default)]
    requires: Option<Value>,
    #[serde(default)]
    env: Option<Value>,
    #[serde(default)]
    metadata: Option<Value>,
}

impl Skill {
    /// What is known of one that a session has loaded and whose folder is gone.
    pub fn of_loaded(loaded: &LoadedSkill) -> Self {
        Self {
            name: loaded.name.clone(),
            description: "its folder is gone, or is no skill any more".to_owned(),
            version: None,
            license: None,
            tools: Vec::new(),
            needs: Vec::new(),
            by_person_only: false,
            text: loaded.text.clone(),
        }
    }

    /// Reads the file of a folder. Fields of the head that mean nothing here are left alone.
    pub fn parse(folder: &str, file: &str) -> Result<Self, BadSkill> {
        let (head, text) = split(file).ok_or(BadSkill::NoHead)?;
        if head.len() > LONGEST_HEAD {
            return Err(BadSkill::LongHead(head.len()));
        }
        let head: Head = serde_saphyr::from_str_with_options(head, limits())
            .map_err(|error| BadSkill::Head(unread(&error)))?;
        if !is_name(&head.name) {
            return Err(BadSkill::Name);
        }
        if head.name != folder {
            let folder = folder.chars().take(LONGEST_NAME).collect();
            return Err(BadSkill::Folder { name: head.name, folder });
        }
        let description = one_line(&head.description);
        let length = description.chars().count();
        if length == 0 || length > LONGEST_DESCRIPTION {
            return Err(BadSkill::Description(length));
        }
        let text = cleaned(text);
        let text = text.trim();
        if text.is_empty() {
            return Err(BadSkill::Empty);
        }
        let metadata = head.metadata.as_ref();
        let of_metadata = |name: &str| metadata.and_then(|metadata| metadata.get(name));
        let version = head.version.as_ref().or_else(|| of_metadata("version"));
        Ok(Self {
            description,
            version: version.and_then(line),
            license: head.license.as_ref().and_then(line),
            tools: listed(head.allowed_tools.as_ref()),
            needs: needs(&head),
            by_person_only: head.disable_model_invocation,
            text: text.to_owned(),
            name: head.name,
        })
    }
}

/// What reading a head may cost: it is a page of text and refers to itself seldom.
fn limits() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: 32, max_nodes: 1_000 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 1_000 },
    }
}

/// What is needed beside, in a person's words.
fn needs(head: &Head) -> Vec<String> {
    let mut needs: Vec<String> = head.compatibility.as_ref().and_then(line).into_iter().collect();
    let of_hosts =
        HOSTS.iter().filter_map(|host| head.metadata.as_ref()?.get(*host)?.get("requires"));
    for requires in head.requires.iter().chain(of_hosts) {
        match requires {
            Value::Object(kinds) => needs.extend(kinds.iter().flat_map(|(kind, names)| {
                let kind = match kind.as_str() {
                    "bins" | "anyBins" => "the program",
                    "env" => "the variable",
                    "config" => "the setting",
                    _ => kind,
                };
                listed(Some(names))
                    .into_iter()
                    .map(|name| format!("{kind} `{name}`"))
                    .collect::<Vec<_>>()
            })),
            other => needs.extend(listed(Some(other)).into_iter().map(|name| format!("`{name}`"))),
        }
    }
    let variables = listed(head.env.as_ref()).into_iter();
    needs.extend(variables.map(|name| format!("the variable `{name}`")));
    needs.dedup();
    needs
}

/// Whether it is the name of a skill.
pub fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=LONGEST_NAME).contains(&name.len())
        && name.chars().all(fits)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

/// The head and what follows it.
fn split(file: &str) -> Option<(&str, &str)> {
    let file = file.strip_prefix('\u{feff}').unwrap_or(file);
    let rest = file.strip_prefix("---")?;
    let rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n'))?;
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Some((&rest[..at], &rest[at + line.len()..]));
        }
        at += line.len();
    }
    None
}

fn line(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => one_line(text),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then(|| text.chars().take(LONGEST_LINE).collect())
}

/// Names in a list, or in a text with spaces or commas between them.
fn listed(value: Option<&Value>) -> Vec<String> {
    let names: Vec<String> = match value {
        Some(Value::Array(names)) => names.iter().filter_map(line).collect(),
        Some(Value::String(names)) => {
            let parts = names.split([' ', ',', '\n']).map(str::trim);
            parts.filter(|name| !name.is_empty()).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    let cut = |name: String| name.chars().take(LONGEST_NAME).collect();
    names.into_iter().take(MOST_LISTED).map(cut).collect()
}

fn one_line(text: &str) -> String {
    cleaned(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text without what a person who keeps it does not see, and without what a terminal acts on.
pub fn cleaned(text: &str) -> String {
    let seen = harmless::seen(&text.replace("\r\n", "\n"));
    seen.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// What is wrong with a head, and where. Nothing of it is repeated: it may be anything.
fn unread(error: &serde_saphyr::Error) -> String {
    let said = error.without_snippet().to_string();
    let missing = ["name", "description"]
        .into_iter()
        .find(|field| said.contains(&format!("missing field `{field}`")));
    if let Some(field) = missing {
        return format!(": it has no `{field}`");
    }
    // Its first line is the second of the file.
    let line = error.location().map(|place| place.line().saturating_add(1));
    line.map(|line| format!(" in line {line}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str =
        "---\nname: tidy-notes\ndescription: Tidies notes.\n---\n\n# Tidy\n\nRead first.\n";

    #[track_caller]
    fn bad(folder: &str, file: &str, expect: &str) {
        let error = Skill::parse(folder, file).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }

    #[test]
    fn a_file_is_a_head_and_instructions() {
        let skill = Skill::parse("tidy-notes", PLAIN).unwrap();
        assert_eq!(skill.text, "# Tidy\n\nRead first.");
        assert_eq!((skill.description.as_str(), skill.version), ("Tidies notes.", None));
        let windows = PLAIN.replace('\n', "\r\n");
        assert!(Skill::parse("tidy-notes", &format!("\u{feff}{windows}")).is_ok());
    }

    #[test]
    fn fields_of_other_hosts_are_read_or_left_alone() {
        let file = "---\nname: github\ndescription: >\n  Work with\n  pull requests.\nversion: 1.2\nlicense: MIT\nallowed-tools: Bash(gh:*) Read\ndisable-model-invocation: true\nuser-invocable: true\ncompatibility: needs a network\nmetadata:\n  openclaw:\n    emoji: \"x\"\n    requires: { bins: [gh], env: [GITHUB_TOKEN] }\n    install: [{ id: brew, kind: brew }]\nrequires: [shell_exec]\nenv: [TOKEN]\n---\nx";
        let skill = Skill::parse("github", file).unwrap();
        assert_eq!(skill.description, "Work with pull requests.");
        assert_eq!(skill.version.as_deref(), Some("1.2"));
        assert_eq!(skill.tools, ["Bash(gh:*)", "Read"]);
        assert!(skill.by_person_only);
        assert_eq!(
            skill.needs,
            [
                "needs a network",
                "`shell_exec`",
                "the program `gh`",
                "the variable `GITHUB_TOKEN`",
                "the variable `TOKEN`"
            ]
        );
    }

    #[test]
    fn what_cannot_be_used_says_what_to_write() {
        bad("a", "# no head", "does not begin with a head");
        bad("a", "---\nname: a\ndescription: b\n", "does not begin with a head");
        bad("a", "---\nname: a\n---\nx", "it has no `description`");
        bad("a", "---\nname: a\ndescription: use when: b\n---\nx", "cannot be read in line 3");
        bad("a", "---\nname: [\n---\nx", "cannot be read");
        bad("a", "---\nname: A b\ndescription: c\n---\nx", "that is lower case");
        bad("b", PLAIN, "its folder `b`");
        bad("a", "---\nname: a\ndescription: ' '\n---\nx", "has 0 characters");
        let long = format!("---\nname: a\ndescription: {}\n---\nx", "d".repeat(1025));
        bad("a", &long, "has 1025 characters");
        bad("a", "---\nname: a\ndescription: b\n---\n \n", "no instructions");
        for name in ["", "-a", "a-", "a--b", "Ä", "a_b", "../a", &"a".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn what_nobody_sees_is_in_no_skill_and_errors_repeat_nothing() {
        let file =
            "---\nname: a\ndescription: \"d \\e[31m\\u202E end\"\n---\nx\u{e0041}\u{202e}\x1b[2Jy";
        let skill = Skill::parse("a", file).unwrap();
        assert_eq!((skill.description.as_str(), skill.text.as_str()), ("d [31m end", "x[2Jy"));
        for file in [
            "---\nname: hush hush\ndescription: d\n---\nx",
            "---\nhush: 1\nhush: 1\n---\nx",
            "---\nname: a\ndescription: [hush]\n---\nx",
        ] {
            let said = Skill::parse("a", file).unwrap_err().to_string();
            assert!(!said.contains("hush"), "{said}");
        }
    }

    #[test]
    fn a_hostile_head_costs_little() {
        let bomb = format!(
            "---\nname: a\ndescription: b\nmetadata:\n  a: &a [x,x,x,x,x,x,x,x,x]\n{}---\nx",
            (0..12).map(|n| {
                let (new, old) = (char::from(b'b' + n), char::from(b'a' + n));
                format!("  {new}: &{new} [*{old},*{old},*{old},*{old},*{old},*{old},*{old},*{old},*{old}]\n")
            }).collect::<String>()
        );
        bad("a", &bomb, "cannot be read");
        let deep = |depth| {
            format!("---\nname: a\ndescription: b\nmetadata: {}\n---\nx", "[".repeat(depth))
        };
        bad("a", &deep(16_000), "cannot be read");
        bad("a", &deep(17_000), "its head has 17");
    }
}
