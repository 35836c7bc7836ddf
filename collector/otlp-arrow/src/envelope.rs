//! The layers around records, which have the same shape in requests of all three kinds:
//! request → resource → scope → record.

use crate::anyvalue::{Attribute, replace};
use crate::attributes::settle;
use crate::validate::{RESOURCE, SCOPE, utf8, validate};
use crate::wire::{Error, LEN, MAX_DEPTH, Reader, Result, VARINT};

/// How often a request's resource and scope attributes may be repeated, for each byte of it.
pub const EXPANSION: u64 = 8;

/// Levels of nesting left inside a message of each layer.
const IN_RESOURCE: u32 = MAX_DEPTH - 1;
const IN_SCOPE: u32 = MAX_DEPTH - 2;
/// Levels of nesting left inside a span, a log record or a metric.
pub const IN_RECORD: u32 = MAX_DEPTH - 3;

/// What the records of a scope have in common. Everything in it has been checked, and attributes are
/// sorted and without duplicates.
#[derive(Default)]
pub struct Envelope<'a> {
    /// Attributes of the resource.
    pub resource: Vec<Attribute<'a>>,
    /// Schema URL of the resource.
    pub resource_schema_url: &'a [u8],
    /// Name of the scope.
    pub scope_name: &'a [u8],
    /// Version of the scope.
    pub scope_version: &'a [u8],
    /// Attributes of the scope.
    pub scope: Vec<Attribute<'a>>,
    /// How many attributes the scope's sender has left out.
    pub scope_dropped: u32,
    /// Schema URL of the scope.
    pub scope_schema_url: &'a [u8],
}

impl Envelope<'_> {
    /// Return the text of the attribute `service.name`, empty where there is none.
    pub fn service_name(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Some(attribute) = self.resource.iter().find(|attribute| attribute.key == b"service.name") {
            attribute.value.write(&mut text);
        }
        text
    }
}

/// Guards against few bytes that become very many map entries.
pub struct Expansion {
    left: u64,
    by_record: u64,
}

impl Expansion {
    /// Account for a scope's records before its and its resource's attributes are repeated on them.
    #[inline(always)]
    pub fn spend(&mut self, records: usize) -> Result<()> {
        let entries = self.by_record.saturating_mul(records as u64);
        self.left = self.left.checked_sub(entries).ok_or(Error::Expansion)?;
        Ok(())
    }
}

/// What is done with the records of a request.
pub trait Records<'a> {
    /// Take in a span, a log record or a metric. All of it is checked, whether used or not.
    fn record(&mut self, record: &'a [u8]) -> Result<()>;

    /// End a scope: fill the columns that are the same for all records since the last one. Only now is
    /// all known of it, since what it says of itself may stand behind its records. There may be very
    /// many scopes without records, for which nothing must be done.
    fn end(&mut self, scope: &Envelope<'_>, expansion: &mut Expansion) -> Result<()>;
}

/// Read a request.
pub fn walk<'a>(request: &'a [u8], records: &mut impl Records<'a>) -> Result<()> {
    let mut expansion = Expansion { left: EXPANSION * request.len() as u64, by_record: 0 };
    let mut reader = Reader::new(request);
    while let Some((field, wire)) = reader.field()? {
        match (field, wire) {
            (1, LEN) => walk_resource(reader.bytes()?, records, &mut expansion)?,
            _ => reader.skip(field, wire, MAX_DEPTH)?,
        }
    }
    Ok(())
}

fn walk_resource<'a>(
    bytes: &'a [u8],
    records: &mut impl Records<'a>,
    expansion: &mut Expansion,
) -> Result<()> {
    let mut envelope = Envelope::default();
    let mut scopes = Vec::new();
    let mut reader = Reader::new(bytes);
    while let Some((field, wire)) = reader.field()? {
        match (field, wire) {
            (1, LEN) => read_resource(reader.bytes()?, &mut envelope.resource)?,
            (2, LEN) => scopes.push(reader.bytes()?),
            (3, LEN) => replace(&mut envelope.resource_schema_url, reader.bytes()?)?,
            _ => reader.skip(field, wire, IN_RESOURCE)?,
        }
    }
    utf8(envelope.resource_schema_url)?;
    let resource_attributes = envelope.resource.len();
    settle(&mut envelope.resource);
    for scope in scopes {
        walk_scope(scope, &mut envelope, resource_attributes, records, expansion)?;
    }
    Ok(())
}

fn read_resource<'a>(bytes: &'a [u8], attributes: &mut Vec<Attribute<'a>>) -> Result<()> {
    validate(&RESOURCE, bytes, IN_RESOURCE - 1)?;
    let mut reader = Reader::new(bytes);
    while let Some((field, wire)) = reader.field()? {
        match (field, wire) {
            (1, LEN) => attributes.push(Attribute::read(reader.bytes()?, IN_RESOURCE - 2)?),
            _ => reader.skip(field, wire, IN_RESOURCE - 1)?,
        }
    }
    Ok(())
}

fn walk_scope<'a>(
    bytes: &'a [u8],
    envelope: &mut Envelope<'a>,
    resource_attributes: usize,
    records: &mut impl Records<'a>,
    expansion: &mut Expansion,
) -> Result<()> {
    envelope.scope.clear();
    envelope.scope_name = b"";
    envelope.scope_version = b"";
    envelope.scope_dropped = 0;
    envelope.scope_schema_url = b"";
    let mut reader = Reader::new(bytes);
    while let Some((field, wire)) = reader.field()? {
        match (field, wire) {
            (1, LEN) => read_scope(reader.bytes()?, envelope)?,
            (2, LEN) => records.record(reader.bytes()?)?,
            (3, LEN) => replace(&mut envelope.scope_schema_url, reader.bytes()?)?,
            _ => reader.skip(field, wire, IN_SCOPE)?,
        }
    }
    utf8(envelope.scope_schema_url)?;
    expansion.by_record = (resource_attributes + envelope.scope.len()) as u64;
    settle(&mut envelope.scope);
    records.end(envelope, expansion)
}

fn read_scope<'a>(bytes: &'a [u8], envelope: &mut Envelope<'a>) -> Result<()> {
    validate(&SCOPE, bytes, IN_SCOPE - 1)?;
    let mut reader = Reader::new(bytes);
    while let Some((field, wire)) = reader.field()? {
        match (field, wire) {
            (1, LEN) => envelope.scope_name = reader.bytes()?,
            (2, LEN) => envelope.scope_version = reader.bytes()?,
            (3, LEN) => envelope.scope.push(Attribute::read(reader.bytes()?, IN_SCOPE - 2)?),
            (4, VARINT) => envelope.scope_dropped = reader.varint()? as u32,
            _ => reader.skip(field, wire, IN_SCOPE - 1)?,
        }
    }
    Ok(())
}
