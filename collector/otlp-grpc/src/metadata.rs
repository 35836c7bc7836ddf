//! The metadata of requests, shared by those of one connection that send the same.

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, TE};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use std::net::IpAddr;
use std::sync::Arc;

/// What the sender's address is told as; no header can have this name.
const PEER: &str = ":peer";

/// Headers in ASCII, without those of the protocol itself; their Python form is made once.
pub struct Metadata {
    peer: IpAddr,
    headers: Vec<(HeaderName, HeaderValue)>,
    as_dict: PyOnceLock<Py<PyDict>>,
}

impl Metadata {
    fn of(peer: IpAddr, headers: &HeaderMap) -> Self {
        let own = told(headers).map(|(name, value)| (name.clone(), value.clone())).collect();
        Self { peer, headers: own, as_dict: PyOnceLock::new() }
    }

    fn is_of(&self, headers: &HeaderMap) -> bool {
        let mut own = self.headers.iter();
        told(headers).all(|(name, value)| own.next().is_some_and(|(a, b)| a == name && b == value))
            && own.next().is_none()
    }

    /// The memory it takes, about.
    pub fn size(&self) -> usize {
        const ENTRY: usize = 128; // the vector's, and the dictionary's
        let headers = self.headers.iter().map(|(name, value)| ENTRY + name.as_str().len() + value.len());
        ENTRY + headers.sum::<usize>()
    }

    /// A dict, with the sender's address as `:peer`; of a name sent more than once, the last value.
    pub fn as_dict(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        let made = self.as_dict.get_or_try_init(py, || {
            let dict = PyDict::new(py);
            dict.set_item(PEER, self.peer.to_string())?;
            for (name, value) in &self.headers {
                dict.set_item(name.as_str(), value.to_str().unwrap_or_default())?;
            }
            Ok::<_, PyErr>(dict.unbind())
        })?;
        Ok(made.clone_ref(py))
    }
}

fn told(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    headers.iter().filter(|(name, value)| {
        let text = name.as_str();
        let of_the_protocol =
            text.starts_with("grpc-") || *name == CONTENT_TYPE || *name == CONTENT_LENGTH || *name == TE;
        !of_the_protocol && !text.ends_with("-bin") && value.to_str().is_ok()
    })
}

/// The metadata last seen on a connection.
pub struct LastSeen {
    peer: IpAddr,
    metadata: Option<Arc<Metadata>>,
}

impl LastSeen {
    /// Nothing yet, of a sender at that address; an IPv4 one stays one where IPv6 is listened to.
    pub fn by(peer: IpAddr) -> Self {
        Self { peer: peer.to_canonical(), metadata: None }
    }

    /// The metadata of these headers: the last one's, where it says the same.
    pub fn of(&mut self, headers: &HeaderMap) -> Arc<Metadata> {
        match &self.metadata {
            Some(last) if last.is_of(headers) => Arc::clone(last),
            _ => Arc::clone(self.metadata.insert(Arc::new(Metadata::of(self.peer, headers)))),
        }
    }
}
