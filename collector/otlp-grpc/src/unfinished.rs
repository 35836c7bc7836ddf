//! Bounds the memory of requests that are being read or answered, however many there are at once.

use crate::refusal::Refusal;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The bytes that all unfinished requests hold together.
#[derive(Debug)]
pub struct Unfinished {
    limit: usize,
    held: AtomicUsize,
}

impl Unfinished {
    /// None so far.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, held: AtomicUsize::new(0) })
    }
}

/// What one request holds, until it is dropped.
#[derive(Debug)]
pub struct Held {
    all: Arc<Unfinished>,
    own: usize,
}

impl Held {
    /// A request that holds nothing yet.
    pub fn nothing(all: &Arc<Unfinished>) -> Self {
        Self { all: Arc::clone(all), own: 0 }
    }

    /// Hold `size` bytes more; refused where that is too much, but not for one request alone.
    pub fn add(&mut self, size: usize) -> Result<(), Refusal> {
        self.own += size;
        let total = self.all.held.fetch_add(size, Relaxed) + size;
        if total > self.all.limit && total > self.own { Err(Refusal::backpressure()) } else { Ok(()) }
    }

    /// Hold `size` bytes less.
    pub fn release(&mut self, size: usize) {
        self.own -= size;
        self.all.held.fetch_sub(size, Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.held.fetch_sub(self.own, Relaxed);
    }
}
