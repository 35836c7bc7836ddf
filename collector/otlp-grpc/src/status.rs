//! `google.rpc.Status` in protobuf, with the one detail OTLP asks for. Source: google/rpc/status.proto,
//! google/rpc/error_details.proto; field numbers stand beside each.

const VARINT: u8 = 0;
const LENGTH_DELIMITED: u8 = 2;

/// A status with a `BadRequest`.
pub fn bad_request(code: u8, message: &str) -> Vec<u8> {
    let mut violation = Vec::new();
    field(&mut violation, 1, b"request");
    field(&mut violation, 2, message.as_bytes());
    let mut detail = Vec::new();
    field(&mut detail, 1, &violation);
    status(code, message, "type.googleapis.com/google.rpc.BadRequest", &detail)
}

/// A status with a `RetryInfo`.
pub fn retry(code: u8, message: &str, seconds: u8) -> Vec<u8> {
    let duration = [1 << 3 | VARINT, seconds];
    let mut detail = Vec::new();
    field(&mut detail, 1, &duration);
    status(code, message, "type.googleapis.com/google.rpc.RetryInfo", &detail)
}

fn status(code: u8, message: &str, type_url: &str, detail: &[u8]) -> Vec<u8> {
    let mut any = Vec::new();
    field(&mut any, 1, type_url.as_bytes());
    field(&mut any, 2, detail);
    let mut status = vec![1 << 3 | VARINT, code];
    field(&mut status, 2, message.as_bytes());
    field(&mut status, 3, &any);
    status
}

fn field(to: &mut Vec<u8>, number: u8, content: &[u8]) {
    to.push(number << 3 | LENGTH_DELIMITED);
    let mut length = content.len();
    while length >= 0x80 {
        to.push(length as u8 | 0x80);
        length >>= 7;
    }
    to.push(length as u8);
    to.extend_from_slice(content);
}
