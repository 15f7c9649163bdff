#!/usr/bin/env python3
"""An exact total of every influencer and market out of `influencer_signals`, in one SQLite file: the signed sizes added up, how
many signals, the last position. Each signal counts once, however often it was sent and however often this program is killed.

    pip install confluent-kafka
    python3 exact_total.py BROKERS TOPIC STORE.db [INSTANCE]     reads until it is killed, by any signal at any moment
    python3 exact_total.py --show STORE.db                       prints the totals, also meanwhile

Several of these may share the work and the file, each with an INSTANCE of its own: a name by which the group knows it again when
it comes back.

- Offsets are committed to no broker. They are in the store, changed by the same transaction as what was made of the records before
  them: either both are there after a kill or neither is.
- Given partitions, it goes on where the store says. A record below the store's offset is not looked at: somebody else was faster.
- `signalId` decides: one that was seen is a repeat, whatever its epoch and offset. A correction takes back what it supersedes.
- What is no `signal.v1` is named, counted and skipped.
- Records that were deleted before they were read are told, and end it: a total that lacks them would be wrong in silence.
"""

import decimal
import json
import re
import sqlite3
import sys
import uuid

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException

# An id is known for seven days, as long as the topic keeps its record (time of records, not ours); among IDS_MIN newest records of a
# partition in any case (twice what a service that is killed sends again at most), behind IDS_MAX not any more: the disk has an end.
IDS_KEPT_MS = 7 * 24 * 3_600_000
IDS_MIN = 20_000
IDS_MAX = 2_000_000

# Records in a transaction, at most: what a kill costs is reading them again.
BATCH = 500

# Sums are exact, or an error.
EXACT = decimal.Context(prec=60, traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow])
DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,18})?")

SCHEMA = """
CREATE TABLE IF NOT EXISTS partitions (
    partition INTEGER PRIMARY KEY, next INTEGER NOT NULL, newest_ms INTEGER NOT NULL,
    applied INTEGER NOT NULL, repeats INTEGER NOT NULL, skipped INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS seen (
    id BLOB PRIMARY KEY, partition INTEGER NOT NULL, offset INTEGER NOT NULL, ms INTEGER NOT NULL,
    delta TEXT  -- what it counts with; nothing once it is superseded
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_order ON seen (partition, offset);
CREATE TABLE IF NOT EXISTS totals (
    influencer TEXT, market TEXT, sum TEXT NOT NULL, count INTEGER NOT NULL, position TEXT NOT NULL,
    timestamp INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (influencer, market));
"""


def main(words):
    if len(words) == 2 and words[0] == "--show":
        show(open_store(words[1]))
    elif len(words) in (3, 4):
        consume(*words)
    else:
        sys.exit("wants BROKERS TOPIC STORE.db [INSTANCE], or --show STORE.db")


def open_store(path):
    store = sqlite3.connect(path, timeout=60, isolation_level=None)
    store.execute("PRAGMA journal_mode = WAL")
    store.execute("PRAGMA synchronous = FULL")
    store.executescript(SCHEMA)
    return store


def consume(brokers, topic, path, instance=None):
    store = open_store(path)
    config = {
        "bootstrap.servers": brokers,
        "group.id": f"exact-total-py-{topic}",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "session.timeout.ms": 6000,
    }
    if instance:
        config["group.instance.id"] = instance
    consumer = Consumer(config)

    def on_assign(consumer, given):
        for partition in given:
            stored = "SELECT next FROM partitions WHERE partition = ?"
            row = store.execute(stored, (partition.partition,)).fetchone()
            partition.offset = row[0] if row else OFFSET_BEGINNING
            tell(f"partition {partition.partition} from offset {row[0] if row else 0}")
        consumer.assign(given)

    consumer.subscribe([topic], on_assign=on_assign)
    while True:
        messages = consumer.consume(BATCH, timeout=0.1)
        for error in filter(None, (message.error() for message in messages)):
            if error.code() == KafkaError._AUTO_OFFSET_RESET:
                lost = "records were deleted before they were read: the totals would be wrong from here on"
                sys.exit(f"topic {topic}: {lost}")
            if error.fatal():
                raise KafkaException(error)
            tell(f"topic {topic}: {error.str()}")  # brokers that are away come back
        messages = [message for message in messages if not message.error()]
        if messages:
            store.execute("BEGIN IMMEDIATE")
            for partition in {message.partition() for message in messages}:
                of_it = [message for message in messages if message.partition() == partition]
                take(store, topic, partition, of_it)
            store.execute("COMMIT")
            tell(f"committed {len(messages)} records")


