//! Spans to columns.

use crate::anyvalue::replace;
use crate::attributes::{AttributeMaps, SharedMaps};
use crate::columns::{Batch, Names, Offsets, ids, is_valid_id, numbers, push_id, strings, time, times};
use crate::envelope::{Envelope, Expansion, IN_RECORD, Records};
use crate::intern::Texts;
use crate::validate::{SPAN, validate};
use crate::wire::{FIXED64, LEN, Reader, Result, VARINT};
use arrow_schema::DataType;

const KINDS: [&[u8]; 6] = [b"Unspecified", b"Internal", b"Server", b"Client", b"Producer", b"Consumer"];
const CODES: [&[u8]; 3] = [b"Unset", b"Ok", b"Error"];

/// The columns of spans.
pub struct Traces<'a> {
    timestamp: Vec<i64>,
    trace_id: Texts,
    span_id: Texts,
    parent_span_id: Texts,
    trace_state: Texts,
    name: Names,
    kind: Names,
    service_name: Names,
    resource: SharedMaps,
    scope_name: Names,
    scope_version: Names,
    attributes: AttributeMaps<'a>,
    duration: Vec<u64>,
    status_code: Names,
    status_message: Texts,
    events: Events<'a>,
    links: Links<'a>,
    nested: Nested<'a>,
    /// How many records have come in scopes that have not ended, whether they have become rows or not.
    records: usize,
}

struct Events<'a> {
    offsets: Offsets,
    timestamp: Vec<i64>,
    name: Names,
    attributes: AttributeMaps<'a>,
}

struct Links<'a> {
    offsets: Offsets,
    trace_id: Texts,
    span_id: Texts,
    trace_state: Texts,
    attributes: AttributeMaps<'a>,
}

/// A span's fields, still encoded where they nest.
#[derive(Default)]
struct Span<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    trace_state: &'a [u8],
    parent_span_id: &'a [u8],
    name: &'a [u8],
    kind: i32,
    start: u64,
    end: u64,
    status_message: &'a [u8],
    status_code: i32,
}

/// A span's events and links, still encoded.
#[derive(Default)]
struct Nested<'a> {
    events: Vec<&'a [u8]>,
    links: Vec<&'a [u8]>,
}

impl<'a> Span<'a> {
    #[inline(always)]
    fn read(bytes: &'a [u8], attributes: &mut AttributeMaps<'a>, nested: &mut Nested<'a>) -> Result<Self> {
        let mut span = Span::default();
        let mut reader = Reader::new(bytes);
        while let Some((field, wire)) = reader.field()? {
            match (field, wire) {
                (1, LEN) => span.trace_id = reader.bytes()?,
                (2, LEN) => span.span_id = reader.bytes()?,
                (3, LEN) => replace(&mut span.trace_state, reader.bytes()?)?,
                (4, LEN) => span.parent_span_id = reader.bytes()?,
                (5, LEN) => replace(&mut span.name, reader.bytes()?)?,
                (6, VARINT) => span.kind = reader.varint()? as i32,
                (7, FIXED64) => span.start = reader.fixed64()?,
                (8, FIXED64) => span.end = reader.fixed64()?,
                (9, LEN) => attributes.add(reader.bytes()?, IN_RECORD - 1)?,
                (11, LEN) => nested.events.push(reader.bytes()?),
                (13, LEN) => nested.links.push(reader.bytes()?),
                (15, LEN) => span.read_status(reader.bytes()?)?,
                _ => reader.skip(field, wire, IN_RECORD)?,
            }
        }
        Ok(span)
    }

    #[inline]
    fn read_status(&mut self, bytes: &'a [u8]) -> Result<()> {
        let mut reader = Reader::new(bytes);
        while let Some((field, wire)) = reader.field()? {
            match (field, wire) {
                (2, LEN) => replace(&mut self.status_message, reader.bytes()?)?,
                (3, VARINT) => self.status_code = reader.varint()? as i32,
                _ => reader.skip(field, wire, IN_RECORD - 1)?,
            }
        }
        Ok(())
    }
}

/// Return the number of an enumeration's name, the names having been interned first and in order.
#[inline(always)]
fn known(number: i32, names: &[&[u8]]) -> u32 {
    if (0..names.len() as i32).contains(&number) { number as u32 } else { 0 }
}

impl<'a> Traces<'a> {
    /// No rows.
    pub fn new() -> Self {
        Self {
            timestamp: Vec::new(),
            trace_id: Texts::new(),
            span_id: Texts::new(),
            parent_span_id: Texts::new(),
            trace_state: Texts::new(),
            name: Names::new(),
            kind: Names::of(&KINDS),
            service_name: Names::new(),
            resource: SharedMaps::new(),
            scope_name: Names::new(),
            scope_version: Names::new(),
            attributes: AttributeMaps::new(),
            duration: Vec::new(),
            status_code: Names::of(&CODES),
            status_message: Texts::new(),
            events: Events::new(),
            links: Links::new(),
            nested: Nested::default(),
            records: 0,
        }
    }

    /// How many spans there are.
    pub fn rows(&self) -> usize {
        self.timestamp.len()
    }

    fn push(&mut self, span: &Span<'_>) {
        self.timestamp.push(time(span.start));
        push_id::<16>(span.trace_id, &mut self.trace_id);
        push_id::<8>(span.span_id, &mut self.span_id);
        push_id::<8>(span.parent_span_id, &mut self.parent_span_id);
        self.trace_state.push(span.trace_state);
        self.name.push(span.name);
        self.kind.push_number(known(span.kind, &KINDS));
        self.duration.push(span.end.saturating_sub(span.start));
        self.status_code.push_number(known(span.status_code, &CODES));
        self.status_message.push(span.status_message);
    }

