//! A secret in every place of the configuration where one can be: nothing of any of them is in a log, in `/status`, in a page, in what a
//! command prints, in an error, or in a file of the data directory. Nobody answers at any of the places, so that everything is tried, fails
//! and is told.
#![cfg(all(feature = "kafka", feature = "redis"))]

mod support;

use std::fs;
use std::path::Path;

use support::eventually;
use support::process::ingestion;
use support::service::Service;

const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";

/// What is planted; each one is told apart by its end.
const PLANTED: &str = "hunter2-planted";

/// The keys that refer to a secret, and what is behind each.
const SECRETS: [(&str, &str); 6] = [
    ("token", "hunter2-planted-admin-token"),
    ("auth", "hunter2-planted-venue"),
    ("proxy", "socks5://me:hunter2-planted-proxy@PLACE"),
    ("list", "redis://me:hunter2-planted-list@PLACE"),
    ("state", "redis://me:hunter2-planted-state@PLACE"),
    ("sasl", "hunter2-planted-sasl"),
];

/// Where nobody listens: a port of the system's that no service of today has.
const PLACE: &str = "127.0.0.1:9";

/// The configuration with every secret behind a file below `directory`.
fn configuration(directory: &Path, place: &str) -> String {
    for (name, secret) in SECRETS {
        fs::write(directory.join(name), secret.replace("PLACE", place)).expect("written");
    }
    let file = |name: &str| format!("\"file:{}\"", directory.join(name).display());
    let text = format!(
        "data_dir = {data:?}\n\
         [[venue.endpoint]]\nname = \"gone\"\nnetwork = \"sim\"\nws_url = \"ws://{place}/ws\"\ninfo_url = \"http://{place}/info\"\n\
         auth = {{ header = \"X-Key\", value_from = {auth} }}\negress = [{proxy}]\n\
         [influencers]\nsource = \"redis\"\nredis_url_from = {list}\n\
         [state]\nredis_url_from = {state}\nlease_s = 2\n\
         [kafka]\nbrokers = \"{place}\"\n[kafka.properties]\n\"security.protocol\" = \"sasl_plaintext\"\n\"sasl.mechanism\" = \"PLAIN\"\n\
         \"sasl.username\" = \"me\"\n\"sasl.password_from\" = {sasl}\n\
         [signals]\nsink = \"kafka\"\n[admin]\nlisten = \"127.0.0.1:0\"\ntoken_from = {token}\n",
        data = directory.join("data"),
        auth = file("auth"),
        proxy = file("proxy"),
        list = file("list"),
        state = file("state"),
        sasl = file("sasl"),
        token = file("token"),
    );
    let path = directory.join("ingestion.toml");
    fs::write(&path, text).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

/// Everything in the files below a directory.
fn written(directory: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            text.push_str(&written(&path));
        } else {
            text.push_str(&String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()));
        }
    }
    text
}

fn clean(what: &str, text: &str) {
    let line = text.lines().find(|line| line.contains(PLANTED));
    assert!(line.is_none(), "{what} shows a secret: {line:?}");
}

#[test]
fn no_secret_is_ever_shown() {
    let place = PLACE;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let config = configuration(directory.path(), place);
    let commands: [&[&str]; 8] = [
        &["check"],
        &["--json", "check"],
        &["influencers", "list"],
        &["influencers", "add", "alice", ALICE],
        &["topics", "create"],
        &["verify", "--kafka"],
        &["inspect", ALICE],
        &["status"],
    ];
    for words in commands {
        let mut command = ingestion();
        let output = command.args(["--config", &config]).args(words).output().expect("the binary starts");
        let told =
            [output.stdout, output.stderr].map(|told| String::from_utf8_lossy(&told).into_owned()).concat();
        assert!(!told.is_empty(), "{words:?} says something");
        clean(&format!("{words:?}"), &told);
    }
    // What each key says when its secret is none of its kind.
    for (name, secret) in SECRETS {
        let path = directory.path().join(name);
        let right = fs::read_to_string(&path).expect("it is there");
        fs::write(&path, format!("\u{1}odd://{secret}")).expect("written");
        for more in [&[][..], &["--set", "state.store=redis"]] {
            let mut command = ingestion();
            let output =
                command.args(["--config", &config]).args(more).arg("check").output().expect("it starts");
            let told = [output.stdout, output.stderr]
                .map(|told| String::from_utf8_lossy(&told).into_owned())
                .concat();
            clean(&format!("check with another {name}"), &told);
        }
        fs::write(&path, right).expect("written");
    }

    // It waits for the Redis of its state, then it runs without; at the most talkative level there is.
    let loud = ["--set", "telemetry.level=trace", "--follow", ALICE];
    let service = Service::start(Path::new(&config), &[&loud[..], &["--set", "state.store=redis"]].concat());
    service.process.log_line("waits for the Redis of the shared state");
    let pages = ["/", "/status", "/ready", "/metrics"];
    pages.iter().for_each(|page| clean(page, &service.get(page).1));
    clean("the log of one that waits", &service.stop().log);

    let service = Service::start(Path::new(&config), &loud);
    eventually("the venue and the broker are tried", || {
        let log = service.process.log();
        (log.contains("cannot connect") || log.contains("connect")).then_some(())
    });
    eventually("the sink does not get on", || {
        service.get("/metrics").1.contains("ingestion_sink_lag").then_some(())
    });
    pages.iter().for_each(|page| clean(page, &service.get(page).1));
    clean("status", &service.printed_status(&[]));
    let log = service.stop().log;
    assert!(log.contains(place), "what is no secret is told: {log}");
    clean("the log", &log);
    clean("a file", &written(&directory.path().join("data")));
}
