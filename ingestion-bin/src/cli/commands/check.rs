//! `check`: what would run, without contacting anybody but the Redis of the list.

use std::path::Path;

use hyperliquid_client::plan::Taken;

use serde_json::json;

use super::super::args::Cli;
use super::super::exit::{Exit, Failure};
use super::super::fit::Fit;
use super::super::output::Output;
use super::super::setup::{self, BadEntries, Plan};
use crate::config::{Config, Group, SinkKind};
use crate::runtime::unwritable;

pub(super) fn run(cli: &Cli, output: &mut Output) -> Result<Exit, Failure> {
    let Plan { config, list, .. } = setup::plan(cli, &[], Ok(Vec::new()), BadEntries::Refuse)?;
    let fit = Fit::of(&list.set, &config);
    let bound = disk_bound(&config);
    let free = free_bytes(&config.data_dir);
    let too_small = free.is_some_and(|free| free < bound);
    let out_of_reach = list.out_of_reach().map(ToString::to_string);
    let nobody = out_of_reach.is_some() && list.set.is_empty();
    let unwritable: Vec<String> = unwritable(&config).iter().map(ToString::to_string).collect();
    if output.json() {
        let endpoints: Vec<_> = config
            .venue
            .endpoints
            .iter()
            .map(|endpoint| {
                json!({
                    "name": endpoint.name,
                    "network": endpoint.network,
                    "wsUrl": without_query(&endpoint.ws_url),
                    "tokenFrom": endpoint.auth.as_ref().map(|auth| auth.value_from.to_string()),
                    "users": endpoint.users,
                })
            })
            .collect();
        output.document(&json!({
            "dataDir": config.data_dir,
            "endpoints": endpoints,
            "accounts": fit.accounts,
            "listeners": config.listeners.count,
            "subscriptions": fit.subscriptions,
            "uncovered": fit.uncovered,
            "fewerListeners": fit.fewer_listeners,
            "oneAddress": fit.one_address,
            "moreAddresses": fit.more_addresses,
            "bound": fit.bound.map(|bound| bound.to_string()),
            "addresses": fit.groups.iter().map(address).collect::<Vec<_>>(),
            "diskBytesAtMost": bound,
            "diskBytesFree": free,
            "unwritable": unwritable,
            "kafka": kafka(&config),
            "listOutOfReach": out_of_reach,
        }))?;
    } else {
        let room = free.map(|free| format!(", {} MiB free", free >> 20)).unwrap_or_default();
        output.line(&format!(
            "data       {} (at most {} MiB{room})",
            config.data_dir.display(),
            bound >> 20
        ))?;
        for place in &unwritable {
            output.line(&format!("unwritable {place}"))?;
        }
        if too_small {
            output.line("           the disk has less room than all bounds together: lower max_bytes of journal and sinks")?;
        }
        if let Some(why) = &out_of_reach {
            let instead = if nobody { "nothing was kept of it" } else { "planned with the last good one" };
            output.line(&format!("list       {why}; {instead}"))?;
        }
        for endpoint in &config.venue.endpoints {
            let token = endpoint.auth.as_ref().map(|auth| format!(", token from {}", auth.value_from));
            output.line(&format!(
                "endpoint   {} {} ({} users{})",
                endpoint.name,
                without_query(&endpoint.ws_url),
                endpoint.users,
                token.unwrap_or_default()
            ))?;
        }
        let topics = topics(&config);
        if !topics.is_empty() {
            let topics: Vec<String> =
                topics.iter().map(|(stream, topic)| format!("{stream} to {topic}")).collect();
            output.line(&format!("kafka      {}: {}", config.kafka.brokers, topics.join(", ")))?;
        }
        output.line(&format!(
            "follows    {} accounts, {} listeners each, {} subscriptions",
            fit.accounts, config.listeners.count, fit.subscriptions
        ))?;
        for (group, taken) in &fit.groups {
            let limits = &group.limits;
            output.line(&format!(
                "address    {}: {} of {} users, {} of {} connections, {} of {} subscriptions, about {} of {} info weight a minute (in quiet hours; more when it begins)",
                group.name,
                taken.users,
                limits.users,
                taken.connections,
                limits.connections,
                taken.subscriptions,
                limits.subscriptions,
                taken.info_weight,
                limits.info_weight_per_minute,
            ))?;
        }
        if let Some(thin) = fit.thin() {
            output.line(&format!("redundancy {thin}"))?;
        }
        if let Some(shared) = fit.shared_exit() {
            output.line(&format!("shared     {shared}"))?;
        }
        if !fit.uncovered.is_empty() {
            output.line(&format!("uncovered  {fit}"))?;
        }
    }
    Ok(if fit.uncovered.is_empty() && !too_small && unwritable.is_empty() && !nobody {
        Exit::Clean
    } else {
        Exit::Failed
    })
}

/// The streams that go to topics.
fn topics(config: &Config) -> Vec<(&'static str, &str)> {
    let sinks = config.storage.sinks().into_iter();
    sinks
        .filter(|(_, sink)| sink.kind == SinkKind::Kafka)
        .map(|(name, sink)| (name, sink.topic.as_str()))
        .collect()
}

/// The cluster, when there is a topic; properties by name only, their values may be secret.
fn kafka(config: &Config) -> Option<serde_json::Value> {
    let topics: serde_json::Map<String, serde_json::Value> =
        topics(config).into_iter().map(|(stream, topic)| (stream.to_owned(), topic.into())).collect();
    let properties: Vec<&String> = config.kafka.properties.keys().collect();
    let shown = || json!({ "brokers": config.kafka.brokers, "topics": topics, "properties": properties });
    (!topics.is_empty()).then(shown)
}

/// What the plan takes of one public address.
fn address((group, taken): &(Group, Taken)) -> serde_json::Value {
    let used = |used: u32, max: u32| json!({ "used": used, "max": max });
    json!({
        "name": group.name,
        "users": used(taken.users, group.limits.users),
        "connections": used(taken.connections, group.limits.connections),
        "subscriptions": used(taken.subscriptions, group.limits.subscriptions),
        "infoWeight": used(taken.info_weight, group.limits.info_weight_per_minute),
    })
}

/// A URL without its query: a provider's token may stand there although it belongs into `auth`.
fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

/// Room on the disk of the data directory, or of what it will be made in.
fn free_bytes(directory: &Path) -> Option<u64> {
    let absolute = std::path::absolute(directory).ok()?;
    let there = absolute.ancestors().find(|path| path.is_dir())?;
    fs4::available_space(there).ok()
}

/// All bounds together: journal, its reserve, and the files of every sink.
fn disk_bound(config: &Config) -> u64 {
    let storage = &config.storage;
    let sinks = [&storage.signals, &storage.raw, &storage.gaps, &storage.positions, &storage.dead_letters];
    let files: u64 = sinks.iter().filter(|sink| sink.kind == SinkKind::File).map(|sink| sink.max_bytes).sum();
    storage.journal.max_bytes + storage.journal.segment_bytes + files
}
