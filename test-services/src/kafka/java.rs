//! Kafka's classes under java: the servers and the tools.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::command::Bounded;
use crate::{Error, Missing, install};

/// Java, and the folder of Kafka's jars.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    java: PathBuf,
    kafka: PathBuf,
}

impl Program {
    /// Fetches the jars where they are not there yet.
    pub(crate) fn find() -> Result<Self, Missing> {
        Ok(Self { java: install::java()?, kafka: install::kafka_jars(&|_| ())? })
    }

    /// `java` with these options and this class. Made for short lives: a cheap collector and no second compiler.
    pub(super) fn command(&self, options: &[&str], class: &str) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![self.java.clone().into()];
        words.extend(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"].map(OsString::from));
        words.extend(options.iter().map(OsString::from));
        let mut logging = OsString::from("-Dlog4j2.configurationFile=");
        logging.push(self.kafka.join("log4j2.properties"));
        words.extend([logging, "-cp".into(), self.kafka.join("lib/*").into(), class.into()]);
        words
    }
}

/// Runs one of Kafka's tools, at most a minute, and returns what it printed: `TopicCommand`, `GetOffsetShell`,
/// `consumer.ConsoleConsumer` and so on, of `org.apache.kafka.tools` where no package is named.
///
/// # Errors
/// Java or Kafka's jars cannot be had, or the tool fails.
pub fn kafka_tool(class: &str, args: &[&str]) -> Result<String, Error> {
    kafka_tool_fed(class, args, "")
}

/// [`kafka_tool`] that reads `input`: for `ConsoleProducer`, a record a line.
///
/// # Errors
/// As [`kafka_tool`].
pub fn kafka_tool_fed(class: &str, args: &[&str], input: &str) -> Result<String, Error> {
    const LIMIT: Duration = Duration::from_secs(60);
    let named = class.starts_with("org.") || class.starts_with("kafka.");
    let class = if named { class.to_owned() } else { format!("org.apache.kafka.tools.{class}") };
    let words = Program::find()?.command(&["-Xmx256m"], &class);
    let command = Bounded { input: input.as_bytes(), ..Bounded::of(&words, LIMIT) };
    Ok(command.args(args).output()?)
}
