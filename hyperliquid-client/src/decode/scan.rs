//! Finds the parts of JSON text by its brackets and quotes alone, without judging what stands between them.
//!
//! Only for frames that are not JSON as a whole: it finds which row is to blame. `None` means that brackets and quotes do not match
//! either, and then nothing in the frame can be trusted to be what it seems. No recursion, no panic.

use std::ops::Range;

/// The bytes of each field's key (without quotes) and value.
pub(super) fn fields(object: &[u8]) -> Option<Vec<(&[u8], Range<usize>)>> {
    let mut found = Vec::new();
    let mut at = blank(object, 0);
    if object.get(at) != Some(&b'{') {
        return None;
    }
    at = blank(object, at + 1);
    if object.get(at) == Some(&b'}') {
        return Some(found);
    }
    loop {
        let key_end = string_end(object, at)?;
        let key = object.get(at + 1..key_end - 1)?;
        at = blank(object, key_end);
        if object.get(at) != Some(&b':') {
            return None;
        }
        at = blank(object, at + 1);
        let end = value_end(object, at)?;
        found.push((key, at..end));
        at = blank(object, end);
        match object.get(at)? {
            b',' => at = blank(object, at + 1),
            b'}' => return Some(found),
            _ => return None,
        }
    }
}

/// The bytes of each element.
pub(super) fn elements(array: &[u8]) -> Option<Vec<Range<usize>>> {
    let mut found = Vec::new();
    let mut at = blank(array, 0);
    if array.get(at) != Some(&b'[') {
        return None;
    }
    at = blank(array, at + 1);
    if array.get(at) == Some(&b']') {
        return Some(found);
    }
    loop {
        let end = value_end(array, at)?;
        found.push(at..end);
        at = blank(array, end);
        match array.get(at)? {
            b',' => at = blank(array, at + 1),
            b']' => return Some(found),
            _ => return None,
        }
    }
}

/// The first byte from `at` that is no white space.
fn blank(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// Behind the string that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let mut escaped = false;
    for (offset, byte) in bytes.get(at + 1..)?.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + offset + 2),
            _ => {}
        }
    }
    None
}

/// Behind the value that begins at `at`; never empty.
fn value_end(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut depth) = (start, 0_usize);
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = string_end(bytes, at)?;
                if depth == 0 {
                    return Some(at);
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return (at > start).then_some(at),
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return (at > start).then_some(at),
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_are_found_whatever_they_are() {
        let text = br#" [ NaN , {"a":"]\"}"} ,[1,[2]],"x", 9e9999 ] "#;
        let parts: Vec<&[u8]> = elements(text).unwrap().into_iter().map(|range| &text[range]).collect();
        let expected: [&[u8]; 5] = [b"NaN", br#"{"a":"]\"}"}"#, b"[1,[2]]", br#""x""#, b"9e9999"];
        assert_eq!(parts, expected);
        let object = br#"{"a":1,"b" : nul ,"c":{}}"#;
        let keys: Vec<_> =
            fields(object).unwrap().into_iter().map(|(key, range)| (key, &object[range])).collect();
        let expected: Vec<(&[u8], &[u8])> = vec![(b"a", b"1"), (b"b", b"nul"), (b"c", b"{}")];
        assert_eq!(keys, expected);
    }

    proptest! {
        #[test]
        fn never_panics(text in "[\\[\\]{}\",:a1\\\\ ]{0,60}") {
            let _ = fields(text.as_bytes());
            let _ = elements(text.as_bytes());
        }
    }
}
