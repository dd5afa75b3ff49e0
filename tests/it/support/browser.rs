//! A running host, and scenarios that a real browser plays against it.

use super::hydroid::Home;
use crate::root;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

/// `hydroid serve` in a home of its own, ended when it is dropped.
pub(crate) struct Host {
    pub(crate) home: Home,
    process: Child,
    address: String,
}

impl Host {
    /// Starts it with this configuration, on a port of its own.
    pub(crate) fn start(config: &str) -> Self {
        let home = Home::with_config(config);
        let (process, address) = serve(&home, "127.0.0.1:0");
        Self { home, process, address }
    }

    /// Ends it as a power failure would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it ended");
    }

    /// Starts it again at the same place.
    pub(crate) fn start_again(&mut self) {
        let bind = self.address.trim_start_matches("http://").to_owned();
        (self.process, self.address) = serve(&self.home, &bind);
    }

    /// Asks over HTTP; the status and the body of the answer.
    pub(crate) fn http(&self, head: &str, body: &str) -> (u16, String) {
        let authority = self.address.trim_start_matches("http://");
        let mut stream = std::net::TcpStream::connect(authority).expect("it listens");
        let length = body.len();
        let (first, headers) = head.split_once('\n').unwrap_or((head, ""));
        let headers: String = headers.lines().map(|line| format!("{line}\r\n")).collect();
        let request = format!(
            "{first} HTTP/1.1\r\nhost: {authority}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        (status.expect("a status"), body.expect("a body"))
    }

    /// A token that may do so much.
    pub(crate) fn token(&self, scope: &str) -> String {
        let made = self.home.run(&["token", "create", "--scope", scope]).code(0);
        made.stdout.trim().to_owned()
    }

    /// A link that lets a browser in once.
    fn link(&self) -> String {
        self.home.run(&["web"]).code(0).stdout.trim().to_owned()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Serves and says where.
fn serve(home: &Home, bind: &str) -> (Child, String) {
    let mut process = home.start(&["serve", "--bind", bind]);
    let mut said = BufReader::new(process.stderr.take().expect("standard error was asked for"));
    let mut lines = String::new();
    let address = loop {
        let before = lines.len();
        let read = said.read_line(&mut lines).expect("it says where it listens");
        assert!(read > 0, "it ended: {lines}");
        let line = lines.get(before..).unwrap_or_default();
        if let Some(url) =
            line.strip_prefix("listening on ").and_then(|rest| rest.split(';').next())
        {
            break url.to_owned();
        }
    };
    // What it says later must not fill the pipe.
    std::thread::spawn(move || drop(said.read_to_end(&mut Vec::new())));
    (process, address)
}

/// One scenario of `tests/fixtures/browser/`.
pub(crate) struct Scenario {
    name: &'static str,
    packages: std::ffi::OsString,
    program: std::ffi::OsString,
}

impl Scenario {
    /// The scenario; none where no browser is installed and that may be, which is anywhere but in
    /// continuous integration.
    #[expect(clippy::print_stderr, reason = "a test that is left out says so")]
    pub(crate) fn new(name: &'static str) -> Option<Self> {
        let variables = ["HYDROID_BROWSER_PACKAGES", "HYDROID_BROWSER"].map(std::env::var_os);
        let [Some(packages), Some(program)] = variables else {
            assert!(
                std::env::var_os("CI").is_none(),
                "no browser is installed; `cargo xtask test` says what is missing"
            );
            eprintln!("skipped: no browser is installed; `cargo xtask test` says what is missing");
            return None;
        };
        Some(Self { name, packages, program })
    }

    /// Plays it; it fails as the scenario does.
    pub(crate) fn run(&self, host: &Host, variables: &[(&str, &str)]) {
        let output = self.command(host, variables).output().expect("node runs");
        let (out, error) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}:\n{out}\n{error}", self.name);
    }

    /// Plays it, and answers each line that it says.
    pub(crate) fn run_with(
        &self,
        host: &mut Host,
        mut answer: impl FnMut(&mut Host, &str) -> &'static str,
    ) {
        let mut command = self.command(host, &[]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut node = command.spawn().expect("node runs");
        let mut stdin = node.stdin.take().expect("standard input was asked for");
        let stdout = BufReader::new(node.stdout.take().expect("standard output was asked for"));
        for line in stdout.lines() {
            let answered = answer(host, line.expect("node writes UTF-8").trim());
            // One that failed reads no more, and says so at its end.
            drop(stdin.write_all(format!("{answered}\n").as_bytes()));
        }
        drop(stdin);
        let output = node.wait_with_output().expect("node ends");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}, {}:\n{error}", self.name, output.status);
    }

    fn command(&self, host: &Host, variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new("node");
        command
            .arg(root().join("tests/fixtures/browser").join(self.name))
            .env("HYDROID_BROWSER_PACKAGES", &self.packages)
            .env("HYDROID_BROWSER_PATH", found(&self.program))
            .env("HYDROID_ADDRESS", &host.address)
            .env("HYDROID_LINK", host.link())
            .envs(variables.iter().copied());
        command
    }
}

/// The path of a program that is known by its name.
fn found(program: &std::ffi::OsStr) -> std::path::PathBuf {
    let directories = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&directories)
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
        .unwrap_or_else(|| program.into())
}
