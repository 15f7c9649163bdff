//! Debian packages: seen to be missing by what they give, not by the package manager's word; installed when we are root.

use std::time::Duration;

use super::{jars, java::java, redis};
use crate::command::Bounded;
use crate::{Missing, machine};

/// A package, and how to see that what it gives is there.
struct Package {
    name: &'static str,
    gives: &'static str,
    there: fn() -> bool,
}

/// What the servers run on. Maven only fetches the jars.
const TO_RUN: [Package; 4] = [
    Package { name: "default-jre-headless", gives: "java 17 or newer", there: || java().is_ok() },
    Package { name: "maven", gives: "mvn", there: || jars::cached().is_some() || has("mvn") },
    Package { name: "redis-tools", gives: "redis-server with redis-cli", there: redis::both },
    Package { name: "kcat", gives: "kcat", there: || has("kcat") },
];

/// What librdkafka is built with, TLS included.
const TO_BUILD: [Package; 4] = [
    Package { name: "g++", gives: "C++ compiler", there: || has("c++") || has("g++") },
    Package { name: "make", gives: "make", there: || has("make") },
    Package { name: "pkg-config", gives: "pkg-config", there: || has("pkg-config") },
    Package { name: "libssl-dev", gives: "OpenSSL headers", there: openssl },
];

/// Sees to what the servers run on: java, Maven (while the jars are not there), Redis and kcat.
///
/// # Errors
/// What is still missing.
pub fn packages(tell: &dyn Fn(&str)) -> Result<(), Missing> {
    see_to(&TO_RUN, tell)
}

/// Sees to what librdkafka is built with: a C++ compiler, make, pkg-config, the headers of OpenSSL.
///
/// # Errors
/// What is still missing.
pub fn build_packages(tell: &dyn Fn(&str)) -> Result<(), Missing> {
    see_to(&TO_BUILD, tell)
}

fn see_to(packages: &[Package], tell: &dyn Fn(&str)) -> Result<(), Missing> {
    let lacking = lacking(packages);
    if lacking.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = lacking.iter().map(|package| package.name).collect();
    let said = if machine::is_root() && has("apt-get") {
        tell(&format!("installing {}", names.join(", ")));
        install(&names)
    } else {
        None
    };
    let lacking = self::lacking(packages);
    if lacking.is_empty() { Ok(()) } else { Err(missing(&lacking, said.as_deref())) }
}

fn lacking(packages: &[Package]) -> Vec<&Package> {
    packages.iter().filter(|package| !(package.there)()).collect()
}

/// Installs them, with fresh package lists when those at hand do not do; what apt-get complains about is returned.
fn install(names: &[&str]) -> Option<String> {
    let install = ["install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"];
    let install = [&install, names].concat();
    apt_get(&install).or_else(|_| apt_get(&["update"]).and_then(|()| apt_get(&install))).err()
}

fn apt_get(words: &[&str]) -> Result<(), String> {
    const LIMIT: Duration = Duration::from_secs(900);
    let ran = Bounded::new("apt-get", LIMIT).args(words).run().map_err(|failed| failed.to_string())?;
    let complaint = ran.err.lines().find(|line| line.starts_with("E:")).unwrap_or("E: failed");
    if ran.ok { Ok(()) } else { Err(complaint.to_owned()) }
}

fn missing(lacking: &[&Package], said: Option<&str>) -> Missing {
    let gives: Vec<&str> = lacking.iter().map(|package| package.gives).collect();
    let names: Vec<&str> = lacking.iter().map(|package| package.name).collect();
    let said = said.map(|said| format!("; apt-get said: {said}")).unwrap_or_default();
    let install = format!("apt-get install --no-install-recommends {}", names.join(" "));
    Missing::new(format!("no {}; type: {install}{said}", gives.join(", no ")))
}

fn has(program: &str) -> bool {
    machine::program(program).is_some()
}

fn openssl() -> bool {
    let asked = Bounded::new("pkg-config", Duration::from_secs(10)).args(&["--exists", "openssl"]).run();
    asked.is_ok_and(|ran| ran.ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lacks_is_one_line_that_says_what_to_type() {
        let made_up = [
            Package { name: "there", gives: "what is there", there: || true },
            Package { name: "one", gives: "this", there: || false },
            Package { name: "two", gives: "that", there: || false },
        ];
        let lacking = lacking(&made_up);
        let line = missing(&lacking, Some("E: Unable to locate package one")).to_string();
        let typed = "no this, no that; type: apt-get install --no-install-recommends one two";
        assert_eq!(line, format!("{typed}; apt-get said: E: Unable to locate package one"));
        assert_eq!(missing(&lacking, None).to_string(), typed);
    }
}
