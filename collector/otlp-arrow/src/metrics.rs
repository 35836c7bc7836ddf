//! Metrics to columns: a table for each kind of data point.

use crate::anyvalue::replace;
use crate::attributes::{AttributeMaps, SharedMaps};
use crate::columns::{Batch, Names, Offsets, booleans, ids, numbers, push_id, time, times};
use crate::envelope::{Envelope, Expansion, IN_RECORD, Records};
use crate::intern::Texts;
use crate::points::{Exemplar, IN_POINT, Point};
use crate::validate::{METRIC, utf8, validate_field};
use crate::wire::{LEN, Reader, Result, VARINT};
use arrow_data::ArrayData;
use arrow_schema::DataType;

/// The tables, and the numbers of the fields of `Metric` their points come in.
const TABLES: [(u32, &str); 5] = [
    (5, "metrics_gauge"),
    (7, "metrics_sum"),
    (9, "metrics_histogram"),
    (10, "metrics_exp_histogram"),
    (11, "metrics_summary"),
];

/// The columns of data points of all kinds.
pub struct Metrics<'a> {
    tables: [Table<'a>; 5],
    point: Point<'a>,
    /// How many data points have come in scopes that have not ended.
    points: usize,
}

/// The columns of data points of one kind. Those the kind does not have stay empty.
struct Table<'a> {
    resource: SharedMaps,
    scope: SharedMaps,
    scope_dropped: Vec<u32>,
    /// Resource schema URL, scope name, scope version, scope schema URL and service name.
    scope_names: [Names; 5],
    /// Metric name, description and unit.
    names: [Names; 3],
    attributes: AttributeMaps<'a>,
    start_time: Vec<i64>,
    time: Vec<i64>,
    flags: Vec<u32>,
    value: Vec<f64>,
    count: Vec<u64>,
    sum: Vec<f64>,
    min: Vec<f64>,
    max: Vec<f64>,
    bucket_counts: (Offsets, Vec<u64>),
    explicit_bounds: (Offsets, Vec<f64>),
    scale: Vec<i32>,
    zero_count: Vec<u64>,
    positive: (Vec<i32>, Offsets, Vec<u64>),
    negative: (Vec<i32>, Offsets, Vec<u64>),
    quantiles: (Offsets, Vec<f64>, Vec<f64>),
    exemplars: Exemplars<'a>,
    temporality: Vec<i32>,
    is_monotonic: Vec<bool>,
}

struct Exemplars<'a> {
    offsets: Offsets,
    attributes: AttributeMaps<'a>,
    time: Vec<i64>,
    value: Vec<f64>,
    span_id: Texts,
    trace_id: Texts,
}

/// A metric's fields; its data points still encoded.
#[derive(Default)]
struct Metric<'a> {
    /// Name, description and unit.
    texts: [&'a [u8]; 3],
    /// The field the points come in; 0 where there is none.
    kind: u32,
    points: Vec<&'a [u8]>,
    temporality: i32,
    is_monotonic: bool,
}

