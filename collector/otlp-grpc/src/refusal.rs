//! Why the server itself refuses a request, and what its sender is told.

use crate::status;
use std::borrow::Cow;

/// `google.rpc.Code`s that are used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// 3
    InvalidArgument = 3,
    /// 4
    DeadlineExceeded = 4,
    /// 8
    ResourceExhausted = 8,
    /// 12
    Unimplemented = 12,
    /// 13
    Internal = 13,
    /// 14
    Unavailable = 14,
}

/// What refusals are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// More requests are being read than there is memory for.
    Backpressure,
    /// The sender left before its request was whole.
    Disconnected,
    /// What was sent is no HTTP/2.
    NoHttp,
    /// No such method.
    NotFound,
    /// The request did not arrive in time.
    Slow,
    /// No handshake of TLS was made: none was tried, in time, or either side would not have the other.
    TlsHandshake,
    /// The message has more bytes than one may have.
    TooLarge,
    /// What was sent is no gRPC request.
    Undecodable,
    /// A compression that is not spoken here.
    UnsupportedEncoding,
}

impl Reason {
    /// Each one's name, in the order of their numbers.
    pub const NAMES: [&str; 9] = [
        "backpressure",
        "disconnected",
        "no_http",
        "not_found",
        "slow",
        "tls_handshake",
        "too_large",
        "undecodable",
        "unsupported_encoding",
    ];
}

/// The answer to a request that is refused; nobody is left to read one of reason `Disconnected`.
#[derive(Debug)]
pub struct Refusal {
    /// What it is counted by.
    pub reason: Reason,
    /// Its `grpc-status`.
    pub code: Code,
    /// Its `grpc-message`.
    pub message: Cow<'static, str>,
    /// Its `grpc-status-details-bin`.
    pub details: Vec<u8>,
}

const RETRY_AFTER: u8 = 1; // seconds

impl Refusal {
    fn plain(reason: Reason, code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, code, message: message.into(), details: Vec::new() }
    }

    /// Too many bytes; without details, so that no client sends it again.
    pub fn too_large(limit: usize) -> Self {
        let message = format!(
            "the request has more than {limit} bytes; send less at once (or raise max_request_bytes)"
        );
        Self::plain(Reason::TooLarge, Code::ResourceExhausted, message)
    }

    /// No request at all.
    pub fn undecodable(message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        let details = status::bad_request(Code::InvalidArgument as u8, &message);
        Self { details, ..Self::plain(Reason::Undecodable, Code::InvalidArgument, message) }
    }

    /// Bytes that break the rules of gRPC's framing.
    pub fn unframed(message: &'static str) -> Self {
        Self::plain(Reason::Undecodable, Code::Internal, message)
    }

    /// Not now.
    pub fn backpressure() -> Self {
        let message = "the collector is reading too many large requests at once";
        let details = status::retry(Code::Unavailable as u8, message, RETRY_AFTER);
        Self { details, ..Self::plain(Reason::Backpressure, Code::Unavailable, message) }
    }

    /// An unknown `grpc-encoding`.
    pub fn unsupported_encoding() -> Self {
        let message = "the request's grpc-encoding is not known here; there are: identity, deflate, gzip";
        Self::plain(Reason::UnsupportedEncoding, Code::Unimplemented, message)
    }

    /// An unknown path.
    pub fn not_found() -> Self {
        Self::plain(Reason::NotFound, Code::Unimplemented, "no such method is served here")
    }

    /// A sender that takes too long.
    pub fn slow() -> Self {
        Self::plain(Reason::Slow, Code::DeadlineExceeded, "the request took too long to arrive")
    }

    /// A sender that left.
    pub fn disconnected() -> Self {
        Self::plain(Reason::Disconnected, Code::Internal, "")
    }
}
