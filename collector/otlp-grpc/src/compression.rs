//! Decompresses messages, never to more than a limit.

use crate::refusal::Refusal;
use flate2::bufread::{GzDecoder, ZlibDecoder};
use http::HeaderMap;
use std::io::{ErrorKind, Read};

/// Members of one gzip body read, each of which costs its setting-up.
const MEMBERS_AT_MOST: usize = 64;

/// What is spoken here, as `grpc-accept-encoding` says it.
pub const ACCEPTED: &str = "identity,deflate,gzip";

/// A `grpc-encoding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// RFC 1952
    Gzip,
    /// RFC 1950
    Deflate,
}

impl Encoding {
    /// The encoding a request names.
    pub fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        match headers.get("grpc-encoding").map(|value| value.as_bytes()) {
            None | Some(b"identity") => Ok(Self::Identity),
            Some(b"gzip") => Ok(Self::Gzip),
            Some(b"deflate") => Ok(Self::Deflate),
            Some(_) => Err(Refusal::unsupported_encoding()),
        }
    }

    /// The message in the clear; refused beyond `limit` bytes, and where it is not (only) that encoding.
    pub fn decompress(self, message: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
        match self {
            Self::Identity => {
                Err(Refusal::unframed("a message is compressed, but no grpc-encoding was named"))
            }
            Self::Gzip => inflate(message, limit, "gzip", |rest, out, room| {
                let mut member = GzDecoder::new(rest);
                member.by_ref().take(room).read_to_end(out)?;
                Ok(member.into_inner())
            }),
            Self::Deflate => inflate(message, limit, "deflate (zlib)", |rest, out, room| {
                let mut member = ZlibDecoder::new(rest);
                member.by_ref().take(room).read_to_end(out)?;
                Ok(member.into_inner())
            }),
        }
    }
}

type Member = for<'a> fn(&'a [u8], &mut Vec<u8>, u64) -> std::io::Result<&'a [u8]>;

fn inflate(message: &[u8], limit: usize, name: &str, member: Member) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::with_capacity((4 * message.len()).min(limit));
    let mut rest = message;
    for _ in 0..MEMBERS_AT_MOST {
        let room = (limit - out.len()) as u64 + 1;
        rest = member(rest, &mut out, room).map_err(|broken| match broken.kind() {
            ErrorKind::UnexpectedEof => {
                Refusal::undecodable(format!("the body ends before its {name} stream does"))
            }
            _ => Refusal::undecodable(format!("the body is no {name}: {broken}")),
        })?;
        if out.len() > limit {
            return Err(Refusal::too_large(limit));
        }
        if rest.is_empty() {
            return Ok(out);
        }
    }
    Err(Refusal::undecodable(format!("the body has more than {MEMBERS_AT_MOST} {name} members")))
}
