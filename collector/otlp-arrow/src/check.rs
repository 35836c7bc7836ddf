//! Counts a request's records without building anything.

use crate::columns::is_valid_id;
use crate::envelope::{Envelope, Expansion, IN_RECORD, Records};
use crate::validate::{LOG_RECORD, METRIC, SPAN, validate, validate_field};
use crate::wire::{LEN, Reader, Result, occurrences};

/// Counts spans, and those whose own ids are invalid.
#[derive(Default)]
pub struct CountSpans {
    /// Spans to keep.
    pub accepted: usize,
    /// Spans to refuse.
    pub rejected: usize,
}

impl Records for CountSpans {
    fn record(&mut self, span: &[u8], _: &Envelope<'_>, expansion: &mut Expansion) -> Result<()> {
        expansion.spend(1)?;
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
            self.accepted += 1;
        } else {
            self.rejected += 1;
        }
        Ok(())
    }
}

/// Counts log records.
#[derive(Default)]
pub struct CountLogRecords(pub usize);

impl Records for CountLogRecords {
    fn record(&mut self, record: &[u8], _: &Envelope<'_>, expansion: &mut Expansion) -> Result<()> {
        expansion.spend(1)?;
        self.0 += 1;
        validate(&LOG_RECORD, record, IN_RECORD)
    }
}

/// Counts data points.
#[derive(Default)]
pub struct CountPoints(pub usize);

impl Records for CountPoints {
    fn record(&mut self, metric: &[u8], _: &Envelope<'_>, expansion: &mut Expansion) -> Result<()> {
        let (mut kind, mut points) = (0, 0);
        let mut reader = Reader::new(metric);
        while let Some((field, wire)) = reader.field()? {
            let mut ahead = reader;
            validate_field(&METRIC, &mut reader, field, wire, IN_RECORD)?;
            if let (5 | 7 | 9 | 10 | 11, LEN) = (field, wire) {
                if kind != field {
                    (kind, points) = (field, 0);
                }
                points += occurrences(ahead.bytes()?, 1).count();
            }
        }
        expansion.spend(points)?;
        self.0 += points;
        Ok(())
    }
}
