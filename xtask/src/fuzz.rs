//! Coverage-guided fuzzing of everything that reads bytes from outside or from the disk.
//!
//! libFuzzer on the pinned stable compiler: the coverage passes are LLVM's and are switched on by name, so there is no nightly and no
//! cargo-fuzz. The checks are in fuzz/checks; the tests run the same checks over fuzz/corpus, so what was found once stays found.

use crate::step::{Failure, Step, root};
use std::path::{Path, PathBuf};

/// A target is a check in fuzz/checks and a corpus in fuzz/corpus.
const TARGETS: [&str; 4] = ["journal", "decoder", "record", "state"];

const USAGE: &str = "usage: cargo xtask fuzz journal|decoder|record|state [--seconds N], N from 1";

/// The counters libFuzzer follows: one for each edge, a table of the places, and what comparisons were made with.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// What was asked for.
struct Asked {
    target: &'static str,
    /// As libFuzzer counts them; from 1, because it takes 0 for "without end".
    seconds: i32,
}

/// Fuzzes one target, by default for a minute. A finding ends it, and its input is written to target/fuzz.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let asked = Asked::read(arguments)?;
    if !Step::program("c++", &["--version"]).works() {
        return Err(Failure::Failed(
            "missing: a C++ compiler, which libFuzzer is built with. Type: apt-get install g++".to_owned(),
        ));
    }
    let host = host()?;
    Step::cargo(&format!(
        "build --manifest-path fuzz/Cargo.toml --target-dir target/fuzz --target {host} --bin {}",
        asked.target
    ))
    .env("RUSTFLAGS", COVERAGE)
    .run()?;
    let target = root().join("target/fuzz").join(&host).join("debug").join(asked.target);
    let corpus = folder(&format!("fuzz/corpus/{}", asked.target))?;
    let found = folder(&format!("target/fuzz/corpus/{}", asked.target))?;
    let prefix = format!("-artifact_prefix=target/fuzz/{}-", asked.target);
    let seconds = format!("-max_total_time={}", asked.seconds);
    let limits = ["-max_len=4095", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"];
    let folders = [found.as_str(), corpus.as_str()]; // libFuzzer writes to the first
    fuzzer(&target, &[&[prefix.as_str(), seconds.as_str()], &limits[..], &folders[..]].concat())?;
    Ok(())
}

impl Asked {
    fn read(arguments: &[String]) -> Result<Self, Failure> {
        let usage = || Failure::Usage(USAGE.to_owned());
        let (name, options) = arguments.split_first().ok_or_else(usage)?;
        let target = TARGETS.into_iter().find(|target| target == name).ok_or_else(usage)?;
        let mut asked = Self { target, seconds: 60 };
        let mut options = options.iter();
        while let Some(option) = options.next() {
            match option.as_str() {
                "--seconds" => {
                    let seconds = options.next().and_then(|seconds| seconds.parse().ok());
                    asked.seconds = seconds.filter(|seconds| *seconds > 0).ok_or_else(usage)?;
                }
                _ => return Err(usage()),
            }
        }
        Ok(asked)
    }
}

fn fuzzer(target: &Path, arguments: &[&str]) -> Result<(), Failure> {
    Step::program(&target.to_string_lossy(), arguments).run()
}

/// A folder below the root, made when it is not there.
fn folder(path: &str) -> Result<String, Failure> {
    let folder: PathBuf = root().join(path);
    std::fs::create_dir_all(&folder).map_err(|error| Failure::Failed(format!("{path}: {error}")))?;
    Ok(path.to_owned())
}

/// This machine's target triple: named, the flags go to what is fuzzed and not to build scripts.
fn host() -> Result<String, Failure> {
    let version = Step::program("rustc", &["--version", "--verbose"]).output()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Failure::Failed("rustc does not say what it runs on".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<(&'static str, i32), Failure> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Asked::read(&words).map(|asked| (asked.target, asked.seconds))
    }

    #[test]
    fn every_run_has_an_end() {
        assert_eq!(read("state").unwrap(), ("state", 60));
        assert_eq!(read("decoder --seconds 1").unwrap(), ("decoder", 1));
        for line in
            ["", "other", "decoder --seconds", "decoder --seconds 0", "decoder --seconds -1", "decoder 5"]
        {
            assert!(matches!(read(line), Err(Failure::Usage(_))), "{line}");
        }
    }
}
