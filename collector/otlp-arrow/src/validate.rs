//! Whether bytes are a message of a kind, down to the last nested string.
//!
//! Only length-delimited fields have anything to check inside, so only those are listed; any other
//! field is passed over by its wire type, known or not.
//! Source: opentelemetry-proto 1.11.

use crate::plain::{Plain, plain};
use crate::wire::{Error, LEN, Reader, Result, down};

/// What a length-delimited field holds.
#[derive(Clone, Copy)]
enum Inside {
    Anything,
    Text,
    Varints,
    Fixed64s,
    Attribute,
    Message(&'static Message),
}

/// The length-delimited fields of a message, by field number.
pub struct Message([Inside; 17]);

const fn message(fields: &[(usize, Inside)]) -> Message {
    let mut by_number = [Inside::Anything; 17];
    let mut index = 0;
    while index < fields.len() {
        by_number[fields[index].0] = fields[index].1;
        index += 1;
    }
    Message(by_number)
}

use Inside::{Attribute, Fixed64s, Text, Varints};

const fn sub(message: &'static Message) -> Inside {
    Inside::Message(message)
}

static ANY_VALUE: Message = message(&[(1, Text), (5, sub(&ARRAY)), (6, sub(&KEY_VALUE_LIST))]);
/// `ArrayValue`
pub static ARRAY: Message = message(&[(1, sub(&ANY_VALUE))]);
/// `KeyValueList`
pub static KEY_VALUE_LIST: Message = message(&[(1, Attribute)]);
static KEY_VALUE: Message = message(&[(1, Text), (2, sub(&ANY_VALUE))]);
static ENTITY_REF: Message = message(&[(1, Text), (2, Text), (3, Text), (4, Text)]);
/// `Resource`
pub static RESOURCE: Message = message(&[(1, Attribute), (3, sub(&ENTITY_REF))]);
/// `InstrumentationScope`
pub static SCOPE: Message = message(&[(1, Text), (2, Text), (3, Attribute)]);

static EVENT: Message = message(&[(2, Text), (3, Attribute)]);
static LINK: Message = message(&[(3, Text), (4, Attribute)]);
static STATUS: Message = message(&[(2, Text)]);
/// `Span`
pub static SPAN: Message =
    message(&[(3, Text), (5, Text), (9, Attribute), (11, sub(&EVENT)), (13, sub(&LINK)), (15, sub(&STATUS))]);

/// `LogRecord`
pub static LOG_RECORD: Message = message(&[(3, Text), (5, sub(&ANY_VALUE)), (6, Attribute), (12, Text)]);

static EXEMPLAR: Message = message(&[(7, Attribute)]);
static NUMBER_POINT: Message = message(&[(5, sub(&EXEMPLAR)), (7, Attribute)]);
static HISTOGRAM_POINT: Message =
    message(&[(6, Fixed64s), (7, Fixed64s), (8, sub(&EXEMPLAR)), (9, Attribute)]);
static BUCKETS: Message = message(&[(2, Varints)]);
static EXP_HISTOGRAM_POINT: Message =
    message(&[(1, Attribute), (8, sub(&BUCKETS)), (9, sub(&BUCKETS)), (11, sub(&EXEMPLAR))]);
static AT_QUANTILE: Message = message(&[]);
static SUMMARY_POINT: Message = message(&[(6, sub(&AT_QUANTILE)), (7, Attribute)]);
static NUMBERS: Message = message(&[(1, sub(&NUMBER_POINT))]);
static HISTOGRAM: Message = message(&[(1, sub(&HISTOGRAM_POINT))]);
static EXP_HISTOGRAM: Message = message(&[(1, sub(&EXP_HISTOGRAM_POINT))]);
static SUMMARY: Message = message(&[(1, sub(&SUMMARY_POINT))]);
/// `Metric`
pub static METRIC: Message = message(&[
    (1, Text),
    (2, Text),
    (3, Text),
    (5, sub(&NUMBERS)),
    (7, sub(&NUMBERS)),
    (9, sub(&HISTOGRAM)),
    (10, sub(&EXP_HISTOGRAM)),
    (11, sub(&SUMMARY)),
    (12, Attribute),
]);

/// Check a whole message; `depth` is how many levels of nesting are left inside it.
pub fn validate(message: &'static Message, bytes: &[u8], depth: u32) -> Result<()> {
    let mut reader = Reader::new(bytes);
    while let Some((field, wire)) = reader.field()? {
        validate_field(message, &mut reader, field, wire, depth)?;
    }
    Ok(())
}

/// Check one field whose tag has been read.
#[inline]
pub fn validate_field(
    message: &'static Message,
    reader: &mut Reader<'_>,
    field: u32,
    wire: u32,
    depth: u32,
) -> Result<()> {
    if wire != LEN {
        return reader.skip(field, wire, depth);
    }
    let bytes = reader.bytes()?;
    match message.0.get(field as usize) {
        None | Some(Inside::Anything) => Ok(()),
        Some(Inside::Text) => utf8(bytes),
        Some(Inside::Attribute) => attribute(bytes, down(depth)?),
        Some(Inside::Message(inner)) => validate(inner, bytes, down(depth)?),
        Some(Inside::Fixed64s) if bytes.len() % 8 == 0 => Ok(()),
        Some(Inside::Fixed64s) => Err(Error::Malformed),
        Some(Inside::Varints) => varints(bytes),
    }
}

#[inline(always)]
fn attribute(bytes: &[u8], depth: u32) -> Result<()> {
    match plain(bytes) {
        Some((key, Plain::Text(text))) if depth > 0 => utf8(key).and_then(|()| utf8(text)),
        Some((key, Plain::Int(_))) if depth > 0 => utf8(key),
        _ => validate(&KEY_VALUE, bytes, depth),
    }
}

/// Refuse what is not UTF-8.
#[inline(always)]
pub fn utf8(bytes: &[u8]) -> Result<()> {
    if is_short_ascii(bytes) || simdutf8::basic::from_utf8(bytes).is_ok() {
        return Ok(());
    }
    Err(Error::Utf8)
}

/// Whether `bytes` are what most texts are.
#[inline(always)]
fn is_short_ascii(bytes: &[u8]) -> bool {
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    if bytes.len() >= 64 {
        return false;
    }
    let Some(last) = bytes.last_chunk::<8>() else { return bytes.iter().all(u8::is_ascii) };
    let words = bytes.as_chunks::<8>().0;
    let bits = words.iter().fold(u64::from_le_bytes(*last), |bits, word| bits | u64::from_le_bytes(*word));
    bits & HIGH_BITS == 0
}

fn varints(bytes: &[u8]) -> Result<()> {
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        reader.varint()?;
    }
    Ok(())
}
