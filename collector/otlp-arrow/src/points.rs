//! Data points as they come from the wire, still encoded where they nest.

use crate::wire::{FIXED64, LEN, Reader, Result, VARINT, down};

/// Levels of nesting left inside a data point.
pub const IN_POINT: u32 = crate::envelope::IN_RECORD - 2;

/// A data point of any kind, with the fields that kind has.
#[derive(Default)]
pub struct Point<'a> {
    /// Encoded `KeyValue`s.
    pub attributes: Vec<&'a [u8]>,
    /// Encoded `Exemplar`s.
    pub exemplars: Vec<&'a [u8]>,
    /// Nanoseconds since the Unix epoch.
    pub start_time: u64,
    /// Nanoseconds since the Unix epoch.
    pub time: u64,
    /// `DataPointFlags`
    pub flags: u32,
    /// Of gauges and sums.
    pub value: f64,
    /// Of distributions.
    pub count: u64,
    /// Of distributions.
    pub sum: f64,
    /// Of histograms.
    pub min: f64,
    /// Of histograms.
    pub max: f64,
    /// Of histograms.
    pub bucket_counts: Vec<u64>,
    /// Of histograms.
    pub explicit_bounds: Vec<f64>,
    /// Of exponential histograms.
    pub scale: i32,
    /// Of exponential histograms.
    pub zero_count: u64,
    /// Of exponential histograms.
    pub positive: Buckets,
    /// Of exponential histograms.
    pub negative: Buckets,
    /// Of summaries.
    pub quantiles: Vec<f64>,
    /// Of summaries, as many as quantiles.
    pub quantile_values: Vec<f64>,
}

/// Buckets of an exponential histogram.
#[derive(Default)]
pub struct Buckets {
    /// The first bucket's index.
    pub offset: i32,
    /// Counts from there on.
    pub counts: Vec<u64>,
}

impl<'a> Point<'a> {
    fn clear(&mut self) {
        self.attributes.clear();
        self.exemplars.clear();
        (self.start_time, self.time, self.flags, self.value) = (0, 0, 0, 0.0);
        (self.count, self.sum, self.min, self.max) = (0, 0.0, 0.0, 0.0);
        self.bucket_counts.clear();
        self.explicit_bounds.clear();
        (self.scale, self.zero_count) = (0, 0);
        (self.positive.offset, self.negative.offset) = (0, 0);
        self.positive.counts.clear();
        self.negative.counts.clear();
        self.quantiles.clear();
        self.quantile_values.clear();
    }

    /// Become a `NumberDataPoint`.
    pub fn read_number(&mut self, bytes: &'a [u8]) -> Result<()> {
        self.clear();
        let mut reader = Reader::new(bytes);
        while let Some((field, wire)) = reader.field()? {
            match (field, wire) {
                (2, FIXED64) => self.start_time = reader.fixed64()?,
                (3, FIXED64) => self.time = reader.fixed64()?,
                (4, FIXED64) => self.value = f64::from_bits(reader.fixed64()?),
                (5, LEN) => self.exemplars.push(reader.bytes()?),
                (6, FIXED64) => self.value = reader.fixed64()? as i64 as f64,
                (7, LEN) => self.attributes.push(reader.bytes()?),
                (8, VARINT) => self.flags = reader.varint()? as u32,
                _ => reader.skip(field, wire, IN_POINT)?,
            }
        }
        Ok(())
    }

    /// Become a `HistogramDataPoint`.
    pub fn read_histogram(&mut self, bytes: &'a [u8]) -> Result<()> {
        self.clear();
        let mut reader = Reader::new(bytes);
        while let Some((field, wire)) = reader.field()? {
            match (field, wire) {
                (2, FIXED64) => self.start_time = reader.fixed64()?,
                (3, FIXED64) => self.time = reader.fixed64()?,
                (4, FIXED64) => self.count = reader.fixed64()?,
                (5, FIXED64) => self.sum = f64::from_bits(reader.fixed64()?),
                (6, FIXED64) => self.bucket_counts.push(reader.fixed64()?),
                (6, LEN) => read_packed(reader.bytes()?, &mut self.bucket_counts, Reader::fixed64)?,
                (7, FIXED64) => self.explicit_bounds.push(f64::from_bits(reader.fixed64()?)),
                (7, LEN) => read_packed(reader.bytes()?, &mut self.explicit_bounds, double)?,
                (8, LEN) => self.exemplars.push(reader.bytes()?),
                (9, LEN) => self.attributes.push(reader.bytes()?),
                (10, VARINT) => self.flags = reader.varint()? as u32,
                (11, FIXED64) => self.min = f64::from_bits(reader.fixed64()?),
                (12, FIXED64) => self.max = f64::from_bits(reader.fixed64()?),
                _ => reader.skip(field, wire, IN_POINT)?,
            }
        }
        Ok(())
    }

