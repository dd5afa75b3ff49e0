//! Running the built `hydroid` in a home of its own. Compiled components are shared between all
//! homes, since compiling them takes seconds and is not what these tests are about.

use crate::root;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;

/// A home directory with nothing in it, gone when it is dropped.
pub(crate) struct Home {
    directory: tempfile::TempDir,
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        static WARM: Once = Once::new();
        // Otherwise the first tests would all compile the same components side by side.
        WARM.call_once(|| drop(Self::cold().run(&["component", "list"])));
        Self::cold()
    }

    fn cold() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let shared = root().join("target/tmp/compiled-components");
        std::fs::create_dir_all(&shared).expect("the build directory can be written to");
        std::os::unix::fs::symlink(&shared, directory.path().join("cache")).expect("a link");
        Self { directory }
    }

    /// A home with this configuration.
    pub(crate) fn with_config(config: &str) -> Self {
        let home = Self::new();
        home.write("config.toml", config);
        home
    }

    /// A path inside the home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where tools see files as `/shared`.
    pub(crate) fn shared(&self, name: &str) -> PathBuf {
        self.path("users/local/workspace/shared").join(name)
    }

    /// Writes a file inside the home.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a file has a directory"))
            .expect("a directory");
        std::fs::write(path, text).expect("a file");
    }

    /// Runs with nothing on standard input.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, b"")
    }

    /// Runs with these bytes on standard input.
    #[track_caller]
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ran {
        self.run_in(&[], arguments, input)
    }

    /// Runs with input and further variables of the environment.
    pub(crate) fn run_in(
        &self,
        variables: &[(&str, &str)],
        arguments: &[&str],
        input: &[u8],
    ) -> Ran {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("hydroid is built: `cargo build -p hydroid-cli`");
        let mut stdin = child.stdin.take().expect("standard input was asked for");
        let input = input.to_vec();
        // It may end without reading, which is no business of the test.
        let writing = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().expect("hydroid ends");
        writing.join().expect("writing does not panic");
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("hydroid writes UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("hydroid writes UTF-8"),
        }
    }

    /// Runs with standard output into this file.
    pub(crate) fn run_into(&self, arguments: &[&str], output: std::fs::File) -> Ran {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(output).stderr(Stdio::piped());
        let output = command.output().expect("hydroid is built: `cargo build -p hydroid-cli`");
        Ran {
            code: output.status.code(),
            stdout: String::new(),
            stderr: String::from_utf8(output.stderr).expect("hydroid writes UTF-8"),
        }
    }

    /// The program itself.
    pub(crate) fn hydroid(&self) -> String {
        program().to_str().expect("a path of the build is UTF-8").to_owned()
    }

    /// Runs a script of the shell with this home and these arguments.
    pub(crate) fn shell(&self, script: &str, arguments: &[String]) -> Ran {
        let mut command = Command::new("bash");
        command.args(["-c", script, "script"]).args(arguments);
        command.env("HYDROID_HOME", self.directory.path()).stdin(Stdio::null());
        let output = command.output().expect("there is a shell");
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts it and leaves it running.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("hydroid is built: `cargo build -p hydroid-cli`")
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).env_clear();
        command.env("HYDROID_HOME", self.directory.path()).env("HOME", self.directory.path());
        command
    }
}

impl Ran {
    /// The run, if it ended with this code.
    #[track_caller]
    pub(crate) fn code(self, expect: i32) -> Self {
        assert_eq!(
            self.code,
            Some(expect),
            "\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// The run, if standard output has this text.
    #[track_caller]
    pub(crate) fn says(self, expect: &str) -> Self {
        assert!(
            self.stdout.contains(expect),
            "expected `{expect}` in standard output:\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// The run, if standard error has this text.
    #[track_caller]
    pub(crate) fn tells(self, expect: &str) -> Self {
        assert!(
            self.stderr.contains(expect),
            "expected `{expect}` in standard error:\n{}\n--- stdout\n{}",
            self.stderr,
            self.stdout
        );
        self
    }

    /// Standard output, a JSON value a line.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }
}

/// The binary under test.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("HYDROID_BIN")
        .map_or_else(|| root().join("target/debug/hydroid"), PathBuf::from)
}

/// A component that exists for tests.
pub(crate) fn test_component(name: &str) -> String {
    let path = root().join("target/test-components").join(format!("{name}.wasm"));
    assert!(Path::exists(&path), "`{name}` is not built; run `cargo xtask components`");
    path.to_str().expect("the path of the repository is UTF-8").to_owned()
}
