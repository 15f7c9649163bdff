//! What a person gets wrong: one clear line for each thing, all at once, the right exit code, and nothing half-started: no file
//! made, nobody called.

mod support;

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use support::place::Place;
use support::process::{ingestion, run};

const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";

#[test]
fn everything_wrong_in_a_file_is_said_at_once() {
    let place = Place::new();
    place.write(
        "bad.toml",
        r#"
data_dir = "d"
wrokers = 3
[listeners]
count = 0
hold_ms = "soon"
backoff = { jitter = 3 }
[influencers]
static = [
  { id = "a", address = "0x12" },
  { id = "b", address = "0x0000000000000000000000000000000a11ce0001" },
  { id = "b", address = "0x0000000000000000000000000000000a11ce0002" },
  { id = "c", address = "0x0000000000000000000000000000000a11ce0001" },
  { id = "b", address = "0x0000000000000000000000000000000a11ce0003", priority = "high" },
  { id = "bad id", address = "0x0000000000000000000000000000000a11ce0003" },
  { id = "d", address = "0x0000000000000000000000000000000a11ce0004", colour = "red" },
]
[signals]
sink = "kafak"
[kafka]
linger_ms = 70_000
[state]
store = "etcd"
[telemetry]
level = "loud"
"#,
    );
    const KAFKA: &str = if cfg!(feature = "kafka") {
        "error: kafka.linger_ms = 70000: wants a whole number from 0 to 1000 (bad.toml)"
    } else {
        "error: kafka.linger_ms = 70000: this build has no Kafka (feature \"kafka\") (bad.toml)"
    };
    let lines = [
        "error: listeners.count = 0: wants a whole number from 1 to 2 (bad.toml)",
        "error: listeners.hold_ms = \"soon\": wants a whole number from 1 to 60000 (bad.toml)",
        "error: listeners.backoff.jitter = 3: wants a number from 0 to 1 (bad.toml)",
        "error: influencers.static: influencer 1 (\"a\"): address = \"0x12\": an address is 0x and 40 hex digits (bad.toml)",
        "error: influencers.static: influencer 3 (\"b\"): id = \"b\": influencer 2 (\"b\") has the same id (bad.toml)",
        "error: influencers.static: influencer 4 (\"c\"): address = \"0x0000000000000000000000000000000a11ce0001\": influencer 2 (\"b\") has the same address (bad.toml)",
        "error: influencers.static: influencer 5 (\"b\"): priority = \"high\": expected a whole number; id = \"b\": influencer 2 (\"b\") has the same id (bad.toml)",
        "error: influencers.static: influencer 6 (\"bad id\"): id = \"bad id\": an id is 1 to 64 of the characters A-Z a-z 0-9 _ . - (bad.toml)",
        "error: influencers.static: influencer 7 (\"d\"): colour = \"red\": unknown key (bad.toml)",
        "error: state.store = \"etcd\": wants one of \"journal\", \"redis\" (bad.toml)",
        "error: signals.sink = \"kafak\": wants one of \"kafka\", \"file\", \"stdout\", \"none\", \"paused\" (bad.toml)",
        KAFKA,
        "error: telemetry.level = \"loud\": wants off, error, warn, info, debug or trace, or such by crate (warn,ingestion_bin=debug) (bad.toml)",
        "error: wrokers = 3: unknown key (bad.toml)",
    ];
    for command in ["run", "check", "status"] {
        place.refuses(&["--config", "bad.toml", command], 64, &lines);
    }
}

