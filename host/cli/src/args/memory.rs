//! What can be typed about memory and its copies.

use clap::{Args, Subcommand, ValueEnum};
use hydroid_core::ports::Source;
use std::num::NonZeroUsize;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Memory {
    /// Look for notes, what was said, and files.
    Search(SearchMemory),
    /// List notes, those changed last first.
    List {
        /// Most notes.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a note.
    Show {
        /// The note, such as `note-7`.
        id: String,
    },
    /// Keep a note.
    Save {
        /// What to remember; several words are joined.
        #[arg(value_name = "TEXT", required = true)]
        text: Vec<String>,
        /// A word to find it by; may be repeated.
        #[arg(long = "tag", value_name = "TAG")]
        tags: Vec<String>,
        /// Find it before others, and leave it when pruning.
        #[arg(long)]
        important: bool,
        /// Who finds it: `user`, or `agent:NAME`, `session:ID`, `project:NAME`.
        #[arg(long, value_name = "SCOPE", default_value = "user")]
        scope: String,
    },
    /// Forget notes.
    Delete {
        /// The notes, such as `note-7`.
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
    /// List what is newest: notes, messages and files.
    Recent {
        /// Most of them.
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Bring notes in that were exported, or any Markdown, a note a paragraph.
    Import {
        /// The file; standard input if absent.
        file: Option<PathBuf>,
        /// How it is written.
        #[arg(long, value_enum, default_value_t = NotesFormat::Jsonl)]
        format: NotesFormat,
    },
    /// Write all notes to standard output.
    Export {
        /// How to write them.
        #[arg(long, value_enum, default_value_t = NotesFormat::Jsonl)]
        format: NotesFormat,
    },
    /// Forget what is old; what was said stays in its session and is only no longer found.
    Prune {
        /// Older than this: `90d` ago, or before a day like `2026-11-22`.
        #[arg(long, value_name = "WHEN")]
        older_than: String,
        /// Only this kind.
        #[arg(long, value_enum, value_name = "KIND")]
        source: Option<Kind>,
        /// Important notes, too.
        #[arg(long)]
        important: bool,
        /// Do it; without this it is only counted.
        #[arg(long, short)]
        yes: bool,
    },
    /// Forget everything of yours: notes, files, scratchpads, kept answers and sessions.
    Purge {
        /// Leave sessions and what was said in them; it is no longer found.
        #[arg(long)]
        keep_sessions: bool,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
    /// Take files or directories in: Markdown, text, code and HTML.
    Ingest {
        /// The files and directories.
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
        /// Find them in this project only.
        #[arg(long, value_name = "NAME")]
        project: Option<String>,
    },
    /// Forget files that were taken in; the files themselves stay.
    Forget {
        /// A file or directory, as `hydroid memory status` or a search shows it.
        path: PathBuf,
    },
    /// Take a directory in, and every change of it, until Ctrl-C.
    Watch {
        /// The directory.
        directory: PathBuf,
        /// Find its files in this project only.
        #[arg(long, value_name = "NAME")]
        project: Option<String>,
        /// Seconds between two looks.
        #[arg(long, value_name = "SECONDS", default_value_t = 2)]
        every: u64,
    },
    /// Say what there is, and how much of it has vectors.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give everything that has none its vector, now.
    Reindex,
    /// Measure searching: take documents in, ask queries, print what was found.
    ///
    /// Both files have an object with `id` and `text` a line. For each query, in order, a line
    /// `{"query":ID,"results":[{"id":ID,"score":NUMBER},…]}` is printed. Nothing is kept.
    Bench {
        /// The documents.
        #[arg(value_name = "DOCS.jsonl")]
        documents: PathBuf,
        /// The queries.
        #[arg(value_name = "QUERIES.jsonl")]
        queries: PathBuf,
        /// Most results of a query.
        #[arg(long, value_name = "K", default_value = "10")]
        top: NonZeroUsize,
    },
}

/// What to look for.
#[derive(Debug, Args)]
pub(crate) struct SearchMemory {
    /// The words; several are joined.
    #[arg(value_name = "WORDS", required = true)]
    pub(crate) words: Vec<String>,
    /// Most results.
    #[arg(long, default_value_t = 10)]
    pub(crate) limit: u32,
    /// Only notes with this tag; may be repeated.
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Only this kind.
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) source: Option<Kind>,
    /// Only from then on: `1h` or `7d` ago, or a day like `2026-11-22`.
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Only before then.
    #[arg(long, value_name = "WHEN")]
    pub(crate) before: Option<String>,
    /// Say for each result why it is where it is.
    #[arg(long)]
    pub(crate) explain: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A kind of thing that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Notes.
    Note,
    /// What was said.
    Message,
    /// Files.
    File,
}

/// How notes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NotesFormat {
    /// A JSON object a line.
    Jsonl,
    /// To read and edit.
    Markdown,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Backup {
    /// Copy sessions and memory while they are in use.
    Create,
    /// List copies, the newest first.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Read a copy from end to end and compare it with what was noted when it was made.
    Verify {
        /// Its name, as `hydroid backup list` shows it.
        name: String,
    },
    /// Put a copy in the place of what is there, of which a copy is made first.
    Restore {
        /// Its name, as `hydroid backup list` shows it.
        name: String,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
}

impl From<Kind> for Source {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Note => Self::Note,
            Kind::Message => Self::Message,
            Kind::File => Self::File,
        }
    }
}
