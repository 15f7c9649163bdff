//! Bodies survive the journal, and their bytes stay what they are.

use messaging::journal::Record;

use super::{Body, RefusalBody, decode, encode};

fn round(body: &Body<'_>, check: impl FnOnce(Body<'_>, &Record<'_>)) {
    encode(body, &mut Vec::new(), |new| {
        let record = Record {
            position: 1,
            kind: new.kind,
            partition: new.partition,
            key: new.key,
            time: new.time,
            body: new.body,
        };
        check(decode(&record).expect("our own bytes").expect("a kind we know"), &record);
    });
}

fn refusal(payload: &[u8]) -> Body<'_> {
    Body::Refusal(RefusalBody {
        stage: "decode",
        reason: "malformed_frame",
        detail: "not json".into(),
        account: Some([9; 20]),
        source_event_id: None,
        received_at_ns: 77,
        listener: 0,
        connection: 3,
        length: 4,
        payload: Some(payload),
    })
}

#[test]
fn a_body_comes_back_as_it_was() {
    let body = refusal(b"{\xff]x");
    round(&body, |back, record| {
        assert_eq!(format!("{back:?}"), format!("{body:?}"));
        assert_eq!(record.key, u64::from_le_bytes([9; 8]));
    });
}

#[test]
fn positions_passed_are_of_a_kind_that_other_builds_may_pass_by() {
    let body = Body::Passed { from: 5, to: u64::MAX };
    round(&body, |back, record| {
        assert_eq!(format!("{back:?}"), format!("{body:?}"));
        assert_eq!(record.kind, 128);
    });
}

#[test]
fn the_bytes_of_version_3_do_not_change() {
    encode(&refusal(b"{]"), &mut Vec::new(), |new| {
        let hex: String = new.body.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "030106".to_owned()
                + "6465636f6465"
                + "0f6d616c666f726d65645f6672616d65"
                + "086e6f74206a736f6e"
                + "01"
                + &"09".repeat(20)
                + "00"
                + "4d"
                + "00"
                + "03"
                + "04"
                + "0102"
                + "7b5d"
        );
    });
}

#[test]
fn another_version_is_refused_by_name() {
    encode(&refusal(b"x"), &mut Vec::new(), |new| {
        let mut body = new.body.to_vec();
        body[0] = 1;
        let record = Record { position: 5, kind: new.kind, partition: 0, key: 0, time: 0, body: &body };
        let text = decode(&record).expect_err("not ours").to_string();
        assert_eq!(text, "record 5 has body version 1, this build reads 3");
    });
}