impl<'a> Metric<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut metric = Metric::default();
        let mut reader = Reader::new(bytes);
        while let Some((field, wire)) = reader.field()? {
            match (field, wire) {
                (1..=3, LEN) => replace(&mut metric.texts[field as usize - 1], reader.bytes()?)?,
                (5 | 7 | 9 | 10 | 11, LEN) if metric.kind == 0 || metric.kind == field => {
                    metric.kind = field;
                    metric.read_points(reader.bytes()?)?;
                }
                (5 | 7 | 9 | 10 | 11, LEN) => return Self::read_last_kind(bytes),
                _ => validate_field(&METRIC, &mut reader, field, wire, IN_RECORD)?,
            }
        }
        Ok(metric)
    }

    /// Read a metric that comes with several kinds of data: the last one counts, with what has been
    /// said of it since another kind; the others only have to be valid.
    #[cold]
    fn read_last_kind(bytes: &'a [u8]) -> Result<Self> {
        let mut metric = Metric::default();
        let mut reader = Reader::new(bytes);
        while let Some((field, wire)) = reader.field()? {
            let mut ahead = reader.clone();
            validate_field(&METRIC, &mut reader, field, wire, IN_RECORD)?;
            match (field, wire) {
                (1..=3, LEN) => metric.texts[field as usize - 1] = ahead.bytes()?,
                (5 | 7 | 9 | 10 | 11, LEN) => {
                    if metric.kind != field {
                        metric = Metric { texts: metric.texts, kind: field, ..Metric::default() };
                    }
                    metric.read_points(ahead.bytes()?)?;
                }
                _ => {}
            }
        }
        Ok(metric)
    }

    fn read_points(&mut self, bytes: &'a [u8]) -> Result<()> {
        let has_temporality = matches!(self.kind, 7 | 9 | 10);
        let mut reader = Reader::new(bytes);
        while let Some((field, wire)) = reader.field()? {
            match (field, wire) {
                (1, LEN) => self.points.push(reader.bytes()?),
                (2, VARINT) if has_temporality => self.temporality = reader.varint()? as i32,
                (3, VARINT) if self.kind == 7 => self.is_monotonic = reader.varint()? != 0,
                _ => reader.skip(field, wire, IN_RECORD - 1)?,
            }
        }
        Ok(())
    }
}

impl<'a> Metrics<'a> {
    /// No rows.
    pub fn new() -> Self {
        Self { tables: std::array::from_fn(|_| Table::new()), point: Point::default(), points: 0 }
    }

    /// How many data points of each kind there are.
    pub fn rows(&self) -> [usize; 5] {
        std::array::from_fn(|index| self.tables[index].time.len())
    }

    /// Return the columns of each kind, with the name of its signal.
    pub fn finish(self) -> Result<Vec<(&'static str, Batch)>> {
        let kinds = TABLES.iter().zip(self.tables);
        kinds.map(|((kind, signal), table)| Ok((*signal, table.finish(*kind)?))).collect()
    }
}

impl<'a> Records<'a> for Metrics<'a> {
    fn record(&mut self, bytes: &'a [u8]) -> Result<()> {
        let metric = Metric::read(bytes)?;
        let Some(index) =
            TABLES.iter().position(|(kind, _)| *kind == metric.kind && !metric.points.is_empty())
        else {
            return metric.texts.iter().try_for_each(|text| utf8(text));
        };
        self.points += metric.points.len();
        let table = &mut self.tables[index];
        for (names, text) in table.names.iter_mut().zip(metric.texts) {
            names.fill(text, metric.points.len());
        }
        let point = &mut self.point;
        for bytes in &metric.points {
            match metric.kind {
                5 | 7 => point.read_number(bytes)?,
                9 => point.read_histogram(bytes)?,
                10 => point.read_exp_histogram(bytes)?,
                _ => point.read_summary(bytes)?,
            }
            table.push(point, &metric)?;
        }
        Ok(())
    }

    fn end(&mut self, scope: &Envelope<'_>, expansion: &mut Expansion) -> Result<()> {
        expansion.spend(std::mem::take(&mut self.points))?;
        for table in &mut self.tables {
            table.end(scope);
        }
        Ok(())
    }
}

impl<'a> Table<'a> {
    fn new() -> Self {
        Self {
            resource: SharedMaps::new(),
            scope: SharedMaps::new(),
            scope_dropped: Vec::new(),
            scope_names: std::array::from_fn(|_| Names::new()),
            names: std::array::from_fn(|_| Names::new()),
            attributes: AttributeMaps::new(),
            start_time: Vec::new(),
            time: Vec::new(),
            flags: Vec::new(),
            value: Vec::new(),
            count: Vec::new(),
            sum: Vec::new(),
            min: Vec::new(),
            max: Vec::new(),
            bucket_counts: (Offsets::new(), Vec::new()),
            explicit_bounds: (Offsets::new(), Vec::new()),
            scale: Vec::new(),
            zero_count: Vec::new(),
            positive: (Vec::new(), Offsets::new(), Vec::new()),
            negative: (Vec::new(), Offsets::new(), Vec::new()),
            quantiles: (Offsets::new(), Vec::new(), Vec::new()),
            exemplars: Exemplars::new(),
            temporality: Vec::new(),
            is_monotonic: Vec::new(),
        }
    }

