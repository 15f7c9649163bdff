//! Configuration: defaults, overrides, and every problem at once.

use super::{Config, Problems, Sources};

fn load(file: &str, environment: &[(&str, &str)], sets: &[(&str, &str)]) -> Result<Config, Problems> {
    let owned =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Config::load(&Sources {
        file: Some(("test.toml".into(), file.to_owned())),
        environment: owned(environment),
        sets: owned(sets),
    })
}

#[test]
fn an_empty_file_is_the_defaults() {
    let config = load("", &[], &[]).expect("defaults are valid");
    assert_eq!(config.venue.endpoints.len(), 1);
    assert_eq!(config.venue.endpoints[0].ws_url, "wss://api.hyperliquid.xyz/ws");
    assert_eq!(config.venue.endpoints[0].users, 10);
    assert_eq!(config.listeners.hold.as_millis(), 500);
    assert_eq!(config.admin.listen.expect("on").port(), 9464);
}

#[test]
fn later_sources_win_and_arrays_are_reached_by_index() {
    let file = "data_dir = \"one\"\n[[venue.endpoint]]\nname = \"a\"\nws_url = \"ws://one\"\n";
    let environment = [("INGESTION__VENUE__ENDPOINT__0__WS_URL", "ws://two"), ("INGESTION__DATA_DIR", "two")];
    let config =
        load(file, &environment, &[("data_dir", "three"), ("venue.endpoint.0.name", "7")]).expect("valid");
    assert_eq!(config.data_dir, std::path::Path::new("three"));
    assert_eq!(config.venue.endpoints[0].ws_url, "ws://two");
    assert_eq!(config.venue.endpoints[0].name, "7");
}

#[test]
fn all_problems_come_at_once_with_key_value_and_place() {
    let file = "wrokers = 2\n[signals]\nsink = \"kafak\"\n[journal]\nsegment_bytes = \"big\"\n";
    let problems =
        load(file, &[("INGESTION__WORKERS", "many")], &[("listeners.count", "3")]).expect_err("wrong");
    let text = problems.to_string();
    for part in [
        "wrokers = 2: unknown key (test.toml)",
        "signals.sink = \"kafak\": wants one of \"kafka\", \"file\", \"stdout\", \"none\", \"paused\" (test.toml)",
        "journal.segment_bytes = \"big\": wants a whole number",
        "workers = \"many\": wants a whole number from 1 to 64 (environment INGESTION__WORKERS)",
        "listeners.count = 3: wants a whole number from 1 to 2 (command line)",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert_eq!(problems.0.len(), 5, "{text}");
}

/// A message that no record of the journal holds could be accepted and not kept.
#[test]
fn a_message_must_fit_into_a_record() {
    let key = "venue.endpoint.0.max_message_bytes";
    assert!(load("", &[], &[(key, "66060288")]).is_ok());
    let told = load("", &[], &[(key, "66060289")]).expect_err("too large").to_string();
    assert!(
        told.contains("max_message_bytes = 66060289: wants a whole number from 1024 to 66060288"),
        "{told}"
    );
}

#[test]
fn broken_syntax_names_the_file() {
    let text = load("workers = = 2", &[], &[]).expect_err("broken").to_string();
    assert!(text.contains("test.toml"), "{text}");
}

#[test]
fn an_admin_port_off_loopback_needs_a_token() {
    let text = load("[admin]\nlisten = \"0.0.0.0:1\"", &[], &[]).expect_err("needs a token").to_string();
    assert!(text.contains("admin.token_from is required"), "{text}");
}

#[test]
fn a_secret_is_a_reference() {
    let file = "[[venue.endpoint]]\nauth = { header = \"Authorization\", value_from = \"hunter2\" }";
    let text = load(file, &[], &[]).expect_err("not a reference").to_string();
    assert!(text.contains("venue.endpoint.0.auth.value_from: wants env:NAME or file:PATH"), "{text}");
    assert!(!text.contains("hunter2"), "the secret is printed: {text}");
}

#[test]
fn the_default_endpoint_has_no_second_name() {
    let text = load("[venue.endpoint_defaults]\nname = \"x\"", &[], &[]).expect_err("unknown").to_string();
    assert!(text.contains("venue.endpoint_defaults: unknown key"), "{text}");
}

#[test]
fn the_documented_configuration_is_the_defaults() {
    let document = include_str!("../../../docs/configuration.md");
    let block =
        document.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a TOML block");
    let documented = load(block, &[], &[]).expect("the documented configuration is valid");
    let defaults = load("", &[], &[]).expect("defaults are valid");
    assert_eq!(format!("{documented:?}"), format!("{defaults:?}"));
}

/// What is wrong with a configuration, a line each.
fn told(file: &str, environment: &[(&str, &str)], sets: &[(&str, &str)]) -> Vec<String> {
    load(file, environment, sets).expect_err("wrong").to_string().lines().map(str::to_owned).collect()
}

#[test]
fn an_unknown_key_is_named_in_full_where_it_was_written() {
    let environment = [("INGESTION__FOO__LIST__0__ON", "true"), ("INGESTION__JOURNAL__SIZE", "7")];
    let sets = [("foo.bar", "1"), ("foo.deep.token", "hunter2")];
    let lines = [
        "journal.size = 7: unknown key (environment INGESTION__JOURNAL__SIZE)",
        "foo.bar = 1: unknown key (command line)",
        "foo.deep.token: unknown key (command line)",
        "foo.list.0.on = true: unknown key (environment INGESTION__FOO__LIST__0__ON)",
        "foo.own = 2.5: unknown key (test.toml)",
        "foo.table: unknown key (test.toml)",
    ];
    assert_eq!(told("foo = { own = 2.5, table = { x = 1 } }", &environment, &sets), lines);
}

/// Such a key at its default is in the documented configuration, which is right ([`the_documented_configuration_is_the_defaults`]).
#[test]
fn what_this_build_does_not_do_is_refused_by_name() {
    let otlp = "this build does not export OTLP yet";
    let text = |key: &str| format!("{key} = \"x\"");
    for (key, value, told_as, why) in [
        ("telemetry.service_name", "x", text("telemetry.service_name"), otlp),
        ("telemetry.otlp_endpoint", "x", text("telemetry.otlp_endpoint"), otlp),
        ("telemetry.sampling", "0.5", "telemetry.sampling = 0.5".to_owned(), otlp),
        ("alerts.webhook_from", "x", "alerts.webhook_from".to_owned(), "this build does not send alerts yet"),
    ] {
        let told = told("", &[], &[(key, value)]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("{told_as}: {why}")), "{told:?}");
    }
}

