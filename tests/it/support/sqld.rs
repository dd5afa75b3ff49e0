//! The server of libSQL, as an npm package has it built: a service of others for the tests of
//! memory at a service. No test.

use super::program;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server, ended when it is dropped.
pub(crate) struct Sqld {
    program: PathBuf,
    directory: tempfile::TempDir,
    port: u16,
    process: Child,
}

impl Sqld {
    /// Starts a server without data; none where it is not installed and that may be, which is
    /// anywhere but in continuous integration.
    pub(crate) fn start() -> Option<Self> {
        let program = program::of_xtask("HYDROID_SQLD", "sqld")?;
        let program = PathBuf::from(program);
        let directory = tempfile::tempdir().expect("a directory");
        let key = URL_SAFE_NO_PAD.encode(signing_key().verifying_key().as_bytes());
        std::fs::write(directory.path().join("key"), key).expect("a temporary file");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback address");
        let port = free.local_addr().expect("a bound listener has an address").port();
        drop(free);
        let process = run(&program, &directory, port);
        Some(Self { program, directory, port, process })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What lets in: a JSON Web Token that the server's key has signed.
    pub(crate) fn token() -> String {
        let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let signed =
            format!("{}.{}", part(r#"{"alg":"EdDSA","typ":"JWT"}"#), part(r#"{"a":"rw"}"#));
        let signature = signing_key().sign(signed.as_bytes()).to_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Ends it without a warning, and starts it again with the data that it has.
    pub(crate) fn kill_and_start(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it is a child of this process");
        self.process = run(&self.program, &self.directory, self.port);
    }
}

impl Drop for Sqld {
    fn drop(&mut self) {
        // One that is gone is as well.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The same in every run: it guards nothing.
fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn run(program: &PathBuf, directory: &tempfile::TempDir, port: u16) -> Child {
    let process = Command::new(program)
        .args(["--no-welcome", "--db-path", "data", "--auth-jwt-key-file", "key"])
        .args(["--http-listen-addr", &format!("127.0.0.1:{port}")])
        .current_dir(directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sqld runs");
    let began = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(began.elapsed() < Duration::from_secs(60), "sqld listens");
        std::thread::sleep(Duration::from_millis(20));
    }
    process
}
