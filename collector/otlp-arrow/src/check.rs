//! Counts a request's records without building anything.

use crate::columns::is_valid_id;
use crate::envelope::{Envelope, Expansion, IN_RECORD, Records};
use crate::validate::{LOG_RECORD, METRIC, SPAN, validate, validate_field};
use crate::wire::{LEN, Reader, Result, occurrences};

/// Counts records.
#[derive(Default)]
struct Counts {
    accepted: usize,
    rejected: usize,
    /// How many of them are in scopes that have ended.
    ended: usize,
}

impl Counts {
    fn end(&mut self, expansion: &mut Expansion) -> Result<()> {
        let all = self.accepted + self.rejected;
        expansion.spend(all - self.ended)?;
        self.ended = all;
        Ok(())
    }
}

/// Counts spans; those whose own ids are invalid are rejected.
#[derive(Default)]
pub struct CountSpans(Counts);

/// Counts log records.
#[derive(Default)]
pub struct CountLogRecords(Counts);

/// Counts data points.
#[derive(Default)]
pub struct CountPoints(Counts);

/// Return how many records were accepted and rejected.
pub trait Counted {
    /// (accepted, rejected)
    fn counted(&self) -> (usize, usize);
}

macro_rules! counted {
    ($($counts:ty),*) => { $(impl Counted for $counts {
        fn counted(&self) -> (usize, usize) {
            (self.0.accepted, self.0.rejected)
        }
    })* };
}

counted!(CountSpans, CountLogRecords, CountPoints);

impl<'a> Records<'a> for CountSpans {
    fn record(&mut self, span: &'a [u8]) -> Result<()> {
        let (mut trace_id, mut span_id): (&[u8], &[u8]) = (b"", b"");
        let mut reader = Reader::new(span);
        while let Some((field, wire)) = reader.field()? {
            match (field, wire) {
                (1, LEN) => trace_id = reader.bytes()?,
                (2, LEN) => span_id = reader.bytes()?,
                _ => validate_field(&SPAN, &mut reader, field, wire, IN_RECORD)?,
            }
        }
        if is_valid_id::<16>(trace_id) && is_valid_id::<8>(span_id) {
            self.0.accepted += 1;
        } else {
            self.0.rejected += 1;
        }
        Ok(())
    }

    fn end(&mut self, _: &Envelope<'_>, expansion: &mut Expansion) -> Result<()> {
        self.0.end(expansion)
    }
}

impl<'a> Records<'a> for CountLogRecords {
    fn record(&mut self, record: &'a [u8]) -> Result<()> {
        self.0.accepted += 1;
        validate(&LOG_RECORD, record, IN_RECORD)
    }

    fn end(&mut self, _: &Envelope<'_>, expansion: &mut Expansion) -> Result<()> {
        self.0.end(expansion)
    }
}

impl<'a> Records<'a> for CountPoints {
    fn record(&mut self, metric: &'a [u8]) -> Result<()> {
        let (mut kind, mut points) = (0, 0);
        let mut reader = Reader::new(metric);
        while let Some((field, wire)) = reader.field()? {
            let mut ahead = reader.clone();
            validate_field(&METRIC, &mut reader, field, wire, IN_RECORD)?;
            if let (5 | 7 | 9 | 10 | 11, LEN) = (field, wire) {
                if kind != field {
                    (kind, points) = (field, 0);
                }
                points += occurrences(ahead.bytes()?, 1).count();
            }
        }
        self.0.accepted += points;
        Ok(())
    }

    fn end(&mut self, _: &Envelope<'_>, expansion: &mut Expansion) -> Result<()> {
        self.0.end(expansion)
    }
}