    /// Become an `ExponentialHistogramDataPoint`.
    pub fn read_exp_histogram(&mut self, bytes: &'a [u8]) -> Result<()> {
        self.clear();
        let mut reader = Reader::new(bytes);
        while let Some((field, wire)) = reader.field()? {
            match (field, wire) {
                (1, LEN) => self.attributes.push(reader.bytes()?),
                (2, FIXED64) => self.start_time = reader.fixed64()?,
                (3, FIXED64) => self.time = reader.fixed64()?,
                (4, FIXED64) => self.count = reader.fixed64()?,
                (5, FIXED64) => self.sum = f64::from_bits(reader.fixed64()?),
                (6, VARINT) => self.scale = zigzag(reader.varint()?),
                (7, FIXED64) => self.zero_count = reader.fixed64()?,
                (8, LEN) => self.positive.merge(reader.bytes()?)?,
                (9, LEN) => self.negative.merge(reader.bytes()?)?,
                (10, VARINT) => self.flags = reader.varint()? as u32,
                (11, LEN) => self.exemplars.push(reader.bytes()?),
                (12, FIXED64) => self.min = f64::from_bits(reader.fixed64()?),
                (13, FIXED64) => self.max = f64::from_bits(reader.fixed64()?),
                _ => reader.skip(field, wire, IN_POINT)?,
            }
        }
        Ok(())
    }

    /// Become a `SummaryDataPoint`.
    pub fn read_summary(&mut self, bytes: &'a [u8]) -> Result<()> {
        self.clear();
        let mut reader = Reader::new(bytes);
        while let Some((field, wire)) = reader.field()? {
            match (field, wire) {
                (2, FIXED64) => self.start_time = reader.fixed64()?,
                (3, FIXED64) => self.time = reader.fixed64()?,
                (4, FIXED64) => self.count = reader.fixed64()?,
                (5, FIXED64) => self.sum = f64::from_bits(reader.fixed64()?),
                (6, LEN) => self.read_quantile(reader.bytes()?)?,
                (7, LEN) => self.attributes.push(reader.bytes()?),
                (8, VARINT) => self.flags = reader.varint()? as u32,
                _ => reader.skip(field, wire, IN_POINT)?,
            }
        }
        Ok(())
    }

    fn read_quantile(&mut self, bytes: &[u8]) -> Result<()> {
        let (mut quantile, mut value) = (0.0, 0.0);
        let mut reader = Reader::new(bytes);
        while let Some((field, wire)) = reader.field()? {
            match (field, wire) {
                (1, FIXED64) => quantile = f64::from_bits(reader.fixed64()?),
                (2, FIXED64) => value = f64::from_bits(reader.fixed64()?),
                _ => reader.skip(field, wire, down(IN_POINT)?)?,
            }
        }
        self.quantiles.push(quantile);
        self.quantile_values.push(value);
        Ok(())
    }
}

impl Buckets {
    fn merge(&mut self, bytes: &[u8]) -> Result<()> {
        let mut reader = Reader::new(bytes);
        while let Some((field, wire)) = reader.field()? {
            match (field, wire) {
                (1, VARINT) => self.offset = zigzag(reader.varint()?),
                (2, VARINT) => self.counts.push(reader.varint()?),
                (2, LEN) => read_packed(reader.bytes()?, &mut self.counts, Reader::varint)?,
                _ => reader.skip(field, wire, down(IN_POINT)?)?,
            }
        }
        Ok(())
    }
}

/// An exemplar's fields, still encoded where they nest.
#[derive(Default)]
pub struct Exemplar<'a> {
    /// Encoded `KeyValue`s.
    pub attributes: Vec<&'a [u8]>,
    /// Nanoseconds since the Unix epoch.
    pub time: u64,
    /// The measurement.
    pub value: f64,
    /// As it came.
    pub span_id: &'a [u8],
    /// As it came.
    pub trace_id: &'a [u8],
}

impl<'a> Exemplar<'a> {
    /// Read an `Exemplar`.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut exemplar = Exemplar::default();
        let mut reader = Reader::new(bytes);
        while let Some((field, wire)) = reader.field()? {
            match (field, wire) {
                (2, FIXED64) => exemplar.time = reader.fixed64()?,
                (3, FIXED64) => exemplar.value = f64::from_bits(reader.fixed64()?),
                (4, LEN) => exemplar.span_id = reader.bytes()?,
                (5, LEN) => exemplar.trace_id = reader.bytes()?,
                (6, FIXED64) => exemplar.value = reader.fixed64()? as i64 as f64,
                (7, LEN) => exemplar.attributes.push(reader.bytes()?),
                _ => reader.skip(field, wire, IN_POINT - 1)?,
            }
        }
        Ok(exemplar)
    }
}

fn read_packed<'a, T>(
    bytes: &'a [u8],
    values: &mut Vec<T>,
    read: impl Fn(&mut Reader<'a>) -> Result<T>,
) -> Result<()> {
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        values.push(read(&mut reader)?);
    }
    Ok(())
}

fn double(reader: &mut Reader<'_>) -> Result<f64> {
    reader.fixed64().map(f64::from_bits)
}

fn zigzag(value: u64) -> i32 {
    let value = value as u32;
    (value >> 1) as i32 ^ -((value & 1) as i32)
}
