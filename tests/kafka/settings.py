"""What the brokers of tests/kafka/broker are set to."""

PLAIN = "PLAINTEXT", "PROXY", "CONTROLLER"
SECURE = *PLAIN, "SSL", "SASL_PLAINTEXT", "SASL_SSL"
USERS = "alice", "bob"

# Small and quick: times that a test waits for are short, and internal topics
# have few partitions.
COMMON = """\
process.roles=broker,controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
auto.create.topics.enable=false
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
offsets.retention.check.interval.ms=1000
log.retention.check.interval.ms=1000
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=8388608
log.segment.bytes=67108864
"""

# The private key (PKCS#8) comes first in server.pem. ANONYMOUS are the brokers
# themselves, and the tests' way to prepare things.
SAFE = """\
ssl.keystore.type=PEM
ssl.keystore.location={certs}/server.pem
ssl.truststore.type=PEM
ssl.truststore.location={certs}/ca.crt
listener.name.ssl.ssl.client.auth=required
listener.name.sasl_ssl.ssl.client.auth=none
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:alice;User:CN=client
"""

LOGIN = "org.apache.kafka.common.security"


def logins():
    users = " ".join(f'user_{u}="{u}-secret"' for u in USERS)
    for listener in "sasl_plaintext", "sasl_ssl":
        name = f"listener.name.{listener}"
        yield (f"{name}.plain.sasl.jaas.config="
               f"{LOGIN}.plain.PlainLoginModule required {users};")
        for kind in "256", "512":
            yield (f"{name}.scram-sha-{kind}.sasl.jaas.config="
                   f"{LOGIN}.scram.ScramLoginModule required;")


def server(node, nodes, where, secure):
    """The text of server.properties for one of the nodes."""
    replicas = min(len(nodes), 3)
    listeners = SECURE if secure else PLAIN
    protocol = {"CONTROLLER": "PLAINTEXT", "PROXY": "PLAINTEXT"}
    own, told = [], []
    for name in listeners:
        own.append(f"{name}://127.0.0.1:{node[name]}")
        if name != "CONTROLLER":
            port = node["ADVERTISED" if name == "PROXY" else name]
            told.append(f"{name}://127.0.0.1:{port}")
    lines = [
        f"node.id={node['id']}",
        f"log.dirs={node['dir']}/data",
        "listeners=" + ",".join(own),
        "advertised.listeners=" + ",".join(told),
        "listener.security.protocol.map=" + ",".join(
            f"{name}:{protocol.get(name, name)}" for name in listeners),
        "controller.quorum.voters=" + ",".join(
            f"{n['id']}@127.0.0.1:{n['CONTROLLER']}" for n in nodes)]
    for key in ("default.replication.factor", "offsets.topic.{}",
                "transaction.state.log.{}", "share.coordinator.state.topic.{}"):
        lines.append(f"{key.format('replication.factor')}={replicas}")
    for key in ("min.insync.replicas", "transaction.state.log.min.isr",
                "share.coordinator.state.topic.min.isr"):
        lines.append(f"{key}={replicas - replicas // 3}")
    text = COMMON + "\n".join(lines) + "\n"
    if secure:
        text += SAFE.format(certs=where / "certs") + "\n".join(logins()) + "\n"
    return text