    fn end(&mut self, scope: &Envelope<'_>) {
        let rows = self.time.len() - self.scope_dropped.len();
        if rows == 0 {
            return;
        }
        self.resource.fill(&scope.resource, rows);
        self.scope.fill(&scope.scope, rows);
        self.scope_dropped.resize(self.time.len(), scope.scope_dropped);
        let service_name = scope.service_name();
        let texts = [
            scope.resource_schema_url,
            scope.scope_name,
            scope.scope_version,
            scope.scope_schema_url,
            &service_name,
        ];
        for (names, text) in self.scope_names.iter_mut().zip(texts) {
            names.fill(text, rows);
        }
    }

    fn push(&mut self, point: &Point<'a>, metric: &Metric<'_>) -> Result<()> {
        self.attributes.push(&point.attributes, IN_POINT - 1)?;
        self.start_time.push(time(point.start_time));
        self.time.push(time(point.time));
        self.flags.push(point.flags);
        if metric.kind != 11 {
            self.exemplars.push(&point.exemplars)?;
        }
        match metric.kind {
            5 => self.value.push(point.value),
            7 => {
                self.value.push(point.value);
                self.is_monotonic.push(metric.is_monotonic);
            }
            _ => self.push_distribution(point, metric.kind),
        }
        if matches!(metric.kind, 7 | 9 | 10) {
            self.temporality.push(metric.temporality);
        }
        Ok(())
    }

    fn push_distribution(&mut self, point: &Point<'_>, kind: u32) {
        self.count.push(point.count);
        self.sum.push(point.sum);
        if kind == 11 {
            self.quantiles.1.extend_from_slice(&point.quantiles);
            self.quantiles.2.extend_from_slice(&point.quantile_values);
            self.quantiles.0.end(self.quantiles.1.len());
            return;
        }
        self.min.push(point.min);
        self.max.push(point.max);
        if kind == 9 {
            push_list(&mut self.bucket_counts, &point.bucket_counts);
            push_list(&mut self.explicit_bounds, &point.explicit_bounds);
            return;
        }
        self.scale.push(point.scale);
        self.zero_count.push(point.zero_count);
        for (column, buckets) in
            [(&mut self.positive, &point.positive), (&mut self.negative, &point.negative)]
        {
            column.0.push(buckets.offset);
            column.2.extend_from_slice(&buckets.counts);
            column.1.end(column.2.len());
        }
    }

