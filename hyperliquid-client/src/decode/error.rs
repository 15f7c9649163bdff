//! What is refused, and why. Each refusal names its input and has a code of the closed set that dead letters use.

use std::fmt;

/// A row of a batch: the row, or why this one (and only this one) was refused.
pub type Row<'a, T> = Result<T, RowRefusal<'a>>;

/// One row that could not be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RowRefusal<'a> {
    /// Why.
    pub reason: RowReason,
    /// What was found, at most about 120 characters; empty when the reason says it all.
    pub detail: String,
    /// The row's bytes, untouched.
    pub raw: &'a [u8],
}

impl fmt::Display for RowRefusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

impl std::error::Error for RowRefusal<'_> {}

/// Why a row was refused; the field by the venue's name (`order.sz` inside an inner object). In account states, acknowledgements and the
/// seldom kinds of `user` events the name is the whole object's, and the refusal's detail names the field.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, thiserror::Error)]
pub enum RowReason {
    /// A field that must be there is not.
    #[error("field {0} is missing")]
    MissingField(&'static str),
    /// A field is of another type than ever before.
    #[error("field {0} has the wrong type")]
    WrongType(&'static str),
    /// A field stands twice in one object: which one holds cannot be known.
    #[error("field {0} stands twice")]
    DuplicateField(&'static str),
    /// A number with more digits than can be held exactly, or negative where that cannot be.
    #[error("number {0} is out of range")]
    NumberOutOfRange(&'static str),
    /// Text where a number must be.
    #[error("{0} is not a number")]
    NotANumber(&'static str),
    /// An account that is not 0x and 40 hex digits (an elided one is named in the detail).
    #[error("{0} is not an account")]
    BadAddress(&'static str),
    /// This row alone is not JSON; its neighbours are.
    #[error("the row is not json")]
    Malformed,
}

impl RowReason {
    /// The dead-letter reason: `missing_field`, `wrong_type`, `number_out_of_range`, `not_a_number` or `malformed_frame`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::MissingField(_) => "missing_field",
            Self::WrongType(_) | Self::DuplicateField(_) | Self::BadAddress(_) => "wrong_type",
            Self::NumberOutOfRange(_) => "number_out_of_range",
            Self::NotANumber(_) => "not_a_number",
            Self::Malformed => "malformed_frame",
        }
    }
}

/// A frame that could not be used at all. The caller still holds its bytes.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FrameError {
    /// Not JSON.
    #[error("the frame is not json: {detail}")]
    NotJson {
        /// The parser's word, at most 120 characters.
        detail: String,
    },
    /// JSON that ends too early.
    #[error("the frame is cut off after {length} bytes")]
    Truncated {
        /// Its length in bytes.
        length: usize,
    },
    /// Not UTF-8: the connection must be closed with 1007.
    #[error("the frame is not utf-8 at byte {at}")]
    BadUtf8 {
        /// The first byte that is not, counted from 0.
        at: usize,
    },
    /// JSON, but its envelope is not what this channel has.
    #[error("a {channel} frame is refused, {reason}: {detail}")]
    Shape {
        /// The channel, at most 64 characters; empty when there is none.
        channel: String,
        /// Why.
        reason: RowReason,
        /// What was found.
        detail: String,
    },
}

impl FrameError {
    /// The dead-letter reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotJson { .. } | Self::Truncated { .. } | Self::BadUtf8 { .. } => "malformed_frame",
            Self::Shape { reason, .. } => reason.code(),
        }
    }

    /// Whether the connection must be closed (1007) rather than kept.
    #[must_use]
    pub const fn closes_connection(&self) -> bool {
        matches!(self, Self::BadUtf8 { .. })
    }
}

/// At most `limit` characters of `text`, for details that may quote anything.
pub(super) fn shown(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}
