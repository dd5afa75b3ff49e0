//! A real registry, Debian's `docker-registry`, on loopback.

use super::program::or_left_out;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Time to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// What `anna` with the password `open sesame` is kept as, with the least work there is.
const HTPASSWD: &str = "anna:$2b$04$8SV/yegmEA/Dz8hwN.vJw.wiVHFV5py/BEiHaZYr1PdAYJRJ9d.wK\n";

/// A running registry, ended when it is dropped.
pub(crate) struct DockerRegistry {
    process: Child,
    address: String,
    _directory: tempfile::TempDir,
}

impl DockerRegistry {
    /// Starts one; with `login`, only `anna` with `open sesame` may do anything. None where it is
    /// not installed and that may be, which is anywhere but in continuous integration.
    pub(crate) fn start(login: bool) -> Option<Self> {
        let remedy = "install the Debian package of this name";
        let program = or_left_out(program().map(Into::into), "docker-registry", remedy)?;
        let directory = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let root = directory.path().display();
        let mut config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {root}/data}}}}\nhttp: {{addr: \"{address}\"}}\n"
        );
        if login {
            std::fs::write(directory.path().join("htpasswd"), HTPASSWD).unwrap();
            config
                .push_str(&format!("auth: {{htpasswd: {{realm: test, path: {root}/htpasswd}}}}\n"));
        }
        let file = directory.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let process = Command::new(program)
            .arg("serve")
            .arg(file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let registry = Self { process, address, _directory: directory };
        let began = Instant::now();
        while TcpStream::connect(&registry.address).is_err() {
            assert!(began.elapsed() < PATIENCE, "docker-registry does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(registry)
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What it answers to a GET, as another client would read it.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nHost: {}\r\nAccept: application/vnd.oci.image.manifest.v1+json\r\n\r\n",
            self.address
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer);
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

/// Where it is: as `HYDROID_DOCKER_REGISTRY` says, or in the path.
fn program() -> Option<PathBuf> {
    if let Some(program) = std::env::var_os("HYDROID_DOCKER_REGISTRY") {
        return Some(program.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join("docker-registry"))
        .find(|program| program.is_file())
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
