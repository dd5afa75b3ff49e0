//! `cargo xtask demo`: the main job from end to end, with the real binary, in a scratch home and
//! a scratch workspace, without a network or an API key. It checks what came out.
//! Not a substitute for the tests; it shows a person what they hold.

use crate::{cargo, page, setup};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is in the workspace at the start.
const FILES: [(&str, &str); 3] = [
    (
        "notes.md",
        "# Trip to the coast\n\nWe leave on Friday with the first train. Anna brings the map.\n\n## To do\n\nBook two rooms. The harbour inn is full.\n",
    ),
    ("budget.csv", "what,euros\ntrain,84\nrooms,210\nfood,120\n"),
    ("letters/anna.txt", "Dear Anna,\n\nI will be at the station at seven.\n"),
];

/// Builds `hydroid` unless one is given, and runs the job with it.
pub(crate) fn run(binary: Option<PathBuf>) -> Result<()> {
    let hydroid = match binary {
        Some(path) => fs::canonicalize(&path)
            .with_context(|| format!("there is no binary `{}`", path.display()))?,
        None => setup::build()?,
    };
    let scratch = tempfile::tempdir().context("cannot create a scratch directory")?;
    let demo = Demo::prepare(hydroid, scratch.path(), page::serve()?)?;
    demo.main_job()?;
    demo.recall()?;
    demo.resume()?;
    demo.denial()?;
    heading("the demo worked: files, fetch, edit, recall, resume and denial are as they should be");
    Ok(())
}

struct Demo {
    hydroid: PathBuf,
    home: PathBuf,
    shared: PathBuf,
    page: SocketAddr,
}

/// What a run of `hydroid` printed.
struct Printed {
    /// Standard output: the answer.
    answer: String,
    /// Both streams.
    all: String,
}

impl Demo {
    /// Lays out the workspace and opens the one address that the page is at.
    fn prepare(hydroid: PathBuf, scratch: &Path, page: SocketAddr) -> Result<Self> {
        let (home, workspace) = (scratch.join("home"), scratch.join("workspace"));
        let shared = workspace.join("shared");
        heading("a workspace with three files, and a notice board on this machine");
        for (name, text) in FILES {
            write(&shared.join(name), text)?;
            println!("  shared/{name}");
        }
        println!("  http://{page}/notices");
        let config = toml::toml! {
            [workspace]
            directory = (workspace.display().to_string())
            [egress]
            allow_private = [(page.to_string())]
        };
        write(&home.join("config.toml"), &config.to_string())?;
        let demo = Self { hydroid, home, shared, page };
        let host = format!("http://{page}");
        demo.must_work(&["component", "grant", "tool-web", "web", "--host", &host])?;
        Ok(demo)
    }

    /// Files in, files out, and one page of the web.
    fn main_job(&self) -> Result<()> {
        heading("the main job: list, read, summarise, edit, fetch");
        let task = format!(
            "list files, then read notes.md, then summarise notes.md into summary.md, \
             then replace Friday with Thursday in summary.md, then fetch http://{}/notices",
            self.page
        );
        let allowed = ["--allow", "file_write", "--allow", "file_edit", "--allow", "web_fetch"];
        let printed = self.must_work(&[&["ask", &task], allowed.as_slice()].concat())?;

        let summary = self.shared.join("summary.md");
        let text = fs::read_to_string(&summary)
            .context("the job did not write shared/summary.md; its calls are above")?;
        heading("shared/summary.md");
        println!("{text}");
        ensure!(
            text.contains("Thursday") && !text.contains("Friday"),
            "the edit is not in shared/summary.md: it should say Thursday, not Friday"
        );
        ensure!(text.contains("Book two rooms"), "shared/summary.md does not sum up notes.md");
        self.expect(&printed.answer, "budget.csv", "the list of files")?;
        self.expect(&printed.answer, page::SENTENCE, "the page")?;
        let notes = fs::read_to_string(self.shared.join("notes.md"))?;
        ensure!(notes == FILES[0].1, "shared/notes.md was changed, though it was only read");
        Ok(())
    }

    /// A note is kept, and another session finds it.
    fn recall(&self) -> Result<()> {
        heading("a note that a second session finds");
        let remember = "remember that the harbour inn has a room from the 14th";
        self.must_work(&["ask", remember, "--allow", "memory_save"])?;
        let first = self.newest_session()?;
        let printed = self.must_work(&["ask", "what do you remember about the harbour inn"])?;
        ensure!(self.newest_session()? != first, "the question was no session of its own");
        self.expect(&printed.answer, "a room from the 14th", "what was to be remembered")?;
        self.expect(&printed.answer, "note-", "the note it was kept as")
    }

