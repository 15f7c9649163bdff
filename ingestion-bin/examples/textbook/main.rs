//! The same chain as it is usually written first: what ours is measured beside (`cargo xtask cost`).
//!
//! Two connections follow `userFills` of the same accounts; every frame goes to a plain log file; a set behind a lock knows what was seen;
//! positions are a map; each new fill becomes a signal, and a `FutureProducer` (`acks=all`, idempotent) sends it, its delivery awaited.
//! Not here: repair, gaps, a journal to start again from, proof. What comes while both connections are down is lost.
//!
//! `textbook WS_ADDRESS BROKERS TOPIC DIRECTORY FILLS USER...` says `subscribed` once both connections are, and at each of the counts in
//! FILLS (`500,10500`) `delivered` and the delays since the one before. It never ends by itself. Delays are monotonic, from a frame's last byte to its delivery.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program of its own: it reads the clock and talks to whoever started it"
)]

mod chain;
mod listener;
mod publisher;
mod venue;

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{info, warn};

use chain::Chain;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Between two writes of the log.
const FLUSH_EVERY: Duration = Duration::from_millis(10);

/// Signals between the listeners and the producer, and deliveries that are awaited, each at most.
const QUEUE: usize = 10_000;

/// What both listeners work on.
pub(crate) struct Shared {
    pub(crate) users: Vec<String>,
    pub(crate) chain: Mutex<Chain>,
    pub(crate) log: Mutex<BufWriter<File>>,
    pub(crate) signals: mpsc::Sender<chain::Made>,
}

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    run(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Runs until it is killed.
///
/// # Errors
/// It was asked for in the wrong words, or there is no runtime, file or producer.
pub(crate) fn run(words: &[&str]) -> Result<(), Failure> {
    let [address, brokers, topic, directory, fills, users @ ..] = words else {
        return Err("wants WS_ADDRESS BROKERS TOPIC DIRECTORY FILLS USER...".into());
    };
    let log = BufWriter::with_capacity(1 << 16, File::create(Path::new(directory).join("frames.log"))?);
    let fills = fills.split(',').map(str::parse).collect::<Result<_, _>>()?;
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (signals, made) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared {
            users: users.iter().map(|user| (*user).to_owned()).collect(),
            chain: Mutex::default(),
            log: Mutex::new(log),
            signals,
        });
        let publisher =
            tokio::spawn(publisher::publish(publisher::producer(brokers)?, (*topic).to_owned(), made, fills));
        tokio::spawn(flush(Arc::clone(&shared)));
        let (tell, mut subscribed) = mpsc::channel(2);
        for name in ["a", "b"] {
            let (shared, address, tell) = (Arc::clone(&shared), (*address).to_owned(), tell.clone());
            tokio::spawn(async move {
                loop {
                    match listener::listen(&address, &shared, &tell).await {
                        Ok(()) => info!(name, "closed by the venue"),
                        Err(error) => warn!(name, error, "connection lost"),
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
        }
        for _ in 0..2 {
            subscribed.recv().await;
        }
        println!("subscribed");
        publisher.await?
    })
}

async fn flush(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(FLUSH_EVERY);
    loop {
        ticks.tick().await;
        if let Ok(mut log) = shared.log.lock()
            && let Err(error) = log.flush()
        {
            warn!(%error, "the log cannot be written");
        }
    }
}
