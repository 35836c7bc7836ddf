//! Columns that grow a row at a time, and become Arrow arrays.

use crate::intern::{Interner, Texts, same};
use crate::validate::utf8;
use crate::wire::{Error, Result};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field, Fields, TimeUnit};
use std::sync::Arc;

/// The rows of one signal.
#[derive(Default)]
pub struct Batch {
    fields: Vec<Field>,
    columns: Vec<ArrayData>,
}

impl Batch {
    /// Add a column, all columns having the same length.
    pub fn add(&mut self, name: &str, column: ArrayData) {
        self.fields.push(Field::new(name, column.data_type().clone(), false));
        self.columns.push(column);
    }

    /// Return the rows as an array of structures, the form in which Arrow hands over record batches.
    pub fn into_array(self) -> ArrayData {
        let rows = self.columns.first().map_or(0, ArrayData::len);
        array(DataType::Struct(Fields::from(self.fields)), rows, vec![], self.columns)
    }
}

/// Put an array together. Callers guarantee buffers and children that fit its type and length; debug
/// builds, which tests and the fuzzer use, check it.
fn array(kind: DataType, rows: usize, buffers: Vec<Buffer>, children: Vec<ArrayData>) -> ArrayData {
    let builder = ArrayData::builder(kind).len(rows).buffers(buffers).child_data(children);
    #[cfg(debug_assertions)]
    return builder.build().expect("an array that fits its type");
    // SAFETY: every caller in this module builds offsets that rise from 0 to the length of what they
    // point into (checked by `within` to fit an i32), dictionary keys by `Interner`, which counts its
    // texts from 0, and strings that `strings` has checked.
    #[cfg(not(debug_assertions))]
    unsafe {
        builder.build_unchecked()
    }
}

fn within(length: usize) -> Result<()> {
    i32::try_from(length).map(drop).map_err(|_| Error::TooLarge)
}

/// Return an array of numbers.
pub fn numbers<T: ArrowNativeType>(kind: DataType, values: Vec<T>) -> ArrayData {
    array(kind, values.len(), vec![Buffer::from_vec(values)], vec![])
}

/// Return an array of times: nanoseconds since the Unix epoch, UTC.
pub fn times(values: Vec<i64>) -> ArrayData {
    numbers(DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), values)
}

/// Return an array of booleans.
pub fn booleans(values: Vec<bool>) -> ArrayData {
    let bits = BooleanBuffer::from(values.as_slice());
    array(DataType::Boolean, values.len(), vec![bits.into_inner()], vec![])
}

/// Return an array of strings, having checked that each is UTF-8.
pub fn strings(texts: Texts) -> Result<ArrayData> {
    within(texts.bytes.len())?;
    utf8(&texts.bytes)?;
    // All together are UTF-8; so is each, unless one ends in the midst of a character.
    let splits_character =
        |offset: &i32| texts.bytes.get(*offset as usize).is_some_and(|byte| byte & 0xc0 == 0x80);
    if !texts.bytes.is_ascii() && texts.offsets.iter().any(splits_character) {
        return Err(Error::Utf8);
    }
    ids(texts)
}

/// Return an array of ids, whose hex needs no checking.
pub fn ids(texts: Texts) -> Result<ArrayData> {
    within(texts.bytes.len())?;
    let rows = texts.len();
    let buffers = vec![Buffer::from_vec(texts.offsets), Buffer::from_vec(texts.bytes)];
    Ok(array(DataType::Utf8, rows, buffers, vec![]))
}

/// Return an array of strings that stand by their number in a dictionary.
pub fn dictionary(names: Interner, keys: Vec<u32>) -> Result<ArrayData> {
    let kind = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Ok(array(kind, keys.len(), vec![Buffer::from_vec(keys)], vec![strings(names.into_texts())?]))
}

