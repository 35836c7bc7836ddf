//! OTLP protobuf to Arrow record batches, straight from the wire to the columns.

pub mod anyvalue;
mod attributes;
mod check;
mod columns;
mod envelope;
mod intern;
mod logs;
mod metrics;
pub mod number;
mod plain;
mod points;
mod python;
pub mod screen;
mod traces;
mod validate;
pub mod wire;

use columns::Batch;

use wire::{Error, Result};

/// How many bytes of requests `decode` takes at once: with them, no column outgrows its offsets.
pub const MOST_BYTES: usize = 256 << 20;

/// Which OTLP service requests were made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `ExportTraceServiceRequest`
    Traces,
    /// `ExportLogsServiceRequest`
    Logs,
    /// `ExportMetricsServiceRequest`
    Metrics,
}

/// The rows of one signal, and how many of them come from each request.
pub struct Decoded {
    /// The signal's name.
    pub signal: &'static str,
    /// A structure array: a record batch.
    pub records: arrow_data::ArrayData,
    /// By request.
    pub rows_of: Vec<usize>,
}

/// Count a request's records: those to keep, and those whose ids are invalid.
pub fn check(kind: Kind, request: &[u8]) -> Result<(usize, usize)> {
    match kind {
        Kind::Traces => count(request, check::CountSpans::default()),
        Kind::Logs => count(request, check::CountLogRecords::default()),
        Kind::Metrics => count(request, check::CountPoints::default()),
    }
}

fn count<'a>(
    request: &'a [u8],
    mut records: impl envelope::Records<'a> + check::Counted,
) -> Result<(usize, usize)> {
    envelope::walk(request, &mut records)?;
    Ok(records.counted())
}

/// Decode requests of one kind; signals without rows are left out. The error comes with the number of
/// the request it is in, where it is in one.
pub fn decode(kind: Kind, requests: &[&[u8]]) -> std::result::Result<Vec<Decoded>, (Error, Option<usize>)> {
    if requests.iter().map(|request| request.len()).sum::<usize>() > MOST_BYTES {
        return Err((Error::TooLarge, None));
    }
    let whole = |error| (error, None);
    let decoded = match kind {
        Kind::Traces => {
            let mut traces = traces::Traces::new();
            let [rows_of] = each(requests, &mut traces, |traces| [traces.rows()])?;
            vec![("traces", traces.finish().map_err(whole)?, rows_of)]
        }
        Kind::Logs => {
            let mut logs = logs::Logs::new();
            let [rows_of] = each(requests, &mut logs, |logs| [logs.rows()])?;
            vec![("logs", logs.finish().map_err(whole)?, rows_of)]
        }
        Kind::Metrics => {
            let mut metrics = metrics::Metrics::new();
            let rows_of = each(requests, &mut metrics, metrics::Metrics::rows)?;
            let batches = metrics.finish().map_err(whole)?.into_iter().zip(rows_of);
            batches.map(|((signal, batch), rows_of)| (signal, batch, rows_of)).collect()
        }
    };
    Ok(decoded.into_iter().filter_map(with_rows).collect())
}

fn with_rows((signal, batch, rows_of): (&'static str, Batch, Vec<usize>)) -> Option<Decoded> {
    let has_rows = rows_of.iter().any(|rows| *rows > 0);
    has_rows.then(|| Decoded { signal, records: batch.into_array(), rows_of })
}

/// Read requests one after another, and return how many rows of each signal each has brought.
fn each<'a, R: envelope::Records<'a>, const SIGNALS: usize>(
    requests: &[&'a [u8]],
    records: &mut R,
    rows: impl Fn(&R) -> [usize; SIGNALS],
) -> std::result::Result<[Vec<usize>; SIGNALS], (Error, Option<usize>)> {
    let mut rows_of = std::array::from_fn(|_| Vec::with_capacity(requests.len()));
    let mut before = rows(records);
    for (number, request) in requests.iter().enumerate() {
        envelope::walk(request, records).map_err(|error| (error, Some(number)))?;
        let after = rows(records);
        for signal in 0..SIGNALS {
            rows_of[signal].push(after[signal] - before[signal]);
        }
        before = after;
    }
    Ok(rows_of)
}