#[test]
fn a_wrong_configuration_elsewhere_is_named_by_its_place() {
    let place = Place::new();
    place.write("broken.toml", "data_dir = \n");
    for (arguments, line) in [
        (
            vec!["--config", "nowhere.toml"],
            "error: --config = nowhere.toml: the file cannot be read: No such file or directory (os error 2) (command line)",
        ),
        (vec!["--set", "listeners.cuont=1"], "error: listeners.cuont = 1: unknown key (command line)"),
        (
            vec!["--set", "venue.endpoint.0.ws_url=http://x"],
            "error: venue.endpoint.0.ws_url = \"http://x\": wants a URL starting with wss:// or ws:// (command line)",
        ),
        (
            vec!["--set", "venue.endpoint.0.network=moon"],
            "error: venue.endpoint.0.network = \"moon\": wants one of \"mainnet\", \"testnet\", \"sim\" (command line)",
        ),
        (
            vec!["--set", "admin.listen=localhost"],
            "error: admin.listen = \"localhost\": wants ADDRESS:PORT, or \"\" for none (command line)",
        ),
        (
            vec!["--set", "admin.listen=0.0.0.0:0"],
            "error: admin.listen = \"0.0.0.0:0\": is not on loopback, so admin.token_from is required (command line)",
        ),
    ] {
        place.refuses(&[&arguments[..], &["run", "--follow", ALICE]].concat(), 64, &[line]);
    }
    // What is only referred to is looked at together, before anything begins.
    let token = "error: admin.token_from = \"file:no-token\": secret file no-token cannot be read: No such file or directory (os error 2) (command line)";
    let auth = "error: venue.endpoint.0.auth.value_from: environment variable NOT_SET_FOR_THIS is not set (command line)";
    let sets = ["--set", "admin.token_from=file:no-token"];
    place.refuses(&[&sets[..], &["run", "--follow", ALICE]].concat(), 64, &[token]);
    place.refuses(&[&sets[..], &["check"]].concat(), 64, &[token]);
    place.refuses(&[&sets[..], &["status"]].concat(), 64, &[token]);
    place.write("token", "short");
    let short = "error: admin.token_from = \"file:token\": a token is at least 16 visible ASCII characters without spaces (command line)";
    place.refuses(&["--set", "admin.token_from=file:token", "run", "--follow", ALICE], 64, &[short]);
    let more = [
        "venue.endpoint.0.auth.query=t",
        "venue.endpoint.0.auth.value_from=env:NOT_SET_FOR_THIS",
        "venue.endpoint.0.ca_file=no-ca.pem",
        "listeners.start=yesterday",
        "influencers.source=file",
        "influencers.file=no-list.toml",
    ];
    let more: Vec<&str> = more.iter().flat_map(|set| ["--set", set]).collect();
    let lines = [
        "error: listeners.start = \"yesterday\": a time is RFC 3339 (2026-01-31T12:00:00Z), unix ms, or where a start is meant \"now\" or a span (15m, 2h, 1d) (command line)",
        auth,
        "error: venue.endpoint.0.ca_file: ca_file no-ca.pem cannot be read: I/O error: No such file or directory (os error 2) (command line)",
        token,
        "error: influencers.file: no-list.toml: there is no such file (command line)",
    ];
    place.refuses(&[&sets[..], &more, &["run", "--follow", ALICE]].concat(), 64, &lines);
    place.refuses(&[&sets[..], &more, &["check"]].concat(), 64, &lines);

    let output = place.run(&["--config", "broken.toml", "run", "--follow", ALICE]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("line 1") && said.contains("broken.toml") && said.lines().count() == 1, "{said}");
}

#[test]
fn a_wrong_command_line_is_2() {
    let place = Place::new();
    for (arguments, line) in [
        (vec!["run", "--follow", "0x12"], "error: --follow 0x12: an address is 0x and 40 hex digits"),
        (
            vec!["run", "--follow", "0x52908400098527886E0F7030069857D2E4169Ee7"],
            "error: --follow 0x52908400098527886E0F7030069857D2E4169Ee7: its mixed case fails the EIP-55 checksum, so a digit may be mistyped",
        ),
        (
            vec!["run"],
            "error: nobody to follow: name accounts in [influencers], or with --follow ADDR, or try --simulate",
        ),
        (
            vec!["check"],
            "error: nobody to follow: name accounts in [influencers], or with --follow ADDR, or try --simulate",
        ),
        (
            vec!["run", "--simulate", "--fault", "nonsense"],
            "error: --fault nonsense: there is no fault called `nonsense`",
        ),
        (
            vec!["sim-venue", "--synthetic", "--fault", "drop=2"],
            "error: --fault drop=2: `2` is not a probability between 0 and 1",
        ),
        (
            vec!["sim-venue", "--synthetic", "--speed", "0"],
            "error: --speed 0: wants a number above 0, or max",
        ),
        (
            vec!["run", "--follow", ALICE, "--start", "yesterday"],
            "error: --start yesterday: a time is RFC 3339 (2026-01-31T12:00:00Z), unix ms, or where a start is meant \"now\" or a span (15m, 2h, 1d)",
        ),
        (vec!["raw", "--type", "FOO"], "error: --type: \"FOO\" is no event type"),
    ] {
        place.refuses(&arguments, 2, &[line]);
    }
    // All that are wrong, at once; beside a wrong configuration with it, as its code.
    let follow = ["--follow", "0x12", "--follow", ALICE, "--follow", "me"];
    let wrong = ["error: --follow 0x12", "error: --follow me"]
        .map(|follow| format!("{follow}: an address is 0x and 40 hex digits"));
    let mut lines = wrong.each_ref().map(String::as_str).to_vec();
    place.refuses(&[&["run"][..], &follow].concat(), 2, &lines);
    lines.insert(0, "error: wrokers = 3: unknown key (command line)");
    place.refuses(&[&["--set", "wrokers=3", "run"][..], &follow].concat(), 64, &lines);
    let rest = ["--start", "yesterday", "--simulate", "--fault", "nonsense"];
    let start = "error: --start yesterday: a time is RFC 3339 (2026-01-31T12:00:00Z), unix ms, or where a start is meant \"now\" or a span (15m, 2h, 1d)";
    lines.splice(1..1, [start, "error: --fault nonsense: there is no fault called `nonsense`"]);
    place.refuses(&[&["--set", "wrokers=3", "run"][..], &follow, &rest].concat(), 64, &lines);
    place.refuses(
        &["sim-venue", "--synthetic", "--speed", "0", "--fault", "nonsense", "--fault", "drop=2"],
        2,
        &[
            "error: --speed 0: wants a number above 0, or max",
            "error: --fault nonsense: there is no fault called `nonsense`",
            "error: --fault drop=2: `2` is not a probability between 0 and 1",
        ],
    );
    place.refuses(
        &["--config", "nowhere.toml", "run", "--follow", "me"],
        64,
        &[
            "error: --config = nowhere.toml: the file cannot be read: No such file or directory (os error 2) (command line)",
            "error: --follow me: an address is 0x and 40 hex digits",
        ],
    );
    for arguments in [
        vec!["run", "--follow", ALICE, "--set", "nothing"],
        vec!["sim-venue", "--synthetic", "--segment", "s3"],
        vec!["run", "--fault", "drop=0.5"],
        vec!["frobnicate"],
        vec!["sim-venue"],
    ] {
        let output = place.run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: "), "{arguments:?}");
    }
    assert!(place.entries().is_empty() && place.venue.accept().is_err());
}