    fn finish(self, kind: u32) -> Result<Batch> {
        let mut batch = Batch::default();
        let [resource_schema_url, scope_name, scope_version, scope_schema_url, service_name] =
            self.scope_names;
        let [name, description, unit] = self.names;
        batch.add("ResourceAttributes", self.resource.finish()?);
        batch.add("ResourceSchemaUrl", resource_schema_url.finish()?);
        batch.add("ScopeName", scope_name.finish()?);
        batch.add("ScopeVersion", scope_version.finish()?);
        batch.add("ScopeAttributes", self.scope.finish()?);
        batch.add("ScopeDroppedAttrCount", numbers(DataType::UInt32, self.scope_dropped));
        batch.add("ScopeSchemaUrl", scope_schema_url.finish()?);
        batch.add("ServiceName", service_name.finish()?);
        batch.add("MetricName", name.finish()?);
        batch.add("MetricDescription", description.finish()?);
        batch.add("MetricUnit", unit.finish()?);
        batch.add("Attributes", self.attributes.finish()?);
        batch.add("StartTimeUnix", times(self.start_time));
        batch.add("TimeUnix", times(self.time));
        batch.add("Flags", numbers(DataType::UInt32, self.flags));
        if matches!(kind, 5 | 7) {
            batch.add("Value", doubles(self.value));
        } else {
            batch.add("Count", numbers(DataType::UInt64, self.count));
            batch.add("Sum", doubles(self.sum));
        }
        if kind == 9 {
            batch.add("BucketCounts", counts(self.bucket_counts)?);
            batch.add(
                "ExplicitBounds",
                self.explicit_bounds.0.share().lists(doubles(self.explicit_bounds.1))?,
            );
        }
        if kind == 10 {
            batch.add("Scale", numbers(DataType::Int32, self.scale));
            batch.add("ZeroCount", numbers(DataType::UInt64, self.zero_count));
            batch.add("PositiveOffset", numbers(DataType::Int32, self.positive.0));
            batch.add("PositiveBucketCounts", counts((self.positive.1, self.positive.2))?);
            batch.add("NegativeOffset", numbers(DataType::Int32, self.negative.0));
            batch.add("NegativeBucketCounts", counts((self.negative.1, self.negative.2))?);
        }
        if kind == 11 {
            let offsets = self.quantiles.0.share();
            batch.add("ValueAtQuantiles.Quantile", offsets.lists(doubles(self.quantiles.1))?);
            batch.add("ValueAtQuantiles.Value", offsets.lists(doubles(self.quantiles.2))?);
            return Ok(batch);
        }
        self.exemplars.finish(&mut batch)?;
        if matches!(kind, 9 | 10) {
            batch.add("Min", doubles(self.min));
            batch.add("Max", doubles(self.max));
        }
        if kind != 5 {
            batch.add("AggregationTemporality", numbers(DataType::Int32, self.temporality));
        }
        if kind == 7 {
            batch.add("IsMonotonic", booleans(self.is_monotonic));
        }
        Ok(batch)
    }
}

impl<'a> Exemplars<'a> {
    fn new() -> Self {
        Self {
            offsets: Offsets::new(),
            attributes: AttributeMaps::new(),
            time: Vec::new(),
            value: Vec::new(),
            span_id: Texts::new(),
            trace_id: Texts::new(),
        }
    }

    fn push(&mut self, exemplars: &[&'a [u8]]) -> Result<()> {
        for bytes in exemplars {
            let exemplar = Exemplar::read(bytes)?;
            self.attributes.push(&exemplar.attributes, IN_POINT - 2)?;
            self.time.push(time(exemplar.time));
            self.value.push(exemplar.value);
            push_id::<8>(exemplar.span_id, &mut self.span_id);
            push_id::<16>(exemplar.trace_id, &mut self.trace_id);
        }
        self.offsets.end(self.time.len());
        Ok(())
    }

    fn finish(self, batch: &mut Batch) -> Result<()> {
        let offsets = self.offsets.share();
        batch.add("Exemplars.FilteredAttributes", offsets.lists(self.attributes.finish()?)?);
        batch.add("Exemplars.TimeUnix", offsets.lists(times(self.time))?);
        batch.add("Exemplars.Value", offsets.lists(doubles(self.value))?);
        batch.add("Exemplars.SpanId", offsets.lists(ids(self.span_id)?)?);
        batch.add("Exemplars.TraceId", offsets.lists(ids(self.trace_id)?)?);
        Ok(())
    }
}

fn push_list<T: Copy>(column: &mut (Offsets, Vec<T>), items: &[T]) {
    column.1.extend_from_slice(items);
    column.0.end(column.1.len());
}

fn doubles(values: Vec<f64>) -> ArrayData {
    numbers(DataType::Float64, values)
}

fn counts((offsets, counts): (Offsets, Vec<u64>)) -> Result<ArrayData> {
    offsets.share().lists(numbers(DataType::UInt64, counts))
}
