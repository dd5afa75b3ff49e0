//! Texts to read: what the host says of itself, of tools, costs, notes and rules.

use super::Row;
use crate::keymap::{KEYS, Place};
use crate::slash::COMMANDS;
use hydroid_core::policy::Mode;
use hydroid_core::protocol::{
    Activity, CostRow, InstalledComponent, KeptNote, PolicyLine, Status, ToolOffer,
};
use hydroid_core::tool::Impact;

/// A text to read.
#[derive(Debug)]
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) scroll: usize,
    /// The question beside the conversation whose answer still comes.
    pub(crate) aside: Option<u64>,
}

/// A part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    Heading(String),
    Markdown(String),
    Remark(String),
    Table(Vec<Vec<String>>),
}

impl Panel {
    fn new(title: &str, blocks: Vec<Block>) -> Self {
        Self { title: title.to_owned(), blocks, scroll: 0, aside: None }
    }

    /// Keys and commands.
    pub(crate) fn help() -> Self {
        let mut blocks = vec![Block::Heading("Commands".to_owned())];
        blocks.push(Block::Table(
            COMMANDS
                .iter()
                .map(|slash| {
                    let name = format!("/{} {}", slash.name, slash.arguments);
                    vec![name.trim_end().to_owned(), slash.does.to_owned()]
                })
                .collect(),
        ));
        for place in Place::ALL {
            blocks.push(Block::Heading(place.heading().to_owned()));
            let keys = KEYS.iter().filter(|key| key.place == place);
            blocks.push(Block::Table(
                keys.map(|key| vec![key.names(), key.does.to_owned()]).collect(),
            ));
        }
        Self::new("Help", blocks)
    }

    /// The answer to a question beside the conversation, as it comes.
    pub(crate) fn aside(request: u64, question: &str) -> Self {
        let blocks =
            vec![Block::Remark(format!("you: {question}")), Block::Markdown(String::new())];
        Self { aside: Some(request), ..Self::new("Beside the conversation", blocks) }
    }

    /// More of the answer.
    pub(crate) fn add(&mut self, more: &str) {
        if let Some(Block::Markdown(text)) = self.blocks.last_mut()
            && text.len() + more.len() <= crate::conversation::MOST_TEXT
        {
            text.push_str(more);
        }
    }

    /// The whole answer.
    pub(crate) fn replace(&mut self, whole: &str) {
        if let Some(Block::Markdown(text)) = self.blocks.last_mut() {
            text.clear();
        }
        self.add(&crate::conversation::Clipped::new(whole).text);
    }

    /// What a command says that asks nobody.
    pub(crate) fn said(title: &str, text: &str) -> Self {
        Self::new(title, vec![Block::Markdown(text.to_owned())])
    }

    pub(crate) fn tools(tools: &[ToolOffer]) -> Self {
        let rows = tools.iter().map(|tool| {
            vec![
                tool.name.clone(),
                impact(tool.impact).to_owned(),
                tool.component.clone(),
                first_line(&tool.description),
            ]
        });
        Self::new("Tools", vec![Block::Table(rows.collect())])
    }

    pub(crate) fn components(components: &[InstalledComponent]) -> Self {
        let rows = components.iter().map(|component| {
            let state = match &component.problem {
                Some(problem) => format!("not loaded: {problem}"),
                None if component.loaded => "loaded".to_owned(),
                None => "not loaded".to_owned(),
            };
            vec![component.name.clone(), component.version.clone(), state]
        });
        Self::new(
            "Components",
            vec![
                Block::Table(rows.collect()),
                Block::Remark("`hydroid component grant NAME PROFILE` grants one".to_owned()),
            ],
        )
    }

    pub(crate) fn cost(total: &CostRow, days: &[CostRow], models: &[CostRow]) -> Self {
        let row = |row: &CostRow| {
            let unknown = match row.unknown {
                0 => String::new(),
                some => format!("{some} without a price"),
            };
            vec![
                row.group.clone(),
                row.dollars.to_string(),
                format!("{} requests", row.requests),
                format!("{} in", tokens(row.usage.input)),
                format!("{} out", tokens(row.usage.output)),
                unknown,
            ]
        };
        let total = CostRow { group: "all".to_owned(), ..total.clone() };
        Self::new(
            "Cost",
            vec![
                Block::Table(vec![row(&total)]),
                Block::Heading("By model".to_owned()),
                Block::Table(models.iter().map(row).collect()),
                Block::Heading("By day".to_owned()),
                Block::Table(days.iter().map(row).collect()),
            ],
        )
    }