#[test]
fn entries_of_a_list_that_are_refused_are_named() {
    let place = Place::new();
    let entry = |id: &str, address: &str| format!("[[influencer]]\nid = {id:?}\naddress = {address:?}\n");
    let bob = "0x0000000000000000000000000000000a11ce0002";
    let good = entry("alice", ALICE);
    let bad = entry("alice", bob) + &entry("carol", ALICE) + &entry("no id", bob) + "maxStreams = 0\n";
    let why = |first: usize| {
        [
            format!("influencer {} (\"alice\"): id = \"alice\": influencer 1 (\"alice\") has the same id", first),
            format!("influencer {} (\"carol\"): address = \"{ALICE}\": influencer 1 (\"alice\") has the same address", first + 1),
            format!(
                "influencer {} (\"no id\"): id = \"no id\": an id is 1 to 64 of the characters A-Z a-z 0-9 _ . -; maxStreams = 0: allowed is 1 to 1000",
                first + 2
            ),
        ]
        .map(|why| format!("error: influencers.file: {why} (list.toml)"))
    };
    place.write("list.toml", &(good + &bad));
    let list = ["--set", "influencers.source=file", "--set", "influencers.file=list.toml"];
    let named = why(2);
    place.refuses(&[&list[..], &["check"]].concat(), 64, &named.each_ref().map(String::as_str));

    let output = place.run(&[&list[..], &["--json", "influencers", "list"]].concat());
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().collect::<Vec<_>>(), named);
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(listed.lines().count() == 1 && listed.contains(ALICE), "who is right is listed: {listed}");

    // With nobody left to follow, `run` does not begin.
    place.write("list.toml", &(entry("alice", "0x12") + &entry("bob", "0x34")));
    let lines = [1, 2].map(|number| {
        let (id, address) = if number == 1 { ("alice", "0x12") } else { ("bob", "0x34") };
        format!("error: influencers.file: influencer {number} ({id:?}): address = {address:?}: an address is 0x and 40 hex digits (list.toml)")
    });
    place.refuses(&[&list[..], &["run"]].concat(), 64, &lines.each_ref().map(String::as_str));
}

