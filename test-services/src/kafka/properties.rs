//! `server.properties` of one broker.

use super::node::Node;
use super::secured::Secured;

/// Its text. What the caller asked for stands last: Kafka takes the last of two equal names.
pub(super) fn text(node: &Node) -> String {
    let cluster = &node.cluster;
    let voters =
        (1..).zip(&cluster.listeners).map(|(id, of): (u8, _)| format!("{id}@127.0.0.1:{}", of.controller));
    let voters = voters.collect::<Vec<_>>().join(",");
    let (plain, controller) = (node.listeners.plain, node.listeners.controller);
    let replicas = cluster.listeners.len();
    let secured = cluster.secured.as_ref();
    let port = secured.and_then(|secured| secured.port(node.id));
    let listener = port.map(|port| format!(",SECURED://127.0.0.1:{port}")).unwrap_or_default();
    let ours = format!(
        "\
process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller}{listener}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain}{listener}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=1
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
",
        id = node.id,
        data = node.log_dir().display(),
        in_sync = if replicas > 1 { 2 } else { 1 },
    );
    let more = secured.map(Secured::properties).unwrap_or_default();
    [ours, more.join("\n"), cluster.properties.join("\n"), String::new()].join("\n")
}