    /// A session ends, and goes on later with all that was said in it.
    fn resume(&self) -> Result<()> {
        heading("a session that is taken up again");
        self.must_work(&["ask", "say the ferry leaves at nine"])?;
        let session = self.newest_session()?;
        let printed =
            self.must_work(&["ask", "--session", &session, "summarise the conversation"])?;
        self.expect(&printed.answer, "the ferry leaves at nine", "what was said before")?;
        ensure!(
            self.newest_session()? == session,
            "`--session` began another session instead of taking up the one it was given"
        );
        Ok(())
    }

    /// What was not allowed does not happen, and the reader learns why.
    fn denial(&self) -> Result<()> {
        heading("a call that nobody allowed");
        let printed = self.hydroid(&["ask", "write denied.md: this must not be written"])?.1;
        ensure!(
            !self.shared.join("denied.md").exists(),
            "shared/denied.md was written although nobody allowed it"
        );
        self.expect(&printed.all, "--allow file_write", "what would allow the call")
    }

    fn newest_session(&self) -> Result<String> {
        let listed = self.must_work(&["session", "list"])?;
        newest_session(&listed.answer)
            .context("`hydroid session list` shows no session id to take up")
    }

    fn expect(&self, text: &str, wanted: &str, what: &str) -> Result<()> {
        ensure!(text.contains(wanted), "the output above lacks {what}: `{wanted}`");
        Ok(())
    }

    fn must_work(&self, arguments: &[&str]) -> Result<Printed> {
        let (worked, printed) = self.hydroid(arguments)?;
        ensure!(
            worked,
            "this command failed, and it should not: `hydroid {}`",
            arguments.join(" ")
        );
        Ok(printed)
    }

    /// Runs `hydroid` and shows the command line and everything it prints, as it prints it.
    fn hydroid(&self, arguments: &[&str]) -> Result<(bool, Printed)> {
        let mut command = Command::new(&self.hydroid);
        command.args(arguments).env("HYDROID_HOME", &self.home).stdin(Stdio::null());
        // Settings and keys of the person at this machine have no part in it.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if (text.starts_with("HYDROID_") && text != "HYDROID_HOME")
                || text.ends_with("_API_KEY")
            {
                command.env_remove(&name);
            }
        }
        println!("\n$ {}", cargo::shown(&command));
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{}`", self.hydroid.display()))?;
        let output = child.stdout.take().context("standard output was asked for")?;
        let errors = child.stderr.take().context("standard error was asked for")?;
        let errors = std::thread::spawn(move || pass_through(errors, std::io::stderr()));
        let answer = pass_through(output, std::io::stdout())?;
        let errors = match errors.join() {
            Ok(errors) => errors?,
            Err(_) => bail!("the thread that reads standard error failed"),
        };
        let status = child.wait().context("cannot wait for hydroid")?;
        if status.code().is_none() {
            bail!("hydroid was ended by a signal ({status})");
        }
        let all = format!("{answer}\n{errors}");
        Ok((status.success(), Printed { answer, all }))
    }
}

/// Copies bytes as they come and keeps them.
fn pass_through(mut from: impl Read, mut to: impl Write) -> Result<String> {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = from.read(&mut buffer).context("cannot read what hydroid prints")?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        to.write_all(bytes).and_then(|()| to.flush()).context("cannot write to the terminal")?;
        kept.extend_from_slice(bytes);
    }
    Ok(String::from_utf8_lossy(&kept).into_owned())
}

/// The session that began last: identifiers begin with the time, so the greatest is the newest.
fn newest_session(listed: &str) -> Option<String> {
    let is_identifier = |word: &&str| {
        word.len() == 36
            && word.matches('-').count() == 4
            && word.chars().all(|character| character.is_ascii_hexdigit() || character == '-')
    };
    listed.split_whitespace().filter(is_identifier).max().map(str::to_owned)
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create `{}`", directory.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

fn heading(text: &str) {
    println!("\n== {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_session_is_found_in_any_table() {
        let listed = "ID                                    BEGAN\n\
                      0190aaaa-0000-7000-8000-000000000001  yesterday\n\
                      0190bbbb-0000-7000-8000-000000000002  today\n\
                      not-an-identifier-at-all-but-36-long  never\n";
        let expect = Some("0190bbbb-0000-7000-8000-000000000002".to_owned());
        assert_eq!(newest_session(listed), expect);
        assert_eq!(newest_session("no sessions"), None);
    }

    #[test]
    fn what_is_shown_is_also_kept() {
        let mut shown = Vec::new();
        assert_eq!(pass_through("é\n".repeat(5000).as_bytes(), &mut shown).unwrap().len(), 15_000);
        assert_eq!(shown.len(), 15_000);
    }

    #[test]
    fn a_missing_binary_is_named() {
        let error = run(Some("no/such/hydroid".into())).unwrap_err();
        assert!(error.to_string().contains("no/such/hydroid"), "{error}");
    }
}