#[test]
fn whom_a_full_journal_sheds() {
    let below = |sets: &[(&str, &str)]| load("", &[], sets).expect("right").storage.journal.shed_below;
    assert_eq!(below(&[]), None);
    assert_eq!(below(&[("journal.when_full", "shed")]), Some(0));
    let shed = ("journal.when_full", "shed");
    assert_eq!(below(&[shed, ("journal.shed_below_priority", "-3")]), Some(-3));
    for (sets, wanted) in [
        (
            vec![("journal.shed_below_priority", "3")],
            "journal.shed_below_priority = 3: means something only with",
        ),
        (
            vec![shed, ("journal.shed_below_priority", "x")],
            "journal.shed_below_priority = \"x\": wants a whole number",
        ),
        (
            vec![("journal.when_full", "drop")],
            "journal.when_full = \"drop\": wants one of \"stop\", \"shed\"",
        ),
    ] {
        let told = told("", &[], &sets);
        assert!(told.len() == 1 && told[0].starts_with(wanted), "{told:?}");
    }
}

#[cfg(not(feature = "kafka"))]
#[test]
fn without_kafka_topics_are_refused_by_name() {
    let why = "this build has no Kafka (feature \"kafka\")";
    for (key, value, told_as) in [
        ("signals.sink", "kafka", "signals.sink = \"kafka\""),
        ("kafka.brokers", "x:1", "kafka.brokers = \"x:1\""),
        ("kafka.linger_ms", "7", "kafka.linger_ms = 7"),
        ("kafka.properties.sasl_password", "x", "kafka.properties"),
        ("signals.key", "influencer_market", "signals.key = \"influencer_market\""),
        ("signals.topic", "x", "signals.topic = \"x\""),
        ("raw.topic", "x", "raw.topic = \"x\""),
        ("gaps.topic", "x", "gaps.topic = \"x\""),
        ("positions.topic", "x", "positions.topic = \"x\""),
        ("dead_letters.topic", "x", "dead_letters.topic = \"x\""),
        ("journal.publish_after", "fsync", "journal.publish_after = \"fsync\""),
    ] {
        let told = told("", &[], &[(key, value)]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("{told_as}: {why}")), "{told:?}");
    }
}

