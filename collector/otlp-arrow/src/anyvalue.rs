//! Attributes and other values of any type, and the text that stands for them in a column.

use crate::number::{write_double, write_int};
use crate::plain::{Plain, plain};
use crate::validate::{ARRAY, KEY_VALUE_LIST, utf8, validate};
use crate::wire::{FIXED64, LEN, MAX_DEPTH, Reader, Result, VARINT, down, occurrences};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// An `AnyValue`. Its text, where it is one, has not been checked to be UTF-8; nested values have.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub enum Value<'a> {
    /// Nothing, or what OTLP's signals do not use.
    #[default]
    Empty,
    /// `string_value`
    Text(&'a [u8]),
    /// `bool_value`
    Bool(bool),
    /// `int_value`
    Int(i64),
    /// `double_value`
    Double(f64),
    /// `bytes_value`
    Bytes(&'a [u8]),
    /// An array or a key-value list: to be found again in the `field`s of the message `holder`.
    Nested {
        /// The message around the value.
        holder: &'a [u8],
        /// The number of the value's field in it.
        field: u32,
    },
}

impl<'a> Value<'a> {
    /// Take in one occurrence of the value; it merges with earlier ones as protobuf says.
    #[inline]
    pub fn merge(&mut self, occurrence: &'a [u8], holder: &'a [u8], field: u32, depth: u32) -> Result<()> {
        let mut reader = Reader::new(occurrence);
        while let Some((number, wire)) = reader.field()? {
            let next = match (number, wire) {
                (1, LEN) => Value::Text(reader.bytes()?),
                (2, VARINT) => Value::Bool(reader.varint()? != 0),
                (3, VARINT) => Value::Int(reader.varint()? as i64),
                (4, FIXED64) => Value::Double(f64::from_bits(reader.fixed64()?)),
                (5, LEN) => {
                    validate(&ARRAY, reader.bytes()?, down(depth)?)?;
                    Value::Nested { holder, field }
                }
                (6, LEN) => {
                    validate(&KEY_VALUE_LIST, reader.bytes()?, down(depth)?)?;
                    Value::Nested { holder, field }
                }
                (7, LEN) => Value::Bytes(reader.bytes()?),
                (8, VARINT) => {
                    reader.varint()?;
                    Value::Empty
                }
                _ => {
                    reader.skip(number, wire, depth)?;
                    continue;
                }
            };
            self.let_go()?;
            *self = next;
        }
        Ok(())
    }

    /// Check what will not be written anywhere.
    #[inline]
    pub fn let_go(&self) -> Result<()> {
        match self {
            Value::Text(text) => utf8(text),
            _ => Ok(()),
        }
    }

    /// Append the text of the value.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Value::Empty => {}
            Value::Text(text) => out.extend_from_slice(text),
            Value::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
            Value::Int(value) => write_int(value, out),
            Value::Double(value) => write_double(value, out),
            Value::Bytes(bytes) => out.extend_from_slice(STANDARD.encode(bytes).as_bytes()),
            Value::Nested { holder, field } => {
                let value: Vec<_> = occurrences(holder, field).collect();
                write_json(&value, out);
            }
        }
    }
}

/// A `KeyValue`. Its texts have not been checked to be UTF-8.
#[derive(Clone, Copy, Debug)]
pub struct Attribute<'a> {
    /// The key, empty where none was given.
    pub key: &'a [u8],
    /// The value.
    pub value: Value<'a>,
}

impl<'a> Attribute<'a> {
    /// Read a `KeyValue`; `depth` is how many levels of nesting are left inside it.
    #[inline(always)]
    pub fn read(message: &'a [u8], depth: u32) -> Result<Self> {
        match plain(message) {
            Some((key, Plain::Text(text))) => Ok(Attribute { key, value: Value::Text(text) }),
            Some((key, Plain::Int(value))) => Ok(Attribute { key, value: Value::Int(value) }),
            None => Self::read_any(message, depth),
        }
    }

