//! Logs, metrics, health latches and the admin HTTP server.
//!
//! - [`metrics`]: a fixed catalogue of counters, gauges and histograms, read as Prometheus text.
//! - [`event`]: one struct per happening, which cannot be logged without being counted.
//! - [`log`]: lines on standard error, safe against text from outside, never waited for.
//! - [`causes`]: an error and what lies behind it, as one line.
//! - [`health`]: latches that hold `/ready` back until every part works.
//! - [`admin`]: `/live`, `/ready`, `/metrics`, `/status`, a page to read, and routes of the caller.
//!
//! Parts of a service are handed a [`Telemetry`]; only its `main` knows [`log`] and [`admin`]. Not here: what is
//! worth measuring (each service declares its own catalogue), and any decision that rests on a clock.
//!
//! ```
//! use std::{net::SocketAddr, sync::Arc, time::Duration};
//! use observability::{Telemetry, admin::{AdminConfig, AdminServer}, metrics::{Counter, Definition}};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! static FILLS: Definition<Counter, 1> =
//!     Definition::counter("ingestion_fills_total", "Fills accepted, by listener.", ["listener"]);
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let telemetry = Telemetry::new(&[FILLS.family()])?;
//! let journal = telemetry.readiness().latch("journal");
//! telemetry.metrics().get(&FILLS, ["a"]).inc();
//!
//! let config = AdminConfig { listen: SocketAddr::from(([127, 0, 0, 1], 0)), token: None };
//! let status = || serde_json::json!({ "version": "0.1.0" });
//! let server = AdminServer::bind(&config, &telemetry, Arc::new(status)).await?;
//! let address = server.local_addr();
//! let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
//! let serving = tokio::spawn(server.serve(async { drop(stopped.await) }, Duration::from_secs(1)));
//!
//! let mut socket = tokio::net::TcpStream::connect(address).await?;
//! socket.write_all(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
//! let mut answer = String::new();
//! socket.read_to_string(&mut answer).await?;
//! assert!(answer.starts_with("HTTP/1.1 503"), "the journal is starting");
//! journal.release();
//! assert!(telemetry.readiness().is_ready());
//! assert!(telemetry.metrics().render().contains("ingestion_fills_total{listener=\"a\"} 1\n"));
//! drop(stop);
//! serving.await?;
//! # Ok(())
//! # })
//! # }
//! ```

pub mod admin;
mod causes;
pub mod event;
pub mod health;
pub mod log;
pub mod metrics;
mod telemetry;

pub use causes::causes;
pub use telemetry::Telemetry;
