//! The configuration in force: layers laid one over another, and for each key where its value
//! came from. What keys there are and what fits together is decided in core.
//!
//! Lowest first: the defaults, the operator's file, the user's file, `hydroid.toml` in the
//! workspace, environment variables, the command line.

mod tighten;

use crate::env::Environment;
use crate::exit::usage;
use crate::paths::Paths;
use crate::value;
use anyhow::{Context, Result, bail};
use hydroid_core::config::{Config, ConfigError, KEYS, key_of};
use hydroid_core::id::UserId;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// A configuration file is never longer; one that is was named by mistake.
const LONGEST_FILE: u64 = 1 << 20;

/// Name of the file in a workspace.
pub(crate) const WORKSPACE_FILE: &str = "hydroid.toml";

/// A value typed on the command line.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// What was typed, for whoever asks where a value came from.
    pub(crate) flag: String,
    /// Dotted key.
    pub(crate) path: String,
    /// The value.
    pub(crate) value: Value,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody set it.
    Default,
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// The command line.
    Flag(String),
}

/// The configuration in force.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// What the host runs under.
    pub(crate) config: Config,
    /// Every key that is set or has a default, with its value and where it came from.
    pub(crate) values: BTreeMap<String, (Value, Origin)>,
    /// Files that were looked for, and whether they were there.
    pub(crate) files: Vec<(PathBuf, bool)>,
    /// The user's workspace directory.
    pub(crate) workspace: PathBuf,
}

impl Setting {
    /// `key=value` as typed after `--set`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let Some((path, value)) = text.split_once('=') else {
            return Err(usage(format!("`--set {text}` has no `=`; write `--set key=value`")));
        };
        let path = path.trim();
        let value = value::parse(path, value.trim()).map_err(|error| usage(error.to_string()))?;
        Ok(Self { flag: format!("--set {path}"), path: path.to_owned(), value })
    }

    /// What a flag of its own sets.
    pub(crate) fn new(flag: &str, path: &str, value: impl Into<Value>) -> Self {
        Self { flag: flag.to_owned(), path: path.to_owned(), value: value.into() }
    }
}

/// Reads every layer.
pub(crate) fn load(
    paths: &Paths,
    environment: &Environment,
    settings: &[Setting],
) -> Result<Loaded> {
    let mut layers = Layers::default();
    layers.add_file(&paths.system_file())?;
    layers.add_file(&paths.config_file())?;
    let upper = upper_layers(environment, settings)?;
    let (user, workspace) = workspace(&layers, &upper, paths)?;
    let file = workspace.join(WORKSPACE_FILE);
    let mut asks = false;
    if let Some(table) = read_table(&file)? {
        check_alone(&table, &file)?;
        tighten::check(&table, &layers.merged)
            .with_context(|| format!("in `{}`, which comes with the workspace", file.display()))?;
        asks = table.get("policy").and_then(|policy| policy.get("ask")).is_some();
        layers.add_joining(table, Origin::File(file.clone()), &["deny", "ask"]);
        layers.files.push((file.clone(), true));
    } else {
        layers.files.push((file.clone(), false));
    }
    for (table, origin) in upper {
        layers.add(table, origin);
    }
    let config =
        Config::from_table(layers.merged.clone()).map_err(|error| layers.explain(error))?;
    if asks {
        tighten::check_asks(&config)
            .with_context(|| format!("in `{}`, which comes with the workspace", file.display()))?;
    }
    debug_assert_eq!(config.user, user, "the user is decided before the workspace is read");
    Ok(Loaded { config, values: layers.values(), files: layers.files, workspace })
}

/// Checks what a file would be if it had this content, without reading any other layer.
pub(crate) fn check_alone(table: &Table, path: &Path) -> Result<()> {
    match Config::from_table(table.clone()) {
        Err(error @ ConfigError::UnknownKey { .. }) => {
            Err(error).with_context(|| format!("in `{}`", path.display()))
        }
        // What does not fit may fit together with another layer.
        Ok(_) | Err(ConfigError::Value(_)) => Ok(()),
    }
}

