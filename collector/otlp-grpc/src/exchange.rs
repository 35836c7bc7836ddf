//! Where the server's thread leaves requests, and Python's thread leaves answers; neither waits for the other.

use crate::answer::{self, Answer};
use crate::gathered::Message;
use crate::metadata::Metadata;
use crate::refusal::{Reason, Refusal};
use crate::unfinished::Held;
use bytes::Bytes;
use h2::server::SendResponse;
use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A request for Python.
pub struct Request {
    /// What its answer will name it by.
    pub token: u64,
    /// The number of its method.
    pub method: usize,
    /// What its sender says of itself.
    pub metadata: Arc<Metadata>,
    /// What it asks.
    pub message: Message,
}

/// What is kept of a request until it is answered.
pub struct Unanswered {
    /// Where the answer goes.
    pub to: SendResponse<Bytes>,
    /// Its memory.
    pub held: Held,
    /// Says that there is one more to be finished before a stop.
    pub in_hand: TaskTrackerToken,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Request>,
    signalled: bool,
}

enum Answered {
    Succeeded(Vec<u64>),
    One(u64, Answer),
}

/// Both directions.
pub struct Exchange {
    waiting: Mutex<Waiting>,
    bell: UnixStream,
    ear: UnixStream,
    answered: Mutex<Vec<Answered>>,
    has_answers: Notify,
    unanswered: Mutex<HashMap<u64, Unanswered>>,
    next_token: AtomicU64,
    refused: [AtomicU64; Reason::NAMES.len()],
    handshake: Mutex<Option<(IpAddr, String)>>,
}

impl Exchange {
    /// An empty one.
    pub fn new() -> io::Result<Self> {
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        Ok(Self {
            waiting: Mutex::default(),
            bell,
            ear,
            answered: Mutex::default(),
            has_answers: Notify::new(),
            unanswered: Mutex::default(),
            next_token: AtomicU64::new(0),
            refused: Default::default(),
            handshake: Mutex::default(),
        })
    }

    /// What becomes readable when there is something to take.
    pub fn ear(&self) -> RawFd {
        self.ear.as_raw_fd()
    }

    /// Leave a request for Python.
    pub fn submit(&self, method: usize, metadata: Arc<Metadata>, message: Message, kept: Unanswered) {
        let token = self.next_token.fetch_add(1, Relaxed);
        locked(&self.unanswered).insert(token, kept);
        let mut waiting = locked(&self.waiting);
        waiting.requests.push_back(Request { token, method, metadata, message });
        self.ring(&mut waiting);
    }

    /// Answer a request that never reaches Python, and count it.
    pub fn refuse(&self, refusal: Refusal, to: SendResponse<Bytes>) {
        let gone = refusal.reason == Reason::Disconnected;
        self.count(refusal.reason);
        if !gone {
            answer::send(to, refusal.into());
        }
    }

    /// Count a refusal.
    pub fn count(&self, reason: Reason) {
        self.refused[reason as usize].fetch_add(1, Relaxed);
        self.ring(&mut locked(&self.waiting));
    }

    /// Take requests, `most` at most; the ear stays readable while there are more.
    pub fn take(&self, most: usize) -> Vec<Request> {
        let mut waiting = locked(&self.waiting);
        let taken = waiting.requests.len().min(most);
        let requests = waiting.requests.drain(..taken).collect();
        if waiting.requests.is_empty() && waiting.signalled {
            let _nothing_there = (&self.ear).read(&mut [0; 8]);
            waiting.signalled = false;
        }
        requests
    }

    /// The refusals since the last call.
    pub fn take_refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.refused.iter().map(|count| count.swap(0, Relaxed));
        Reason::NAMES.into_iter().zip(counts).filter(|(_, count)| *count > 0)
    }

    /// Note why a handshake failed; the last one is remembered.
    pub fn note_handshake(&self, peer: IpAddr, why: String) {
        *locked(&self.handshake) = Some((peer, why));
    }

    /// The last handshake that failed since the last call.
    pub fn take_handshake(&self) -> Option<(IpAddr, String)> {
        locked(&self.handshake).take()
    }

    /// Answer many requests with the empty message.
    pub fn succeed(&self, tokens: Vec<u64>) {
        self.leave(Answered::Succeeded(tokens));
    }

    /// Answer one request.
    pub fn answer(&self, token: u64, answer: Answer) {
        self.leave(Answered::One(token, answer));
    }

    /// Send answers as they come, forever.
    pub async fn send_answers(&self) {
        loop {
            self.has_answers.notified().await;
            let answered = std::mem::take(&mut *locked(&self.answered));
            for answers in answered {
                match answers {
                    Answered::Succeeded(tokens) => {
                        tokens.into_iter().for_each(|token| self.send(token, Answer::Message(Vec::new())));
                    }
                    Answered::One(token, answer) => self.send(token, answer),
                }
            }
        }
    }

    fn send(&self, token: u64, answer: Answer) {
        let kept = locked(&self.unanswered).remove(&token);
        if let Some(Unanswered { to, held, in_hand }) = kept {
            answer::send(to, answer);
            drop((held, in_hand));
        }
    }

    fn leave(&self, answers: Answered) {
        locked(&self.answered).push(answers);
        self.has_answers.notify_one();
    }

    fn ring(&self, waiting: &mut Waiting) {
        if !waiting.signalled {
            waiting.signalled = true;
            let _full = (&self.bell).write(&[1]);
        }
    }
}

/// A thread that panicked while it held the lock has left nothing half done here.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
