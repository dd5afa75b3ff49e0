//! What can be typed about skills.

use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Skill {
    /// List skills, and what is wrong with those that cannot be used.
    List {
        /// Mark those that this session has loaded: its identifier or the beginning of it.
        #[arg(long, value_name = "ID")]
        session: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what a skill says of itself, its files and its instructions.
    Show {
        /// Its name.
        name: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Have a session load a skill: from its next turn on the model reads its instructions.
    Load {
        /// Its name.
        name: String,
        /// The session: its identifier or the beginning of it.
        #[arg(long, value_name = "ID")]
        session: String,
    },
    /// Have a session unload a skill.
    Unload {
        /// Its name.
        name: String,
        /// The session: its identifier or the beginning of it.
        #[arg(long, value_name = "ID")]
        session: String,
    },
    /// Say whether a folder is a skill that can be used, and what is to be known of it.
    Check {
        /// The folder, or its `SKILL.md`.
        folder: PathBuf,
    },
    /// Keep a skill: its folder is copied, after you were shown what it is.
    ///
    /// A session's model follows what a skill says, so read it first. It allows nothing: calls are
    /// decided on by the rules, whatever it says.
    Add {
        /// The folder, or its `SKILL.md`.
        folder: PathBuf,
        /// Keep it without being asked, also in place of one of that name.
        #[arg(long, short)]
        yes: bool,
    },
    /// Remove a skill. Sessions that have loaded it keep it until they unload it.
    Remove {
        /// Its name.
        name: String,
        /// Remove it without being asked.
        #[arg(long, short)]
        yes: bool,
    },
    /// Make a folder for a new skill among yours.
    New {
        /// Its name.
        name: String,
    },
}
