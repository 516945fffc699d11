//! What the server tells whoever runs it: one JSON object a line, on the error output. Nobody is named in it: no
//! address, no name, and of a path only the route.

use std::io::Write;

use jiff::Timestamp;

/// Writes a line.
pub fn note(event: &str, fields: &[(&str, &str)]) {
    let mut line = serde_json::Map::new();
    line.insert("at".to_owned(), Timestamp::now().to_string().into());
    line.insert("event".to_owned(), event.into());
    line.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())));
    // Whoever closed the log does not want it; the server goes on.
    let _ = writeln!(std::io::stderr().lock(), "{}", serde_json::Value::Object(line));
}
