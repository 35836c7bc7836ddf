//! The server's thread: listens, serves, stops.

use crate::exchange::Exchange;
use crate::tls::Spoken;
use crate::unfinished::Unfinished;
use crate::{Limits, connection};
use socket2::{SockRef, TcpKeepalive};
use std::collections::HashMap;
use std::io;
use std::net::TcpListener as BoundListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::task::TaskTracker;

/// Until a connection may be accepted again after one could not be (no file descriptor is left, mostly).
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// What idle connections get to say goodbye in.
const GOODBYE: Duration = Duration::from_secs(1);
/// Until a peer is asked whether it is still there, and how often, and until one that is not is forgotten.
const ASK_AFTER: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_secs(15);
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// What connections and requests share.
pub struct Shared {
    /// How much is taken.
    pub limits: Limits,
    /// The number of each path.
    pub methods: HashMap<String, usize>,
    /// Whether TLS is spoken, and with what.
    pub tls: Spoken,
    /// The way to Python and back.
    pub exchange: Exchange,
    /// The memory of all requests.
    pub unfinished: Arc<Unfinished>,
    /// Requests that are being read or answered.
    pub in_hand: TaskTracker,
}

struct Running {
    stop: oneshot::Sender<Duration>,
    thread: JoinHandle<()>,
}

/// A server on a thread of its own.
pub struct Server {
    running: Mutex<Option<Running>>,
}

impl Server {
    /// Serve at these sockets, with up to `connections` at once.
    pub fn start(listeners: Vec<BoundListener>, shared: Arc<Shared>, connections: usize) -> io::Result<Self> {
        let runtime =
            Builder::new_current_thread().enable_io().enable_time().max_blocking_threads(2).build()?;
        let listeners = {
            let _context = runtime.enter();
            listeners.into_iter().map(listening).collect::<io::Result<Vec<_>>>()?
        };
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("otlp-grpc".into())
            .spawn(move || serve(runtime, listeners, shared, connections, stopped))?;
        Ok(Self { running: Mutex::new(Some(Running { stop, thread })) })
    }

    /// Accept no more, finish what has begun within that time, and return when the thread has ended.
    pub fn stop(&self, within: Duration) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Running { stop, thread }) = running.take() {
            let _ended = stop.send(within);
            let _panicked = thread.join();
        }
    }
}

fn listening(bound: BoundListener) -> io::Result<TcpListener> {
    bound.set_nonblocking(true)?;
    TcpListener::from_std(bound)
}

fn serve(
    runtime: Runtime,
    listeners: Vec<TcpListener>,
    shared: Arc<Shared>,
    connections: usize,
    stopped: oneshot::Receiver<Duration>,
) {
    runtime.block_on(serve_until(listeners, shared, connections, stopped));
    runtime.shutdown_background();
}

async fn serve_until(
    listeners: Vec<TcpListener>,
    shared: Arc<Shared>,
    connections: usize,
    stopped: oneshot::Receiver<Duration>,
) {
    let answering = Arc::clone(&shared);
    tokio::spawn(async move { answering.exchange.send_answers().await });
    let (stopping, will_stop) = watch::channel(false);
    let room = Arc::new(Semaphore::new(connections));
    let open = TaskTracker::new();
    let mut accepting = JoinSet::new();
    for listener in listeners {
        let (shared, room) = (Arc::clone(&shared), Arc::clone(&room));
        accepting.spawn(accept(listener, shared, room, open.clone(), will_stop.clone()));
    }
    let within = stopped.await.unwrap_or_default();
    let deadline = Instant::now() + within;
    accepting.shutdown().await; // the ports are free from here on
    let _all_told = stopping.send(true);
    shared.in_hand.close();
    open.close();
    loop {
        let late = timeout_at(deadline, shared.in_hand.wait()).await.is_err();
        let gone = timeout(GOODBYE, open.wait()).await.is_ok();
        if late || gone || shared.in_hand.is_empty() {
            return; // else a request came in before its sender had read that it should not
        }
    }
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
    open: TaskTracker,
    stopping: watch::Receiver<bool>,
) {
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let _unsupported = configure(&stream);
        let (shared, stopping) = (Arc::clone(&shared), stopping.clone());
        open.spawn(async move {
            connection::serve(stream, peer.ip(), shared, stopping).await;
            drop(place);
        });
    }
}

fn configure(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(ASK_AFTER).with_interval(ASK_EVERY))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(FORGET_AFTER))?;
    Ok(())
}
