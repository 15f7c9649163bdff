//! The slice over wss and https, and with a token: what is right works to the last signal, what is wrong is refused in one clear
//! line a listener, with no way back to plain text and without the token anywhere.

mod support;

use std::path::Path;

use support::document::documents;
use support::expected;
use support::judge::{self, Allowed};
use support::play::{Play, shows, stopped};
use support::service::{Service, get};
use support::{eventually, fixture, process};

const TOKEN: &str = "Right-T0ken+/&=";
const WRONG: &str = "Wr0ng-T0ken+/&=";

/// Plays our fixture's first segment; `arguments` are the venue's, `endpoint` goes into the endpoint's table.
fn play(arguments: &[&str], endpoint: &str) -> (Play, usize) {
    let (rows, users) = rows();
    let count = documents(&rows, &users).values().map(Vec::len).sum();
    let play = Play::of(&fixture(), &users, &[&["--segment", "a", "--speed", "max"], arguments].concat(), "");
    edit(&play.config, |text| {
        text.replace("network = \"sim\"\n", &format!("network = \"sim\"\n{endpoint}\n"))
    });
    (play, count)
}

fn rows() -> (Vec<expected::Row>, Vec<String>) {
    let mut rows = expected::in_time(expected::rows(&fixture()));
    rows.retain(|row| row.segment == "a");
    let users = expected::users_with_perps(&rows, 10);
    (rows, users)
}

fn edit(config: &Path, change: impl Fn(String) -> String) {
    let text = std::fs::read_to_string(config).expect("the configuration is read");
    std::fs::write(config, change(text)).expect("the configuration is written");
}

/// Everything comes through.
fn works(play: &Play, count: usize) -> String {
    let (rows, users) = rows();
    let mut service = Service::start(&play.config, &[]);
    shows(&mut service, count);
    let log = stopped(service);
    let allowed = Allowed { origins: &["live"], gaps: None, late: false };
    judge::judge(&judge::stored(&play.data()), &documents(&rows, &users), &allowed);
    log
}

/// Nothing comes through, and each of the two listeners says why in one line, which this returns for one of them; then
/// everything the service says is in `said`.
fn refused(play: &Play, why: &str) -> (String, String) {
    let service = Service::start(&play.config, &[]);
    let lines = one_line_a_listener(&service, why);
    let said = nothing_came(service, play, &lines);
    (lines.first().cloned().unwrap_or_default(), said)
}

fn one_line_a_listener(service: &Service, why: &str) -> Vec<String> {
    let lines = eventually(why, || {
        let log = service.process.log();
        let lines: Vec<String> = log
            .lines()
            .filter(|line| line.contains("listener=") && (line.contains(" WARN ") || line.contains("ERROR")))
            .map(str::to_owned)
            .collect();
        (lines.len() >= 2).then_some(lines)
    });
    assert_eq!(lines.len(), 2, "one line a listener: {lines:#?}");
    assert!(lines.iter().all(|line| line.contains(why)), "{lines:#?}");
    lines
}

/// The service stops; all it said, on every way it has.
fn nothing_came(service: Service, play: &Play, lines: &[String]) -> String {
    assert_eq!(service.get("/ready").0, 503);
    let mut said = lines.concat();
    for path in ["/status", "/metrics", "/ready", "/"] {
        said.push_str(&get(service.admin, path).map(|(_, body)| body).unwrap_or_default());
    }
    said.push_str(&stopped(service));
    assert!(judge::stored(&play.data()).is_empty());
    for arguments in [&["check"][..], &["check", "--json"], &["raw"], &["replay"]] {
        let (_, stdout, stderr) = play.ask(arguments);
        said.push_str(&String::from_utf8_lossy(&stdout));
        said.push_str(&stderr);
    }
    said
}

#[test]
fn wss_and_https_carry_every_signal() {
    let (play, count) = play(&["--tls"], "");
    assert!(play.venue.ws.starts_with("wss://") && play.venue.info.starts_with("https://"));
    works(&play, count);
}

#[test]
fn an_unknown_authority_is_refused() {
    let (play, _) = play(&["--tls"], "");
    let other = process::Venue::start(&["--synthetic", "--tls"]);
    let (ours, theirs) =
        (play.venue.ca_file.clone().expect("a file"), other.ca_file.clone().expect("a file"));
    let line = |path: &Path| format!("ca_file = {path:?}");
    edit(&play.config, |text| text.replace(&line(&ours), &line(&theirs)));
    let (line, _) = refused(&play, "invalid peer certificate");
    assert!(line.contains("tls with 127.0.0.1 failed, and plain text is no alternative"), "{line}");
    edit(&play.config, |text| text.replace(&format!("ca_file = {theirs:?}"), ""));
    std::fs::remove_dir_all(play.data()).expect("the data goes");
    refused(&play, "invalid peer certificate: UnknownIssuer");
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    // Listening on every address, the venue has a certificate for 127.0.0.1, not for 127.0.0.2, where it answers too.
    let (play, _) = play(&["--tls", "--listen", "0.0.0.0:0"], "");
    edit(&play.config, |text| {
        text.replace("//0.0.0.0:", "//127.0.0.2:").replace("//127.0.0.1:", "//127.0.0.2:")
    });
    refused(&play, "certificate not valid for name \\\"127.0.0.2\\\"");
}

/// A venue that wants [`TOKEN`], and an endpoint that shows what is in a file.
fn with_token(place: &str, shown: &str) -> (Play, usize, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("token");
    std::fs::write(&file, format!("{shown}\n")).expect("written");
    let auth = format!("auth = {{ {place}, value_from = \"file:{}\" }}", file.display());
    let (play, count) = play(&["--require-token", TOKEN], &auth);
    (play, count, directory)
}

#[test]
fn the_right_token_works_by_header_and_by_query() {
    let header = ("header = \"authorization\"", format!("Bearer {TOKEN}"));
    for (place, shown) in [header, ("query = \"token\"", TOKEN.to_owned())] {
        let (play, count, _directory) = with_token(place, &shown);
        let log = works(&play, count);
        assert!(!log.contains(TOKEN), "{log}");
    }
}

#[test]
fn a_wrong_token_is_told_once_and_shown_nowhere() {
    let header = ("header = \"authorization\"", format!("Bearer {WRONG}"));
    for (place, shown) in [header, ("query = \"token\"", WRONG.to_owned())] {
        let (play, _, _directory) = with_token(place, &shown);
        let service = Service::start(&play.config, &[]);
        eventually("both listeners and the info API are refused", || {
            let heard = |series: &str, count: f64| service.metric(series) >= count;
            (heard("ingestion_connect_failures_total{reason=\"unauthorised\"}", 2.0)
                && heard("ingestion_info_requests_total{outcome=\"unauthorised\"}", 1.0))
            .then_some(())
        });
        let log = service.process.log();
        let lines: Vec<String> = log
            .lines()
            .filter(|line| line.contains(" WARN ") || line.contains("ERROR"))
            .map(str::to_owned)
            .collect();
        assert_eq!(lines.len(), 1, "one line an endpoint: {lines:#?}");
        let line = lines.concat();
        assert!(line.contains("the venue does not accept our token endpoint="), "{line}");
        assert!(line.contains("ERROR") && line.contains("status 401"), "{line}");
        let said = nothing_came(service, &play, &lines);
        for secret in [WRONG, "Wr0ng-T0ken%2B%2F%26%3D", "Wr0ng"] {
            assert!(!said.contains(secret), "{secret} in:\n{said}");
        }
    }
}
