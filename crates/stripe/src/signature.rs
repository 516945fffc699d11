//! Whether a webhook was sent by Stripe: a pure function of header, body, secrets and time.
//!
//! The header says `t=1700000000,v1=HEX[,v1=HEX...][,v0=HEX]`: the time of sending and, for each secret of the endpoint
//! (two while one is being rolled), HMAC-SHA256 over `"{t}.{body}"` with the whole secret (`whsec_...`) as its key
//! (<https://docs.stripe.com/webhooks#verify-manually>). Schemes other than `v1` say nothing here.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// How far the time of sending may lie from now, in either direction, unless told otherwise.
pub const TOLERANCE_SECONDS: i64 = 300;

/// Why a webhook is not believed. None of the words hold anything of the secrets, the header or the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header is not of the form `t=...,v1=...`.
    #[error("the Stripe-Signature header cannot be read: it has to hold one t= and at least one v1=")]
    Unreadable,
    /// No secret is known to check against.
    #[error("no signing secret of a webhook endpoint is known: give Recurve the endpoint's whsec_ secret")]
    NoSecret,
    /// None of the signatures is that of any of the secrets.
    #[error(
        "no signature fits any known secret: the secret is another endpoint's (test and live have their own), or the \
         body was changed on its way"
    )]
    NoMatch,
    /// It was sent too long ago.
    #[error("the webhook was signed {seconds} s ago, more than is tolerated: it was repeated, or a clock is wrong")]
    TooOld {
        /// How long ago.
        seconds: i64,
    },
    /// It says that it was sent in the future.
    #[error("the webhook was signed {seconds} s in the future: check this machine's clock")]
    FromTheFuture {
        /// How far ahead.
        seconds: i64,
    },
}

/// A header that was read.
struct Header {
    at: i64,
    /// The text of the time as it was signed.
    at_text: String,
    signatures: Vec<[u8; 32]>,
}

fn parse(header: &str) -> Option<Header> {
    let mut at: Option<(i64, String)> = None;
    let mut signatures = Vec::new();
    for element in header.split(',') {
        let (scheme, value) = element.trim().split_once('=')?;
        match scheme {
            "t" if at.is_none() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                at = Some((value.parse().ok()?, value.to_owned()));
            }
            "t" => return None,
            // A v1 that is no signature fits no secret; others beside it still may.
            "v1" => signatures.extend(unhex(value)),
            _ => {}
        }
    }
    let (at, at_text) = at?;
    (!signatures.is_empty()).then_some(Header { at, at_text, signatures })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let [high, low] = pair else { return None };
        let digit = |character: u8| char::from(character).to_digit(16);
        *byte = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
    }
    Some(bytes)
}

/// Verifies the header of a webhook against its raw body, byte for byte as it came.
///
/// Returns the second at which it was signed. Signatures are compared in constant time, and before the time is, so that
/// an answer about the time is given to Stripe alone.
///
/// # Errors
/// Why it is not believed; all of them are answered with a 400.
pub fn verify(
    header: &str,
    body: &[u8],
    secrets: &[&str],
    now_seconds: i64,
    tolerance_seconds: i64,
) -> Result<i64, SignatureError> {
    let header = parse(header).ok_or(SignatureError::Unreadable)?;
    if secrets.is_empty() {
        return Err(SignatureError::NoSecret);
    }
    let mut fits = false;
    for secret in secrets {
        let Ok(mut keyed) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { continue };
        keyed.update(header.at_text.as_bytes());
        keyed.update(b".");
        keyed.update(body);
        for signature in &header.signatures {
            fits |= keyed.clone().verify_slice(signature).is_ok();
        }
    }
    if !fits {
        return Err(SignatureError::NoMatch);
    }
    let age = now_seconds.saturating_sub(header.at);
    if age > tolerance_seconds {
        return Err(SignatureError::TooOld { seconds: age });
    }
    if age < -tolerance_seconds {
        return Err(SignatureError::FromTheFuture { seconds: -age });
    }
    Ok(header.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HMAC-SHA256 of `1700000000.{"id":"evt_1"}` with two secrets, worked out with OpenSSL.
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;
    const OLD: &str = "ef1b1b7e4b312671a75ef2a03e10529f7834a6528a49db77ad6568c8c8017843";
    const NEW: &str = "f3ac0c93c23f69e2e6046d7f0e2c82c93d0403de0f8651457189ab70fbbfcaae";

    #[test]
    fn any_v1_of_any_secret_is_believed_within_the_tolerance() {
        let check = |header: &str, secrets: &[&str], now| verify(header, BODY, secrets, now, TOLERANCE_SECONDS);
        let both = format!("t=1700000000,v1={OLD},v1={NEW},v0=00");
        for (header, secrets, now, answer) in [
            (both.as_str(), &["whsec_old"][..], 1_700_000_000, Ok(1_700_000_000)),
            (&both, &["whsec_new"], 1_700_000_300, Ok(1_700_000_000)),
            (&both, &["whsec_other", "whsec_new"], 1_699_999_700, Ok(1_700_000_000)),
            (&both, &["whsec_other"], 1_700_000_000, Err(SignatureError::NoMatch)),
            (&both, &[], 1_700_000_000, Err(SignatureError::NoSecret)),
            (&both, &["whsec_old"], 1_700_000_301, Err(SignatureError::TooOld { seconds: 301 })),
            (&both, &["whsec_old"], 1_699_999_699, Err(SignatureError::FromTheFuture { seconds: 301 })),
            (&format!("t=1700000001,v1={OLD}"), &["whsec_old"], 1_700_000_000, Err(SignatureError::NoMatch)),
            (&format!("v0={OLD},t=1700000000"), &["whsec_old"], 1_700_000_000, Err(SignatureError::Unreadable)),
            (&format!("t=1700000000, v1=zz, v1={OLD}"), &["whsec_old"], 1_700_000_000, Ok(1_700_000_000)),
            (&format!("t=1,t=1700000000,v1={OLD}"), &["whsec_old"], 1_700_000_000, Err(SignatureError::Unreadable)),
            (&format!("v1={OLD}"), &["whsec_old"], 1_700_000_000, Err(SignatureError::Unreadable)),
            ("", &["whsec_old"], 1_700_000_000, Err(SignatureError::Unreadable)),
            ("t=-5,v1=00", &["whsec_old"], 0, Err(SignatureError::Unreadable)),
        ] {
            assert_eq!(check(header, secrets, now), answer, "{header} {secrets:?} {now}");
        }
        assert_eq!(
            verify(&both, b"{\"id\":\"evt_2\"}", &["whsec_old"], 1_700_000_000, 300),
            Err(SignatureError::NoMatch)
        );
    }

    #[test]
    fn what_is_said_of_a_refusal_holds_no_secret() {
        for error in [SignatureError::Unreadable, SignatureError::NoSecret, SignatureError::NoMatch] {
            assert!(!error.to_string().contains(OLD), "{error}");
        }
    }
}
