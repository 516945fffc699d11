//! A review as it is said: headings, sentences and figures, written as text, Markdown, HTML or JSON, and kept.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A review.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Review {
    /// What it is a review of.
    pub title: String,
    /// Of which version of the data it was said, and when it was frozen.
    pub about: String,
    /// The language of its texts, as a tag.
    pub language: String,
    /// Its parts.
    pub sections: Vec<Section>,
}

/// A part of a review.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Section {
    /// Its name for machines.
    pub id: String,
    /// Its heading.
    pub heading: String,
    /// What is said.
    pub lines: Vec<String>,
    /// What people wrote to it.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Above the columns of figures.
    pub columns: Vec<String>,
    /// Figures.
    pub figures: Vec<Figure>,
}

/// A row of figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReviewFigure)]
pub struct Figure {
    /// The metric with its variant, and the part after a colon.
    pub metric: String,
    /// What it is called.
    pub name: String,
    /// As it is said in each column.
    pub said: Vec<String>,
    /// As it is, exactly, in each column; empty where there is no number.
    pub exact: Vec<String>,
}

impl Section {
    /// A part with a heading and nothing in it yet.
    pub fn new(id: &str, heading: &str) -> Self {
        Self { id: id.to_owned(), heading: heading.to_owned(), ..Self::default() }
    }
}

impl Review {
    /// As text for a terminal.
    pub fn text(&self) -> String {
        let mut out = format!("{}\n{}\n", self.title, self.about);
        for section in &self.sections {
            let _ = write!(out, "\n{}\n", section.heading);
            for line in &section.lines {
                let _ = writeln!(out, "  - {line}");
            }
            for note in &section.notes {
                let _ = writeln!(out, "  > {}", note.replace('\n', "\n    "));
            }
            if !section.figures.is_empty() {
                let mut table = comfy_table::Table::new();
                table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
                table.set_header(std::iter::once("").chain(section.columns.iter().map(String::as_str)));
                for figure in &section.figures {
                    let numbers = figure
                        .said
                        .iter()
                        .map(|said| comfy_table::Cell::new(said).set_alignment(comfy_table::CellAlignment::Right));
                    table.add_row(std::iter::once(comfy_table::Cell::new(&figure.name)).chain(numbers));
                }
                let _ = writeln!(out, "{table}");
            }
        }
        out
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        let mut out = format!("# {}\n\n{}\n", self.title, self.about);
        for section in &self.sections {
            let _ = write!(out, "\n## {}\n\n", section.heading);
            for line in &section.lines {
                let _ = writeln!(out, "- {}", line.replace('\n', " "));
            }
            for note in &section.notes {
                let _ = writeln!(out, "\n> {}", note.replace('\n', "\n> "));
            }
            if !section.figures.is_empty() {
                let columns = section.columns.iter().map(|column| cell(column)).collect::<Vec<_>>().join(" | ");
                let _ = writeln!(out, "\n| | {columns} |\n|---|{}", "---:|".repeat(section.columns.len()));
                for figure in &section.figures {
                    let said = figure.said.iter().map(|said| cell(said)).collect::<Vec<_>>().join(" | ");
                    let _ = writeln!(out, "| {} | {said} |", cell(&figure.name));
                }
            }
        }
        out
    }

    /// As one page that needs nothing else, and prints well.
    pub fn html(&self) -> String {
        let mut out = format!(
            "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
             </head>\n<body>\n<main>\n<h1>{}</h1>\n<p class=\"about\">{}</p>\n",
            escaped(&self.language),
            escaped(&self.title),
            escaped(&self.title),
            escaped(&self.about)
        );
        for section in &self.sections {
            let _ = write!(out, "<section id=\"{}\">\n<h2>{}</h2>\n", escaped(&section.id), escaped(&section.heading));
            if !section.lines.is_empty() {
                out.push_str("<ul>\n");
                for line in &section.lines {
                    let _ = writeln!(out, "<li>{}</li>", escaped(line));
                }
                out.push_str("</ul>\n");
            }
            for note in &section.notes {
                let _ = writeln!(out, "<blockquote>{}</blockquote>", escaped(note));
            }
            if !section.figures.is_empty() {
                out.push_str("<table>\n<thead><tr><th></th>");
                for column in &section.columns {
                    let _ = write!(out, "<th scope=\"col\">{}</th>", escaped(column));
                }
                out.push_str("</tr></thead>\n<tbody>\n");
                for figure in &section.figures {
                    let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escaped(&figure.name));
                    for said in &figure.said {
                        let _ = write!(out, "<td>{}</td>", escaped(said));
                    }
                    out.push_str("</tr>\n");
                }
                out.push_str("</tbody>\n</table>\n");
            }
            out.push_str("</section>\n");
        }
        out.push_str("</main>\n</body>\n</html>\n");
        out
    }
}

/// A text as it stands in a page.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// How the page looks, on a screen and on paper.
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff;margin:0}\
main{max-width:46rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:1.8rem 0 .4rem;\
border-bottom:1px solid #ccc}.about{color:#555;margin:.2rem 0}ul{padding-left:1.2rem;margin:.4rem 0}\
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}th,td{padding:.2rem .4rem;border-bottom:1px solid #e3e3e3;\
text-align:right}th:first-child{text-align:left;font-weight:normal}thead th{font-weight:600}\
@media print{main{max-width:none;margin:0}section{break-inside:avoid}h2{break-after:avoid}@page{margin:18mm}}";

#[cfg(test)]
mod tests {
    use super::*;

    fn review() -> Review {
        let figure = Figure {
            metric: "mrr".to_owned(),
            name: "MRR | <all>".to_owned(),
            said: vec!["$10".to_owned()],
            exact: vec!["10.00".to_owned()],
        };
        let section = Section {
            lines: vec!["5 < 6 & \"so\"".to_owned()],
            columns: vec!["May".to_owned()],
            figures: vec![figure],
            ..Section::new("trend", "Trend")
        };
        let (title, about) = ("Review".to_owned(), "of version 3".to_owned());
        Review { title, about, language: "en".to_owned(), sections: vec![section] }
    }

    #[test]
    fn what_is_kept_is_read_again_as_it_was_said() {
        let kept = serde_json::to_string(&review()).unwrap();
        assert_eq!(serde_json::from_str::<Review>(&kept).unwrap(), review());
        assert!(serde_json::from_str::<Review>("{\"title\": \"x\"}").is_err());
    }

    #[test]
    fn a_page_escapes_what_people_wrote_and_needs_nothing_else() {
        let page = review().html();
        assert!(page.contains("5 &lt; 6 &amp; &quot;so&quot;") && page.contains("<td>$10</td>"), "{page}");
        assert!(!page.contains("<all>") && !page.contains("http") && !page.contains("src="), "{page}");
        assert!(review().markdown().contains("| MRR \\| <all> | $10 |"));
        assert!(review().text().contains("Trend") && review().text().contains("$10"));
    }
}
