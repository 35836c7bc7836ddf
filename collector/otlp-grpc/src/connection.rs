//! One connection: HTTP/2, by prior knowledge or over TLS, within limits.

use crate::metadata::LastSeen;
use crate::refusal::Reason;
use crate::request::Begun;
use crate::server::Shared;
use crate::tls::{Tls, shake_hands};
use bytes::Bytes;
use h2::server::{Builder, Connection};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::timeout;

const PREFACE_TIME: Duration = Duration::from_secs(20);
/// Also bounds what a connection takes whose peer never reads its answers.
const CONCURRENT_STREAMS: u32 = 512;
const HEADERS_BYTES: u32 = 64 << 10; // of one request
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;
/// Refusals until a connection is closed; a sender's first burst may come before it knows how many streams it has.
const REFUSED_STREAMS: usize = 4096;
/// Streams that a sender may open and reset before they are looked at.
const RESET_UNSEEN: usize = 64;
const RESET_REMEMBERED: usize = 64;
const RESET_REMEMBERED_TIME: Duration = Duration::from_secs(1);

/// Serve until either side has enough, or a stop has let it finish.
pub async fn serve<T: AsyncRead + AsyncWrite + Unpin>(
    stream: T,
    peer: IpAddr,
    shared: Arc<Shared>,
    stopping: watch::Receiver<bool>,
) {
    match shared.tls.now() {
        None => serve_http2(stream, peer, shared, stopping).await,
        // apart, so that connections without TLS take no memory for it
        Some(tls) => Box::pin(serve_tls(stream, tls, peer, shared, stopping)).await,
    }
}

async fn serve_tls<T: AsyncRead + AsyncWrite + Unpin>(
    stream: T,
    tls: Tls,
    peer: IpAddr,
    shared: Arc<Shared>,
    stopping: watch::Receiver<bool>,
) {
    if let Some(stream) = shake_hands(stream, tls, peer, &shared.exchange).await {
        serve_http2(stream, peer, shared, stopping).await;
    }
}

async fn serve_http2<T: AsyncRead + AsyncWrite + Unpin>(
    stream: T,
    peer: IpAddr,
    shared: Arc<Shared>,
    stopping: watch::Receiver<bool>,
) {
    match timeout(PREFACE_TIME, builder().handshake(stream)).await {
        Ok(Ok(connection)) => serve_requests(connection, peer, shared, stopping).await,
        Ok(Err(error)) if error.is_io() => {} // closed by whoever only looked whether the port is open
        Ok(Err(_)) => shared.exchange.count(Reason::NoHttp),
        Err(_) => shared.exchange.count(Reason::Slow),
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(CONCURRENT_STREAMS)
        .max_local_error_reset_streams(Some(REFUSED_STREAMS))
        .max_header_list_size(HEADERS_BYTES)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_pending_accept_reset_streams(RESET_UNSEEN)
        .max_concurrent_reset_streams(RESET_REMEMBERED)
        .reset_stream_duration(RESET_REMEMBERED_TIME);
    builder
}

async fn serve_requests<T: AsyncRead + AsyncWrite + Unpin>(
    mut connection: Connection<T, Bytes>,
    peer: IpAddr,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut last_seen = LastSeen::by(peer);
    let mut told = false;
    loop {
        tokio::select! {
            biased;
            accepted = connection.accept() => match accepted {
                Some(Ok((request, to))) => {
                    if let Some(begun) = Begun::admit(request, to, &mut last_seen, &shared) {
                        tokio::spawn(begun.receive(Arc::clone(&shared)));
                    }
                }
                Some(Err(_)) | None => return,
            },
            _ = stopping.wait_for(|stopping| *stopping), if !told => {
                connection.graceful_shutdown();
                told = true;
            }
        }
    }
}
