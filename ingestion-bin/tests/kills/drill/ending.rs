//! How a run ends: the service heals, stops gracefully, and what is on disk is judged.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::super::judge::{self, Case};
use super::super::service::{pass, until};
use super::super::support::process::{ingestion, run};
use super::super::{disk, history};
use super::{Limits, Run, Wait};

impl Run {
    /// Lives on until everything is healed, stops, and is judged.
    pub(super) fn end(mut self) {
        let began = Instant::now();
        if let Some(came) = self.play.calm() {
            println!("trouble of listener a: {:?}\ntrouble of listener b: {:?}", came[0], came[1]);
            assert!(came.iter().all(|came| !came.is_empty()), "there was no trouble");
        }
        let patience = Duration::from_secs(if self.drill.wait == Wait::Healed { 600 } else { 100 });
        let mut service = self.start();
        service.wait_ready(Duration::from_secs(60));
        let users = self.users.len();
        let all_based = |status: &Value| {
            let accounts = status["accounts"].as_array().into_iter().flatten();
            accounts.filter(|account| account["based"] == true).count() == users
        };
        if self.drill.wait != Wait::No {
            service.wait_status(patience, "every account has its baseline", all_based);
        }
        if self.drill.wait == Wait::Healed {
            service.wait_status(patience, "every gap has ended", |status| {
                let accounts = status["accounts"].as_array().into_iter().flatten();
                accounts.into_iter().all(|one| one["openGaps"] == 0 && one["held"] == 0)
            });
            println!("every gap ended after {:.0} s", began.elapsed().as_secs_f64());
        }
        self.play.pause();
        let case = self.wait_published(patience);
        println!("everything is on disk after {:.0} s", began.elapsed().as_secs_f64());
        let status = service.stop();
        assert!(status.success(), "a graceful stop: {status}");
        self.judge(case);
    }

    /// Waits until history shows all rows and the signal files hold what is expected of them.
    fn wait_published(&mut self, patience: Duration) -> Case {
        let venue = self.play.status();
        if let Limits::Enforced { info_weight_per_minute } = self.drill.limits {
            println!(
                "info weight: at most {} of {info_weight_per_minute} in a minute, {} requests over the budget of {}",
                venue.info_weight_peak, venue.info_over_budget, venue.info_requests
            );
            let binds = venue.info_weight_peak > info_weight_per_minute / 2;
            assert!(binds || self.drill.wait == Wait::Healed, "the budget is never near: {venue:?}");
            assert_eq!(venue.info_over_budget, 0, "the venue refused requests for their weight");
            assert!(venue.info_weight_peak <= info_weight_per_minute, "over the budget: {venue:?}");
            assert_eq!(venue.refused_by_limits, 0, "the venue refused messages: {venue:?}");
        }
        // What the test reads is not the service's to pay; nor can the service go over from here on unseen: it is counted above.
        self.play.lift_limits();
        let published = self.play.published(&self.users);
        let history = until(
            Duration::from_secs(30),
            || {
                let all: BTreeMap<String, Vec<history::Row>> = self
                    .users
                    .iter()
                    .map(|user| (user.clone(), history::read(self.play.address(), user)))
                    .collect();
                (all.values().map(Vec::len).sum::<usize>() == published).then_some(all)
            },
            || format!("history shows all {published} rows"),
        );
        let case = Case {
            history,
            followed_from: self.followed_from.clone(),
            unheard_to: self.unheard_to.clone(),
            ..Case::default()
        };
        let end = Instant::now() + patience;
        loop {
            let mut case = case.clone();
            case.baselines = baselines(&self.data());
            case.signals = disk::lines(&self.data(), "signals");
            let ids: Vec<String> = case.signals.iter().map(|line| id(line)).collect();
            let missing = case.expected().into_keys().filter(|id| !ids.contains(id)).count();
            if missing == 0 || self.drill.wait == Wait::No {
                return case;
            }
            if Instant::now() > end {
                println!("{missing} signals are missing still");
                return case; // the judge names them
            }
            pass(Duration::from_millis(500));
        }
    }

