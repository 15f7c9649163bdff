//! `topics create`: makes the topics of the configuration that are missing; those that are there are left as they are.

use std::time::Duration;

use messaging::kafka::{Made, create_topics};
use observability::causes;

use super::super::super::args::Cli;
use super::super::super::exit::{Exit, Failure};
use super::super::super::output::Output;
use super::super::super::setup;
use crate::runtime::topics::{PARTITIONS, wanted};

/// How long the cluster may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(cli: &Cli, partitions: Option<i16>, output: &mut Output) -> Result<Exit, Failure> {
    let config = setup::configuration(cli)?;
    let topics = wanted(&config, partitions.map_or(PARTITIONS, i32::from));
    if topics.is_empty() {
        return Err(Failure::Usage("no sink writes to a topic (sink = \"kafka\")".to_owned()));
    }
    let client = config.kafka.client().map_err(|error| Failure::World(causes(&error)))?;
    let made = create_topics(&client, &topics, PATIENCE).map_err(|error| Failure::World(causes(&error)))?;
    let mut exit = Exit::Clean;
    for (topic, made) in topics.iter().zip(made) {
        let (what, why) = match made {
            Ok(Made::New) => ("created", None),
            Ok(Made::There) => ("is there", None),
            Err(error) => {
                exit = Exit::Failed;
                ("failed", Some(causes(&error)))
            }
        };
        if output.json() {
            output.document(&serde_json::json!({ "topic": topic.name, "outcome": what, "error": why }))?;
        } else {
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            output.line(&format!("{}  {what}{why}", topic.name))?;
        }
    }
    Ok(exit)
}
