//! A row that nobody could read and history does not have, repaired by hand: it becomes the signal it would have been.

use std::path::Path;

use hyperliquid_client::sim::{SimConfig, SimLimits};
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::inside::Inside;
use crate::support::judge::Allowed;
use crate::support::legs::{Legs, Setting};
use crate::support::process::ingestion;
use crate::support::service::lines;

/// What `dead-letters` prints, and its exit code.
fn dead_letters(config: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = ingestion();
    let output = command.arg("--config").arg(config).arg("dead-letters").args(arguments).output();
    let output = output.expect("the binary starts");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// Waits until the list says of a letter that its request is `ended` so.
fn ended(config: &Path, id: &str, ended: &str) {
    eventually(&format!("{id} {ended}"), || {
        let (_, listed) = dead_letters(config, &["list", "--id", id]);
        listed.contains(&format!("  {ended}  ")).then_some(())
    });
}

#[test]
fn a_repaired_row_is_the_signal_it_would_have_been() {
    // Venue time goes on by jumps here, so the index must not lag by our time.
    let mut sim = SimConfig::manual();
    (sim.venue.index_lag, sim.venue.limits) = (Default::default(), SimLimits::generous());
    // A stream without rows is certified by reads that are not waited for here.
    let setting = Setting {
        endpoint: "limits = { users = 1000, connections = 100, new_connections_per_minute = 100000, \
                   subscriptions = 100000, messages_per_minute = 1000000, info_weight_per_minute = 1000000 }"
            .to_owned(),
        extra: "[streams]\ntwap = false".to_owned(),
        ..Setting::default()
    };
    let mut legs = Legs::new(1, &sim, &setting);
    let inside = Inside::start_fast(&legs);
    legs.play(2);
    // It happened, and neither listener nor history ever shows it.
    let user = legs.users.first().expect("one").clone();
    let _unseen = legs.chains.block(&[&user], "ETH");
    let lost = legs.chains.rows().last().expect("it is there").fill.clone();
    for leg in [&legs.a, &legs.b] {
        leg.venue.add_fault("bad-fill=nan".parse().expect("a fault"));
    }
    legs.play(1);
    let data = legs.data();
    let letters = eventually("dead letters", || {
        Some(lines(&data, "dead_letters")).filter(|letters| !letters.is_empty())
    });
    let id = letters[0]["id"].as_str().expect("text").to_owned();
    assert_eq!((&letters[0]["reason"], &letters[0]["account"]), (&"not_a_number".into(), &json!(user)));
    inside.certify(&mut legs);
    inside.certify(&mut legs);
    let gap = |state: &str| {
        lines(&data, "gaps").into_iter().find(|gap| gap["kind"] == "chain" && gap["state"] == state)
    };
    assert!(gap("opened").is_some() && gap("repaired").is_none(), "the chain broke");

    // As it is, nobody understands it.
    let config = legs.config.clone();
    let (code, said) = dead_letters(&config, &["redrive", "--id", &id]);
    assert!(code == Some(1) && said.contains("the payload is not understood: sz is not a number"), "{said}");
    let file = legs.directory.path().join("fill.json");
    let path = file.to_str().expect("UTF-8").to_owned();
    std::fs::write(&file, lost.to_string()).expect("written");
    let ask = ["redrive", "--id", &id, "--payload", &path];
    let (code, said) = dead_letters(&config, &ask);
    assert_eq!(code, Some(0), "{said}");
    ended(&config, &id, "repaired");
    let closed = eventually("the gap is repaired", || gap("repaired"));
    assert_eq!(closed["gapId"], gap("opened").expect("it is there")["gapId"]);
    // Asked once more it is known, and nothing comes of it.
    let count = lines(&data, "signals").len();
    let (code, said) = dead_letters(&config, &[&ask[..], &["--again"]].concat());
    assert_eq!(code, Some(0), "{said}");
    ended(&config, &id, "repaired");
    let (_, said) = dead_letters(&config, &["redrive", "--id", &id]);
    assert!(said.contains(&format!("repaired    {id}")), "{said}");

    // Nobody follows this one.
    let stranger = "0x00000000000000000000000000000000000000ff";
    let frame = json!({"channel": "userFills", "data": {"user": stranger, "fills": [lost]}});
    std::fs::write(&file, frame.to_string()).expect("written");
    let (code, said) = dead_letters(&config, &ask);
    assert!(
        code == Some(1) && said.contains(&format!("the payload is of {stranger}, the letter of")),
        "{said}"
    );
    for leg in [&legs.a, &legs.b] {
        leg.venue.add_fault("malformed".parse().expect("a fault"));
    }
    legs.play(1);
    let nameless = eventually("a letter without an account", || {
        let nameless = |letter: &Value| letter.get("account").is_none();
        lines(&data, "dead_letters").into_iter().find(nameless)
    });
    let nameless = nameless["id"].as_str().expect("text").to_owned();
    let (code, said) = dead_letters(&config, &["redrive", "--id", &nameless, "--payload", &path]);
    assert_eq!(code, Some(0), "{said}");
    ended(&config, &nameless, "refused");
    let (code, said) = dead_letters(&config, &["redrive", "--id", &nameless]);
    assert!(code == Some(1) && said.contains("nobody follows the account"), "{said}");

    // Everything that happened is a signal, once, in the order of the chain.
    let shown = legs.chains.rows().len();
    eventually("all signals", || (lines(&data, "signals").len() >= shown).then_some(()));
    assert!(count < shown);
    inside.stop_well();
    legs.judge(&Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: true });
    let late: Vec<Value> =
        lines(&data, "signals").into_iter().filter(|signal| signal["late"] == true).collect();
    assert_eq!(late.len(), 1, "{late:?}");
    assert_eq!(
        (&late[0]["origin"], &late[0]["metadata"]["tid"]),
        (&"backfill".into(), &json!(lost["tid"].to_string()))
    );
}
