//! An admin server with a page to look at: open the printed address in a browser; Ctrl-C ends it.
//!
//! `cargo run -p observability --example admin_server -- [SECONDS]`; it ends by itself after SECONDS (default 60).

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use observability::{
    Telemetry,
    admin::{AdminConfig, AdminServer},
    event::Dropped,
    log::{Format, LogConfig, init},
    metrics::{Definition, Gauge, Unit},
};
use serde_json::json;

static UPTIME: Definition<Gauge, 0> =
    Definition::gauge("ingestion_uptime_seconds", "Seconds since start.", []).unit(Unit::Seconds);

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(60), |text| text.parse())?;
    let telemetry = Telemetry::new(&[UPTIME.family()])?;
    let _log = init(&LogConfig::new(Format::Pretty, "debug")?, &telemetry)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(&telemetry, seconds))
}

async fn serve(telemetry: &Telemetry, seconds: u32) -> Result<(), Box<dyn Error>> {
    let journal = telemetry.readiness().latch("journal");
    let uptime = telemetry.metrics().get(&UPTIME, []);
    let shown = uptime.clone();
    let status = move || {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "uptimeSeconds": shown.value(),
            "accounts": [{ "id": "whale-1", "coverage": "full" }, { "id": "<b>bold</b>", "coverage": "blind" }],
        })
    };
    let config = AdminConfig { listen: SocketAddr::from(([127, 0, 0, 1], 0)), token: None };
    let server = AdminServer::bind(&config, telemetry, Arc::new(status)).await?;
    tracing::info!("http://{}/", server.local_addr());
    let life = async {
        for second in 0..seconds {
            uptime.set(f64::from(second));
            if second == 5 {
                journal.release();
            }
            telemetry.emit(&Dropped { what: "fill", reason: "example", count: 1, detail: "\u{1b}[2J" });
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    server.serve(life, Duration::from_secs(1)).await;
    journal.retire();
    Ok(())
}
