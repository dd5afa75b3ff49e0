//! An independent scripted model server from the npm registry, `@copilotkit/aimock`.

use super::program;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A running server, ended when it is dropped.
pub(crate) struct Aimock {
    process: Child,
    address: String,
    _directory: tempfile::TempDir,
}

impl Aimock {
    /// Starts a server that answers by these fixtures; none where it is not installed and that
    /// may be, which is anywhere but in continuous integration.
    pub(crate) fn start(fixtures: &serde_json::Value) -> Option<Self> {
        let program = program::of_xtask("HYDROID_AIMOCK", "aimock")?;
        let directory = tempfile::tempdir().unwrap();
        let (answers, config) =
            (directory.path().join("answers.json"), directory.path().join("config.json"));
        std::fs::write(&answers, fixtures.to_string()).unwrap();
        std::fs::write(&config, serde_json::json!({ "llm": { "fixtures": answers } }).to_string())
            .unwrap();
        let mut process = Command::new(program)
            .arg("-c")
            .arg(&config)
            .args(["-p", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines
            .find(|line| line.as_ref().is_ok_and(|line| line.contains("http://")))
            .expect("aimock says where it listens")
            .unwrap();
        let address = line.split("http://").nth(1).unwrap().trim().to_owned();
        Some(Self { process, address, _directory: directory })
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Every request it was sent.
    pub(crate) fn requests(&self) -> Vec<serde_json::Value> {
        let answer = self.http("GET", "/__aimock/journal", "");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// Makes it misbehave from now on.
    pub(crate) fn chaos(&self, rates: &serde_json::Value) {
        self.http("POST", "/__aimock/chaos", &rates.to_string());
    }

    fn http(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.lines().next().unwrap().contains(" 200")
                || head.lines().next().unwrap().contains(" 204"),
            "{answer}"
        );
        body.to_owned()
    }
}

impl Drop for Aimock {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
