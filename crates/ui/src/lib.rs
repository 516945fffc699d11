//! The web app inside the binary, and the headers that it is served under.
//!
//! [`answer`] is a function from what a browser asks to what it is given: it knows no server. What is embedded is
//! `web/dist` where it was built, with the files that `npm run build` compressed beside them, or else one page that says
//! how to build it.

use std::borrow::Cow;

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// What scripts, styles and connections the app may use: its own, and nothing in line.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html";

/// Headers of every answer, of the app and of the API.
pub const SECURITY_HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// The page that opens the app.
const INDEX: &str = "index.html";
/// Files under this folder are named by their content, so they never change.
const ASSETS: &str = "assets/";
/// What the compressed twin of a file is called.
const TWIN: &str = ".br";

/// What a browser asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, with its first slash.
    pub path: &'a str,
    /// The header `Accept`.
    pub accept: &'a str,
    /// The header `Accept-Encoding`.
    pub accept_encoding: &'a str,
    /// The header `If-None-Match`.
    pub if_none_match: &'a str,
}

/// What it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The status code.
    pub status: u16,
    /// Headers, without those of [`SECURITY_HEADERS`].
    pub headers: Vec<(&'static str, String)>,
    /// The body; of a HEAD request too, so that its length is known.
    pub body: Cow<'static, [u8]>,
}

/// Answers a request for the app.
#[must_use]
pub fn answer(asked: &Asked<'_>) -> Given {
    if !matches!(asked.method, "GET" | "HEAD") {
        return words(405, "the app is read with GET or HEAD", &[("allow", "GET, HEAD")]);
    }
    let path = asked.path.trim_start_matches('/');
    let is_file = !path.is_empty() && !path.ends_with(TWIN) && Files::get(path).is_some();
    let name = match is_file {
        true => path,
        // A tab that was opened before an update must learn that its files are gone, not get a page in their place.
        false if path.starts_with(ASSETS) => return words(404, "there is no such file", &[]),
        false if wants_page(asked.accept) => INDEX,
        false => return words(404, "there is no such file", &[]),
    };
    let twin = accepts_brotli(asked.accept_encoding).then(|| Files::get(&format!("{name}{TWIN}"))).flatten();
    let is_compressed = twin.is_some();
    let Some(file) = twin.or_else(|| Files::get(name)) else {
        return words(404, "there is no such file", &[]);
    };
    let hash = file.metadata.sha256_hash();
    let etag = format!("\"{}\"", hash[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let cache = if name.starts_with(ASSETS) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut headers = vec![
        ("content-type", media_type(name).to_owned()),
        ("cache-control", cache.to_owned()),
        ("vary", "accept-encoding".to_owned()),
        ("etag", etag.clone()),
    ];
    if is_compressed {
        headers.push(("content-encoding", "br".to_owned()));
    }
    if is_known(asked.if_none_match, &etag) {
        return Given { status: 304, headers, body: Cow::Borrowed(&[]) };
    }
    Given { status: 200, headers, body: file.data }
}

fn words(status: u16, words: &'static str, headers: &[(&'static str, &str)]) -> Given {
    let mut all =
        vec![("content-type", "text/plain; charset=utf-8".to_owned()), ("cache-control", "no-store".to_owned())];
    all.extend(headers.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Given { status, headers: all, body: Cow::Borrowed(words.as_bytes()) }
}

/// Whether a browser wants a page: whoever types an address or follows a link says so.
fn wants_page(accept: &str) -> bool {
    accept.split(',').any(|kind| {
        let mut parts = kind.split(';').map(str::trim);
        parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/html")) && quality(parts) > 0.0
    })
}

/// Whether brotli is among the encodings that are accepted, and not refused by `q=0`.
fn accepts_brotli(accept_encoding: &str) -> bool {
    accept_encoding.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case("br")) && quality(parts) > 0.0
    })
}

/// The `q` among some parameters; 1 where there is none.
fn quality<'a>(mut parameters: impl Iterator<Item = &'a str>) -> f32 {
    let stated = parameters.find_map(|parameter| parameter.strip_prefix("q=").or(parameter.strip_prefix("Q=")));
    stated.map_or(1.0, |value| value.trim().parse().unwrap_or(0.0))
}

/// Whether a tag is among those of `If-None-Match`, of which there may be several, weak ones too.
#[must_use]
pub fn is_known(if_none_match: &str, etag: &str) -> bool {
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    if_none_match.split(',').any(|tag| tag.trim() == "*" || plain(tag) == plain(etag))
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROWSER: Asked<'static> = Asked {
        method: "GET",
        path: "/",
        accept: "text/html,application/xhtml+xml,*/*;q=0.8",
        accept_encoding: "",
        if_none_match: "",
    };

    fn header<'a>(given: &'a Given, name: &str) -> Option<&'a str> {
        given.headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_page_of_the_app_is_given_to_who_wants_a_page() {
        for path in ["/", "/customers/c1", "/month/2026-10"] {
            let given = answer(&Asked { path, ..BROWSER });
            assert_eq!((given.status, header(&given, "cache-control")), (200, Some("no-cache")), "{path}");
            assert_eq!(header(&given, "content-type"), Some("text/html; charset=utf-8"));
            assert!(given.body.starts_with(b"<!doctype html>"));
        }
    }

    #[test]
    fn what_is_missing_is_missing() {
        for (path, accept) in [
            ("/assets/index-0000.js", BROWSER.accept),
            ("/favicon.ico", "image/avif,image/webp,*/*"),
            ("/index.html.br", "*/*"),
            ("/customers", "application/json"),
            ("/customers", "text/html;q=0"),
            ("/../Cargo.toml", "*/*"),
        ] {
            let given = answer(&Asked { path, accept, ..BROWSER });
            assert_eq!((given.status, header(&given, "cache-control")), (404, Some("no-store")), "{path} {accept}");
        }
    }

    #[test]
    fn only_reading_is_allowed() {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
            let given = answer(&Asked { method, ..BROWSER });
            assert_eq!((given.status, header(&given, "allow")), (405, Some("GET, HEAD")), "{method}");
        }
        assert_eq!(answer(&Asked { method: "HEAD", ..BROWSER }).status, 200);
    }

    #[test]
    fn what_is_known_is_not_sent_again() {
        let given = answer(&BROWSER);
        let etag = header(&given, "etag").unwrap().to_owned();
        let weak = format!("\"other\", W/{etag}");
        for if_none_match in [etag.as_str(), weak.as_str(), "*"] {
            let again = answer(&Asked { if_none_match, ..BROWSER });
            assert_eq!((again.status, again.body.len()), (304, 0));
            assert_eq!(header(&again, "etag"), Some(etag.as_str()));
        }
        assert_eq!(answer(&Asked { if_none_match: "\"other\"", ..BROWSER }).status, 200);
    }

    #[test]
    fn an_encoding_is_taken_only_from_who_accepts_it() {
        for (accept_encoding, is_accepted) in [
            ("gzip, br", true),
            ("br;q=0", false),
            ("BR ; q=0.5", true),
            ("gzip", false),
            ("", false),
            ("br;q=x", false),
        ] {
            assert_eq!(accepts_brotli(accept_encoding), is_accepted, "{accept_encoding}");
        }
    }

    #[test]
    fn nothing_in_line_is_allowed() {
        assert!(!CONTENT_SECURITY_POLICY.contains("unsafe"));
        assert!(CONTENT_SECURITY_POLICY.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
    }
}
