//! Columns of attribute maps, sorted by key, of duplicate keys the last.

use crate::anyvalue::Attribute;
use crate::columns::{dictionary, maps, strings};
use crate::intern::{Interner, Texts, same};
use crate::wire::Result;
use arrow_data::ArrayData;
use hashbrown::HashMap;

/// Maps whose values differ from row to row.
pub struct AttributeMaps<'a> {
    offsets: Vec<i32>,
    keys: Interner,
    key_numbers: Vec<u32>,
    values: Texts,
    orders: Orders,
    /// By the number of a key, plus one (0 where there is none before): the key that came after it last.
    followers: Vec<u32>,
    /// The row to come: attributes, and the numbers of their keys.
    row: Vec<Attribute<'a>>,
    row_keys: Vec<u32>,
}

impl<'a> AttributeMaps<'a> {
    /// No rows.
    pub fn new() -> Self {
        Self {
            offsets: vec![0],
            keys: Interner::new(),
            key_numbers: Vec::new(),
            values: Texts::new(),
            orders: Orders::default(),
            followers: vec![0],
            row: Vec::new(),
            row_keys: Vec::new(),
        }
    }

    /// Append a row: the attributes that `messages` encode, `depth` levels of nesting being left in each.
    pub fn push(&mut self, messages: &[&'a [u8]], depth: u32) -> Result<()> {
        for message in messages {
            self.add(message, depth)?;
        }
        self.end()
    }

    /// Add to the row to come the attribute that `message` encodes.
    #[inline(always)]
    pub fn add(&mut self, message: &'a [u8], depth: u32) -> Result<()> {
        let attribute = Attribute::read(message, depth)?;
        let before = self.row_keys.last().map_or(0, |number| *number as usize + 1);
        let number = self.number_after(before, attribute.key);
        self.row_keys.push(number);
        self.row.push(attribute);
        Ok(())
    }

    /// Forget what has been added to the row to come.
    pub fn discard(&mut self) {
        self.row.clear();
        self.row_keys.clear();
    }

    /// Return the number of `key`, trying first the one that followed `before` the last time.
    #[inline(always)]
    fn number_after(&mut self, before: usize, key: &[u8]) -> u32 {
        let likely = self.followers[before];
        if (likely as usize) < self.keys.len() && same(self.keys.get(likely), key) {
            return likely;
        }
        let number = self.keys.number(key);
        self.followers.resize(self.keys.len() + 1, 0);
        self.followers[before] = number;
        number
    }

    /// Append the row.
    #[inline]
    pub fn end(&mut self) -> Result<()> {
        if !self.row.is_empty() {
            let order = self.orders.of(&self.row_keys, &self.keys);
            for position in order {
                let position = *position as usize;
                self.key_numbers.push(self.row_keys[position]);
                self.row[position].value.write(&mut self.values.bytes);
                self.values.end();
            }
            if order.len() < self.row.len() {
                self.row.iter().try_for_each(|attribute| attribute.value.let_go())?;
            }
            self.discard();
        }
        self.offsets.push(self.key_numbers.len() as i32);
        Ok(())
    }

    /// Return the column.
    pub fn finish(self) -> Result<ArrayData> {
        maps(self.offsets, dictionary(self.keys, self.key_numbers)?, strings(self.values)?)
    }
}

/// In which order a row's attributes stand in the map, by their keys as they came: remembered, since
/// most rows come with the keys of an earlier one.
#[derive(Default)]
struct Orders {
    known: HashMap<Box<[u32]>, Box<[u32]>, foldhash::fast::RandomState>,
    last_row: Vec<u32>,
    last_order: Vec<u32>,
}

impl Orders {
    #[inline(always)]
    fn of(&mut self, row: &[u32], keys: &Interner) -> &[u32] {
        if self.last_row != row {
            self.find(row, keys);
        }
        &self.last_order
    }

    #[inline(never)]
    fn find(&mut self, row: &[u32], keys: &Interner) {
        self.last_row.clear();
        self.last_row.extend_from_slice(row);
        self.last_order.clear();
        if let Some(order) = self.known.get(row) {
            self.last_order.extend_from_slice(order);
            return;
        }
        let mut order: Vec<u32> = (0..row.len() as u32).collect();
        order.sort_by_key(|position| keys.get(row[*position as usize]));
        let is_last_of_key = |index: usize| {
            order.get(index + 1).is_none_or(|next| row[*next as usize] != row[order[index] as usize])
        };
        self.last_order
            .extend((0..order.len()).filter(|index| is_last_of_key(*index)).map(|index| order[index]));
        self.known.insert(row.into(), self.last_order.as_slice().into());
    }
}

/// Maps that are the same for many rows.
pub struct SharedMaps {
    offsets: Vec<i32>,
    keys: Interner,
    key_numbers: Vec<u32>,
    values: Interner,
    value_numbers: Vec<u32>,
    row_keys: Vec<u32>,
    row_values: Vec<u32>,
    text: Vec<u8>,
}

impl SharedMaps {
    /// No rows.
    pub fn new() -> Self {
        Self {
            offsets: vec![0],
            keys: Interner::new(),
            key_numbers: Vec::new(),
            values: Interner::new(),
            value_numbers: Vec::new(),
            row_keys: Vec::new(),
            row_values: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Append a row many times: attributes that are sorted and without duplicates.
    pub fn fill(&mut self, attributes: &[Attribute<'_>], rows: usize) {
        self.row_keys.clear();
        self.row_values.clear();
        for attribute in attributes {
            self.text.clear();
            attribute.value.write(&mut self.text);
            self.row_keys.push(self.keys.number(attribute.key));
            self.row_values.push(self.values.number(&self.text));
        }
        self.key_numbers.reserve(rows * attributes.len());
        self.value_numbers.reserve(rows * attributes.len());
        for _ in 0..rows {
            self.key_numbers.extend_from_slice(&self.row_keys);
            self.value_numbers.extend_from_slice(&self.row_values);
            self.offsets.push(self.key_numbers.len() as i32);
        }
    }

    /// Return the column.
    pub fn finish(self) -> Result<ArrayData> {
        let keys = dictionary(self.keys, self.key_numbers)?;
        let values = dictionary(self.values, self.value_numbers)?;
        maps(self.offsets, keys, values)
    }
}

/// Sort attributes by key, and keep of each key the last.
pub fn settle(attributes: &mut Vec<Attribute<'_>>) {
    attributes.sort_by_key(|attribute| attribute.key);
    attributes.reverse();
    attributes.dedup_by_key(|attribute| attribute.key);
    attributes.reverse();
}
