//! Running a test runner and counting what it ran. Not a runner: cargo and nextest are.
//!
//! A suite that ran nothing has proven nothing, so it counts as a failure.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::process::Command;

/// How many tests ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Ran and passed.
    pub(crate) passed: u64,
    /// Ran and failed.
    pub(crate) failed: u64,
    /// Not run, because they are marked so.
    pub(crate) ignored: u64,
}

/// What one invocation of a runner did.
#[derive(Debug, Default)]
pub(crate) struct Report {
    targets: Vec<(String, Count)>,
}

/// What of a suite must have run at least one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Each library and each test target.
    EachTarget,
    /// The suite as a whole: thin parts of it are tested elsewhere, or filters were given.
    Whole,
    /// Nothing: documentation need not have examples.
    Nothing,
}

impl Report {
    /// Runs the command, passes its words through and counts.
    pub(crate) fn run(name: &str, command: &mut Command, demand: Demand) -> Result<Self> {
        println!("\nsuite {name}");
        // One pipe for both streams: a target's name comes on one, its count on the other.
        let (reader, writer) = std::io::pipe().context("cannot open a pipe")?;
        command.stderr(writer.try_clone().context("cannot open a pipe")?).stdout(writer);
        let mut child =
            command.spawn().with_context(|| format!("cannot start the suite `{name}`"))?;
        // The command holds the writing ends; the reader would never end.
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut report = Self::default();
        let mut lines = BufReader::new(reader);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).context("cannot read the runner's output")? > 0 {
            std::io::stdout().write_all(&line).context("cannot write to standard output")?;
            report.read(&String::from_utf8_lossy(&line));
            line.clear();
        }
        let status = child.wait().with_context(|| format!("cannot wait for the suite `{name}`"))?;
        if !status.success() && report.count().failed == 0 {
            bail!("the suite `{name}` did not run to its end ({status}); the reason is above");
        }
        report.check_not_empty(name, demand)?;
        Ok(report)
    }

    /// The sum over all targets.
    pub(crate) fn count(&self) -> Count {
        self.targets.iter().fold(Count::default(), |sum, (_, count)| sum.plus(*count))
    }

    /// Takes in one line of cargo's, libtest's or nextest's.
    fn read(&mut self, raw: &str) {
        let line = raw.trim();
        if let Some(target) = line.strip_prefix("Running ").filter(|rest| rest.contains(" (")) {
            self.targets.push((target.to_owned(), Count::default()));
        } else if line.starts_with("Doc-tests ") {
            self.targets.push((line.to_owned(), Count::default()));
        } else if let Some(result) = raw.strip_prefix("test result: ") {
            // Indented, it is nextest repeating the output of one failed test.
            self.add(Count::from_words(result));
        } else if let Some(summary) = line.strip_prefix("Summary [") {
            self.add(Count::from_words(summary));
        }
    }

    fn add(&mut self, count: Count) {
        match self.targets.last_mut() {
            Some((_, sum)) => *sum = sum.plus(count),
            None => self.targets.push(("tests".to_owned(), count)),
        }
    }

    fn check_not_empty(&self, name: &str, demand: Demand) -> Result<()> {
        if demand == Demand::Nothing {
            return Ok(());
        }
        if self.count().ran() == 0 {
            bail!(
                "the suite `{name}` ran no test at all; if there was a filter, no test's name contains it"
            );
        }
        let empty: Vec<&str> = self
            .targets
            .iter()
            .filter(|(target, count)| count.ran() == 0 && must_have_tests(target))
            .map(|(target, _)| target.as_str())
            .collect();
        if demand == Demand::EachTarget && !empty.is_empty() {
            bail!(
                "these targets of the suite `{name}` ran no test: {}; write one, or set `test = false` for a target that is tested elsewhere",
                empty.join(", ")
            );
        }
        Ok(())
    }
}

