//! Answers in gRPC over HTTP/2. Source: grpc/doc/PROTOCOL-HTTP2.md, "Responses".

use crate::compression::ACCEPTED;
use crate::refusal::Refusal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut, Bytes, BytesMut};
use h2::server::SendResponse;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode, Version};
use std::fmt::Write;

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const EMPTY: Bytes = Bytes::from_static(&[0; 5]);

/// What a request is answered with.
pub enum Answer {
    /// A message; often the empty one.
    Message(Vec<u8>),
    /// A status other than OK.
    Status {
        /// `grpc-status`
        code: u8,
        /// `grpc-message`
        message: String,
        /// `grpc-status-details-bin`, a `google.rpc.Status`; none where it is empty.
        details: Vec<u8>,
    },
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.message.into_owned();
        Self::Status { code: refusal.code as u8, message, details: refusal.details }
    }
}

/// Send an answer; nothing happens where the connection is gone.
pub fn send(mut to: SendResponse<Bytes>, answer: Answer) {
    let _gone = match answer {
        Answer::Message(message) => send_message(&mut to, &message),
        Answer::Status { code, message, details } => send_status(&mut to, code, &message, &details),
    };
}

/// Answer what is no gRPC at all with a status of HTTP.
pub fn send_http(mut to: SendResponse<Bytes>, status: StatusCode) {
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.version_mut() = Version::HTTP_2;
    let _gone = to.send_response(response, true);
}

fn send_message(to: &mut SendResponse<Bytes>, message: &[u8]) -> Result<(), h2::Error> {
    let mut stream = to.send_response(response(1), false)?;
    stream.send_data(if message.is_empty() { EMPTY } else { framed(message) }, false)?;
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}

fn send_status(
    to: &mut SendResponse<Bytes>,
    code: u8,
    message: &str,
    details: &[u8],
) -> Result<(), h2::Error> {
    let mut response = response(5);
    let headers = response.headers_mut();
    headers.insert(GRPC_STATUS, HeaderValue::from(u16::from(code)));
    headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(message)) {
        headers.insert(GRPC_MESSAGE, message);
    }
    if !details.is_empty()
        && let Ok(details) = HeaderValue::from_str(&STANDARD_NO_PAD.encode(details))
    {
        headers.insert(GRPC_STATUS_DETAILS, details);
    }
    to.send_response(response, true).map(drop)
}

fn response(headers: usize) -> Response<()> {
    let mut response = Response::new(());
    *response.version_mut() = Version::HTTP_2;
    response.headers_mut().reserve(headers);
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    framed.put_u32(message.len() as u32); // an answer is far below 4 GiB
    framed.put_slice(message);
    framed.freeze()
}

fn percent_encoded(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => write!(encoded, "%{byte:02X}").unwrap_or_default(),
        }
    }
    encoded
}
