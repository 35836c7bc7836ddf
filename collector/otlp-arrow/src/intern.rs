//! Texts written once, and known by their number from then on.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

/// Distinct texts in the order of their first appearance.
pub struct Interner {
    hasher: RandomState,
    numbers: HashTable<u32>,
    texts: Texts,
}

/// Whether two texts are the same; quicker than a call to memcmp, since most are short.
#[inline(always)]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let (one_words, one_rest) = one.as_chunks::<8>();
    let (other_words, other_rest) = other.as_chunks::<8>();
    let words = one_words.iter().zip(other_words).all(|(one, other)| one == other);
    words
        && match (one.last_chunk::<8>(), other.last_chunk::<8>()) {
            (Some(one), Some(other)) => one == other,
            _ => one_rest.iter().zip(other_rest).all(|(one, other)| one == other),
        }
}

/// Texts end to end, in the layout of an Arrow string array.
pub struct Texts {
    /// Where each text starts, and the last one's end.
    pub offsets: Vec<i32>,
    /// All texts.
    pub bytes: Vec<u8>,
}

impl Texts {
    /// No texts.
    pub fn new() -> Self {
        Self { offsets: vec![0], bytes: Vec::new() }
    }

    /// How many texts there are.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// End the text whose bytes have been appended. An offset that wraps around is found at the end,
    /// when the bytes are counted.
    #[inline(always)]
    pub fn end(&mut self) {
        self.offsets.push(self.bytes.len() as i32);
    }

    /// Append a text.
    #[inline(always)]
    pub fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.end();
    }

    /// Return the text of a number.
    #[inline(always)]
    pub fn get(&self, number: u32) -> &[u8] {
        let number = number as usize;
        &self.bytes[self.offsets[number] as usize..self.offsets[number + 1] as usize]
    }
}

impl Interner {
    /// No texts.
    pub fn new() -> Self {
        Self { hasher: RandomState::default(), numbers: HashTable::new(), texts: Texts::new() }
    }

    /// Return the number of `text`, a new one where it has not been seen.
    #[inline]
    pub fn number(&mut self, text: &[u8]) -> u32 {
        let Self { hasher, numbers, texts } = self;
        let hash = hash_of(hasher, text);
        if let Some(number) = numbers.find(hash, |number| same(texts.get(*number), text)) {
            return *number;
        }
        let number = texts.len() as u32;
        texts.push(text);
        numbers.insert_unique(hash, number, |number| hash_of(hasher, texts.get(*number)));
        number
    }

    /// Return the text of a number.
    #[inline(always)]
    pub fn get(&self, number: u32) -> &[u8] {
        self.texts.get(number)
    }

    /// How many texts there are.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Return the texts, by number.
    pub fn into_texts(self) -> Texts {
        self.texts
    }
}

#[inline(always)]
fn hash_of(hasher: &RandomState, text: &[u8]) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(text);
    state.finish()
}
