//! Every environment variable that is read, and the one place that reads them. What their values
//! mean is decided elsewhere.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// One variable and what it does.
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) doc: &'static str,
}

/// Every variable, for `docs/config.md` and `hydroid config explain`. Besides these, only
/// variables that `secrets.*.env` and `secrets.*.exec_env` name are read.
pub(crate) const VARIABLES: [Variable; 10] = [
    Variable {
        name: "DOCKER_CONFIG",
        doc: "Directory with the `config.json` that holds credentials for registries of components; `~/.docker` if it is not set.",
    },
    Variable {
        name: "HYDROID_HOME",
        doc: "One directory for configuration, data and cache, instead of the platform's own.",
    },
    Variable {
        name: "HYDROID__A__B",
        doc: "Sets the configuration key `a.b`: lower case, `__` between the segments. In a component's name `_` stands for `-`, so `HYDROID__COMPONENTS__TOOL_WEB__ENABLED` sets `components.tool-web.enabled`.",
    },
    Variable {
        name: "HYDROID_MASTER_KEY",
        doc: "The key that stored secrets are sealed under, 32 bytes as base64, if `secrets_store.master_key` is `env`, or `auto` and it is set when the first secret is.",
    },
    Variable {
        name: "HYDROID_NEW_MASTER_KEY",
        doc: "The key that `hydroid secret rotate` seals them under instead.",
    },
    Variable {
        name: "HYDROID_TOKEN",
        doc: "The token that `hydroid tui --url` shows to a host elsewhere; it is asked for if absent.",
    },
    Variable { name: "NO_COLOR", doc: "Set to anything, nothing is coloured." },
    Variable {
        name: "VISUAL, EDITOR",
        doc: "The editor in which a message is written, if that is wanted in `hydroid tui`.",
    },
    Variable {
        name: "HOME, XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_CACHE_HOME",
        doc: "Where the platform's own directories are, if `HYDROID_HOME` is not set.",
    },
    Variable {
        name: "DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR",
        doc: "Where the keyring of a Linux desktop is reached; set by the desktop.",
    },
];

/// In front of the name of a configuration key.
const OVERRIDE: &str = "HYDROID__";

/// The environment as it was when the process began.
pub(crate) struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

/// A variable whose value cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable `{0}` is not UTF-8; set it again")]
pub(crate) struct NotText(String);

impl Environment {
    /// Reads the process's environment.
    pub(crate) fn read() -> Self {
        Self { variables: std::env::vars_os().collect() }
    }

    #[cfg(test)]
    pub(crate) fn of(variables: &[(&str, &str)]) -> Self {
        Self {
            variables: variables.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        }
    }

    /// The directory that holds everything, if one was chosen.
    pub(crate) fn home(&self) -> Option<&OsString> {
        self.variables.get(std::ffi::OsStr::new("HYDROID_HOME")).filter(|home| !home.is_empty())
    }

    /// True if the person wants no colour.
    pub(crate) fn no_color(&self) -> bool {
        self.variables.get(std::ffi::OsStr::new("NO_COLOR")).is_some_and(|value| !value.is_empty())
    }

    /// Configuration keys set by variables: name of the variable, dotted key, text.
    pub(crate) fn overrides(&self) -> Result<Vec<(String, String, String)>, NotText> {
        let mut overrides = Vec::new();
        for (name, value) in &self.variables {
            let Some(name) = name.to_str().filter(|name| name.starts_with(OVERRIDE)) else {
                continue;
            };
            let text = value.to_str().ok_or_else(|| NotText(name.to_owned()))?;
            overrides.push((name.to_owned(), key(name), text.to_owned()));
        }
        Ok(overrides)
    }

    /// A variable that is handed on as it is.
    pub(crate) fn value(&self, variable: &str) -> Option<&OsString> {
        self.variables.get(std::ffi::OsStr::new(variable))
    }

    /// Names of all variables that are UTF-8.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().filter_map(|name| name.to_str())
    }

    /// Where credentials for registries are, as Docker keeps them.
    pub(crate) fn docker_config(&self) -> Option<std::path::PathBuf> {
        let set = |name| self.value(name).filter(|value| !value.is_empty());
        let directory = match set("DOCKER_CONFIG") {
            Some(directory) => std::path::PathBuf::from(directory),
            None => std::path::PathBuf::from(set("HOME")?).join(".docker"),
        };
        Some(directory.join("config.json"))
    }

    /// True if a D-Bus session is where a desktop's programs look for it.
    pub(crate) fn has_session_bus(&self) -> bool {
        let set = |variable| self.value(variable).filter(|value| !value.is_empty());
        set("DBUS_SESSION_BUS_ADDRESS").is_some()
            || set("XDG_RUNTIME_DIR")
                .is_some_and(|directory| std::path::Path::new(directory).join("bus").exists())
    }

    /// The value of a secret that a variable holds; an empty one is none.
    pub(crate) fn secret(&self, variable: &str) -> Result<Option<&str>, NotText> {
        match self.variables.get(std::ffi::OsStr::new(variable)) {
            None => Ok(None),
            Some(value) => match value.to_str() {
                Some(text) => Ok(Some(text).filter(|text| !text.is_empty())),
                None => Err(NotText(variable.to_owned())),
            },
        }
    }
}

/// The dotted key a variable sets.
fn key(variable: &str) -> String {
    let segments = variable.trim_start_matches(OVERRIDE).split("__").map(str::to_ascii_lowercase);
    let mut segments: Vec<String> = segments.collect();
    if let [first, component, ..] = segments.as_mut_slice()
        && first == "components"
    {
        *component = component.replace('_', "-");
    }
    segments.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_names_a_key() {
        let environment = Environment::of(&[
            ("HYDROID__TURN__MAX_STEPS", "3"),
            ("HYDROID__COMPONENTS__TOOL_WEB__LIMITS__HOST_CALLS", "4"),
            ("HYDROID__POLICY__TOOLS__FILE_WRITE", "allow"),
            ("HYDROID_HOME", "/x"),
        ]);
        let keys: Vec<String> =
            environment.overrides().unwrap().into_iter().map(|(_, key, _)| key).collect();
        assert_eq!(
            keys,
            ["components.tool-web.limits.host_calls", "policy.tools.file_write", "turn.max_steps"]
        );
    }

    #[test]
    fn an_empty_secret_is_none() {
        let environment = Environment::of(&[("A", ""), ("B", "b")]);
        assert_eq!(environment.secret("A").unwrap(), None);
        assert_eq!(environment.secret("B").unwrap(), Some("b"));
        assert_eq!(environment.secret("C").unwrap(), None);
    }
}
