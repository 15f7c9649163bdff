//! Java, 17 or newer: what Kafka 4 runs on.

use std::path::PathBuf;
use std::time::Duration;

use crate::command::Bounded;
use crate::{Missing, machine};

const OLDEST: u32 = 17;

/// Where it is.
pub(crate) fn java() -> Result<PathBuf, Missing> {
    let lacks = |what: &str| Missing::new(format!("{what}; type: apt-get install default-jre-headless"));
    let java = machine::program("java").ok_or_else(|| lacks("no java"))?;
    let ran = Bounded::new(&java, Duration::from_secs(30)).args(&["-version"]).run();
    let said = ran.map(|ran| ran.err + &ran.out).unwrap_or_default();
    match version(&said) {
        Some(version) if version >= OLDEST => Ok(java),
        Some(version) => Err(lacks(&format!("java is {version}, Kafka wants {OLDEST} or newer"))),
        None => Err(lacks("java does not say its version")),
    }
}

/// The number in `openjdk version "17.0.15" 2025-04-15`; 8 and older say 1.
fn version(said: &str) -> Option<u32> {
    let quoted = said.split_once("version \"")?.1;
    quoted.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions() {
        assert_eq!(version("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK"), Some(17));
        assert_eq!(version("Picked up JAVA_TOOL_OPTIONS\nopenjdk version \"25\" 2025-09-16"), Some(25));
        assert_eq!(version("java version \"1.8.0_402\""), Some(1));
        assert_eq!(version("no java here"), None);
    }
}
