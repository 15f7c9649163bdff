//! Why something became a dead letter. A closed set: every refusal of the service has one of these, and each is counted.

use crate::names::named_set;

named_set! { "dead-letter reason";
/// Why a dead letter was refused.
pub enum Reason {
    /// Not JSON, cut short, or not UTF-8.
    MalformedFrame = "malformed_frame",
    /// A field that must be there is not.
    MissingField = "missing_field",
    /// A field is there, with another type than it must have.
    WrongType = "wrong_type",
    /// A number that cannot be held exactly, or makes no sense (a negative size).
    NumberOutOfRange = "number_out_of_range",
    /// A number is expected and there is none: `NaN`, `Infinity`, text.
    NotANumber = "not_a_number",
    /// A message over the size limit; its bytes are not kept.
    FrameTooLarge = "frame_too_large",
    /// Our decoder panicked.
    DecodePanic = "decode_panic",
    /// The second copy of an event has other content than the first.
    LegMismatch = "leg_mismatch",
    /// A sink refuses the record for good.
    RejectedBySink = "rejected_by_sink",
}
}