#[cfg(not(feature = "redis"))]
#[test]
fn without_redis_what_would_be_in_one_is_refused_by_name() {
    let why = "this build has no Redis (feature \"redis\")";
    for (key, value, told_as) in [
        ("influencers.source", "redis", "influencers.source = \"redis\""),
        ("influencers.redis_url", "redis://me:hunter2@x", "influencers.redis_url"),
        ("influencers.redis_url_from", "hunter2", "influencers.redis_url_from"),
        ("influencers.redis_ca_file", "x", "influencers.redis_ca_file = \"x\""),
        ("influencers.prefix", "x", "influencers.prefix = \"x\""),
        ("state.store", "redis", "state.store = \"redis\""),
        ("state.redis_url", "redis://me:hunter2@x", "state.redis_url"),
        ("state.redis_url_from", "hunter2", "state.redis_url_from"),
        ("state.redis_ca_file", "x", "state.redis_ca_file = \"x\""),
        ("state.lease_s", "16", "state.lease_s = 16"),
    ] {
        let told = told("", &[], &[(key, value)]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("{told_as}: {why}")), "{told:?}");
    }
}

#[cfg(feature = "redis")]
#[test]
fn the_shared_state_has_the_lists_prefix_and_a_lease_of_its_own() {
    let file = "[influencers]\nprefix = \"copy\"\n[state]\nstore = \"redis\"\nlease_s = 4\n";
    let config = load(file, &[], &[]).expect("valid");
    let super::SharedState::Redis(shared) = &config.state else { panic!("{:?}", config.state) };
    assert_eq!((shared.prefix.as_str(), shared.lease.as_secs()), ("copy", 4));
    assert!(config.state.problems(&config.places).is_none());
    for (key, value, why) in [
        ("state.lease_s", "1", "state.lease_s = 1: wants a whole number from 2 to 3600"),
        ("state.redis_url", "redis://me:hunter2@x", "state.redis_url: holds a login"),
        ("state.store", "etcd", "state.store = \"etcd\": wants"),
    ] {
        let told = told(file, &[], &[(key, value)]);
        assert!(told.len() == 1 && told[0].starts_with(why) && !told[0].contains("hunter2"), "{told:?}");
    }
    let config = load(file, &[], &[("state.redis_url", "http://x")]).expect("nothing is read yet");
    let problems = config.state.problems(&config.places).expect("no URL of a Redis").to_string();
    assert!(problems.starts_with("state.redis_url: wants a URL that begins with redis://"), "{problems}");
}

#[cfg(feature = "kafka")]
#[test]
fn properties_go_to_librdkafka_but_for_secrets_and_what_promises_rest_on() {
    let file = "[kafka.properties]\n\"socket.keepalive.enable\" = true\nsasl.username = \"me\"\n\
                \"sasl.password_from\" = \"env:PASSWORD\"\nsocket.timeout.ms = 5000\n";
    let kafka = load(file, &[], &[]).expect("valid").kafka;
    let names: Vec<&str> = kafka.properties.keys().map(String::as_str).collect();
    assert_eq!(names, ["sasl.password", "sasl.username", "socket.keepalive.enable", "socket.timeout.ms"]);
    for (property, said) in [
        ("acks = 1", "kafka.properties.acks: cannot be changed: only what all in-sync replicas have"),
        (
            "sasl.password = \"hunter2\"",
            "kafka.properties.sasl.password: is a secret: write sasl.password_from",
        ),
        ("\"ssl.key.password_from\" = \"hunter2\"", "kafka.properties.ssl.key.password_from: wants env:NAME"),
        ("socket.timeout.ms = \"soon\"", "kafka.properties.socket.timeout.ms: "),
        ("no.such = 1", "kafka.properties.no.such: "),
        ("acks = [1]", "kafka.properties.acks: wants text, a number, true or false"),
    ] {
        let told = told(&format!("[kafka.properties]\n{property}\n"), &[], &[]);
        assert!(told.len() == 1 && told[0].starts_with(said) && !told[0].contains("hunter2"), "{told:?}");
    }
}

#[cfg(feature = "kafka")]
#[test]
fn what_a_topic_cannot_be_is_told() {
    let kafka = ("signals.sink", "kafka");
    for (sets, said) in [
        (vec![("kafka.brokers", "there")], "kafka.brokers = \"there\": wants HOST:PORT, several with commas"),
        (vec![kafka, ("signals.topic", "a/b")], "signals.topic = \"a/b\": wants 1 to 100 letters"),
        (
            vec![kafka, ("gaps.sink", "kafka"), ("gaps.topic", "influencer_signals")],
            "gaps.topic = \"influencer_signals\": is the topic of signals too",
        ),
    ] {
        let told = told("", &[], &sets);
        assert!(told.len() == 1 && told[0].starts_with(said), "{told:?}");
    }
}

