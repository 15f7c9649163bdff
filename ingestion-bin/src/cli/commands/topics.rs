//! `topics create`: makes the topics of the configuration that are missing; those that are there are left as they are.

use super::super::args::{Cli, Topics};
use super::super::exit::{Exit, Failure};
use super::super::output::Output;
use super::super::setup;

#[cfg(feature = "kafka")]
pub(super) fn run(cli: &Cli, args: &Topics, output: &mut Output) -> Result<Exit, Failure> {
    use std::time::Duration;

    use messaging::kafka::{Made, create_topics};
    use observability::causes;

    use crate::runtime::topics::{PARTITIONS, wanted};

    /// How long the cluster may take.
    const PATIENCE: Duration = Duration::from_secs(30);

    let Topics::Create { partitions } = args;
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

#[cfg(not(feature = "kafka"))]
pub(super) fn run(cli: &Cli, _: &Topics, _: &mut Output) -> Result<Exit, Failure> {
    setup::configuration(cli)?;
    Err(Failure::Usage("this build has no Kafka (feature \"kafka\")".to_owned()))
}