    /// Return the columns.
    pub fn finish(self) -> Result<Batch> {
        let mut batch = Batch::default();
        batch.add("Timestamp", times(self.timestamp));
        batch.add("TraceId", ids(self.trace_id)?);
        batch.add("SpanId", ids(self.span_id)?);
        batch.add("ParentSpanId", ids(self.parent_span_id)?);
        batch.add("TraceState", strings(self.trace_state)?);
        batch.add("SpanName", self.name.finish()?);
        batch.add("SpanKind", self.kind.finish()?);
        batch.add("ServiceName", self.service_name.finish()?);
        batch.add("ResourceAttributes", self.resource.finish()?);
        batch.add("ScopeName", self.scope_name.finish()?);
        batch.add("ScopeVersion", self.scope_version.finish()?);
        batch.add("SpanAttributes", self.attributes.finish()?);
        batch.add("Duration", numbers(DataType::UInt64, self.duration));
        batch.add("StatusCode", self.status_code.finish()?);
        batch.add("StatusMessage", strings(self.status_message)?);
        self.events.finish(&mut batch)?;
        self.links.finish(&mut batch)?;
        Ok(batch)
    }
}

impl<'a> Records<'a> for Traces<'a> {
    fn record(&mut self, bytes: &'a [u8]) -> Result<()> {
        self.records += 1;
        self.nested.events.clear();
        self.nested.links.clear();
        let span = Span::read(bytes, &mut self.attributes, &mut self.nested)?;
        if !is_valid_id::<16>(span.trace_id) || !is_valid_id::<8>(span.span_id) {
            self.attributes.discard();
            return validate(&SPAN, bytes, IN_RECORD);
        }
        self.push(&span);
        self.attributes.end()?;
        for event in &self.nested.events {
            self.events.push(event)?;
        }
        self.events.offsets.end(self.events.timestamp.len());
        for link in &self.nested.links {
            self.links.push(link)?;
        }
        self.links.offsets.end(self.links.trace_id.len());
        Ok(())
    }

    fn end(&mut self, scope: &Envelope<'_>, expansion: &mut Expansion) -> Result<()> {
        expansion.spend(std::mem::take(&mut self.records))?;
        let rows = self.timestamp.len() - self.scope_name.len();
        if rows > 0 {
            self.service_name.fill(&scope.service_name(), rows);
            self.resource.fill(&scope.resource, rows);
            self.scope_name.fill(scope.scope_name, rows);
            self.scope_version.fill(scope.scope_version, rows);
        }
        Ok(())
    }
}

impl<'a> Events<'a> {
    fn new() -> Self {
        Self {
            offsets: Offsets::new(),
            timestamp: Vec::new(),
            name: Names::new(),
            attributes: AttributeMaps::new(),
        }
    }

    fn push(&mut self, bytes: &'a [u8]) -> Result<()> {
        let (mut timestamp, mut name) = (0, &b""[..]);
        let mut reader = Reader::new(bytes);
        while let Some((field, wire)) = reader.field()? {
            match (field, wire) {
                (1, FIXED64) => timestamp = reader.fixed64()?,
                (2, LEN) => replace(&mut name, reader.bytes()?)?,
                (3, LEN) => self.attributes.add(reader.bytes()?, IN_RECORD - 2)?,
                _ => reader.skip(field, wire, IN_RECORD - 1)?,
            }
        }
        self.timestamp.push(time(timestamp));
        self.name.push(name);
        self.attributes.end()
    }

    fn finish(self, batch: &mut Batch) -> Result<()> {
        let offsets = self.offsets.share();
        batch.add("Events.Timestamp", offsets.lists(times(self.timestamp))?);
        batch.add("Events.Name", offsets.lists(self.name.finish()?)?);
        batch.add("Events.Attributes", offsets.lists(self.attributes.finish()?)?);
        Ok(())
    }
}

impl<'a> Links<'a> {
    fn new() -> Self {
        Self {
            offsets: Offsets::new(),
            trace_id: Texts::new(),
            span_id: Texts::new(),
            trace_state: Texts::new(),
            attributes: AttributeMaps::new(),
        }
    }

    fn push(&mut self, bytes: &'a [u8]) -> Result<()> {
        let (mut trace_id, mut span_id, mut trace_state) = (&b""[..], &b""[..], &b""[..]);
        let mut reader = Reader::new(bytes);
        while let Some((field, wire)) = reader.field()? {
            match (field, wire) {
                (1, LEN) => trace_id = reader.bytes()?,
                (2, LEN) => span_id = reader.bytes()?,
                (3, LEN) => replace(&mut trace_state, reader.bytes()?)?,
                (4, LEN) => self.attributes.add(reader.bytes()?, IN_RECORD - 2)?,
                _ => reader.skip(field, wire, IN_RECORD - 1)?,
            }
        }
        push_id::<16>(trace_id, &mut self.trace_id);
        push_id::<8>(span_id, &mut self.span_id);
        self.trace_state.push(trace_state);
        self.attributes.end()
    }

    fn finish(self, batch: &mut Batch) -> Result<()> {
        let offsets = self.offsets.share();
        batch.add("Links.TraceId", offsets.lists(ids(self.trace_id)?)?);
        batch.add("Links.SpanId", offsets.lists(ids(self.span_id)?)?);
        batch.add("Links.TraceState", offsets.lists(strings(self.trace_state)?)?);
        batch.add("Links.Attributes", offsets.lists(self.attributes.finish()?)?);
        Ok(())
    }
}
