//! A gRPC message as it comes in: compressed flag 1 | length 4, big-endian | that many bytes.

use crate::refusal::Refusal;

const PREFIX: usize = 5;
const ALLOCATED_AT_FIRST: usize = 64 << 10;

/// The bytes of a request so far; no more are gathered than its limit allows.
pub struct Gathered {
    limit: usize,
    bytes: Vec<u8>,
}

impl Gathered {
    /// Nothing, of a message of up to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, bytes: Vec::new() }
    }

    /// Take in what came; refused as soon as it is known to be no message, or one that is too large.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        if self.bytes.is_empty() {
            let announced = length(chunk).map_or(0, |length| length.saturating_add(PREFIX));
            self.bytes.reserve_exact(announced.min(ALLOCATED_AT_FIRST).max(chunk.len()));
        }
        self.bytes.extend_from_slice(chunk);
        match length(&self.bytes) {
            None => Ok(()),
            Some(length) if length > self.limit => Err(Refusal::too_large(self.limit)),
            Some(length) if self.bytes.len() - PREFIX > length => {
                Err(Refusal::unframed("the request has bytes after its one message"))
            }
            Some(_) => Ok(()),
        }
    }

    /// The whole message.
    pub fn finish(self) -> Result<Message, Refusal> {
        match length(&self.bytes) {
            None => Err(Refusal::unframed("the request has no message")),
            Some(length) if self.bytes.len() - PREFIX < length => {
                Err(Refusal::unframed("the request ends before its message does"))
            }
            Some(_) if self.bytes[0] > 1 => {
                Err(Refusal::unframed("the message's compressed flag is not 0 or 1"))
            }
            Some(_) => Ok(Message { compressed: self.bytes[0] == 1, framed: self.bytes, start: PREFIX }),
        }
    }
}

fn length(bytes: &[u8]) -> Option<usize> {
    let (prefix, _) = bytes.split_first_chunk::<PREFIX>()?;
    let [_, length @ ..] = *prefix;
    Some(u32::from_be_bytes(length) as usize)
}

/// A message, as it was sent or in the clear.
pub struct Message {
    /// Whether it is as it was sent, in the request's `grpc-encoding`.
    pub compressed: bool,
    framed: Vec<u8>,
    start: usize,
}

impl Message {
    /// A message that was decompressed.
    pub fn in_the_clear(bytes: Vec<u8>) -> Self {
        Self { compressed: false, framed: bytes, start: 0 }
    }

    /// The message itself.
    pub fn bytes(&self) -> &[u8] {
        &self.framed[self.start..]
    }
}