#[test]
fn what_stands_in_the_way_is_1() {
    let place = Place::new();
    place.write("file", "in the way");
    place.refuses(
        &["run", "--follow", ALICE, "--data-dir", "file"],
        1,
        &["error: data directory file: Not a directory (os error 20)"],
    );
    place.refuses(
        &["run", "--follow", ALICE, "--data-dir", "file/below"],
        1,
        &["error: data directory file/below: Not a directory (os error 20)"],
    );
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let listen = format!("admin.listen={address}");
    place.refuses(
        &["run", "--follow", ALICE, "--data-dir", "data", "--set", &listen],
        1,
        &[&format!("error: admin server: cannot listen on {address}: Address already in use (os error 98)")],
    );
    // Both at once.
    place.refuses(
        &["run", "--follow", ALICE, "--data-dir", "file/below", "--set", &listen],
        1,
        &[
            &format!("error: admin server: cannot listen on {address}: Address already in use (os error 98)"),
            "error: data directory file/below: Not a directory (os error 20)",
        ],
    );
    // Not the directory, but what is in it: all of it, before a journal is made.
    std::fs::create_dir(place.path().join("blocked")).expect("made");
    for name in ["signals", "state"] {
        place.write(&format!("blocked/{name}"), "in the way");
    }
    let lines = ["signals", "state"]
        .map(|name| format!("error: data directory blocked/{name}: Not a directory (os error 20)"));
    let lines = lines.each_ref().map(String::as_str);
    place.refuses(&["run", "--follow", ALICE, "--data-dir", "blocked", "--set", "admin.listen="], 1, &lines);
    assert!(!place.path().join("blocked/journal").exists() && !place.path().join("blocked/gaps").exists());
    std::fs::remove_dir_all(place.path().join("blocked")).expect("removed");
    place.refuses(
        &["sim-venue", "--synthetic", "--listen", &address.to_string()],
        1,
        &[&format!(
            "error: simulated venue cannot listen on {address}: Address already in use (os error 98)"
        )],
    );
    for command in ["replay", "raw", "signals", "verify"] {
        place.refuses(
            &[command, "--data-dir", "nowhere"],
            1,
            &["error: there is no data directory nowhere (--data-dir, or data_dir of the configuration)"],
        );
    }
    place.refuses(
        &["sim-venue", "--fills", "nowhere"],
        1,
        &["error: fills file nowhere cannot be read: No such file or directory (os error 2)"],
    );
    drop(taken);
    place.refuses(
        &["status", "--set", &listen],
        1,
        &[&format!(
            "error: no service answers at {address} (admin.listen): Connection refused (os error 111)"
        )],
    );
}

/// Whoever runs the tests: nobody may write in a directory of mode 555 but root, so root asks without that right.
#[test]
fn a_directory_that_may_not_be_written_is_1() {
    let place = Place::new();
    let locked = place.path().join("locked");
    std::fs::create_dir(&locked).expect("made");
    let mode = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("set");
    mode(&locked, 0o555);
    let root = std::fs::write(locked.join("probe"), "").is_ok();
    if root {
        std::fs::remove_file(locked.join("probe")).expect("removed");
    }
    let before = place.entries();
    for (directory, line) in [
        ("locked/data", "error: data directory locked/data: Permission denied (os error 13)"),
        ("locked", "error: data directory locked: Permission denied (os error 13)"),
    ] {
        let mut command = ingestion();
        if root {
            command = Command::new("setpriv");
            command.args(["--bounding-set=-dac_override,-dac_read_search", "--"]);
            command.arg(env!("CARGO_BIN_EXE_ingestion"));
        }
        let output = place.run_as(command, &["run", "--follow", ALICE, "--data-dir", directory]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said.lines().collect::<Vec<_>>(), [line]);
        assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()));
    }
    assert_eq!(place.entries(), before, "made a file");
    assert!(place.venue.accept().is_err(), "the venue was called");
}

#[test]
fn a_second_process_on_one_data_directory_is_refused() {
    let place = Place::new();
    let data = place.path().join("data");
    let mut command = ingestion();
    command.args(["run", "--simulate", "--set", "admin.listen=127.0.0.1:0", "--data-dir"]).arg(&data);
    let mut first = support::process::Process::start(command);
    let line = first.log_line("admin server address=");
    let admin = line.rsplit_once("address=").expect("just found").1.trim();
    first.line();
    let in_use = "error: data directory data is in use by another process";
    let taken =
        format!("error: admin server: cannot listen on {admin}: Address already in use (os error 98)");
    let same = format!("admin.listen={admin}");
    // With the very same configuration both stand in the way.
    for (more, lines) in [(&[][..], &[in_use][..]), (&["--set", &same][..], &[&taken, in_use][..])] {
        let output = place.run(&[&["run", "--follow", ALICE, "--data-dir", "data"][..], more].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(said.lines().collect::<Vec<_>>(), lines);
    }
    assert!(place.venue.accept().is_err(), "the venue was called");
    first.line();
    first.terminate();
    assert_eq!(first.wait().code(), Some(0), "the first was not disturbed: {}", first.errors());
}

#[test]
fn help_says_what_each_command_does() {
    let all = String::from_utf8(run(&["--help"]).stdout).expect("text");
    for command in
        ["run", "check", "status", "influencers", "signals", "raw", "replay", "verify", "sim-venue"]
    {
        assert!(all.contains(&format!("  {command} ")), "{command} in:\n{all}");
        let help = run(&[command, "--help"]);
        assert!(help.status.success() && help.stdout.len() > 200, "{command}");
    }
}