    fn judge(&self, mut case: Case) {
        let data = self.data();
        case.signals = disk::lines(&data, "signals");
        case.gaps = disk::lines(&data, "gaps");
        case.baselines = baselines(&data);
        case.complete = self.drill.wait != Wait::No;
        case.healed = self.drill.wait == Wait::Healed;
        let config = self.configuration();
        let config = config.to_str().expect("text");
        let raw = run(&["--config", config, "raw"]);
        case.raw = String::from_utf8(raw.stdout).expect("text").lines().map(str::to_owned).collect();
        let verdict = case.judge();
        println!(
            "{} signals ({} live, {} late), {} expected; {} gaps declared, {} declared breaks; {} raw events",
            verdict.signals,
            verdict.live,
            verdict.late,
            verdict.expected,
            verdict.gaps,
            verdict.declared_breaks,
            case.raw.len(),
        );
        if !verdict.findings.is_empty() {
            let kept = self.keep();
            panic!("seed {}, kept in {kept}:\n{}", self.drill.seed, verdict.findings.join("\n"));
        }
        assert!(verdict.live > 0 && verdict.expected > 0, "no fills flowed: {verdict:?}");
        assert!(verdict.unheard > 0, "nothing happened before anybody listened: {verdict:?}");
        if case.complete {
            judge::can_fail(&case);
        }

        let verify = run(&["--config", config, "verify"]);
        let said = String::from_utf8_lossy(&verify.stdout).into_owned();
        assert!(verify.status.success(), "verify: {said}\nkept in {}", self.keep());
        println!("verify: {}", said.trim());
        let replay = run(&["--config", config, "replay"]);
        let written: String = case.signals.iter().map(|line| format!("{line}\n")).collect();
        let same = replay.status.success() && replay.stdout == written.as_bytes();
        assert!(same, "replay does not equal the files, kept in {}", self.keep());
        verify_can_fail(&case.signals, &data);
    }

    /// A copy of everything that outlives the test.
    fn keep(&self) -> String {
        let to = std::env::temp_dir().join(format!("ingestion-kills-{}", self.drill.seed));
        let copied = std::process::Command::new("cp").arg("-r").arg(self.directory.path()).arg(&to).status();
        assert!(copied.is_ok_and(|status| status.success()), "a copy in {}", to.display());
        to.display().to_string()
    }
}

/// One baseline for each account and stream: following that began once never begins again.
fn baselines(data: &Path) -> BTreeMap<(String, ingestion_bin::account::Stream), i64> {
    let all = disk::journal(data).baselines;
    all.into_iter()
        .map(|(key, times)| {
            assert_eq!(times.len(), 1, "{key:?} was based more than once: {times:?}");
            (key, times[0])
        })
        .collect()
}

fn id(line: &str) -> String {
    let signal: Value = serde_json::from_str(line).expect("a signal line");
    signal["signalId"].as_str().expect("an id").to_owned()
}

/// `verify` names a deleted and a doubled line in a copy of the files.
fn verify_can_fail(signals: &[String], data: &Path) {
    let middle = signals.len() / 2;
    // A line with a successor in its epoch: a missing last one can only be seen from outside.
    let numbered = |line: &str| {
        let signal: Value = serde_json::from_str(line).expect("a signal line");
        (signal["influencerId"].clone(), signal["market"].clone(), signal["epoch"].clone())
    };
    let gone = (middle..signals.len())
        .chain(0..middle)
        .find(|&at| signals[at + 1..].iter().any(|later| numbered(later) == numbered(&signals[at])))
        .expect("two signals of one market in one life");
    let mut deleted = signals.to_vec();
    drop(deleted.remove(gone));
    let mut doubled = signals.to_vec();
    doubled.insert(middle, signals[middle].clone());
    for (what, lines, finding) in
        [("deleted", deleted, "order breaks 1,"), ("doubled", doubled, "duplicates 1,")]
    {
        let copy = TempDir::new().expect("a directory");
        let gaps =
            std::process::Command::new("cp").arg("-r").arg(data.join("gaps")).arg(copy.path()).status();
        assert!(gaps.is_ok_and(|status| status.success()), "gaps are copied");
        std::fs::create_dir(copy.path().join("signals")).expect("a directory");
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(copy.path().join("signals/00000000000000000001.ndjson"), text).expect("a file");
        let verify =
            ingestion().arg("--data-dir").arg(copy.path()).arg("verify").output().expect("verify runs");
        let said = String::from_utf8_lossy(&verify.stdout).into_owned();
        assert_eq!(verify.status.code(), Some(1), "verify passes over a {what} line: {said}");
        assert!(said.contains(finding), "verify on a {what} line: {said}");
    }
}
