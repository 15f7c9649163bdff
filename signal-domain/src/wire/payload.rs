//! Bytes of the venue inside JSON: as a string when they are UTF-8, in base64 when not.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Open, WireError};
use crate::Encoding;

/// Bytes a published dead letter's payload takes in the record at most, 256 KiB, JSON escapes included.
pub const PUBLISHED_PAYLOAD_MAX: usize = 256 * 1024;

/// A payload as it goes into JSON: its text, and the encoding unless the text is the payload itself.
pub fn encoded_payload(payload: &[u8]) -> (Cow<'_, str>, Option<Open<Encoding>>) {
    match std::str::from_utf8(payload) {
        Ok(text) => (Cow::Borrowed(text), None),
        Err(_) => encoded_base64(payload),
    }
}

/// The same, cut at [`PUBLISHED_PAYLOAD_MAX`]: text at a character, base64 at a multiple of three bytes.
pub(super) fn capped_payload(payload: &[u8]) -> (Cow<'_, str>, Option<Open<Encoding>>) {
    match std::str::from_utf8(payload) {
        Ok(text) => (Cow::Borrowed(beginning(text, PUBLISHED_PAYLOAD_MAX)), None),
        Err(_) => encoded_base64(payload.get(..PUBLISHED_PAYLOAD_MAX / 4 * 3).unwrap_or(payload)),
    }
}

fn encoded_base64(payload: &[u8]) -> (Cow<'_, str>, Option<Open<Encoding>>) {
    (Cow::Owned(STANDARD.encode(payload)), Some(Encoding::Base64.into()))
}

/// The bytes of a payload written by [`encoded_payload`].
pub(super) fn decoded_payload<'a>(
    text: &'a str,
    encoding: Option<&Open<Encoding>>,
) -> Result<Cow<'a, [u8]>, WireError> {
    let unreadable = |encoding: &str| WireError::Payload { encoding: encoding.chars().take(48).collect() };
    match encoding {
        None => Ok(Cow::Borrowed(text.as_bytes())),
        Some(Open::Known(Encoding::Base64)) => {
            STANDARD.decode(text).map(Cow::Owned).map_err(|_| unreadable(Encoding::Base64.as_str()))
        }
        Some(Open::Other(encoding)) => Err(unreadable(encoding)),
    }
}

/// As many whole characters as fit `max` bytes once escaped for JSON.
fn beginning(text: &str, max: usize) -> &str {
    let mut taken = 0;
    for (at, char) in text.char_indices() {
        taken += match char {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..='\u{1f}' => 6,
            _ => char.len_utf8(),
        };
        if taken > max {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_stays_text_and_bytes_become_base64() {
        assert_eq!(encoded_payload(br#"{"a":"\u00e9"}"#), (Cow::Borrowed(r#"{"a":"\u00e9"}"#), None));
        assert_eq!(encoded_payload(&[0xff, 0x00]), ("/wA=".into(), Some(Open::Known(Encoding::Base64))));
        let unknown = decoded_payload("x", Some(&Open::Other("zstd".into()))).unwrap_err();
        assert_eq!(unknown.to_string(), "the payload is not readable as \"zstd\"");
        assert!(decoded_payload("!", Some(&Encoding::Base64.into())).is_err());
    }

    #[test]
    fn a_cut_base64_is_whole() {
        let (text, encoding) = capped_payload(&[0xff; PUBLISHED_PAYLOAD_MAX]);
        assert_eq!(text.len(), PUBLISHED_PAYLOAD_MAX);
        let bytes = decoded_payload(&text, encoding.as_ref()).unwrap();
        assert_eq!(bytes.len(), PUBLISHED_PAYLOAD_MAX / 4 * 3);
    }

    proptest! {
        #[test]
        fn payloads_come_back(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (text, encoding) = encoded_payload(&payload);
            let back = decoded_payload(&text, encoding.as_ref()).unwrap();
            prop_assert_eq!(back.as_ref(), payload.as_slice());
        }

        /// The rule, stated with the JSON writer itself: the longest beginning whose escaped form fits.
        #[test]
        fn a_beginning_is_the_longest_that_fits(
            text in "[a-z\"\\\\\u{0}-\u{1f}é€\u{1f600}\u{7f}]{0,40}",
            max in 0_usize..60,
        ) {
            let escaped = |text: &str| serde_json::to_string(text).unwrap().len() - 2;
            let kept = beginning(&text, max);
            prop_assert!(text.starts_with(kept));
            prop_assert!(escaped(kept) <= max);
            if let Some(next) = text[kept.len()..].chars().next() {
                let longer = format!("{kept}{next}");
                prop_assert!(escaped(&longer) > max);
            }
        }
    }
}
