//! The Python module.

use crate::Limits;
use crate::answer::Answer;
use crate::exchange::Exchange;
use crate::server::{Server, Shared};
use crate::tls::{self, Spoken, Tls};
use crate::unfinished::Unfinished;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use std::net::TcpListener;
use std::os::fd::{FromRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

type Taken<'py> = (u64, Py<PyAny>, Py<PyDict>, Bound<'py, PyBytes>);

/// What a server speaks TLS with.
#[pyclass(frozen, module = "glasshouse_otlp_grpc", name = "Tls")]
struct PyTls {
    tls: Tls,
}

#[pymethods]
impl PyTls {
    #[new]
    #[pyo3(signature = (certificates, key, client_ca=None, *, oldest="1.2", handshake_seconds=20.0))]
    fn new(
        certificates: &[u8],
        key: &[u8],
        client_ca: Option<&[u8]>,
        oldest: &str,
        handshake_seconds: f64,
    ) -> PyResult<Self> {
        let config = tls::config(certificates, key, client_ca, oldest).map_err(PyValueError::new_err)?;
        Ok(Self { tls: Tls { config, handshake_time: duration(handshake_seconds)? } })
    }
}

/// A gRPC server for unary methods.
#[pyclass(frozen, module = "glasshouse_otlp_grpc", name = "Server")]
struct PyServer {
    tags: Vec<Py<PyAny>>,
    shared: Arc<Shared>,
    server: Server,
}

#[pymethods]
impl PyServer {
    #[new]
    #[pyo3(signature = (listeners, methods, *, max_message_bytes, max_unfinished_bytes, body_seconds, max_connections, tls=None))]
    fn new(
        listeners: Vec<RawFd>,
        methods: &Bound<'_, PyDict>,
        max_message_bytes: usize,
        max_unfinished_bytes: usize,
        body_seconds: f64,
        max_connections: usize,
        tls: Option<&PyTls>,
    ) -> PyResult<Self> {
        if listeners.iter().any(|fd| *fd < 0) {
            return Err(PyValueError::new_err("a listener is a file descriptor"));
        }
        // SAFETY: they are open, and the caller's promise is that nobody else closes them.
        let listeners = listeners.into_iter().map(|fd| unsafe { TcpListener::from_raw_fd(fd) }).collect();
        let paths = methods.keys().iter().map(|path| path.extract()).collect::<PyResult<Vec<String>>>()?;
        let limits = Limits {
            message_bytes: max_message_bytes,
            unfinished_bytes: max_unfinished_bytes,
            body_time: duration(body_seconds)?,
        };
        let shared = Arc::new(Shared {
            limits,
            methods: paths.into_iter().enumerate().map(|(number, path)| (path, number)).collect(),
            tls: Spoken::default(),
            exchange: Exchange::new().map_err(os_error)?,
            unfinished: Unfinished::new(limits.unfinished_bytes),
            in_hand: TaskTracker::new(),
        });
        if let Some(tls) = tls {
            shared.tls.set(tls.tls.clone());
        }
        let server = Server::start(listeners, Arc::clone(&shared), max_connections).map_err(os_error)?;
        Ok(Self { tags: methods.values().iter().map(Bound::unbind).collect(), shared, server })
    }

    /// The file descriptor that is readable while there is something to take.
    fn fileno(&self) -> RawFd {
        self.shared.exchange.ear()
    }

    /// Return requests, `most` at most: (token, method's tag, metadata, message).
    fn take<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Bound<'py, PyList>> {
        let requests = py.detach(|| self.shared.exchange.take(most));
        let taken = PyList::empty(py);
        for request in requests {
            let tag = self.tags[request.method].clone_ref(py);
            let message = PyBytes::new(py, request.message.bytes());
            let metadata = request.metadata.as_dict(py)?;
            let request: Taken<'py> = (request.token, tag, metadata, message);
            taken.append(request)?;
        }
        Ok(taken)
    }

    /// Return how many requests were refused by the server itself since the last call, by reason.
    fn refused<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = PyDict::new(py);
        for (reason, count) in self.shared.exchange.take_refused() {
            counts.set_item(reason, count)?;
        }
        Ok(counts)
    }

    /// Speak TLS with this from the next connection on.
    fn set_tls(&self, tls: &PyTls) {
        self.shared.tls.set(tls.tls.clone());
    }

    /// Return the address and the reason of the last handshake that failed since the last call, if any.
    fn failed_handshake(&self) -> Option<(String, String)> {
        let (peer, why) = self.shared.exchange.take_handshake()?;
        Some((peer.to_canonical().to_string(), why))
    }

    /// Answer requests with the empty message.
    fn succeed(&self, tokens: Vec<u64>) {
        self.shared.exchange.succeed(tokens);
    }

    /// Answer a request with a message.
    fn answer(&self, token: u64, message: Vec<u8>) {
        self.shared.exchange.answer(token, Answer::Message(message));
    }

    /// Answer a request with a status other than OK; `details` is a `google.rpc.Status`, or empty.
    fn refuse(&self, token: u64, code: u8, message: String, details: Vec<u8>) {
        self.shared.exchange.answer(token, Answer::Status { code, message, details });
    }

    /// Accept no more, finish what has begun within so many seconds; repeatable. It blocks: call it in a thread.
    fn stop(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        let within = duration(seconds)?;
        py.detach(|| self.server.stop(within));
        Ok(())
    }
}

fn duration(seconds: f64) -> PyResult<Duration> {
    const LONGEST: f64 = 1e9;
    Duration::try_from_secs_f64(seconds.min(LONGEST))
        .map_err(|_| PyValueError::new_err("a number of seconds is not negative"))
}

fn os_error(error: std::io::Error) -> PyErr {
    PyOSError::new_err(error.to_string())
}

#[pymodule]
fn glasshouse_otlp_grpc(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyTls>()?;
    module.add_class::<PyServer>()
}