#[cfg(feature = "redis")]
#[test]
fn a_list_in_redis_is_named_without_a_login() {
    let source = ("influencers.source", "redis");
    let config = load("", &[], &[source]).expect("the defaults name one");
    let super::InfluencerSource::Redis { server, prefix } = config.influencers.source else {
        panic!("Redis")
    };
    let address = server.address().expect("an address").to_string();
    assert_eq!((address.as_str(), prefix.as_str()), ("redis://127.0.0.1:6379", "ingestion"));

    let login =
        "influencers.redis_url: holds a login: put the URL behind redis_url_from (env:NAME or file:PATH)";
    for url in ["redis://me:hunter2@x", "redis-sentinel://x?sentinelServiceName=m&sentinelPassword=hunter2"] {
        let told = told("", &[], &[source, ("influencers.redis_url", url)]);
        assert!(told.len() == 1 && told[0].starts_with(login), "{told:?}");
    }
    let wrong =
        told("", &[], &[source, ("influencers.redis_url_from", "hunter2"), ("influencers.prefix", " ")]);
    assert!(wrong.len() == 2 && !wrong.concat().contains("hunter2"), "{wrong:?}");

    let url = ("influencers.redis_url", "http://x");
    let config = load("", &[], &[source, url]).expect("looked at when it is needed");
    let super::InfluencerSource::Redis { server, .. } = config.influencers.source else { panic!("Redis") };
    let told = server.address().expect_err("no URL of a Redis");
    assert!(told.key == "redis_url" && told.problem.contains("begins with redis://"), "{told:?}");
}

#[test]
fn fields_of_an_entry_are_set_one_by_one() {
    let entry = |field: &str| format!("influencers.static.0.{field}");
    let fields = [
        ("address", "0x0000000000000000000000000000000a11ce0001"),
        ("id", "7"),
        ("priority", "10"),
        ("enabled", "false"),
        ("maxStreams", "1"),
        ("throttle.infoShare", "0.5"),
        ("markets", "[\"ETH-PERP\"]"),
        ("start", "2h"),
    ];
    let sets: Vec<(String, &str)> = fields.map(|(field, value)| (entry(field), value)).to_vec();
    let sets: Vec<(&str, &str)> = sets.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    let config = load("", &[], &sets).unwrap_or_else(|problems| panic!("{problems}"));
    let super::InfluencerSource::Static(set) = config.influencers.source else { panic!("static") };
    let entry = set.find("7").expect("by its id");
    assert_eq!((entry.priority(), entry.enabled(), entry.max_streams()), (10, false, Some(1)));
    assert_eq!((entry.throttle().info_share(), entry.markets().len()), (Some(0.5), 1));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let sets = [
        ("data_dir", ""),
        ("listeners.backoff.initial_ms", "30000"),
        ("venue.endpoint.0.info_url", "ftp://x"),
    ];
    let lines = [
        "venue.endpoint.0.info_url = \"ftp://x\": wants a URL starting with https:// or http:// (command line)",
        "listeners.backoff.initial_ms = 30000: is more than max_ms (command line)",
        "data_dir = \"\": wants the path of a directory (command line)",
    ];
    assert_eq!(told("", &[], &sets), lines);
}

#[test]
fn entries_of_the_configuration_are_judged_whole() {
    let alice = "0x0000000000000000000000000000000a11ce0001";
    let entry =
        |fields: &str| format!("[influencers]\nstatic = [{{ id = \"a\", address = \"{alice}\", {fields} }}]");
    let tuned = "maxStreams = 1, backoff = { initial_ms = 9, jitter = 0.1 }, throttle = { infoShare = 0.5 }";
    for fine in ["start = \"2h\"", "orders = true, backoff = {}", "markets = [\"ETH-PERP\"]", tuned] {
        load(&entry(fine), &[], &[]).unwrap_or_else(|problems| panic!("{fine}: {problems}"));
    }
    let refused = [
        ("maxStreams = 0", "maxStreams = 0: allowed is 1 to 1000"),
        ("backoff = { max = 9 }", "backoff.max = 9: unknown key"),
        ("throttle = { infoShare = 0 }", "throttle.infoShare = 0: allowed is above 0, at most 1"),
        (
            "priority = \"high\", colour = \"red\"",
            "priority = \"high\": expected a whole number; colour = \"red\": unknown key",
        ),
    ];
    for (fields, why) in refused {
        assert_eq!(
            told(&entry(fields), &[], &[]),
            [format!("influencers.static: influencer 1 (\"a\"): {why} (test.toml)")]
        );
    }
}