/// A file's table; none if there is no such file.
pub(crate) fn read_table(path: &Path) -> Result<Option<Table>> {
    match read_text(path)? {
        None => Ok(None),
        Some(text) => {
            let table = text
                .parse()
                .map_err(|error: toml::de::Error| anyhow::anyhow!("{}", error.to_string().trim()));
            table.map(Some).with_context(|| format!("`{}` is not TOML", path.display()))
        }
    }
}

/// A file's text; none if there is no such file.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>> {
    let mut text = String::new();
    // Looked at first: opening a named pipe waits for somebody who writes to it.
    let read = std::fs::metadata(path).and_then(|metadata| {
        if !metadata.is_file() {
            return Err(std::io::Error::other(
                "it is not a regular file; put one in its place or remove it",
            ));
        }
        std::fs::File::open(path)?.take(LONGEST_FILE + 1).read_to_string(&mut text)
    });
    match read {
        Ok(size) if size as u64 > LONGEST_FILE => bail!(
            "`{}` has more than {LONGEST_FILE} bytes; that is no configuration",
            path.display()
        ),
        Ok(_) => Ok(Some(text)),
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| format!("`{}` cannot be read", path.display())),
    }
}

#[derive(Default)]
struct Layers {
    merged: Table,
    layers: Vec<(Table, Origin)>,
    files: Vec<(PathBuf, bool)>,
}

impl Layers {
    fn add_file(&mut self, path: &Path) -> Result<()> {
        let table = read_table(path)?;
        self.files.push((path.to_owned(), table.is_some()));
        if let Some(table) = table {
            check_alone(&table, path)?;
            self.add(table, Origin::File(path.to_owned()));
        }
        Ok(())
    }

    fn add(&mut self, table: Table, origin: Origin) {
        self.add_joining(table, origin, &["deny"]);
    }

    /// These lists of `policy` join those of the layers below: what somebody denies must not be
    /// lost because another layer denies something else.
    fn add_joining(&mut self, table: Table, origin: Origin, lists: &[&str]) {
        let mut joined = table.clone();
        if let (Some(Value::Table(below)), Some(Value::Table(above))) =
            (self.merged.get("policy"), joined.get_mut("policy"))
        {
            for list in lists {
                if let (Some(Value::Array(below)), Some(Value::Array(above))) =
                    (below.get(*list), above.get_mut(*list))
                {
                    let mut both = below.clone();
                    both.extend(above.iter().filter(|item| !below.contains(item)).cloned());
                    *above = both;
                }
            }
        }
        value::overlay(&mut self.merged, joined);
        self.layers.push((table, origin));
    }

    /// The error with the layer that has it, if one alone is wrong.
    fn explain(&self, error: ConfigError) -> anyhow::Error {
        let wrong =
            self.layers.iter().rev().find(|(table, _)| Config::from_table(table.clone()).is_err());
        match wrong {
            Some((_, Origin::Flag(_))) => usage(format!("{error} (from the command line)")),
            Some((_, origin)) => anyhow::Error::new(error).context(format!("in {origin}")),
            None => error.into(),
        }
    }

    fn values(&self) -> BTreeMap<String, (Value, Origin)> {
        let mut values = BTreeMap::new();
        for key in KEYS.iter().filter(|key| !key.path.contains('*') && !key.default.is_empty()) {
            if let Some(default) = format!("value = {}", key.default)
                .parse::<Table>()
                .ok()
                .and_then(|mut table| table.remove("value"))
            {
                values.insert(key.path.to_owned(), (default, Origin::Default));
            }
        }
        for (table, origin) in &self.layers {
            for (path, value) in value::leaves(table) {
                values.insert(path, (value, origin.clone()));
            }
        }
        // These join over the layers, so no layer alone has what is in force.
        for (path, value) in value::leaves(&self.merged) {
            if let Some((shown, _)) = values.get_mut(&path) {
                *shown = value;
            }
        }
        values
    }
}

/// What stands above every file.
fn upper_layers(environment: &Environment, settings: &[Setting]) -> Result<Vec<(Table, Origin)>> {
    let mut layers = Vec::new();
    for (variable, path, text) in environment.overrides()? {
        let value = value::parse(&path, &text)
            .with_context(|| format!("in the environment variable `{variable}`"))?;
        layers.push((single(&path, value)?, Origin::Variable(variable)));
    }
    for setting in settings {
        layers.push((
            single(&setting.path, setting.value.clone())?,
            Origin::Flag(setting.flag.clone()),
        ));
    }
    Ok(layers)
}

