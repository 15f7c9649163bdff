//! What went wrong with a Redis, as one line for a person: the cause, in bounded length, without a secret.

use fred::error::{Error, ErrorKind};

use super::RedisAddress;

/// The most characters of it.
const CHARS_MAX: usize = 300;

pub(super) fn line(error: &Error, address: &RedisAddress) -> String {
    let details = error.details();
    let told = if details.starts_with("WRONGPASS") || details.starts_with("NOAUTH") {
        format!("the login is refused: {details}")
    } else if let Some(cause) = cause(details) {
        cause
    } else if *error.kind() == ErrorKind::Timeout {
        "no answer in time".to_owned()
    } else {
        details.to_owned()
    };
    one_line(&address.without_secrets(&told))
}

pub(super) fn one_line(text: &str) -> String {
    let text = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    text.take(CHARS_MAX).collect()
}

/// The client hands an error of the system or of TLS on as its debug text.
fn cause(details: &str) -> Option<String> {
    let within = |open: &str, close: &str| Some(details.split_once(open)?.1.split_once(close)?.0);
    // A bad signature: of another authority with the same name.
    if details.contains("UnknownIssuer") || details.contains("BadSignature") {
        return Some(
            "its certificate is of no authority that is trusted: is it the right CA file?".to_owned(),
        );
    }
    if details.contains("InvalidContentType") {
        return Some("it does not speak TLS".to_owned());
    }
    if let Some((_, refused)) = details.split_once("InvalidCertificate(") {
        return Some(format!("its certificate is refused: {}", refused.trim_end_matches([' ', '}', ')'])));
    }
    within("message: \"", "\"").or_else(|| within("error: \"", "\"")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_told_in_words() {
        let address = RedisAddress::new("redis://me:hunter2@x", None).unwrap();
        for (kind, details, told) in [
            (
                ErrorKind::IO,
                "Os { code: 111, kind: ConnectionRefused, message: \"Connection refused\" }",
                "Connection refused",
            ),
            (
                ErrorKind::IO,
                "Custom { kind: InvalidData, error: InvalidCertificate(UnknownIssuer) }",
                "its certificate is of no authority that is trusted: is it the right CA file?",
            ),
            (
                ErrorKind::IO,
                "Custom { kind: InvalidData, error: InvalidCertificate(Expired) }",
                "its certificate is refused: Expired",
            ),
            (
                ErrorKind::IO,
                "Custom { kind: Uncategorized, error: \"failed to lookup address information: no\" }",
                "failed to lookup address information: no",
            ),
            (ErrorKind::Auth, "WRONGPASS invalid\r\npair", "the login is refused: WRONGPASS invalid  pair"),
            (ErrorKind::Timeout, "Request timed out.", "no answer in time"),
            (ErrorKind::Unknown, "ERR what is `hunter2`?", "ERR what is `***`?"),
        ] {
            assert_eq!(line(&Error::new(kind, details), &address), told);
        }
        let long = Error::new(ErrorKind::Unknown, "x".repeat(10_000));
        assert_eq!(line(&long, &address).len(), CHARS_MAX);
    }
}
