//! The Python module.

use crate::screen::Screen;
use crate::wire::Error;
use crate::{Kind, MOST_BYTES};
use arrow_data::ArrayData;
use arrow_data::ffi::FFI_ArrowArray;
use arrow_schema::ffi::FFI_ArrowSchema;
use pyo3::buffer::{Element, PyBuffer};
use pyo3::create_exception;
use pyo3::exceptions::{PyOverflowError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule, PyDict};
use std::panic::{AssertUnwindSafe, catch_unwind};

create_exception!(
    glasshouse_otlp_arrow,
    DecodeError,
    PyValueError,
    "Bytes that are no OTLP request of their kind."
);

/// A record batch, for whoever speaks Arrow's C data interface: `pyarrow.record_batch(batch)`.
#[pyclass(frozen, module = "glasshouse_otlp_arrow")]
struct RecordBatch {
    rows: ArrayData,
}

#[pymethods]
impl RecordBatch {
    #[getter]
    fn num_rows(&self) -> usize {
        self.rows.len()
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = FFI_ArrowSchema::try_from(self.rows.data_type()).map_err(internal)?;
        PyCapsule::new_with_value(py, schema, c"arrow_schema")
    }

    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        drop(requested_schema); // The protocol lets a producer ignore it.
        let array = PyCapsule::new_with_value(py, FFI_ArrowArray::new(&self.rows), c"arrow_array")?;
        Ok((self.__arrow_c_schema__(py)?, array))
    }
}

fn kind_of(name: &str) -> PyResult<Kind> {
    match name {
        "traces" => Ok(Kind::Traces),
        "logs" => Ok(Kind::Logs),
        "metrics" => Ok(Kind::Metrics),
        _ => Err(PyValueError::new_err(format!("kind must be 'traces', 'logs' or 'metrics', not {name:?}"))),
    }
}

fn internal(error: impl std::fmt::Display) -> PyErr {
    PyRuntimeError::new_err(error.to_string())
}

fn refusal(error: Error, request: Option<usize>) -> PyErr {
    let why = match error {
        Error::Malformed => "its wire format is broken",
        Error::Utf8 => "a string in it is not UTF-8",
        Error::Depth => "its messages nest more than 100 deep",
        Error::Expansion => {
            "its resource and scope attributes would be repeated on its records more than 8 times for each of its bytes"
        }
        Error::TooLarge => {
            return PyOverflowError::new_err(format!(
                "more than {MOST_BYTES} bytes to decode: pass fewer requests at once"
            ));
        }
    };
    DecodeError::new_err(match request {
        Some(number) => format!("request {number} cannot be decoded: {why}"),
        None => format!("a request cannot be decoded: {why}"),
    })
}

/// Run without the interpreter's lock; a panic becomes a RuntimeError.
fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    py.detach(|| catch_unwind(AssertUnwindSafe(work)))
        .map_err(|_| PyRuntimeError::new_err("a defect of the decoder: it panicked"))
}

/// Count a request's records: (those to keep, those whose trace or span id is invalid).
#[pyfunction]
fn check(py: Python<'_>, kind: &str, payload: &Bound<'_, PyBytes>) -> PyResult<(usize, usize)> {
    let kind = kind_of(kind)?;
    let payload = payload.as_bytes();
    detached(py, || crate::check(kind, payload))?.map_err(|error| refusal(error, None))
}

/// Decode requests of one kind: by signal, a record batch, and how many of its rows come from each request.
#[pyfunction]
fn decode<'py>(
    py: Python<'py>,
    kind: &str,
    payloads: Vec<Bound<'py, PyBytes>>,
) -> PyResult<Bound<'py, PyDict>> {
    let kind = kind_of(kind)?;
    let requests: Vec<&[u8]> = payloads.iter().map(|payload| payload.as_bytes()).collect();
    let decoded = detached(py, || crate::decode(kind, &requests))?
        .map_err(|(error, request)| refusal(error, request))?;
    let signals = PyDict::new(py);
    for signal in decoded {
        signals.set_item(signal.signal, (RecordBatch { rows: signal.records }, signal.rows_of))?;
    }
    Ok(signals)
}

/// Finds the texts of an array that deserve a closer look.
#[pyclass(frozen, module = "glasshouse_otlp_arrow", name = "Screen")]
struct PyScreen {
    screen: Screen,
}

#[pymethods]
impl PyScreen {
    #[new]
    fn new(patterns: Vec<String>, run_of: &[u8], shortest_run: usize) -> PyResult<Self> {
        let screen = Screen::new(&patterns, run_of, shortest_run)
            .map_err(|wrong| PyValueError::new_err(wrong.to_string()))?;
        Ok(Self { screen })
    }

    /// Return the numbers of the texts that may match, ascending.
    fn suspects(&self, py: Python<'_>, offsets: PyBuffer<i32>, texts: PyBuffer<u8>) -> PyResult<Vec<u32>> {
        let (offsets, texts) = (contiguous(&offsets)?, contiguous(&texts)?);
        detached(py, || self.screen.suspects(offsets, texts))
    }
}

fn contiguous<T: Element>(buffer: &PyBuffer<T>) -> PyResult<&[T]> {
    if !buffer.is_c_contiguous() {
        return Err(PyValueError::new_err("a contiguous buffer is expected"));
    }
    // SAFETY: the buffer is contiguous, of that many items, and held for as long as the slice; its bytes are an
    // Arrow array's, which nobody writes to.
    Ok(unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast(), buffer.item_count()) })
}

#[pymodule]
fn glasshouse_otlp_arrow(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("DecodeError", module.py().get_type::<DecodeError>())?;
    module.add("MOST_BYTES", MOST_BYTES)?;
    module.add_class::<RecordBatch>()?;
    module.add_class::<PyScreen>()?;
    module.add_function(wrap_pyfunction!(check, module)?)?;
    module.add_function(wrap_pyfunction!(decode, module)?)
}
