//! A simulated venue to point a client at: `cargo run -p hyperliquid-client --features sim --example sim_venue [SECONDS]`.
//! Prints its addresses, the accounts to follow, then what it published each second.
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::error::Error;
use std::time::Duration;

use hyperliquid_client::sim::{SimConfig, SimVenue};

fn main() -> Result<(), Box<dyn Error>> {
    let seconds: u64 = std::env::args().nth(1).map_or(Ok(5), |text| text.parse())?;
    let mut config = SimConfig::synthetic(1, 1_790_000_000_000);
    config.faults.push("close=every:30s".parse()?);
    let venue = SimVenue::start(config)?;
    println!("websocket {}\ninfo      {}", venue.ws_url(), venue.info_url());
    for account in venue.accounts() {
        println!("follow    {account}");
    }
    let mut next = venue.status().fills;
    for _ in 0..seconds {
        venue.wait_finished(Duration::from_secs(1)); // a synthetic market has no end: this is one second
        for row in venue.truth(next) {
            println!("{} {} {} tid {}", row.time, row.user, row.coin, row.tid);
            next = row.index + 1;
        }
    }
    venue.stop()?;
    Ok(())
}
