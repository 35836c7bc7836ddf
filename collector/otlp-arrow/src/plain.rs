//! What nearly all attributes are: first a key, then a text or an integer, all of it short. A few
//! comparisons tell, and spare the reading of four tags and four sizes.

/// Tags of the fields of such an attribute, and of the values in it.
const KEY: u8 = 1 << 3 | 2;
const VALUE: u8 = 2 << 3 | 2;
const TEXT: u8 = 1 << 3 | 2;
const INTEGER: u8 = 3 << 3;

/// The value of a plain attribute.
pub enum Plain<'a> {
    /// `string_value`, not checked to be UTF-8
    Text(&'a [u8]),
    /// `int_value`
    Int(i64),
}

/// Return the key, not checked to be UTF-8, and the value; `None` says nothing about `message`.
#[inline(always)]
pub fn plain(message: &[u8]) -> Option<(&[u8], Plain<'_>)> {
    let [KEY, key_size @ 0..0x80, rest @ ..] = message else { return None };
    let (key, rest) = rest.split_at_checked(usize::from(*key_size))?;
    let [VALUE, value_size @ 2..0x80, value @ ..] = rest else { return None };
    if value.len() != usize::from(*value_size) {
        return None;
    }
    match value {
        [TEXT, size, text @ ..] if usize::from(*size) == text.len() => Some((key, Plain::Text(text))),
        [INTEGER, low @ 0..0x80] => Some((key, Plain::Int(i64::from(*low)))),
        [INTEGER, low, high @ 0..0x80] => {
            Some((key, Plain::Int(i64::from(low & 0x7f) | i64::from(*high) << 7)))
        }
        _ => None,
    }
}
