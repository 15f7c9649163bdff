//! `status`: what the running service says of itself.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::super::args::Cli;
use super::super::exit::{Exit, Failure};
use super::super::moment::Moment;
use super::super::output::Output;
use super::super::{setup, table};

/// For connecting and for the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// More than any status.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

pub(super) fn run(cli: &Cli, output: &mut Output) -> Result<Exit, Failure> {
    let config = setup::configuration(cli)?;
    let Some(address) = config.admin.listen else {
        return Err(Failure::Usage(
            "admin.listen is \"\": the service has no admin address to ask".to_owned(),
        ));
    };
    let token = setup::admin_secret(&config)?;
    let asked = |error| Failure::world(&format!("no service answers at {address} (admin.listen)"), error);
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(asked)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(asked)?;
    let credentials = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request =
        format!("GET /status HTTP/1.1\r\nHost: {address}\r\n{credentials}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(asked)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).map_err(asked)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if !head.starts_with("HTTP/1.1 200") {
        let line = head.lines().next().unwrap_or_default();
        return Err(Failure::World(format!("the service at {address} answers {line}")));
    }
    let status: Value = serde_json::from_str(body)
        .map_err(|error| Failure::world(&format!("the answer of {address} is no status"), error))?;
    if output.json() {
        output.document(&status)?;
    } else {
        show(&status, output)?;
    }
    let ready = status.get("ready").and_then(Value::as_bool).unwrap_or(false);
    Ok(if ready { Exit::Clean } else { Exit::Failed })
}

fn show(status: &Value, output: &mut Output) -> Result<(), Failure> {
    let text = |pointer: &str| status.pointer(pointer).map(plain).unwrap_or_default();
    if let Some(waiting) = status.get("waiting") {
        output.line(&format!("version    {}", text("/version")))?;
        return output.line(&format!("waiting    {}", plain(waiting)));
    }
    output.line(&format!("version    {}, since {}", text("/version"), text("/startedAt")))?;
    output.line(&format!("ready      {} {}", text("/ready"), reasons(status)))?;
    output.line(&format!(
        "listeners  {} of {}",
        text("/listeners/connected"),
        text("/listeners/configured")
    ))?;
    for listener in array(status, "/listeners/each") {
        output.line(&shown_listener(listener))?;
    }
    output.line(&format!(
        "journal    {} bytes, appended {}, synced {}, blocked {}, nearly full {}",
        text("/journal/diskBytes"),
        text("/journal/appended"),
        text("/journal/synced"),
        text("/journal/blocked"),
        text("/journal/nearlyFull"),
    ))?;
    if let Some(list) = status.get("influencers") {
        let part = |key: &str| list.get(key).map(plain).unwrap_or_default();
        let place = ["file", "redis"].iter().find_map(|place| list.get(*place)?.as_str());
        let place = place.unwrap_or("the configuration");
        let stale = list.get("stale").and_then(Value::as_str);
        let stale = stale.map(|why| format!(", stale, the last good one is followed: {why}"));
        output.line(&format!(
            "list       {} influencers of {place}, {} entries refused{}",
            part("listed"),
            part("refused"),
            stale.unwrap_or_default()
        ))?;
        for refusal in array(status, "/influencers/refusals") {
            output.line(&format!("           refused: {}", plain(refusal)))?;
        }
    }
    if let Some(shared) = status.get("sharedState").filter(|shared| shared.is_object()) {
        let part = |key: &str| shared.get(key).map(plain).unwrap_or_default();
        let wrong = ["lost", "failing", "unwritten"].iter().find_map(|key| shared.get(*key)?.as_str());
        output.line(&format!(
            "shared     {}, lease ours {}, epoch {}, {} written, {} wait{}",
            part("place"),
            part("leased"),
            part("epoch"),
            part("written"),
            part("waiting"),
            wrong.map(|why| format!(": {why}")).unwrap_or_default()
        ))?;
    }
    for sink in array(status, "/sinks") {
        let part = |key: &str| sink.get(key).map(plain).unwrap_or_default();
        let failing = |field: &str| sink.pointer(&format!("/failing/{field}")).map(plain);
        let failing = failing("error").map_or_else(String::new, |error| {
            let (seconds, attempts) = (failing("forSeconds"), failing("attempts"));
            format!(
                ", does not get on for {}s, {} attempts: {error}",
                seconds.unwrap_or_default(),
                attempts.unwrap_or_default()
            )
        });
        let paused = if sink.get("paused") == Some(&Value::Bool(true)) { ", paused" } else { "" };
        output.line(&format!(
            "sink       {:<13} lag {}, lines {}{paused}{failing}",
            part("stream"),
            part("lag"),
            part("lines")
        ))?;
    }
    for audit in array(status, "/audit") {
        output.line(&shown_audit(audit))?;
    }
    for endpoint in array(status, "/limits") {
        let part = |key: &str| {
            let part =
                |field: &str| endpoint.get(key).and_then(|of| of.get(field)).map(plain).unwrap_or_default();
            format!("{} of {}", part("used"), part("max"))
        };
        output.line(&format!(
            "limits     {}: users {}, connections {}, subscriptions {}, info weight {} in the last minute",
            endpoint.get("endpoint").map(plain).unwrap_or_default(),
            part("users"),
            part("connections"),
            part("subscriptions"),
            part("infoWeight"),
        ))?;
        for learned in array(endpoint, "/learned") {
            let part = |key: &str| learned.get(key).map(plain).unwrap_or_default();
            output.line(&format!(
                "           the venue allows {} {} where {} are configured; it refused {}: {}",
                part("allowed"),
                part("limit"),
                part("configured"),
                part("refused"),
                part("said"),
            ))?;
        }
    }
    if let Some(total) = status.pointer("/completeness/total") {
        let count = |of: &str| total.pointer(&format!("/sinceStart/{of}")).map(plain).unwrap_or_default();
        output.line(&format!(
            "complete   {}; events since start: {} published, {} missing",
            completeness(total),
            count("published"),
            count("missing"),
        ))?;
    }
    for account in array(status, "/accounts") {
        let part = |key: &str| account.get(key).map(plain).unwrap_or_default();
        output.line(&format!(
            "account    {:<20} {:<6} positions {}, last fill {}, held {}, gaps {} open {} unfillable, complete {}",
            part("influencerId"),
            part("coverage"),
            account.get("positions").and_then(Value::as_array).map_or(0, Vec::len),
            last_fill(status, account),
            part("held"),
            part("openGaps"),
            part("unfillableGaps"),
            complete(status, account),
        ))?;
        if let Some(shedding) = account.get("shedding") {
            let (what, shed) = (plain(shedding), part("shed"));
            output
                .line(&format!("           shed: no {what} while a sink is behind, {shed} events so far"))?;
        }
        if let Some(refused) = account.get("refused") {
            output.line(&format!("           not served everywhere: {}", plain(refused)))?;
        }
    }
    for gap in array(status, "/gaps") {
        let part = |key: &str| gap.get(key).map(plain).unwrap_or_default();
        let time = |key: &str| {
            gap.get(key).and_then(Value::as_i64).map_or_else(String::new, |at| Moment(at).rfc3339())
        };
        output.line(&format!(
            "gap        {:<20} {} {} {}, {} to {}, {}",
            part("influencerId"),
            gap.get("market").and_then(Value::as_str).unwrap_or("all markets"),
            part("kind"),
            part("state"),
            time("fromTime"),
            time("toTime"),
            part("gapId"),
        ))?;
    }
    for count in array(status, "/counts") {
        let part = |key: &str| count.get(key).map(plain).unwrap_or_default();
        output.line(&format!("count      {} {} {}", part("what"), part("label"), part("total")))?;
    }
    Ok(())
}