    pub(crate) fn notes(notes: &[KeptNote], now: Option<u64>) -> Self {
        if notes.is_empty() {
            return Self::said("Notes", "There are none, or none fits.");
        }
        let rows = notes.iter().map(|note| {
            let tags = note.tags.join(", ");
            vec![note.note.clone(), Row::ago(note.at_ms, now), tags, note.text.clone()]
        });
        Self::new(
            "Notes",
            vec![
                Block::Table(rows.collect()),
                Block::Remark("`/memory forget NOTE` forgets one".to_owned()),
            ],
        )
    }

    pub(crate) fn policy(mode: Mode, rules: &[PolicyLine]) -> Self {
        let rows = rules.iter().map(|rule| {
            let approval = rule.approval.clone().unwrap_or_default();
            vec![rule.rule.clone(), rule.from.clone(), approval]
        });
        Self::new(
            "Policy",
            vec![
                Block::Remark(format!("mode: {}; `/policy mode plan` sets another", of_mode(mode))),
                Block::Table(rows.collect()),
                Block::Remark(
                    "`/policy revoke APPROVAL` takes back what has one in the last column"
                        .to_owned(),
                ),
            ],
        )
    }

    pub(crate) fn status(status: &Status) -> Self {
        let settings = &status.settings;
        let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        let up = status.now_ms.saturating_sub(status.started_ms) / 60_000;
        let mut blocks = vec![Block::Table(vec![
            vec!["host".to_owned(), format!("hydroid {}, up {up} min", status.server)],
            vec!["you".to_owned(), status.user.to_string()],
            vec![
                "model".to_owned(),
                format!("{} of {}", word(&settings.model), word(&settings.provider)),
            ],
            vec!["sessions in memory".to_owned(), status.sessions.to_string()],
            vec!["connections".to_owned(), status.connections.to_string()],
        ])];
        if status.stopped {
            blocks.push(Block::Remark(
                "everything is stopped; `hydroid stop --release` ends that".to_owned(),
            ));
        }
        if !status.running.is_empty() {
            blocks.push(Block::Heading("Running".to_owned()));
            blocks.push(Block::Table(
                status
                    .running
                    .iter()
                    .map(|turn| {
                        let calls: Vec<&str> =
                            turn.calls.iter().map(|call| call.tool.as_str()).collect();
                        vec![
                            turn.session.to_string(),
                            activity(turn.activity).to_owned(),
                            format!("{:.0} s", crate::conversation::seconds(turn.ms)),
                            calls.join(", "),
                        ]
                    })
                    .collect(),
            ));
        }
        if !status.degraded.is_empty() {
            blocks.push(Block::Heading("Not as it could be".to_owned()));
            let rows = status.degraded.iter();
            blocks.push(Block::Table(
                rows.map(|one| vec![one.part.clone(), one.reason.clone()]).collect(),
            ));
        }
        Self::new("Status", blocks)
    }
}

/// What a session does, in a word.
pub(crate) fn activity(activity: Activity) -> &'static str {
    match activity {
        Activity::Asleep | Activity::Idle => "",
        Activity::Working => "working",
        Activity::Asking => "asks",
        Activity::Waiting => "waits",
    }
}

/// How a mode is called in the configuration.
pub(crate) fn of_mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Plan => "plan",
        Mode::Default => "default",
        Mode::AcceptEdits => "accept-edits",
        Mode::Headless => "headless",
    }
}

fn impact(impact: Impact) -> &'static str {
    match impact {
        Impact::ReadOnly => "reads",
        Impact::Network => "reads, network",
        Impact::Edits => "edits",
        Impact::Changes => "changes",
        Impact::Vault => "vault",
    }
}

/// Tokens, short.
pub(crate) fn tokens(count: u64) -> String {
    match count {
        0..=9_999 => count.to_string(),
        10_000..=999_999 => format!("{}k", count / 1_000),
        _ => format!("{}.{}M", count / 1_000_000, count % 1_000_000 / 100_000),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
