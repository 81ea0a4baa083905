//! Text in messages and encodings: base64, hexadecimal digits, quoted strings.

use crate::error::{Error, Kind};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding (RFC 4648 section 4).
pub(crate) fn base64(content: &[u8]) -> String {
    let mut text = String::with_capacity(content.len().div_ceil(3).saturating_mul(4));
    for chunk in content.chunks(3) {
        let mut bytes = [0_u8; 4];
        for (to, from) in bytes.iter_mut().skip(1).zip(chunk) {
            *to = *from;
        }
        let bits = u32::from_be_bytes(bytes);
        for (position, shift) in [18_u32, 12, 6, 0].into_iter().enumerate() {
            let sextet = usize::try_from((bits >> shift) & 63).unwrap_or(0);
            let is_data = position <= chunk.len();
            let digit = ALPHABET.get(sextet).filter(|_| is_data);
            text.push(digit.map_or('=', |&digit| char::from(digit)));
        }
    }
    text
}

/// Decodes base64 that has the one canonical form.
///
/// # Errors
/// Another alphabet, missing padding, or unused bits that are set.
pub(crate) fn from_base64(text: &str, place: &str) -> Result<Vec<u8>, Error> {
    let refused = |problem: &str| {
        Error::new(Kind::NonCanonical, format!("not base64: {problem}"))
            .at(place)
            .of("encoding")
    };
    let padding = text
        .bytes()
        .rev()
        .take(2)
        .take_while(|b| *b == b'=')
        .count();
    let data = text.get(..text.len().saturating_sub(padding)).unwrap_or("");
    if !text.len().is_multiple_of(4) {
        return Err(refused("Incorrect padding"));
    }
    let mut content = Vec::with_capacity(data.len().div_ceil(4).saturating_mul(3));
    for quad in data.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for position in 0..4 {
            let value = match quad.get(position) {
                Some(&digit) => {
                    sextet(digit).ok_or_else(|| refused("Only base64 data is allowed"))?
                }
                None => 0,
            };
            bits = (bits << 6) | u32::from(value);
        }
        let [_, bytes @ ..] = bits.to_be_bytes();
        let (used, unused) = bytes.split_at(quad.len().saturating_sub(1).min(3));
        if unused.iter().any(|byte| *byte != 0) {
            return Err(Error::new(Kind::NonCanonical, "base64 has unused bits set")
                .at(place)
                .of("encoding"));
        }
        content.extend_from_slice(used);
    }
    Ok(content)
}

const fn sextet(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit.wrapping_sub(b'A')),
        b'a'..=b'z' => Some(digit.wrapping_sub(b'a').wrapping_add(26)),
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0').wrapping_add(52)),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Bytes from lower-case hexadecimal digits.
pub(crate) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes().as_chunks::<2>();
    if digits.0.len() != N || !digits.1.is_empty() {
        return None;
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    };
    let mut bytes = [0; N];
    for (to, [high, low]) in bytes.iter_mut().zip(digits.0) {
        *to = (value(*high)? << 4) | value(*low)?;
    }
    Some(bytes)
}

/// Whether text is so many lower-case hexadecimal digits.
pub(crate) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether text is a SHA-256 digest that names its algorithm.
pub(crate) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| is_hex(hex, 64))
}

/// The first characters of a text.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}

/// Text between quotes, for messages: what cannot be printed is escaped.
pub(crate) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut result = String::from(quote);
    for character in text.chars() {
        match character {
            '\n' => result.push_str("\\n"),
            '\r' => result.push_str("\\r"),
            '\t' => result.push_str("\\t"),
            '\\' => result.push_str("\\\\"),
            c if c == quote => {
                result.push('\\');
                result.push(c);
            }
            c if is_printable(c) => result.push(c),
            c => match u32::from(c) {
                code @ ..=0xff => result.extend(format!("\\x{code:02x}").chars()),
                code @ ..=0xffff => result.extend(format!("\\u{code:04x}").chars()),
                code => result.extend(format!("\\U{code:08x}").chars()),
            },
        }
    }
    result.push(quote);
    result
}

/// Whether a character is printed as it is: no control, no format, no white space but the space.
pub(crate) fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    // Behind another character only what is not printable is escaped.
    let text: String = ['a', character].into_iter().collect();
    text.escape_debug().nth(1) == Some(character)
}

/// A shape, for messages.
pub(crate) fn tuple(numbers: &[u64]) -> String {
    let texts: Vec<String> = numbers.iter().map(u64::to_string).collect();
    match texts.as_slice() {
        [one] => format!("({one},)"),
        _ => format!("({})", texts.join(", ")),
    }
}

/// Names with commas, for messages.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_one_form() {
        for length in 0_u8..20 {
            let content: Vec<u8> = (0..length).map(|i| i.wrapping_mul(37)).collect();
            assert_eq!(from_base64(&base64(&content), "").unwrap(), content);
        }
        assert_eq!(base64(b"foob"), "Zm9vYg==");
        for text in [
            "A", "AA", "AAA", "AA=", "=", "====", "AAAA=", "AAAA====", "AA=A", "AB==", "AAB=",
            "AA==AAAA", "A===", "AA-_", " AAA", "AAA\n", "AAAé",
        ] {
            assert!(from_base64(text, "").is_err(), "{text:?}");
        }
    }

    #[test]
    fn text_in_messages_is_quoted_as_python_does() {
        for (text, expected) in [
            ("a", "'a'"),
            ("it's", "\"it's\""),
            ("'\"", "'\\'\"'"),
            ("\n\u{7f}\u{200b}é", "'\\n\\x7f\\u200bé'"),
            ("a\u{301}", "'a\u{301}'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