/// What of a stream was read back from its topic.
fn shown_audit(audit: &Value) -> String {
    let part = |key: &str| audit.get(key).map(plain).unwrap_or_default();
    let told = |key: &str, text: &str| {
        let said = audit.get(key).and_then(Value::as_str);
        said.map_or_else(String::new, |said| format!(", {text}: {said}"))
    };
    format!(
        "audit      {:<13} lag {}, read back {}, skipped {}, not auditable {}, foreign {}, different {}{}{}",
        part("stream"),
        part("lag"),
        part("audited"),
        part("skipped"),
        part("notAuditable"),
        part("foreign"),
        part("differing"),
        told("difference", "the newest"),
        told("error", "not read back now"),
    )
}

/// One listener in one line; the columns stand below each other.
fn shown_listener(listener: &Value) -> String {
    let part = |key: &str| listener.get(key).map(plain).unwrap_or_default();
    let number = |key: &str| listener.get(key).and_then(Value::as_i64);
    let connected = listener.get("connected").and_then(Value::as_bool) == Some(true);
    let since = number("ageSeconds").map_or_else(String::new, |age| table::age(age.saturating_mul(1_000)));
    let state = if connected { format!("connected {since}") } else { "not connected".to_owned() };
    let millis = |key: &str| number(key).map_or_else(|| "-".to_owned(), |millis| format!("{millis} ms"));
    format!(
        "listener   {:<5} {:<9} {:<20} {state:<14} lag {:>8}, skew {:>8}, behind the venue {:>8}, failovers {}, reconnects {}",
        part("name"),
        part("role"),
        part("endpoint"),
        millis("lagMs"),
        millis("skewMs"),
        millis("venueLagMs"),
        part("failovers"),
        part("reconnects"),
    )
}

/// The age of an account's newest fill on the venue's clock.
fn last_fill(status: &Value, account: &Value) -> String {
    let newest = account.get("newest").and_then(Value::as_i64);
    let now = status.get("venueTime").and_then(Value::as_i64).unwrap_or(setup::now().0);
    newest.map_or_else(|| "-".to_owned(), |newest| table::age(now.saturating_sub(newest)))
}

fn array<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// Why it is not ready, in words.
fn reasons(status: &Value) -> String {
    let reason = |held: &Value| {
        let part = |key: &str| held.get(key).map(plain).unwrap_or_default();
        format!("{}: {}", part("name"), part("reason"))
    };
    array(status, "/reasons").map(reason).collect::<Vec<_>>().join("; ")
}

/// How complete an account is, and the age of its certified time on the venue's clock.
fn complete(status: &Value, account: &Value) -> String {
    let id = account.get("influencerId");
    let known = array(status, "/completeness/accounts").find(|known| known.get("influencerId") == id);
    known.map_or_else(|| "-".to_owned(), completeness)
}

/// A share in words, `99.95 % since start, 100 % of the last hour, certified to 2m ago`.
fn completeness(known: &Value) -> String {
    let percent = |of: &str| known.pointer(&format!("/{of}/percent")).map(plain).unwrap_or_default();
    let behind = known.get("behindMs").and_then(Value::as_i64);
    let certified = behind.map_or_else(
        || "not certified yet".to_owned(),
        |behind| format!("certified to {} ago", table::age(behind)),
    );
    format!(
        "{} % since start, {} % of the last hour, {certified}",
        percent("sinceStart"),
        percent("lastHour")
    )
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
