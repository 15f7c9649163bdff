//! Apache Kafka from Maven's artifacts: fetched once into the cache, whole or not at all, by one process while others wait.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::KAFKA_VERSION;
use crate::command::Bounded;
use crate::wait::until;
use crate::{Missing, machine};

const LIMIT: Duration = Duration::from_secs(600);

/// The jars, when they are there: the folder is renamed to its name when it is complete.
pub(super) fn cached() -> Option<PathBuf> {
    let folder = machine::cache().ok()?.join(format!("kafka-{KAFKA_VERSION}"));
    folder.is_dir().then_some(folder)
}

/// The folder with Kafka's jars in `lib` and its `log4j2.properties`; fetched by Maven when it is not there.
///
/// # Errors
/// They cannot be fetched: no Maven, or nothing to fetch them from.
pub fn kafka_jars(tell: &dyn Fn(&str)) -> Result<PathBuf, Missing> {
    if let Some(folder) = cached() {
        return Ok(folder);
    }
    let lacks =
        |why: &dyn std::fmt::Display| Missing::new(format!("no jars of Apache Kafka {KAFKA_VERSION}: {why}"));
    let cache = machine::cache().map_err(|error| lacks(&error))?;
    let lock = File::create(cache.join("lock")).map_err(|error| lacks(&error))?;
    until(LIMIT, || lock.try_lock().ok())
        .ok_or_else(|| lacks(&"another process is fetching them without end"))?;
    if let Some(folder) = cached() {
        return Ok(folder); // by whoever had the lock
    }
    let mvn = machine::program("mvn").ok_or_else(|| lacks(&"no mvn; type: apt-get install maven"))?;
    tell(&format!("fetching Apache Kafka {KAFKA_VERSION} with mvn, 54 MB, into target/services"));
    let made = tempfile::tempdir_in(&cache).map_err(|error| lacks(&error))?;
    fetch(&mvn, made.path()).map_err(|why| lacks(&why))?;
    let folder = cache.join(format!("kafka-{KAFKA_VERSION}"));
    std::fs::rename(made.path(), &folder).map_err(|error| lacks(&error))?;
    let _renamed = made.keep();
    Ok(folder)
}

fn fetch(mvn: &Path, folder: &Path) -> Result<(), String> {
    let pom = include_str!("pom.xml").replace("@KAFKA@", KAFKA_VERSION);
    for (name, text) in [("pom.xml", pom.as_str()), ("log4j2.properties", include_str!("log4j2.properties"))]
    {
        std::fs::write(folder.join(name), text).map_err(|error| error.to_string())?;
    }
    let words =
        ["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib"];
    let mut command = Bounded::new(mvn, LIMIT).args(&words);
    command.folder = Some(folder);
    let ran = command.run().map_err(|failed| failed.to_string())?;
    let said = ran.out + &ran.err;
    let mut complaints = said.lines().filter_map(|line| Some(line.split_once("[ERROR] ")?.1.trim()));
    let complaint = complaints.find(|text| !text.is_empty()).unwrap_or("mvn failed");
    if ran.ok { Ok(()) } else { Err(complaint.to_owned()) }
}
