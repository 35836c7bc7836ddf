//! Log records to columns.

use crate::anyvalue::{Value, replace};
use crate::attributes::{AttributeMaps, SharedMaps};
use crate::columns::{Batch, Names, ids, numbers, push_id, strings, time, times};
use crate::envelope::{Envelope, Expansion, IN_RECORD, Records};
use crate::intern::Texts;
use crate::wire::{FIXED32, FIXED64, LEN, Reader, Result, VARINT};
use arrow_schema::DataType;

const LAST_SEVERITY: i32 = 24;

/// The columns of log records.
pub struct Logs<'a> {
    timestamp: Vec<i64>,
    trace_id: Texts,
    span_id: Texts,
    trace_flags: Vec<u8>,
    severity_text: Names,
    severity_number: Vec<u8>,
    service_name: Names,
    body: Texts,
    resource_schema_url: Names,
    resource: SharedMaps,
    scope_schema_url: Names,
    scope_name: Names,
    scope_version: Names,
    scope: SharedMaps,
    attributes: AttributeMaps<'a>,
    event_name: Names,
    /// How many records have come in scopes that have not ended, whether they have become rows or not.
    records: usize,
}

/// A log record's fields, still encoded where they nest.
#[derive(Default)]
struct LogRecord<'a> {
    time: u64,
    observed_time: u64,
    severity_number: i32,
    severity_text: &'a [u8],
    body: Value<'a>,
    flags: u32,
    trace_id: &'a [u8],
    span_id: &'a [u8],
    event_name: &'a [u8],
}

impl<'a> LogRecord<'a> {
    #[inline(always)]
    fn read(bytes: &'a [u8], attributes: &mut AttributeMaps<'a>) -> Result<Self> {
        let mut record = LogRecord::default();
        let mut reader = Reader::new(bytes);
        while let Some((field, wire)) = reader.field()? {
            match (field, wire) {
                (1, FIXED64) => record.time = reader.fixed64()?,
                (2, VARINT) => record.severity_number = reader.varint()? as i32,
                (3, LEN) => replace(&mut record.severity_text, reader.bytes()?)?,
                (5, LEN) => record.body.merge(reader.bytes()?, bytes, 5, IN_RECORD - 1)?,
                (6, LEN) => attributes.add(reader.bytes()?, IN_RECORD - 1)?,
                (8, FIXED32) => record.flags = reader.fixed32()?,
                (9, LEN) => record.trace_id = reader.bytes()?,
                (10, LEN) => record.span_id = reader.bytes()?,
                (11, FIXED64) => record.observed_time = reader.fixed64()?,
                (12, LEN) => replace(&mut record.event_name, reader.bytes()?)?,
                _ => reader.skip(field, wire, IN_RECORD)?,
            }
        }
        Ok(record)
    }
}

impl<'a> Logs<'a> {
    /// No rows.
    pub fn new() -> Self {
        Self {
            timestamp: Vec::new(),
            trace_id: Texts::new(),
            span_id: Texts::new(),
            trace_flags: Vec::new(),
            severity_text: Names::new(),
            severity_number: Vec::new(),
            service_name: Names::new(),
            body: Texts::new(),
            resource_schema_url: Names::new(),
            resource: SharedMaps::new(),
            scope_schema_url: Names::new(),
            scope_name: Names::new(),
            scope_version: Names::new(),
            scope: SharedMaps::new(),
            attributes: AttributeMaps::new(),
            event_name: Names::new(),
            records: 0,
        }
    }

    /// How many log records there are.
    pub fn rows(&self) -> usize {
        self.timestamp.len()
    }

    fn push(&mut self, record: &LogRecord<'_>) {
        self.timestamp.push(time(if record.time == 0 { record.observed_time } else { record.time }));
        push_id::<16>(record.trace_id, &mut self.trace_id);
        push_id::<8>(record.span_id, &mut self.span_id);
        self.trace_flags.push(record.flags as u8);
        self.severity_text.push(record.severity_text);
        let is_known = (0..=LAST_SEVERITY).contains(&record.severity_number);
        self.severity_number.push(if is_known { record.severity_number as u8 } else { 0 });
        record.body.write(&mut self.body.bytes);
        self.body.end();
        self.event_name.push(record.event_name);
    }

    /// Return the columns.
    pub fn finish(self) -> Result<Batch> {
        let mut batch = Batch::default();
        batch.add("Timestamp", times(self.timestamp));
        batch.add("TraceId", ids(self.trace_id)?);
        batch.add("SpanId", ids(self.span_id)?);
        batch.add("TraceFlags", numbers(DataType::UInt8, self.trace_flags));
        batch.add("SeverityText", self.severity_text.finish()?);
        batch.add("SeverityNumber", numbers(DataType::UInt8, self.severity_number));
        batch.add("ServiceName", self.service_name.finish()?);
        batch.add("Body", strings(self.body)?);
        batch.add("ResourceSchemaUrl", self.resource_schema_url.finish()?);
        batch.add("ResourceAttributes", self.resource.finish()?);
        batch.add("ScopeSchemaUrl", self.scope_schema_url.finish()?);
        batch.add("ScopeName", self.scope_name.finish()?);
        batch.add("ScopeVersion", self.scope_version.finish()?);
        batch.add("ScopeAttributes", self.scope.finish()?);
        batch.add("LogAttributes", self.attributes.finish()?);
        batch.add("EventName", self.event_name.finish()?);
        Ok(batch)
    }
}

impl<'a> Records<'a> for Logs<'a> {
    fn record(&mut self, bytes: &'a [u8]) -> Result<()> {
        self.records += 1;
        let record = LogRecord::read(bytes, &mut self.attributes)?;
        self.push(&record);
        self.attributes.end()
    }

    fn end(&mut self, scope: &Envelope<'_>, expansion: &mut Expansion) -> Result<()> {
        expansion.spend(std::mem::take(&mut self.records))?;
        let rows = self.timestamp.len() - self.scope_name.len();
        if rows > 0 {
            self.service_name.fill(&scope.service_name(), rows);
            self.resource_schema_url.fill(scope.resource_schema_url, rows);
            self.resource.fill(&scope.resource, rows);
            self.scope_schema_url.fill(scope.scope_schema_url, rows);
            self.scope_name.fill(scope.scope_name, rows);
            self.scope_version.fill(scope.scope_version, rows);
            self.scope.fill(&scope.scope, rows);
        }
        Ok(())
    }
}
