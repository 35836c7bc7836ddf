//! A gRPC server for unary methods, on a thread of its own, that hands requests to Python in batches.
//!
//! ```text
//!  sockets ─▶ connection ─▶ request: head, body, decompress ─▶ exchange ─▶ take()      Python's thread,
//!             (TLS: rustls,                                    exchange ◀─ succeed() …  no per-request wake-up
//!             HTTP/2: h2) ◀─ answer: message or status, trailers ◀─┘
//! ```
//!
//! The server's thread never waits for the interpreter's lock: it leaves requests in the exchange and writes
//! one byte to wake whoever takes them. What cannot be a request is answered here, and counted.

mod answer;
mod compression;
mod connection;
mod exchange;
mod gathered;
mod metadata;
mod python;
mod refusal;
mod request;
mod server;
mod status;
mod tls;
mod unfinished;

use std::time::Duration;

/// How much a server takes, and how long it waits.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one message, as sent and again after decompression.
    pub message_bytes: usize,
    /// Bytes that all unfinished requests may hold together.
    pub unfinished_bytes: usize,
    /// How long a request may take to arrive.
    pub body_time: Duration,
}