fn single(path: &str, value: Value) -> Result<Table> {
    let mut table = Table::new();
    value::insert(&mut table, path, value)?;
    Ok(table)
}

/// Whose configuration this is and where the workspace is, decided before its file is read.
fn workspace(
    layers: &Layers,
    upper: &[(Table, Origin)],
    paths: &Paths,
) -> Result<(UserId, PathBuf)> {
    let mut merged = layers.merged.clone();
    for (table, _) in upper {
        value::overlay(&mut merged, table.clone());
    }
    let before = Config::from_table(merged).map_err(|error| {
        let all = Layers {
            merged: Table::new(),
            layers: [layers.layers.clone(), upper.to_vec()].concat(),
            files: Vec::new(),
        };
        all.explain(error)
    })?;
    let directory = match &before.workspace.directory {
        Some(directory) => std::path::absolute(directory).with_context(|| {
            format!("`workspace.directory` is `{directory}`, which is not a path")
        })?,
        None => paths.workspace(&before.user),
    };
    Ok((before.user, directory))
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "`{}`", path.display()),
            Self::Variable(name) => write!(f, "the environment variable `{name}`"),
            Self::Flag(flag) => write!(f, "the command line (`{flag}`)"),
        }
    }
}

/// The documented key of a path that may stand for a whole group, for `explain`.
pub(crate) fn keys_under(path: &str) -> Vec<&'static hydroid_core::config::Key> {
    if let Some(key) = key_of(path) {
        return vec![key];
    }
    let prefix = format!("{path}.");
    KEYS.iter().filter(|key| key.path == path || key.path.starts_with(&prefix)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scene {
        directory: tempfile::TempDir,
    }

    impl Scene {
        fn new(config: &str, workspace: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let own = directory.path().join("users/local/workspace");
            std::fs::create_dir_all(&own).unwrap();
            std::fs::write(directory.path().join("config.toml"), config).unwrap();
            if !workspace.is_empty() {
                std::fs::write(own.join(WORKSPACE_FILE), workspace).unwrap();
            }
            Self { directory }
        }

        fn load(&self, variables: &[(&str, &str)], flags: &[&str]) -> Result<Loaded> {
            let home = self.directory.path().to_str().unwrap();
            let environment = Environment::of(&[variables, &[("HYDROID_HOME", home)]].concat());
            let paths = Paths::find(&environment).unwrap();
            let settings: Vec<Setting> =
                flags.iter().map(|flag| Setting::parse(flag)).collect::<Result<_>>()?;
            load(&paths, &environment, &settings)
        }
    }

    #[track_caller]
    fn refused(
        config: &str,
        workspace: &str,
        variables: &[(&str, &str)],
        flags: &[&str],
        expect: &str,
    ) {
        let error =
            format!("{:#}", Scene::new(config, workspace).load(variables, flags).unwrap_err());
        assert!(error.contains(expect), "expected `{expect}` in: {error}");
    }

    #[test]
    fn the_upper_layer_wins_and_is_remembered() {
        let scene = Scene::new(
            "[model]\nname = \"file\"\n[turn]\nmax_steps = 9\nmax_repeats = 4\n",
            "[model]\nname = \"workspace\"\n[turn]\nmax_steps = 8\n",
        );
        let loaded =
            scene.load(&[("HYDROID__TURN__MAX_REPEATS", "5")], &["turn.max_seconds=7"]).unwrap();
        assert_eq!(loaded.config.model.name, "workspace");
        assert_eq!(
            (
                loaded.config.turn.max_steps,
                loaded.config.turn.max_repeats,
                loaded.config.turn.max_seconds
            ),
            (8, 5, 7)
        );
        let origin = |key: &str| loaded.values[key].1.clone();
        assert!(
            matches!(origin("model.name"), Origin::File(path) if path.ends_with(WORKSPACE_FILE))
        );
        assert_eq!(
            origin("turn.max_repeats"),
            Origin::Variable("HYDROID__TURN__MAX_REPEATS".into())
        );
        assert_eq!(origin("turn.max_seconds"), Origin::Flag("--set turn.max_seconds".into()));
        assert_eq!(origin("turn.max_tokens"), Origin::Default);
    }

    #[test]
    fn the_command_line_wins_over_a_variable() {
        let scene = Scene::new("", "");
        let loaded = scene.load(&[("HYDROID__MODEL__NAME", "a")], &["model.name=b"]).unwrap();
        assert_eq!(loaded.config.model.name, "b");
    }

    #[test]
    fn what_is_wrong_is_found_in_its_layer() {
        refused(
            "[modell]\nname = \"x\"",
            "",
            &[],
            &[],
            "config.toml`: unknown configuration key `modell`",
        );
        refused("model = [", "", &[], &[], "is not TOML");
        refused(
            "[log]\nlevel = \"loud\"",
            "",
            &[],
            &[],
            "config.toml`: configuration value does not fit",
        );
        refused(
            "",
            "",
            &[("HYDROID__TURN__MAX_STEP", "1")],
            &[],
            "`HYDROID__TURN__MAX_STEP`: unknown configuration key",
        );
        refused(
            "",
            "",
            &[("HYDROID__LOG__LEVEL", "loud")],
            &[],
            "in the environment variable `HYDROID__LOG__LEVEL`",
        );
        refused("", "", &[], &["turn.max_step=1"], "did you mean `turn.max_steps`");
        refused("", "", &[], &["turn.max_steps"], "write `--set key=value`");
        refused("", "", &[], &["log.level=loud"], "from the command line");
    }

    #[test]
    fn what_is_denied_in_one_layer_stays_denied_in_all() {
        let scene = Scene::new(
            "[policy]\ndeny = [\"a\"]\nask = [\"x\"]",
            "[policy]\ndeny = [\"b\", \"a\"]\nask = [\"y\"]\nmode = \"plan\"",
        );
        let loaded = scene.load(&[], &["policy.deny=c"]).unwrap();
        let policy = &loaded.config.policy;
        assert_eq!((policy.deny.join(" "), policy.ask.join(" ")), ("a b c".into(), "x y".into()));
        assert_eq!(loaded.values["policy.deny"].0.as_array().map(Vec::len), Some(3));
        let loaded = scene.load(&[], &["policy.ask=z"]).unwrap();
        assert_eq!(loaded.config.policy.ask, ["z"], "a person may replace what is asked");
    }

    #[test]
    fn what_a_workspace_wants_asked_lifts_no_deny() {
        let asks = "[policy]\nask = [\"web_fetch\"]";
        refused("[policy]\nnetwork = \"deny\"", asks, &[], &[], "would lift `policy.network");
        refused("", asks, &[], &["policy.changes=deny"], "would lift `policy.changes");
    }

    #[test]
    fn a_workspace_cannot_loosen_anything() {
        refused("", "[policy]\nchanges = \"allow\"", &[], &[], "`policy.changes`");
        refused("", "[secrets.a]\nenv = \"A\"", &[], &[], "may not set `secrets.a.env`");
        refused(
            "",
            "[components.x]\nenabled = true",
            &[],
            &[],
            "may not set `components.x.enabled`",
        );
        refused(
            "",
            "[workspace]\ndirectory = \"/\"",
            &[],
            &[],
            "may not set `workspace.directory`",
        );
        assert_eq!(
            Scene::new("", "[policy]\nnetwork = \"deny\"")
                .load(&[], &[])
                .unwrap()
                .config
                .policy
                .network,
            hydroid_core::policy::Rule::Deny
        );
    }

    #[test]
    fn only_regular_files_are_opened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(WORKSPACE_FILE);
        assert!(read_text(&path).unwrap().is_none());
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        for other in [path.as_path(), directory.path(), Path::new("/dev/zero")] {
            let error = format!("{:#}", read_text(other).unwrap_err());
            assert!(error.contains("is not a regular file; put one in its place"), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("target", &path).unwrap();
        std::fs::write(directory.path().join("target"), "x = 1").unwrap();
        assert_eq!(read_text(&path).unwrap().as_deref(), Some("x = 1"));
    }

    #[test]
    fn every_default_is_shown() {
        let loaded = Scene::new("", "").load(&[], &[]).unwrap();
        let defaults =
            KEYS.iter().filter(|key| !key.path.contains('*') && !key.default.is_empty()).count();
        assert_eq!(loaded.values.len(), defaults);
    }
}
