//! A double as text: the fewest digits that read back as the same number.

/// Append `value` in the form of ECMAScript's Number::toString, but keep the sign of negative zero.
///
/// Source: ECMA-262, 6.1.6.1.20. The OpenTelemetry Collector writes the same.
pub fn write_double(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        return out.extend_from_slice(b"NaN");
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value.is_infinite() {
        return out.extend_from_slice(b"Infinity");
    }
    let scientific = shortest(value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits: Vec<u8> = mantissa.bytes().filter(|byte| *byte != b'.').collect();
    write_digits(&digits, exponent.parse().unwrap_or(0), out);
}

/// Return `d.ddde…` with the fewest digits that read back as `value`, of those the nearest to it, of two
/// equally near (as for 1801783067332110.25) the even one.
fn shortest(value: f64) -> String {
    // The standard library's shortest form rounds a tie up; with the number of digits given, to even.
    let shortest = format!("{value:e}");
    let digits = shortest.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count();
    let nearest = format!("{value:.*e}", digits - 1);
    if nearest.parse() == Ok(value) { nearest } else { shortest }
}

/// Append `d.ddd × 10^exponent`, as a plain number from 1e-6 to below 1e21.
fn write_digits(digits: &[u8], exponent: i32, out: &mut Vec<u8>) {
    match exponent {
        0..=20 => {
            let whole = exponent as usize + 1;
            let split = whole.min(digits.len());
            out.extend_from_slice(&digits[..split]);
            out.extend(std::iter::repeat_n(b'0', whole - split));
            if split < digits.len() {
                out.push(b'.');
                out.extend_from_slice(&digits[split..]);
            }
        }
        -6..=-1 => {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', (-exponent - 1) as usize));
            out.extend_from_slice(digits);
        }
        _ => {
            out.push(digits[0]);
            if digits.len() > 1 {
                out.push(b'.');
                out.extend_from_slice(&digits[1..]);
            }
            out.extend_from_slice(format!("e{exponent:+}").as_bytes());
        }
    }
}

/// Append `value` in decimal.
#[inline]
pub fn write_int(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}
