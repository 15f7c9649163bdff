//! An error as one line of text.

use std::error::Error;

/// The error and its causes, outermost first, joined with `": "`: the outermost rarely holds the reason.
///
/// ```
/// use std::io;
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("the list cannot be read")]
/// struct Unread(#[source] io::Error);
///
/// let error = Unread(io::Error::other("no such disk"));
/// assert_eq!(observability::causes(&error), "the list cannot be read: no such disk");
/// ```
#[must_use]
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
