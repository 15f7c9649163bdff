//! Signals to a topic, in order; every delivery is awaited.

use std::future::Future;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::AsyncRuntime;
use tokio::sync::mpsc;
use tracing::debug;

use super::chain::Made;
use super::{Failure, QUEUE};

/// What rdkafka's feature `tokio` would bring along.
pub(crate) struct Tokio;

impl AsyncRuntime for Tokio {
    type Delay = tokio::time::Sleep;

    fn spawn<T: Future<Output = ()> + Send + 'static>(task: T) {
        tokio::spawn(task);
    }

    fn delay_for(duration: Duration) -> Self::Delay {
        tokio::time::sleep(duration)
    }
}

type Producer = FutureProducer<DefaultClientContext, Tokio>;

/// The linger and compression of the service.
pub(crate) fn producer(brokers: &str) -> Result<Producer, KafkaError> {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .set("compression.codec", "lz4")
        .create()
}

pub(crate) async fn publish(
    producer: Producer,
    topic: String,
    mut made: mpsc::Receiver<Made>,
    fills: Vec<usize>,
) -> Result<(), Failure> {
    // Fewer than librdkafka queues, so its queue is never full.
    let (on_their_way, deliveries) = mpsc::channel(QUEUE);
    let confirmed = tokio::spawn(confirm(deliveries, fills));
    while let Some((signal, received)) = made.recv().await {
        let payload = serde_json::to_vec(&signal)?;
        let record = FutureRecord::to(&topic).key(&signal.influencer_id).payload(&payload);
        let delivery = producer.send_result(record).map_err(|(error, _)| error)?;
        debug!(signal = signal.signal_id, "sent");
        on_their_way.send((delivery, received)).await?;
    }
    drop(on_their_way);
    confirmed.await?
}

/// Awaits every delivery, and tells of those counts.
async fn confirm(
    mut deliveries: mpsc::Receiver<(DeliveryFuture, Instant)>,
    fills: Vec<usize>,
) -> Result<(), Failure> {
    let (mut count, mut delays) = (0, Vec::new());
    while let Some((delivery, received)) = deliveries.recv().await {
        delivery.await?.map_err(|(error, _)| error)?;
        count += 1;
        delays.push(received.elapsed());
        if fills.contains(&count) {
            println!("delivered {count}");
            tell(std::mem::take(&mut delays));
        }
    }
    Ok(())
}

fn tell(mut delays: Vec<Duration>) {
    delays.sort_unstable();
    let at = |part: f64| {
        let place = (delays.len() as f64 * part).ceil() as usize;
        delays.get(place.saturating_sub(1)).copied().unwrap_or_default().as_micros()
    };
    println!("delays_us {} {} {}", at(0.5), at(0.99), at(0.999));
}
