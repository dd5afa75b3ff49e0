//! `docs/cli.md` and `docs/config.md`, written from the command line's definition and the table of
//! keys, and compared with what is committed. `UPDATE=1` rewrites them.

use crate::args::Arguments;
use crate::env::VARIABLES;
use clap::{Command, CommandFactory};
use hydroid_core::config::KEYS;
use std::fmt::Write;
use std::path::Path;

/// Columns of the help texts in the documentation.
const WIDTH: usize = 100;

#[track_caller]
fn check(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file);
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "docs/{file} is not what the code says; `UPDATE=1 cargo test -p hydroid-cli reference` rewrites it"
    );
}

#[test]
fn the_command_line_is_documented() {
    let mut text = String::from(
        "# Command line\n\nGenerated from the definition in `host/cli/src/args.rs`; a test compares the two.\n",
    );
    let mut command = Arguments::command().term_width(WIDTH);
    command.build();
    describe(&command, "", &mut text);
    check("cli.md", &text);
}

fn describe(command: &Command, above: &str, text: &mut String) {
    let name = format!("{above}{}", command.get_name());
    let help = command.clone().term_width(WIDTH).render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    writeln!(text, "\n## {name}\n\n```text\n{}\n```", lines.join("\n").trim_end()).unwrap();
    for inner in
        command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help")
    {
        describe(inner, &format!("{name} "), text);
    }
}

#[test]
fn the_configuration_is_documented() {
    let mut text = String::from(
        "# Configuration\n\nGenerated from the table in `host/core/src/config/keys.rs`; a test compares the two.\n\n\
         Lowest first, each layer wins over those before it:\n\n\
         1. the defaults below,\n\
         2. the operator's `/etc/hydroid/config.toml`,\n\
         3. your `config.toml` (`hydroid config path` says where it is),\n\
         4. `hydroid.toml` in the workspace directory, beside `shared/`,\n\
         5. environment variables,\n\
         6. `--set key=value` and other flags.\n\n\
         A workspace's file may be somebody else's.\n\
         It may set `model.name`, `model.instructions`, `model.temperature`, `model.max_output_tokens` and `model.context_tokens`, lower the limits under `turn` and `budget`, and make the rules under `policy` stricter; anything else in it is refused.\n\n\
         Sizes are written `64MiB`, `512KiB` or as a number of bytes; times `30s`, `10m`, `1h` or as a number of seconds; rules `allow`, `ask` or `deny`.\n\
         `*` in a key stands for a name.\n",
    );
    text.push_str("\n## Keys\n\n| key | kind | default | meaning |\n|---|---|---|---|\n");
    for key in KEYS {
        let default =
            if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        writeln!(
            text,
            "| `{}` | {} | {default} | {} |",
            key.path,
            key.kind,
            key.doc.replace('|', "\\|")
        )
        .unwrap();
    }
    text.push_str("\n## Environment variables\n\n| variable | meaning |\n|---|---|\n");
    for variable in VARIABLES {
        writeln!(text, "| `{}` | {} |", variable.name, variable.doc).unwrap();
    }
    text.push_str("\nBesides these, only the variables that `secrets.*.env` and `secrets.*.exec_env` name are read.\n");
    check("config.md", &text);
}
