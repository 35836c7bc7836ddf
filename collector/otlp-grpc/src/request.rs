//! One request: its head, its message, its memory.

use crate::answer;
use crate::compression::Encoding;
use crate::exchange::Unanswered;
use crate::gathered::{Gathered, Message};
use crate::metadata::{LastSeen, Metadata};
use crate::refusal::Refusal;
use crate::server::Shared;
use crate::unfinished::Held;
use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use std::sync::Arc;
use tokio::time::timeout;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Bytes from which a compressed message is decompressed in another thread, so that it holds up no other.
const LARGE_COMPRESSED: usize = 16 << 10;
/// Bytes that a request takes beside its message and metadata, about.
const OVERHEAD: usize = 2 << 10;

/// A request whose head is in order.
pub struct Begun {
    method: usize,
    encoding: Encoding,
    metadata: Arc<Metadata>,
    held: Held,
    in_hand: TaskTrackerToken,
    body: RecvStream,
    to: SendResponse<Bytes>,
}

impl Begun {
    /// Look at the head; what is no request of ours is answered at once.
    pub fn admit(
        request: Request<RecvStream>,
        to: SendResponse<Bytes>,
        last_seen: &mut LastSeen,
        shared: &Shared,
    ) -> Option<Self> {
        if let Err(status) = grpc(&request) {
            answer::send_http(to, status);
            return None;
        }
        let admitted = || {
            let method = *shared.methods.get(request.uri().path()).ok_or_else(Refusal::not_found)?;
            let encoding = Encoding::of(request.headers())?;
            let metadata = last_seen.of(request.headers());
            let mut held = Held::nothing(&shared.unfinished);
            held.add(OVERHEAD + metadata.size())?;
            Ok((method, encoding, metadata, held))
        };
        match { admitted }() {
            Ok((method, encoding, metadata, held)) => {
                let (in_hand, body) = (shared.in_hand.token(), request.into_body());
                Some(Self { method, encoding, metadata, held, in_hand, body, to })
            }
            Err(refusal) => {
                shared.exchange.refuse(refusal, to);
                None
            }
        }
    }

    /// Read the message and leave it for Python, or refuse it.
    pub async fn receive(mut self, shared: Arc<Shared>) {
        let reading = timeout(shared.limits.body_time, self.message(shared.limits.message_bytes));
        match reading.await.unwrap_or_else(|_| Err(Refusal::slow())) {
            Ok(message) => {
                let kept = Unanswered { to: self.to, held: self.held, in_hand: self.in_hand };
                shared.exchange.submit(self.method, self.metadata, message, kept);
            }
            Err(refusal) => shared.exchange.refuse(refusal, self.to),
        }
    }

    async fn message(&mut self, limit: usize) -> Result<Message, Refusal> {
        let mut gathered = Gathered::new(limit);
        while let Some(chunk) = self.body.data().await {
            let chunk = chunk.map_err(|_| Refusal::disconnected())?;
            let _closed = self.body.flow_control().release_capacity(chunk.len());
            self.held.add(chunk.len())?;
            gathered.push(&chunk)?;
        }
        let message = gathered.finish()?;
        if message.compressed { self.in_the_clear(message, limit).await } else { Ok(message) }
    }

    async fn in_the_clear(&mut self, message: Message, limit: usize) -> Result<Message, Refusal> {
        let encoding = self.encoding;
        let sent = message.bytes().len();
        let decompressed = if sent < LARGE_COMPRESSED {
            encoding.decompress(message.bytes(), limit)
        } else {
            let apart = tokio::task::spawn_blocking(move || encoding.decompress(message.bytes(), limit));
            apart.await.unwrap_or_else(|_| Err(Refusal::undecodable("the body cannot be decompressed")))
        };
        let decompressed = decompressed?;
        self.held.add(decompressed.len())?;
        self.held.release(sent);
        Ok(Message::in_the_clear(decompressed))
    }
}

fn grpc<T>(request: &Request<T>) -> Result<(), StatusCode> {
    let content_type = request.headers().get(CONTENT_TYPE).map(|value| value.as_bytes());
    if request.method() != Method::POST {
        Err(StatusCode::METHOD_NOT_ALLOWED)
    } else if !content_type.is_some_and(|name| name.starts_with(b"application/grpc")) {
        Err(StatusCode::UNSUPPORTED_MEDIA_TYPE)
    } else {
        Ok(())
    }
}
