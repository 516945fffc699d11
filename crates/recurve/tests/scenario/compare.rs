//! Sets the table of a page beside what the program listed.
//!
//! Three layouts: the program's own columns, or some of them; metrics across (`period mrr mrr_new nrr.month`); and
//! periods across (`metric 2024-01 2024-02`).

use super::{amount::Amount, indented, page::Table};

/// Compares; on a difference the two are told side by side, cell by cell.
pub fn compare(expected: &Table, printed: &str) -> Result<(), String> {
    let actual = read_csv(printed);
    let (Some(header), Some(listed)) = (expected.first(), actual.first()) else {
        return Err(format!("  nothing was listed:\n{}", indented(printed)));
    };
    let is_metric = listed.first().is_some_and(|column| column == "metric") && listed.contains(&"value".to_owned());
    let rows = if is_metric && header.iter().any(|column| is_day(column)) {
        across_periods(header, &actual)
    } else if is_metric && !header.contains(&"value".to_owned()) {
        across_metrics(header, &actual)
    } else {
        chosen_columns(header, &actual)
    }
    .map_err(|fault| format!("  {fault}:\n{}", indented(printed)))?;

    let mut same = rows.len() + 1 == expected.len();
    let mut told: Vec<Vec<String>> = vec![header.clone()];
    for index in 0..rows.len().max(expected.len() - 1) {
        let empty = Vec::new();
        let (wanted, found) = (expected.get(index + 1).unwrap_or(&empty), rows.get(index).unwrap_or(&empty));
        let cells = header.iter().enumerate().map(|(column, name)| match (wanted.get(column), found.get(column)) {
            (Some(wanted), Some(found)) if fits(name, wanted, found) => found.clone(),
            (wanted, found) => {
                same = false;
                let word = |cell: Option<&String>| match cell.map(String::as_str) {
                    None => "(no row)".to_owned(),
                    Some("") => "(empty)".to_owned(),
                    Some(text) => text.to_owned(),
                };
                format!("{} ≠ expected {}", word(found), word(wanted))
            }
        });
        told.push(cells.collect());
    }
    if same { Ok(()) } else { Err(aligned(&told)) }
}

/// Whether an expected cell says what was printed.
fn fits(column: &str, wanted: &str, found: &str) -> bool {
    if wanted == "-" {
        return found.is_empty();
    }
    if wanted == found {
        return true;
    }
    if is_day(wanted) && is_day(found) {
        return full_day(wanted) == full_day(found);
    }
    if let Some(part) = wanted.strip_suffix("...") {
        return match part.strip_prefix("...") {
            Some(part) => found.contains(part),
            None => found.starts_with(part),
        };
    }
    if ["customer", "subscription", "plan", "source", "fact"].contains(&column) {
        return false;
    }
    if (wanted == "undefined" || wanted == "no data") && found.starts_with(wanted) {
        return true;
    }
    Amount::sum(wanted).is_some_and(|amount| amount.is_printed_as(found))
}

/// `2024`, `2024-01` or `2024-01-31`.
fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    matches!(lengths.as_slice(), [4, 2] | [4, 2, 2])
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn full_day(text: &str) -> String {
    if text.len() == 7 { format!("{text}-01") } else { text.to_owned() }
}

fn place(header: &[String], name: &str) -> Result<usize, String> {
    header.iter().position(|column| column == name).ok_or_else(|| format!("no column `{name}` was listed"))
}

fn chosen_columns(header: &[String], actual: &Table) -> Result<Table, String> {
    let places = header.iter().map(|name| place(&actual[0], name)).collect::<Result<Vec<_>, _>>()?;
    Ok(actual[1..].iter().map(|row| places.iter().map(|place| row[*place].clone()).collect()).collect())
}

/// The value of a row of `metric`, or the note that says why there is none.
fn value(header: &[String], row: &[String]) -> Result<String, String> {
    let (value, note) = (&row[place(header, "value")?], &row[place(header, "note")?]);
    Ok(if value.is_empty() { note.clone() } else { value.clone() })
}

