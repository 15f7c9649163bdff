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
        load(file, &environment, &[("data_dir", "three"), ("telemetry.service_name", "7")]).expect("valid");
    assert_eq!(config.data_dir, std::path::Path::new("three"));
    assert_eq!(config.venue.endpoints[0].ws_url, "ws://two");
    assert_eq!(config.telemetry.service_name, "7");
}

#[test]
fn all_problems_come_at_once_with_key_value_and_place() {
    let file = "wrokers = 2\n[signals]\nsink = \"kafka\"\n[journal]\nsegment_bytes = \"big\"\n";
    let problems =
        load(file, &[("INGESTION__WORKERS", "many")], &[("listeners.count", "3")]).expect_err("wrong");
    let text = problems.to_string();
    for part in [
        "wrokers: unknown key (test.toml)",
        "signals.sink = \"kafka\": this build has no Kafka (feature \"kafka\") (test.toml)",
        "journal.segment_bytes = \"big\": wants a whole number",
        "workers = \"many\": wants a whole number from 1 to 64 (environment INGESTION__WORKERS)",
        "listeners.count = 3: wants a whole number from 1 to 2 (command line)",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert_eq!(problems.0.len(), 5, "{text}");
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