def take(store, topic, partition, messages):
    """Takes records of one partition, inside of a transaction."""
    columns = "next, newest_ms, applied, repeats, skipped"
    row = store.execute(f"SELECT {columns} FROM partitions WHERE partition = ?", (partition,))
    next_offset, newest_ms, *tally = row.fetchone() or (0, 0, 0, 0, 0)
    for message in messages:
        if message.offset() < next_offset:
            continue
        next_offset, ms = message.offset() + 1, message.timestamp()[1]
        newest_ms = max(newest_ms, ms)
        try:
            tally[0 if count(store, (partition, message.offset(), ms), parse(message.value())) else 1] += 1
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as why:
            tally[2] += 1
            tell(f"skipped: topic {topic}, partition {partition}, offset {message.offset()}: {type(why).__name__} {why}")
    store.execute("REPLACE INTO partitions VALUES (?, ?, ?, ?, ?, ?)", (partition, next_offset, newest_ms, *tally))
    store.execute(
        "DELETE FROM seen WHERE partition = ? AND (offset < ? OR (offset < ? AND ms < ?))",
        (partition, next_offset - IDS_MAX, next_offset - IDS_MIN, newest_ms - IDS_KEPT_MS),
    )


def parse(value):
    """What a total needs of a `signal.v1`; other keys are ignored: it may gain some."""
    signal = json.loads(value)
    if signal["schema"] != "signal.v1":
        raise ValueError(f"schema {signal['schema']!r} is not signal.v1")
    texts = (signal["influencerId"], signal["market"], signal["size"], signal["deltaSize"])
    numbers = (signal["timestamp"], signal["epoch"], signal["seq"])
    if not all(type(text) is str for text in texts):
        raise TypeError("a text is none")
    if not all(type(number) is int and 0 <= number < 2**63 for number in numbers):
        raise TypeError("timestamp, epoch or seq is no whole number")
    if not DECIMAL.fullmatch(texts[2]) or not DECIMAL.fullmatch(texts[3]):
        raise ValueError(f"{texts[2]!r}, {texts[3]!r}: no decimals")
    sign = {"LONG": 1, "FLAT": 1, "SHORT": -1}[signal["side"]]
    supersedes = signal.get("supersedes")
    return {
        "id": uuid.UUID(signal["signalId"]).bytes,
        "key": texts[:2],
        "delta": EXACT.create_decimal(texts[3]),
        "position": EXACT.multiply(EXACT.create_decimal(texts[2]), sign),
        "at": numbers,
        "supersedes": uuid.UUID(supersedes).bytes if supersedes else None,
    }


def count(store, where, signal):
    """Whether it was new. Nothing is changed where it is refused."""
    if store.execute("SELECT 1 FROM seen WHERE id = ?", (signal["id"],)).fetchone():
        return False
    columns = "sum, count, position, timestamp, epoch, seq"
    row = store.execute(f"SELECT {columns} FROM totals WHERE influencer = ? AND market = ?", signal["key"])
    total, signals, position, *at = row.fetchone() or ("0", 0, "0", 0, 0, 0)
    counted = "SELECT delta FROM seen WHERE id = ? AND delta IS NOT NULL"
    replaced = store.execute(counted, (signal["supersedes"],)).fetchone()
    total = EXACT.add(EXACT.create_decimal(total), signal["delta"])
    if replaced:
        total, signals = EXACT.subtract(total, EXACT.create_decimal(replaced[0])), signals - 1
    # One that is late, or of an older epoch, says nothing of where the market stands now.
    if signal["at"] > tuple(at):
        position, at = signal["position"], signal["at"]
    # What is superseded does not count when it comes again, or comes only now.
    if signal["supersedes"]:
        store.execute("REPLACE INTO seen VALUES (?, ?, ?, ?, NULL)", (signal["supersedes"], *where))
    store.execute("INSERT INTO seen VALUES (?, ?, ?, ?, ?)", (signal["id"], *where, str(signal["delta"])))
    now = (*signal["key"], str(total), signals + 1, str(position), *at)
    store.execute("REPLACE INTO totals VALUES (?, ?, ?, ?, ?, ?, ?, ?)", now)
    return True


def show(store):
    store.execute("BEGIN")  # one moment for both
    for influencer, market, total, signals, position in store.execute(
        "SELECT influencer, market, sum, count, position FROM totals ORDER BY influencer, market"
    ):
        tell(f"{influencer} {market} sum {plain(total)} count {signals} position {plain(position)}")
    tally = store.execute("SELECT total(applied), total(repeats), total(skipped) FROM partitions").fetchone()
    applied, repeats, skipped = map(int, tally)
    tell(f"read {applied + repeats + skipped} applied {applied} repeats {repeats} skipped {skipped}")


def plain(text):
    """As the topic writes decimals."""
    text = format(decimal.Decimal(text), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def tell(line):
    print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