    #[inline(never)]
    fn read_any(message: &'a [u8], depth: u32) -> Result<Self> {
        let mut attribute = Attribute { key: b"", value: Value::Empty };
        let mut reader = Reader::new(message);
        while let Some((field, wire)) = reader.field()? {
            match (field, wire) {
                (1, LEN) => replace(&mut attribute.key, reader.bytes()?)?,
                (2, LEN) => attribute.value.merge(reader.bytes()?, message, 2, down(depth)?)?,
                _ => reader.skip(field, wire, depth)?,
            }
        }
        Ok(attribute)
    }
}

/// Let a later text take the place of an earlier one, which still has to be UTF-8.
#[inline(always)]
pub fn replace<'a>(text: &mut &'a [u8], later: &'a [u8]) -> Result<()> {
    if !text.is_empty() {
        utf8(text)?;
    }
    *text = later;
    Ok(())
}

/// Append the JSON of an `AnyValue`, given its occurrences. It has been validated, so that it nests
/// less than [`MAX_DEPTH`] deep.
fn write_json(occurrences_of_value: &[&[u8]], out: &mut Vec<u8>) {
    let mut value = Value::Empty;
    let mut nested: (u32, Vec<&[u8]>) = (0, Vec::new());
    for occurrence in occurrences_of_value {
        let mut reader = Reader::new(occurrence);
        while let Ok(Some((field, wire))) = reader.field() {
            let start = reader.clone();
            if reader.skip(field, wire, MAX_DEPTH).is_err() {
                break;
            }
            match (field, wire) {
                (5 | 6, LEN) => {
                    if nested.0 != field {
                        nested = (field, Vec::new());
                    }
                    nested.1.extend(start.clone().bytes());
                }
                (1 | 7, LEN) | (2 | 3 | 8, VARINT) | (4, FIXED64) => {
                    nested = (0, Vec::new());
                    value = scalar(field, start);
                }
                _ => {}
            }
        }
    }
    match nested.0 {
        5 => write_array(&nested.1, out),
        6 => write_object(&nested.1, out),
        _ => write_scalar(value, out),
    }
}

fn scalar(field: u32, mut reader: Reader<'_>) -> Value<'_> {
    let value = match field {
        1 => reader.bytes().map(Value::Text),
        2 => reader.varint().map(|value| Value::Bool(value != 0)),
        3 => reader.varint().map(|value| Value::Int(value as i64)),
        4 => reader.fixed64().map(|bits| Value::Double(f64::from_bits(bits))),
        7 => reader.bytes().map(Value::Bytes),
        _ => Ok(Value::Empty),
    };
    value.unwrap_or_default()
}

fn write_scalar(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => write_quoted(text, out),
        Value::Bytes(bytes) => write_quoted(STANDARD.encode(bytes).as_bytes(), out),
        Value::Double(number) if !number.is_finite() => {
            out.push(b'"');
            write_double(number, out);
            out.push(b'"');
        }
        Value::Bool(_) | Value::Int(_) | Value::Double(_) => value.write(out),
        Value::Empty | Value::Nested { .. } => out.extend_from_slice(b"null"),
    }
}

fn write_array(arrays: &[&[u8]], out: &mut Vec<u8>) {
    out.push(b'[');
    let elements = arrays.iter().flat_map(|array| occurrences(array, 1));
    for (index, element) in elements.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_json(&[element], out);
    }
    out.push(b']');
}

fn write_object(lists: &[&[u8]], out: &mut Vec<u8>) {
    let mut members: Vec<(&[u8], &[u8])> = lists
        .iter()
        .flat_map(|list| occurrences(list, 1))
        .map(|member| (occurrences(member, 1).last().unwrap_or_default(), member))
        .collect();
    members.sort_by_key(|(key, _)| *key);
    out.push(b'{');
    let mut first = true;
    for (index, (key, member)) in members.iter().enumerate() {
        if members.get(index + 1).is_some_and(|(next, _)| next == key) {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        write_quoted(key, out);
        out.push(b':');
        let value: Vec<_> = occurrences(member, 2).collect();
        write_json(&value, out);
    }
    out.push(b'}');
}

fn write_quoted(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..=0x1f => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}
