//! A restart on a long journal: the real service takes the events from a venue as fast as it can, is killed, and starts again.

use std::time::{Duration, Instant};

use hyperliquid_client::sim::SimLimits;
use tempfile::TempDir;

use super::disk;
use super::market::{Market, address, venue};
use super::service::Service;

/// Accounts that share the events.
const ACCOUNTS: u64 = 50;
/// Blocks between two looks at how far the service is; its sockets' queues hold many more.
const BLOCKS: usize = 20;
/// Restarts that are measured.
const RESTARTS: usize = 3;

/// Fills a journal with `events`, kills, and measures restarts. With `segment_bytes` the segments are small, so that a
/// small journal has many.
pub(crate) fn measure(events: u64, segment_bytes: Option<u64>) {
    let directory = TempDir::new().expect("a directory");
    let venue = venue(1, SimLimits::generous());
    let users: Vec<String> = (0..ACCOUNTS).map(address).collect();
    let config = directory.path().join("ingestion.toml");
    let entries: Vec<String> = users.iter().map(|user| format!("{{ address = \"{user}\" }}")).collect();
    let data = directory.path().join("data");
    let text = format!(
        "data_dir = {data:?}\n[[venue.endpoint]]\nname = \"sim\"\nnetwork = \"sim\"\nws_url = {:?}\ninfo_url = {:?}\n\
         limits = {{ users = 1000, connections = 100, new_connections_per_minute = 100000, \
         info_weight_per_minute = 1000000 }}\n[influencers]\nstatic = [{}]\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [telemetry]\nlog = \"json\"\n[journal]\nsegment_bytes = {}\n",
        venue.ws_url(),
        venue.info_url(),
        entries.join(", "),
        segment_bytes.unwrap_or(64 << 20),
    );
    std::fs::write(&config, text).expect("the configuration is written");

    let mut market = Market::new(1, 150);
    users.iter().for_each(|user| market.join(user, 1_000));
    for _ in 0..50 {
        venue.play_history(&market.block(1_000));
    }
    let mut service = Service::start(&config, directory.path().join("filling.log"));
    service.wait_ready(Duration::from_secs(60));
    let all_based = |status: &serde_json::Value| {
        status["accounts"].as_array().into_iter().flatten().all(|one| one["based"] == true)
    };
    service.wait_status(Duration::from_secs(60), "all accounts have a baseline", all_based);
    let began = Instant::now();
    let mut sent = 0;
    while sent < events {
        let mut newest = 0;
        for _ in 0..BLOCKS {
            let block = market.block(1_000);
            sent += block.fills.len() as u64;
            newest = block.time;
            venue.play(&block);
        }
        service.wait_status(Duration::from_secs(60), "the blocks are taken", |status| {
            let mut accounts = status["accounts"].as_array().into_iter().flatten();
            accounts.all(|one| one["newest"].as_u64() >= Some(newest) && one["held"] == 0)
        });
    }
    service.wait_status(Duration::from_secs(60), "the journal is durable", |status| {
        status["journal"]["appended"] == status["journal"]["synced"]
    });
    println!("{sent} events sent in {:.0} s", began.elapsed().as_secs_f64());
    assert!(service.kill(), "it lived until it was killed");

    let journal = disk::journal(&data);
    let files = std::fs::read_dir(data.join("journal")).expect("a journal").filter_map(Result::ok);
    let bytes: u64 = files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum();
    println!("journal: {} records, {:.0} MB", journal.records, bytes as f64 / 1e6);
    assert!(journal.records as u64 >= events, "the events are in the journal");
    for restart in 1..=RESTARTS {
        let mut service = Service::start(&config, directory.path().join(format!("restart-{restart}.log")));
        let open = service.wait_logged("journal open");
        let opened = service.started.elapsed();
        service.wait_ready(Duration::from_secs(60));
        let ready = service.started.elapsed();
        println!(
            "restart {restart}: journal open after {:.3} s ({} records of {} segments read), ready after {:.3} s",
            opened.as_secs_f64(),
            open["records"],
            open["segments"],
            ready.as_secs_f64(),
        );
        assert!(open["segments"].as_u64() <= Some(3), "a restart reads the end only: {open}");
        assert!(service.kill(), "it lived until it was killed");
    }
}
