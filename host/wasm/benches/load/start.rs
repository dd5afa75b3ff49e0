//! From starting `hydroid` to its first answer, with compiled code in the cache.

use crate::scene;
use crate::table::{Row, Samples, Table, ratio, shown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Starts that count.
const STARTS: usize = 20;

/// Adds the rows, or one that says why there are none.
pub(crate) fn measure(table: &mut Table) {
    match run() {
        Ok(rows) => rows.into_iter().for_each(|row| table.add(row)),
        Err(why) => table.add(Row {
            what: "start to first answer".into(),
            value: format!("not measured: {why}"),
            ..Row::default()
        }),
    }
}

fn run() -> Result<Vec<Row>, String> {
    let (binary, profile) = binary().ok_or("there is no `hydroid` in the target directory")?;
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let ask = ["ask", "say hello", "--quiet"];
    let (cold, first) = timed(&binary, home.path(), &ask)?;
    if !first.status.success() || first.stdout.is_empty() {
        let said = String::from_utf8_lossy(&first.stderr);
        return Err(format!("`hydroid ask` ended with {}: {}", first.status, said.trim()));
    }
    let [mut warm, mut bare] = std::array::from_fn(|_| Samples::default());
    for _ in 0..STARTS {
        let (time, output) = timed(&binary, home.path(), &ask)?;
        if !output.status.success() {
            return Err(format!("`hydroid ask` worked once and then ended with {}", output.status));
        }
        warm.add(time);
        bare.add(timed(&binary, home.path(), &["--version"])?.0);
    }
    Ok(vec![
        Row {
            what: format!("`hydroid ask` to its end, warm cache ({profile} build)"),
            value: warm.to_string(),
            baseline: format!("`hydroid --version`: {}", shown(bare.p50())),
            ratio: format!("{:.1} ×", ratio(warm.p50(), bare.p50())),
            aim: None,
        },
        Row {
            what: format!("`hydroid ask` to its end, the very first time ({profile} build)"),
            value: shown(cold),
            ..Row::default()
        },
    ])
}

fn binary() -> Option<(PathBuf, &'static str)> {
    ["release", "debug"]
        .map(|profile| (scene::target().join(profile).join("hydroid"), profile))
        .into_iter()
        .find(|(path, _)| path.is_file())
}

fn timed(binary: &Path, home: &Path, arguments: &[&str]) -> Result<(Duration, Output), String> {
    let began = Instant::now();
    let output = Command::new(binary)
        .args(arguments)
        .env("HYDROID_HOME", home)
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    Ok((began.elapsed(), output))
}
