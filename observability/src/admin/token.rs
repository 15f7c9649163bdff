//! The secret that opens the admin server off loopback.

use std::{fmt, hint::black_box};

/// A bearer token: at least [`Token::BYTES_MIN`] visible ASCII characters. Never printed.
#[derive(Clone)]
pub struct Token(String);

/// The text is no token. The text is not repeated here: it may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token is at least {} visible ASCII characters without spaces", Token::BYTES_MIN)]
pub struct BadToken;

impl Token {
    /// The fewest characters of a token; fewer could be guessed.
    pub const BYTES_MIN: usize = 16;

    /// Takes a token as it stands; white space around it, such as a file's last line break, is cut.
    ///
    /// # Errors
    /// [`BadToken`] when it is too short, or could not be sent in a header.
    pub fn new(text: &str) -> Result<Self, BadToken> {
        let text = text.trim();
        let fits = text.len() >= Self::BYTES_MIN && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Self(text.to_owned())) } else { Err(BadToken) }
    }

    /// Whether an `Authorization` header carries this token. The time it takes tells the token's length at most.
    pub(super) fn opens(&self, authorization: &[u8]) -> bool {
        let Some((scheme, given)) = authorization.split_at_checked(7) else { return false };
        scheme.eq_ignore_ascii_case(b"bearer ") && same(self.0.as_bytes(), given)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

fn same(secret: &[u8], given: &[u8]) -> bool {
    let padded = given.iter().copied().chain(std::iter::repeat(0));
    let differing = secret.iter().zip(padded).fold(0, |seen, (a, b)| black_box(seen | (a ^ b)));
    black_box(differing) == 0 && secret.len() == given.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_opens() {
        let token = Token::new("  0123456789abcdef\n").unwrap();
        assert!(token.opens(b"Bearer 0123456789abcdef"));
        assert!(token.opens(b"bearer 0123456789abcdef"));
        for wrong in [
            "",
            "Bearer ",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "0123456789abcdef",
            "Basic 0123456789abcdef",
            "Bearer 0123456789abcdeF",
        ] {
            assert!(!token.opens(wrong.as_bytes()), "{wrong:?}");
        }
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    #[test]
    fn what_could_be_guessed_or_not_sent_is_refused() {
        for bad in ["", "short", "0123456789 abcdef", "0123456789äbcdefgh"] {
            assert_eq!(Token::new(bad).map(drop), Err(BadToken), "{bad:?}");
        }
    }
}
