//! Protobuf's wire format, read as strictly and as leniently as upb reads it.
//!
//! Tags and sizes take up to 5 bytes, varints up to 10 (bits beyond the 64th are lost); a known field
//! that comes with another wire type is an unknown field; unknown fields, groups among them, are skipped.

/// How many messages or groups may stand inside one another, the request itself not counted.
pub const MAX_DEPTH: u32 = 100;

/// Wire types.
pub const VARINT: u32 = 0;
/// Eight bytes, little-endian.
pub const FIXED64: u32 = 1;
/// A size and that many bytes.
pub const LEN: u32 = 2;
/// The start of a group, which ends with `END_GROUP` of the same field number.
const GROUP: u32 = 3;
const END_GROUP: u32 = 4;
/// Four bytes, little-endian.
pub const FIXED32: u32 = 5;

/// Why bytes are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The wire format is broken.
    Malformed,
    /// A string is not UTF-8.
    Utf8,
    /// Messages are nested more than [`MAX_DEPTH`] deep.
    Depth,
    /// Resource and scope attributes would be repeated too often on the records.
    Expansion,
    /// Not the sender's fault: more than one batch can hold was asked for at once.
    TooLarge,
}

/// A result with this crate's reasons.
pub type Result<T> = std::result::Result<T, Error>;

/// Spend one level of nesting.
#[inline(always)]
pub fn down(depth: u32) -> Result<u32> {
    depth.checked_sub(1).ok_or(Error::Depth)
}

/// Reads one message, or one run of packed scalars.
#[derive(Clone)]
pub struct Reader<'a> {
    rest: std::slice::Iter<'a, u8>, // Unlike a slice, it has but one pointer to move.
}

impl<'a> Reader<'a> {
    /// Start at the beginning of `message`.
    #[inline(always)]
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message.iter() }
    }

    /// Whether everything has been read.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.rest.as_slice().is_empty()
    }

    /// Read a field's number and wire type; `None` at the message's end.
    #[inline(always)]
    pub fn field(&mut self) -> Result<Option<(u32, u32)>> {
        if self.is_empty() {
            return Ok(None);
        }
        let tag = self.tag()?;
        if tag < 8 {
            return Err(Error::Malformed);
        }
        Ok(Some((tag >> 3, tag & 7)))
    }

    #[inline(always)]
    fn tag(&mut self) -> Result<u32> {
        match self.short() {
            Some(tag) => Ok(u32::from(tag)),
            None => self.long(5).and_then(|tag| u32::try_from(tag).map_err(|_| Error::Malformed)),
        }
    }

    /// Read a varint of one byte, if it is one.
    #[inline(always)]
    fn short(&mut self) -> Option<u8> {
        let byte = *self.rest.as_slice().first()?;
        if byte < 0x80 {
            self.rest.next();
            return Some(byte);
        }
        None
    }

    /// Read a varint.
    #[inline(always)]
    pub fn varint(&mut self) -> Result<u64> {
        match self.short() {
            Some(value) => Ok(u64::from(value)),
            None => self.long(10),
        }
    }

    #[inline(never)]
    fn long(&mut self, most: usize) -> Result<u64> {
        let mut value = 0u64;
        let rest = self.rest.as_slice();
        for (index, byte) in rest.iter().take(most).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                self.rest = rest[index + 1..].iter();
                return Ok(value);
            }
        }
        Err(Error::Malformed)
    }

    /// Read a size and that many bytes.
    #[inline(always)]
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let size = match self.short() {
            Some(size) => usize::from(size),
            None => self.long_size()?,
        };
        self.take(size)
    }

    /// Most sizes that do not fit into one byte fit into two.
    #[inline(always)]
    fn long_size(&mut self) -> Result<usize> {
        if let [low, high @ 0..0x80, rest @ ..] = self.rest.as_slice() {
            self.rest = rest.iter();
            return Ok(usize::from(low & 0x7f) | usize::from(*high) << 7);
        }
        let size = self.long(5)?;
        i32::try_from(size).map(|size| size as usize).map_err(|_| Error::Malformed)
    }

    #[inline(always)]
    fn take(&mut self, size: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.as_slice().split_at_checked(size).ok_or(Error::Malformed)?;
        self.rest = rest.iter();
        Ok(taken)
    }

    /// Read eight bytes.
    #[inline(always)]
    pub fn fixed64(&mut self) -> Result<u64> {
        let (taken, rest) = self.rest.as_slice().split_first_chunk().ok_or(Error::Malformed)?;
        self.rest = rest.iter();
        Ok(u64::from_le_bytes(*taken))
    }

    /// Read four bytes.
    #[inline(always)]
    pub fn fixed32(&mut self) -> Result<u32> {
        let (taken, rest) = self.rest.as_slice().split_first_chunk().ok_or(Error::Malformed)?;
        self.rest = rest.iter();
        Ok(u32::from_le_bytes(*taken))
    }

    /// Pass over the value of a field; `depth` is how many levels of nesting are left.
    #[inline]
    pub fn skip(&mut self, field: u32, wire: u32, depth: u32) -> Result<()> {
        match wire {
            VARINT => self.varint().map(drop),
            FIXED64 => self.take(8).map(drop),
            LEN => self.bytes().map(drop),
            FIXED32 => self.take(4).map(drop),
            GROUP => self.skip_group(field, down(depth)?),
            _ => Err(Error::Malformed),
        }
    }

    /// Field number 0, an error in a message, passes here, as it does in upb.
    #[cold]
    fn skip_group(&mut self, group: u32, depth: u32) -> Result<()> {
        while !self.is_empty() {
            let tag = self.tag()?;
            if tag == (group << 3 | END_GROUP) {
                return Ok(());
            }
            self.skip(tag >> 3, tag & 7, depth)?;
        }
        Err(Error::Malformed)
    }
}

/// Return the occurrences of a length-delimited field in a message that is known to be valid.
pub fn occurrences(message: &[u8], wanted: u32) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(message);
    std::iter::from_fn(move || {
        while let Ok(Some((field, wire))) = reader.field() {
            if (field, wire) == (wanted, LEN) {
                return reader.bytes().ok();
            }
            reader.skip(field, wire, MAX_DEPTH).ok()?;
        }
        None
    })
}
