//! TLS and SASL-SCRAM: who is let in, and what is told to whom is not.

use std::collections::BTreeMap;
use std::path::Path;

use messaging::kafka::KafkaConfig;
use test_services::{Kafka, KafkaSetup, Secured, or_skip};

use crate::rig::{Rig, create, judge, stored};

const USER: &str = "writer";
const PASSWORD: &str = "swordfish";

fn config(secured: &Secured, mechanism: &str, password: &str, ca: &Path) -> KafkaConfig {
    let ca = ca.display().to_string();
    let properties = [
        ("security.protocol", "sasl_ssl"),
        ("sasl.mechanism", mechanism),
        ("sasl.username", USER),
        ("sasl.password", password),
        ("ssl.ca.location", &ca),
    ];
    let properties: BTreeMap<String, String> =
        properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    KafkaConfig { properties, ..KafkaConfig::new(secured.bootstrap()) }
}

#[test]
fn a_login_over_tls_is_let_in_and_what_is_wrong_with_one_is_told_in_one_line() {
    let Some(kafka) = or_skip("kafka_secured", KafkaSetup::one().user(USER, PASSWORD).start()) else {
        return;
    };
    let secured = kafka.secured().unwrap();
    for (number, mechanism) in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"].into_iter().enumerate() {
        let topic = format!("secured-{number}");
        create(&kafka.bootstrap(), &topic, 3, &[]);
        let mut rig = Rig::with(&config(secured, mechanism, PASSWORD, secured.ca_file()), &topic, true);
        rig.append(500);
        rig.delivered();
        let Some(stored) = or_skip("kafka_secured", stored(&kafka.bootstrap(), &topic)) else { return };
        judge(&stored, 0..500);
    }
    wrong(&kafka, secured);
}

/// One that is refused holds its sink up, names the reason, and never the password.
fn wrong(kafka: &Kafka, secured: &Secured) {
    create(&kafka.bootstrap(), "refused", 1, &[]);
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("ca.pem");
    let signed = rcgen::generate_simple_self_signed(["somebody.else".to_owned()]).unwrap();
    std::fs::write(&other, signed.cert.pem()).unwrap();
    for (password, ca, why) in [
        ("sturgeon", secured.ca_file(), "Authentication failed"),
        (PASSWORD, other.as_path(), "certificate verify failed"),
    ] {
        let mut rig = Rig::with(&config(secured, "SCRAM-SHA-512", password, ca), "refused", true);
        rig.append(1);
        let said = rig.until("failing", |status| status.failing.is_some()).failing.unwrap().error;
        assert!(said.contains(why) && !said.contains('\n'), "{said}");
        assert!(!said.contains(PASSWORD) && !said.contains("sturgeon"), "{said}");
    }
}

/// Gives or takes away the right to write to a topic.
fn may_write(kafka: &Kafka, topic: &str, change: &str) -> bool {
    let principal = format!("User:{USER}");
    let arguments = [change, "--force", "--allow-principal", &principal, "--producer", "--topic", topic];
    or_skip("kafka_rights", kafka.tool("AclCommand", &arguments)).is_some()
}

/// Nothing is refused for that, and nothing lost: the next record would meet the same, so all wait.
#[test]
fn a_right_that_is_taken_away_holds_up_everything_until_it_is_back() {
    let setup = KafkaSetup::one()
        .user(USER, PASSWORD)
        .property("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
        .property("super.users", "User:ANONYMOUS");
    let Some(kafka) = or_skip("kafka_rights", setup.start()) else { return };
    let secured = kafka.secured().unwrap();
    create(&kafka.bootstrap(), "rights", 3, &[]);
    let login = config(secured, "SCRAM-SHA-512", PASSWORD, secured.ca_file());
    let mut rig = Rig::with(&login, "rights", true);
    rig.append(100);
    let denied = |rig: &Rig| {
        let said = rig.until("failing", |status| status.failing.is_some()).failing.unwrap().error;
        assert!(said.contains("authorization failed") && !said.contains('\n'), "{said}");
        println!("{said}");
    };
    denied(&rig);
    if !may_write(&kafka, "rights", "--add") {
        return;
    }
    rig.delivered();

    assert!(may_write(&kafka, "rights", "--remove"));
    rig.append(400);
    denied(&rig);
    rig.append(100);
    assert!(may_write(&kafka, "rights", "--add"));
    rig.delivered();
    assert_eq!(rig.kept(), []);
    let Some(stored) = or_skip("kafka_rights", stored(&kafka.bootstrap(), "rights")) else { return };
    judge(&stored, 0..600);
}