/// Binaries are thin and documentation needs no examples; all else has tests.
fn must_have_tests(target: &str) -> bool {
    !target.starts_with("Doc-tests") && !target.contains("src/main.rs")
}

impl Count {
    /// Both counts together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            ignored: self.ignored + other.ignored,
        }
    }

    fn ran(self) -> u64 {
        self.passed + self.failed
    }

    /// From `ok. 3 passed; 1 failed; 0 ignored; …` or `… 4 tests run: 3 passed (1 slow), 1 failed, 0 skipped`.
    fn from_words(text: &str) -> Self {
        let words: Vec<&str> = text
            .split(|character: char| !character.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        let before = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at.checked_sub(1)?)?.parse::<u64>().ok()
        };
        Self {
            passed: before("passed").unwrap_or(0),
            failed: ["failed", "timed", "exec"].into_iter().filter_map(before).sum(),
            ignored: before("ignored").or_else(|| before("skipped")).unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: &str) -> Report {
        let mut report = Report::default();
        lines.lines().for_each(|line| report.read(line));
        report
    }

    #[track_caller]
    fn check(lines: &str, passed: u64, failed: u64, ignored: u64) {
        assert_eq!(report(lines).count(), Count { passed, failed, ignored });
    }

    const LIBTEST: &str = "     Running unittests src/lib.rs (target/debug/deps/hydroid_core-1f)
test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
     Running it/main.rs (target/debug/deps/it-2a)
test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
   Doc-tests hydroid_core
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";

    #[test]
    fn libtest_counts_are_summed() {
        check(LIBTEST, 15, 2, 1);
    }

    #[test]
    fn nextest_counts_are_read_from_its_summary() {
        check(
            "     Summary [   0.005s] 12 tests run: 11 passed (2 slow), 1 failed, 3 skipped",
            11,
            1,
            3,
        );
        check(
            "     Summary [   9.1s] 5 tests run: 3 passed, 1 failed, 1 timed out, 0 skipped",
            3,
            2,
            0,
        );
        check("     Summary [   0.1s] 1 test run: 1 passed, 0 skipped", 1, 0, 0);
    }

    #[test]
    fn nextest_repeating_a_failure_is_not_counted_twice() {
        let repeated =
            "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 20 filtered out
     Summary [   1.0s] 4 tests run: 3 passed, 1 failed, 0 skipped";
        check(repeated, 3, 1, 0);
    }

    #[test]
    fn words_of_a_test_are_not_counted() {
        check("I said 5 passed; 3 failed", 0, 0, 0);
        check("test result: nonsense", 0, 0, 0);
    }

    #[track_caller]
    fn check_empty(lines: &str, demand: Demand, expect: Option<&str>) {
        let got = report(lines).check_not_empty("host", demand).map_err(|e| e.to_string());
        match (got, expect) {
            (Ok(()), None) => {}
            (Err(got), Some(expect)) => assert!(got.contains(expect), "{got}"),
            (got, expect) => panic!("got {got:?}, expected {expect:?}"),
        }
    }

    #[test]
    fn a_suite_that_ran_nothing_is_named() {
        let empty = "     Running unittests src/lib.rs (target/debug/deps/hydroid_agent-7)
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.00s";
        check_empty(empty, Demand::EachTarget, Some("`host` ran no test at all"));
        check_empty(empty, Demand::Whole, Some("if there was a filter"));
        check_empty(empty, Demand::Nothing, None);
        check_empty("", Demand::EachTarget, Some("no test at all"));
        let one_of_two = format!("{LIBTEST}\n{empty}");
        check_empty(&one_of_two, Demand::EachTarget, Some("hydroid_agent-7"));
        check_empty(&one_of_two, Demand::Whole, None);
    }

    #[test]
    fn binaries_and_documentation_may_have_none() {
        let binary = "     Running unittests src/main.rs (target/debug/deps/hydroid-7)
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        check_empty(&format!("{LIBTEST}\n{binary}"), Demand::EachTarget, None);
    }
}