/// Return an array of maps, sorted by key.
pub fn maps(offsets: Vec<i32>, keys: ArrayData, values: ArrayData) -> Result<ArrayData> {
    within(keys.len())?;
    let fields = Fields::from(vec![
        Field::new("key", keys.data_type().clone(), false),
        Field::new("value", values.data_type().clone(), true),
    ]);
    let entries = DataType::Struct(fields);
    let kind = DataType::Map(Arc::new(Field::new("entries", entries.clone(), false)), true);
    let entries = array(entries, keys.len(), vec![], vec![keys, values]);
    Ok(array(kind, offsets.len() - 1, vec![Buffer::from_vec(offsets)], vec![entries]))
}

/// Where the lists of several columns end, which are of the same length in each row.
pub struct Offsets(Vec<i32>);

impl Offsets {
    /// No lists.
    pub fn new() -> Self {
        Self(vec![0])
    }

    /// End a list, all columns' items up to now being `items` many.
    #[inline(always)]
    pub fn end(&mut self, items: usize) {
        self.0.push(items as i32);
    }

    /// Make it possible to give these offsets to several columns.
    pub fn share(self) -> SharedOffsets {
        SharedOffsets { lists: self.0.len() - 1, buffer: Buffer::from_vec(self.0) }
    }
}

/// Offsets that several columns have in common.
pub struct SharedOffsets {
    lists: usize,
    buffer: Buffer,
}

impl SharedOffsets {
    /// Return an array of lists of `items`.
    pub fn lists(&self, items: ArrayData) -> Result<ArrayData> {
        within(items.len())?;
        let item = Field::new("item", items.data_type().clone(), false);
        Ok(array(DataType::List(Arc::new(item)), self.lists, vec![self.buffer.clone()], vec![items]))
    }
}

/// A column of names: strings that repeat.
pub struct Names {
    names: Interner,
    keys: Vec<u32>,
}

impl Names {
    /// No rows.
    pub fn new() -> Self {
        Self { names: Interner::new(), keys: Vec::new() }
    }

    /// No rows, but names with the numbers of their places.
    pub fn of(names: &[&[u8]]) -> Self {
        let mut column = Self::new();
        for name in names {
            column.names.number(name);
        }
        column
    }

    /// Append the name of a number, in a column made by `of`.
    #[inline(always)]
    pub fn push_number(&mut self, number: u32) {
        self.keys.push(number);
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Append a name many times.
    pub fn fill(&mut self, name: &[u8], rows: usize) {
        let number = self.names.number(name);
        self.keys.resize(self.keys.len() + rows, number);
    }

    /// Append a name.
    #[inline(always)]
    pub fn push(&mut self, name: &[u8]) {
        let number = match self.keys.last() {
            Some(last) if same(self.names.get(*last), name) => *last,
            _ => self.names.number(name),
        };
        self.keys.push(number);
    }

    /// Return the column.
    pub fn finish(self) -> Result<ArrayData> {
        dictionary(self.names, self.keys)
    }
}

/// Append lower-case hex.
#[inline(always)]
fn push_hex<const SIZE: usize>(bytes: &[u8; SIZE], texts: &mut Texts) {
    let pairs: [[u8; 2]; SIZE] = std::array::from_fn(|index| HEX[usize::from(bytes[index])]);
    texts.bytes.extend_from_slice(pairs.as_flattened());
    texts.end();
}

/// Append the hex of an id of `SIZE` bytes, or an empty text for what is no valid id.
#[inline(always)]
pub fn push_id<const SIZE: usize>(id: &[u8], texts: &mut Texts) {
    match <&[u8; SIZE]>::try_from(id) {
        Ok(id) if *id != [0; SIZE] => push_hex(id, texts),
        _ => texts.end(),
    }
}

/// Whether an id has the right size and is not all zero.
#[inline(always)]
pub fn is_valid_id<const SIZE: usize>(id: &[u8]) -> bool {
    <&[u8; SIZE]>::try_from(id).is_ok_and(|id| *id != [0; SIZE])
}

static HEX: [[u8; 2]; 256] = hex_pairs();

const fn hex_pairs() -> [[u8; 2]; 256] {
    let digits = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    pairs
}

/// Nanoseconds as a time; after the year 2262, the last one there is.
#[inline(always)]
pub fn time(nanoseconds: u64) -> i64 {
    i64::try_from(nanoseconds).unwrap_or(i64::MAX)
}