fn across_metrics(header: &[String], actual: &Table) -> Result<Table, String> {
    let listed = &actual[0];
    let (metric, variant) = (place(listed, "metric")?, place(listed, "variant")?);
    let keys: Vec<&String> = header.iter().filter(|column| listed.contains(column)).collect();
    let key_places = keys.iter().map(|name| place(listed, name)).collect::<Result<Vec<_>, _>>()?;
    let mut rows: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    let mut used = 0;
    for row in &actual[1..] {
        let key: Vec<String> = key_places.iter().map(|place| row[*place].clone()).collect();
        if !rows.iter().any(|(known, _)| *known == key) {
            rows.push((key, Vec::new()));
        }
    }
    for (key, cells) in &mut rows {
        for column in header {
            if let Some(place) = keys.iter().position(|name| *name == column) {
                cells.push(key[place].clone());
                continue;
            }
            let (wanted_metric, wanted_variant) = match column.split_once('.') {
                Some((metric, variant)) => (metric, Some(variant)),
                None => (column.as_str(), None),
            };
            let found: Vec<&Vec<String>> = actual[1..]
                .iter()
                .filter(|row| {
                    row[metric] == wanted_metric
                        && wanted_variant.is_none_or(|wanted| row[variant] == wanted)
                        && key_places.iter().zip(key.iter()).all(|(place, value)| row[*place] == *value)
                })
                .collect();
            match found.as_slice() {
                [row] => cells.push(value(listed, row)?),
                [] => cells.push("(not listed)".to_owned()),
                _ => return Err(format!("`{column}` was listed several times for {}", key.join(" "))),
            }
            used += found.len();
        }
    }
    if used < actual.len() - 1 {
        return Err("more was listed than the table expects".to_owned());
    }
    Ok(rows.into_iter().map(|(_, cells)| cells).collect())
}

fn across_periods(header: &[String], actual: &Table) -> Result<Table, String> {
    let listed = &actual[0];
    let period = place(listed, "period")?;
    let keys: Vec<&String> = header.iter().filter(|column| !is_day(column)).collect();
    let key_of = |row: &[String]| -> Result<Vec<String>, String> {
        keys.iter()
            .map(|name| match name.as_str() {
                "metric" => {
                    let (metric, variant) = (&row[place(listed, "metric")?], &row[place(listed, "variant")?]);
                    Ok(if variant.is_empty() { metric.clone() } else { format!("{metric}.{variant}") })
                }
                name => Ok(row[place(listed, name)?].clone()),
            })
            .collect()
    };
    let mut rows: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    let days: Vec<String> = header.iter().filter(|column| is_day(column)).map(|day| full_day(day)).collect();
    for row in &actual[1..] {
        let key = key_of(row)?;
        let index = rows.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            rows.push((key, vec!["(not listed)".to_owned(); days.len()]));
            rows.len() - 1
        });
        match days.iter().position(|day| *day == row[period]) {
            Some(day) => rows[index].1[day] = value(listed, row)?,
            None => return Err(format!("the period {} was listed as well", row[period])),
        }
    }
    Ok(rows
        .into_iter()
        .map(|(key, mut values)| {
            let (mut key, mut values) = (key.into_iter(), values.drain(..));
            header
                .iter()
                .map(|column| if is_day(column) { values.next() } else { key.next() }.unwrap_or_default())
                .collect()
        })
        .collect())
}

fn aligned(rows: &Table) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
                .collect();
            format!("    {}", cells.join("  ").trim_end())
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// Reads CSV as RFC 4180 writes it.
pub fn read_csv(text: &str) -> Table {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut begun) = (false, false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        begun = true;
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
                begun = false;
            }
            other => cell.push(other),
        }
    }
    if begun {
        row.push(cell);
        rows.push(row);
    }
    let width = rows.first().map_or(0, Vec::len);
    rows.retain(|row: &Vec<String>| row.len() == width);
    rows
}
