//! A provider's token, and where it goes: a header or the URL's query. The token never shows itself: `Debug` and `Display` print
//! where it came from, not what it is. Reading `env:` and `file:` references is the caller's business.

use std::fmt;

/// A secret with the name of the reference it came from (`env:NAME`, `file:PATH`).
#[derive(Clone, Eq, PartialEq)]
pub struct SecretRef {
    reference: String,
    value: String,
}

/// Why a secret cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SecretError {
    /// Nothing in it.
    #[error("the secret from {reference} is empty")]
    Empty {
        /// Where it came from.
        reference: String,
    },
    /// A control character or a byte that a header cannot carry.
    #[error("the secret from {reference} holds a character a header cannot carry")]
    NotAHeaderValue {
        /// Where it came from.
        reference: String,
    },
}

impl SecretRef {
    /// A secret read from `reference`. White space around it (a file's last line end) is cut off.
    ///
    /// # Errors
    /// [`SecretError`] when nothing is left or it holds anything but visible ASCII and blanks; it never quotes the secret.
    pub fn new(reference: impl Into<String>, value: &str) -> Result<Self, SecretError> {
        let (reference, value) = (reference.into(), value.trim());
        if value.is_empty() {
            Err(SecretError::Empty { reference })
        } else if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            Err(SecretError::NotAHeaderValue { reference })
        } else {
            Ok(Self { reference, value: value.to_owned() })
        }
    }

    /// Where it came from; safe to print.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// The secret itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretRef({})", self.reference)
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<secret from {}>", self.reference)
    }
}

/// How an endpoint wants its token.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Auth {
    /// It wants none.
    #[default]
    None,
    /// In a request header.
    Header {
        /// The header's name.
        name: String,
        /// Its value.
        secret: SecretRef,
    },
    /// In the URL's query.
    Query {
        /// The parameter's name.
        name: String,
        /// Its value, not yet percent-encoded.
        secret: SecretRef,
    },
}

impl Auth {
    /// `path` with the token's parameter appended, for the request line only: never log the result.
    #[must_use]
    pub fn path_with_token(&self, path: &str) -> String {
        let Self::Query { name, secret } = self else { return path.to_owned() };
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{path}{separator}{}={}", percent_encoded(name), percent_encoded(secret.expose()))
    }

    /// `text` with every occurrence of the token, plain or percent-encoded, replaced: for errors of libraries that quote URLs.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let (Self::Header { secret, .. } | Self::Query { secret, .. }) = self else { return text.to_owned() };
        let hidden = secret.to_string();
        text.replace(secret.expose(), &hidden).replace(&percent_encoded(secret.expose()), &hidden)
    }
}

/// RFC 3986: everything but unreserved characters is encoded.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_prints_the_secret() {
        let secret = SecretRef::new("env:TOKEN", " s3cret/x \n").unwrap();
        let auth = Auth::Query { name: "token".into(), secret: secret.clone() };
        for text in [format!("{secret:?}"), secret.to_string(), format!("{auth:?}"), format!("{auth:#?}")] {
            assert!(!text.contains("s3cret"), "{text}");
            assert!(text.contains("env:TOKEN"), "{text}");
        }
        assert_eq!(auth.path_with_token("/ws"), "/ws?token=s3cret%2Fx");
        assert_eq!(auth.path_with_token("/ws?a=1"), "/ws?a=1&token=s3cret%2Fx");
        let scrubbed = auth.scrub("GET /ws?token=s3cret%2Fx failed, s3cret/x");
        assert!(!scrubbed.contains("s3cret"), "{scrubbed}");
    }

    #[test]
    fn unusable_secrets_are_refused_without_being_quoted() {
        assert!(matches!(SecretRef::new("file:a", " \n"), Err(SecretError::Empty { .. })));
        let error = SecretRef::new("file:a", "top\nsecret").unwrap_err();
        assert!(!error.to_string().contains("top"), "{error}");
    }
}
